"""The web server's own answers, and its limits in front of everything."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bridge.errors import ConfigError
from bridge.web.limits import MIB, MOST_FIELDS
from bridge.web.server import application, listen


async def length(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
async def web() -> AsyncIterator[httpx.AsyncClient]:
    routes = [Route("/save", length, methods=["POST"]), Route("/v3/send", length, methods=["POST"])]
    transport = httpx.ASGITransport(application([routes], ready=list))
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge.test") as client:
        yield client


async def test_it_is_alive_and_ready(web: httpx.AsyncClient) -> None:
    assert (await web.get("/healthz")).text == "ok\n"
    assert (await web.get("/readyz")).json() == {"ready": True, "missing": []}


async def test_it_says_what_it_is_not_ready_for() -> None:
    transport = httpx.ASGITransport(application([], ready=lambda: ["it is stopping"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge.test") as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["missing"]) == (503, ["it is stopping"])


async def test_a_body_up_to_the_limit_is_taken(web: httpx.AsyncClient) -> None:
    assert (await web.post("/save", content=b"x" * MIB)).text == str(MIB)


async def test_a_larger_one_is_refused_by_its_declared_length(web: httpx.AsyncClient) -> None:
    answer = await web.post("/save", content=b"x" * (MIB + 1))
    assert (answer.status_code, answer.json()) == (413, {"error": f"a body may have {MIB} bytes"})


async def test_a_larger_one_without_a_length_is_refused_while_it_comes(web: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * (MIB // 8)

    assert (await web.post("/save", content=endless())).status_code == 413


async def test_lists_of_actions_may_be_larger(web: httpx.AsyncClient) -> None:
    assert (await web.post("/v3/send", content=b"x" * 4 * MIB)).status_code == 200
    answer = await web.post("/v3/send", content=b"x" * 6 * MIB)
    assert (answer.status_code, answer.headers["x-source"]) == (413, "Pocket")
    assert int(answer.headers["x-error-code"])


async def test_too_many_header_fields_are_refused(web: httpx.AsyncClient) -> None:
    headers = {f"x-{number}": "1" for number in range(MOST_FIELDS + 1)}
    assert (await web.get("/healthz", headers=headers)).status_code == 431


def test_a_taken_port_is_a_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}.*BRIDGE_LISTEN"):
            listen("127.0.0.1", port)
