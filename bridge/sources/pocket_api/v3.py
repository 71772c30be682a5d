"""Version 3 of the API: add, send, get, fetch, stats, and the parser's address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from starlette.responses import Response

from bridge.reading_list import ARCHIVED, UNREAD, Action, Page, Query, Result
from bridge.sources.pocket_api import reply
from bridge.sources.pocket_api.entrance import Entrance, Identity, permit
from bridge.sources.pocket_api.face import Exchange
from bridge.sources.pocket_api.quota import Quota
from bridge.sources.pocket_api.request import (
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
from bridge.sources.pocket_api.shelf import Shelf

IN_FLIGHT_SECONDS = 2
"""What began to be written before a page was read may be committed after it: the next `since` looks back so far."""

_PAGE = 500
"""Items in memory at a time when somebody asks for the whole list."""

_FIRST_CHUNK = 25
_CHUNK = 250


@dataclass(frozen=True, slots=True)
class _Method:
    permission: str
    answer: Callable[[Identity, Parameters], Awaitable[reply.Wire | Response]]


class Version3:
    def __init__(self, shelf: Shelf, entrance: Entrance, quota: Quota) -> None:
        self._shelf = shelf
        self._entrance = entrance
        self._quota = quota
        self._methods: Mapping[str, _Method] = {
            "add": _Method("a", self._add),
            "send": _Method("m", self._send),
            "get": _Method("d", self._get),
            "fetch": _Method("d", self._fetch),
            "stats": _Method("d", self._stats),
            "text": _Method("d", self._text),
            "download": _Method("d", self._text),
        }

    async def answer(self, exchange: Exchange) -> Response:
        """The endpoint named last in the path; /api/kobo has the same ones."""
        method = self._methods.get(exchange.endpoint)
        if method is None:
            raise BadRequest("There is no such endpoint.", status=404)
        asked = await parameters(exchange.request)
        keys = text(asked.get("consumer_key")), text(asked.get("access_token"))
        exchange.identity = identity = await self._entrance.by_token(*keys)
        self._quota.charge(identity)
        permit(identity, method.permission)
        answer = await method.answer(identity, asked)
        return answer if isinstance(answer, Response) else reply.success(answer)

    async def _add(self, identity: Identity, asked: Parameters) -> reply.Wire:
        [result] = await self._shelf.apply(identity, [add(asked, self._shelf.now())])
        if result.item is None:
            raise BadRequest(result.error)
        return {"item": reply.added(result.item), "status": 1}

    async def _send(self, identity: Identity, asked: Parameters) -> reply.Wire:
        wanted = actions(asked, self._shelf.now())
        done = iter(await self._shelf.apply(identity, [one for one in wanted if isinstance(one, Action)]))
        answers = [_answer(next(done) if isinstance(one, Action) else one) for one in wanted]
        return reply.sent([result for result, _ in answers], [error for _, error in answers])

    async def _get(self, identity: Identity, asked: Parameters) -> Response:
        """What is asked for without a count is all there is: more than a page of it goes out page by page."""
        return await self._found(identity, asked, {})

    async def _found(self, identity: Identity, asked: Parameters, more: reply.Wire) -> Response:
        wanted = query(asked)
        # Nothing on the list is known to be an image or a video.
        empty = text(asked.get("contentType")).lower() in ("image", "video")
        since = self._shelf.now() - IN_FLIGHT_SECONDS
        first = replace(wanted, count=_PAGE) if wanted.count is None else wanted
        found = Page((), 0) if empty else await self._shelf.find(identity, first)
        answer = reply.page(found, wanted, since=since, total=bool(flag(asked, "total"))) | more
        if flag(asked, "account") or flag(asked, "forceaccount"):
            answer["account"] = reply.account(identity.account)
        if wanted.count is None and len(found.items) == _PAGE:
            return reply.streamed(answer, self._shelf.pages(identity, first, found))
        return reply.success(answer)

    async def _fetch(self, identity: Identity, asked: Parameters) -> Response:
        """The first synchronisation of official apps: what is unread, a small chunk first."""
        word = text(asked.get("chunk"))
        chunk = int(word) if word.isascii() and word.isdigit() and len(word) < 10 else 0
        size, start = (_CHUNK, _FIRST_CHUNK + _CHUNK * (chunk - 1)) if chunk else (_FIRST_CHUNK, 0)
        paged = {"count": size, "offset": start, **asked, "state": "unread", "total": "1"}
        sizes = {"firstChunkSize": str(_FIRST_CHUNK), "fetchChunkSize": str(_CHUNK), "chunk": str(chunk)}
        return await self._found(identity, paged, {"passthrough": sizes})

    async def _stats(self, identity: Identity, _asked: Parameters) -> reply.Wire:
        unread = await self._shelf.count(identity, Query(status=UNREAD, count=0))
        archived = await self._shelf.count(identity, Query(status=ARCHIVED, count=0))
        return {"count_list": unread + archived, "count_read": archived, "count_unread": unread, "status": 1}

    async def _text(self, _identity: Identity, asked: Parameters) -> reply.Wire:
        """E-readers ask for the article. bridge reads no pages: it says so, with the way to the original."""
        return reply.article(add(asked, self._shelf.now()).url)


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
