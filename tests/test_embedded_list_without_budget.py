"""The embedded list knows no budget, also while a service that keeps one is beside it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.desk import ANSWER_SECONDS
from bridge.sender import Sender
from tests.house import House, a_house, eventually

LINKS = 12

RULES = """
destinations:
  second: {{type: pocket, base_url: '{second}', consumer_key: 1-a, access_token: {{file: '{secret}'}}, batch: 1}}
defaults: {{to: [reading, second]}}
"""

NEARLY_NOTHING = {
    "X-Limit-User-Limit": "5",
    "X-Limit-User-Remaining": "0",
    "X-Limit-User-Reset": "3600",
    "X-Limit-Key-Limit": "5",
    "X-Limit-Key-Remaining": "0",
    "X-Limit-Key-Reset": "3600",
}


def line(house: House, name: str) -> Sender:
    worker = house.bridge.workers[f"sender of {name}"]
    assert isinstance(worker, Sender)
    return worker


async def by_hand(house: House, url: str) -> None:
    answer = await house.http.post("/save", data={"url": url}, headers=house.owner)
    assert answer.status_code == 202


async def by_a_hook(house: House, url: str) -> None:
    answer = await house.http.post("/hooks/anything", json={"url": url}, headers=house.owner)
    assert answer.status_code == 202


async def standing(house: House, name: str) -> dict[str, Any]:
    status = await house.bridge.desk.handle("status", {})
    [found] = [dict(connection) for connection in status["connections"] if connection["name"] == name]
    return found


@pytest.mark.parametrize("save", [by_hand, by_a_hook])
async def test_nothing_waits_for_the_list_while_a_service_beside_it_has_used_its_limit_up(
    tmp_path: Path, save: Callable[[House, str], Awaitable[None]]
) -> None:
    # A caller of the Pocket API has one call an hour, and half of every limit is kept back: neither holds in here.
    async with a_house(tmp_path, rules=RULES, feeds={}, limit_user=1, limit_key=1, reserve=50) as house:
        house.second.limits = NEARLY_NOTHING

        async def stands(name: str, states: dict[str, int]) -> bool:
            return bool((await standing(house, name))["deliveries"] == states)

        for number in range(1, LINKS + 1):
            await save(house, f"https://example.com/{number}")
            await eventually(partial(stands, "reading", {"delivered": number}))
        await eventually(partial(stands, "second", {"delivered": 1, "pending": LINKS - 1}))

        reading, budgets = await standing(house, "reading"), (await house.bridge.desk.handle("status", {}))["budgets"]
        assert (reading["state"], reading["because"], reading["not_before"]) == ("active", "", 0.0)
        assert (line(house, "reading").terms.scopes, len(line(house, "second").terms.scopes)) == ((), 2)
        assert sorted(budget["scope"].partition("/")[0] for budget in budgets) == ["key:127.0.0.1", "user:127.0.0.1"]
        # Whoever asks is told until when the one waits, and that the other does not.
        queue = await house.bridge.desk.handle("queue", {})
        until = max(budget["resets"] for budget in budgets)
        for told in (await house.bridge.desk.handle("status", {}), queue):
            assert {one["name"]: one["limited"] for one in told["connections"]} == {"reading": 0.0, "second": until}
        # The control: the service beside it was called once, heard that nothing is left, and is let alone.
        assert len(house.second.actions) == 1


async def test_who_adds_a_link_by_hand_does_not_wait_for_a_limit_that_is_used_up(tmp_path: Path) -> None:
    async with a_house(tmp_path, rules=RULES, feeds={}) as house:
        house.second.limits = NEARLY_NOTHING
        await house.bridge.desk.handle("add", {"url": "https://example.com/1"})
        began = time.monotonic()
        answer = await house.bridge.desk.handle("add", {"url": "https://example.com/2"})
        took = time.monotonic() - began
        [link] = answer["links"]
        assert {name: state for name, (state, _) in link["deliveries"].items()} == {
            "reading": "delivered",
            "second": "pending",
        }
        assert took < ANSWER_SECONDS / 2
