"""How fast queued updates become durable: getUpdates into the inbox, against a loop that only fetches them.

    python -m bench.telegram_bot [--updates 10000] [--rounds 5] [--many 50000]

A Bot API server in a process of its own holds the updates, one link each. Both loops go through the same net.py over
loopback; ours also checks who wrote, writes 100 arrivals with their keys and the offset in one unit (synchronous=FULL),
and confirms afterwards. Measured is from the first getUpdates until the last hundred is there, or is durable. The rounds
alternate, and each pair gives a ratio. Then the peak memory of a process of its own is told, for --updates and for --many.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bridge.net import Answer, Door, Net
from bridge.ports import Arrival, Receipt
from bridge.sources.telegram.api import BotApi
from bridge.sources.telegram.source import Telegram
from bridge.store.core import Store
from tests import bot_api
from tests.loopback import serve

TARGET = 0.5
FLAT = 1.1

SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Figure:
    """Seconds on the wall, and of this process's own computing: the second holds on a busy machine, too."""

    wall: float
    cpu: float


class Watch:
    """Runs from its first start on."""

    def __init__(self) -> None:
        self._began: Figure | None = None

    def start(self) -> None:
        self._began = self._began or _now()

    def figure(self) -> Figure:
        assert self._began
        now = _now()
        return Figure(now.wall - self._began.wall, now.cpu - self._began.cpu)


def _now() -> Figure:
    return Figure(time.perf_counter(), time.process_time())


def serve_updates(number: int, pipe: Connection) -> None:
    """The server's process: says where it listens, and ends when the pipe does."""

    async def main() -> None:
        server = bot_api.BotApi()
        for link in range(number):
            server.receive(bot_api.message(f"https://example.com/{link}", message_id=link))
        async with serve(server) as origin:
            pipe.send(origin)
            await asyncio.to_thread(pipe.recv)

    asyncio.run(main())


@contextmanager
def queued(number: int) -> Iterator[str]:
    """The address of a server with so many updates waiting."""
    ours, theirs = multiprocessing.Pipe()
    process = SPAWN.Process(target=serve_updates, args=(number, theirs))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join()


async def fetch_only(origin: str, number: int) -> Figure:
    """What it takes a loop that fetches and confirms everything and keeps nothing."""
    net, watch = Net(), Watch()
    api = BotApi(net.trusting(origin), token=bot_api.TOKEN, api=origin)
    await api.call("getMe")
    offset, seen = 0, 0
    watch.start()
    while seen < number:
        updates = await api.call("getUpdates", {"offset": offset, "limit": 100, "timeout": 0})
        seen += len(updates)
        offset = updates[-1]["update_id"] + 1
    took = watch.figure()
    await net.close()
    return took


class Watched(Door):
    """A way out that starts the watch with the first getUpdates."""

    def __init__(self, door: Door, watch: Watch) -> None:
        self._door, self._watch = door, watch

    async def fetch(self, url: str, **options: Any) -> Answer:
        if url.endswith("/getUpdates"):
            self._watch.start()
        return await self._door.fetch(url, **options)


class Counting(Store):
    """The store, which knows when so many arrivals were durable."""

    kept = 0
    wanted = 0

    def expect(self, number: int) -> None:
        self.wanted, self.all_there = number, asyncio.Event()

    async def put(self, arrivals: Sequence[Arrival], **rest: Any) -> Sequence[Receipt]:
        receipts = await super().put(arrivals, **rest)
        self.kept += len(receipts)
        if self.kept >= self.wanted:
            self.all_there.set()
        return receipts


async def into_the_inbox(origin: str, number: int, folder: Path) -> Figure:
    """What it takes until everything is durable."""
    net, watch = Net(), Watch()
    store = await Counting.open(folder / "bridge.db", time.time)
    assert isinstance(store, Counting)
    store.expect(number)
    door = Watched(net.trusting(origin), watch)
    source = Telegram(store, door, token=bot_api.TOKEN, api=origin, allow={42: ""}, clock=time.time, poll_seconds=0)
    running = asyncio.create_task(source.run())
    await store.all_there.wait()
    took = watch.figure()
    assert sum((await store.counts())["arrivals"].values()) == number
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close()
    await net.close()
    return took


def alone(number: int, pipe: Connection) -> None:
    """In a process of its own: sends the peak of its memory (MiB) once everything was durable."""
    with queued(number) as origin, tempfile.TemporaryDirectory() as folder:
        asyncio.run(into_the_inbox(origin, number, Path(folder)))
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def peak(number: int) -> float:
    ours, theirs = multiprocessing.Pipe()
    process = SPAWN.Process(target=alone, args=(number, theirs))
    process.start()
    found = float(ours.recv())
    process.join()
    return found


def measured(number: int, rounds: int) -> tuple[Sequence[Figure], Sequence[Figure]]:
    bare: list[Figure] = []
    ours: list[Figure] = []
    for _ in range(rounds):
        with queued(number) as origin:
            bare.append(asyncio.run(fetch_only(origin, number)))
        with queued(number) as origin, tempfile.TemporaryDirectory() as folder:
            ours.append(asyncio.run(into_the_inbox(origin, number, Path(folder))))
    return bare, ours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--many", type=int, default=50_000)
    options = parser.parse_args()
    bare, ours = measured(options.updates, options.rounds)
    print("| loop | updates/s, median (best) | CPU per update, median |")
    print("|---|---|---|")
    for name, figures in (("only fetches", bare), ("into the inbox", ours)):
        rates = [options.updates / figure.wall for figure in figures]
        cpu = statistics.median(figure.cpu for figure in figures) / options.updates * 1e6
        print(f"| {name} | {statistics.median(rates):,.0f} ({max(rates):,.0f}) | {cpu:.0f} µs |")
    ratios = [fast.wall / slow.wall for fast, slow in zip(bare, ours, strict=True)]
    print(f"\nratio of each round: {', '.join(f'{ratio:.2f}' for ratio in ratios)}", end="; ")
    print(f"median {statistics.median(ratios):.2f} (target: at least {TARGET}); load {os.getloadavg()[0]:.1f}")
    little, much = peak(options.updates), peak(options.many)
    print(f"peak memory of the process: {little:.1f} MiB for {options.updates:,} updates,", end=" ")
    print(f"{much:.1f} MiB for {options.many:,}: {much / little:.2f} (target: at most {FLAT})")


if __name__ == "__main__":
    main()
