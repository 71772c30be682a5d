"""What must be true of a database at any moment: it is whole, and nothing in it is half-done.

Used on what a kill left behind, and on what a power cut may leave behind. The links of these tests are told by their
addresses, `https://DOOR.example/NUMBER`, so that what is stored can be read off the raw arrivals.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ADDRESS = re.compile(r"https://(?:feed|pocket|save|telegram)\.example/\d+")

# Each finds what no unit of work may leave behind.
HALVES = {
    "a key without its arrival": """
        SELECT count(*) FROM seen WHERE arrival IS NOT NULL AND arrival NOT IN (SELECT id FROM arrival)""",
    "an arrival without its key": """
        SELECT count(*) FROM arrival WHERE id NOT IN (SELECT arrival FROM seen WHERE arrival IS NOT NULL)
        AND received > (SELECT max(received) FROM arrival) - 3000""",
    "a Telegram update above its offset": """
        SELECT count(*) FROM arrival WHERE source = 'telegram' AND json_extract(raw, '$.update_id') >= coalesce(
            (SELECT CAST(value AS INTEGER) FROM progress WHERE scope LIKE 'telegram:%:offset'), 0)""",
    "a Telegram offset above its updates": """
        SELECT max(0, CAST(value AS INTEGER) - (SELECT coalesce(max(json_extract(raw, '$.update_id')), -1) + 1
            FROM arrival WHERE source = 'telegram'))
        FROM progress WHERE scope LIKE 'telegram:%:offset'""",
    "a feed's validators without its entries, or entries without them": """
        SELECT abs((SELECT count(*) FROM arrival WHERE source = 'feed') - coalesce((
            SELECT CAST(trim(json_extract(value, '$.etag'), '"') AS INTEGER) FROM progress
            WHERE scope LIKE 'feed:%'), 0))""",
    "an item without its arrival": """
        SELECT count(*) FROM item WHERE url LIKE 'https://pocket.example/%' AND url NOT IN
            (SELECT json_extract(raw, '$.url') FROM arrival WHERE source = 'pocket')""",
    "an app's arrival without its item": """
        SELECT count(*) FROM arrival WHERE source = 'pocket' AND json_extract(raw, '$.url') NOT IN
            (SELECT url FROM item)""",
    "an arrival read, and nothing sighted": """
        SELECT count(*) FROM arrival WHERE state = 'read' AND reason = ''
        AND id NOT IN (SELECT arrival FROM sighting)""",
    "an arrival sighted, and not read": """
        SELECT count(*) FROM arrival WHERE state = 'new' AND id IN (SELECT arrival FROM sighting)""",
    "a sighting without its link": """
        SELECT count(*) FROM sighting WHERE link NOT IN (SELECT id FROM link)""",
    "a sighting without its delivery": """
        SELECT count(*) FROM sighting WHERE state <> 'dropped' AND link NOT IN (SELECT link FROM delivery)""",
    "a sighting without its report": """
        SELECT count(*) FROM arrival WHERE source = 'telegram' AND state = 'read'
        AND id NOT IN (SELECT arrival FROM report) AND id NOT IN (SELECT arrival FROM told)""",
    "a delivery without its link": """
        SELECT count(*) FROM delivery WHERE link NOT IN (SELECT id FROM link)""",
    "a lease without its name, or a name without its lease": """
        SELECT count(*) FROM delivery WHERE (state = 'leased') <> (lease <> '')""",
    "a delivery made, and no attempt": """
        SELECT count(*) FROM delivery WHERE state = 'delivered' AND attempts > 0
        AND id NOT IN (SELECT delivery FROM attempt)""",
    "a delivery made, and no item": """
        SELECT count(*) FROM delivery d JOIN link l ON l.id = d.link WHERE d.state = 'delivered'
        AND d.connection = 'reading' AND l.canonical NOT IN (SELECT canonical FROM item)""",
    "items, and another number of them": """
        SELECT abs((SELECT count(*) FROM item) - coalesce((SELECT sum(number) FROM tally WHERE tag = ''), 0))""",
    "items, and no revision": """
        SELECT (SELECT count(*) FROM item) > 0 AND (SELECT count(*) FROM list_revision) = 0""",
    "a link twice at one connection": """
        SELECT count(*) - count(DISTINCT l.account || ' ' || l.canonical || ' ' || d.connection)
        FROM delivery d JOIN link l ON l.id = d.link""",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What a database holds. `faults` is empty when it is whole and nothing in it is half-done."""

    stored: frozenset[str]
    corrupt: str = ""
    halves: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        return (*([self.corrupt] if self.corrupt else []), *self.halves)


def look(database: Path) -> Found:
    """Opens it as SQLite does after a crash (which changes the files), and looks at everything."""
    try:
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
            return _look(connection)
    except sqlite3.DatabaseError as error:
        return Found(frozenset(), corrupt=str(error))


@contextlib.contextmanager
def copied(database: Path, folder: Path) -> Iterator[Path]:
    """A copy to look at, which leaves the files as they are. Nobody may be writing."""
    folder.mkdir()
    try:
        for file in files_of(database):
            shutil.copyfile(file, folder / file.name)
        yield folder / database.name
    finally:
        shutil.rmtree(folder)


def files_of(database: Path) -> Iterator[Path]:
    """The files a crash leaves behind. The index of the log is made anew."""
    for ending in ("", "-wal", "-journal"):
        file = database.with_name(database.name + ending)
        if file.exists():
            yield file


def _look(connection: sqlite3.Connection) -> Found:
    said = [row[0] for row in connection.execute("PRAGMA integrity_check").fetchall()]
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()}
    corrupt = "" if said == ["ok"] else "; ".join(said[:3])
    if "arrival" not in tables:
        # The power was cut before the schema was there: nothing could have been acknowledged.
        return Found(frozenset(), corrupt, ("some tables of the first schema",) if tables - {"sqlite_sequence"} else ())
    raw = connection.execute("SELECT raw FROM arrival").fetchall()
    stored = frozenset(address for (text,) in raw for address in ADDRESS.findall(text))
    halves = [(name, connection.execute(sql).fetchone()) for name, sql in HALVES.items()]
    return Found(stored, corrupt, tuple(f"{name}: {row[0]}" for name, row in halves if row and row[0]))
