"""Every document of the corpus, served on loopback as a feed of its own.

Documents whose rows in `expectations.jsonl` name a base are served under the base's path.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.types import Receive, Scope, Send

from bridge.web.server import Server, listen

HOSTS = 8
"""One host is never asked twice at the same time, so the documents lie on several."""

_TYPES = {
    ".rss": "application/rss+xml",
    ".atom": "application/atom+xml",
    ".json": "application/feed+json",
    ".html": "text/html",
    ".opml": "text/x-opml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One document. `rows` are those of the expectations that speak of it under this `base`."""

    name: str
    path: Path
    base: str
    rows: tuple[Mapping[str, Any], ...]
    url: str = ""

    @property
    def content_type(self) -> str:
        return _TYPES.get(self.path.suffix, "application/xml")


def documents(folder: Path, *, every: int = 1) -> list[Served]:
    """Every `every`th file, once for each base its expectations name."""
    rows: dict[str, dict[str, list[Any]]] = {}
    for line in (folder / "expectations.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        rows.setdefault(row["file"], {}).setdefault(row.get("base_url", ""), []).append(row)
    files = sorted(path for path in folder.glob("*/**/*") if path.is_file())[::every]
    found = [
        (path, base, tuple(about))
        for path in files
        for base, about in rows.get(str(path.relative_to(folder)), {"": []}).items()
    ]
    return [
        Served(name=f"{number:04} {str(path.relative_to(folder))[-90:]}", path=path, base=base, rows=about)
        for number, (path, base, about) in enumerate(found)
    ]


@contextlib.asynccontextmanager
async def serving(found: Iterable[Served]) -> AsyncIterator[list[Served]]:
    """Serves them all on loopback; yields them with their addresses."""
    with contextlib.ExitStack() as sockets:
        hosts = [sockets.enter_context(listen(f"127.0.0.{number + 2}", 0)) for number in range(HOSTS)]
        listeners = list(hosts)
        placed: dict[str, Served] = {}
        for number, document in enumerate(found):
            listener = hosts[number % HOSTS]
            path = f"/{number}/{quote(document.path.name)}"
            if document.base:
                listener = sockets.enter_context(listen(f"127.0.0.{number % HOSTS + 2}", 0))
                listeners.append(listener)
                path = urlsplit(document.base).path or "/"
            url = _origin(listener) + path
            placed[url] = replace(document, url=url)
        server = Server(_Site(placed))
        working = asyncio.create_task(server.serve(listeners))
        try:
            yield list(placed.values())
        finally:
            server.should_exit = True
            await working


def _origin(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"http://{host}:{port}"


class _Site:
    def __init__(self, documents: Mapping[str, Served]) -> None:
        self._documents = documents

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        document = self._documents.get(f"http://{host}{scope['raw_path'].decode('latin-1')}")
        body = document.path.read_bytes() if document else b""
        headers = [(b"content-type", document.content_type.encode())] if document else []
        await send({"type": "http.response.start", "status": 200 if document else 404, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def rules(found: Iterable[Served]) -> str:
    """The rule file's section."""
    feeds = (
        f"  - {{name: {json.dumps(one.name)}, url: {json.dumps(one.url)}, start: all, interval: 1d}}\n" for one in found
    )
    return "feeds:\n" + "".join(feeds)
