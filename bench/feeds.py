"""What polling feeds costs, beside other programs that do: `python -m bench.feeds [--feeds 1000] [--peers PYTHON]`.

One server on loopback publishes feeds of 20 to 50 KB and 30 entries. Every program polls all of them for the first time,
then again when nothing has changed (304), then when the headers are others and the body is the same. Told are
feeds a second and CPU a feed, children included; memory is the process' own. `--peers` is a Python in whose environment
`reader` and `feed2exec` are installed; newsboat takes part when it is on the PATH. `--flat` compares the memory at
100 and 10,000 feeds instead, SQLite's caches full.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import html
import json
import os
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from bridge.store.sqlite import Tx

ROOT = Path(__file__).resolve().parents[1]
ENTRIES = 30
ROUNDS = ("first", "304", "same body")
SLOW = 40
"""Feeds for peers that take more than half a second for each of them."""


# -- the server -------------------------------------------------------------------------------------------------------


def document(number: int) -> bytes:
    """20 to 50 KB, the same for the same number."""
    chance = random.Random(number)
    words = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt".split()

    def paragraph(address: str) -> str:
        """With the markup that posts have."""
        one, two, three = (" ".join(chance.choices(words, k=chance.randint(8, 22))) for _ in range(3))
        return f'<p>{one} <a href="{address}" title="{words[0]}">{two}</a>, <em>{words[1]}</em><br/>{three}.</p>'

    def entry(n: int) -> str:
        address = f"https://site{number}.example/{n}/{'-'.join(chance.choices(words, k=4))}"
        said = html.escape("".join(paragraph(address) for _ in range(chance.randint(1, 1 + number % 4))))
        return (
            f"<item><title>{' '.join(chance.choices(words, k=8)).title()}</title><link>{address}</link>"
            f"<guid isPermaLink='false'>{number}:{n}</guid><pubDate>Mon, 02 Mar 2026 10:{n:02d}:00 GMT</pubDate>"
            f"<category>{chance.choice(words)}</category><description>{said}</description></item>"
        )

    items = "".join(entry(n) for n in range(ENTRIES))
    return (
        f"<?xml version='1.0'?><rss version='2.0'><channel><title>Site {number}</title>{items}</channel></rss>".encode()
    )


class Publisher(asyncio.Protocol):
    """Answers /NUMBER; 304 to its own tag. /mode/changed: from now on every tag is another one."""

    feeds: ClassVar[dict[int, bytes]] = {}
    changed = False
    answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, self.received = self.received.split(b"\r\n\r\n", 1)
            self.transport.write(self.answer(head))
            if b"HTTP/1.0" in head or b"onnection: close" in head:
                self.transport.close()

    def answer(self, head: bytes) -> bytes:
        path = head.split(b" ", 2)[1].decode()
        if path.startswith("/mode/"):
            Publisher.changed = path == "/mode/changed"
            return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        Publisher.answered += 1
        tag = b'"%d"' % (Publisher.answered if Publisher.changed else 0)
        if b": " + tag + b"\r\n" in head + b"\r\n":
            return b"HTTP/1.1 304 Not Modified\r\nETag: " + tag + b"\r\n\r\n"
        number = int(path[1:])
        body = self.feeds.get(number) or self.feeds.setdefault(number, document(number))
        lines = b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nETag: %b\r\nContent-Length: %d\r\n\r\n"
        return lines % (tag, len(body)) + body


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Publisher, "0.0.0.0", port, backlog=2000)
    await server.serve_forever()


@dataclass(frozen=True)
class Site:
    """Loopback has more addresses than one: `hosts` of them, so that politeness to each costs nothing."""

    port: int
    feeds: int
    hosts: int

    def urls(self, feeds: int = 0) -> list[str]:
        return [
            f"http://127.0.{n % self.hosts // 250}.{n % self.hosts % 250 + 1}:{self.port}/{n}"
            for n in range(feeds or self.feeds)
        ]

    def mode(self, name: str) -> None:
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/mode/{name}").close()


@contextlib.contextmanager
def published(feeds: int, hosts: int) -> Iterator[Site]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    process = subprocess.Popen([sys.executable, "-m", "bench.feeds", "--serve", str(port)], cwd=ROOT)
    try:
        until = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if time.monotonic() > until:
                raise SystemExit("the server does not listen")
            time.sleep(0.05)
        site = Site(port, feeds, hosts)
        for url in site.urls():  # made beforehand, not while somebody waits
            urllib.request.urlopen(url).close()
        yield site
    finally:
        process.terminate()
        process.wait()


# -- programs: each prints a line of JSON per round ---------------------------------------------------------------------


@dataclass(frozen=True)
class Round:
    name: str
    feeds: int
    seconds: float
    cpu: float
    memory: float

    @classmethod
    def of(cls, line: str) -> Round:
        return cls(**json.loads(line))


class Stopwatch:
    """Wall and CPU time, children included, since it was made."""

    def __init__(self, feeds: int) -> None:
        self._feeds = feeds
        self._cpu, self._time = spent(), time.perf_counter()

    def tell(self, name: str) -> None:
        seconds, cpu = time.perf_counter() - self._time, spent() - self._cpu
        print(
            json.dumps({"name": name, "feeds": self._feeds, "seconds": seconds, "cpu": cpu, "memory": memory()}),
            flush=True,
        )


def spent() -> float:
    """CPU seconds of this process and of all below it, ended or not."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    living = sum(map(_spent_by, _children(os.getpid())))
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime + living


def _children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _spent_by(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def bridge(site: Site, folder: Path, rounds: int) -> None:
    """The source as it runs, over the real store: scheduled, limited, every state on disk."""
    from bridge.net import Net
    from bridge.rules import Feed, start_of
    from bridge.sources.feeds.source import Feeds, Follower, Registry
    from bridge.store.core import Store

    offset = 0.0

    def clock() -> float:
        return time.time() + offset

    store = await Store.open(folder / "bridge.db", clock)
    net = Net(allow_nets=["127.0.0.0/8"])
    followers = [
        Follower(feed=Feed(url=url, name=str(n), start=start_of("all"), at_once=ENTRIES))
        for n, url in enumerate(site.urls())
    ]
    registry = Registry(store, followers)
    feeds = Feeds(store, net, registry, clock=clock, chance=random.random)
    for number in range(rounds):
        name = ROUNDS[min(number, 1)] if number < rounds - 1 else ROUNDS[2]
        if name == ROUNDS[2]:
            await asyncio.to_thread(site.mode, "changed")
        begun, watch = clock(), Stopwatch(site.feeds)
        running = asyncio.create_task(feeds.run())
        while not await _all_polled(store, feeds, begun):
            await asyncio.sleep(0.02)
        watch.tell(name)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        offset += 7300
    site.mode("as-usual")
    states = [json.loads(await store.cursor(scope) or "{}") for scope in registry.channels]
    if failed := [state for state in states if state.get("last_error")]:
        raise SystemExit(f"{len(failed)} polls failed: {failed[0]}")
    [(arrivals,)] = await store._database.read(lambda tx: tx.execute("SELECT count(*) FROM arrival").fetchall())
    if arrivals != ENTRIES * site.feeds:
        raise SystemExit(f"{arrivals} entries arrived instead of {ENTRIES * site.feeds}")
    await store.close()
    await net.close()


KEEP = "INSERT INTO progress (scope, value) VALUES (?, ?)"


async def remembering(site: Site, folder: Path) -> None:
    """All feeds have been polled before, as their states in the database say; one round of 304."""
    from bridge.net import Net
    from bridge.ports import Subscription
    from bridge.sources.feeds.source import Feeds, Registry
    from bridge.sources.feeds.state import FeedState
    from bridge.store.core import Store

    store = await Store.open(folder / "bridge.db", time.time)
    net = Net(allow_nets=["127.0.0.0/8"])
    long_ago = time.time() - 100_000
    for start in range(0, site.feeds, 1000):
        urls = site.urls()[start : start + 1000]
        new = [
            Subscription(account="me", url=url, name=f"feed-{start + n}", options="{}") for n, url in enumerate(urls)
        ]
        await store.subscribe(new)
        tags = {"etag": '"0"', "body": "0" * 64, "started": True, "polled": long_ago}
        rows = [(f"feed:{url}", FeedState(validated=url, **tags).text) for url in urls]
        rows += [(f"follow:me:{url}", json.dumps({"taken": time.time() + 10})) for url in urls]
        await store._database.write(lambda tx, rows=rows: tx.executemany(KEEP, rows).rowcount)
    await store._database.write(_fill)
    await store._database.read(_look_through)
    await store._database.write(_look_through)
    registry = Registry(store)
    await registry.restore()
    feeds = Feeds(store, net, registry, clock=time.time, chance=random.random)
    watch = Stopwatch(site.feeds)
    running = asyncio.create_task(feeds.run())
    while not await _all_polled(store, feeds, long_ago + 1):
        await asyncio.sleep(0.02)
    watch.tell("304")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close()
    await net.close()


def _fill(tx: Tx) -> None:
    """More than SQLite's caches hold: full they are as large whatever is followed, and no feed's memory."""
    for number in range(16_384):
        tx.execute(KEEP, (f"other:{number}", "x" * 1000))


def _look_through(tx: Tx) -> None:
    tx.execute("SELECT sum(length(value)) FROM progress").fetchall()


async def _all_polled(store: object, feeds: object, since: float) -> bool:
    """First as the schedule has it, which costs nothing; then as the database has it: nothing counts that is not kept."""
    schedule = feeds._schedule  # type: ignore[attr-defined]
    if schedule._running or schedule._lines or len(schedule.names) < len(feeds.registry.channels) or len(feeds._moves):  # type: ignore[attr-defined]
        return False
    sql = "SELECT count(*) FROM progress WHERE scope LIKE 'feed:%' AND json_extract(value, '$.polled') < ?"
    read = store._database.read  # type: ignore[attr-defined]
    [(total,)] = await read(lambda tx: tx.execute("SELECT count(*) FROM progress WHERE scope LIKE 'feed:%'").fetchall())
    [(left,)] = await read(lambda tx: tx.execute(sql, (since,)).fetchall())
    return bool(total >= len(feeds.registry.channels) and not left)  # type: ignore[attr-defined]


READER = """
import sys, json
sys.path.insert(0, {root!r})
from bench.feeds import Site, Stopwatch, ROUNDS
from reader import make_reader
site, rounds, workers = Site(*{site!r}), {rounds}, {workers}
reader = make_reader({folder!r} + "/db.sqlite")
for url in site.urls():
    reader.add_feed(url)
for number in range(rounds):
    name = ROUNDS[min(number, 1)] if number < rounds - 1 else ROUNDS[2]
    if name == ROUNDS[2]:
        site.mode("changed")
    watch = Stopwatch(site.feeds)
    results = list(reader.update_feeds_iter(workers=workers, scheduled=False))
    watch.tell(name)
    failed = [result for result in results if isinstance(result.value, Exception)]
    assert len(results) == site.feeds and not failed, failed[:1]
site.mode("as-usual")
"""

FEED2EXEC = """
import sys
sys.path.insert(0, {root!r})
import subprocess
from bench.feeds import Site, Stopwatch
site, rounds = Site(*{site!r}), {rounds}
command = [sys.executable, "-m", "feed2exec", "--config", {folder!r} + "/config", "--database", {folder!r} + "/feeds.db"]
feeds = [f"[{{number}}]\\nurl = {{url}}\\noutput = feed2exec.plugins.null\\n" for number, url in enumerate(site.urls())]
open({folder!r} + "/config", "w").write("\\n".join(feeds))
for name in ("first", "304"):
    watch = Stopwatch(site.feeds)
    subprocess.run([*command, "fetch"], check=True, capture_output=True)
    watch.tell(name)
"""

NEWSBOAT = """
import sys
sys.path.insert(0, {root!r})
import pathlib, subprocess
from bench.feeds import Site, Stopwatch
site, folder = Site(*{site!r}), pathlib.Path({folder!r})
(folder / "urls").write_text("\\n".join(site.urls()) + "\\n")
(folder / "config").write_text("reload-threads 4\\n")
for name in ("first", "304"):
    watch = Stopwatch(site.feeds)
    files = ["-u", folder / "urls", "-c", folder / "cache.db", "-C", folder / "config"]
    subprocess.run(["newsboat", *files, "-x", "reload"], check=True, capture_output=True)
    watch.tell(name)
"""


def measured(command: list[str], rounds: int) -> dict[str, list[Round]]:
    """What it says of its rounds, by name."""
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    lines = [line for line in said.stdout.splitlines() if line.startswith("{")]
    if said.returncode or not lines:
        raise SystemExit(f"{command[:3]} failed: {said.stderr[-2000:]}")
    found: dict[str, list[Round]] = {}
    for one in map(Round.of, lines):
        found.setdefault(one.name, []).append(one)
    return found


def peers(site: Site, python: str, folder: Path, rounds: int) -> Iterator[tuple[str, list[str]]]:
    """Those that are installed, and how each is asked."""
    few = Site(site.port, min(site.feeds, SLOW), site.hosts)

    def script(text: str, where: str, asked: Site, **more: object) -> str:
        (folder / where).mkdir()
        return text.format(
            root=str(ROOT),
            site=(asked.port, asked.feeds, asked.hosts),
            rounds=rounds,
            folder=str(folder / where),
            **more,
        )

    yield (
        "bridge",
        [
            sys.executable,
            "-m",
            "bench.feeds",
            "--poll",
            json.dumps([site.port, site.feeds, site.hosts]),
            "--rounds",
            str(rounds),
        ],
    )
    if python and not _lacks(python, "reader"):
        for workers in (1, 10):
            yield (
                f"reader, {workers} worker{'s' * (workers > 1)}",
                [python, "-c", script(READER, f"reader{workers}", site, workers=workers)],
            )
    if python and not _lacks(python, "feed2exec"):
        yield "feed2exec", [python, "-c", script(FEED2EXEC, "feed2exec", few)]
    if shutil.which("newsboat"):
        yield "newsboat", [sys.executable, "-c", script(NEWSBOAT, "newsboat", site)]


def _lacks(python: str, module: str) -> bool:
    lacks = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode != 0
    if lacks:
        print(f"({module} is not installed there)")
    return lacks


def compare(site: Site, python: str, rounds: int) -> None:
    results: dict[str, dict[str, list[Round]]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name, command in peers(site, python, Path(folder), rounds):
            results[name] = measured(command, rounds)
            print("\n".join(_rows(name, results[name])), flush=True)
    reader = min(
        (rows for name, rows in results.items() if name.startswith("reader")),
        key=lambda rows: _cpu(rows["304"]),
        default=None,
    )
    if reader:
        ours = results["bridge"]
        fastest = min(rows["first"][0].seconds for name, rows in results.items() if name.startswith("reader"))
        print(
            f"\nfeeds per CPU second at 304, times reader's best: {_cpu(reader['304']) / _cpu(ours['304']):.1f} (target 5)"
        )
        print(
            f"first poll in wall time, times faster than reader's best: {fastest / ours['first'][0].seconds:.1f} (target 1.5)"
        )
        print(
            f"same body under other headers, times the CPU of a 304: {_cpu(ours['same body']) / _cpu(ours['304']):.1f}; of a first poll: {_cpu(ours['same body']) / _cpu(ours['first']):.3f}"
        )


def _rows(name: str, rounds: dict[str, list[Round]]) -> Iterator[str]:
    for kind, found in rounds.items():
        rate = statistics.median(one.feeds / one.seconds for one in found)
        yield f"| {name} | {kind} | {found[0].feeds} | {rate:,.0f} | {1000 * _cpu(found):.2f} | {found[-1].memory:.0f} |"


def _cpu(rounds: list[Round]) -> float:
    """Seconds a feed; of several rounds the median."""
    return statistics.median(one.cpu / one.feeds for one in rounds)


def flat(many: int) -> None:
    """The same process with a hundred times as many feeds, followed by hand, after a poll that changed nothing.

    SQLite's caches are full in both.
    """
    told = []
    for feeds in (many // 100, many):
        with published(1, 1) as site:
            asked = json.dumps([site.port, feeds, 250])
            command = [sys.executable, "-m", "bench.feeds", "--remember", asked]
            told.append(measured(command, 1)["304"][-1].memory)
            print(f"{feeds} feeds: {told[-1]:.0f} MB", flush=True)
    print(f"a hundred times as many feeds take {told[1] / told[0]:.2f} times the memory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feeds", type=int, default=1000)
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5, help="1 first, 1 with the same body, all between with 304")
    parser.add_argument("--peers", default="", metavar="PYTHON")
    parser.add_argument("--flat", type=int, nargs="?", const=10_000, default=0, metavar="FEEDS")
    for hidden in ("--serve", "--poll", "--remember"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(int(given.serve)))
    elif given.poll:
        import uvloop  # peers that import this file have none

        loop = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, loop as runner:
            runner.run(bridge(Site(*json.loads(given.poll)), Path(folder), given.rounds))
    elif given.remember:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            asyncio.run(remembering(Site(*json.loads(given.remember)), Path(folder)))
    elif given.flat:
        flat(given.flat)
    else:
        print("| | poll | feeds | feeds/s | CPU ms a feed | MB |\n|---|---|---|---|---|---|")
        with published(given.feeds, given.hosts) as site:
            compare(site, given.peers, max(3, given.rounds))


if __name__ == "__main__":
    main()
