"""A disk that is full: nothing is acknowledged without a row, what was sent is marked as sent, and it ends by itself.

Twice: on a small file system that really is full, where one can be mounted, and by a limit of SQLite's on its pages,
everywhere. Each with a control without a reserve, which forgets what it sent.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from bridge.delivery import Delivered, Delivery, settlement
from bridge.errors import Full, StoreError
from bridge.ports import Arrival, Key, Terms
from bridge.store import sqlite
from bridge.store.ballast import MIB, Ballast, Reserve
from bridge.store.core import Store
from bridge.store.sqlite import Database, Tx
from tests.conftest import Clock
from tests.reliability.running import AUTHORIZATION, TOKEN, Running
from tests.store.filled import states, take, urls

SENT = 300


class Nothing:
    """The control: no reserve."""

    def release(self) -> None: ...

    def refill(self) -> bool:
        return True

    def rest(self) -> None: ...


class Pages:
    """A reserve of pages: SQLite lets the file grow to a limit, and by some more when it is given up."""

    def __init__(self, *, more: int) -> None:
        self.connection: sqlite3.Connection | None = None
        self.released = 0
        self._more = more
        self._most = 0

    def limit(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        [pages] = connection.execute("PRAGMA page_count").fetchone()
        self._most = pages + 30
        connection.execute(f"PRAGMA max_page_count = {self._most}")

    def release(self) -> None:
        self.released += 1
        if self.connection and self._more:
            self.connection.execute(f"PRAGMA max_page_count = {self._most + self._more}")

    def refill(self) -> bool:
        return self.connection is None

    def rest(self) -> None: ...

    def make_room(self) -> None:
        assert self.connection
        self.connection.execute("PRAGMA max_page_count = 1000000")
        self.connection = None


@contextlib.asynccontextmanager
async def opened(folder: Path, clock: Clock, reserve: Reserve) -> AsyncIterator[Store]:
    """A store like any other, but for its reserve."""
    make = Database.__init__

    def with_reserve(self: Database, path: Path, *, looks: bool) -> None:
        make(self, path, reserve, looks=looks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite.Database, "__init__", with_reserve)
        store = await Store.open(folder / "bridge.db", clock)
    try:
        yield store
    finally:
        await store.close()


async def sent_but_not_settled(store: Store) -> Sequence[Delivery]:
    await take(store, *urls(SENT))
    return await store.lease(Terms(connection="there", batch=SENT))


async def fill(store: Store) -> tuple[int, int]:
    """Arrivals until the disk is full, and some more. How many were acknowledged, how many refused."""
    acknowledged = refused = 0
    while refused < 20:
        raw = "x" * (20_000 if not refused else 10)
        try:
            await store.put([Arrival(source="hook", key=Key("fill", str(acknowledged + refused)), raw=raw)])
            acknowledged += 1
        except Full:
            refused += 1
        assert acknowledged < 50_000, "the disk never was full: the fault did not fire"
    return acknowledged, refused


async def settle(store: Store, sent: Sequence[Delivery], clock: Clock) -> int:
    """One by one, as calls end. Answers how many are marked as sent."""
    marked = 0
    for delivery in sent:
        said = f"created, said the service: {'x' * 600}"
        settled = settlement(0, Delivered("created"), now=clock(), chance=0.5)._replace(because=said)
        with contextlib.suppress(StoreError):
            marked += await store.settle([(delivery, settled)])
    return marked


def stored(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM arrival WHERE source = 'hook'").fetchone()[0])


def integrity(path: Path) -> str:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


async def take_the_rest(store: Store) -> None:
    """The last free pages, as somebody else would take them on a disk."""

    def unit(tx: Tx) -> None:
        tx.execute("INSERT INTO rule_set (hash, text, since) VALUES (lower(hex(randomblob(16))), zeroblob(3000), 0)")

    with contextlib.suppress(StoreError):
        while True:
            await store._database.write(unit)


# -- by a limit on pages, everywhere -------------------------------------------------------------------------------


async def test_without_room_for_pages_what_was_sent_is_marked_and_what_is_new_refused(
    tmp_path: Path, clock: Clock
) -> None:
    reserve = Pages(more=300)
    async with opened(tmp_path, clock, reserve) as store:
        sent = await sent_but_not_settled(store)
        reserve.limit(store._database._writer)
        acknowledged, refused = await fill(store)
        assert (reserve.released, refused, store.full) == (1, 20, True)
        assert stored(tmp_path / "bridge.db") == acknowledged
        assert await settle(store, sent, clock) == SENT
        assert await store.lease(Terms(connection="there")) == []
        reserve.make_room()
        store._database._probe_at = 0.0
        await store.put([Arrival(source="hook", key=Key("fill", "again"), raw="x")])
        assert not store.full
        assert (await states(store))["there"] == {"delivered": SENT}
    assert integrity(tmp_path / "bridge.db") == "ok"


async def test_control_without_a_reserve_of_pages_some_are_forgotten(tmp_path: Path, clock: Clock) -> None:
    reserve = Pages(more=0)
    async with opened(tmp_path, clock, reserve) as store:
        sent = await sent_but_not_settled(store)
        reserve.limit(store._database._writer)
        await fill(store)
        await take_the_rest(store)
        assert await settle(store, sent, clock) < SENT
        reserve.make_room()


class Gone(Nothing):
    """A reserve that cannot be made."""

    def refill(self) -> bool:
        return False


async def test_a_disk_that_is_full_at_the_start_is_known_before_anything_is_sent(tmp_path: Path, clock: Clock) -> None:
    async with opened(tmp_path, clock, Nothing()) as store:
        await sent_but_not_settled(store)
    async with opened(tmp_path, clock, Gone()) as store:
        assert store.full
        clock.move(3600)
        assert await store.lease(Terms(connection="there", batch=SENT, idempotent=True)) == []
        with pytest.raises(Full):
            await store.put([Arrival(source="hook", key=Key("s", "1"), raw="x")])


async def test_the_room_is_everybodys_while_nothing_runs(tmp_path: Path, clock: Clock) -> None:
    store = await Store.open(tmp_path / "bridge.db", clock)
    assert (tmp_path / "ballast").stat().st_size == 16 * MIB
    await store.close()
    assert (tmp_path / "ballast").stat().st_size == 0


# -- on a file system that is full ---------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(
            f"no file system can be mounted here ({mounted.stderr.decode().strip()}); pages are limited instead"
        )
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(folder: Path) -> Path:
    """Somebody else's file takes all there is."""
    filler = folder / "somebody-elses"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    assert os.statvfs(folder).f_bavail == 0, "the disk never was full: the fault did not fire"
    return filler


async def test_on_a_full_disk_what_was_sent_is_marked_and_it_ends_by_itself(small_disk: Path, clock: Clock) -> None:
    database = small_disk / "bridge.db"
    async with opened(small_disk, clock, Ballast(small_disk / "ballast")) as store:
        sent = await sent_but_not_settled(store)
        assert (small_disk / "ballast").stat().st_size == 16 * MIB
        filler = fill_up(small_disk)
        acknowledged, _ = await fill(store)
        assert stored(database) == acknowledged
        assert not (small_disk / "ballast").exists()
        assert await settle(store, sent, clock) == SENT
        filler.unlink()
        store._database._probe_at = 0.0
        await store.put([Arrival(source="hook", key=Key("fill", "again"), raw="x")])
        assert (store.full, (small_disk / "ballast").stat().st_size) == (False, 16 * MIB)
        assert stored(database) == acknowledged + 1
        assert (await states(store))["there"] == {"delivered": SENT}
        assert (await store.upkeep.audit()).arrivals[1].missing == 0
    assert integrity(database) == "ok"


async def test_control_on_a_full_disk_without_ballast_what_was_sent_is_forgotten(
    small_disk: Path, clock: Clock
) -> None:
    async with opened(small_disk, clock, Nothing()) as store:
        sent = await sent_but_not_settled(store)
        filler = fill_up(small_disk)
        await fill(store)
        assert await settle(store, sent, clock) < SENT
        filler.unlink()


def saved(running: Running, number: int) -> httpx.Response:
    return running.http.post("/save", json={"url": f"https://save.example/{number}"}, headers=AUTHORIZATION)


def test_every_door_says_come_again_and_the_process_recovers_by_itself(small_disk: Path) -> None:
    running = Running(small_disk)
    try:
        running.wait_until_it_answers()
        acknowledged = [number for number in range(5) if saved(running, number).is_success]
        filler = fill_up(small_disk)
        refused = []
        for number in range(5, 2000):
            answer = saved(running, number)
            if answer.is_success:
                acknowledged.append(number)
                continue
            refused.append(answer)
            if len(refused) == 5:
                break
        assert len(refused) == 5, "the disk never was full: the fault did not fire"
        pocket = {"consumer_key": "1-x", "access_token": TOKEN}
        refused.append(running.http.post("/v3/add", json={"url": "https://pocket.example/", **pocket}))
        assert {(answer.status_code, int(answer.headers["retry-after"]) > 0) for answer in refused} == {(503, True)}
        ready = running.http.get("/readyz")
        assert (ready.status_code, "the disk is full" in ready.text) == (503, True)
        filler.unlink()
        began = time.monotonic()
        while not saved(running, 9999).is_success:
            assert time.monotonic() - began < 30
            time.sleep(0.2)
        acknowledged.append(9999)
        while len(listed := on_the_list(running, pocket)) < len(acknowledged):
            assert time.monotonic() - began < 60
            time.sleep(0.2)
        assert listed == {f"https://save.example/{number}" for number in acknowledged}
        assert running.http.get("/readyz").status_code == 200
        assert running.end()[0] == 0
        assert integrity(running.data / "bridge.db") == "ok"
    finally:
        running.kill()


def on_the_list(running: Running, pocket: dict[str, str]) -> set[str]:
    found = running.http.post("/v3/get", json={**pocket, "state": "all"}).json()["list"]
    return {item["given_url"] for item in (found.values() if isinstance(found, dict) else found)}
