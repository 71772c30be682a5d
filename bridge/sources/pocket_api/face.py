"""What all of the Pocket face has in common: any request whatever is answered, and in Pocket's way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bridge.errors import StoreError
from bridge.sources.pocket_api import reply
from bridge.sources.pocket_api.entrance import Identity
from bridge.sources.pocket_api.quota import Quota
from bridge.sources.pocket_api.request import BadRequest

RETRY_SECONDS = 5


@dataclass(slots=True)
class Exchange:
    """A request, and who turned out to make it."""

    request: Request
    identity: Identity | None = None

    @property
    def endpoint(self) -> str:
        return str(self.request.path_params.get("endpoint", "")).strip("/")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A plain ASGI application, so that requests of any method come here.

    `foreign`: pages of other origins may read the answer.
    """

    handle: Callable[[Exchange], Awaitable[Response]]
    quota: Quota
    failure: Callable[[BadRequest], Response] = reply.failure
    foreign: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(Request(scope, receive))
        response = await self._answer(exchange)
        reply.stamp(response, self.quota.headers(exchange.identity))
        if self.foreign:
            reply.open_to(response, exchange.request.headers.get("origin", ""))
        await response(scope, receive, send)

    async def _answer(self, exchange: Exchange) -> Response:
        method = exchange.request.method
        if method == "OPTIONS" and self.foreign:
            return reply.preflight()
        if method not in ("GET", "POST"):
            allow = {"Allow": "GET, POST"}
            return self.failure(BadRequest("Only GET and POST are answered here.", status=405, headers=allow))
        try:
            return await self.handle(exchange)
        except BadRequest as refusal:
            return self.failure(refusal)
        except StoreError:
            wait = {"Retry-After": str(RETRY_SECONDS)}
            words = "The list cannot be written or read now."
            return self.failure(BadRequest(words, status=503, code=199, headers=wait))
