"""Bad lines and restarts: nothing is missing, nothing is doubled, and what nobody can know is written down as such."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.loopback import serve
from tests.reliability.lines import LEAST_LOST, travel
from tests.reliability.proxy import FAULTS, HARMFUL, a_proxy

LINKS, RESTARTS = 500, 5


async def test_over_bad_lines_and_restarts_nothing_is_missing_or_doubled(tmp_path: Path) -> None:
    result = await travel(tmp_path, links=LINKS, restarts=RESTARTS, seed=random.randrange(2**32))
    print(result)
    log = (tmp_path / "log").read_text("utf-8", "replace")[-3000:]
    assert not result.failures, f"{result}\n{result.failures}\n{log}"
    assert result.restarts == RESTARTS
    assert result.lost_share >= LEAST_LOST
    assert result.unknown("notebook"), "no answer was lost where it matters"


async def test_a_service_that_is_wrongly_said_to_upsert_gets_doubles(tmp_path: Path) -> None:
    result = await travel(tmp_path, links=100, restarts=2, seed=random.randrange(2**32), careless=True)
    print(result)
    assert result.doubled("notebook"), result


# -- the bad line itself -----------------------------------------------------------------------------------------------


class Echo:
    """Counts what reached it."""

    def __init__(self) -> None:
        self.heard: Counter[str] = Counter()
        self.app = Starlette(routes=[Route("/{name}", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        self.heard[request.path_params["name"]] += 1
        return PlainTextResponse(body)


@pytest.mark.parametrize("fault", sorted(HARMFUL))
async def test_each_fault_is_met_and_counted(fault: str) -> None:
    echo = Echo()
    async with (
        serve(echo.app) as origin,
        a_proxy(origin, random.Random(1), {fault: 1.0}) as proxy,
        httpx.AsyncClient(base_url=proxy.origin, trust_env=False) as client,
    ):
        with pytest.raises(httpx.TransportError):
            await client.post("/a", content="x" * 100)
        reached = {"answer lost", "answer cut"}
        assert echo.heard["a"] == (fault in reached)
        assert proxy.counts == {fault: 1}
        assert proxy.exchanges == 1


async def test_a_good_line_forwards_everything_and_a_slow_one_too() -> None:
    echo = Echo()
    async with serve(echo.app) as origin:
        for faults in ({}, {"delayed": 1.0}):
            async with (
                a_proxy(origin, random.Random(1), faults) as proxy,
                httpx.AsyncClient(base_url=proxy.origin, trust_env=False) as client,
            ):
                answers = await asyncio.gather(*(client.post("/a", content=f"{number}") for number in range(20)))
                assert sorted(int(answer.text) for answer in answers) == list(range(20))
                assert proxy.exchanges == 20
                assert not HARMFUL & set(proxy.counts)


def test_at_least_a_tenth_of_all_answers_is_lost() -> None:
    assert FAULTS["answer lost"] > LEAST_LOST
    assert sum(FAULTS.values()) < 0.5
