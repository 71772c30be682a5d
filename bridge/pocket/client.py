"""A client of the Pocket API, version 3: sign-in, add, send, get, stats."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, Unpack
from urllib.parse import urlencode

import httpx

from bridge.pocket import replies
from bridge.pocket.actions import Action, ActionResult
from bridge.pocket.errors import PocketError, UnexpectedReplyError
from bridge.pocket.items import Item
from bridge.pocket.limits import Limits
from bridge.pocket.replies import Access, ItemPage, RequestToken, Stats
from bridge.pocket.wire import Wire

POCKET = "https://getpocket.com"

BATCH = 30
"""Actions in one call: what servers announce as `maxActions`."""

PAGE = 500

Flag = Literal[
    "account",
    "annotations",
    "authors",
    "forceaccount",
    "forcepremium",
    "forcetaglist",
    "hasAnnotations",
    "images",
    "item",
    "meta",
    "positions",
    "posts",
    "premium",
    "rediscovery",
    "shares",
    "taglist",
    "tags",
    "version",
    "videos",
]


class Query(TypedDict, total=False):
    """What `get` may be asked. `tag` "_untagged_": items without tags. `since`, `updated_before`: unix seconds.

    With `since` the answer also holds what was deleted, as items with status 2. `search` looks into title and address.
    `flags` ask for more: `taglist` for all tags, `account` for the user, and so on.
    """

    state: Literal["unread", "archive", "all"]
    favorite: bool
    tag: str
    content_type: Literal["article", "video", "image"]
    sort: Literal["newest", "oldest", "title", "site", "relevance", "shortest", "longest"]
    detail_type: Literal["simple", "complete"]
    search: str
    domain: str
    since: int
    updated_before: int
    count: int
    offset: int
    total: bool
    flags: Collection[Flag]


_ON_THE_WIRE = {"content_type": "contentType", "detail_type": "detailType", "updated_before": "updatedBefore"}


class Pocket:
    """One user of one application at one server. Every method raises PocketError and nothing else of the network.

    `limits` are the headers of the last answer. `transport` replaces the network, for tests and for guards.
    """

    def __init__(
        self,
        consumer_key: str,
        access_token: str = "",
        *,
        base_url: str = POCKET,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float | httpx.Timeout = 20.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._consumer_key = consumer_key
        self._access_token = access_token
        self._wire = Wire(
            base_url,
            transport=transport,
            timeout=timeout,
            clock=clock,
            headers={"X-Accept": "application/json", "Content-Type": "application/json; charset=UTF-8"},
        )

    @property
    def base_url(self) -> str:
        return self._wire.base_url

    @property
    def limits(self) -> Limits:
        return self._wire.limits

    def __repr__(self) -> str:
        return f"Pocket(base_url={self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._wire.close()

    # Sign-in: request_token, then the user at authorize_url, then authorize.

    async def request_token(self, redirect_uri: str, *, state: str | None = None) -> RequestToken:
        """Begins a sign-in. The user comes back to `redirect_uri` exactly as given, with nothing appended."""
        asked = {"redirect_uri": redirect_uri} | ({"state": state} if state is not None else {})
        token = replies.request_token(await self._call("/v3/oauth/request", asked, signed=False))
        if state is not None and token.state not in (state, None):
            raise UnexpectedReplyError("the answer holds another state than the one sent")
        return token

    def authorize_url(
        self,
        code: str,
        redirect_uri: str,
        *,
        force: Literal["login", "signup"] | None = None,
        mobile: bool = False,
    ) -> str:
        """Where the user approves the application."""
        asked = {"request_token": code, "redirect_uri": redirect_uri}
        extra = ({"force": force} if force else {}) | ({"mobile": "1"} if mobile else {})
        return f"{self.base_url}/auth/authorize?{urlencode(asked | extra)}"

    async def authorize(self, code: str, *, account: bool = False) -> Access:
        """Ends a sign-in; from now on this client acts for that user.

        Raises NotApprovedError until the user has approved, CodeUsedError the second time.
        """
        asked = {"code": code} | ({"account": "1"} if account else {})
        access = replies.access(await self._call("/v3/oauth/authorize", asked, signed=False))
        self._access_token = access.access_token
        return access

    # The list.

    async def add(self, url: str, *, title: str = "", tags: Iterable[str] = (), tweet_id: str = "") -> Item:
        """Puts a link on the list, or makes a known one unread again. The answer shows no tags."""
        asked = {"url": url, "title": title, "tags": ",".join(tags), "tweet_id": tweet_id}
        return replies.added(await self._call("/v3/add", {name: value for name, value in asked.items() if value}))

    async def send(self, actions: Sequence[Action], *, batch: int = BATCH) -> tuple[ActionResult, ...]:
        """The actions in order, `batch` in one call; one result each, and one that fails does not stop the others.

        When a call fails, the error's `done` holds the results of the calls before it.
        """
        done: tuple[ActionResult, ...] = ()
        for start in range(0, len(actions), batch):
            try:
                done += await self._send(actions[start : start + batch])
            except PocketError as error:
                error.done = done
                raise
        return done

    async def get(self, **query: Unpack[Query]) -> ItemPage:
        """One answer of the list. Without `count` the server decides how many: use `items` to see all."""
        return replies.item_page(await self._call("/v3/get", _asked(query)), self.limits)

    def items(self, *, page: int = PAGE, **query: Unpack[Query]) -> Items:
        """All items the query matches, page by page: `async for item in pocket.items(state="unread")`.

        `count` and `offset` of the query are set by the paging.
        """
        return Items(self, page, query)

    async def stats(self) -> Stats:
        return replies.stats(await self._call("/v3/stats", {}))

    async def _send(self, actions: Sequence[Action]) -> tuple[ActionResult, ...]:
        body = await self._call("/v3/send", {"actions": [action.wire() for action in actions]})
        return replies.action_results(actions, body)

    async def _call(self, path: str, asked: Mapping[str, Any], *, signed: bool = True) -> Mapping[str, Any]:
        keys = {"consumer_key": self._consumer_key} | ({"access_token": self._access_token} if signed else {})
        return await self._wire.json(path, {**keys, **asked}, (self._access_token, self._consumer_key))


class Items:
    """An iteration over a list. After its first page `since` is what to ask for next time (taken before anything
    could change while paging) and `total` how many items match, None where the server does not say.

    It ends at a page that brings nothing new, so a server may give less than it was asked for. No item comes twice.
    """

    def __init__(self, pocket: Pocket, page: int, query: Query) -> None:
        self.since: int | None = None
        self.total: int | None = None
        self._pocket = pocket
        self._page = page
        self._query = query

    async def __aiter__(self) -> AsyncIterator[Item]:
        seen: set[str] = set()
        offset = 0
        while True:
            asked: Query = {**self._query, "count": self._page, "offset": offset, "total": True}
            page = await self._pocket.get(**asked)
            self._note(page)
            new = [item for item in page.items if item.item_id not in seen]
            if not new:
                return
            seen.update(item.item_id for item in new)
            offset += len(page.items)
            for item in new:
                yield item

    def _note(self, page: ItemPage) -> None:
        self.since = page.since if self.since is None else self.since
        self.total = page.total


def _asked(query: Query) -> dict[str, Any]:
    asked: dict[str, Any] = {name: value for name, value in query.items() if name != "flags" and value is not None}
    asked |= dict.fromkeys(query.get("flags", ()), True)
    # Flags as the strings "1" and "0": one server read the number 1 as no.
    return {
        _ON_THE_WIRE.get(name, name): str(int(value)) if isinstance(value, int) else value
        for name, value in asked.items()
    }
