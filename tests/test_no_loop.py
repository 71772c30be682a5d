"""Two bridges pointed at each other: a link goes to both lists, and comes to rest."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge import control
from bridge.settings import load_settings
from bridge.wiring import Bridge, open_bridge
from tests.house import OWNER_TOKEN, eventually
from tests.loopback import serve

KEYS = {"consumer_key": "1-app", "access_token": OWNER_TOKEN}
URL = "https://loop.example/a"

RULES = """
destinations:
  other:
    type: pocket
    base_url: {other}
    consumer_key: 1-bridge
    access_token: {{file: {token}}}

rules:
  - name: everything
    if: {{domain: loop.example}}
    then: {{tag: {name}, to: [reading, other]}}
"""


class Door:
    """A bridge's address, known before the bridge is there; it notes the actions that come in."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self.actions: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None

        async def noted() -> Message:
            message = await receive()
            if scope["path"] == "/v3/send" and message.get("body"):
                self.actions += [action["action"] for action in json.loads(message["body"])["actions"]]
            return message

        await self.app(scope, noted, send)


class Side:
    def __init__(self, door: Door, bridge: Bridge, origin: str) -> None:
        self.door = door
        self.bridge = bridge
        self.http = httpx.AsyncClient(base_url=origin, trust_env=False, timeout=10)

    async def add(self, url: str) -> None:
        assert (await self.http.post("/v3/add", json={**KEYS, "url": url})).status_code == 200

    async def tags(self) -> dict[str, set[str]]:
        found = (await self.http.post("/v3/get", json=KEYS)).json()["list"]
        return {item["given_url"]: set(item.get("tags", {})) for item in found.values()}

    async def is_at_rest(self) -> bool:
        status: Any = await self.bridge.desk.handle("status", {})
        waiting = [
            number
            for connection in status["connections"]
            for state, number in connection["deliveries"].items()
            if state != "delivered"
        ]
        return not waiting and not status["arrivals"].get("new")


@pytest.fixture
async def sides(tmp_path: Path) -> AsyncIterator[tuple[Side, Side]]:
    (tmp_path / "token").write_text(OWNER_TOKEN)
    async with contextlib.AsyncExitStack() as stack:
        doors = Door(), Door()
        origins = [await stack.enter_async_context(serve(door)) for door in doors]
        opened = []
        for number, name in enumerate(("left", "right")):
            folder = tmp_path / name
            folder.mkdir()
            rules = RULES.format(other=origins[1 - number], token=tmp_path / "token", name=name)
            (folder / "rules.yaml").write_text(rules)
            settings = load_settings(
                data=folder / "data", rules=folder / "rules.yaml", token=OWNER_TOKEN, limit_user=10**6
            )
            stack.enter_context(control.own(settings.data))
            bridge = await stack.enter_async_context(open_bridge(settings))
            doors[number].app = bridge.app
            await stack.enter_async_context(bridge.working())
            opened.append(Side(doors[number], bridge, origins[number]))
        yield opened[0], opened[1]
        for side in opened:
            await side.http.aclose()


async def at_rest(*sides: Side) -> None:
    """Nothing waits on either side, twice in a row: a delivery may have been an arrival at the other meanwhile."""

    async def quiet() -> bool:
        return all([await side.is_at_rest() for side in (*sides, *sides)])

    await eventually(quiet)


async def test_a_link_is_on_both_lists_with_the_tags_of_both_and_comes_to_rest(sides: tuple[Side, Side]) -> None:
    left, right = sides
    await left.add(URL)

    async def everywhere() -> bool:
        return all([(await side.tags()).get(URL) == {"left", "right"} for side in sides])

    await eventually(everywhere)
    await at_rest(left, right)
    assert left.door.actions.count("add") == 1
    assert right.door.actions.count("add") == 1


async def test_a_repeat_from_anywhere_makes_no_second_add(sides: tuple[Side, Side]) -> None:
    left, right = sides
    await left.add(URL)

    async def there() -> bool:
        return URL in await right.tags() and right.door.actions.count("add") == 1

    await eventually(there)
    await at_rest(left, right)
    before = [side.door.actions.count("add") for side in sides]
    for _ in range(3):
        await asyncio.gather(left.add(URL), right.add(f"{URL}#part"))
    await at_rest(left, right)

    assert [side.door.actions.count("add") for side in sides] == before == [1, 1]
