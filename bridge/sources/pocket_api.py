"""The embedded list's face: a Pocket server, version 3, for the apps and scripts that Pocket left behind."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from bridge.errors import StoreError
from bridge.link import Sighting
from bridge.ports import HOUR, Arrival, Key, Reading, ReadingList
from bridge.reading_list import ARCHIVED, UNREAD, Action, Page, Query, Result
from bridge.sources import _pocket_reply as reply
from bridge.sources._pocket_request import (
    BadRequest,
    Noted,
    Parameters,
    Problem,
    actions,
    add,
    flag,
    parameters,
    query,
    text,
)

SETTLED = ("reading",)
"""The connection of the embedded list: what an app adds is there before it is an arrival."""

UNIT = 500
"""Actions in one unit of work: a long batch does not keep others waiting."""

IN_FLIGHT_SECONDS = 2
"""What began to be written before a page was read may be committed after it: the next `since` looks back so far."""

RETRY_SECONDS = 5

_CONSUMER_KEY = re.compile(r"[!-~]{1,100}")

_FIRST_CHUNK = 25
_CHUNK = 250


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: whose list, through which application. What an `inner` application adds is no arrival."""

    account: str
    application: str
    inner: bool = False


def read(group: Sequence[Arrival]) -> Reading:
    """What apps added. Pure; the list itself already has it."""
    return Reading(sightings=[_sighting(json.loads(arrival.raw)) for arrival in group])


def _sighting(raw: Mapping[str, Any]) -> Sighting:
    return Sighting.of(
        raw["url"],
        source="pocket",
        title=raw["title"],
        tags=raw["tags"],
        at=float(raw["time"]),
        settled=SETTLED,
    )


class PocketApi:
    """Implements ports.Source. Answers everything below /v3, and never with a failure of its own making.

    `identify(consumer_key, access_token)` answers None for a stranger.
    """

    name = "pocket"

    def __init__(
        self,
        reading_list: ReadingList,
        *,
        identify: Callable[[str, str], Identity | None],
        clock: Callable[[], float],
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._list = reading_list
        self._identify = identify
        self._clock = clock
        self._new_id = new_id
        self._endpoints: Mapping[str, Callable[[Identity, Parameters], Awaitable[reply.Wire]]] = {
            "add": self._add,
            "send": self._send,
            "get": self._get,
            "fetch": self._fetch,
            "stats": self._stats,
        }
        self.routes: Sequence[BaseRoute] = [Route("/v3/{endpoint:path}", _Endpoint(self.answer))]

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def answer(self, request: Request) -> Response:
        origin = request.headers.get("origin", "")
        if request.method == "OPTIONS":
            return reply.preflight(origin)
        try:
            return reply.success(await self._body(request), origin=origin)
        except BadRequest as refusal:
            return reply.failure(
                refusal.status, refusal.code, str(refusal), headers=refusal.headers, origin=origin
            )
        except StoreError:
            wait = {"Retry-After": str(RETRY_SECONDS)}
            return reply.failure(
                503, 199, "The list cannot be written or read now.", headers=wait, origin=origin
            )

    async def _body(self, request: Request) -> reply.Wire:
        endpoint = self._endpoints.get(request.path_params["endpoint"].strip("/"))
        if endpoint is None:
            raise BadRequest("There is no such endpoint.", status=404)
        if request.method not in ("GET", "POST"):
            raise BadRequest(
                "Only GET and POST are answered here.", status=405, headers={"Allow": "GET, POST"}
            )
        asked = await parameters(request)
        return await endpoint(self._identified(asked), asked)

    def _identified(self, asked: Parameters) -> Identity:
        consumer_key = text(asked.get("consumer_key"))
        if not consumer_key:
            raise BadRequest("Missing consumer key.", code=138)
        if not _CONSUMER_KEY.fullmatch(consumer_key):
            raise BadRequest("Invalid consumer key.", status=403, code=152)
        identity = self._identify(consumer_key, text(asked.get("access_token")))
        if identity is None:
            words = "A valid access token is required to access the requested API endpoint."
            raise BadRequest(words, status=401, code=107)
        return identity

    # -- endpoints -------------------------------------------------------------------------------------------------

    async def _add(self, identity: Identity, asked: Parameters) -> reply.Wire:
        [result] = await self._apply(identity, [add(asked, int(self._clock()))])
        if result.item is None:
            raise BadRequest(result.error)
        return {"item": reply.added(result.item), "status": 1}

    async def _send(self, identity: Identity, asked: Parameters) -> reply.Wire:
        wanted = actions(asked, int(self._clock()))
        done = iter(await self._apply(identity, [action for action in wanted if isinstance(action, Action)]))
        answers = [_answer(next(done) if isinstance(one, Action) else one) for one in wanted]
        return reply.sent([result for result, _ in answers], [error for _, error in answers])

    async def _get(self, identity: Identity, asked: Parameters) -> reply.Wire:
        wanted = query(asked)
        # Nothing on the list is known to be an image or a video.
        empty = text(asked.get("contentType")).lower() in ("image", "video")
        since = int(self._clock()) - IN_FLIGHT_SECONDS
        found = Page((), 0) if empty else await self._list.find(identity.account, wanted)
        answer = reply.page(found, wanted, since=since, total=bool(flag(asked, "total")))
        if flag(asked, "account") or flag(asked, "forceaccount"):
            answer["account"] = reply.account(identity.account)
        return answer

    async def _fetch(self, identity: Identity, asked: Parameters) -> reply.Wire:
        """The first synchronisation of official apps: what is unread, a small chunk first."""
        word = text(asked.get("chunk"))
        chunk = int(word) if word.isascii() and word.isdigit() and len(word) < 10 else 0
        size, start = (_CHUNK, _FIRST_CHUNK + _CHUNK * (chunk - 1)) if chunk else (_FIRST_CHUNK, 0)
        paged = {"count": size, "offset": start, **asked, "state": "unread", "total": "1"}
        sizes = {"firstChunkSize": str(_FIRST_CHUNK), "fetchChunkSize": str(_CHUNK), "chunk": str(chunk)}
        return {**await self._get(identity, paged), "passthrough": sizes}

    async def _stats(self, identity: Identity, _asked: Parameters) -> reply.Wire:
        unread = (await self._list.find(identity.account, Query(status=UNREAD, count=0))).total
        archived = (await self._list.find(identity.account, Query(status=ARCHIVED, count=0))).total
        return {"count_list": unread + archived, "count_read": archived, "count_unread": unread, "status": 1}

    # -- the list --------------------------------------------------------------------------------------------------

    async def _apply(self, identity: Identity, wanted: Sequence[Action]) -> list[Result]:
        results: list[Result] = []
        for start in range(0, len(wanted), UNIT):
            some = wanted[start : start + UNIT]
            arrivals = (
                [] if identity.inner else [self._arrival(identity, one) for one in some if _is_new_link(one)]
            )
            results += await self._list.apply(identity.account, some, arrivals=arrivals)
        return results

    def _arrival(self, identity: Identity, action: Action) -> Arrival:
        # Every request is an arrival of its own: one sent again after a lost answer must not be lost, and a link that
        # came twice is one link.
        at = action.time or int(self._clock())
        return Arrival(
            source=self.name,
            channel=identity.application,
            account=identity.account,
            key=Key(f"pocket:{identity.account}", self._new_id(), HOUR),
            raw=json.dumps({"url": action.url, "title": action.title, "tags": action.tags, "time": at}),
        )


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """A plain ASGI application, so that requests of any method come here and are answered in Pocket's way."""

    answer: Callable[[Request], Awaitable[Response]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.answer(Request(scope, receive))
        await response(scope, receive, send)


def _is_new_link(action: Action) -> bool:
    return action.name == "add" and bool(action.url)


def _answer(one: Result | Problem | Noted) -> tuple[bool | reply.Wire, reply.Wire | None]:
    match one:
        case Problem(message, kind, code):
            return False, {"message": message, "type": kind, "code": code}
        case Result(error=error) if error:
            return False, {"message": error, "type": "NotFound", "code": 404}
        case Result(item=item) if item is not None:
            return reply.added(item), None
        case _:
            return True, None
