"""Kills the real process again and again while all its doors are fed, and counts what was lost or doubled.

    python -m tests.reliability.kills --kills 1000 --seed 7

Every second kill comes at a random moment, the others at a named point (tests/reliability/points.py). What was
acknowledged must be stored, and on the list once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bridge.store.core import Store
from tests.reliability import history, images
from tests.reliability.nursery import Life, Nursery, Process, a_nursery
from tests.reliability.points import DOORS, POINTS, Trap
from tests.reliability.world import OWNER_TOKEN, PAUSE, World, a_world, feeding

LONGEST_LIFE = 1.6
"""Long enough to get behind what an earlier life had begun, which is tried in a child first."""

READY_SHARE = 0.8  # the others die while they start
DRAINED_SHARE = 0.1  # are told to stop first, and die while they do
DRAIN_SECONDS = 300.0
SNARE_SECONDS = 6.0
"""A life ends so long after its start, also when its point was not passed."""

LATEST_PASSAGE = 3
LOOKS = 20
"""So often the database is looked at between two lives."""


@dataclass
class Result:
    """What a run came to. `kills` is how often the fault really fired, `points` at which named points."""

    seed: int
    history: Path
    kills: int = 0
    points: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[str, set[str]] = field(default_factory=dict)
    listed: Counter[str] = field(default_factory=Counter)
    looks: int = 0
    faults: list[str] = field(default_factory=list)
    leases: int = 0
    overlaps: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def lost(self) -> set[str]:
        return history.lost(set().union(*self.acknowledged.values()), self.listed)

    @property
    def doubled(self) -> dict[str, int]:
        return history.doubled(self.listed.elements())

    @property
    def unfired(self) -> list[str]:
        return [point for point in POINTS if not self.points[point]]

    @property
    def failures(self) -> list[str]:
        """Why the run does not count as passed, in words."""
        said = [
            (self.lost, f"lost: {sorted(self.lost)[:20]}"),
            (self.doubled, f"on the list more than once: {list(self.doubled.items())[:20]}"),
            (self.faults, f"the database: {self.faults[:10]}"),
            (self.overlaps, f"leases overlap: {self.overlaps[:10]}"),
            (self.unfired, f"points that nothing passed: {self.unfired}"),
        ]
        return [words for found, words in said if found]

    def __str__(self) -> str:
        doors = ", ".join(f"{door} {len(urls):,}" for door, urls in self.acknowledged.items())
        total = sum(map(len, self.acknowledged.values()))
        points = "\n".join(f"  {self.points[point]:4}  {point}" for point in POINTS)
        return (
            f"seed {self.seed}, history {self.history}\n"
            f"{self.kills} kills in {self.seconds:.0f} s, {sum(self.points.values())} of them at named points:\n"
            f"{points}\n"
            f"acknowledged {total:,} links ({doors}); on the list {len(self.listed):,}; lost {len(self.lost)}, "
            f"doubled {len(self.doubled)}; {self.looks} looks at database and books, {len(self.faults)} faults; "
            f"{self.leases:,} leases, {len(self.overlaps)} overlapping"
        )


async def survive(folder: Path, *, kills: int, seed: int, named: bool = True, without: str = "") -> Result:
    """Feeds and kills, then lets the process finish in peace and counts. `without`: a protection that is off."""
    chance = random.Random(seed)
    began = time.monotonic()
    async with a_world(folder) as world, a_nursery() as nursery:
        result = Result(seed, world.history.path)
        killer = Killer(world, nursery, chance, result, without)
        async with feeding(world):
            for number in itertools.count():
                if result.kills >= kills:
                    break
                await (killer.at_a_point() if named and number % 2 else killer.at_random())
                if number % max(1, kills // LOOKS) == 0:
                    await killer.look()
            for _ in range(len(POINTS) * named):
                if result.unfired:
                    await killer.at_a_point()
        result.listed = await finish(world, nursery, without)
        await killer.look()
    events = list(history.read(result.history))
    result.acknowledged = {door: history.acknowledged(events, door) for door in DOORS}
    result.leases = sum(event["op"] == "lease" for event in events)
    result.overlaps = history.overlapping(events) + history.settled_twice(events)
    result.seconds = time.monotonic() - began
    return result


@dataclass
class Killer:
    world: World
    nursery: Nursery
    chance: random.Random
    result: Result
    without: str

    async def at_random(self) -> None:
        process = await self.nursery.begin(self._life())
        if self.chance.random() < READY_SHARE:
            await until_it_answers(self.world)
        await asyncio.sleep(self.chance.uniform(0.0, LONGEST_LIFE))
        if self.chance.random() < DRAINED_SHARE:
            process.terminate()
            await asyncio.sleep(self.chance.uniform(0.0, 0.1))
        await self._kill(process)

    async def at_a_point(self) -> None:
        """The point that was passed least often so far, so that a run of any length ends at all of them."""
        least = min(self.result.points[point] for point in POINTS)
        point = self.chance.choice([point for point in POINTS if self.result.points[point] == least])
        note = self.world.folder / "note"
        note.unlink(missing_ok=True)
        trap = Trap(point, self.chance.randint(1, LATEST_PASSAGE if least else 1), str(note))
        process = await self.nursery.begin(self._life(trap))
        until = time.monotonic() + SNARE_SECONDS
        while not note.exists() and time.monotonic() < until:
            await asyncio.sleep(PAUSE)
        await self._kill(process)
        if note.exists():
            self.result.points[point] += 1

    async def _kill(self, process: Process) -> None:
        process.kill()
        self.result.kills += await self.nursery.ended(process) == -signal.SIGKILL

    def _life(self, trap: Trap | None = None) -> Life:
        journal = str(self.world.history.path)
        return Life(self.world.environment(), str(self.world.log), trap, self.without, journal)

    async def look(self) -> None:
        """Nobody is alive: what would a process find that starts now, and do its books balance?"""
        if not self.world.database.exists():
            return
        with images.copied(self.world.database, self.world.folder / "copy") as copy:
            faults = [*images.look(copy).faults]
            store = await Store.open(copy, time.time)
            audit = await store.upkeep.audit()
            await store.close()
        faults += [f"the books do not balance: {audit}"] * (not audit.balances)
        self.result.looks += 1
        self.result.faults += [f"after {self.result.kills} kills: {fault}" for fault in faults]


async def until_it_answers(world: World) -> None:
    async with world.client() as client:
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError):
                await client.get("/healthz")
                return
            await asyncio.sleep(PAUSE)


async def finish(world: World, nursery: Nursery, without: str = "") -> Counter[str]:
    """Lets the process run until nothing waits, and answers what is on the list, by address."""
    process = await nursery.begin(Life(world.environment(), str(world.log), without=without))
    until = time.monotonic() + DRAIN_SECONDS
    listed: Counter[str] = Counter()
    async with world.client(timeout=60.0) as client:
        while time.monotonic() < until:
            await asyncio.sleep(0.5)
            with contextlib.suppress(httpx.HTTPError, sqlite3.OperationalError):
                complete = not world.bot.pending and world.feed.acknowledged == len(world.feed.urls)
                if complete and not _waiting(world.database):
                    listed = await _listed(client)
                    break
        else:
            with contextlib.suppress(httpx.HTTPError):
                listed = await _listed(client)
    world.note()
    process.terminate()
    await nursery.ended(process)
    return listed


async def _listed(client: httpx.AsyncClient) -> Counter[str]:
    asked = {"consumer_key": "1-kill", "access_token": OWNER_TOKEN, "state": "all"}
    answer = await client.post("/v3/get", json=asked)
    items = answer.raise_for_status().json()["list"]
    return Counter(item["given_url"] for item in (items.values() if isinstance(items, dict) else items))


def _waiting(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        [arrivals] = connection.execute("SELECT count(*) FROM arrival WHERE state = 'new'").fetchone()
        [deliveries] = connection.execute("SELECT count(*) FROM delivery WHERE state <> 'delivered'").fetchone()
    return int(arrivals) + int(deliveries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--folder", type=Path, help="keeps everything there; without it, nothing")
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        result = asyncio.run(survive(folder, kills=asked.kills, seed=asked.seed))
        print(result)
        log = (folder / "log").read_text("utf-8", "replace")[-3000:]
    sys.exit("\n".join(["", *result.failures, log]) if result.failures else 0)


if __name__ == "__main__":
    main()
