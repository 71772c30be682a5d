"""The web server: one ASGI application for every source's face, behind its limits."""

from __future__ import annotations

import contextlib
import resource
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.errors import ConfigError
from bridge.ports import Direct
from bridge.web.connection import MOST_CONNECTIONS, Config
from bridge.web.limits import Limits, Traffic


def application(
    faces: Iterable[Sequence[BaseRoute]], *, ready: Callable[[], Sequence[str]], traffic: Traffic | None = None
) -> ASGIApp:
    """`ready` answers what keeps the process from working, in words; nothing: it is ready."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        missing = ready()
        return JSONResponse({"ready": not missing, "missing": list(missing)}, 503 if missing else 200)

    own = [Route("/healthz", healthz), Route("/readyz", readyz)]
    routes = [*own, *(route for face in faces for route in face)]
    direct = [route for route in routes if isinstance(route, Direct)]
    return Limits(Directly(direct, Starlette(routes=routes)), traffic=traffic)


class Directly:
    """Hands a request to the route that takes it by its address, without what a framework puts in between."""

    def __init__(self, direct: Sequence[Direct], app: ASGIApp) -> None:
        self._direct = direct
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for route in self._direct:
                if route.takes(scope):
                    await route.handle(scope, receive, send)
                    return
        await self._app(scope, receive, send)


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

    def __init__(self, app: ASGIApp, *, cert: Path | None = None, key: Path | None = None, **limits: Any) -> None:
        super().__init__(Config(app, cert=cert, key=key, **limits))

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
