"""A connection whose credential is refused, through the real process: what pauses it, what does not end that, what does."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bridge import control
from bridge.errors import BridgeError
from tests.loopback import serve
from tests.test_service import START_SECONDS, Process

A, B = "https://a.example/", "https://b.example/"


class Locked:
    """A Pocket server that takes one token and no other."""

    def __init__(self) -> None:
        self.token = "the-new-one"
        self.refused = 0
        self.urls: list[str] = []
        self.app = Starlette(routes=[Route("/v3/send", self._send, methods=["POST"])])

    async def _send(self, request: Request) -> JSONResponse:
        told = await request.json()
        if told["access_token"] != self.token:
            self.refused += 1
            return JSONResponse({"status": 0}, 401, headers={"X-Error-Code": "107", "X-Error": "no such token"})
        self.urls += [action["url"] for action in told["actions"]]
        results = [{"item_id": str(number)} for number, _ in enumerate(told["actions"])]
        body = {"status": 1, "action_results": results, "action_errors": [None] * len(results)}
        return JSONResponse(body, headers={"X-Source": "Pocket"})


class Paused:
    """A process whose connection “there” is paused, and what a person does about it."""

    def __init__(self, folder: Path, origin: str, there: Locked) -> None:
        self.folder = folder
        self.there = there
        self._origin = origin
        (folder / "secret").write_text("the-old-one\n")
        self.name_token("{file: secret}")
        self.process = Process(folder)

    def name_token(self, written: str) -> None:
        options = f"type: pocket, base_url: '{self._origin}', consumer_key: 1-a, access_token: {written}"
        rules = f"destinations:\n  there: {{{options}}}\ndefaults: {{to: [reading, there]}}\n"
        (self.folder / "rules.yaml").write_text(rules)

    def save(self, url: str) -> None:
        token = (self.folder / "data" / "token").read_text().strip()
        address = f"http://127.0.0.1:{self.process.port}/save"
        httpx.post(
            address, headers={"Authorization": f"Bearer {token}"}, data={"url": url}, trust_env=False
        ).raise_for_status()

    def connection(self, name: str) -> dict[str, Any]:
        status = control.ask(self.folder / "data", "status", {})
        return next(dict(found) for found in status["connections"] if found["name"] == name)

    def wait_until(self, true: Callable[[], bool]) -> None:
        """It does not answer for a moment while destinations are opened anew."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(ConnectionError, BridgeError):
                if true():
                    return
            time.sleep(0.05)
        raise AssertionError(self.process.output())

    def is_paused(self) -> bool:
        return bool(self.connection("there")["state"] == "paused")

    def restart(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.process.process.send_signal(signal.SIGTERM)
        assert self.process.process.wait(timeout=20) == 0
        meanwhile()
        self.process.process = self.process.command("run")
        self.process.wait_until_it_answers()


@pytest.fixture
async def paused(tmp_path: Path) -> AsyncIterator[Paused]:
    there = Locked()
    async with serve(there.app) as origin:
        one = await asyncio.to_thread(Paused, tmp_path, origin, there)
        try:
            await asyncio.to_thread(one.process.wait_until_it_answers)
            await asyncio.to_thread(one.save, A)
            await asyncio.to_thread(one.wait_until, one.is_paused)
            yield one
        finally:
            one.process.process.kill()
            one.process.process.wait()
            one.process.log.close()


def another_token_in_its_file(paused: Paused) -> None:
    (paused.folder / "secret").write_text("the-new-one\n")


def another_token_in_the_rule_file(paused: Paused) -> None:
    paused.name_token("the-new-one")


def another_file_that_comes_after_its_name(paused: Paused) -> None:
    paused.name_token("{file: secret.new}")
    paused.wait_until(lambda: "secret.new cannot be read" in paused.process.output())
    assert paused.is_paused()
    (paused.folder / "secret.new").write_text("the-new-one\n")


def another_token_while_it_does_not_run(paused: Paused) -> None:
    paused.restart(lambda: another_token_in_its_file(paused))


def resume(paused: Paused) -> None:
    paused.there.token = "the-old-one"
    assert paused.process.command("resume", "there").wait(timeout=30) == 0


@pytest.mark.parametrize(
    "mend",
    [
        another_token_in_its_file,
        another_token_in_the_rule_file,
        another_file_that_comes_after_its_name,
        another_token_while_it_does_not_run,
        resume,
    ],
)
async def test_a_pause_outlives_a_restart_and_ends_with_a_new_credential_or_by_hand(
    paused: Paused, mend: Callable[[Paused], None]
) -> None:
    def play() -> None:
        paused.restart()
        paused.save(B)
        paused.wait_until(lambda: paused.connection("reading")["deliveries"] == {"delivered": 2})
        assert (paused.is_paused(), paused.there.refused, paused.there.urls) == (True, 1, [])
        assert paused.connection("there")["deliveries"] == {"pending": 2}
        mend(paused)
        paused.wait_until(lambda: paused.connection("there")["deliveries"] == {"delivered": 2})

    await asyncio.to_thread(play)
    assert (sorted(paused.there.urls), paused.there.refused) == ([A, B], 1)
    assert paused.connection("there")["state"] == "active"


async def test_a_rule_file_that_names_the_same_credential_ends_no_pause(paused: Paused) -> None:
    """The control: it is the credential that opens the gate, not that the file was written."""

    def play() -> None:
        with (paused.folder / "rules.yaml").open("a") as file:
            file.write("rules: [{name: more, then: {tag: more}}]\n")
        (paused.folder / "secret").write_text("the-old-one\n")
        paused.wait_until(lambda: "1 rules and 0 feeds in use" in paused.process.output())
        assert paused.is_paused()

    await asyncio.to_thread(play)
    assert (paused.there.refused, paused.there.urls) == (1, [])
