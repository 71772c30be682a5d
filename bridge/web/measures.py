"""`/metrics`: for this machine, or for whoever has the owner's token."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

# With one of these a proxy speaks for somebody else, wherever it runs.
_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via", "cf-connecting-ip")


def routes(measure: Callable[[], Awaitable[str]], *, token: str, content_type: str) -> Sequence[BaseRoute]:
    async def metrics(request: Request) -> Response:
        if not (_is_near(request) or _has_token(request, token)):
            words = "metrics are for this machine, or with the owner's token: “Authorization: Bearer TOKEN”\n"
            return PlainTextResponse(words, 401, {"WWW-Authenticate": 'Bearer realm="bridge"'})
        return Response(await measure(), headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    return [Route("/metrics", metrics, methods=["GET"])]


def _is_near(request: Request) -> bool:
    """Whether the other end of the socket is on this machine, and speaks for itself."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _has_token(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
