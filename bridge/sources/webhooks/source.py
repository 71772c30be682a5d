"""The webhook door: what a service sends to its hook, or a person to /save, becomes an arrival, then is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bridge.errors import ConfigError, InvalidArrival, StoreError
from bridge.ports import Arrival, Inbox
from bridge.sources.webhooks import save_page
from bridge.sources.webhooks.auth import Knock, digest_like_a_signature
from bridge.sources.webhooks.hook import Hook, is_robot, may_be_named
from bridge.sources.webhooks.kinds import Kind
from bridge.sources.webhooks.office import Office, commands
from bridge.sources.webhooks.reading import EXAMPLE, MOST_LINKS, key_of, read, read_requests, said_by
from bridge.sources.webhooks.register import Register
from bridge.sources.webhooks.request import HookRequest, captured

__all__ = ["MOST_LINKS", "Hook", "Office", "Webhooks", "commands", "read"]

_RETRY_AFTER = "30"
_LARGE = 64 * 1024  # a body that takes so long to read that others would wait for it
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

# What proves a request is in a header or an address that no page can make a browser add by itself: any page may ask.
_CORS = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT = _CORS | {
    "Access-Control-Allow-Methods": "POST, PUT",
    "Access-Control-Allow-Headers": "authorization, content-type, idempotency-key",
    "Access-Control-Max-Age": "86400",
}


class Webhooks:
    """Takes requests that prove where they are from; answers once what they hold is durable.

    Expects the server around it to limit the size of a body. `key` makes the secrets of hooks that are added by hand.
    """

    name = "webhooks"
    routes: Sequence[BaseRoute]

    def __init__(self, inbox: Inbox, *, token: str, clock: Callable[[], float], key: bytes = b"") -> None:
        if not token:
            raise ConfigError("webhooks need the owner's token: without one anybody could save links")
        self.hooks = Register(inbox, key or token.encode())
        self._inbox = inbox
        self._clock = clock
        self._owners = Hook(name="", secrets=(token.encode(),), where={})
        self.routes = [
            *save_page.routes(),
            Route("/save", save_page.page, methods=["GET"]),
            *(
                route
                for path in (
                    "/hooks/{name}",
                    "/hooks/{name}/{token}",
                    "/trigger/{name}/with/key/{token}",
                    "/trigger/{name}/json/with/key/{token}",
                    "/save",
                )
                for route in self._routes(path)
            ),
        ]

    async def run(self) -> None:
        await asyncio.Event().wait()

    def _routes(self, path: str) -> Sequence[BaseRoute]:
        return (
            Route(path, self._receive, methods=_METHODS),
            Route(path, _preflight, methods=["OPTIONS"]),
        )

    async def _receive(self, request: Request) -> Response:
        name, token = request.path_params.get("name", ""), request.path_params.get("token", "")
        _strike_out(request, token)
        try:
            # The body is read before anything is decided: an early answer would tell which hooks exist.
            body = await request.body()
        except ClientDisconnect:
            return _error(400, "the request ended before its body was complete; nothing was kept")
        hook = self.hooks.get(name, replace(self._owners, name=name))
        if not hook.signed:
            digest_like_a_signature(body)
        if not hook.admits(Knock(headers=request.headers, body=body, token=token, now=self._clock())):
            return _unauthorized()
        return _refusal(request, hook) or await self._take(request, hook, body)

    async def _take(self, request: Request, hook: Hook, body: bytes) -> Response:
        kept = captured(request, hook.without_secrets(body), hook=hook.name, kind=hook.kind, where=hook.where)
        if greeting := _greeting(kept, hook.traits):
            return greeting
        try:
            return await self._keep(kept, hook)
        except StoreError:
            said = "it cannot be stored now; nothing was kept, send it again"
            return _error(503, said, {"Retry-After": _RETRY_AFTER})

    async def _keep(self, kept: HookRequest, hook: Hook) -> Response:
        source = "hook" if kept.hook else "save"
        key = key_of(kept, signed=hook.signed)
        arrival = Arrival(source=source, channel=kept.hook, key=key, raw=kept.raw())
        [receipt] = await self._inbox.put([arrival])
        if not receipt.new:
            return _answer(hook, {"status": "known", "id": receipt.id})
        stored = replace(arrival, id=receipt.id, received=self._clock())
        large = len(kept.body) > _LARGE
        return _answer(hook, await asyncio.to_thread(_verdict, stored, kept) if large else _verdict(stored, kept))


def _strike_out(request: Request, token: str) -> None:
    """The token leaves the address before anybody can log or keep it."""
    if token:
        path = request.scope["path"].removesuffix(token) + "…"
        request.scope["path"] = path
        request.scope["raw_path"] = path.encode()


def _refusal(request: Request, hook: Hook) -> Response | None:
    """Why a request that is known to be from where it should be is not taken all the same."""
    if hook.name and not may_be_named(hook.name):
        return _error(404, "a hook's name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit")
    if request.method not in hook.methods:
        methods = ", ".join(sorted(hook.methods))
        said = f"nothing was saved: this address takes {methods}; {EXAMPLE}"
        return _error(405, said, {"Allow": f"{methods}, OPTIONS"})
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        return _error(415, "send the body as it is, without Content-Encoding")
    if request.method == "GET" and is_robot(request.headers):
        return _error(403, "nothing was saved: this looks like a preview of the address, not like a use of it")
    return None


def _greeting(kept: HookRequest, kind: Kind) -> Response | None:
    """The answer to a service that only tries whether somebody is there."""
    if kind.handshake is None:
        return None
    said = said_by(kept)
    answer = kind.handshake(said.event, said.body)
    return Response(answer[1], answer[0], media_type="text/plain") if answer else None


def _verdict(arrival: Arrival, request: HookRequest) -> dict[str, Any]:
    try:
        reading = read_requests([(arrival, request)])
    except InvalidArrival as nothing:
        return {"status": "kept", "id": arrival.id, "error": str(nothing)}
    links = [sighting.url for sighting in reading.sightings]
    status = (
        {"status": "accepted", "id": arrival.id, "links": links} if links else {"status": "empty", "id": arrival.id}
    )
    return status | ({"notes": list(reading.notes)} if reading.notes else {})


def _answer(hook: Hook, said: Mapping[str, Any]) -> Response:
    """As the hook's kind of caller expects it."""
    status, headers = hook.traits.statuses[said["status"]], {**_CORS, "Cache-Control": "no-store"}
    if hook.traits.says is None:
        return JSONResponse(said, status, headers)
    text = hook.traits.says({"hook": hook.name, **said})
    return Response(text if status != 204 else None, status, headers, media_type="text/plain")


async def _preflight(request: Request) -> Response:
    """Also CloudEvents' handshake: https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md."""
    origin = request.headers.get("webhook-request-origin", "")
    allowed = {"Allow": "POST, PUT", "WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"} if origin else {}
    return Response(status_code=204, headers=_PREFLIGHT | allowed)


def _unauthorized() -> Response:
    said = (
        "nothing was saved: there is no such hook, or this request does not prove that it may use it; with the owner's "
        "token any name is one: “Authorization: Bearer TOKEN”, in a header, never in the address"
    )
    return _error(401, said, {"WWW-Authenticate": 'Bearer realm="bridge"'})


def _error(status: int, said: str, headers: Mapping[str, str] | None = None) -> Response:
    body = {"status": "error", "error": said}
    return JSONResponse(body, status, {**_CORS, "Cache-Control": "no-store", **(headers or {})})
