"""The webhook door: whatever an automation posts to /hooks/{name} or /save becomes an arrival, then is answered."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bridge.errors import ConfigError, InvalidArrival, StoreError
from bridge.link import Sighting, printable, tidy
from bridge.ports import Arrival, Inbox, Reading
from bridge.sources._body import content, form
from bridge.sources._finder import Found, described, find
from bridge.sources._request import HookRequest, captured, from_raw

MOST_LINKS = 1000
"""Links taken from one request."""

_HOOK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_RETRY_AFTER = "30"
_EXAMPLE = (
    'send JSON like {"url": "https://example.com/"}, a form with a field url, or the address as plain text'
)

# The token is in a header that no page can make a browser add by itself, so any page may ask.
_CORS = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT = _CORS | {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "authorization, content-type, idempotency-key",
    "Access-Control-Max-Age": "86400",
}


class Webhooks:
    """Takes requests that carry the owner's token; answers once what they hold is durable.

    Expects the server around it to limit the size of a body.
    """

    name = "webhooks"
    routes: Sequence[BaseRoute]

    def __init__(self, inbox: Inbox, *, token: str, clock: Callable[[], float]) -> None:
        if not token:
            raise ConfigError("webhooks need the owner's token: without one anybody could save links")
        self._inbox = inbox
        self._token = token.encode()
        self._clock = clock
        self.routes = [route for path in ("/hooks/{name}", "/save") for route in self._routes(path)]

    async def run(self) -> None:
        await asyncio.Event().wait()

    def _routes(self, path: str) -> Sequence[BaseRoute]:
        return (
            Route(path, self._receive, methods=["POST"]),
            Route(path, _preflight, methods=["OPTIONS"]),
            Route(path, _only_post, methods=["GET", "HEAD", "PUT", "PATCH", "DELETE"]),
        )

    async def _receive(self, request: Request) -> Response:
        if not self._is_owner(request):
            return _unauthorized()
        hook = request.path_params.get("name", "")
        if hook and not _HOOK_NAME.match(hook):
            return _error(
                404, "a hook's name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit"
            )
        if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            return _error(415, "send the body as it is, without Content-Encoding")
        try:
            return await self._keep(_arrival(await captured(request, hook=hook)))
        except ClientDisconnect:
            return _error(400, "the request ended before its body was complete; nothing was kept")
        except StoreError:
            return _error(
                503, "it cannot be stored now; nothing was kept, send it again", {"Retry-After": _RETRY_AFTER}
            )

    def _is_owner(self, request: Request) -> bool:
        given = request.headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        is_token = hmac.compare_digest(token.strip().encode("latin-1"), self._token)
        return is_token and scheme.lower() == "bearer"

    async def _keep(self, arrival: Arrival) -> Response:
        [receipt] = await self._inbox.put([arrival])
        if not receipt.new:
            return _answer(200, {"status": "known", "id": receipt.id})
        return _verdict(replace(arrival, id=receipt.id, received=self._clock()))


def read(group: Sequence[Arrival]) -> Reading:
    """The links in kept requests. Raises InvalidArrival when there is none, and says what was there instead."""
    sightings: list[Sighting] = []
    notes: list[str] = []
    for arrival in group:
        found, remarks = _found(from_raw(arrival.raw))
        notes += remarks
        for link in found:
            try:
                sightings.append(_sighting(link, arrival))
            except InvalidArrival as refused:
                notes.append(str(refused))
    if not sightings:
        raise InvalidArrival("no link found: " + "; ".join(notes[:3]))
    return Reading(sightings=sightings, notes=notes)


def _arrival(request: HookRequest) -> Arrival:
    source = "hook" if request.hook else "save"
    return Arrival(source=source, channel=request.hook, key=request.key, raw=request.raw())


def _found(request: HookRequest) -> tuple[Sequence[Found], list[str]]:
    """What the body says, and the query where the body says nothing; with remarks on how it was read."""
    body = content(request.body, request.content_type)
    query = form(request.query.encode("latin-1"))
    found = described(find(body.value) or find(_completed(body.value, query.value)), query.value)
    first_by_url: dict[str, Found] = {}
    for link in found:
        first_by_url.setdefault(link.url, link)
    links = list(first_by_url.values())
    remarks = [*body.notes, *query.notes]
    if not links:
        remarks.append(_what_was_there(body.value, query.value))
    if len(links) > MOST_LINKS:
        remarks.append(f"only the first {MOST_LINKS} of {len(links)} links were taken; send the others apart")
    return links[:MOST_LINKS], remarks


def _completed(body: Any, query: Mapping[str, Any]) -> Mapping[str, Any]:
    filled = {name: value for name, value in body.items() if value} if isinstance(body, Mapping) else {}
    return {**query, **filled}


def _sighting(link: Found, arrival: Arrival) -> Sighting:
    return Sighting.of(
        link.url.replace("\0", ""),
        source=arrival.source,
        hook=arrival.channel,
        title=link.title,
        tags=link.tags,
        note=printable(link.note),
        text=printable(link.text),
        at=arrival.received,
    )


def _what_was_there(body: Any, query: Mapping[str, Any]) -> str:
    fields = [*(body if isinstance(body, Mapping) else ()), *query]
    if fields:
        names = ", ".join(tidy(name)[:40] for name in fields[:10])
        return f"no web address in the fields {names}; {_EXAMPLE}"
    return f"no web address in the body; {_EXAMPLE}" if body else f"the request is empty; {_EXAMPLE}"


def _verdict(arrival: Arrival) -> Response:
    try:
        reading = read([arrival])
    except InvalidArrival as nothing:
        return _answer(422, {"status": "kept", "id": arrival.id, "error": str(nothing)})
    links = [sighting.url for sighting in reading.sightings]
    notes = {"notes": list(reading.notes)} if reading.notes else {}
    return _answer(202, {"status": "accepted", "id": arrival.id, "links": links, **notes})


async def _preflight(_: Request) -> Response:
    return Response(status_code=204, headers=_PREFLIGHT)


async def _only_post(_: Request) -> Response:
    said = f"nothing was saved: links are taken by POST, with “Authorization: Bearer TOKEN”; {_EXAMPLE}"
    return _error(405, said, {"Allow": "POST, OPTIONS"})


def _unauthorized() -> Response:
    said = "send the owner's token in a header: “Authorization: Bearer TOKEN”; it is not taken from the address or body"
    return _error(401, said, {"WWW-Authenticate": 'Bearer realm="bridge"'})


def _error(status: int, said: str, headers: Mapping[str, str] | None = None) -> Response:
    return _answer(status, {"status": "error", "error": said}, headers)


def _answer(status: int, said: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(said, status, {**_CORS, "Cache-Control": "no-store", **(headers or {})})
