"""The web server: one ASGI application for every source's face, with its limits in front of everything."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge.errors import ConfigError

MIB = 1024 * 1024
MOST_CONNECTIONS = 512
MOST_FIELDS = 100


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


class TooLarge(Exception):  # noqa: N818
    """The body went past its limit while it was read."""


class Limits:
    """Bounds a request before anybody looks at it: body bytes as they come, and the number of header fields."""

    def __init__(self, app: ASGIApp, *, body: int = MIB, list_body: int = 5 * MIB) -> None:
        self._app = app
        self._body = body
        self._list_body = list_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._list_body if scope["path"].startswith("/v3/") else self._body
        if len(scope["headers"]) > MOST_FIELDS:
            await _answer(431, f"more than {MOST_FIELDS} header fields")(scope, receive, send)
        elif _declared(scope) > most:
            await _answer(413, f"a body may have {most} bytes")(scope, receive, send)
        else:
            await self._counted(scope, receive, send, most)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        left = most

        async def counting() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                # Said from here, before anything else makes a 500 of the exception.
                await _answer(413, f"a body may have {most} bytes")(scope, receive, send)
                raise TooLarge
            return message

        async def unless_said(message: Message) -> None:
            if left >= 0:
                await send(message)

        with contextlib.suppress(TooLarge):
            await self._app(scope, counting, unless_said)


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0


def _answer(status: int, error: str) -> Response:
    # Clients of the Pocket API read its error from headers, whoever answers.
    pocket = {"X-Source": "Pocket", "X-Error": error, "X-Error-Code": "130"}
    return JSONResponse({"error": error}, status, headers={"Connection": "close", **pocket})


def listen(host: str, port: int) -> socket.socket:
    """Binds before anything else starts, so that a taken port is a sentence and not a traceback."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}. "
            f"Is something else there? BRIDGE_LISTEN={host}:{port + 1} takes another port."
        ) from None
    listener.listen(1024)
    listener.setblocking(False)
    return listener


class Server(uvicorn.Server):
    """uvicorn inside our own loop: signals are the supervisor's, its log is ours."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=5,
                ws="none",
                h11_max_incomplete_event_size=32 * 1024,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
