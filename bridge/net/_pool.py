"""Connections: a name resolved once, every address checked, exactly that one dialled, and kept a while for the next."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from bridge.errors import FetchError, NotAllowed
from bridge.net._addresses import Network, is_private, literal, within
from bridge.net._connection import Closed, Connection, Reply
from bridge.net._request import HttpRequest
from bridge.net._target import Origin

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

MOST_IDLE = 20
IDLE_SECONDS = 30.0
ADDRESS_SECONDS = 5.0
"""For an address that has another one behind it."""


class Pool:
    """`allowed`: private networks that may be dialled; `trusted`: an origin that may be wherever it likes."""

    def __init__(
        self,
        certificates: Callable[[], ssl.SSLContext],
        resolve: Resolver,
        allowed: Sequence[Network] = (),
        trusted: Origin | None = None,
    ) -> None:
        self._certificates = certificates
        self._resolve = resolve
        self._allowed = allowed
        self._trusted = trusted
        self._idle: list[Connection] = []
        self._sweep: asyncio.TimerHandle | None = None

    async def ask(self, request: HttpRequest, *, most_bytes: int, private_too: bool = True) -> tuple[Reply, bool]:
        """The answer, and whether it came from inside a private network, which it may only where `private_too`."""
        connection = self._kept(request.target.origin, private_too=private_too)
        if connection is not None:
            try:
                return await self._exchange(connection, request, most_bytes)
            except Closed:
                if not request.safe:
                    raise
        connection = await self._dialled(request.target.origin, private_too=private_too)
        return await self._exchange(connection, request, most_bytes)

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    async def _exchange(self, connection: Connection, request: HttpRequest, most_bytes: int) -> tuple[Reply, bool]:
        reply = await connection.exchange(request, most_bytes)
        self._keep(connection)
        return reply, connection.private

    def _kept(self, origin: Origin, *, private_too: bool) -> Connection | None:
        for number in range(len(self._idle) - 1, -1, -1):
            connection = self._idle[number]
            if connection.origin == origin and (private_too or not connection.private):
                del self._idle[number]
                if connection.reusable:
                    return connection
        return None

    def _keep(self, connection: Connection) -> None:
        if not connection.reusable:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if len(self._idle) > MOST_IDLE:
            self._idle.pop(0).close()
        if self._sweep is None:
            self._sweep = loop.call_later(IDLE_SECONDS, self._swept)

    def _swept(self) -> None:
        """Closes what nobody needed for a while, the oldest first."""
        self._sweep = None
        loop = asyncio.get_running_loop()
        while self._idle and self._idle[0].idle_since + IDLE_SECONDS <= loop.time():
            self._idle.pop(0).close()
        if self._idle:
            self._sweep = loop.call_at(self._idle[0].idle_since + IDLE_SECONDS, self._swept)

    async def _dialled(self, origin: Origin, *, private_too: bool) -> Connection:
        addresses = await self._addresses(origin, private_too=private_too)
        failure: Exception = OSError("it has no address")
        for number, address in enumerate(addresses, 1):
            patience = None if number == len(addresses) else ADDRESS_SECONDS
            try:
                async with asyncio.timeout(patience):
                    return await self._dial(origin, address)
            except (OSError, TimeoutError) as error:
                failure = error
        raise FetchError(f"{origin.host} cannot be reached: {_words(failure)}") from None

    async def _dial(self, origin: Origin, address: str) -> Connection:
        made = partial(Connection, origin, private=is_private(address))
        _, connection = await asyncio.get_running_loop().create_connection(
            made,
            address,  # never the name: it could mean another address by now
            origin.port,
            ssl=self._certificates() if origin.secure else None,
            server_hostname=origin.host.rstrip(".") if origin.secure else None,
        )
        return connection

    async def _addresses(self, origin: Origin, *, private_too: bool) -> Sequence[str]:
        addresses: Sequence[str] = [literal(origin.host)]
        if not addresses[0]:
            try:
                addresses = await self._resolve(origin.host, origin.port)
            except (OSError, UnicodeError):
                raise FetchError(f"the name {origin.host} is not known") from None
        for address in addresses if origin != self._trusted else ():
            if is_private(address) and not (private_too and within(address, self._allowed)):
                raise NotAllowed(
                    f"{origin.host} is an address inside a private network ({address}); "
                    "BRIDGE_ALLOW_NETS names the networks that may be reached"
                )
        return addresses


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a name, as the system knows them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"no secure connection ({error.reason})"
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
