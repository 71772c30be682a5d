"""How fast queued updates become durable: getUpdates into the inbox, against a loop that only fetches them.

    python -m bench.telegram [--updates 10000] [--rounds 3]

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
from multiprocessing.connection import Connection
from pathlib import Path

from bridge.net import Net
from bridge.sources._telegram_api import BotApi
from bridge.sources.telegram import Telegram
from bridge.store.core import Store
from tests import bot_api
from tests.loopback import serve

TARGET = 0.5
CHECKPOINT = 1000
FIRST = 700_000_001  # the server counts from here


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


async def fetch_only(origin: str, number: int) -> float:
    """Seconds of a loop that fetches and confirms everything and keeps nothing."""
    net = Net()
    api = BotApi(net.trusting(origin), token=bot_api.TOKEN, api=origin)
    offset, seen, began = 0, 0, time.perf_counter()
    while seen < number:
        updates = await api.call("getUpdates", {"offset": offset, "limit": 100, "timeout": 0})
        seen += len(updates)
        offset = updates[-1]["update_id"] + 1
    took = time.perf_counter() - began
    await net.close()
    return took


async def into_the_inbox(origin: str, number: int, folder: Path) -> tuple[float, list[int]]:
    """Seconds until everything is durable, and the memory in use (KiB) at every checkpoint on the way."""
    net, store = Net(), await Store.open(folder / "bridge.db", time.time)
    source = Telegram(
        store,
        net.trusting(origin),
        token=bot_api.TOKEN,
        api=origin,
        allow=frozenset({42}),
        clock=time.time,
        poll_seconds=0,
    )
    began, memory = time.perf_counter(), []
    running = asyncio.create_task(source.run())
    while (stored := await stored_by(store)) < number:
        if stored >= CHECKPOINT * (len(memory) + 1):
            memory.append(resident())
        await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    assert sum((await store.counts())["arrivals"].values()) == number  # noqa: S101 - a figure about less would lie
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


def measured(number: int, rounds: int) -> tuple[Sequence[float], Sequence[float], list[int]]:
    bare, ours, memory = [], [], []
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
    fast, slow = (options.updates / statistics.median(times) for times in (bare, ours))
    print("| loop | updates/s (median) | rounds |")
    print("|---|---|---|")
    for name, rate, times in (("only fetches", fast, bare), ("into the inbox", slow, ours)):
        print(f"| {name} | {rate:,.0f} | {', '.join(f'{options.updates / took:,.0f}' for took in times)} |")
    print(f"\nratio {slow / fast:.2f} (target: at least {TARGET})")
    print(f"memory of the last round: {memory[0] / 1024:.1f} MiB after {CHECKPOINT}, {memory[-1] / 1024:.1f} MiB at the end")


if __name__ == "__main__":
    main()
