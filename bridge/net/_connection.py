"""One HTTP/1.1 connection: one exchange at a time, parsed by h11, no byte read before somebody asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import h11

from bridge.errors import FetchError
from bridge.net._body import Body, Overflow
from bridge.net._target import Origin

MOST_HEADER = 64 * 1024
"""Bytes before the body, informational answers included."""

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as the wire had it, its body unpacked. Header names are lower-case."""

    status: int
    headers: Headers
    body: bytes


def wire_request(method: str, path: str, headers: Iterable[tuple[str | bytes, str | bytes]]) -> h11.Request:
    """Raises FetchError for what cannot be written into a request: a header of other lines, or no Latin-1."""
    try:
        fields = [(_bytes(name), _bytes(value)) for name, value in headers]
        return h11.Request(method=method, target=path, headers=fields)
    except (h11.LocalProtocolError, UnicodeEncodeError):
        raise FetchError("a header of this request holds characters that none may hold") from None


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


class Closed(FetchError):  # noqa: N818 - what the connection is
    """It ended before a byte of the answer came: on a used connection, the server may never have seen the request."""


class Cut(FetchError):  # noqa: N818 - what was done to it
    """The answer is larger than it may be; `reply` is its beginning, for whom that is enough."""

    def __init__(self, error: FetchError, reply: Reply) -> None:
        super().__init__(str(error), sent=True)
        self.reply = reply


class Connection(asyncio.Protocol):
    """`private`: the other side is inside a private network. `idle_since` is the loop's time."""

    def __init__(self, origin: Origin, *, private: bool) -> None:
        self.origin = origin
        self.private = private
        self.idle_since = 0.0
        self.used = False
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEADER)
        self._transport: asyncio.Transport | None = None
        self._future: asyncio.Future[Reply] | None = None
        self._most_bytes = 0
        self._header_bytes = 0
        self._head: h11.Response | None = None
        self._body: Body | None = None

    @property
    def reusable(self) -> bool:
        """Still open, and nothing of the last exchange is left over."""
        return (
            self._transport is not None
            and not self._transport.is_closing()
            and self._http.our_state is h11.DONE
            and self._http.their_state is h11.DONE
            and not self._http.trailing_data[0]
        )

    async def exchange(self, request: h11.Request, content: bytes, most_bytes: int) -> Reply:
        """Raises FetchError. Whatever ends it early, a deadline too, ends the connection."""
        transport, http = self._transport, self._http
        if transport is None:
            raise Closed("the connection was closed")
        if self.used:
            http.start_next_cycle()
        self._most_bytes, self._header_bytes, self._head, self._body = most_bytes, 0, None, None
        self._future = asyncio.get_running_loop().create_future()
        try:
            wire = http.send(request) or b""
            if content:
                wire += http.send(h11.Data(data=content)) or b""
            transport.write(wire + (http.send(h11.EndOfMessage()) or b""))
            return await self._future
        except h11.LocalProtocolError as error:
            transport.abort()
            raise FetchError(f"this cannot be asked: {error}") from None
        except BaseException:
            transport.abort()
            raise
        finally:
            self.used = True
            self._future = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._future is None or self._future.done():
            self.close()  # nobody asked for this
            return
        self._take(data)

    def eof_received(self) -> bool:
        if self._future is not None and not self._future.done():
            self._take(b"")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._future is not None and not self._future.done():
            begun = self._head is not None or self._header_bytes
            words = "the connection broke off" if exc else "the answer was cut off"
            self._fail(FetchError(words, sent=True) if begun else Closed("the server closed the connection", sent=True))

    def _take(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            if self._head is None:
                self._header_bytes += len(data)
            self._read()
        except h11.RemoteProtocolError as error:
            if data or self._header_bytes:
                cut = self._head is not None and not data
                words = "the answer was cut off" if cut else f"the answer is not HTTP as it should be: {error}"
                self._fail(FetchError(words, sent=True))
            else:
                self._fail(Closed("the server closed the connection without an answer", sent=True))
        except Overflow as error:
            self._fail(Cut(error, Reply(*self._said(), error.beginning)))
        except FetchError as error:
            self._fail(error)

    def _said(self) -> tuple[int, Headers]:
        return (self._head.status_code, list(self._head.headers)) if self._head else (0, [])

    def _read(self) -> None:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Data):
                if self._body is not None:
                    self._body.feed(event.data)
            elif isinstance(event, h11.Response):
                self._begin(event)
            elif isinstance(event, h11.EndOfMessage):
                self._end()
                return
            elif isinstance(event, h11.InformationalResponse):
                continue
            else:
                if self._head is None and self._header_bytes > MOST_HEADER:
                    raise FetchError("the answer's header is too large", sent=True)
                return

    def _begin(self, head: h11.Response) -> None:
        if self._header_bytes > MOST_HEADER:
            before = self._header_bytes - len(self._http.trailing_data[0])
            if before > MOST_HEADER:
                raise FetchError("the answer's header is too large", sent=True)
        self._head = head
        encodings = [value for name, value in head.headers if name == b"content-encoding"]
        self._body = Body(b", ".join(encodings).decode("latin-1"), self._most_bytes)

    def _end(self) -> None:
        if self._head is None or self._body is None or self._future is None:
            raise FetchError("the answer was cut off", sent=True)
        self._future.set_result(Reply(self._head.status_code, list(self._head.headers), self._body.whole()))

    def _fail(self, error: FetchError) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_exception(error)
        self.close()
