"""A bad line between two programs: a TCP proxy that drops, delays, cuts and loses, and counts what it did.

It reads requests and answers only as far as it must to know where they end. Each exchange meets one fault or none:

    refused        the connection is reset before anything was forwarded
    dropped        nothing is forwarded; silence, then a reset
    request cut    the other side gets half of the request, then a reset
    delayed        the request arrives a little later
    answer cut     the other side has answered, and half of it comes back
    answer lost    the other side has answered, and nothing comes back
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

FAULTS: Mapping[str, float] = {
    "refused": 0.03,
    "dropped": 0.02,
    "request cut": 0.04,
    "delayed": 0.10,
    "answer cut": 0.04,
    "answer lost": 0.18,
}
"""The share of exchanges that meets each."""

HARMFUL = frozenset(FAULTS) - {"delayed"}
SILENCE = 0.5
LONGEST_DELAY = 0.05

_HEAD_END = b"\r\n\r\n"


@dataclass
class Proxy:
    """Forwards to one origin. `counts`: how often each fault was met; `exchanges`: all there were."""

    origin: str
    host: str
    port: int
    chance: random.Random
    faults: Mapping[str, float]
    exchanges: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def lost_share(self) -> float:
        """The share of exchanges whose answer was lost after the other side had given it."""
        return self.counts["answer lost"] / max(1, self.exchanges)

    def __str__(self) -> str:
        counts = ", ".join(f"{fault} {self.counts[fault]}" for fault in self.faults)
        return f"{self.exchanges} exchanges: {counts} ({self.lost_share:.0%} of the answers lost)"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        try:
            while request := await _message(reader):
                self.exchanges += 1
                fault = self._drawn()
                if fault:
                    self.counts[fault] += 1
                if fault == "refused":
                    return
                if fault == "dropped":
                    await asyncio.sleep(SILENCE)
                    return
                if fault == "delayed":
                    await asyncio.sleep(self.chance.uniform(0.0, LONGEST_DELAY))
                upstream = upstream or await asyncio.open_connection(self.host, self.port)
                if not await self._forward(request, fault, upstream, writer):
                    return
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            for end in (writer, upstream[1] if upstream else None):
                if end:
                    end.transport.abort()

    async def _forward(
        self,
        request: bytes,
        fault: str,
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        back: asyncio.StreamWriter,
    ) -> bool:
        """Whether the connection lives on."""
        answers, there = upstream
        there.write(request[: len(request) // 2] if fault == "request cut" else request)
        await there.drain()
        if fault == "request cut":
            return False
        answer = await _message(answers)
        if fault == "answer lost" or not answer:
            return False
        back.write(answer[: len(answer) // 2] if fault == "answer cut" else answer)
        await back.drain()
        return fault != "answer cut"

    def _drawn(self) -> str:
        [fault] = self.chance.choices(
            [*self.faults, ""], weights=[*self.faults.values(), 1.0 - sum(self.faults.values())]
        )
        return fault


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One request or answer, with the body its header announces; nothing when the connection has ended."""
    try:
        head = await reader.readuntil(_HEAD_END)
    except asyncio.IncompleteReadError:
        return b""
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        match name.strip().lower():
            case b"content-length":
                length = int(value)
            case b"transfer-encoding":
                raise ConnectionError("the proxy understands no chunks")
    return head + await reader.readexactly(length)


@contextlib.asynccontextmanager
async def a_proxy(to: str, chance: random.Random, faults: Mapping[str, float] = FAULTS) -> AsyncIterator[Proxy]:
    """A bad line to an origin like http://127.0.0.1:4711."""
    target = urlsplit(to)
    assert target.hostname
    assert target.port
    open_connections: set[asyncio.Task[None]] = set()
    proxy = Proxy("", target.hostname, target.port, chance, faults)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(proxy.serve(reader, writer))
        open_connections.add(task)
        task.add_done_callback(open_connections.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 20)
    proxy.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in list(open_connections):
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)
        await server.wait_closed()
