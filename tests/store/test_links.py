"""Other names of a link, and a new rule of equality over what was stored under the old one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bridge.link import CANONICAL_VERSION, Sighting
from bridge.ports import OWNER, Arrival, Key, Read
from bridge.reading_list import Action, Query
from bridge.rules import Decision
from bridge.store import links
from bridge.store.core import Store
from bridge.store.migrations import migrate
from bridge.store.passport import passport
from tests.conftest import Clock

OLD = "http://old.example/%7eann"
NEW = "https://old.example/~ann"


async def save(store: Store, url: str) -> None:
    number = sum((await store.counts(""))["arrivals"].values())
    await store.put([Arrival(source="save", key=Key("t", str(number)), raw=url)])
    [due] = await store.due(1)
    decided = [(Sighting.of(url, source="save"), Decision(title="T", tags=(), to=("reading",)))]
    await store.take([Read(due, "read", decided=decided)], "")


def age(path: Path, *renames: Sequence[str]) -> None:
    """Makes the database one that an older rule of equality left behind."""
    with closing(sqlite3.connect(path)) as database, database:
        for new, old in renames:
            for table in ("link", "item"):
                database.execute(f"UPDATE {table} SET canonical = ? WHERE canonical = ?", (old, new))
            database.execute("UPDATE seen SET key = ? WHERE key = ?", (f"l:{old}", f"l:{new}"))
        database.execute("UPDATE link SET version = 1")
        database.execute("DELETE FROM progress WHERE scope LIKE 'canonical:%'")
        database.execute("DELETE FROM alias")


async def states(store: Store, url: str) -> list[str]:
    return [sighting["state"] for sighting in (await store.passport(OWNER, url, url)).sightings]


@pytest.fixture
async def path(tmp_path: Path, clock: Clock) -> Path:
    """A database with a link, an item and a feed's key, all named as an older version named them."""
    path = tmp_path / "aged.db"
    store = await Store.open(path, clock)
    await save(store, OLD)
    await store.apply(OWNER, [Action(name="add", url=OLD, title="T")])
    await store.put([], seen=[Key("feed", f"l:{NEW}")])
    await store.close()
    age(path, (NEW, OLD))
    return path


async def test_a_new_rule_of_equality_saves_no_old_link_again(path: Path, clock: Clock) -> None:
    store = await Store.open(path, clock)
    try:
        for url in (OLD, NEW):
            await save(store, url)
        assert await states(store, OLD) == ["kept", "duplicate", "duplicate"]
        passport = await store.passport(OWNER, NEW, NEW)
        assert (passport.canonical, passport.others) == (NEW, [OLD])
        await store.apply(OWNER, [Action(name="add", url=NEW)])
        [item] = (await store.find(OWNER, Query())).items
        assert item.url == OLD
        assert await store.known("feed", [f"l:{NEW}"]) == {f"l:{NEW}"}
    finally:
        await store.close()


async def test_without_bringing_it_up_to_date_the_old_link_would_be_saved_again(path: Path, clock: Clock) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for table in ("link", "item", "key"):
            scope = f"canonical:{CANONICAL_VERSION}:{table}"
            database.execute("INSERT INTO progress (scope, value) VALUES (?, 'done')", (scope,))
    store = await Store.open(path, clock)
    try:
        await save(store, NEW)
        assert await states(store, NEW) == ["kept"]
    finally:
        await store.close()


async def test_two_links_that_become_equal_stay_two(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "two.db"
    store = await Store.open(path, clock)
    for url in ("https://one.example/", "https://two.example/"):
        await save(store, url)
    await store.close()
    age(path, ("https://one.example/", OLD), ("https://two.example/", "http://old.example/~ann"))
    store = await Store.open(path, clock)
    try:
        await save(store, NEW)
        with closing(sqlite3.connect(path)) as database:
            found = database.execute("SELECT id, canonical, version FROM link ORDER BY id").fetchall()
        assert found == [(1, NEW, CANONICAL_VERSION), (2, "http://old.example/~ann", CANONICAL_VERSION)]
        assert await states(store, NEW) == ["kept", "duplicate"]
    finally:
        await store.close()


async def test_many_are_brought_up_to_date_some_at_a_time(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "many.db"
    store = await Store.open(path, clock)
    await store.close()
    number = 2 * links.AT_ONCE + 1
    with closing(sqlite3.connect(path)) as database, database:
        rows = [(OWNER, f"http://old.example/{each}") for each in range(number)]
        database.executemany("INSERT INTO link (account, canonical, version, since) VALUES (?, ?, 1, 0)", rows)
        database.execute("DELETE FROM progress WHERE scope LIKE 'canonical:%'")
    store = await Store.open(path, clock)
    await store.close()
    with closing(sqlite3.connect(path)) as database:
        [renewed] = database.execute("SELECT count(*) FROM link WHERE canonical LIKE 'https:%'").fetchone()
    assert renewed == number


def over_all_keys(database: sqlite3.Connection) -> list[str]:
    """What finding and renewing the keys of a link asks, as far as it would look through everything that is known."""
    asked: list[str] = []
    database.execute("DELETE FROM progress")
    database.execute("INSERT INTO seen (scope, key, since) VALUES ('feed', ?, 0.0)", (f"l:{OLD}",))
    database.set_trace_callback(asked.append)
    while links.renew(database):
        pass
    passport(database, OWNER, NEW, NEW)
    database.set_trace_callback(None)
    asked = [sql for sql in asked if "FROM seen" in sql]
    assert len(asked) == 5  # the old key, its renewal, the new key, no more of them, and where the link was marked
    return [sql for sql in asked if any("SCAN" in row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}"))]


@pytest.mark.parametrize("without", [False, True])
def test_the_keys_of_links_are_found_by_an_index_of_them_alone(*, without: bool) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        migrate(database)
        if without:
            database.execute("DROP INDEX seen_link")
        assert bool(over_all_keys(database)) == without
