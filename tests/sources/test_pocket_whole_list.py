"""A whole list that is asked for at once goes out page by page, and is the same as in pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.types import Message

from bridge.ports import OWNER
from bridge.reading_list import Action, Page, Query
from bridge.store.core import Store
from tests.conftest import Clock
from tests.pocket.server import KEY, TOKEN, browser, face

MANY = 1203


@pytest.fixture
async def full(store: Store, clock: Clock) -> Store:
    began = int(clock())
    clock.move(MANY)
    adds = [
        Action(name="add", url=f"https://example.com/{n}", title=f"Page “{n}”", tags=("a",), time=began + n)
        for n in range(MANY)
    ]
    await store.apply(OWNER, adds)
    return store


async def get(store: Store, clock: Clock, **asked: Any) -> dict[str, Any]:
    keys = {"consumer_key": KEY, "access_token": TOKEN, "state": "all"}
    async with browser(face(store, clock)) as http:
        answer = await http.post("/v3/get", json={**keys, **asked})
    assert answer.headers["x-source"] == "Pocket"
    found: dict[str, Any] = answer.json()
    return found


async def test_it_is_complete_and_in_order(full: Store, clock: Clock) -> None:
    found = await get(full, clock, total=1)
    urls = [item["given_url"] for item in found["list"].values()]
    assert urls == [f"https://example.com/{number}" for number in reversed(range(MANY))]
    assert [item["sort_id"] for item in found["list"].values()] == list(range(MANY))
    assert (found["status"], found["complete"], found["total"]) == (1, 1, str(MANY))


@pytest.mark.parametrize("asked", [{"sort": "oldest"}, {"sort": "title"}, {"tag": "a"}, {"search": "Page"}])
async def test_it_is_the_same_as_in_pages(full: Store, clock: Clock, asked: dict[str, str]) -> None:
    whole = list((await get(full, clock, **asked))["list"])
    pages: list[str] = []
    for offset in range(0, MANY, 100):
        pages += (await get(full, clock, count=100, offset=offset, **asked))["list"]
    assert whole == pages
    assert len(whole) == MANY


async def test_what_changes_meanwhile_makes_it_skip_nothing_else(full: Store, clock: Clock) -> None:
    class Busy(Store):
        """After each page somebody deletes what was on it first."""

        async def find(self, account: str, query: Query) -> Page:
            page = await super().find(account, query)
            await self.apply(account, [Action(name="delete", item_id=page.items[0].id)] if page.items else [])
            return page

    full.__class__ = Busy
    found = await get(full, clock)
    assert len(found["list"]) == MANY


async def test_no_more_than_some_pages_are_held_at_a_time(full: Store, clock: Clock) -> None:
    sizes: list[int] = []

    async def send(message: Message) -> None:
        sizes.append(len(message.get("body", b"")))

    body = json.dumps({"consumer_key": KEY, "access_token": TOKEN, "state": "all"}).encode()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/v3/get",
        "raw_path": b"/v3/get",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "scheme": "http",
        "server": ("list.example", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    await face(full, clock)(scope, receive, send)
    assert len([size for size in sizes if size > 1000]) == 3
    assert max(sizes) < sum(sizes) / 2
