"""A record: an item and its highlights, as a file of links holds it. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bridge.link import LONGEST_TEXT, MOST_TAGS, printable, tidy, web_address
from bridge.reading_list import ARCHIVED, UNREAD, Item, Status, pocket_tags

MOST_HIGHLIGHTS = 1000
MOST_QUOTED = 400_000
"""Of one item: passages, and their characters together; what is beyond is not kept."""

_ARCHIVED = frozenset({"archive", "archived", "read", "1"})
_LATEST = 10**11
"""Seconds. What is greater counts milliseconds, microseconds or nanoseconds."""


@dataclass(frozen=True, slots=True)
class Highlight:
    """A passage somebody marked, and when (0: not known)."""

    quote: str
    time: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """The item has no id yet; a time of 0 is not known."""

    item: Item
    highlights: tuple[Highlight, ...] = ()

    @classmethod
    def of(
        cls,
        url: str,
        *,
        title: str = "",
        tags: Iterable[str] = (),
        status: Status = UNREAD,
        favorite: bool = False,
        highlights: Iterable[Highlight] = (),
        **times: int,
    ) -> Record:
        """Checks the address, tidies title and tags. Raises InvalidArrival when `url` is no address of a web page."""
        item = Item(
            id=0,
            url=web_address(url),
            title=tidy(title),
            tags=pocket_tags(map(printable, itertools.islice(tags, MOST_TAGS))),
            status=status,
            favorite=favorite,
            **times,
        )
        return cls(item, tuple(_within(highlights)))

    @property
    def size(self) -> int:
        """Its characters, about."""
        return len(self.item.url) + len(self.item.title) + sum(len(one.quote) for one in self.highlights) + 300

    @classmethod
    def from_plain(cls, raw: Mapping[str, Any]) -> Record:
        """Of JSON: our own, Pocket's annotations and collections. Unknown keys are ignored, odd values are as none."""
        times = {name: moment(raw.get(name)) for name in _TIMES}
        return cls.of(
            _text(raw.get("url") or raw.get("given_url")),
            title=_text(raw.get("title")),
            tags=_tags(raw.get("tags")),
            status=status_of(_text(raw.get("status"))),
            favorite=_text(raw.get("favorite")).lower() in ("1", "true"),
            highlights=_highlights(raw.get("highlights")),
            **times,
        )

    def plain(self) -> dict[str, Any]:
        """For JSON, in the order a person reads; `Record.from_plain` takes it back."""
        item = self.item
        return {
            "url": item.url,
            "title": item.title,
            "tags": list(item.tags),
            "status": status_word(item.status),
            "favorite": item.favorite,
            **{name: getattr(item, name) for name in _TIMES},
            "highlights": [{"quote": one.quote, "created_at": one.time} for one in self.highlights],
        }


_TIMES = ("time_added", "time_updated", "time_read", "time_favorited")


def status_of(word: str) -> Status:
    """`archive` as Pocket's export writes it, and its kin; anything else is unread."""
    return ARCHIVED if word.strip().lower() in _ARCHIVED else UNREAD


def status_word(status: Status) -> str:
    return "archive" if status == ARCHIVED else "unread"


def highlight(quote: str, time: Any = 0) -> tuple[Highlight, ...]:
    """One, or none when nothing is quoted."""
    kept = printable(quote).strip()[:LONGEST_TEXT]
    return (Highlight(kept, moment(time)),) if kept else ()


def moment(value: Any) -> int:
    """Seconds since the epoch of what a file calls a time; 0 when it is none.

    >>> moment("1467719829"), moment(1467719829123), moment("2016-07-05T11:57:09Z"), moment("soon")
    (1467719829, 1467719829, 1467719829, 0)
    """
    seconds = _number(str(value).strip())
    while seconds > _LATEST:
        seconds //= 1000
    return max(seconds, 0)


def _number(text: str) -> int:
    try:
        return int(text) if len(text) < 30 else 0
    except ValueError:
        return _date(text)


def _date(text: str) -> int:
    try:
        read = datetime.fromisoformat(text)
        return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return 0


def _within(highlights: Iterable[Highlight]) -> Iterator[Highlight]:
    size = 0
    for one in itertools.islice(highlights, MOST_HIGHLIGHTS):
        size += len(one.quote)
        if size > MOST_QUOTED:
            return
        yield one


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case bool() | int():
            return str(value)
        case _:
            return ""


def _tags(value: Any) -> list[str]:
    match value:
        case str():
            return value.split(",")
        case list() | dict():
            return [tag for tag in value if isinstance(tag, str)]
        case _:
            return []


def _highlights(value: Any) -> list[Highlight]:
    marked = value if isinstance(value, list) else []
    return [
        kept
        for one in marked
        if isinstance(one, Mapping)
        for kept in highlight(_text(one.get("quote")), one.get("created_at"))
    ]
