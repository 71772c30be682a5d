"""A client of version 2 of the API, as Read It Later spoke it: a name and a password with every call."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self
from xml.etree import ElementTree as ET

import httpx

from bridge.pocket.errors import AccessTokenError, UnexpectedReplyError, UsernameTakenError
from bridge.pocket.items import many, tag_names, text, whole
from bridge.pocket.limits import Limits
from bridge.pocket.wire import Wire

READ_IT_LATER = "https://readitlaterlist.com"

Format = Literal["json", "xml"]

_PROLOG = re.compile(r"^\s*(<\?xml[^>]*\?>)?\s*")


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link for the list. `ref_id`: what it came from, in the application's own numbers."""

    url: str
    title: str = ""
    ref_id: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A link on the list. `tags` only where they were asked for."""

    item_id: str
    url: str
    title: str
    read: bool
    tags: tuple[str, ...]
    time_added: int
    time_updated: int


@dataclass(frozen=True, slots=True)
class LinkPage:
    """One answer of `get`, newest change first. `since` is what to ask for next time."""

    links: tuple[Link, ...]
    since: int


@dataclass(frozen=True, slots=True)
class UserStats:
    user_since: int
    total: int
    read: int
    unread: int


class ReadItLater:
    """One user of one application at one server. Every method raises PocketError and nothing else of the network.

    `limits` are the headers of the last answer. `transport` replaces the network, for tests and for guards.
    """

    def __init__(
        self,
        apikey: str,
        username: str = "",
        password: str = "",
        *,
        base_url: str = READ_IT_LATER,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float | httpx.Timeout = 20.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._apikey = apikey
        self._username = username
        self._password = password
        self._wire = Wire(base_url, transport=transport, timeout=timeout, clock=clock, headers={})

    @property
    def base_url(self) -> str:
        return self._wire.base_url

    @property
    def limits(self) -> Limits:
        return self._wire.limits

    def __repr__(self) -> str:
        return f"ReadItLater(base_url={self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._wire.close()

    # The account.

    async def auth(self) -> None:
        """Raises AccessTokenError when the name or the password is wrong."""
        await self._call("auth", {})

    async def signup(self, username: str, password: str) -> None:
        """Makes a user; from now on this client acts for them. Raises UsernameTakenError."""
        fields = {"apikey": self._apikey, "username": username, "password": password}
        try:
            await self._wire.text("/v2/signup", fields, (self._apikey, password))
        except AccessTokenError as error:
            # Here, and only here, 401 means that the name is somebody else's.
            raise UsernameTakenError(error.message, status=401, code=error.code, limits=error.limits) from None
        self._username, self._password = username, password

    async def api(self) -> Limits:
        """What is left to this application; the call itself does not count."""
        await self._wire.text("/v2/api", {"apikey": self._apikey}, (self._apikey,))
        return self.limits

    # The list.

    async def add(self, url: str, *, title: str = "", ref_id: str = "") -> None:
        """Puts a link on the list, or makes a known one unread again."""
        await self._call("add", {"url": url, "title": title, "ref_id": ref_id})

    async def send(
        self,
        *,
        new: Sequence[NewLink | str] = (),
        read: Iterable[str] = (),
        update_title: Mapping[str, str] | None = None,
        update_tags: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        """Many changes in one call, links named by their address. Tags replace those a link has."""
        groups: dict[str, list[dict[str, str]]] = {
            "new": [_new(link if isinstance(link, NewLink) else NewLink(link)) for link in new],
            "read": [{"url": url} for url in read],
            "update_title": [{"url": url, "title": title} for url, title in (update_title or {}).items()],
            "update_tags": [{"url": url, "tags": ",".join(tags)} for url, tags in (update_tags or {}).items()],
        }
        await self._call("send", {name: _numbered(entries) for name, entries in groups.items() if entries})

    async def get(
        self,
        *,
        state: Literal["read", "unread"] | None = None,
        my_app_only: bool = False,
        since: int | None = None,
        count: int | None = None,
        page: int | None = None,
        tags: bool = False,
        format: Format = "json",  # noqa: A002 - the API's word
    ) -> LinkPage:
        """The list. `page` counts from 1, `count` links each."""
        asked = {
            "state": state or "",
            "myAppOnly": "1" if my_app_only else "",
            "since": _number(since),
            "count": _number(count),
            "page": _number(page),
            "tags": "1" if tags else "",
            "format": format,
        }
        answer = await self._answer("get", asked, format)
        return LinkPage(tuple(_link(entry) for entry in many(answer.get("list"))), whole(answer.get("since")))

    async def stats(self, *, format: Format = "json") -> UserStats:  # noqa: A002
        answer = await self._answer("stats", {"format": format}, format)
        names = ("user_since", "count_list", "count_read", "count_unread")
        if missing := [name for name in names if name not in answer]:
            raise UnexpectedReplyError(f"the answer lacks {missing[0]}")
        return UserStats(*(whole(answer[name]) for name in names))

    async def _answer(self, method: str, asked: Mapping[str, str], format_: Format) -> Mapping[str, Any]:
        body = await self._call(method, asked)
        return _from_json(body) if format_ == "json" else _from_xml(body)

    async def _call(self, method: str, asked: Mapping[str, str]) -> str:
        keys = {"apikey": self._apikey, "username": self._username, "password": self._password}
        fields = keys | {name: value for name, value in asked.items() if value}
        return await self._wire.text(f"/v2/{method}", fields, (self._password, self._apikey))


def _new(link: NewLink) -> dict[str, str]:
    said = {"url": link.url, "title": link.title, "ref_id": link.ref_id}
    return {name: value for name, value in said.items() if value}


def _numbered(entries: Sequence[Mapping[str, str]]) -> str:
    return json.dumps({str(number): entry for number, entry in enumerate(entries)})


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _link(entry: Any) -> Link:
    if not isinstance(entry, Mapping) or not text(entry.get("url")):
        raise UnexpectedReplyError("the answer holds something that is no link")
    return Link(
        item_id=text(entry.get("item_id")),
        url=text(entry.get("url")),
        title=text(entry.get("title")),
        read=text(entry.get("state")) == "1",
        tags=tuple(tag_names(entry.get("tags"))),
        time_added=whole(entry.get("time_added")),
        time_updated=whole(entry.get("time_updated")),
    )


def _from_json(body: str) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise UnexpectedReplyError("the answer is no JSON object")
    return answer


def _from_xml(body: str) -> Mapping[str, Any]:
    """The documented form is a prolog and then elements beside each other, with none around them."""
    # No doctype: what defines entities could make a small answer a large one.
    if "<!DOCTYPE" in body:
        raise UnexpectedReplyError("the answer is XML with a document type")
    try:
        root = ET.fromstring(f"<answer>{_PROLOG.sub('', body, count=1)}</answer>")  # noqa: S314
    except (ET.ParseError, ValueError):
        raise UnexpectedReplyError("the answer is not readable as XML") from None
    # Some servers put one around them after all.
    top = root[0] if len(root) == 1 and len(root[0]) and root[0].tag != "list" else root
    answer: dict[str, Any] = {child.tag: child.text or "" for child in top}
    listed = top.find("list")
    if listed is not None:
        answer["list"] = [{field.tag: field.text or "" for field in item} for item in listed.findall("item")]
    return answer
