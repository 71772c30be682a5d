"""A door that leads to an ASGI application in this process instead of out."""

from __future__ import annotations

import h11
import httpx
from starlette.types import ASGIApp

from bridge.net import Door, Reply, Target


class Inside:
    """What `Door` asks, answered by an application; no socket, so nothing to guard."""

    def __init__(self, app: ASGIApp) -> None:
        self._transport = httpx.ASGITransport(app=app)

    async def ask(
        self, target: Target, request: h11.Request, content: bytes, *, most_bytes: int, private_too: bool = True
    ) -> tuple[Reply, bool]:
        headers = list(request.headers)
        method = request.method.decode("ascii")
        asked = httpx.Request(method, target.url, headers=headers, content=content)
        response = await self._transport.handle_async_request(asked)
        return Reply(response.status_code, response.headers.raw, await response.aread()), private_too


def door_to(app: ASGIApp) -> Door:
    return Door(Inside(app), follows=False)
