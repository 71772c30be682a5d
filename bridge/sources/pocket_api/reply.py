"""What a Pocket client is answered: every field and type that any known client relies on. Pure."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from http import HTTPStatus
from typing import Any

from starlette.responses import Response, StreamingResponse

from bridge.link import canonical, host
from bridge.reading_list import DELETED, Item, Page, Query
from bridge.sources.pocket_api.request import BadRequest

MOST_ACTIONS = 30
"""Advertised; any number is taken."""

_NEVER = "0000-00-00 00:00:00"

_EXPOSED = (
    "Status, X-Error, X-Error-Code, X-Source, Retry-After, X-Limit-User-Limit, X-Limit-User-Remaining,"
    " X-Limit-User-Reset, X-Limit-Key-Limit, X-Limit-Key-Remaining, X-Limit-Key-Reset"
)

Wire = dict[str, Any]


def success(body: Wire) -> Response:
    return Response(_compact(body), media_type="application/json")


def _compact(body: Wire) -> str:
    return json.dumps(body, separators=(",", ":"))


def streamed(answer: Wire, pages: AsyncIterator[Page]) -> Response:
    """An answer of /v3/get whose list is too long to be held: it is written page by page."""

    async def parts() -> AsyncIterator[str]:
        head, tail = _compact({**answer, "list": {}}).split('"list":{}', 1)
        yield head + '"list":{'
        place = 0
        async for page in pages:
            items = (f'"{item.id}":{_compact(listed(item, place + n))}' for n, item in enumerate(page.items))
            yield ("," if place else "") + ",".join(items)
            place += len(page.items)
        yield "}" + tail

    return StreamingResponse(parts(), media_type="application/json")


def failure(refusal: BadRequest) -> Response:
    """Its words stand in the body and, in ASCII, in X-Error."""
    body = json.dumps({"error": str(refusal)}, separators=(",", ":"))
    return Response(body, refusal.status, errors(refusal), media_type="application/json")


def errors(refusal: BadRequest) -> dict[str, str]:
    """The headers that say what is wrong."""
    return {"X-Error": _ascii(str(refusal)), "X-Error-Code": str(refusal.code), **(refusal.headers or {})}


def preflight() -> Response:
    """The answer to a browser that asks whether a page of another site may call."""
    allowed = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "Content-Type, X-Accept",
        "Access-Control-Max-Age": "86400",
    }
    return Response("{}", 200, allowed, media_type="application/json")


def stamp(response: Response, limits: Mapping[str, str]) -> None:
    """What every answer has, whatever became of the request."""
    status = response.status_code
    response.headers["X-Source"] = "Pocket"
    response.headers["Status"] = f"{status} {HTTPStatus(status).phrase}"
    response.headers.setdefault("Cache-Control", "private")
    response.headers.update(limits)


def open_to(response: Response, origin: str) -> None:
    """Extensions and pages of any origin may call: what opens the door is a token in the request, never a cookie."""
    if origin:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        response.headers["Vary"] = "Origin"


def _ascii(words: str) -> str:
    plain = words.replace("“", '"').replace("”", '"').replace("…", "...")
    return "".join(sign if " " <= sign <= "~" else "?" for sign in plain)[:300]


# -- items ---------------------------------------------------------------------------------------------------------


def listed(item: Item, sort_id: int) -> Wire:
    """An item of /v3/get. Numbers are strings, except those that never were."""
    if item.status == DELETED:
        return {"item_id": str(item.id), "status": "2"}
    id_ = str(item.id)
    tags = {"tags": {tag: {"item_id": id_, "tag": tag} for tag in item.tags}} if item.tags else {}
    return {
        "item_id": id_,
        "resolved_id": id_,
        "given_url": item.url,
        "given_title": item.title,
        "favorite": str(int(item.favorite)),
        "status": str(item.status),
        "time_added": str(item.time_added),
        "time_updated": str(item.time_updated),
        "time_read": str(item.time_read),
        "time_favorited": str(item.time_favorited),
        "sort_id": sort_id,
        "resolved_title": item.title,
        "resolved_url": item.url,
        "excerpt": "",
        "is_article": "1",
        "is_index": "0",
        "has_video": "0",
        "has_image": "0",
        "word_count": "0",
        "lang": "",
        **tags,
        "time_to_read": 0,
        "listen_duration_estimate": 0,
    }


def added(item: Item) -> Wire:
    """An item of /v3/add, and of add and readd in /v3/send: always as if the page had been read, tags not shown."""
    id_, normal = str(item.id), canonical(item.url)
    return {
        "item_id": id_,
        "normal_url": normal,
        "resolved_id": id_,
        "extended_item_id": id_,
        "resolved_url": item.url,
        "domain_id": "0",
        "origin_domain_id": "0",
        "response_code": "200",
        "mime_type": "text/html",
        "content_length": "0",
        "encoding": "utf-8",
        "date_resolved": _date(item.time_added),
        "date_published": _NEVER,
        "title": item.title,
        "excerpt": "",
        "word_count": "0",
        "innerdomain_redirect": "0",
        "login_required": "0",
        "has_image": "0",
        "has_video": "0",
        "is_index": "0",
        "is_article": "1",
        "used_fallback": "0",
        "lang": "",
        "time_first_parsed": str(item.time_added),
        "authors": [],
        "images": [],
        "videos": [],
        "resolved_normal_url": normal,
        "given_url": item.url,
    }


def _date(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S") if time else _NEVER


# -- answers -------------------------------------------------------------------------------------------------------


def page(found: Page, query: Query, *, since: int, total: bool) -> Wire:
    """The answer of /v3/get: an empty list is `{}` with status 2."""
    answer: Wire = {
        "status": 1 if found.items else 2,
        "complete": 1,
        "list": {str(item.id): listed(item, place) for place, item in enumerate(found.items)},
        "error": None,
        "search_meta": {"search_type": "normal", **(_search_meta(found, query) if query.search else {})},
        "since": since,
        "maxActions": MOST_ACTIONS,
        "cachetype": "db",
    }
    if total:
        answer["total"] = str(found.total)
    if query.taglist:
        answer["tags"] = list(found.taglist)
    return answer


def _search_meta(found: Page, query: Query) -> Wire:
    """How many match is counted only when the total is asked for: a common word has many."""
    seen = query.offset + len(found.items)
    return {
        **({"total_result_count": found.total} if query.total else {}),
        "count": len(found.items),
        "offset": query.offset,
        "has_more": seen < found.total if query.total else len(found.items) == query.count,
    }


def sent(results: Sequence[bool | Wire], errors: Sequence[Wire | None]) -> Wire:
    """The answer of /v3/send: one result and one error for each action; status 0 when any failed."""
    whole = all(result is not False for result in results)
    return {"status": int(whole), "action_results": list(results), "action_errors": list(errors)}


def account(name: str) -> Wire:
    """What is known of a user, in the shape clients expect."""
    return {
        "user_id": name,
        "username": name,
        "email": "",
        "birth": "0",
        "first_name": "",
        "last_name": "",
        "premium_status": "0",
        "is_fxa": "0",
        "aliases": {},
        "profile": {
            "username": name,
            "name": name,
            "description": "",
            "avatar_url": "",
            "follower_count": "0",
            "follow_count": "0",
            "is_following": "0",
            "uid": name,
            "type": "pocket",
            "sort_id": 1,
        },
        "premium_features": [],
        "premium_alltime_status": "0",
        "premium_on_trial": "0",
        "annotations_per_article_limit": 0,
    }


def article(url: str) -> Wire:
    """The parser's answer for a page that was not read: its address as the whole article."""
    link = escape(url)
    return {
        "resolved_id": "0",
        "resolvedUrl": url,
        "host": host(url),
        "title": url,
        "datePublished": "",
        "timePublished": 0,
        "responseCode": "200",
        "excerpt": "",
        "authors": [],
        "images": {},
        "videos": [],
        "wordCount": 0,
        "isArticle": 1,
        "isVideo": 0,
        "isIndex": 0,
        "usedFallback": 1,
        "requiresLogin": 0,
        "lang": "",
        "topImageUrl": "",
        "article": f'<p>The text of this page is not kept here. Read it at <a href="{link}">{link}</a>.</p>',
    }
