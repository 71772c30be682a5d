"""Pages read: fetched through the only door out, their beginning taken apart in a child process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from bridge.child import Child, python
from bridge.errors import FetchError, NotAllowed, PageError
from bridge.page import Page

FETCH_SECONDS = 10.0
PARSE_SECONDS = 4.0
MOST_BYTES = 1024 * 1024
"""Of a page; its head and most of its text lie within."""

COMMAND = python("bridge.pages.child")

_HEADERS = {
    "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5",
    "Accept-Language": "en;q=0.8,*;q=0.5",
}
_GONE = frozenset({404, 410, 451})
_ASKED_TO_WAIT = frozenset({429, 503})


class Answer(Protocol):
    """What the door brings back."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...
    @property
    def url(self) -> str: ...


class Fetcher(Protocol):
    """The door out, as far as pages need it."""

    async def fetch(
        self, url: str, *, headers: Mapping[str, str], deadline: float, most_bytes: int, cut: bool
    ) -> Answer: ...


class PageReader:
    """Implements ports.Pages. The child is started with the first page, and ended by `rest`."""

    def __init__(
        self,
        door: Fetcher,
        *,
        fetch_seconds: float = FETCH_SECONDS,
        parse_seconds: float = PARSE_SECONDS,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._door = door
        self._fetch_seconds = fetch_seconds
        self._child = Child(command, what="page", deadline=parse_seconds, failure=_costly)

    async def read(self, url: str) -> Page:
        """See ports.Pages.read."""
        answer = await self._fetched(url)
        if answer.status != 200:
            raise _refused(answer)
        header = {"content_type": answer.headers.get("content-type", ""), "url": answer.url}
        page = Page.from_wire(await self._child.ask(header, answer.body))
        if page.wall:
            raise PageError(f"there is {page.wall} in its place")
        return page

    async def rest(self) -> None:
        """See ports.Pages.rest."""
        await self._child.close()

    async def _fetched(self, url: str) -> Answer:
        try:
            return await self._door.fetch(
                url, headers=_HEADERS, deadline=self._fetch_seconds, most_bytes=MOST_BYTES, cut=True
            )
        except NotAllowed as error:
            raise PageError(str(error), lasting=True) from error
        except FetchError as error:
            raise PageError(str(error)) from error


def _costly(reason: str) -> PageError:
    """What killed the child once kills it again."""
    return PageError(reason, lasting=True)


def _refused(answer: Answer) -> PageError:
    reason = f"the site answers with status {answer.status}"
    if answer.status in _GONE:
        return PageError(reason, lasting=True)
    return PageError(reason, retry_after=_seconds(answer) if answer.status in _ASKED_TO_WAIT else None)


def _seconds(answer: Answer) -> float | None:
    said = answer.headers.get("retry-after", "").strip()
    return float(said) if said.isdigit() and len(said) < 8 else None
