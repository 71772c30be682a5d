"""The look at a database: each half-done thing is seen for what it is."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from bridge.store.core import Store
from tests.conftest import Clock
from tests.reliability import images

HALF_DONE = [
    ("INSERT INTO seen VALUES ('a', 'b', 9, 0, NULL)", "a key without its arrival: 1"),
    (
        "INSERT INTO arrival VALUES (1, 'me', 'save', '', 'x', '', 0, 0, 'new', '')",
        "an arrival without its key: 1",
    ),
    (
        """INSERT INTO arrival VALUES (1, 'me', 'telegram', '', '{"update_id": 5}', '', 0, 0, 'new', '');
        INSERT INTO seen VALUES ('telegram:1', '5', 1, 0, NULL)""",
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
        """INSERT INTO arrival VALUES (1, 'me', 'save', '', 'x', '', 0, 0, 'read', '');
        INSERT INTO seen VALUES ('save', 'x', 1, 0, NULL)""",
        "an arrival read, and nothing sighted: 1",
    ),
    (
        """INSERT INTO sighting VALUES (1, 1, 5, 0, '{}', '', '[]', '', '[]', 'kept', '');
        INSERT INTO link VALUES (5, 'me', 'x', 1, 0)""",
        "a sighting without its delivery: 1",
    ),
    (
        """INSERT INTO arrival VALUES (1, 'me', 'pocket', '', '{"url": "x"}', '', 0, 0, 'new', '');
        INSERT INTO seen VALUES ('pocket', 'x', 1, 0, NULL)""",
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
