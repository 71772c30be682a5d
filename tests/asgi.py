"""A door that leads to an ASGI application in this process instead of out."""

from __future__ import annotations

import httpx
from starlette.types import ASGIApp

from bridge.net import Door, HttpRequest, Reply


class Inside:
    """What `Door` asks, answered by an application; no socket, so nothing to guard."""

    def __init__(self, app: ASGIApp) -> None:
        self._transport = httpx.ASGITransport(app=app)

    async def ask(self, request: HttpRequest, *, most_bytes: int, private_too: bool = True) -> tuple[Reply, bool]:
        asked = httpx.Request(request.method, request.target.url, headers=request.headers, content=request.content)
        response = await self._transport.handle_async_request(asked)
        return Reply(response.status_code, response.headers.raw, await response.aread()), private_too


def door_to(app: ASGIApp) -> Door:
    return Door(Inside(app), follows=False)
