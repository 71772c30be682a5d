"""One HTTP/1.1 connection: one exchange at a time, parsed by httptools, no byte read before somebody asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httptools

from bridge.errors import FetchError
from bridge.net._body import Body, Overflow
from bridge.net._request import Headers, HttpRequest
from bridge.net._target import Origin

MOST_HEADER = 64 * 1024
"""Bytes of an answer's header, those of informational answers before it included."""

_WITHOUT_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as the wire had it, its body unpacked. Header names are lower-case."""

    status: int
    headers: Headers
    body: bytes


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
        self._transport: asyncio.Transport | None = None
        self._answer: _Answer | None = None
        self._stays = False

    @property
    def reusable(self) -> bool:
        """Still open, and nothing of the last exchange is left over."""
        return self._stays and self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: HttpRequest, most_bytes: int) -> Reply:
        """Raises FetchError. Whatever ends it early, a deadline too, ends the connection."""
        wire, transport = request.wire(), self._transport
        if transport is None:
            raise Closed("the connection was closed")
        self._stays = False
        self._answer = answer = _Answer(request.method, most_bytes)
        try:
            transport.write(wire)
            reply = await answer.future
        except BaseException:
            transport.abort()
            raise
        finally:
            self._answer = None  # whose body may be large, while the connection waits for the next request
            answer.release()
        self._stays = answer.leaves_open
        return reply

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.future.done():
            self._stays = False  # nobody asked for this
            self.close()
        elif not self._answer.feed(data):
            self.close()

    def eof_received(self) -> bool:
        if self._answer is not None:
            self._answer.ended()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None:
            self._answer.ended(broken=exc is not None)


class _Answer:
    """What comes back for one request, piece by piece. httptools calls the methods that begin with `on_`."""

    def __init__(self, method: str, most_bytes: int) -> None:
        self.future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.leaves_open = False
        self._parser = httptools.HttpResponseParser(self)
        self._method = method
        self._most_bytes = most_bytes
        self._headers: Headers = []
        self._size = 0
        self._body: Body | None = None
        self._over = False

    def feed(self, data: bytes) -> bool:
        """False when it cannot go on."""
        try:
            if self._body is None:
                self._size += len(data)
            self._parser.feed_data(data)
            if self._body is None and self._size > MOST_HEADER:
                raise _too_much_header()
            return True
        except httptools.HttpParserUpgrade:
            error = FetchError("the answer changes the protocol, which nobody asked for", sent=True)
        except httptools.HttpParserCallbackError as failure:
            error = self._why(failure)
        except httptools.HttpParserError as failure:
            error = _no_http(failure)
        except FetchError as failure:
            error = failure
        return self._fail(error)

    def _why(self, failure: httptools.HttpParserCallbackError) -> FetchError:
        """What one of our own methods raised."""
        reason = failure.__context__
        if isinstance(reason, Overflow):
            return Cut(reason, Reply(self._parser.get_status_code(), self._headers, reason.beginning))
        return reason if isinstance(reason, FetchError) else _no_http(failure)

    def ended(self, *, broken: bool = False) -> None:
        """Nothing more comes."""
        if self.future.done():
            return
        if not self._size:
            self._fail(Closed("the server closed the connection without an answer", sent=True))
        elif self._body is None or broken or self._framed():
            self._fail(FetchError("the connection broke off" if broken else "the answer was cut off", sent=True))
        else:
            self._finish()

    def release(self) -> None:
        """It is over. The parser and this know each other: without a word they would stay until they are found."""
        del self._parser
        self._body = None

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._over:
            raise FetchError("the server answers what nobody asked", sent=True)
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._headers = []
            return
        length = sum(len(name) + len(value) + 4 for name, value in self._headers)
        if length > MOST_HEADER:
            raise _too_much_header()
        encodings = [value for name, value in self._headers if name == b"content-encoding"]
        self._body = Body(b", ".join(encodings).decode("latin-1"), self._most_bytes)
        if self._method == "HEAD":
            self._finish()  # whatever it says about a body, there is none

    def on_body(self, piece: bytes) -> None:
        if self._body is not None and not self._over:
            self._body.feed(piece)

    def on_message_complete(self) -> None:
        if self._body is not None and not self._over:
            self.leaves_open = bool(self._parser.should_keep_alive())
            self._finish()

    def on_message_begin(self) -> None:
        if self._over:
            self.leaves_open = False

    def _framed(self) -> bool:
        """Its end does not lie in the connection's."""
        return any(name in (b"content-length", b"transfer-encoding") for name, _ in self._headers)

    def _finish(self) -> None:
        self._over = True
        if not self.future.done() and self._body is not None:
            self.future.set_result(Reply(self._parser.get_status_code(), self._headers, self._body.whole()))

    def _fail(self, error: FetchError) -> bool:
        self.leaves_open = False
        if not self.future.done():
            self.future.set_exception(error)
        return False


def _no_http(error: Exception) -> FetchError:
    return FetchError(f"the answer is not HTTP as it should be: {error}", sent=True)


def _too_much_header() -> FetchError:
    return FetchError("the answer's header is too large", sent=True)
