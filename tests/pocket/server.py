"""Pocket servers for tests: the embedded list's face on a real store, and one that answers what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bridge.accounts import Accounts
from bridge.pocket import Pocket
from bridge.ports import ReadingList
from bridge.sources.pocket_api.source import PocketApi
from bridge.store.core import Store

KEY = "1234-abcd1234abcd1234abcd1234"
TOKEN = "5678defa-5678-defa-5678-defa56"
INNER = "9999defa-5678-defa-5678-defa56"


def face(
    reading_list: ReadingList, clock: Callable[[], float], accounts: Accounts | None = None, **more: Any
) -> Starlette:
    """The embedded list; TOKEN is its owner's. A store keeps the accounts, too."""
    if accounts is None:
        assert isinstance(reading_list, Store)
        accounts = reading_list.accounts
    api = PocketApi(reading_list, accounts, owner=TOKEN, inner=INNER, clock=clock, **more)
    return Starlette(routes=list(api.routes))


def client(app: Any, token: str = TOKEN) -> Pocket:
    return Pocket(KEY, token, base_url="http://list.example", transport=httpx.ASGITransport(app))


def browser(app: Any) -> httpx.AsyncClient:
    """A plain HTTP client, for bodies a good client would not send."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://list.example")


@dataclass(frozen=True)
class Answer:
    """`body` that is no text is sent as JSON."""

    status: int = 200
    body: Any = ""
    headers: Mapping[str, str] = field(default_factory=lambda: {"X-Source": "Pocket"})


class Script:
    """A Pocket server that gives these answers one after another, the last one for ever, and keeps what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._answers: Sequence[Answer] = answers
        self._app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["POST"])])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        answer = self._answers[min(len(self.asked), len(self._answers) - 1)]
        self.asked.append((request.url.path, _read(await request.body())))
        body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        kind = "text/html" if isinstance(answer.body, str) else "application/json"
        return Response(body, answer.status, {"Content-Type": kind, **answer.headers})


def _read(body: bytes) -> dict[str, Any]:
    """Version 3 sends JSON, version 2 a form."""
    asked: dict[str, Any] = json.loads(body) if body.startswith(b"{") else dict(parse_qsl(body.decode()))
    return asked


class Gone(httpx.AsyncBaseTransport):
    """A network on which nothing answers."""

    def __init__(self, error: Callable[[str], httpx.TransportError] = httpx.ConnectError) -> None:
        self.tries = 0
        self._error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.tries += 1
        raise self._error(f"no route for {request.content!r}")
