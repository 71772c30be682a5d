"""What every store promises: arrivals, keys and cursors in one piece, and nothing twice. See ports.Inbox."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import Conflict, StoreError
from bridge.link import Sighting
from bridge.ports import OWNER, Arrival, Cursor, Key, Read, Subscription
from bridge.rules import Decision
from bridge.store.core import Store
from bridge.store.sqlite import Database, Tx
from tests.conftest import Clock


def arrival(key: str, *, scope: str = "s", keep: float | None = None, group: str = "", due: float = 0.0) -> Arrival:
    return Arrival(source="cli", key=Key(scope, key, keep), raw=key, group=group, due=due)


async def test_a_new_arrival_is_durable_and_due(store: Store) -> None:
    [receipt] = await store.put([arrival("a")])
    assert receipt.new
    assert [(found.id, found.raw) for found in await store.due(10)] == [(receipt.id, "a")]


async def test_a_known_key_adds_nothing_and_answers_the_first_arrival(store: Store) -> None:
    [first] = await store.put([arrival("a")])
    [again] = await store.put([arrival("a")])
    assert (again.new, again.id) == (False, first.id)
    assert len(await store.due(10)) == 1


async def test_a_key_is_forgotten_when_its_time_is_over(store: Store, clock: Clock) -> None:
    await store.put([arrival("a", keep=60)])
    clock.move(59)
    assert await store.known("s", ["a"]) == {"a"}
    clock.move(2)
    assert await store.known("s", ["a"]) == set()
    [again] = await store.put([arrival("a", keep=60)])
    assert again.new


async def test_forgetting_leaves_what_is_still_remembered(store: Store, clock: Clock) -> None:
    await store.put([arrival("short", keep=60), arrival("long", keep=6000), arrival("for ever")])
    clock.move(100)
    assert await store.forget() == 1
    assert await store.known("s", ["short", "long", "for ever"]) == {"long", "for ever"}


async def test_keys_seen_without_an_arrival_are_known(store: Store) -> None:
    await store.put([], seen=[Key("s", "old")])
    assert await store.known("s", ["old", "new"]) == {"old"}


async def test_many_keys_are_asked_for_at_once(store: Store) -> None:
    keys = [str(number) for number in range(1800)]
    await store.put([], seen=[Key("s", key) for key in keys])
    assert await store.known("s", [*keys, "other"]) == set(keys)


async def test_the_cursor_moves_together_with_the_arrivals(store: Store) -> None:
    assert await store.cursor("c") is None
    await store.put([arrival("a")], cursor=Cursor("c", "1"))
    assert await store.cursor("c") == "1"


async def test_a_cursor_that_somebody_else_moved_stops_the_whole_unit(store: Store) -> None:
    await store.put([], cursor=Cursor("c", "1"))
    with pytest.raises(Conflict):
        await store.put([arrival("a")], seen=[Key("s", "b")], cursor=Cursor("c", "3"), expect="2")
    assert await store.due(10) == []
    assert await store.known("s", ["a", "b"]) == set()
    assert await store.cursor("c") == "1"


async def test_an_arrival_is_not_due_before_its_time(store: Store, clock: Clock) -> None:
    await store.put([arrival("later", due=clock() + 60)])
    assert await store.due(10) == []
    clock.move(61)
    assert len(await store.due(10)) == 1


async def test_a_group_is_taken_whole(store: Store) -> None:
    await store.put([arrival(str(number), group="album") for number in range(5)])
    assert len(await store.due(2)) == 5


async def test_an_arrival_is_taken_once(store: Store) -> None:
    await store.put([arrival("https://example.com/")])
    [due] = await store.due(10)
    sighting = Sighting.of(due.raw, source="cli")
    read = Read(due, "read", "", [(sighting, Decision(title="", tags=(), to=("there",)))])
    await store.take([read], "none")
    await store.take([read], "none")
    assert (await store.counts())["sightings"] == {"kept": 1}


async def test_a_second_sighting_of_a_link_is_a_duplicate_and_both_are_told(store: Store) -> None:
    for key in ("https://example.com/#a", "https://example.com/?utm_source=b"):
        await store.put([arrival(key)])
        [due] = await store.due(10)
        sighting = Sighting.of(due.raw, source="cli")
        await store.take([Read(due, "read", "", [(sighting, Decision(title="", tags=(), to=("there",)))])], "none")
    passport = await store.passport(OWNER, "https://example.com/", "")
    assert [sighting["state"] for sighting in passport.sightings] == ["kept", "duplicate"]
    assert len(passport.deliveries) == 1


async def test_units_that_wait_are_committed_together_and_fail_alone(tmp_path: Path) -> None:
    database = Database(tmp_path / "b.db")
    await database.write(lambda tx: tx.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)").rowcount)

    def insert(number: int) -> Callable[[Tx], int]:
        def unit(tx: Tx) -> int:
            tx.execute("INSERT INTO t VALUES (?)", (number,))
            if number == 7:
                raise ValueError(number)
            return number

        return unit

    results = await asyncio.gather(*(database.write(insert(n)) for n in range(20)), return_exceptions=True)
    assert [type(result) for result in results if not isinstance(result, int)] == [ValueError]
    found = await database.read(lambda tx: tx.execute("SELECT x FROM t").fetchall())
    assert {row[0] for row in found} == set(range(20)) - {7}
    await database.close()


async def test_a_failing_statement_is_a_store_error_and_leaves_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "b.db")
    with pytest.raises(StoreError):
        await database.write(lambda tx: tx.execute("SELECT nothing FROM nowhere"))
    await database.close()


async def test_reading_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError):
        await store._database.read(lambda tx: tx.execute("DELETE FROM arrival"))


async def test_writing_is_synced_to_the_disk(store: Store) -> None:
    full = 2
    found = await store._database.write(lambda tx: tx.execute("PRAGMA synchronous").fetchone())
    assert found == (full,)


async def test_a_newer_database_is_refused_with_what_to_do(tmp_path: Path, clock: Clock) -> None:
    store = await Store.open(tmp_path / "b.db", clock)
    await store.close()
    with sqlite3.connect(tmp_path / "b.db") as connection:
        connection.execute("INSERT INTO schema_version VALUES (999)")
    connection.close()
    with pytest.raises(StoreError, match="newer pocket-bridge"):
        await Store.open(tmp_path / "b.db", clock)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "b.db").write_text("this is a letter, not a database. " * 100)
    with pytest.raises(StoreError, match="not a usable database"):
        await Store.open(tmp_path / "b.db", clock)


async def test_cursors_move_together_and_those_that_were_moved_meanwhile_stay(store: Store) -> None:
    await store.put([], cursor=Cursor("a", "1"))
    await store.put([], cursor=Cursor("b", "1"))
    moves = [(Cursor("a", "2"), "1"), (Cursor("b", "2"), "0"), (Cursor("c", "1"), None), (Cursor("d", "1"), "0")]
    assert await store.move(moves) == {"b", "d"}
    assert await store.cursors(["a", "b", "c", "d"]) == {"a": "2", "b": "1", "c": "1"}
    assert await store.cursors([]) == {}
    assert await store.cursors(["a", *map(str, range(2000))]) == {"a": "2"}


def followed(url: str, name: str, account: str = OWNER) -> Subscription:
    return Subscription(account=account, url=url, name=name, options="{}")


async def test_of_feeds_that_are_followed_together_all_are_kept_or_none(store: Store) -> None:
    await store.subscribe([followed("https://a.example/", "a"), followed("https://a.example/", "a", "bob")])
    for taken in (followed("https://a.example/", "other"), followed("https://c.example/", "a")):
        with pytest.raises(Conflict):
            await store.subscribe([followed("https://b.example/", "b"), taken])
    assert [(one.account, one.name) for one in await store.subscriptions()] == [("me", "a"), ("bob", "a")]
    with pytest.raises(Conflict):
        await store.resubscribe(followed("https://b.example/", "b"))
    assert await store.unsubscribe("bob", "https://a.example/") == 0
    assert await store.unsubscribe("bob", "https://a.example/") is None


async def test_the_mark_of_feeds_that_are_followed_is_another_whenever_they_are_others(store: Store) -> None:
    marks = [await store.subscriptions_mark()]
    feed = followed("https://a.example/", "a")
    for others in (store.subscribe([feed]), store.resubscribe(replace(feed, name="b"))):
        await others
        marks.append(await store.subscriptions_mark())
    await store.resubscribe(replace(feed, name="b", options='{"tags": ["x"]}'))
    marks += [await store.subscriptions_mark(), await store.subscriptions_mark()]
    assert marks[0] == 0
    assert len(set(marks)) == 4
    assert marks[-1] == marks[-2]
    await store.unsubscribe("me", "https://a.example/")
    assert await store.subscriptions_mark() == 0


async def test_cursors_beside_one_move_with_it_or_not_at_all(store: Store) -> None:
    await store.put([], cursor=Cursor("s", "1", (Cursor("beside", "one"),)))
    with pytest.raises(Conflict):
        await store.put([], cursor=Cursor("s", "3", (Cursor("beside", "three"),)), expect="2")
    assert (await store.cursor("s"), await store.cursor("beside")) == ("1", "one")
