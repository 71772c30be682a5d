"""httpx over our connections, for a client library that brings its own client: guarded and bounded all the same."""

from __future__ import annotations

import asyncio

import httpx

from bridge.errors import FetchError
from bridge.net._connection import Reply
from bridge.net._pool import Pool
from bridge.net._request import HttpRequest
from bridge.net._target import Target

MOST_BYTES = 64 * 1024 * 1024

# Ours to say: where it goes, how it is framed, and what we can unpack.
_OWN = frozenset({b"host", b"content-length", b"transfer-encoding", b"accept-encoding", b"connection"})
_UNPACKED = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


class Transport(httpx.AsyncBaseTransport):
    """The timeout for reading bounds the whole exchange. Raises httpx's errors: ConnectError when nothing was sent."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        seconds = request.extensions.get("timeout", {}).get("read")
        content = await request.aread()
        try:
            async with asyncio.timeout(seconds):
                headers = [(name, value) for name, value in request.headers.raw if name.lower() not in _OWN]
                asked = HttpRequest.of(request.method, Target.of(str(request.url)), headers, content)
                reply, _ = await self._pool.ask(asked, most_bytes=MOST_BYTES)
        except TimeoutError:
            raise httpx.ReadTimeout(f"no complete answer within {seconds:g} seconds") from None
        except FetchError as error:
            raise (httpx.ReadError if error.sent else httpx.ConnectError)(str(error)) from error
        return _response(reply)

    async def aclose(self) -> None:
        await self._pool.close()


def _response(reply: Reply) -> httpx.Response:
    headers = [(name, value) for name, value in reply.headers if name not in _UNPACKED]
    return httpx.Response(reply.status, headers=headers, content=reply.body)
