"""What is old is deleted, some at a time, and never what waits or what rules still ask about."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bridge.delivery import Dead, Retry
from bridge.ports import DAY, OWNER, Arrival, Key
from bridge.rules import Keep
from bridge.store.core import Store
from bridge.store.retention import CHUNK
from tests.conftest import Clock
from tests.store.filled import send, take, urls

SHORT = Keep(arrivals=DAY, captures=DAY, attempts=DAY, facts=30 * DAY, trash=30 * DAY)


async def purge(store: Store, keep: Keep = SHORT) -> None:
    while await store.upkeep.purge(keep):
        pass


def count(tmp_path: Path, sql: str) -> int:
    connection = sqlite3.connect(tmp_path / "bridge.db")
    try:
        return int(connection.execute(sql).fetchone()[0])
    finally:
        connection.close()


async def test_nothing_is_deleted_before_its_time(store: Store, clock: Clock, tmp_path: Path) -> None:
    await take(store, *urls(3))
    await send(store, clock)
    clock.move(DAY - 1)
    await purge(store)
    assert count(tmp_path, "SELECT count(*) FROM attempt") == 3
    assert count(tmp_path, "SELECT count(*) FROM arrival WHERE raw <> ''") == 3


async def test_raw_texts_and_attempts_go_first_and_the_passport_stays(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    await take(store, *urls(3))
    await send(store, clock)
    clock.move(2 * DAY)
    await purge(store)
    assert count(tmp_path, "SELECT count(*) FROM attempt") == 0
    assert count(tmp_path, "SELECT count(*) FROM arrival WHERE raw <> ''") == 0
    passport = await store.passport(OWNER, urls(1)[0], "")
    assert (len(passport.sightings), passport.deliveries[0]["state"]) == (1, "delivered")


async def test_then_facts_and_arrivals_go_and_the_link_is_still_known(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    await take(store, *urls(3))
    await send(store, clock)
    clock.move(31 * DAY)
    await purge(store)
    assert count(tmp_path, "SELECT count(*) FROM sighting") == 0
    assert count(tmp_path, "SELECT count(*) FROM arrival") == 0
    await take(store, *urls(1))
    passport = await store.passport(OWNER, urls(1)[0], "")
    assert [sighting["state"] for sighting in passport.sightings] == ["duplicate"]
    assert len(passport.deliveries) == 1


async def test_what_waits_is_kept_with_all_that_belongs_to_it(store: Store, clock: Clock, tmp_path: Path) -> None:
    await take(store, *urls(2))
    await send(store, clock, Retry("later", after=400 * DAY), limit=1)
    await take(store, *urls(1, "held.example"), held_by="look")
    clock.move(399 * DAY)
    await purge(store)
    assert count(tmp_path, "SELECT count(*) FROM sighting") == 3
    assert count(tmp_path, "SELECT count(*) FROM attempt") == 1
    assert count(tmp_path, "SELECT count(*) FROM delivery") == 3


async def test_an_arrival_that_nobody_has_read_is_kept(store: Store, clock: Clock, tmp_path: Path) -> None:
    await store.put([Arrival(source="hook", key=Key("s", "a"), raw="not read yet")])
    clock.move(999 * DAY)
    await purge(store)
    assert count(tmp_path, "SELECT count(*) FROM arrival WHERE raw = 'not read yet'") == 1


async def test_each_kind_has_its_own_time(store: Store, clock: Clock, tmp_path: Path) -> None:
    await take(store, "nothing", state="parked", source="hook")
    await take(store, "nothing", state="command", source="telegram")
    await take(store, *urls(1, "dropped.example"), dropped_by="ads", to=())
    await take(store, *urls(1))
    await send(store, clock, Dead("never"))
    keep = Keep(arrivals=9 * DAY, captures=3 * DAY, attempts=5 * DAY, facts=40 * DAY, trash=35 * DAY)
    kept = {}
    for days in (2, 4, 6, 10, 36, 41):
        clock.now = 1_790_000_000.0 + days * DAY
        await purge(store, keep)
        kept[days] = (
            count(tmp_path, "SELECT count(*) FROM arrival WHERE state = 'parked'"),
            count(tmp_path, "SELECT count(*) FROM attempt"),
            count(tmp_path, "SELECT count(*) FROM arrival WHERE state = 'command'"),
            count(tmp_path, "SELECT count(*) FROM sighting WHERE state = 'dropped'"),
            count(tmp_path, "SELECT count(*) FROM sighting"),
        )
    assert kept == {
        2: (1, 1, 1, 1, 2),
        4: (0, 1, 1, 1, 2),
        6: (0, 0, 1, 1, 2),
        10: (0, 0, 0, 1, 2),
        36: (0, 0, 0, 0, 1),
        41: (0, 0, 0, 0, 0),
    }
    assert (await store.upkeep.audit()).balances


async def test_it_takes_small_steps(store: Store, clock: Clock, tmp_path: Path) -> None:
    await take(store, *urls(CHUNK + 10))
    await send(store, clock, limit=CHUNK + 10)
    clock.move(2 * DAY)
    steps, before = 0, count(tmp_path, "SELECT count(*) FROM attempt")
    while await store.upkeep.purge(SHORT):
        steps += 1
        now = count(tmp_path, "SELECT count(*) FROM attempt")
        assert before - now <= CHUNK
        before = now
    assert (steps >= 5, before) == (True, 0)
