"""The look at a database: each half-done thing is seen for what it is."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from bridge.store.core import Store
from tests.conftest import Clock
from tests.reliability import images

ARRIVAL = "arrival (id, account, source, channel, raw, gathers, received, due, state, reason)"
SEEN = "seen (scope, key, arrival, since, until)"
SIGHTING = "sighting (id, arrival, link, received, facts, rule_set, matched, title, tags, state, reason)"

HALF_DONE = [
    (f"INSERT INTO {SEEN} VALUES ('a', 'b', 9, 0, NULL)", "a key without its arrival: 1"),
    (
        f"INSERT INTO {ARRIVAL} VALUES (1, 'me', 'save', '', 'x', '', 0, 0, 'new', '')",
        "an arrival without its key: 1",
    ),
    (
        f"""INSERT INTO {ARRIVAL} VALUES (1, 'me', 'telegram', '', '{{"update_id": 5}}', '', 0, 0, 'new', '');
        INSERT INTO {SEEN} VALUES ('telegram:1', '5', 1, 0, NULL)""",
        "a Telegram update above its offset: 1",
    ),
    (
        "INSERT INTO progress VALUES ('telegram:1:offset', '6')",
        "a Telegram offset above its updates: 6",
    ),
    (
        """INSERT INTO progress VALUES ('feed:x', '{"etag": "\\"3\\""}')""",
        "a feed's validators without its entries, or entries without them: 3",
    ),
    (
        f"""INSERT INTO {ARRIVAL} VALUES (1, 'me', 'save', '', 'x', '', 0, 0, 'read', '');
        INSERT INTO {SEEN} VALUES ('save', 'x', 1, 0, NULL)""",
        "an arrival read, and nothing sighted: 1",
    ),
    (
        f"""INSERT INTO {SIGHTING} VALUES (1, 1, 5, 0, '{{}}', '', '[]', '', '[]', 'kept', '');
        INSERT INTO link (id, account, canonical, version, since) VALUES (5, 'me', 'x', 1, 0)""",
        "a sighting without its delivery: 1",
    ),
    (
        f"""INSERT INTO {ARRIVAL} VALUES (1, 'me', 'pocket', '', '{{"url": "x"}}', '', 0, 0, 'new', '');
        INSERT INTO {SEEN} VALUES ('pocket', 'x', 1, 0, NULL)""",
        "an app's arrival without its item: 1",
    ),
]


@pytest.fixture
async def database(tmp_path: Path, clock: Clock) -> Path:
    store = await Store.open(tmp_path / "bridge.db", clock)
    await store.close()
    return tmp_path / "bridge.db"


async def test_a_new_database_is_whole(database: Path) -> None:
    assert images.look(database).faults == ()


@pytest.mark.parametrize(("written", "seen"), HALF_DONE, ids=[seen for _, seen in HALF_DONE])
async def test_what_is_half_done_is_seen(database: Path, written: str, seen: str) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.executescript(written)
    assert images.look(database).faults == (seen,)


async def test_a_damaged_file_is_seen(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[5000:9000] = b"\x00" * 4000
    database.write_bytes(content)
    assert images.look(database).corrupt
