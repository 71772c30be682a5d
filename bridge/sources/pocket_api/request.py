"""What a Pocket client may send, in all the spellings clients have found, read into plain values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request

from bridge.errors import InvalidArrival
from bridge.link import printable, tidy, web_address
from bridge.reading_list import (
    ARCHIVED,
    GLOBAL_ACTIONS,
    TAG_ACTIONS,
    UNREAD,
    Action,
    Query,
    Status,
    pocket_tags,
)

Parameters = Mapping[str, Any]

MOST_ITEMS = 5000
"""The most a client may ask for by `count`; without a count it gets everything."""

MOST_ACTIONS = 10_000
"""In one batch."""

LONGEST_SEARCH = 200
"""Characters of a text, a tag or a domain that is looked for."""

NOTED = frozenset(
    "opened_item left_item opened_app closed_app item_position scrolled recent_search shared_to pv pv_wt pv_ab".split()
)
"""Actions that tell what a reader did. They are taken and change nothing."""

_PLAIN_ACTIONS = frozenset("archive readd favorite unfavorite delete tags_clear undo_archive undo_delete".split())

_LONGEST_FIELD = 16 * 1024 * 1024  # a batch of actions is one field; the body as a whole is capped before
_LAST_SECOND = 10**11  # what is greater counts milliseconds
_MOST_ENCODINGS = 3  # JSON, in a JSON string or percent-encoded, or both

_WHOLE = re.compile(r"-?\d{1,18}(\.\d*)?")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_HOST = re.compile(r"[^\s/:?#@]+\.[^\s/:?#@]+(:\d+)?([/?#]|$)")

_STATES: Mapping[str, Status | None] = {
    "unread": UNREAD,
    "queue": UNREAD,
    "archive": ARCHIVED,
    "read": ARCHIVED,
    **dict.fromkeys(
        (
            "all",
            "anyactive",
            "hasmeta",
            "hasattribution",
            "hasposts",
            "hasannotations",
            "hasdomainmetadata",
            "hasvideos",
            "pending",
        )
    ),
}
_SORTS: Mapping[str, Literal["newest", "oldest", "title", "site"]] = {
    "newest": "newest",
    "oldest": "oldest",
    "title": "title",
    "site": "site",
    "relevance": "newest",
    "shortest": "newest",
    "longest": "newest",
}
_FLAGS = {"": None, "0": False, "1": True, "false": False, "true": True}


class BadRequest(Exception):  # noqa: N818 - the protocol's word
    """The request as a whole is refused: the status of the answer, X-Error-Code, more headers, and the words."""

    def __init__(
        self, words: str, *, status: int = 400, code: int = 130, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(words)
        self.status = status
        self.code = code
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one action of a batch is not done; the others are."""

    message: str
    type: str = "Bad request"
    code: int = 130


@dataclass(frozen=True, slots=True)
class Noted:
    """An action that is answered with success and changes nothing."""


# -- the request ---------------------------------------------------------------------------------------------------


async def parameters(request: Request) -> Parameters:
    """Query and body as one: what stands in the query wins for GET, what stands in the body for POST."""
    query = dict(request.query_params)
    body = await _body(request)
    return {**body, **query} if request.method == "GET" else {**query, **body}


async def _body(request: Request) -> Parameters:
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media == "multipart/form-data":
        return await _multipart(request)
    try:
        body = (await request.body()).decode("utf-8", "replace").strip("\ufeff \t\r\n")
    except ClientDisconnect:
        raise BadRequest("the request ended early") from None
    if body.startswith("{") or media.endswith("json"):
        return _json_object(body) if body else {}
    return dict(parse_qsl(body, keep_blank_values=True))


async def _multipart(request: Request) -> Parameters:
    try:
        form = await request.form(max_files=0, max_part_size=_LONGEST_FIELD)
    except (MultiPartException, HTTPException, ClientDisconnect):
        raise BadRequest("the body is not valid multipart/form-data without files") from None
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _json_object(body: str) -> Parameters:
    value = _json(body)
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object")
    return value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# -- single values -------------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """One line of what can be printed and stored; nothing for what is no text."""
    match value:
        case str():
            return printable(value).strip()
        case bool():
            return str(int(value))
        case int():
            return str(value)
        case _:
            return ""


def _whole(value: Any) -> int | None:
    """None: it is no number."""
    match value:
        case bool():
            return None
        case int() if abs(value) < 10**18:
            return value
        case float() if math.isfinite(value) and abs(value) < 10**18:
            return int(value)
        case str() if _WHOLE.fullmatch(value.strip()):
            return int(value.strip().split(".")[0])
        case _:
            return None


def number(asked: Parameters, name: str, *, least: int = 0, most: int = 10**18) -> int | None:
    """None: it was not asked for."""
    value = asked.get(name)
    if value is None or value == "":
        return None
    whole = _whole(value)
    if whole is None or not least <= whole <= most:
        words = f"{name} must be a whole number from {least}" + (f" to {most}" if most < 10**18 else "")
        raise BadRequest(words)
    return whole


def flag(asked: Parameters, name: str) -> bool | None:
    """None: it was not asked for."""
    word = text(asked.get(name)).lower()
    if word not in _FLAGS:
        raise BadRequest(f"{name} must be 0 or 1")
    return _FLAGS[word]


def _seconds(number: int) -> int:
    return number // 1000 if number > _LAST_SECOND else number


def _tags(value: Any) -> tuple[str, ...]:
    match value:
        case str():
            words: list[Any] = value.split(",")
        case list():
            words = value
        case Mapping():
            words = list(value.values())
        case _:
            words = []
    tidied = (tidy(text(word)).replace("\ufffd", "?").replace(",", " ") for word in words)
    return tuple(tag for tag in tidied if tag)


def _title(value: Any) -> str:
    title = tidy(value) if isinstance(value, str) else ""
    return "" if title == "null" else title


def address(value: Any) -> str:
    """The address to keep; one without a scheme is http. Raises InvalidArrival.

    >>> address("example.com/a"), address("https://example.com/")
    ('http://example.com/a', 'https://example.com/')
    """
    return web_address(_with_scheme(text(value)))


def _with_scheme(url: str) -> str:
    if url.startswith("//"):
        return f"http:{url}"
    return f"http://{url}" if not _SCHEME.match(url) and _HOST.match(url) else url


# -- add and send --------------------------------------------------------------------------------------------------


def add(asked: Parameters, now: int) -> Action:
    """The action a call of /v3/add means."""
    try:
        url = address(asked.get("url"))
    except InvalidArrival as error:
        raise BadRequest(f"url: {error}") from None
    return Action(
        name="add",
        url=url,
        title=_title(asked.get("title")),
        tags=_tags(asked.get("tags")),
        time=_time(asked, now) or 0,
    )


def actions(asked: Parameters, now: int) -> list[Action | Problem | Noted]:
    """The actions of a call of /v3/send, in order, each read on its own."""
    value = asked.get("actions")
    for _ in range(_MOST_ENCODINGS):
        if isinstance(value, str):
            value = _unwrapped(value)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not value:
        raise BadRequest("actions must be a list of at least one action")
    _check_number(value, "actions")
    return [_action(entry, now) for entry in value]


def _check_number(entries: Collection[Any], name: str) -> None:
    if len(entries) > MOST_ACTIONS:
        raise BadRequest(f"{name} may hold {MOST_ACTIONS} entries, and these are {len(entries)}: send them in parts")


def _unwrapped(encoded: str) -> Any:
    value = _json(encoded)
    return unquote(encoded) if value is None else value


def _action(entry: Any, now: int) -> Action | Problem | Noted:
    if not isinstance(entry, dict):
        return Problem("an action must be an object")
    name = text(entry.get("action"))
    time = _time(entry, now)
    match name:
        case _ if name in NOTED:
            return Noted()
        case _ if time is None:
            return Problem(f"{name}: time must be a unix time in seconds")
        case "add":
            return _add_action(entry, time, now)
        case "retitle":
            return _retitle_action(entry, time)
        case _ if name in GLOBAL_ACTIONS:
            return _global_action(name, entry, time)
        case _ if name in _PLAIN_ACTIONS or name in TAG_ACTIONS:
            return _item_action(name, entry, time)
        case _:
            return Problem(f"Invalid Action: '{tidy(name)[:60]}'")


def _add_action(entry: Parameters, time: int, now: int) -> Action | Problem:
    if not text(entry.get("url")):
        return _item_action("add", entry, time)
    try:
        return add(entry, now)
    except BadRequest as error:
        return Problem(str(error), "Unprocessable Entity", 422)


def _item_action(name: str, entry: Parameters, time: int) -> Action | Problem:
    item_id, url = _item_id(entry), _with_scheme(text(entry.get("url")))
    if not item_id and not url:
        return Problem(f"{name} needs an item_id or a url")
    tags = _tags(entry.get("tags"))
    if name in ("tags_add", "tags_remove") and not pocket_tags(tags):
        return Problem(f"{name} names no tags")
    if name == "tags_replace" and entry.get("tags") is None:
        return Problem("tags_replace needs tags; to remove all, send an empty list")
    return Action(name=name, item_id=item_id, url=url, tags=tags, time=time)


def _retitle_action(entry: Parameters, time: int) -> Action | Problem:
    action, title = _item_action("retitle", entry, time), tidy(text(entry.get("title")))
    if isinstance(action, Problem):
        return action
    return replace(action, title=title) if title else Problem("retitle names no title")


def _item_id(entry: Parameters) -> int:
    word = text(entry.get("item_id"))
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 18 else 0


def _global_action(name: str, entry: Parameters, time: int) -> Action | Problem:
    old = _tag(entry.get("tag" if name == "tag_delete" else "old_tag"))
    new = _tag(entry.get("new_tag"))
    if not old or (name == "tag_rename" and not new):
        return Problem(f"{name} names no tag")
    return Action(name=name, old_tag=old, new_tag=new, time=time)


def _tag(value: Any) -> str:
    return next(iter(pocket_tags(_tags([value]))), "")


def _time(entry: Parameters, now: int) -> int | None:
    """0: it was not said. None: it is no time. Nobody acts in the future: a clock that is ahead is set back."""
    value = entry.get("time")
    if value is None or value == "":
        return 0
    number = _whole(value)
    return None if number is None or number < 0 else min(_seconds(number), now)


# -- version 2 -----------------------------------------------------------------------------------------------------

_CHANGES = {"new": "add", "read": "archive", "update_title": "retitle", "update_tags": "tags_replace"}


def changes(asked: Parameters, now: int) -> list[Action]:
    """What a call of /v2/send asks for: four lists of links. A link that is none is passed over."""
    read = [
        _change(name, entry, now) for group, name in _CHANGES.items() for entry in _entries(asked.get(group), group)
    ]
    return [action for action in read if action is not None]


def _entries(value: Any, group: str) -> list[Any]:
    """An object with the keys "0", "1" and so on, or a list; as JSON, or as it is."""
    for _ in range(_MOST_ENCODINGS):
        if isinstance(value, str) and value:
            value = _unwrapped(value)
    if isinstance(value, list | dict):
        _check_number(value, group)
    match value:
        case None | "":
            return []
        case list():
            return value
        case {"url": _}:
            return [value]
        case dict():
            return list(value.values())
        case _:
            raise BadRequest(f'{group} must be JSON like {{"0": {{"url": "https://example.com/"}}}}')


def _change(name: str, entry: Any, now: int) -> Action | None:
    if not isinstance(entry, dict):
        return None
    try:
        wanted = add(entry, now)
    except BadRequest:
        return None
    return replace(wanted, name=name)


# -- get -----------------------------------------------------------------------------------------------------------


def since(asked: Parameters) -> int:
    return _seconds(number(asked, "since") or 0)


def query(asked: Parameters) -> Query:
    """What a call of /v3/get asks the list."""
    search = _sought(asked, "search")
    return Query(
        status=_choice(asked, "state", _STATES, "all"),
        favorite=flag(asked, "favorite"),
        tag=tidy(_sought(asked, "tag")),
        search=search,
        domain=_sought(asked, "domain").removeprefix("www."),
        since=since(asked),
        updated_before=_seconds(number(asked, "updatedBefore") or 0),
        sort=_choice(asked, "sort", _SORTS, "newest"),
        count=number(asked, "count", least=1, most=MOST_ITEMS),
        offset=number(asked, "offset") or 0,
        total=bool(flag(asked, "total")),
        taglist=bool(flag(asked, "taglist")) or bool(flag(asked, "forcetaglist")),
    )


def _sought(asked: Parameters, name: str) -> str:
    word = text(asked.get(name))
    if len(word) > LONGEST_SEARCH:
        raise BadRequest(f"{name} may have {LONGEST_SEARCH} characters")
    return word


def _choice(asked: Parameters, name: str, known: Mapping[str, Any], default: str) -> Any:
    word = text(asked.get(name)).lower() or default
    if word not in known:
        raise BadRequest(f"{name} must be one of: {', '.join(known)}")
    return known[word]
