"""Twenty backups while everything writes: each restored, whole, and with nothing half-done in it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import sqlite3
from pathlib import Path

import pytest

from bridge import restoring
from bridge.settings import load_settings
from bridge.store import soundness
from bridge.store.core import Store
from tests.conftest import Clock
from tests.store.filled import send, take

BACKUPS = 20


async def write(store: Store, clock: Clock, stop: asyncio.Event) -> int:
    """Links come and leave, one commit after the other. Answers how many came."""
    for number in itertools.count():
        if stop.is_set():
            return number * 5
        await take(store, *(f"https://load{number}.example/{n}" for n in range(5)), tags=(f"t{number % 7}",))
        await send(store, clock, limit=3)
    raise AssertionError


def half_done(path: Path) -> int:
    """Arrivals and links of which one half is there and the other is not."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        found = [
            connection.execute(sql).fetchone()[0]
            for sql in (
                "SELECT count(*) FROM arrival a WHERE NOT EXISTS (SELECT 1 FROM seen s WHERE s.arrival = a.id)",
                "SELECT count(*) FROM arrival a WHERE state = 'read' AND NOT EXISTS (SELECT 1 FROM sighting s WHERE s.arrival = a.id)",
                "SELECT count(*) FROM sighting s WHERE NOT EXISTS (SELECT 1 FROM delivery d WHERE d.link = s.link)",
                "SELECT count(*) FROM delivery d WHERE state = 'delivered' AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.delivery = d.id)",
            )
        ]
    return sum(found)


async def test_twenty_backups_under_load_are_each_restored_and_hold_nothing_half_done(
    tmp_path: Path, clock: Clock
) -> None:
    store = await Store.open(tmp_path / "bridge.db", clock)
    kept = tmp_path / "kept"
    kept.mkdir()
    stop = asyncio.Event()
    writing = asyncio.create_task(write(store, clock, stop))
    sizes = []
    for number in range(BACKUPS):
        found = await store.upkeep.copy(kept / f"{number}.backup")
        assert found["balances"] is True
        sizes.append(found["links"])
    stop.set()
    came = await writing
    await store.close()
    assert len(set(sizes)) > BACKUPS // 2, "nothing was written while the backups were made: the load did not fire"
    assert sizes == sorted(sizes)
    assert 0 < sizes[-1] <= came
    for number, links in enumerate(sizes):
        await restored(tmp_path, kept / f"{number}.backup", links, clock)


async def restored(tmp_path: Path, file: Path, links: int, clock: Clock) -> None:
    settings = load_settings(data=tmp_path / "restored", rules=tmp_path / "none.yaml")
    answer = await asyncio.to_thread(restoring.restore, settings, file)
    assert answer["links"] == links
    database = settings.data / "bridge.db"
    assert half_done(database) == 0
    store = await Store.open(database, clock)
    assert (await store.upkeep.audit()).balances
    await take(store, "https://new.example/")
    await store.close()
    assert answer["kept"] or not list(settings.data.glob("before-restore-*"))


async def test_control_a_plain_copy_of_the_file_lacks_what_is_in_the_log(tmp_path: Path, clock: Clock) -> None:
    store = await Store.open(tmp_path / "bridge.db", clock)
    await take(store, "https://load.example/")
    shutil.copyfile(tmp_path / "bridge.db", tmp_path / "plain.db")
    await store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "plain.db")) as connection, pytest.raises(sqlite3.Error):
        assert connection.execute("SELECT count(*) FROM link").fetchone() == (1,)


async def test_a_backup_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "data").mkdir()
    store = await Store.open(tmp_path / "data" / "bridge.db", clock)
    kept = tmp_path / "kept.db"
    await store.upkeep.copy(kept)
    before = kept.read_bytes()
    await take(store, "https://new.example/")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(soundness, "structure_faults", lambda *_, **__: ["page 7 is not what it was"])
        with pytest.raises(Exception, match="page 7"):
            await store.upkeep.copy(kept, force=True)
    await store.close()
    assert kept.read_bytes() == before
    assert not list(tmp_path.glob(".kept.db*"))
