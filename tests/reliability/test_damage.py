"""Bytes that flip in the database: a start has everything, or it is refused with what to do. Never silently less."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bridge.errors import Unusable
from bridge.store import soundness
from bridge.store.core import Store
from bridge.store.sqlite import Database
from tests.conftest import Clock
from tests.store.filled import send, take, urls

LINKS = 150
TABLES = ("arrival", "sighting", "link", "delivery", "seen")
FLIPS = int(os.environ.get("BRIDGE_TEST_FLIPS", "60"))
SEED = int(os.environ.get("BRIDGE_TEST_SEED", "20261126"))


@pytest.fixture
async def written(tmp_path: Path, clock: Clock) -> Path:
    """A folder as a process left it that ended in peace."""
    (tmp_path / "good").mkdir()
    store = await Store.open(tmp_path / "good" / "bridge.db", clock)
    await take(store, *urls(LINKS))
    await send(store, clock, limit=LINKS)
    await store.close()
    return tmp_path / "good"


@pytest.fixture
async def killed(tmp_path: Path, clock: Clock) -> Path:
    """A folder as a process left it that was killed: all is in the write-ahead log, in many commits."""
    (tmp_path / "live").mkdir()
    store = await Store.open(tmp_path / "live" / "bridge.db", clock)
    for url in urls(LINKS):
        await take(store, url)
    shutil.copytree(tmp_path / "live", tmp_path / "good")
    await store.close()
    return tmp_path / "good"


def flip(path: Path, at: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        [byte] = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ (1 << bit)]))


async def started(folder: Path, clock: Clock) -> str:
    """What a start makes of it: “refused” with what to do, “whole”, or “less”: rows are missing and nobody says so.

    (A byte inside a text may have changed: SQLite has no checksums for what is in its pages.)
    """
    database = folder / "bridge.db"
    if refusal := await refused(database, clock):
        assert "restore" in refusal
        return "refused"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        counts = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
    return "less" if any(number < LINKS for number in counts.values()) else "whole"


async def refused(database: Path, clock: Clock) -> str:
    try:
        store = await Store.open(database, clock)
    except Unusable as error:
        return str(error)
    await store.close()
    return ""


async def flipped(good: Path, name: str, clock: Clock, tmp_path: Path, *, size: int) -> Counter[str]:
    chance = random.Random(SEED)
    found: Counter[str] = Counter()
    for number in range(FLIPS):
        # Half of them where it hurts most: at the beginning of a page.
        at = chance.randrange(size) if number % 2 else chance.randrange(0, size, 4096) + chance.randrange(100)
        bit = chance.randrange(8)
        folder = tmp_path / f"flip{number}"
        shutil.copytree(good, folder)
        flip(folder / name, min(at, size - 1), bit)
        outcome = await started(folder, clock)
        found[outcome] += 1
        assert outcome != "less", f"seed {SEED}, flip {number}: byte {at}, bit {bit} of {name}"
        shutil.rmtree(folder)
    return found


async def test_flips_in_the_database_are_refused_or_harmless(written: Path, tmp_path: Path, clock: Clock) -> None:
    found = await flipped(written, "bridge.db", clock, tmp_path, size=(written / "bridge.db").stat().st_size)
    assert found["refused"] > FLIPS // 10, "hardly any flip hurt: the fault did not fire"


async def test_damage_that_stands_in_the_words_of_the_error_is_told_too(written: Path, clock: Clock) -> None:
    content = (written / "bridge.db").read_bytes()
    at = content.index(b"CREATE INDEX")
    (written / "bridge.db").write_bytes(content[:at] + b"CREATE \x8aNDEX" + content[at + 12 :])
    assert "is not a usable database" in await refused(written / "bridge.db", clock)


async def test_flips_in_the_log_are_refused_or_harmless(killed: Path, tmp_path: Path, clock: Clock) -> None:
    found = await flipped(killed, "bridge.db-wal", clock, tmp_path, size=before_the_last_commit(killed))
    assert found["refused"] > FLIPS // 2, "hardly any flip hurt: the fault did not fire"


async def test_a_flip_in_the_very_last_commit_costs_no_more_than_that_commit(
    killed: Path, tmp_path: Path, clock: Clock
) -> None:
    """It cannot be told from what a power cut leaves of a commit that nobody had the answer of."""
    flip(killed / "bridge.db-wal", before_the_last_commit(killed) + 100, 3)
    assert await refused(killed / "bridge.db", clock) == ""
    with contextlib.closing(sqlite3.connect(killed / "bridge.db")) as connection:
        assert connection.execute("SELECT count(*) FROM arrival").fetchone() == (LINKS,)
        assert connection.execute("SELECT count(*) FROM sighting").fetchone() == (LINKS - 1,)


def before_the_last_commit(folder: Path) -> int:
    """Where the frames of the last commit begin."""
    content = (folder / "bridge.db-wal").read_bytes()
    frame = 24 + 4096
    starts = range(32, len(content) - frame + 1, frame)
    salts = content[16:24]
    commits = [at for at in starts if content[at + 8 : at + 16] == salts and content[at + 4 : at + 8] != bytes(4)]
    assert len(commits) > LINKS // 4
    return commits[-2] + frame


async def test_control_without_a_look_at_the_log_commits_are_lost_silently(
    killed: Path, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soundness, "log_fault", lambda _: "")
    # What lies behind the last commit is of commits that were written back long ago.
    flip(killed / "bridge.db-wal", before_the_last_commit(killed) // 2, 3)
    database = Database(killed / "bridge.db")
    [links] = await database.read(lambda tx: tx.execute("SELECT count(*) FROM link").fetchone())
    await database.close()
    assert links < LINKS


async def test_a_log_that_a_power_cut_left_is_no_damage(killed: Path, clock: Clock) -> None:
    """The last commit torn, or written only in parts: what SQLite throws away was never acknowledged."""
    log = killed / "bridge.db-wal"
    content = log.read_bytes()
    for torn in (content[:-1], content[:-2000], content[:-4120] + bytes(4120), content + bytes(5000)):
        log.write_bytes(torn)
        assert soundness.log_fault(log) == ""


@pytest.mark.parametrize("harm", ["empty", "gone", "header"])
async def test_a_database_that_is_gone_is_not_begun_anew(written: Path, clock: Clock, harm: str) -> None:
    database = written / "bridge.db"
    if harm == "gone":
        database.unlink()
    else:
        database.write_bytes(b"" if harm == "empty" else bytes(4096) + database.read_bytes()[4096:])
    assert await started(written, clock) == "refused"


async def test_a_schema_that_is_gone_does_not_empty_the_list(written: Path, clock: Clock) -> None:
    """SQLite alone sees no table, and would begin anew."""
    with contextlib.closing(sqlite3.connect(written / "bridge.db")) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_master")
    with contextlib.closing(sqlite3.connect(written / "bridge.db")) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    assert await started(written, clock) == "refused"


async def test_the_process_says_it_and_ends_with_exit_2(written: Path) -> None:
    (written / "bridge.db").write_bytes(b"not a database " * 1000)
    environment = {**os.environ, "BRIDGE_DATA": str(written), "BRIDGE_LISTEN": "127.0.0.1:0"}
    ran = subprocess.run(
        [sys.executable, "-m", "bridge", "run"], env=environment, capture_output=True, timeout=60, check=False
    )
    assert ran.returncode == 2
    assert b"pocket-bridge restore FILE" in ran.stderr
    assert b"Traceback" not in ran.stderr
