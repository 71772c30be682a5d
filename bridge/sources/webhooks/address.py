"""The addresses hooks have, and a request as it comes to one of them: read once, answered at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from bridge.sources.webhooks.body import content

_OF_THE_PAGE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, kw_only=True)  # without slots: `said` is kept
class Incoming:
    """A whole request. `path` is without the token that stood in it; `name` is empty for /save.

    `headers` have the last value of each; those that came more than once are `doubled`. `at` is when it was whole.
    """

    name: str = ""
    token: str = ""
    method: str = "POST"
    path: str = ""
    query: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    doubled: AbstractSet[str] = frozenset()
    body: bytes = b""
    at: float

    @cached_property
    def said(self) -> Mapping[str, Any]:
        """The fields of the body, read once; nobody may have proven anything yet."""
        once = "content-type" not in self.doubled
        value = content(self.body, self.headers.get("content-type", "")).value if once else None
        return value if isinstance(value, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()

    async def send(self, send: Send) -> None:
        length = () if self.status == 204 else ((b"content-length", b"%d" % len(self.body)),)
        await send({"type": "http.response.start", "status": self.status, "headers": (*self.headers, *length)})
        await send({"type": "http.response.body", "body": self.body})


Handler = Callable[[Incoming], Awaitable[Answer]]


class Addresses(BaseRoute):
    """All hooks' addresses and /save as one route. `cut` answers a request that ended before its body was complete."""

    def __init__(self, handler: Handler, cut: Answer, clock: Callable[[], float]) -> None:
        self._handler = handler
        self._cut = cut
        self._clock = clock

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
        headers, doubled = fields_of(scope["headers"])
        answer = await self._handler(
            Incoming(
                name=name,
                token=token,
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"],
                headers=headers,
                doubled=doubled,
                body=body,
                at=self._clock(),
            )
        )
        await answer.send(send)


def fields_of(raw: Sequence[tuple[bytes, bytes]]) -> tuple[Mapping[str, str], AbstractSet[str]]:
    """Header fields by their names, and the names that came more than once."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    if len(headers) == len(raw):
        return headers, frozenset()
    numbers = Counter(name.decode("latin-1") for name, _ in raw)
    return headers, {name for name, number in numbers.items() if number > 1}


@lru_cache(maxsize=256)
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
