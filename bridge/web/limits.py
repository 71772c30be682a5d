"""Limits in front of everything: a request is bounded before anybody asks who sent it or what it says."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIB = 1024 * 1024
HEADER_BYTES = 32 * 1024
MOST_FIELDS = 100
MOST_ADDRESS = 8 * 1024
MOST_REQUESTS = 1000
MOST_HELD = 64 * MIB
RETRY_AFTER = "5"

MANY_REQUESTS = 8
"""So many that are whole and not yet answered are a crowd."""
LULL_SECONDS = 0.05

_LISTS = ("/v3/", "/v2/", "/api/kobo/")
"""Where a batch of actions may come in."""


class Refused(Exception):  # noqa: N818
    """A request went past a limit while its body was read; it has been told so."""


class Traffic:
    """How many requests are being answered. A request that waits for its own body is not.

    Workers that can wait ask whether it is `busy`: in the last moment, not only now, for between two commits nobody
    waits.
    """

    def __init__(self) -> None:
        self.now = 0
        self._many_at = -LULL_SECONDS

    @property
    def busy(self) -> bool:
        return time.monotonic() - self._many_at < LULL_SECONDS

    async def lull(self, seconds: float) -> None:
        """Returns when there is one, or after so many seconds."""
        until = time.monotonic() + seconds
        while self.busy and time.monotonic() < until:  # noqa: ASYNC110 - a lull is time that passes
            await asyncio.sleep(LULL_SECONDS)

    def begin(self) -> None:
        self.now += 1
        if self.now >= MANY_REQUESTS:
            self._many_at = time.monotonic()

    def end(self) -> None:
        self.now -= 1


class Limits:
    """Bounds a request before anybody looks at it: header fields, address, body bytes as they come.

    `requests` are answered at once, and `held` bytes of bodies are in memory, half of them of one peer; who comes then
    is told to come back. `body` is in bytes, `list_body` for the Pocket API. `traffic` is told what is being answered.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        body: int = MIB,
        list_body: int = 5 * MIB,
        requests: int = MOST_REQUESTS,
        held: int = MOST_HELD,
        traffic: Traffic | None = None,
    ) -> None:
        self.traffic = traffic or Traffic()
        self._app = app
        self._body = body
        self._list_body = list_body
        self._requests = requests
        self._most_held = held
        self._held = 0
        self._held_by = Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counted = self._count(scope, receive, send)
        self.traffic.begin()
        try:
            await (self._refusal(scope, counted) or self._app)(scope, counted.receive, counted.send)
        except (Refused, ClientDisconnect):
            return  # Who has gone is not answered, and is no mistake of ours.
        except asyncio.CancelledError as cancelled:
            if not cancelled.args:
                raise
            # Only a server that stops says why: this is the end of its patience, and nobody stands above it.
            if not counted.begun:
                await _busy("this server is stopping")(scope, receive, send)
        finally:
            self.traffic.end()
            self._let_go(counted.peer, counted.taken)

    @property
    def full(self) -> bool:
        return self.traffic.now > self._requests

    def takes(self, peer: str, size: int) -> bool:
        """Counts bytes of a body; False when they are too many with what is there already."""
        self._held += size
        self._held_by[peer] += size
        # The largest body is taken from anybody.
        return self._held <= self._most_held and self._held_by[peer] <= max(self._most_held // 2, self._list_body)

    def _let_go(self, peer: str, size: int) -> None:
        self._held -= size
        self._held_by[peer] -= size
        if not self._held_by[peer]:
            del self._held_by[peer]

    def _count(self, scope: Scope, receive: Receive, send: Send) -> _Counted:
        is_list = scope["path"].startswith(_LISTS)
        most, address = (self._list_body, HEADER_BYTES) if is_list else (self._body, MOST_ADDRESS)
        return _Counted(self, peer_of(scope.get("client")), most, address, scope, receive, send)

    def _refusal(self, scope: Scope, counted: _Counted) -> Response | None:
        if self.full:
            return _busy()
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > counted.address:
            return _answer(414, f"an address may have {counted.address} bytes; send more in a body")
        return _refused_fields(scope["headers"], counted.most)


@dataclass(slots=True)
class _Counted:
    """One request's way in and out: its body is counted as it comes, and refused before it is whole.

    `most` bytes a body may have, `address` bytes what stands before it.
    """

    limits: Limits
    peer: str
    most: int
    address: int
    scope: Scope
    receive_from: Receive
    send_to: Send
    taken: int = 0
    complete: bool = False
    begun: bool = False
    refused: bool = False

    async def receive(self) -> Message:
        if self.complete:
            return await self.receive_from()
        self.limits.traffic.end()
        try:
            message = await self.receive_from()
        finally:
            self.limits.traffic.begin()
        self.complete = not message.get("more_body", False)
        size = len(message.get("body", b""))
        self.taken += size
        takes = self.limits.takes(self.peer, size)
        if self.taken > self.most:
            await self._refuse(_answer(413, f"a body may have {self.most} bytes"))
        if not takes or (self.complete and self.limits.full):
            await self._refuse(_busy())
        return message

    async def send(self, message: Message) -> None:
        if not self.refused:
            self.begun = True
            await self.send_to(message)

    async def _refuse(self, answer: Response) -> NoReturn:
        # Said from here, before anything else makes a 500 of the exception.
        await answer(self.scope, self.receive_from, self.send_to)
        self.refused = True
        raise Refused


def peer_of(client: Sequence[object] | None) -> str:
    """Who is counted as one: an address, or for IPv6 its network, which one house has for itself.

    >>> peer_of(("192.0.2.7", 4711)), peer_of(("2001:db8:1:2:3::4", 4711))
    ('192.0.2.7', '2001:db8:1:2::')
    """
    host = str(client[0]) if client else ""
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    return str(address.ipv4_mapped or ipaddress.IPv6Address(int(address) >> 64 << 64))


def _refused_fields(fields: Sequence[tuple[bytes, bytes]], most: int) -> Response | None:
    if len(fields) > MOST_FIELDS:
        return _answer(431, f"more than {MOST_FIELDS} header fields")
    framing: list[bytes] = []
    size = hosts = length = 0
    for name, value in fields:
        size += len(name) + len(value)
        if name == b"host":
            hosts += 1
        elif name == b"content-length":
            framing.append(name)
            length = int(value) if value.isdigit() and len(value) < 20 else 0
        elif name == b"transfer-encoding":
            framing.append(name)
    if size > HEADER_BYTES:
        return _answer(431, f"more than {HEADER_BYTES} bytes of header fields")
    if len(framing) > 1 or hosts > 1:
        # A proxy may have gone by the one and we by the other: what follows could be anybody's.
        return _answer(400, "a request has one Host, and one of Content-Length or Transfer-Encoding")
    if length > most:
        return _answer(413, f"a body may have {most} bytes")
    return None


def _answer(status: int, error: str) -> Response:
    # Clients of the Pocket API read its error from headers, whoever answers.
    pocket = {"X-Source": "Pocket", "X-Error": error, "X-Error-Code": "130"}
    return JSONResponse({"error": error}, status, headers={"Connection": "close", **pocket})


def _busy(why: str = "too many requests at once") -> Response:
    answer = _answer(503, f"{why}; nothing was kept, send it again")
    answer.headers["Retry-After"] = RETRY_AFTER
    return answer
