"""From every schema that was ever released to the one of now, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from bridge.ports import OWNER
from bridge.store.core import Store
from tests.conftest import Clock
from tests.store.killed_migration import KILLED

SCHEMAS = sorted((Path(__file__).parent / "schemas").glob("*.sql"))
KEPT = ("arrival", "sighting", "link", "item", "item_tag", "attempt", "rule_set", "application", "gate", "seen")


def frozen(schema: Path, path: Path) -> Path:
    """A database of that time."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema.read_text("utf-8"))
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
    return path


def rows(path: Path, table: str, columns: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall()


def columns(path: Path, table: str) -> str:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    # A link that is brought up to a newer rule of equality says so.
    return ", ".join(name for name in names if (table, name) != ("link", "version"))


def test_there_is_one_for_the_first_schema() -> None:
    assert SCHEMAS[0].name == "0001.sql"


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.stem)
async def test_nothing_is_lost_on_the_way(schema: Path, tmp_path: Path, clock: Clock) -> None:
    path = frozen(schema, tmp_path / "bridge.db")
    before = {table: rows(path, table, columns(path, table)) for table in KEPT}
    asked = {table: columns(path, table) for table in KEPT}
    deliveries = rows(path, "delivery", "id, link, connection, url, tags, state, due, remote_id")
    store = await Store.open(path, clock)
    try:
        assert {table: rows(path, table, asked[table]) for table in KEPT} == before
        assert rows(path, "delivery", "id, link, connection, url, tags, state, due, remote_id") == deliveries
        assert (await store.upkeep.audit()).balances
        passport = await store.passport(OWNER, "https://arxiv.example/1", "")
        assert [sighting["state"] for sighting in passport.sightings] == ["kept", "duplicate"]
    finally:
        await store.close()
    newest = max(int(file.name[:4]) for file in files("bridge.store.migrations").iterdir() if file.name[:4].isdigit())
    assert rows(path, "schema_version", "max(version), 1") == [(newest, 1)]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.stem)
async def test_killed_at_any_step_it_is_as_it_was_and_goes_on_at_the_next_start(
    schema: Path, tmp_path: Path, clock: Clock
) -> None:
    old = rows(frozen(schema, tmp_path / "old.db"), "schema_version", "version, 1")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.store.killed_migration", str(tmp_path)], capture_output=True, check=True
    )
    *killed, (code, reached) = json.loads(ran.stdout)
    assert code == 0
    assert len(reached) > len(old)
    # It was killed at more places than there are statements in the last migration.
    assert len(killed) > len(
        re.findall(r";\n", files("bridge.store.migrations").joinpath("0005_operations.sql").read_text())
    )
    for at, (ended, versions) in enumerate(killed):
        assert ended == KILLED
        assert versions == [version for version, _ in old], at
    for at in (0, len(killed) // 2, len(killed) - 1):
        store = await Store.open(tmp_path / f"{at}.db", clock)
        assert (await store.upkeep.audit()).balances
        await store.close()
        assert rows(tmp_path / f"{at}.db", "schema_version", "count(*), 1") == [(len(reached), 1)]
