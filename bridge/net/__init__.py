"""The only door out: every outgoing request is guarded, bounded in time and bytes, and followed by hand.

The address that is really dialled is checked, after the name was resolved, so neither odd spellings nor a name that
changes its mind between two look-ups reach a private network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import httpx

from bridge import __version__
from bridge.errors import FetchError
from bridge.net._addresses import is_private
from bridge.net._connection import Cut, Reply
from bridge.net._pool import Pool, Resolver, resolve
from bridge.net._request import Headers, HttpRequest
from bridge.net._target import Target
from bridge.net._transport import Transport

__all__ = ["USER_AGENT", "Answer", "Door", "HttpRequest", "Net", "Reply", "Target", "Way", "is_private"]

USER_AGENT = f"pocket-bridge/{__version__} (saves links; self-hosted)"

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_VALIDATORS = frozenset({"if-none-match", "if-modified-since"})

# What another origin is told too; anything else may be a secret meant for the first.
_TRAVELS = frozenset({"accept", "accept-language", "content-type", "user-agent"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. `url` is the address that gave it; `hops` are the redirects on the way: (status, to).

    Names in `headers` are lower-case; one that came several times is joined by ", ". Values are Latin-1, so that they
    can be sent back byte for byte.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    hops: tuple[tuple[int, str], ...] = ()


class Way(Protocol):
    """Where a door leads: to the network over a pool of connections, in tests to an application."""

    async def ask(self, request: HttpRequest, *, most_bytes: int, private_too: bool = True) -> tuple[Reply, bool]:
        """One exchange, and whether it was with a private network. Raises FetchError."""
        ...


class Door:
    """A way out. `follows`: whether redirects are followed at all."""

    def __init__(self, way: Way, *, follows: bool) -> None:
        self._way = way
        self._follows = follows

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        content: bytes = b"",
        deadline: float = 20.0,
        most_bytes: int = 10 * 1024 * 1024,
        cut: bool = False,
        redirects: int = 5,
    ) -> Answer:
        """Any status is an answer. Raises FetchError when there is none in time, when it is too large (with `cut`, its
        beginning is enough), or when an address on the way is not allowed. Validators are sent to the first address
        only; to another origin go none but harmless headers, and never `secrets` (headers of any name). From the
        internet no redirect leads into a private network."""
        hidden = secrets or {}
        given = {**(headers or {}), **hidden}
        wish = _Wish(method, Target.of(url), given, content, frozenset(map(str.lower, hidden)))
        try:
            async with asyncio.timeout(deadline):
                return await self._follow(wish, redirects if self._follows else 0, most_bytes, cut=cut)
        except TimeoutError:
            raise FetchError(f"no complete answer within {deadline:g} seconds", sent=True) from None

    async def _follow(self, wish: _Wish, redirects: int, most_bytes: int, *, cut: bool) -> Answer:
        hops: list[tuple[int, str]] = []
        private_too = True
        while True:
            try:
                reply, private_too = await self._way.ask(wish.request(), most_bytes=most_bytes, private_too=private_too)
            except Cut as error:
                if not cut:
                    raise
                reply, private_too = error.reply, False
            headers = _joined(reply.headers)
            location = headers.get("location", "")
            if reply.status not in _REDIRECTS or not location or redirects == 0:
                return Answer(reply.status, headers, reply.body, wish.target.url, tuple(hops))
            if len(hops) == redirects:
                raise FetchError(f"more than {redirects} redirects", sent=True)
            wish = wish.redirected(reply.status, wish.target.joined(location))
            hops.append((reply.status, wish.target.url))


class Net(Door):
    """To anywhere but private networks. `allow_nets`: those that may be reached after all."""

    def __init__(self, *, allow_nets: Iterable[str] = (), resolve: Resolver = resolve) -> None:
        self._allowed = tuple(ipaddress.ip_network(net, strict=False) for net in allow_nets)
        self._resolve = resolve
        self._pools: list[Pool] = []
        super().__init__(self._new_pool(), follows=True)

    def trusting(self, origin: str) -> Door:
        """To the one origin an operator wrote, which may be private; no redirect leads away from it."""
        return Door(self._new_pool(origin), follows=False)

    def transport(self, origin: str = "") -> httpx.AsyncBaseTransport:
        """For a client of its own that follows no redirects; `origin` as in `trusting`. Closed with this Net."""
        return Transport(self._new_pool(origin))

    def _new_pool(self, origin: str = "") -> Pool:
        trusted = Target.of(origin).origin if origin else None
        pool = Pool(lambda: self._certificates, self._resolve, self._allowed, trusted)
        self._pools.append(pool)
        return pool

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        # Loading them takes as long as opening the database: not before somebody needs them.
        return ssl.create_default_context()

    async def close(self) -> None:
        for pool in self._pools:
            await pool.close()


@dataclass(frozen=True, slots=True)
class _Wish:
    method: str
    target: Target
    headers: Mapping[str, str]
    content: bytes
    secrets: frozenset[str]

    def request(self) -> HttpRequest:
        """Raises FetchError for a header that cannot be sent."""
        named = {"user-agent": USER_AGENT}
        if self.target.authorization:
            named["authorization"] = self.target.authorization
        named |= {name.lower(): value for name, value in self.headers.items()}
        return HttpRequest.of(self.method, self.target, named.items(), self.content)

    def redirected(self, status: int, url: str) -> _Wish:
        as_get = status == 303 or (status in (301, 302) and self.method == "POST")
        target = Target.of(url)
        same = self.target.origin == target.origin
        headers = {name: value for name, value in self.headers.items() if self._goes_on(name.lower(), same=same)}
        target = replace(target, authorization=self.target.authorization if same else "")
        content = b"" if as_get else self.content
        return _Wish("GET" if as_get else self.method, target, headers, content, self.secrets)

    def _goes_on(self, name: str, *, same: bool) -> bool:
        return name not in _VALIDATORS if same else name in _TRAVELS and name not in self.secrets


def _joined(headers: Headers) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("ascii"), value.decode("latin-1")
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined
