"""The addresses hooks have, and a request as it comes to one of them: read once, answered at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

_OF_THE_PAGE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A whole request. `path` is without the token that stood in it; `name` is empty for /save."""

    name: str
    token: str
    method: str
    path: str
    query: bytes
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()

    async def send(self, send: Send) -> None:
        length = [] if self.status == 204 else [(b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": [*self.headers, *length]})
        await send({"type": "http.response.body", "body": self.body})


Handler = Callable[[Incoming], Awaitable[Answer]]


class Addresses(BaseRoute):
    """All hooks' addresses and /save as one route. `cut` answers a request that ended before its body was complete."""

    def __init__(self, handler: Handler, cut: Answer) -> None:
        self._handler = handler
        self._cut = cut

    def takes(self, scope: Scope) -> bool:
        named = parsed(scope["path"])
        return named is not None and (bool(named[0]) or scope["method"] not in _OF_THE_PAGE)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL if scope["type"] == "http" and self.takes(scope) else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, token = parsed(scope["path"]) or ("", "")
        if token:
            # The token leaves the address before anybody can log or keep it.
            path = scope["path"].rstrip("/").removesuffix(token) + "…"
            scope["path"], scope["raw_path"] = path, path.encode()
        body = await _body(receive)
        if body is None:
            await self._cut.send(send)
            return
        answer = await self._handler(
            Incoming(
                name=name,
                token=token,
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"],
                headers=Headers(raw=scope["headers"]),
                body=body,
            )
        )
        await answer.send(send)


def parsed(path: str) -> tuple[str, str] | None:
    """A hook's name and the token that stands in its address; None for what is no hook's address.

    >>> parsed("/hooks/shop"), parsed("/trigger/shop/json/with/key/abc"), parsed("/save"), parsed("/hooks")
    (('shop', ''), ('shop', 'abc'), ('', ''), None)
    """
    parts = path.split("/")
    if len(parts) > 2 and not parts[-1]:
        parts.pop()
    match parts:
        case ["", "save"]:
            return "", ""
        case ["", "hooks", name] if name:
            return name, ""
        case (
            ["", "hooks", name, token]
            | ["", "trigger", name, "with", "key", token]
            | ["", "trigger", name, "json", "with", "key", token]
        ) if name and token:
            return name, token
        case _:
            return None


async def _body(receive: Receive) -> bytes | None:
    """None when it ends early."""
    message: Any = await receive()
    if message["type"] != "http.request":
        return None
    if not message.get("more_body", False):
        return bytes(message.get("body", b""))
    parts = [message.get("body", b"")]
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
    return b"".join(parts)
