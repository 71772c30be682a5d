"""How fast what waits is sent, and what waiting costs.

    python -m bench.sending [--links 100000] [--waiting 1000000] [--rounds 3] [--only drain,claim,memory,intake]
        [--peers PYTHON]

`--peers`: a Python with procrastinate and pgqueuer (with asyncpg and psycopg); needs Debian's postgresql too. What is
absent is skipped and said.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import pwd
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from bridge.delivery import Delivered, settlement
from bridge.destinations import pocket
from bridge.link import Sighting
from bridge.net import Net
from bridge.ports import Arrival, Key, Read, Terms
from bridge.rules import Decision
from bridge.sender import Sender
from bridge.service import collect_seldom
from bridge.store.core import Store
from bridge.store.sqlite import Tx

BATCH = 100
PEERS = Path(__file__).with_name("sending_peers.py")
CACHES_MB = 12
TITLE = "A page of the usual length of a title"

SQL_WAITING = """
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
    INSERT INTO delivery (link, connection, account, url, title, tags, sent_tags, added, at, state, because, due, lane,
        found, attempts, revision, sent_revision, lease, remote_id, changed)
    SELECT 1000000000 + n, ?, 'me', 'https://example.com/articles/' || n, ?, '["one", "two"]', '[]', 0, ?, 'pending',
        'new', ?, 0, 0, 0, 1, 0, '', '', ? FROM number
"""


class Taker(asyncio.Protocol):
    """The least of a server: takes every action, whoever it comes from."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.buffer = transport, bytearray()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (head := self.buffer.find(b"\r\n\r\n")) >= 0:
            headers = bytes(self.buffer[:head]).lower()
            length = int(headers.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self.buffer) < head + 4 + length:
                return
            body = json.loads(self.buffer[head + 4 : head + 4 + length])
            del self.buffer[: head + 4 + length]
            number = len(body["actions"])
            answer = b'{"status":1,"action_results":[' + b",".join([b'{"item_id":"7"}'] * number) + b"]}"
            answer_head = (
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Source: Pocket\r\nContent-Length: %d\r\n\r\n"
            )
            self.transport.write(answer_head % len(answer) + answer)  # type: ignore[attr-defined]


async def _take() -> None:
    server = await asyncio.get_running_loop().create_server(Taker, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def taker() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-m", "bench.sending", "--taker"], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextlib.asynccontextmanager
async def a_store(folder: str, *, waiting: int = 0) -> AsyncIterator[Store]:
    store = await Store.open(Path(folder) / "bridge.db", time.time)
    now = time.time()

    def fill(tx: Tx) -> int:
        return tx.execute(SQL_WAITING, (waiting, "there", TITLE, now, now, now)).rowcount

    if waiting:
        await store._database.write(fill)
    yield store
    await store.close()


# -- draining ----------------------------------------------------------------------------------------------------------


class Drained(NamedTuple):
    """Links a second, and microseconds of this process's processors for each: the server has its own."""

    rate: float
    cost: float


@contextlib.contextmanager
def measured(links: int) -> Iterator[list[Drained]]:
    began, cost = time.perf_counter(), time.process_time()
    found: list[Drained] = []
    yield found
    found.append(Drained(links / (time.perf_counter() - began), (time.process_time() - cost) / links * 1e6))


async def bare(origin: str, links: int) -> Drained:
    """No queue: what anybody writes to post the same bodies, one after the other."""
    keys = {"consumer_key": "1-bench", "access_token": "t"}
    actions = [
        {
            "action": "add",
            "time": "1790000000",
            "url": f"https://example.com/articles/{number}",
            "title": TITLE,
            "tags": "one,two",
        }
        for number in range(links)
    ]
    async with httpx.AsyncClient(base_url=origin, trust_env=False) as client:
        with measured(links) as found:
            for start in range(0, links, BATCH):
                answer = await client.post("/v3/send", json={**keys, "actions": actions[start : start + BATCH]})
                answer.json()
        return found[0]


async def queued(origin: str, links: int) -> Drained:
    """The same from the outbox, by the same sender and destination as in the process."""
    with tempfile.TemporaryDirectory() as folder:
        async with a_store(folder, waiting=links) as store:
            net = Net()
            options = pocket.Options.model_validate(
                {"base_url": origin, "consumer_key": "1-bench", "access_token": "t", "batch": BATCH}
            )
            there = pocket.connect(options, name="there", transport=net.transport(origin))
            sender = Sender(store, there, clock=time.time, chance=random.random)
            with measured(links) as found:
                while await sender.step():
                    pass
            states = (await store.counts())["deliveries"]["there"]
            await there.close()
            await net.close()
            assert states == {"delivered": links}, states
            return found[0]


async def drain(given: argparse.Namespace) -> None:
    with taker() as origin:
        rounds = [(await bare(origin, given.links), await queued(origin, given.links)) for _ in range(given.rounds)]
    ratios = [queued.rate / bare.rate for bare, queued in rounds]
    for name, runs in zip(("bare httpx loop", "outbox, sender, destination"), zip(*rounds, strict=True), strict=True):
        told("drain", f"{name}: {spread([one.rate for one in runs])} links/s")
        told("drain", f"{name}: {min(one.cost for one in runs):.1f} µs of processor a link at best")
    target("drain", "of a bare loop", statistics.median(ratios), 0.5)


# -- claim and settle --------------------------------------------------------------------------------------------------


async def claim(given: argparse.Namespace) -> None:
    ours = [await _claimed(given.links, given.claim) for _ in range(given.rounds)]
    told("claim", f"bridge, {given.claim} at once: {spread(ours)} links/s")
    for name, at_least, jobs in (("procrastinate", 50, 2000), ("pgqueuer", 3, min(given.links, 20_000))):
        rates = list(peers(given.peers, name, jobs, given.rounds))
        if rates:
            told("claim", f"{name}: {spread(rates)} jobs/s")
            target("claim", f"of {name}", statistics.median(ours) / statistics.median(rates), at_least)


async def _claimed(links: int, batch: int) -> float:
    terms = Terms(connection="there", batch=batch, idempotent=True)
    with tempfile.TemporaryDirectory() as folder:
        async with a_store(folder, waiting=links) as store:
            began = time.perf_counter()
            leased = await store.lease(terms)
            while leased:
                done = settlement(0, Delivered("created", "7"), now=time.time(), chance=0.5)
                settling = store.settle([(delivery, done) for delivery in leased])
                _, leased = await asyncio.gather(settling, store.lease(terms))
            rate = links / (time.perf_counter() - began)
            assert (await store.counts())["deliveries"]["there"] == {"delivered": links}
            return rate


def peers(python: str, name: str, jobs: int, rounds: int) -> Iterator[float]:
    """Jobs a second of each round; nothing, with a word, where something is missing."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not python or not binaries:
        missing = "--peers was not given" if binaries else "there is no postgresql"
        told("claim", f"{name}: skipped, {missing}")
        return
    for _ in range(rounds):
        with postgres(binaries[-1]) as dsn:
            run = subprocess.run(
                [python, str(PEERS), name, str(jobs), dsn], capture_output=True, text=True, check=False, timeout=600
            )
        if run.returncode:
            told("claim", f"{name}: skipped, {run.stderr.strip().splitlines()[-1][:200]}")
            return
        said = json.loads(run.stdout.splitlines()[-1])
        yield said["jobs"] / said["seconds"]


@contextlib.contextmanager
def postgres(binaries: Path) -> Iterator[str]:
    """A database of its own, as it comes, on a socket in a folder of its own."""
    folder = Path(tempfile.mkdtemp())
    user: dict[str, Any] = {}
    if os.getuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        user = {"user": owner.pw_uid, "group": owner.pw_gid}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    subprocess.run(
        [binaries / "initdb", "-D", folder / "db", "-U", "bench", "-A", "trust"], check=True, **user, **quiet
    )
    options = ["-D", folder / "db", "-k", folder, "-c", "listen_addresses="]
    process = subprocess.Popen([binaries / "postgres", *options], **user, **quiet)
    try:
        ready = [binaries / "pg_isready", "-h", folder, "-q"]
        while subprocess.run(ready, check=False, **quiet).returncode:
            time.sleep(0.1)
        yield f"postgresql://bench@/postgres?host={folder}"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


# -- what waiting costs ------------------------------------------------------------------------------------------------


async def memory(given: argparse.Namespace) -> None:
    few, many = (_part("sent", waiting, given) for waiting in (1_000, given.waiting))
    told("memory", f"sending with 1,000 waiting: {few['peak']:.0f} MB; with {given.waiting:,}: {many['peak']:.0f} MB")
    # What grows is the database's own page caches, until they are full.
    target(
        "memory", "of what the page caches may take is more", (many["peak"] - few["peak"]) / CACHES_MB, 1.0, most=True
    )


async def intake(given: argparse.Namespace) -> None:
    pairs = [(_part("taken", 0, given), _part("taken", given.waiting, given)) for _ in range(given.rounds)]
    for waiting, runs in zip(("nothing", f"{given.waiting:,}"), zip(*pairs, strict=True), strict=True):
        told("intake", f"with {waiting} waiting: {spread([one['rate'] for one in runs])} links/s")
        told("intake", f"with {waiting} waiting: {min(one['cost'] for one in runs):.0f} µs of processor a link at best")
    ratio = statistics.median(full["rate"] / empty["rate"] for empty, full in pairs)
    target("intake", "of the speed without a backlog", ratio, 0.9)


def _part(part: str, waiting: int, given: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.sending", "--part", part, "--waiting", str(waiting)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    said: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return said


async def _sent(waiting: int) -> dict[str, float]:
    terms = Terms(connection="there", batch=BATCH, idempotent=True)
    with tempfile.TemporaryDirectory() as folder:
        async with a_store(folder, waiting=waiting) as store:
            for _ in range(min(waiting, 1_000) // BATCH):
                leased = await store.lease(terms)
                done = settlement(0, Delivered(), now=time.time(), chance=0.5)
                await store.settle([(delivery, done) for delivery in leased])
                await store.next_due(terms)
            status = Path("/proc/self/status").read_text()
            return {"peak": int(status.split("VmHWM:")[1].split()[0]) / 1024}


async def _taken(waiting: int) -> dict[str, float]:
    links = 20_000  # the first few hundred bring the database's pages into memory, once
    with tempfile.TemporaryDirectory() as folder:
        async with a_store(folder, waiting=waiting) as store:
            with measured(links) as found:
                for start in range(0, links, 250):
                    urls = [f"https://new.example/{start + n}" for n in range(250)]
                    await store.put([Arrival(source="feed", key=Key("b", url), raw=url) for url in urls])
                    decision = Decision(title=TITLE, tags=("one", "two"), to=("there",))
                    reads = [
                        Read(one, "read", "", [(Sighting.of(one.raw, source="feed"), decision)])
                        for one in await store.due(250)
                    ]
                    await store.take(reads, "none")
            return found[0]._asdict()


# -- telling -----------------------------------------------------------------------------------------------------------

MISSED: list[str] = []


def spread(rates: list[float]) -> str:
    return " / ".join(f"{rate:,.0f}" for rate in (min(rates), statistics.median(rates), max(rates)))


def told(part: str, words: str) -> None:
    print(f"{part:7} {words}", flush=True)


def target(part: str, words: str, ratio: float, wanted: float, *, most: bool = False) -> None:
    met = ratio <= wanted if most else ratio >= wanted
    told(
        part,
        f"{ratio:.2f}x {words}; target {'at most' if most else 'at least'} {wanted}x: {'met' if met else 'NOT MET'}",
    )
    if not met:
        MISSED.append(part)


PARTS = {"drain": drain, "claim": claim, "memory": memory, "intake": intake}


async def _all(given: argparse.Namespace) -> None:
    for name in given.only.split(","):
        await PARTS[name](given)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--links", type=int, default=100_000)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--claim", type=int, default=500, help="links leased at once where only claim and settle count")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--peers", default="", help="a Python that has procrastinate and pgqueuer")
    parser.add_argument("--taker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--part", choices=["sent", "taken"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.taker:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_take())
        return 0
    if given.part:
        print(json.dumps(asyncio.run({"sent": _sent, "taken": _taken}[given.part](given.waiting))))
        return 0
    collect_seldom()  # as the program does
    asyncio.run(_all(given))
    return 1 if MISSED else 0


if __name__ == "__main__":
    raise SystemExit(main())
