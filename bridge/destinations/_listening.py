"""A transport that remembers what answers said in their headers, for whoever keeps the budgets."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import httpx

MOST = 32
"""Answers remembered while nobody asks."""


class Listening(httpx.AsyncBaseTransport):
    """Hands on every request, and keeps the headers of the answers."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self._heard: deque[Mapping[str, str]] = deque(maxlen=MOST)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        self._heard.append(dict(response.headers))
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()

    def taken(self) -> Sequence[Mapping[str, str]]:
        """The headers since this was last asked, in order."""
        taken = list(self._heard)
        self._heard.clear()
        return taken
