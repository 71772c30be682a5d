"""Every method, parameter, action and error, from our client to our server, over real HTTP."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from bridge.pocket import Pocket, ReadItLater
from bridge.store.core import Store
from tests.conftest import Clock
from tests.loopback import serve
from tests.pocket.exchange import CASES, Case, Parties, prepare, table
from tests.pocket.server import KEY, TOKEN, face

Client = TypeVar("Client", Pocket, ReadItLater)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pocket-api.md"


async def approve(address: str, code: str, back: str) -> None:
    """As the owner does it in a browser."""
    asked = {"request_token": code, "redirect_uri": back}
    async with httpx.AsyncClient(base_url=address, trust_env=False) as browser:
        page = await browser.get("/auth/authorize", params=asked)
        form = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', unescape(page.text)))
        form |= {"username": "me", "password": TOKEN, "answer": "approve"}
        done = await browser.post("/auth/authorize", data=form)
        assert done.headers["location"] == back


@pytest.fixture
async def parties(store: Store, clock: Clock) -> AsyncIterator[Parties]:
    async with contextlib.AsyncExitStack() as stack:
        address = await stack.enter_async_context(serve(face(store, clock, signup=True)))

        def of(client: Client) -> Client:
            stack.push_async_callback(client.aclose)
            return client

        pocket = of(Pocket(KEY, TOKEN, base_url=address))
        await prepare(pocket, clock)
        yield Parties(
            pocket=pocket,
            stranger=of(Pocket(KEY, base_url=address)),
            reader=of(ReadItLater(KEY, "me", TOKEN, base_url=address)),
            newcomer=of(ReadItLater(KEY, "bob", "wrong password", base_url=address)),
            approve=lambda code, back: approve(address, code, back),
            clock=clock,
            other=lambda key: of(Pocket(key, base_url=address)),
            other_reader=lambda key: of(ReadItLater(key, base_url=address)),
        )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.method} {case.parameter}")
async def test_what_is_asked_is_answered(parties: Parties, case: Case) -> None:
    assert await case.act(parties) == case.expected


def test_the_table_of_the_documentation_is_what_is_tested() -> None:
    assert table() in PAGE.read_text("utf-8")
