"""Links over bad lines: every connection drops, delays, cuts and loses answers, and the process is killed meanwhile.

    python -m tests.reliability.lines --links 10000 --restarts 50 --seed 7

In front of the process people post until they have a 2xx, and some once more. Behind it are three services: a list that
knows an address it has (upserts), a notebook that does not, and a drawer that does not, but can be asked. Every link
goes to all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bridge.web.server import listen
from tests.loopback import serve
from tests.reliability import history
from tests.reliability.history import History
from tests.reliability.nursery import Life, Nursery, a_nursery
from tests.reliability.proxy import FAULTS, Proxy, a_proxy
from tests.reliability.services import Effect, Notes, UpsertingList

OWNER_TOKEN = "0123456789abcdef0123456789abcdef"
SERVICES = ("list", "notebook", "drawer")
SHORTEST_LIFE, LONGEST_LIFE = 1.0, 3.0
TOGETHER = 10
REPEATED = 0.2  # of the posts that were answered come once more
DRAIN_SECONDS = 900.0
TAKEN_SECONDS = 180.0
LEAST_LOST = 0.10

RULES = """
destinations:
  list: {{type: pocket, base_url: {list}, consumer_key: 1-list, access_token: {{env: LIST_TOKEN}}, batch: {batch}}}
  notebook: {{type: tests.reliability.notebook, base_url: {notebook}, batch: {batch}, says_idempotent: {careless}}}
  drawer: {{type: tests.reliability.notebook, base_url: {drawer}, batch: {batch}, finds: true}}
rules:
  - name: everywhere
    if: {{domain: line.example}}
    then: {{to: [reading, list, notebook, drawer]}}
"""


@dataclass
class Result:
    """What a run came to. `made`: how often each service made each link; `states`: what the store says of them."""

    seed: int
    history: Path
    links: frozenset[str]
    restarts: int = 0
    proxies: dict[str, Proxy] = field(default_factory=dict)
    listed: Counter[str] = field(default_factory=Counter)
    made: dict[str, Counter[str]] = field(default_factory=dict)
    states: dict[str, dict[str, str]] = field(default_factory=dict)
    overlaps: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def unknown(self, service: str) -> set[str]:
        return {url for url, state in self.states[service].items() if state == "unknown"}

    def missing(self, service: str) -> frozenset[str]:
        """Not there, and not said to be unknown either."""
        return self.links - set(self.made[service]) - self.unknown(service)

    def doubled(self, service: str) -> dict[str, int]:
        return history.doubled(self.made[service].elements())

    @property
    def faults(self) -> Counter[str]:
        return sum((proxy.counts for proxy in self.proxies.values()), Counter())

    @property
    def lost_share(self) -> float:
        return self.faults["answer lost"] / max(1, sum(proxy.exchanges for proxy in self.proxies.values()))

    @property
    def failures(self) -> list[str]:
        found: dict[str, object] = {
            "missing in the embedded list": self.links - set(self.listed),
            "twice in the embedded list": history.doubled(self.listed.elements()),
            "unknown where it can be found out": self.unknown("list") | self.unknown("drawer"),
            "leases overlap": self.overlaps,
            "faults that nothing met": [fault for fault in FAULTS if not self.faults[fault]],
            "too few answers were lost": self.lost_share if self.lost_share < LEAST_LOST else None,
        }
        for service in SERVICES:
            found |= {f"missing at {service}": self.missing(service), f"doubled at {service}": self.doubled(service)}
        return [f"{name}: {str(what)[:500]}" for name, what in found.items() if what]

    def __str__(self) -> str:
        lines = [f"  {name}: {proxy}" for name, proxy in self.proxies.items()]
        lines += [
            f"  {service}: made {sum(self.made[service].values()):,}, missing {len(self.missing(service))}, "
            f"doubled {len(self.doubled(service))}, unknown {len(self.unknown(service))} "
            f"({len(self.unknown(service) & set(self.made[service]))} of them are there)"
            for service in SERVICES
        ]
        lost = f"{self.lost_share:.0%} of all answers lost"
        return "\n".join(
            [
                f"seed {self.seed}, history {self.history}",
                f"{len(self.links):,} links, {self.restarts} restarts in {self.seconds:.0f} s; {lost}",
                *lines,
                f"  embedded list: {len(self.listed):,} items; {len(self.overlaps)} leases overlap",
            ]
        )


@dataclass
class Street:
    """The process between its bad lines."""

    folder: Path
    port: int
    door: Proxy
    history: History
    nursery: Nursery
    chance: random.Random

    @property
    def database(self) -> Path:
        return self.folder / "data" / "bridge.db"

    def life(self) -> Life:
        environment = {
            "BRIDGE_DATA": str(self.folder / "data"),
            "BRIDGE_RULES": str(self.folder / "rules.yaml"),
            "BRIDGE_LISTEN": f"127.0.0.1:{self.port}",
            "BRIDGE_TOKEN": OWNER_TOKEN,
            "BRIDGE_ALLOW_NETS": "127.0.0.0/8",
            "BRIDGE_PAGES": "off",  # nothing there to look at
            "BRIDGE_LOG_LEVEL": "ERROR",
            "LIST_TOKEN": "secret",
        }
        return Life(environment, str(self.folder / "log"), journal=str(self.history.path), hurried=True)

    async def post(self, urls: Sequence[str]) -> None:
        """Until it is taken; and sometimes once more, as people and services do."""
        times = 2 if self.chance.random() < REPEATED else 1
        async with httpx.AsyncClient(base_url=self.door.origin, timeout=5.0, trust_env=False) as client:
            while times:
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.post(
                        "/save", content="\n".join(urls), headers={"Authorization": f"Bearer {OWNER_TOKEN}"}
                    )
                    times -= answer.is_success
                await asyncio.sleep(0.02)
        for url in urls:
            self.history("save", url, "ok")


@contextlib.asynccontextmanager
async def _services(
    folder: Path, result: Result, written: History, chance: random.Random, *, careless: bool
) -> AsyncIterator[None]:
    """The three services, each behind a bad line of its own, and the rule file that names them."""

    def effect(service: str) -> Effect:
        made: Counter[str] = Counter()
        result.made[service] = made

        def happened(url: str) -> None:
            made[url] += 1
            written(f"made at {service}", url, "ok")

        return happened

    apps = {
        "list": UpsertingList(effect("list")).app,
        "notebook": Notes(effect("notebook")).app,
        "drawer": Notes(effect("drawer")).app,
    }
    async with contextlib.AsyncExitStack() as stack:
        for service, app in apps.items():
            origin = await stack.enter_async_context(serve(app))
            result.proxies[service] = await stack.enter_async_context(a_proxy(origin, chance))
        origins = {service: proxy.origin for service, proxy in result.proxies.items()}
        rules = RULES.format(**origins, batch=TOGETHER, careless=str(careless).lower())
        (folder / "rules.yaml").write_text(rules, "utf-8")
        yield


async def travel(folder: Path, *, links: int, restarts: int, seed: int, careless: bool = False) -> Result:
    """Posts, kills and waits until nothing waits any more. `careless`: a service is said to upsert that does not."""
    chance, began = random.Random(seed), time.monotonic()
    written = History(folder / "history.jsonl")
    urls = [f"https://line.example/{number}" for number in range(links)]
    result = Result(seed, written.path, frozenset(urls))
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    async with (
        _services(folder, result, written, chance, careless=careless),
        a_proxy(f"http://127.0.0.1:{port}", chance) as door,
        a_nursery() as nursery,
    ):
        result.proxies["door"] = door
        street = Street(folder, port, door, written, nursery, chance)
        for share in _shares(urls, restarts):
            result.restarts += await _live_and_die(street, share)
        await _live_to_the_end(street, result)
        result.states = _states(street.database)
    written.close()
    events = list(history.read(written.path))
    result.overlaps = history.overlapping(events) + history.settled_twice(events)
    result.seconds = time.monotonic() - began
    return result


def _shares(urls: Sequence[str], number: int) -> Iterator[Sequence[str]]:
    size = -(-len(urls) // number)
    return (urls[start : start + size] for start in range(0, len(urls), size))


async def _live_and_die(street: Street, urls: Sequence[str]) -> bool:
    """One life; people post their share of the links into it, and it is killed while it sends them on."""
    process = await street.nursery.begin(street.life())
    posts = [street.post(urls[start : start + TOGETHER]) for start in range(0, len(urls), TOGETHER)]
    lasts = street.chance.uniform(SHORTEST_LIFE, LONGEST_LIFE)
    async with asyncio.timeout(TAKEN_SECONDS):  # a process that could not begin takes nothing, ever
        await asyncio.gather(*posts, asyncio.sleep(lasts))
    process.kill()
    return await street.nursery.ended(process) == -signal.SIGKILL


async def _live_to_the_end(street: Street, result: Result) -> None:
    process = await street.nursery.begin(street.life())
    until = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < until:
        await asyncio.sleep(0.5)
        if not _waiting(street.database):
            break
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{street.port}", timeout=60.0, trust_env=False) as client:
        asked = {"consumer_key": "1-line", "access_token": OWNER_TOKEN, "state": "all"}
        items = (await client.post("/v3/get", json=asked)).raise_for_status().json()["list"]
    result.listed = Counter(item["given_url"] for item in items.values())
    process.terminate()
    await street.nursery.ended(process)


def _waiting(database: Path) -> int:
    """What will still change by itself: of the notebook an unknown outcome stays so."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        sql = """SELECT (SELECT count(*) FROM arrival WHERE state = 'new') + (SELECT count(*) FROM delivery
            WHERE state IN ('pending', 'leased') OR (state = 'unknown' AND connection <> 'notebook'))"""
        return int(connection.execute(sql).fetchone()[0])


def _states(database: Path) -> dict[str, dict[str, str]]:
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for service, url, state in connection.execute("SELECT connection, url, state FROM delivery").fetchall():
            found[service][url] = state
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--links", type=int, default=500)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--careless", action="store_true", help="the control: an unknown outcome is sent again")
    parser.add_argument("--folder", type=Path, help="keeps everything there; without it, nothing")
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        run = travel(folder, links=asked.links, restarts=asked.restarts, seed=asked.seed, careless=asked.careless)
        result = asyncio.run(run)
        print(result)
        log = (folder / "log").read_text("utf-8", "replace")[-3000:]
    sys.exit("\n".join(["", *result.failures, log]) if result.failures else 0)


if __name__ == "__main__":
    main()
