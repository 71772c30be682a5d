"""How fast queued updates become durable: getUpdates into the inbox, against a loop that only fetches them.

    python -m bench.telegram_bot [--updates 10000] [--rounds 3]

A Bot API server in a process of its own holds the updates, one link each. Both loops go through the same net.py over
loopback; ours also checks who wrote, writes 100 arrivals with their keys and the offset in one unit (synchronous=FULL),
and confirms afterwards. The rounds alternate, and the median is told.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from bridge.net import Net
from bridge.sources.telegram.api import BotApi
from bridge.sources.telegram.source import Telegram
from bridge.store.core import Store
from tests import bot_api
from tests.loopback import serve

TARGET = 0.5
CHECKPOINT = 1000
FIRST = 700_000_001  # the server counts from here


@dataclass(frozen=True, slots=True)
class Figure:
    """Seconds on the wall, and of this process's own computing: the second holds on a busy machine, too."""

    wall: float
    cpu: float


class Watch:
    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def figure(self) -> Figure:
        return Figure(time.perf_counter() - self._wall, time.process_time() - self._cpu)


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
    process = multiprocessing.get_context("spawn").Process(target=serve_updates, args=(number, theirs))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join()


async def fetch_only(origin: str, number: int) -> Figure:
    """What it takes a loop that fetches and confirms everything and keeps nothing."""
    net = Net()
    api = BotApi(net.trusting(origin), token=bot_api.TOKEN, api=origin)
    offset, seen, watch = 0, 0, Watch()
    while seen < number:
        updates = await api.call("getUpdates", {"offset": offset, "limit": 100, "timeout": 0})
        seen += len(updates)
        offset = updates[-1]["update_id"] + 1
    took = watch.figure()
    await net.close()
    return took


async def into_the_inbox(origin: str, number: int, folder: Path) -> tuple[Figure, list[int]]:
    """What it takes until everything is durable, and the memory in use (KiB) at every checkpoint on the way."""
    net, store = Net(), await Store.open(folder / "bridge.db", time.time)
    source = Telegram(
        store,
        net.trusting(origin),
        token=bot_api.TOKEN,
        api=origin,
        allow={42: ""},
        clock=time.time,
        poll_seconds=0,
    )
    memory: list[int] = []
    watch = Watch()
    running = asyncio.create_task(source.run())
    while (stored := await stored_by(store)) < number:
        if stored >= CHECKPOINT * (len(memory) + 1):
            memory.append(resident())
        await asyncio.sleep(0.05)
    took = watch.figure()
    assert sum((await store.counts())["arrivals"].values()) == number
    memory.append(resident())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close()
    await net.close()
    return took, memory


async def stored_by(store: Store) -> int:
    """How many updates are durable, by the offset: a look that costs next to nothing."""
    offset = await store.cursor(f"telegram:{bot_api.TOKEN.partition(':')[0]}:offset")
    return int(offset) - FIRST if offset else 0


def resident() -> int:
    """KiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4


def measured(number: int, rounds: int) -> tuple[Sequence[Figure], Sequence[Figure], list[int]]:
    bare: list[Figure] = []
    ours: list[Figure] = []
    memory: list[int] = []
    for _ in range(rounds):
        with queued(number) as origin:
            bare.append(asyncio.run(fetch_only(origin, number)))
        with queued(number) as origin, tempfile.TemporaryDirectory() as folder:
            took, memory = asyncio.run(into_the_inbox(origin, number, Path(folder)))
            ours.append(took)
    return bare, ours, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    bare, ours, memory = measured(options.updates, options.rounds)
    print("| loop | updates/s, median (best) | CPU per update, median |")
    print("|---|---|---|")
    for name, figures in (("only fetches", bare), ("into the inbox", ours)):
        rates = [options.updates / figure.wall for figure in figures]
        cpu = statistics.median(figure.cpu for figure in figures) / options.updates * 1e6
        print(f"| {name} | {statistics.median(rates):,.0f} ({max(rates):,.0f}) | {cpu:.0f} µs |")
    ratios = [fast.wall / slow.wall for fast, slow in zip(bare, ours, strict=True)]
    print(f"\nratio of each round: {', '.join(f'{ratio:.2f}' for ratio in ratios)} (target: at least {TARGET})")
    print(
        f"memory of the last round: {memory[0] / 1024:.1f} MiB after {CHECKPOINT}, {memory[-1] / 1024:.1f} MiB at the end"
    )


if __name__ == "__main__":
    main()
