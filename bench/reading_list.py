"""The embedded list, long and short: `python bench/reading_list.py [--quick]` (ten minutes; --quick: one).

Two bridges in one process, one with 100 times as many items as the other (1,000,000 and 10,000; --quick: 50,000 and
500), filled by the import. The same calls of the Pocket API, over ASGI without a socket, at both in turn; medians. What
is told is the ratio of long to short.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from bridge import control
from bridge.record import Record
from bridge.settings import load_settings
from bridge.wiring import Bridge, open_bridge

TOKEN = "a-token-for-the-bench-alone"
WORDS = "apple river stone cloud paper window garden letter music winter summer copper silver tunnel planet".split()
UNIT = 500
ROUNDS = 15
CALLS: dict[str, dict[str, Any]] = {
    "first page": {"count": 30},
    "first page, total": {"count": 30, "total": 1},
    "first page, archived": {"count": 30, "state": "archive"},
    "tag of one in ten": {"count": 30, "tag": "tenth"},
    "tag of one in ten, total": {"count": 30, "tag": "tenth", "total": 1},
    "tag of 20 items": {"count": 30, "tag": "twenty"},
    "untagged": {"count": 30, "tag": "_untagged_"},
    "search, 20 found": {"count": 30, "search": "needle"},
    "search, one in a hundred found": {"count": 30, "search": "haystack"},
    "sorted by title": {"count": 30, "sort": "title"},
    "stats": {},
}


def record(number: int, size: int) -> Record:
    words = [WORDS[(number * step) % len(WORDS)] for step in (1, 7, 11, 13)]
    marks = ["needle"] * (number % (size // 20) == 0) + ["haystack"] * (number % 100 == 0)
    tags = ["tenth"] * (number % 10 == 0) + ["twenty"] * (number % (size // 20) == 1) + ["other"] * (number % 2)
    url = f"https://site{number % 997}.example/{words[0]}/{number}"
    status = int(number % 3 == 0)
    added = 1_400_000_000 + number
    return Record.of(
        url, title=" ".join([*words, *marks]), tags=tags, status=status, time_added=added, time_read=added * status
    )


class House:
    """A bridge with a list, and a client of it."""

    def __init__(self, bridge: Bridge, size: int) -> None:
        self.bridge = bridge
        self.size = size
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(bridge.app), base_url="http://bench.example")

    async def fill(self) -> float:
        began = time.perf_counter()
        for start in range(0, self.size, UNIT):
            await self.bridge.store.keep("me", [record(n, self.size) for n in range(start, start + UNIT)])
        return (time.perf_counter() - began) / self.size

    async def call(self, method: str, **asked: Any) -> Any:
        keys = {"consumer_key": "1-bench", "access_token": TOKEN}
        if method == "get":
            keys |= {"state": "all", "detailType": "complete"}
        answer = await self.http.post(f"/v3/{method}", json={**keys, **asked})
        answer.raise_for_status()
        return answer

    async def timed(self, method: str, **asked: Any) -> float:
        began = time.perf_counter()
        await self.call(method, **asked)
        return time.perf_counter() - began


@contextlib.asynccontextmanager
async def house(folder: Path, size: int) -> AsyncIterator[House]:
    settings = load_settings(
        data=folder / str(size), rules=folder / "none.yaml", token=TOKEN, limit_user=10**9, limit_key=10**9
    )
    with control.own(settings.data):
        async with open_bridge(settings) as bridge:
            yield House(bridge, size)


async def compare(name: str, short: House, long: House, method: str, **asked: Any) -> None:
    times = [(await short.timed(method, **asked), await long.timed(method, **asked)) for _ in range(ROUNDS)]
    a, b = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{name:32} {a * 1e3:9.2f} ms {b * 1e3:9.2f} ms   x {b / a:.2f}")


async def since(short: House, long: House) -> None:
    await asyncio.sleep(1.1)
    now = int(time.time())
    for one in (short, long):
        changed = [{"action": "favorite", "url": record(n, one.size).item.url} for n in range(100)]
        await one.call("send", actions=changed)
    await compare("since, 100 changes", short, long, "get", since=now, count=200)


async def paging(long: House) -> None:
    """The whole list in pages of 500 by offset."""
    size = 500
    times = [await long.timed("get", count=size, offset=offset) for offset in range(0, long.size, size)]
    tenth = max(1, len(times) // 10)
    early, late = statistics.median(times[:tenth]), statistics.median(times[-tenth:])
    print(
        f"{'page by offset, first and last tenth':36} {early * 1e3:5.2f} ms {late * 1e3:9.2f} ms   x {late / early:.2f}"
    )


async def sending(short: House) -> None:
    """CPU of the whole process and commits, per add."""
    commits: list[str] = []
    short.bridge.store._database._writer.set_trace_callback(
        lambda sql: commits.append(sql) if sql == "COMMIT" else None
    )
    costs: list[tuple[float, float]] = []
    for round_ in range(5):
        urls = [f"https://new.example/{round_}/{n}" for n in range(200)]
        began = time.process_time()
        for url in urls[:100]:
            await short.call("send", actions=[{"action": "add", "url": url}])
        single = time.process_time() - began
        commits.clear()
        began = time.process_time()
        await short.call("send", actions=[{"action": "add", "url": url} for url in urls[100:]])
        costs.append((single, time.process_time() - began))
    single, together = (statistics.median(column) for column in zip(*costs, strict=True))
    print(
        f"100 adds, one by one and in one send   {single * 10:.2f} ms {together * 10:.3f} ms   x {together / single:.3f}"
        f"   ({len(commits)} commit)"
    )


def importing(folder: Path) -> None:
    """Peak memory of `pocket-bridge import`, which holds the whole bridge when none runs, with files of two lengths."""
    peaks = []
    for rows in (10_000, 100_000):
        path = folder / f"{rows}.csv"
        with path.open("w") as file:
            file.write("title,url,time_added,tags,status\n")
            file.writelines(f"A title {n},https://a.example/{n},{1_400_000_000 + n},a|b,unread\n" for n in range(rows))
        environment = {**os.environ, "BRIDGE_DATA": str(folder / f"import{rows}"), "BRIDGE_RULES": os.devnull}
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "import", str(path)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append((usage.ru_maxrss / 1024, time.perf_counter() - began))
    (small, _), (large, seconds) = peaks
    print(
        f"import of 10,000 and 100,000 rows      {small:.0f} MB {large:.0f} MB   x {large / small:.2f}   ({seconds:.0f} s)"
    )


async def everything(folder: Path, sizes: tuple[int, int]) -> None:
    async with house(folder, sizes[0]) as short, house(folder, sizes[1]) as long:
        filled = [await one.fill() for one in (short, long)]
        print(
            f"{'filling, per item':32} {filled[0] * 1e6:9.0f} µs {filled[1] * 1e6:9.0f} µs   x {filled[1] / filled[0]:.2f}"
        )
        for name, asked in CALLS.items():
            await compare(name, short, long, "stats" if name == "stats" else "get", **asked)
        await since(short, long)
        await paging(long)
        await sending(short)


def main() -> None:
    sizes = (500, 50_000) if "--quick" in sys.argv else (10_000, 1_000_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"items: {sizes[0]:,} and {sizes[1]:,}")
        asyncio.run(everything(folder, sizes))
        importing(folder)


if __name__ == "__main__":
    main()
