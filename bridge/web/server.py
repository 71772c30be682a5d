"""The web server: one ASGI application for every source's face, with its limits in front of everything."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bridge.errors import ConfigError

MIB = 1024 * 1024
HEADER_BYTES = 32 * 1024
MOST_FIELDS = 100

_LISTS = ("/v3/", "/v2/", "/api/kobo/")
"""Where a batch of actions may come in."""
MOST_ADDRESS = 8 * 1024
HEADER_SECONDS = 10.0
BODY_SECONDS = 30.0
IDLE_SECONDS = 15
MOST_CONNECTIONS = 2000
MOST_REQUESTS = 1000
MOST_HELD = 64 * MIB
RETRY_AFTER = "5"

_FULL = (
    f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {RETRY_AFTER}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
).encode()


def application(faces: Iterable[Sequence[BaseRoute]], *, ready: Callable[[], Sequence[str]]) -> ASGIApp:
    """`ready` answers what keeps the process from working, in words; nothing: it is ready."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        missing = ready()
        return JSONResponse({"ready": not missing, "missing": list(missing)}, 503 if missing else 200)

    own = [Route("/healthz", healthz), Route("/readyz", readyz)]
    routes = [*own, *(route for face in faces for route in face)]
    return Limits(Starlette(routes=routes))


class Refused(Exception):  # noqa: N818
    """A request went past a limit while its body was read; it has been told so."""


class Limits:
    """Bounds a request before anybody looks at it: header fields, address, body bytes as they come and their time.

    `requests` are worked on at once, and `held` bytes of their bodies are in memory; who comes then is told to come
    back. `body` is in bytes, `list_body` for the Pocket API, `body_seconds` from the header to the last byte.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        body: int = MIB,
        list_body: int = 5 * MIB,
        body_seconds: float = BODY_SECONDS,
        requests: int = MOST_REQUESTS,
        held: int = MOST_HELD,
    ) -> None:
        self._app = app
        self._body = body
        self._list_body = list_body
        self._body_seconds = body_seconds
        self._requests = requests
        self._most_held = held
        self._working = 0
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_list = scope["path"].startswith(_LISTS)
        most = self._list_body if is_list else self._body
        if refusal := self._refusal(scope, most, address=HEADER_BYTES if is_list else MOST_ADDRESS):
            await refusal(scope, receive, send)
            return
        self._working += 1
        try:
            await self._counted(scope, receive, send, most)
        finally:
            self._working -= 1

    def _refusal(self, scope: Scope, most: int, *, address: int) -> Response | None:
        if self._working >= self._requests:
            return _busy()
        if len(scope["headers"]) > MOST_FIELDS:
            return _answer(431, f"more than {MOST_FIELDS} header fields")
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > address:
            return _answer(414, f"an address may have {address} bytes; send more in a body")
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}:
            # A proxy may have gone by the one and we by the other: what follows could be anybody's.
            return _answer(400, "a request has Content-Length or Transfer-Encoding, not both")
        if _declared(scope) > most:
            return _answer(413, f"a body may have {most} bytes")
        return None

    async def _counted(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        due = asyncio.get_running_loop().time() + self._body_seconds
        taken, complete, refused = 0, False, False

        async def refuse(answer: Response) -> NoReturn:
            nonlocal refused
            # Said from here, before anything else makes a 500 of the exception.
            await answer(scope, receive, send)
            refused = True
            raise Refused

        async def counting() -> Message:
            nonlocal taken, complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(due):
                    message = await receive()
            except TimeoutError:
                await refuse(_answer(408, f"the body was not complete within {self._body_seconds:g} seconds"))
            complete = not message.get("more_body", False)
            size = len(message.get("body", b""))
            taken += size
            self._held += size
            if taken > most:
                await refuse(_answer(413, f"a body may have {most} bytes"))
            if self._held > self._most_held:
                await refuse(_busy())
            return message

        async def unless_said(message: Message) -> None:
            if not refused:
                await send(message)

        try:
            with contextlib.suppress(Refused):
                await self._app(scope, counting, unless_said)
        finally:
            self._held -= taken


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0


def _answer(status: int, error: str) -> Response:
    # Clients of the Pocket API read its error from headers, whoever answers.
    pocket = {"X-Source": "Pocket", "X-Error": error, "X-Error-Code": "130"}
    return JSONResponse({"error": error}, status, headers={"Connection": "close", **pocket})


def _busy() -> Response:
    answer = _answer(503, "too many requests at once; nothing was kept, send it again")
    answer.headers["Retry-After"] = RETRY_AFTER
    return answer


def listen(host: str, port: int) -> socket.socket:
    """Binds before anything else starts, so that a taken port is a sentence and not a traceback."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle off: without, every answer waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}. "
            f"Is something else there? BRIDGE_LISTEN={host}:{port + 1} takes another port."
        ) from None
    _allow_many_connections()
    listener.listen(1024)
    listener.setblocking(False)
    return listener


def _allow_many_connections() -> None:
    """A usual limit on open files, 1024, is used up by clients that only hold their connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MOST_CONNECTIONS if hard == resource.RLIM_INFINITY else min(2 * MOST_CONNECTIONS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Config(uvicorn.Config):
    """uvicorn's own knows no time for a header, and counts connections that only wait among those at work."""

    def __init__(
        self, app: ASGIApp, *, cert: Path | None, key: Path | None, header_seconds: float, connections: int
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
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=5,
            ws="none",
            h11_max_incomplete_event_size=HEADER_BYTES,
        )
        self.header_seconds = header_seconds
        self.connections = connections


class Connection(H11Protocol):
    """One connection. It is closed when a request's header does not come in time, however slowly it trickles."""

    config: Config
    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > self.config.connections:
            self.transport.write(_FULL)
            self.transport.close()
            return
        self._expect_header()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if getattr(self.cycle, "response_complete", True):
            self._expect_header()
        else:
            self._expect_nothing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def _expect_header(self) -> None:
        if self._overdue is None and not self.transport.is_closing():
            self._overdue = self.loop.call_later(self.config.header_seconds, self.transport.abort)

    def _expect_nothing(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None


def check_certificate(cert: Path, key: Path) -> None:
    """Raises ConfigError with what is wrong, before anything has started."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except FileNotFoundError:
        missing = key if cert.exists() else cert
        raise ConfigError(f"{missing} is not there: BRIDGE_TLS_CERT and BRIDGE_TLS_KEY name PEM files") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", "") or getattr(error, "strerror", "") or "it cannot be read"
        raise ConfigError(
            f"{cert} and {key} are no certificate with its key ({reason}): "
            "BRIDGE_TLS_CERT takes a certificate chain and BRIDGE_TLS_KEY its key without a password, both as PEM"
        ) from None


class Server(uvicorn.Server):
    """uvicorn inside our own loop: signals are the supervisor's, its log is ours. With a certificate: HTTPS only."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        cert: Path | None = None,
        key: Path | None = None,
        header_seconds: float = HEADER_SECONDS,
        connections: int = MOST_CONNECTIONS,
    ) -> None:
        config = Config(app, cert=cert, key=key, header_seconds=header_seconds, connections=connections)
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
