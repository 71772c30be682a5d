"""Version 2 of the API, as Read It Later spoke it: a name and a password with every call, plain words as answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from html import escape
from http import HTTPStatus
from typing import Any

from starlette.responses import PlainTextResponse, Response

from bridge import passwords
from bridge.accounts import USER_NAME, Accounts
from bridge.link import printable
from bridge.ports import OWNER
from bridge.reading_list import ARCHIVED, DELETED, UNREAD, Item, Query, Status
from bridge.sources.pocket_api import reply
from bridge.sources.pocket_api.entrance import Entrance, Identity, permit
from bridge.sources.pocket_api.face import Exchange
from bridge.sources.pocket_api.hourly import Hourly
from bridge.sources.pocket_api.quota import Quota
from bridge.sources.pocket_api.request import (
    BadRequest,
    Parameters,
    add,
    changes,
    flag,
    number,
    parameters,
    since,
    text,
)
from bridge.sources.pocket_api.shelf import Shelf

SIGN_UPS = 10
"""New users an hour, where anybody may become one."""

_STATES: Mapping[str, Status | None] = {"": None, "unread": UNREAD, "read": ARCHIVED}

Method = Callable[[Identity, Parameters], Awaitable[Response]]


class Version2:
    def __init__(
        self,
        shelf: Shelf,
        accounts: Accounts,
        entrance: Entrance,
        quota: Quota,
        *,
        signup: bool,
        clock: Callable[[], float],
    ) -> None:
        self._shelf = shelf
        self._accounts = accounts
        self._entrance = entrance
        self._quota = quota
        self._signup = signup
        self._sign_ups = Hourly(SIGN_UPS, clock)
        self._methods: Mapping[str, tuple[str, Method]] = {
            "add": ("a", self._add),
            "send": ("m", self._send),
            "get": ("d", self._get),
            "stats": ("d", self._stats),
            "auth": ("", self._auth),
        }

    async def answer(self, exchange: Exchange) -> Response:
        """The method named in the path."""
        asked = await parameters(exchange.request)
        match exchange.endpoint:
            case "api":
                await self._entrance.application(_key(asked))
                return _done()
            case "signup":
                return await self._sign_up(asked)
            case endpoint if endpoint in self._methods:
                permission, method = self._methods[endpoint]
                keys = _key(asked), text(asked.get("username")), text(asked.get("password"))
                exchange.identity = identity = await self._entrance.by_password(*keys)
                self._quota.charge(identity)
                if permission:
                    permit(identity, permission)
                return await method(identity, asked)
            case _:
                raise BadRequest("There is no such method.", status=404)

    async def _add(self, identity: Identity, asked: Parameters) -> Response:
        await self._shelf.apply(identity, [add(asked, self._shelf.now())])
        return _done()

    async def _send(self, identity: Identity, asked: Parameters) -> Response:
        """Everything that can be done is done; what cannot is passed over, as it always was."""
        await self._shelf.apply(identity, changes(asked, self._shelf.now()))
        return _done()

    async def _get(self, identity: Identity, asked: Parameters) -> Response:
        state = text(asked.get("state")).lower()
        if state not in _STATES:
            raise BadRequest("state must be read or unread")
        count, page = number(asked, "count", least=1), number(asked, "page", least=1) or 1
        wanted = Query(
            status=_STATES[state],
            since=since(asked),
            sort="updated",
            count=count,
            offset=min((count or 0) * (page - 1), 10**18),
            total=False,
        )
        now = self._shelf.now()
        found = await self._shelf.find(identity, wanted)
        kept = [item for item in found.items if item.status != DELETED]
        listed = {str(item.id): _listed(item, tags=bool(flag(asked, "tags"))) for item in kept}
        answer = {"status": 1 if listed else 2, "since": now, "complete": 1, "list": listed}
        return _written(answer, asked)

    async def _stats(self, identity: Identity, asked: Parameters) -> Response:
        unread = await self._shelf.count(identity, Query(status=UNREAD, count=0))
        archived = await self._shelf.count(identity, Query(status=ARCHIVED, count=0))
        first = (await self._shelf.find(identity, Query(sort="oldest", count=1, total=False))).items
        counts = {
            "user_since": first[0].time_added if first else self._shelf.now(),
            "count_list": str(unread + archived),
            "count_read": str(archived),
            "count_unread": str(unread),
        }
        return _written(counts, asked)

    async def _auth(self, _identity: Identity, _asked: Parameters) -> Response:
        return _done()

    async def _sign_up(self, asked: Parameters) -> Response:
        await self._entrance.application(_key(asked))
        if not self._signup:
            raise BadRequest("This server takes no new users: ask its owner for an account.", status=403, code=16)
        name, password = text(asked.get("username")), text(asked.get("password"))
        if not USER_NAME.fullmatch(name):
            raise BadRequest("username must be 1 to 20 of a-z 0-9 _ -")
        if not passwords.SHORTEST <= len(password) <= passwords.LONGEST:
            raise BadRequest(f"password must have at least {passwords.SHORTEST} characters")
        if not self._sign_ups.take(""):
            raise BadRequest("Too many new users this hour; try later.", status=403, code=4)
        kept = await asyncio.to_thread(passwords.kept, password)
        if name == OWNER or not await self._accounts.add_user(name, kept):
            raise BadRequest("This username is taken.", status=401, code=2)
        return _done()


def failure(refusal: BadRequest) -> Response:
    """The status in words, as version 2 had it; what is wrong stands in X-Error."""
    words = f"{refusal.status} {HTTPStatus(refusal.status).phrase}"
    return PlainTextResponse(words, refusal.status, reply.errors(refusal))


def _key(asked: Parameters) -> str:
    key = text(asked.get("apikey"))
    if not key:
        raise BadRequest("Missing API key.", code=132)
    return key


def _done() -> Response:
    return PlainTextResponse("200 OK")


def _listed(item: Item, *, tags: bool) -> reply.Wire:
    return {
        "item_id": str(item.id),
        "url": item.url,
        "title": item.title,
        "time_updated": str(item.time_updated),
        "time_added": str(item.time_added),
        **({"tags": ",".join(item.tags)} if tags else {}),
        "state": str(int(item.status == ARCHIVED)),
    }


# -- JSON and XML --------------------------------------------------------------------------------------------------


def _written(answer: Mapping[str, Any], asked: Parameters) -> Response:
    match text(asked.get("format")).lower() or "json":
        case "json":
            return Response(json.dumps(answer, separators=(",", ":")), media_type="application/json")
        case "xml":
            # Elements beside each other without one around them: that is how it was documented.
            content = '<?xml version="1.0" encoding="UTF-8"?>\n' + "".join(_elements(answer))
            return Response(content, media_type="text/xml")
        case _:
            raise BadRequest("format must be json or xml")


def _elements(answer: Mapping[str, Any]) -> Iterator[str]:
    for name, value in answer.items():
        if isinstance(value, Mapping):
            items = "".join(f"<item>{''.join(_elements(item))}</item>\n" for item in value.values())
            yield f"<{name}>\n{items}</{name}>\n"
        else:
            yield f"<{name}>{escape(printable(str(value)), quote=False)}</{name}>\n"
