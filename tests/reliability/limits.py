"""Limits in virtual time: a server that counts calls in fixed hours, and connections that share a key.

    python -m tests.reliability.limits --connections 200 --links 100000 [--seed N] [--reserve] [--careless]

Everything of bridge is real (store, sender, budgets); only the clock and the server are ours. Our clock is set anew, up
to an hour off, whenever the process restarts. `--careless` is the control: connections that name no scope.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import random
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from bridge.delivery import Delivered, Delivery, Outcome
from bridge.errors import Throttled
from bridge.link import Sighting
from bridge.ports import Arrival, Key, Read, Traits
from bridge.rules import Decision
from bridge.sender import Sender
from bridge.store.core import Store

HOUR = 3600.0
KEY = "key:there/1"


@dataclass
class World:
    """True time, which only the world knows, and our clock, which may be off."""

    true: float = 1_790_000_123.0
    off: float = 0.0

    def clock(self) -> float:
        return self.true + self.off


@dataclass
class Server:
    """Takes one action a call; so many for each user and for the key in every hour of its clock."""

    world: World
    per_user: int
    per_key: int
    dialect: str = "x-limit"
    used: dict[str, int] = field(default_factory=dict)
    hour: float = 0.0
    calls: int = 0
    throttled: int = 0

    def call(self, user: str) -> tuple[bool, dict[str, str]]:
        hour = self.world.true // HOUR
        if hour != self.hour:
            self.hour, self.used = hour, {}
        self.calls += 1
        taken = self._left(user) > 0
        if taken:
            for scope in (user, KEY):
                self.used[scope] = self.used.get(scope, 0) + 1
        else:
            self.throttled += 1
        return taken, self._headers(user)

    def _left(self, user: str) -> int:
        return min(self.per_user - self.used.get(user, 0), self.per_key - self.used.get(KEY, 0))

    def _headers(self, user: str) -> dict[str, str]:
        to_go = int(HOUR - self.world.true % HOUR)
        date = {"Date": formatdate(self.world.true, usegmt=True)}
        per_user, per_key = self.per_user - self.used.get(user, 0), self.per_key - self.used.get(KEY, 0)
        match self.dialect:
            case "x-limit":
                user_said = {"Limit": self.per_user, "Remaining": per_user, "Reset": to_go}
                key_said = {"Limit": self.per_key, "Remaining": per_key, "Reset": to_go}
                said = {f"X-Limit-User-{name}": str(value) for name, value in user_said.items()}
                return date | said | {f"X-Limit-Key-{name}": str(value) for name, value in key_said.items()}
            case "x-ratelimit":
                reset = int(self.world.true) + to_go
                numbers = {"Limit": self.per_user, "Remaining": per_user, "Reset": reset}
                return date | {f"X-RateLimit-{name}": str(value) for name, value in numbers.items()}
            case "ratelimit":
                policy = {"RateLimit-Policy": f'"hour";q={self.per_user};w=3600'}
                return date | policy | {"RateLimit": f'"hour";r={per_user};t={to_go}'}
            case _:
                until = formatdate(self.world.true + to_go, usegmt=True)
                return date | ({} if per_user > 0 else {"Retry-After": until})


class Caller:
    """A destination at that server, and when it called."""

    def __init__(self, name: str, server: Server, *, careless: bool, shared: bool = True) -> None:
        self.name = name
        scopes = (f"user:there/{name}", *([KEY] if shared else []))
        self.traits = Traits(batch=1, add_is_idempotent=True, scopes=() if careless else scopes)
        self.calls: list[float] = []
        self.left: dict[str, float] = {}
        self._server = server
        self._heard: list[Mapping[str, str]] = []

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        taken, headers = self._server.call(self.name)
        self._heard.append(headers)
        self.calls.append(self._server.world.true)
        if not taken:
            raise Throttled("the limit is reached")
        self.left |= {delivery.url: self._server.world.true for delivery in batch}
        return [Delivered() for _ in batch]

    def heard(self) -> Sequence[Mapping[str, str]]:
        heard, self._heard = self._heard, []
        return heard

    async def close(self) -> None: ...


@dataclass
class Run:
    """One house in virtual time."""

    folder: Path
    seed: int
    connections: int
    per_user: int = 320
    per_key: int = 10_000
    reserve: float = 0.0
    careless: bool = False
    dialect: str = "x-limit"
    shared: bool = True
    restarts: int = 0
    until: float = float("inf")
    hours: float = 0.0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.world = World(off=self.chance.uniform(-HOUR, HOUR))
        self.server = Server(self.world, self.per_user, self.per_key, self.dialect)
        self.callers = [
            Caller(f"c{number}", self.server, careless=self.careless, shared=self.shared)
            for number in range(self.connections)
        ]
        self.restarted = 0
        self.by_hand: dict[str, float] = {}
        self._turns: list[tuple[float, int]] = []

    async def open(self) -> None:
        self.store = await Store.open(self.folder / "bridge.db", self.world.clock)
        self.store.keep_back(self.reserve)
        await self.store.clock_was_set_back()
        self.senders = []
        for caller in self.callers:
            await self.store.expire(caller.name, idempotent=True)
            self.senders.append(Sender(self.store, caller, clock=self.world.clock, chance=self.chance.random))
        self._turns = [(self.world.true, number) for number in range(self.connections)]

    async def want(self, links: int, *, source: str = "feed", of: int | None = None) -> list[str]:
        """Links for each connection in turn, as intake puts them into the outbox."""
        put = sum((await self.store.counts())["arrivals"].values())
        urls = [f"https://example.com/{put + number}" for number in range(links)]
        for start in range(0, links, 2000):
            part = urls[start : start + 2000]
            await self.store.put([Arrival(source=source, key=Key("t", url), raw=url) for url in part])
            reads = []
            for number, arrival in enumerate(await self.store.due(2000)):
                to = f"c{(start + number) % self.connections if of is None else of}"
                decision = Decision(title="", tags=(), to=(to,))
                reads.append(Read(arrival, "read", "", [(Sighting.of(arrival.raw, source=source), decision)]))
            await self.store.take(reads, "none")
        return urls

    async def work(self, *, hands: Sequence[float] = (), restarts: Sequence[float] = ()) -> None:
        """Until nothing waits, or the time is over. `hands`, `restarts`: when, in seconds from now."""
        began = self.world.true
        events = sorted(
            [(began + after, "hand") for after in hands] + [(began + after, "restart") for after in restarts]
        )
        heapq.heapify(self._turns)
        idle = 0
        while self._turns and self._turns[0][0] - began < self.until:
            moment, number = heapq.heappop(self._turns)
            if events and events[0][0] <= moment:
                heapq.heappush(self._turns, (moment, number))
                self.world.true = max(self.world.true, events[0][0])
                await self._happens(events.pop(0)[1])
                continue
            self.world.true = max(self.world.true, moment)
            done = await self.senders[number].step()
            due = await self.store.next_due(self.senders[number].terms)
            idle = 0 if done else idle + 1
            assert idle < 20 * self.connections, "nobody gets anywhere"
            if due is not None:
                heapq.heappush(self._turns, (max(self.world.true, due - self.world.off), number))
        self.hours = (self.world.true - began) / HOUR

    async def _happens(self, event: str) -> None:
        if event == "hand":
            number = self.chance.randrange(self.connections)
            [url] = await self.want(1, source="telegram", of=number)
            self.by_hand[url] = self.world.true
            self._turns = [turn for turn in self._turns if turn[1] != number]
            heapq.heappush(self._turns, (self.world.true, number))
            heapq.heapify(self._turns)
            return
        self.restarted += 1
        await self.store.close()
        self.world.off = self.chance.uniform(-HOUR, HOUR)
        self.world.true += self.chance.uniform(0.1, 5.0)
        await self.open()

    def waits(self) -> list[float]:
        """The longest time each connection waited between two of its calls."""
        return [
            max((after - before for before, after in zip(caller.calls, caller.calls[1:], strict=False)), default=0.0)
            for caller in self.callers
        ]

    def hand_waits(self) -> list[float]:
        left = {url: at for caller in self.callers for url, at in caller.left.items()}
        return [left.get(url, float("inf")) - wanted for url, wanted in self.by_hand.items()]

    def words(self) -> str:
        waits = self.waits()
        longest, median = max(waits), statistics.median(waits)
        hands = f", by hand at most {max(self.hand_waits()):.1f} s" if self.by_hand else ""
        return (
            f"seed {self.seed}: {self.server.calls} calls in {self.hours:.3f} h, {self.server.throttled} throttled, "
            f"{self.restarted} restarts, longest wait {longest:.1f} s, median of the longest {median:.1f} s{hands}"
        )


async def _long(given: argparse.Namespace, folder: Path) -> int:
    print(f"seed {given.seed}")
    run = Run(
        folder,
        seed=given.seed,
        connections=given.connections,
        per_user=given.user,
        per_key=given.key,
        reserve=0.1 if given.reserve else 0.0,
        careless=given.careless,
    )
    await run.open()
    await run.want(given.links)
    hours = given.links / run.per_key
    some = [run.chance.uniform(0, hours * HOUR) for _ in range(20)]
    began = time.monotonic()
    await run.work(hands=some if given.reserve else (), restarts=some[:5])
    await run.store.close()
    print(f"{run.words()}; {time.monotonic() - began:.0f} s of real time")
    waits = run.waits()
    held = {
        "0 calls while blocked": run.server.throttled == 0,
        "everything delivered": sum(len(caller.left) for caller in run.callers) == given.links + len(run.by_hand),
        "finished within 1.02x": given.reserve or run.hours <= 1.02 * run.server.calls / run.per_key,
        "longest wait within 2x of the median": max(waits) <= 2 * statistics.median(waits),
        "by hand within 60 s": max(run.hand_waits(), default=0.0) <= 60,
    }
    if given.careless:
        held = {"the control meets the limit": run.server.throttled > 0}
    for promise, true in held.items():
        print(f"{'ok  ' if true else 'NOT '} {promise}")
    return 0 if all(held.values()) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--links", type=int, default=100_000)
    parser.add_argument("--user", type=int, default=320, help="calls the server gives each user in an hour")
    parser.add_argument("--key", type=int, default=10_000, help="calls it gives all of them together")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--reserve", action="store_true", help="keep 10 %% back, and send links by hand meanwhile")
    parser.add_argument("--careless", action="store_true", help="the control: no budgets")
    given = parser.parse_args()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        return asyncio.run(_long(given, Path(folder)))


if __name__ == "__main__":
    raise SystemExit(main())
