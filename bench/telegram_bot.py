"""How fast queued updates become durable: getUpdates into the inbox, against a loop that only fetches them.

    python -m bench.telegram_bot [--updates 10000] [--rounds 5] [--many 50000]

A Bot API server in a process of its own holds the updates, one link each. Ours fetches through bridge.net, checks who
wrote, writes 100 arrivals with their keys and the offset in one unit (synchronous=FULL), and confirms afterwards. Beside
it run two loops that ask the same, parse the answer, confirm it with the next offset and keep nothing: the one that
anybody would write, with httpx, and one through bridge.net, which is several times as fast. Measured is from the first
getUpdates until the last hundred is there, or is durable. All run in this process, each round begins with another, and
each gives a ratio to both. How long the disk alone takes for as many bytes is told beside it. Then the peak memory of a
process of its own is told, for --updates and for --many.
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
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx

from bridge.net import Answer, Door, Net
from bridge.ports import Arrival, Receipt
from bridge.sources.telegram.api import BotApi
from bridge.sources.telegram.source import Telegram
from bridge.sources.telegram.update import ASKED_FOR
from bridge.store.core import Store
from tests import bot_api
from tests.loopback import serve

TARGET = 0.5
FLAT = 1.1

A_HUNDRED = 140 * 1024
"""Bytes that the commit of a hundred arrivals writes: 34 pages of the log."""

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


Call = Callable[[str, dict[str, Any]], Awaitable[Any]]


async def fetch_only(call: Call, number: int) -> Figure:
    """What it takes a loop that fetches and confirms everything and keeps nothing."""
    await call("getMe", {})
    watch = Watch()
    offset, seen = 0, 0
    watch.start()
    while seen < number:
        asked = {"offset": offset, "limit": 100, "timeout": 0, "allowed_updates": ASKED_FOR}
        updates = await call("getUpdates", asked)
        seen += len(updates)
        offset = updates[-1]["update_id"] + 1
    return watch.figure()


async def with_httpx(origin: str, number: int) -> Figure:
    async with httpx.AsyncClient(base_url=f"{origin}/bot{bot_api.TOKEN}", trust_env=False) as client:

        async def call(method: str, parameters: dict[str, Any]) -> Any:
            return (await client.post(f"/{method}", json=parameters)).raise_for_status().json()["result"]

        return await fetch_only(call, number)


async def through_our_door(origin: str, number: int) -> Figure:
    net = Net()
    api = BotApi(net.trusting(origin), token=bot_api.TOKEN, api=origin)
    took = await fetch_only(api.call, number)
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


async def onto_the_disk(_: str, number: int, folder: Path) -> Figure:
    """What it takes the disk to have as many bytes, synced as often: the least that anything durable waits for."""
    watch, piece = Watch(), os.urandom(A_HUNDRED)
    watch.start()
    with (folder / "bytes").open("wb", buffering=0) as file:
        for _hundred in range(number // 100):
            file.write(piece)
            os.fdatasync(file.fileno())
    return watch.figure()


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


HTTPX, DOOR, INBOX = "only fetches, with httpx", "only fetches, through bridge.net", "into the inbox"
DISK = "nothing but bytes, onto the disk"


async def _bare(loop: Callable[[str, int], Awaitable[Figure]], origin: str, number: int, _: Path) -> Figure:
    return await loop(origin, number)


LOOPS: dict[str, Callable[[str, int, Path], Coroutine[Any, Any, Figure]]] = {
    HTTPX: partial(_bare, with_httpx),
    DOOR: partial(_bare, through_our_door),
    INBOX: into_the_inbox,
    DISK: onto_the_disk,
}


def measured(number: int, rounds: int) -> dict[str, list[Figure]]:
    figures: dict[str, list[Figure]] = {name: [] for name in LOOPS}
    for turn in range(rounds):
        names = deque(LOOPS)
        names.rotate(turn)
        for name in names:
            with queued(number) as origin, tempfile.TemporaryDirectory() as folder:
                figures[name].append(asyncio.run(LOOPS[name](origin, number, Path(folder))))
    return figures


def ratios(figures: dict[str, list[Figure]], name: str) -> str:
    """How fast ours is, with 1 for the loop of this name, round by round; and how much it computes."""
    pairs = list(zip(figures[name], figures[INBOX], strict=True))
    found = [bare.wall / ours.wall for bare, ours in pairs]
    computed = statistics.median(bare.cpu / ours.cpu for bare, ours in pairs)
    rounds = ", ".join(f"{ratio:.2f}" for ratio in found)
    words = f"ratio to “{name}”: median {statistics.median(found):.2f} (target: at least {TARGET}); rounds: {rounds}"
    return f"{words}; by CPU alone {computed:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--many", type=int, default=50_000)
    options = parser.parse_args()
    figures = measured(options.updates, options.rounds)
    print("| loop | updates/s, median (best) | CPU per update, median |")
    print("|---|---|---|")
    for name, taken in figures.items():
        rates = [options.updates / figure.wall for figure in taken]
        cpu = statistics.median(figure.cpu for figure in taken) / options.updates * 1e6
        print(f"| {name} | {statistics.median(rates):,.0f} ({max(rates):,.0f}) | {cpu:.0f} µs |")
    print(f"\n{ratios(figures, HTTPX)}\n{ratios(figures, DOOR)}\nload {os.getloadavg()[0]:.1f}")
    little, much = peak(options.updates), peak(options.many)
    print(f"peak memory of the process: {little:.1f} MiB for {options.updates:,} updates,", end=" ")
    print(f"{much:.1f} MiB for {options.many:,}: {much / little:.2f} (target: at most {FLAT})")


if __name__ == "__main__":
    main()
