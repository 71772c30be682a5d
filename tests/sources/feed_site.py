"""A web site on loopback that publishes what a test gives it and writes down what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})
PHRASES = {200: "OK", 301: "Moved Permanently", 302: "Found", 304: "Not Modified", 410: "Gone"}


@dataclass
class Page:
    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    path: str
    headers: dict[str, str]


class Site:
    """`pages`: what stands under a path. `held`: while it is set, answers wait."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[Asked] = []
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = 0
        self.most_waiting = 0
        self.port = 0

    def url(self, path: str = "/feed", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def put(
        self,
        body: str | bytes,
        headers: Mapping[str, str] = NOTHING,
        *,
        path: str = "/feed",
        status: int = 200,
    ) -> None:
        self.pages[path] = Page(body.encode() if isinstance(body, str) else body, status, headers)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        asked = Asked(head[0].split()[1], dict(_header(line) for line in head[1:] if line))
        self.asked.append(asked)
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        await self.open.wait()
        self.waiting -= 1
        writer.write(_wire(self._page(asked)))
        with suppress(ConnectionError):  # whoever asked has had enough
            await writer.drain()
        writer.close()

    def _page(self, asked: Asked) -> Page:
        page = self.pages.get(asked.path, Page(status=404))
        etag = page.headers.get("ETag")
        if etag and asked.headers.get("if-none-match") == etag:
            return Page(status=304, headers=page.headers)
        return page


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()


def _wire(page: Page) -> bytes:
    headers = {"Connection": "close", "Content-Length": str(len(page.body)), **page.headers}
    lines = [f"HTTP/1.1 {page.status} {PHRASES.get(page.status, 'Whatever')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + page.body


@asynccontextmanager
async def a_site() -> AsyncIterator[Site]:
    site = Site()
    server = await asyncio.start_server(site.answer, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        site.open.set()
        server.close()
        await server.wait_closed()


def rss(*items: str, ttl: str = "") -> str:
    ttl = f"<ttl>{ttl}</ttl>" if ttl else ""
    return f"<rss version='2.0'><channel><title>News</title>{ttl}{''.join(items)}</channel></rss>"


def item(number: int, *, guid: str | None = None, link: str | None = None, date: str = "", title: str = "") -> str:
    """Entry `number`; without `guid` and `link` it has ones of its own, an empty text leaves them out."""
    guid = f"id-{number}" if guid is None else guid
    link = f"https://news.example/{number}" if link is None else link
    parts = {"title": title or f"Entry {number}", "link": link, "pubDate": date}
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in parts.items() if value)
    identifier = f"<guid isPermaLink='false'>{guid}</guid>" if guid else ""
    return f"<item>{inner}{identifier}</item>"
