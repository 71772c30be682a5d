"""The books balance whatever happens, and do not when a row is gone that nobody deleted."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from bridge.delivery import Dead
from bridge.ports.keeping import Audit
from bridge.rules import Keep
from bridge.store.core import Store
from tests.conftest import Clock
from tests.store.filled import send, take, urls


def sums(audit: Audit) -> tuple[dict[str, int], dict[str, int]]:
    found = [Counter[str](), Counter[str]()]
    for counter, balances in zip(found, (audit.arrivals, audit.sightings), strict=True):
        for balance in balances:
            counter.update(balance.became)
    return dict(found[0]), dict(found[1])


async def everything(store: Store, clock: Clock) -> None:
    """One of each fate."""
    await take(store, *urls(3))
    await send(store, clock, Dead("never"))
    await take(store, urls(2)[1])
    await take(store, *urls(2, "dropped.example"), dropped_by="ads", to=())
    await take(store, *urls(1, "held.example"), held_by="look")
    for state in ("empty", "command", "parked"):
        await take(store, "nothing", state=state, source="hook")
    await take(store, *urls(2, "waits.example"), source="telegram")


def behind_its_back(tmp_path: Path, sql: str) -> None:
    connection = sqlite3.connect(tmp_path / "bridge.db")
    with connection:
        assert connection.execute(sql).rowcount == 1
    connection.close()


async def test_every_fate_is_accounted_for(store: Store, clock: Clock) -> None:
    await everything(store, clock)
    audit = await store.upkeep.audit()
    assert audit.balances
    arrivals, sightings = sums(audit)
    assert arrivals == {"read": 9, "empty": 1, "command": 1, "parked": 1}
    assert sightings == {"delivered": 2, "dead": 1, "duplicate": 1, "dropped": 2, "held": 1, "waiting": 2}


async def test_what_came_is_counted_by_source_and_by_day(store: Store, clock: Clock) -> None:
    await take(store, *urls(2))
    clock.move(86400)
    await take(store, *urls(1, "b.example"), source="feed")
    audit = await store.upkeep.audit()
    days = [balance.day for balance in audit.arrivals]
    assert [(balance.source, balance.counted) for balance in audit.arrivals] == [("cli", 2), ("feed", 1)]
    assert days[1] == days[0] + 1


@pytest.mark.parametrize(
    ("sql", "missing"),
    [
        ("DELETE FROM arrival WHERE state = 'parked'", {"arrivals": 1}),
        ("DELETE FROM sighting WHERE id = 1", {"sightings": 1}),
        ("DELETE FROM delivery WHERE state = 'dead'", {"sightings": 1}),
        ("UPDATE book SET number = number + 2 WHERE entry = 'sighted' AND source = 'telegram'", {"sightings": 2}),
        ("UPDATE book SET number = number - 1 WHERE entry = 'arrived' AND source = 'telegram'", {"arrivals": -1}),
    ],
)
async def test_a_row_that_is_gone_is_missed(
    store: Store, clock: Clock, tmp_path: Path, sql: str, missing: dict[str, int]
) -> None:
    await everything(store, clock)
    assert (await store.upkeep.audit()).balances
    behind_its_back(tmp_path, sql)
    audit = await store.upkeep.audit()
    assert not audit.balances
    found = {"arrivals": audit.arrivals, "sightings": audit.sightings}
    faults = {what: sum(balance.missing for balance in balances) for what, balances in found.items()}
    assert {what: number for what, number in faults.items() if number} == missing


async def test_they_still_balance_when_everything_old_is_deleted(store: Store, clock: Clock) -> None:
    await everything(store, clock)
    before = sums(await store.upkeep.audit())
    clock.move(400 * 86400)
    while await store.upkeep.purge(Keep()):
        pass
    audit = await store.upkeep.audit()
    assert audit.balances
    assert sums(audit) == before
    # It really is gone, but for what still waits: one held, two on their way.
    assert sum((await store.counts())["sightings"].values()) == 3


async def test_an_account_that_is_erased_leaves_its_numbers(store: Store, clock: Clock) -> None:
    await store.accounts.add_user("ann", "x")
    await everything(store, clock)
    await take(store, *urls(1, "ann.example"), account="ann")
    assert (await store.upkeep.audit()).balances
    await store.accounts.erase("ann")
    audit = await store.upkeep.audit()
    assert audit.balances
    assert sums(audit)[0]["erased"] == 1
    assert sums(audit)[1]["erased"] == 1
