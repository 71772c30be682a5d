"""The only door out: every outgoing request is guarded, bounded in time and bytes, and followed by hand.

The address that is really dialled is checked, after the name was resolved, so neither odd spellings nor a name that
changes its mind between two look-ups reach a private network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import urljoin

import can_ada
import httpcore
import httpx

from bridge import __version__
from bridge.errors import FetchError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

USER_AGENT = f"pocket-bridge/{__version__} (saves links; self-hosted)"

# Python's own is_global calls several of these global: multicast, NAT64, 6to4, site-local, the old anycast relay.
_PRIVATE = tuple(
    ipaddress.ip_network(net)
    for net in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 "
        "::/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 "
        "fc00::/7 fe80::/10 fec0::/10 ff00::/8"
    ).split()
)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_VALIDATORS = frozenset({"if-none-match", "if-modified-since"})
_CREDENTIALS = frozenset({"authorization", "cookie", "x-api-key", "x-auth-token"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. `url` is the address that gave it; `hops` are the redirects on the way: (status, to).

    Names in `headers` are lower-case; one that came several times is joined by ", ".
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    hops: tuple[tuple[int, str], ...] = ()


class Door:
    """A way out through one client, made when it is first used. `follows`: whether redirects are followed at all."""

    def __init__(self, transport: Callable[[], httpx.AsyncBaseTransport], *, follows: bool) -> None:
        self._transport = transport
        self._follows = follows

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        return _client(self._transport())

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
        redirects: int = 5,
    ) -> Answer:
        """Any status is an answer. Raises FetchError when there is none in time, when it is too large, or when an
        address on the way is not allowed. Validators are sent to the first address only, credentials, cookies and
        `secrets` (headers of any name) to the first origin only."""
        hidden = dict(secrets or {})
        request = _Request(method, url, {**(headers or {}), **hidden}, content, frozenset(map(str.lower, hidden)))
        try:
            async with asyncio.timeout(deadline):
                return await self._follow(request, redirects if self._follows else 0, most_bytes)
        except TimeoutError:
            raise FetchError(f"no complete answer within {deadline:g} seconds", sent=True) from None

    async def _follow(self, request: _Request, redirects: int, most_bytes: int) -> Answer:
        hops: list[tuple[int, str]] = []
        while True:
            answer = await _exchange(self._client, request, most_bytes)
            target = answer.headers.get("location", "")
            if answer.status not in _REDIRECTS or not target or redirects == 0:
                return replace(answer, hops=tuple(hops))
            if len(hops) == redirects:
                raise FetchError(f"more than {redirects} redirects", sent=True)
            request = request.redirected(answer.status, _joined_url(request.url, target))
            hops.append((answer.status, request.url))


class Net(Door):
    """To anywhere but private networks. `allow_nets`: those that may be reached after all."""

    def __init__(self, *, allow_nets: Iterable[str] = (), resolve: Resolver | None = None) -> None:
        self._allowed = tuple(ipaddress.ip_network(net, strict=False) for net in allow_nets)
        self._resolve = resolve or _resolve
        self._transports: list[httpx.AsyncBaseTransport] = []
        super().__init__(self.transport, follows=True)

    def trusting(self, origin: str) -> Door:
        """To the one origin an operator wrote, which may be private; no redirect leads away from it."""
        return Door(lambda: self.transport(origin), follows=False)

    def transport(self, origin: str = "") -> httpx.AsyncBaseTransport:
        """For a client of its own that follows no redirects; `origin` as in `trusting`. Closed with this Net."""
        guard = _Guard(self._resolve, self._allowed, trusted=_host_and_port(origin) if origin else None)
        transport = _Transport(guard, None if origin.startswith("http:") else self._certificates)
        self._transports.append(transport)
        return transport

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        # Loading them takes as long as opening the database: not before somebody needs them.
        return ssl.create_default_context()

    async def close(self) -> None:
        for transport in self._transports:
            await transport.aclose()


def _client(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=transport,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, identity"},
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # noqa: S113 - the total deadline of fetch() bounds it
    )


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes
    secrets: frozenset[str] = frozenset()

    def redirected(self, status: int, target: str) -> _Request:
        as_get = status == 303 or (status in (301, 302) and self.method == "POST")
        same = _host_and_port(self.url) == _host_and_port(_checked(target))
        goes = _VALIDATORS if same else _VALIDATORS | _CREDENTIALS | self.secrets
        headers = {name: value for name, value in self.headers.items() if name.lower() not in goes}
        content = b"" if as_get else self.content
        return _Request("GET" if as_get else self.method, target, headers, content, self.secrets)


async def _exchange(client: httpx.AsyncClient, request: _Request, most_bytes: int) -> Answer:
    url, content = _checked(request.url), request.content or None
    try:
        async with client.stream(request.method, url, headers=request.headers, content=content) as response:
            body = await _body(response, most_bytes)
            return Answer(response.status_code, _joined(response.headers), body, request.url)
    except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
        raise FetchError(_words(error)) from error
    except (httpx.HTTPError, OSError) as error:
        raise FetchError(_words(error), sent=True) from error


async def _body(response: httpx.Response, most_bytes: int) -> bytes:
    """Reads the wire in pieces and unpacks it ourselves: a small gzip must not become a large one in memory."""
    unpacker = _unpacker(response.headers.get("content-encoding", ""))
    parts: list[bytes] = []
    left = most_bytes
    async for wire in response.aiter_raw():
        part = unpacker.unpack(wire, left + 1)
        left -= len(part)
        if left < 0:
            raise FetchError(f"the answer is larger than {most_bytes} bytes", sent=True)
        parts.append(part)
    if parts and not unpacker.whole:
        raise FetchError("the answer was cut off", sent=True)
    return b"".join(parts)


class _Plain:
    whole = True

    def unpack(self, wire: bytes, _most: int) -> bytes:
        return wire


class _Inflate:
    def __init__(self, window: int) -> None:
        self._inflate = zlib.decompressobj(window)

    @property
    def whole(self) -> bool:
        return self._inflate.eof

    def unpack(self, wire: bytes, most: int) -> bytes:
        try:
            return self._inflate.decompress(wire, most)
        except zlib.error:
            raise FetchError("the answer's compression is damaged", sent=True) from None


def _unpacker(encoding: str) -> _Plain | _Inflate:
    match encoding.strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip":
            return _Inflate(16 + zlib.MAX_WBITS)
        case "deflate":
            return _Inflate(zlib.MAX_WBITS)
        case other:
            raise FetchError(f"the answer is packed as “{other[:40]}”, which was not asked for", sent=True)


def _joined_url(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        raise FetchError("redirected to something that is no web address", sent=True) from None


def _joined(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): headers[name] for name in headers}


def _checked(url: str) -> str:
    try:
        parsed = can_ada.parse(url)
    except (ValueError, TypeError):
        raise FetchError("that is not a web address") from None
    if parsed.protocol not in ("http:", "https:") or not parsed.hostname:
        raise FetchError("only http and https addresses are fetched")
    # What was checked is what is asked for: one parser decides.
    return str(parsed.href)


def _host_and_port(url: str) -> tuple[str, int]:
    parsed = can_ada.parse(url)
    secure = parsed.protocol == "https:"
    return str(parsed.hostname).strip("[]"), int(parsed.port) if parsed.port else (443 if secure else 80)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


async def _resolve(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_private(address: str) -> bool:
    """True for everything that is not somebody's public host, IPv4 inside IPv6 included."""
    parsed: Address = ipaddress.ip_address(address.split("%", 1)[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return _in(mapped or parsed, _PRIVATE)


def _in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == net.version and address in net for net in networks)


class _Guard(httpcore.AsyncNetworkBackend):
    """Resolves once, checks every address, and dials exactly the one it has checked."""

    def __init__(self, resolve: Resolver, allowed: Sequence[Network], trusted: tuple[str, int] | None) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._trusted = trusted
        self._dial = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._addresses(host, port)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._dial.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError(f"the name {host} is not known") from None
        if self._trusted == (host, port):
            return addresses
        for address in addresses:
            if is_private(address) and not _in(ipaddress.ip_address(address.split("%", 1)[0]), self._allowed):
                raise FetchError(
                    f"{host} is an address inside a private network ({address}); "
                    "BRIDGE_ALLOW_NETS names the networks that may be reached"
                )
        return addresses

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise FetchError("only http and https addresses are fetched")

    async def sleep(self, seconds: float) -> None:
        await self._dial.sleep(seconds)


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own transport over a guarded pool: httpx has no public way to hand one in, its pool is the seam."""

    def __init__(self, guard: _Guard, certificates: ssl.SSLContext | None) -> None:  # the pool is all there is to it
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=certificates,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=30.0,
            network_backend=guard,
        )
