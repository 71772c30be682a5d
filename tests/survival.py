"""Kills the real process again and again while all its doors are fed, and counts what was lost or doubled.

    python -m tests.survival --kills 1000 --seed 7

An address is *acknowledged* when a sender had its 2xx, when Telegram saw a higher offset, or when a feed's server was
asked with the ETag of a document that held it. Acknowledged must be stored, and stored once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.web.server import listen
from tests.bot_api import TOKEN, BotApi
from tests.loopback import serve

OWNER_TOKEN = "0123456789abcdef0123456789abcdef"
ANN = 42
LONGEST_LIFE = 0.8
READY_SHARE = 0.8  # the others die while they start
DRAIN_SECONDS = 60.0
PAUSE = 0.02


@dataclass
class Result:
    """What a run came to. `lost` and `doubled` must be empty, `kills` is how often the fault really fired."""

    seed: int
    kills: int = 0
    acknowledged: dict[str, set[str]] = field(default_factory=dict)
    listed: Counter[str] = field(default_factory=Counter)
    integrity: str = ""
    unbalanced: int = 0

    @property
    def lost(self) -> set[str]:
        return set().union(*self.acknowledged.values()) - set(self.listed)

    @property
    def doubled(self) -> list[str]:
        return [url for url, times in self.listed.items() if times > 1]

    def __str__(self) -> str:
        doors = ", ".join(f"{door} {len(urls)}" for door, urls in self.acknowledged.items())
        return (
            f"seed {self.seed}: {self.kills} kills; acknowledged: {doors}; on the list {len(self.listed)}; "
            f"lost {len(self.lost)}, doubled {len(self.doubled)}, database {self.integrity}"
        )


class GrowingFeed:
    """A feed that gets an entry again and again; each version has its own ETag."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.acknowledged = 0
        self.app = Starlette(routes=[Route("/feed", self._answer)])

    def publish(self) -> None:
        self.urls.append(f"https://feed.example/{len(self.urls)}")

    async def _answer(self, request: Request) -> Response:
        known = request.headers.get("if-none-match", "").strip('"')
        if known.isdigit():
            self.acknowledged = max(self.acknowledged, int(known))
        version = len(self.urls)
        if known == str(version):
            return Response(status_code=304)
        items = "".join(
            f"<item><title>{escape(url)}</title><link>{url}</link><guid>{url}</guid></item>" for url in self.urls
        )
        body = f"<?xml version='1.0'?><rss version='2.0'><channel><title>Grows</title>{items}</channel></rss>"
        return Response(body, headers={"ETag": f'"{version}"'}, media_type="application/rss+xml")


@dataclass
class World:
    """Everything around the process: its folder, the people and servers that feed it."""

    folder: Path
    port: int
    bot: BotApi
    bot_origin: str
    feed: GrowingFeed
    feed_origin: str
    module: str
    posted: set[str] = field(default_factory=set)
    added: set[str] = field(default_factory=set)
    written: dict[int, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "BRIDGE_DATA": str(self.folder / "data"),
            "BRIDGE_RULES": str(self.folder / "rules.yaml"),
            "BRIDGE_LISTEN": f"127.0.0.1:{self.port}",
            "BRIDGE_TOKEN": OWNER_TOKEN,
            "BRIDGE_TELEGRAM_TOKEN": TOKEN,
            "BRIDGE_TELEGRAM_API": self.bot_origin,
            "BRIDGE_TELEGRAM_ALLOW": str(ANN),
            "BRIDGE_ALLOW_NETS": "127.0.0.0/8",
            "BRIDGE_LIMIT_USER": "1000000",
            "BRIDGE_LIMIT_KEY": "1000000",
            "BRIDGE_LOG_LEVEL": "ERROR",
        }

    async def start(self) -> asyncio.subprocess.Process:
        with (self.folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", self.module, "run", env=self.environment(), stdout=log, stderr=log
            )

    async def post(self, client: httpx.AsyncClient, number: int) -> None:
        url = f"https://save.example/{number}"
        answer = await client.post("/save", json={"url": url}, headers={"Authorization": f"Bearer {OWNER_TOKEN}"})
        if answer.is_success:
            self.posted.add(url)

    async def add(self, client: httpx.AsyncClient, number: int) -> None:
        url = f"https://pocket.example/{number}"
        answer = await client.post("/v3/add", json={"url": url, "consumer_key": "1-kill", "access_token": OWNER_TOKEN})
        if answer.is_success:
            self.added.add(url)

    def write(self) -> None:
        number = len(self.written)
        url = f"https://telegram.example/{number}"
        message = {
            "message_id": number + 1,
            "date": int(time.time()),
            "chat": {"id": ANN, "type": "private", "first_name": "Ann"},
            "from": {"id": ANN, "is_bot": False, "first_name": "Ann"},
            "text": url,
            "entities": [{"type": "url", "offset": 0, "length": len(url)}],
        }
        self.written[self.bot.receive(message)] = url

    def acknowledged(self) -> dict[str, set[str]]:
        pending = set(self.bot.pending)
        return {
            "save": set(self.posted),
            "pocket": set(self.added),
            "telegram": {url for number, url in self.written.items() if number not in pending},
            "feed": set(self.feed.urls[: self.feed.acknowledged]),
        }


@contextlib.asynccontextmanager
async def a_world(folder: Path, module: str) -> AsyncIterator[World]:
    bot, feed = BotApi(second=0.01), GrowingFeed()
    async with serve(bot) as bot_origin, serve(feed.app) as feed_origin:
        feed.publish()
        rules = f"feeds:\n  - url: {feed_origin}/feed\n    name: grows\n    start: all\n    interval: 1s\n"
        (folder / "rules.yaml").write_text(rules)
        with listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        yield World(folder, port, bot, bot_origin, feed, feed_origin, module)


async def survive(folder: Path, *, kills: int, seed: int, module: str = "bridge") -> Result:
    """Feeds and kills, then lets the process finish in peace and counts."""
    chance = random.Random(seed)
    result = Result(seed)
    async with a_world(folder, module) as world:
        stop = asyncio.Event()
        feeders = [asyncio.create_task(feeder) for feeder in _feeders(world, stop)]
        for _ in range(kills):
            process = await world.start()
            if chance.random() < READY_SHARE:
                await _until_it_answers(world)
            await asyncio.sleep(chance.uniform(0.0, LONGEST_LIFE))
            process.kill()
            result.kills += await process.wait() == -signal.SIGKILL
        stop.set()
        await asyncio.gather(*feeders)
        result.listed = await _finish(world)
        result.acknowledged = world.acknowledged()
        result.integrity = _integrity(folder / "data" / "bridge.db")
    return result


async def _until_it_answers(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.origin, timeout=5.0, trust_env=False) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await client.get("/healthz")
                return
            await asyncio.sleep(PAUSE)


def _feeders(world: World, stop: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
    async def over_http(act: Callable[[httpx.AsyncClient, int], Awaitable[None]], start: int) -> None:
        number = start
        async with httpx.AsyncClient(base_url=world.origin, timeout=5.0, trust_env=False) as client:
            while not stop.is_set():
                number += 10
                with contextlib.suppress(httpx.HTTPError):
                    await act(client, number)
                await asyncio.sleep(PAUSE)

    async def beside() -> None:
        while not stop.is_set():
            world.write()
            world.feed.publish()
            await asyncio.sleep(PAUSE * 5)

    people = [over_http(world.post, start) for start in range(4)] + [over_http(world.add, start) for start in range(2)]
    return [*people, beside()]


async def _finish(world: World) -> Counter[str]:
    """Lets the process run until nothing waits, and answers what is on the list, by address."""
    process = await world.start()
    until = time.monotonic() + DRAIN_SECONDS
    listed: Counter[str] = Counter()
    async with httpx.AsyncClient(base_url=world.origin, timeout=30.0, trust_env=False) as client:
        while time.monotonic() < until and process.returncode is None:
            await asyncio.sleep(0.5)
            with contextlib.suppress(httpx.HTTPError):
                found = await _listed(client)
                complete = not world.bot.pending and world.feed.acknowledged == len(world.feed.urls)
                if complete and found == listed and not _waiting(world.folder / "data" / "bridge.db"):
                    break
                listed = found
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    await process.wait()
    return listed


async def _listed(client: httpx.AsyncClient) -> Counter[str]:
    answer = await client.post("/v3/get", json={"consumer_key": "1-kill", "access_token": OWNER_TOKEN, "state": "all"})
    items = answer.raise_for_status().json()["list"]
    return Counter(item["given_url"] for item in (items.values() if isinstance(items, dict) else items))


def _waiting(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        [arrivals] = connection.execute("SELECT count(*) FROM arrival WHERE state = 'new'").fetchone()
        [deliveries] = connection.execute("SELECT count(*) FROM delivery WHERE state <> 'delivered'").fetchone()
    return int(arrivals) + int(deliveries)


def _integrity(database: Path) -> str:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(survive(Path(folder), kills=asked.kills, seed=asked.seed))
        print(result)
        log = (Path(folder) / "log").read_text("utf-8", "replace")
    sys.exit(f"lost: {sorted(result.lost)[:20]}\n{log[-3000:]}" if result.lost or result.doubled else 0)


if __name__ == "__main__":
    main()
