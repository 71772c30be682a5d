"""Everything around the process: the people and servers that feed its four doors without a pause.

A link is *acknowledged* when its sender had a 2xx, when Telegram saw a higher offset, or when a feed's server was asked
with the ETag of a document that held it. Whoever had no answer asks again: so the same link comes more than once.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.web.server import listen
from tests.bot_api import TOKEN, BotApi
from tests.loopback import serve
from tests.reliability.history import History

OWNER_TOKEN = "0123456789abcdef0123456789abcdef"
ANN = 42
PAUSE = 0.02
TOGETHER = 8
"""Links in one request, and news in one round of a feed or a chat."""

WINDOW = 100
"""Entries a feed's document holds; no more are published than it has room for until the last were taken."""

SILENCE = 5.0

Act = Callable[[httpx.AsyncClient, Sequence[str]], Awaitable[None]]


class GrowingFeed:
    """A feed that gets entries again and again; each version has its own ETag, and shows the newest."""

    def __init__(self, taken: Callable[[Sequence[str]], None] = lambda _: None) -> None:
        self.urls: list[str] = []
        self.acknowledged = 0
        self.app = Starlette(routes=[Route("/feed", self._answer)])
        self._taken = taken

    def publish(self, number: int = 1) -> None:
        room = WINDOW - (len(self.urls) - self.acknowledged)
        first = len(self.urls)
        self.urls += [f"https://feed.example/{each}" for each in range(first, first + min(number, room))]

    async def _answer(self, request: Request) -> Response:
        known = request.headers.get("if-none-match", "").strip('"')
        if known.isdigit() and int(known) > self.acknowledged:
            self._taken(self.urls[self.acknowledged : int(known)])
            self.acknowledged = int(known)
        version = len(self.urls)
        if known == str(version):
            return Response(status_code=304)
        items = "".join(
            f"<item><title>{url}</title><link>{url}</link><guid>{url}</guid></item>" for url in self.urls[-WINDOW:]
        )
        body = f"<?xml version='1.0'?><rss version='2.0'><channel><title>Grows</title>{items}</channel></rss>"
        return Response(body, headers={"ETag": f'"{version}"'}, media_type="application/rss+xml")


@dataclass
class World:
    """One data folder, and whoever feeds the process that owns it."""

    folder: Path
    port: int
    bot: BotApi
    bot_origin: str
    feed: GrowingFeed
    history: History
    written: dict[int, str] = field(default_factory=dict)
    _told: int = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def database(self) -> Path:
        return self.data / "bridge.db"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "BRIDGE_DATA": str(self.data),
            "BRIDGE_RULES": str(self.folder / "rules.yaml"),
            "BRIDGE_LISTEN": f"127.0.0.1:{self.port}",
            "BRIDGE_TOKEN": OWNER_TOKEN,
            "BRIDGE_TELEGRAM_TOKEN": TOKEN,
            "BRIDGE_TELEGRAM_API": self.bot_origin,
            "BRIDGE_TELEGRAM_ALLOW": str(ANN),
            "BRIDGE_TELEGRAM_ANSWER": "reaction",
            "BRIDGE_ALLOW_NETS": "127.0.0.0/8",
            "BRIDGE_LIMIT_USER": "1000000",
            "BRIDGE_LIMIT_KEY": "1000000",
            "BRIDGE_PAGES": "off",  # nothing there to look at
            "BRIDGE_LOG_LEVEL": "ERROR",
        }

    def client(self, timeout: float = SILENCE) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.origin, timeout=timeout, trust_env=False)

    async def save(self, client: httpx.AsyncClient, urls: Sequence[str]) -> None:
        await self._ask(
            "save",
            urls,
            client.post("/save", content="\n".join(urls), headers={"Authorization": f"Bearer {OWNER_TOKEN}"}),
        )

    async def add(self, client: httpx.AsyncClient, urls: Sequence[str]) -> None:
        actions = [{"action": "add", "url": url} for url in urls]
        body = {"consumer_key": "1-kill", "access_token": OWNER_TOKEN, "actions": actions}
        await self._ask("pocket", urls, client.post("/v3/send", json=body))

    async def _ask(self, door: str, urls: Sequence[str], asking: Awaitable[httpx.Response]) -> None:
        self._write(door, urls, "invoke")
        try:
            answer = await asking
        except httpx.HTTPError:
            self._write(door, urls, "info")
            raise
        self._write(door, urls, "ok" if answer.is_success else "fail")
        answer.raise_for_status()

    def write(self, number: int) -> None:
        """Ann writes to the bot, so many messages."""
        for _ in range(number):
            url = f"https://telegram.example/{len(self.written)}"
            message = {
                "message_id": len(self.written) + 1,
                "date": int(time.time()),
                "chat": {"id": ANN, "type": "private", "first_name": "Ann"},
                "from": {"id": ANN, "is_bot": False, "first_name": "Ann"},
                "text": url,
                "entities": [{"type": "url", "offset": 0, "length": len(url)}],
            }
            self.written[self.bot.receive(message)] = url

    def note(self) -> None:
        """Writes down which messages Telegram counts as received by now."""
        pending = set(self.bot.pending)
        confirmed = [url for number, url in self.written.items() if number not in pending]
        self._write("telegram", confirmed[self._told :], "ok")
        self._told = len(confirmed)

    def fed(self, urls: Sequence[str]) -> None:
        self._write("feed", urls, "ok")

    def _write(self, door: str, urls: Sequence[str], phase: str) -> None:
        for url in urls:
            self.history(door, url, phase)


@contextlib.asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    bot, feed = BotApi(second=0.01), GrowingFeed()
    history = History(folder / "history.jsonl")
    async with serve(bot) as bot_origin, serve(feed.app) as feed_origin:
        rules = f"feeds:\n  - url: {feed_origin}/feed\n    name: grows\n    start: all\n    interval: 1s\n"
        (folder / "rules.yaml").write_text(rules, "utf-8")
        with listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        world = World(folder, port, bot, bot_origin, feed, history)
        feed._taken = world.fed
        feed.publish()
        yield world
        history.close()


@contextlib.asynccontextmanager
async def feeding(world: World, *, pace: float = PAUSE) -> AsyncIterator[None]:
    """Feeds all doors while the block runs. `pace`: seconds everybody waits before the next request."""
    stop = asyncio.Event()
    feeders = [asyncio.create_task(feeder) for feeder in _feeders(world, stop, pace)]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*feeders)
        world.note()


def _feeders(world: World, stop: asyncio.Event, pace: float) -> list[Coroutine[Any, Any, None]]:
    async def over_http(act: Act, links: Iterator[Sequence[str]]) -> None:
        urls = next(links)
        async with world.client() as client:
            while not stop.is_set():
                with contextlib.suppress(httpx.HTTPError):
                    await act(client, urls)
                    urls = next(links)
                await asyncio.sleep(pace)

    async def beside() -> None:
        while not stop.is_set():
            if len(world.bot.pending) < WINDOW:
                world.write(TOGETHER)
            world.feed.publish(TOGETHER)
            world.note()
            await asyncio.sleep(pace * 5)

    saved, added = _links("save"), _links("pocket")
    people = [over_http(world.save, saved) for _ in range(3)] + [over_http(world.add, added) for _ in range(2)]
    return [*people, beside()]


def _links(door: str) -> Iterator[Sequence[str]]:
    """Some new links each time, one of them alone now and then."""
    numbers = itertools.count()
    for turn in itertools.count():
        yield [f"https://{door}.example/{next(numbers)}" for _ in range(1 + turn % TOGETHER)]
