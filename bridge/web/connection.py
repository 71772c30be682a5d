"""One connection: closed when a header does not come, when an answer is not taken, when one peer has too many."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bridge.web.limits import HEADER_BYTES, RETRY_AFTER, peer_of
from bridge.web.turns import Gathered, Turn

HEADER_SECONDS = 10.0
BODY_SECONDS = 30.0
IDLE_SECONDS = 15
UNREAD_SECONDS = 30.0
MOST_CONNECTIONS = 2000
MOST_PIPELINED = 16

_FULL = (
    f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {RETRY_AFTER}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
).encode()
_LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Config(uvicorn.Config):
    """uvicorn's own knows no time for a header, and counts connections that only wait among those at work.

    `body_seconds` are from the header to the last byte. Of `connections` one peer may hold half. An answer that nobody
    reads for `unread_seconds` ends its connection.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        cert: Path | None,
        key: Path | None,
        header_seconds: float = HEADER_SECONDS,
        body_seconds: float = BODY_SECONDS,
        unread_seconds: float = UNREAD_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        connections: int = MOST_CONNECTIONS,
    ) -> None:
        super().__init__(
            app,
            http=Connection,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            ssl_certfile=cert,
            ssl_keyfile=key,
            timeout_keep_alive=idle_seconds,  # type: ignore[arg-type] # a clock takes any number
            timeout_graceful_shutdown=5,
            ws="none",
        )
        self.header_seconds = header_seconds
        self.body_seconds = body_seconds
        self.unread_seconds = unread_seconds
        self.connections = connections
        self.by_peer: Counter[str] = Counter()
        self.turn = Turn()


class Connection(HttpToolsProtocol):
    """A request's header has a time and a size, however it trickles; requests sent ahead of their answers a number."""

    config: Config
    _peer = ""
    _in_header = False
    _in_body = False
    _header_bytes = 0
    _overdue: asyncio.TimerHandle | None = None
    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = Gathered(transport, self.config.turn)
        self._peer = peer_of(self.client)
        self.config.by_peer[self._peer] += 1
        most = self.config.connections
        if len(self.connections) > most or self.config.by_peer[self._peer] > max(most // 2, 1):
            self._end(_FULL)
            return
        self._expect_header()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_header:
            self._header_bytes += len(data)
        if self._header_bytes > HEADER_BYTES:
            self._end(_LARGE)
        elif getattr(self.cycle, "response_complete", True):
            self._expect_header()
        else:
            self._expect_nothing()
        if self._in_body and self._late is None:
            # A body that comes with its header, as most do, needs no clock.
            self._late = self.loop.call_later(self.config.body_seconds, self._body_is_late)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_header = True

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= MOST_PIPELINED:
            self.transport.abort()
            raise ConnectionAbortedError
        super().on_headers_complete()
        self._in_header, self._header_bytes, self._in_body = False, 0, True
        # What a trailer says comes after everything was checked: it is nobody's header.
        self.headers = []

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._expect_no_body()

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        self._expect_no_body()
        self.resume_writing()
        self.config.by_peer[self._peer] -= 1
        if not self.config.by_peer[self._peer]:
            del self.config.by_peer[self._peer]
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.config.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Closing waits for what was written: who has not read it by now never will."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def _unsupported_upgrade_warning(self) -> None:
        """An offer to speak another protocol is declined by going on in this one; some clients make it every time."""

    def _end(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.transport.close()

    def _body_is_late(self) -> None:
        if self.cycle.response_started:
            self.transport.abort()
        else:
            self._end(_LATE)

    def _expect_no_body(self) -> None:
        self._in_body = False
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _expect_header(self) -> None:
        if self._overdue is None and not self.transport.is_closing():
            self._overdue = self.loop.call_later(self.config.header_seconds, self.transport.abort)

    def _expect_nothing(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
