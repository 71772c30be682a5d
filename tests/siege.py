"""Slow, silent and endless clients at the real door, and good ones in between: what those wait, when the others end.

python -m tests.siege        (900 slow connections against the real limits, and 5 GB in chunks; under a minute)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bridge.sources.webhooks.source import Webhooks
from bridge.store.core import Store
from bridge.web.server import Server, application, listen

TOKEN = "owner-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
CHUNK = 64 * 1024
HEAD = f"POST /hooks/h HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"

SLOW = {
    "header": (HEAD + "X-Slow: ").encode(),
    "body": (HEAD + "Content-Length: 100000\r\n\r\n").encode(),
    "answer": b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n",
}
"""What each kind sends at once; then a byte now and then, and it reads nothing."""


class Door:
    """A server with the webhook door over a real store, and one answer that is too large for any buffer."""

    def __init__(self, origin: str, server: Server) -> None:
        self.origin = origin
        self.host, _, port = origin.removeprefix("http://").partition(":")
        self.port = int(port)
        self._server = server

    @property
    def connections(self) -> int:
        return len(self._server.server_state.connections)


async def _large(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield bytes(CHUNK)

    return StreamingResponse(parts())


@contextlib.asynccontextmanager
async def door(**limits: Any) -> AsyncIterator[Door]:
    with tempfile.TemporaryDirectory(prefix="siege-") as folder, listen("127.0.0.1", 0) as listener:
        store = await Store.open(Path(folder) / "bridge.db", time.time)
        webhooks = Webhooks(store, token=TOKEN, clock=time.time)
        app = application([webhooks.routes, [Route("/large", _large)]], ready=list)
        server = Server(app, **limits)
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield Door(f"http://127.0.0.1:{listener.getsockname()[1]}", server)
        finally:
            server.should_exit = True
            await serving
            await store.close()


@dataclass(frozen=True, slots=True)
class Told:
    """`waited`: seconds of each good request. `closed_after`: seconds until no slow connection was left."""

    slow: int
    waited: list[float]
    closed_after: float

    @property
    def p99(self) -> float:
        return sorted(self.waited)[int(len(self.waited) * 0.99)]


async def slow_clients(each: int, *, pace: float, patience: float, **limits: Any) -> Told:
    """So many of each kind at once, and one good client after the other until the slow ones are gone."""
    async with door(**limits) as besieged:
        tasks = [asyncio.create_task(_slow(besieged, first, pace)) for first in SLOW.values() for _ in range(each)]
        while besieged.connections < len(tasks):
            await asyncio.sleep(0.01)
        began, waited = time.monotonic(), list[float]()
        async with httpx.AsyncClient(trust_env=False, base_url=besieged.origin, headers=BEARER) as good:
            while besieged.connections > 1 and time.monotonic() < began + patience:
                waited.append(await _good(good, len(waited)))
                await asyncio.sleep(pace / 10)
            closed_after = time.monotonic() - began if besieged.connections <= 1 else float("inf")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return Told(len(tasks), waited, closed_after)


async def _good(client: httpx.AsyncClient, number: int) -> float:
    began = time.monotonic()
    answer = await client.post("/hooks/good", json={"url": f"https://example.com/{number}"})
    assert answer.status_code == 202, answer.text
    return time.monotonic() - began


async def _slow(besieged: Door, first: bytes, pace: float) -> None:
    own = socket.socket()
    own.setblocking(False)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.get_running_loop().sock_connect(own, (besieged.host, besieged.port))
    _, writer = await asyncio.open_connection(sock=own, limit=1)
    try:
        writer.write(first)
        while not writer.is_closing():
            await asyncio.sleep(pace)
            if first != SLOW["answer"]:
                writer.write(b"a")
    finally:
        writer.close()


@dataclass(frozen=True, slots=True)
class Cut:
    """`sent`: bytes the door's machine took. `grown`: bytes by which the process grew. `good`: what a good one waited."""

    sent: int
    answer: bytes
    grown: int
    good: float


async def endless_body(total: int, **limits: Any) -> Cut:
    """A body of so many bytes, in chunks, from a client that does not stop when it is told to."""
    async with door(**limits) as besieged, httpx.AsyncClient(base_url=besieged.origin, headers=BEARER) as good:
        await _good(good, 0)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reader, writer = await asyncio.open_connection(besieged.host, besieged.port)
        writer.write((HEAD + "Transfer-Encoding: chunked\r\n\r\n").encode())
        heard = asyncio.create_task(reader.read(4096))
        waited, sent, chunk = 0.0, 0, b"%x\r\n%b\r\n" % (CHUNK, bytes(CHUNK))
        with contextlib.suppress(ConnectionError):
            while sent < total:
                writer.write(chunk)
                await writer.drain()
                sent += CHUNK
                if sent == 4 * CHUNK:
                    waited = await _good(good, 1)
        writer.close()
        answer = await asyncio.gather(heard, return_exceptions=True)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        return Cut(sent, answer[0] if isinstance(answer[0], bytes) else b"", grown, waited)


async def main() -> None:
    told = await slow_clients(300, pace=1.0, patience=120.0)
    cut = await endless_body(5_000_000_000)
    said = {
        "slow connections": told.slow,
        "good requests meanwhile": len(told.waited),
        "their p99, ms": round(told.p99 * 1000),
        "all slow ones closed after, s": round(told.closed_after, 1),
        "of a body of 5 GB were taken, MB": round(cut.sent / 1e6, 1),
        "memory grew by, MB": round(cut.grown / 1e6, 1),
        "a good request waited meanwhile, ms": round(cut.good * 1000),
    }
    print(json.dumps(said, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
