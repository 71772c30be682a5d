"""Where pages ended, so that the next one begins there and need not count its way from the start of the list."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from bridge.reading_list import Query

MOST_MARKS = 512


@dataclass(frozen=True, slots=True)
class Mark:
    """After `offset` rows the last one stood at `place`. True as long as the list has this revision."""

    revision: int
    place: tuple[Any, ...]


class Marks:
    """The last ends of pages, forgotten when others came. Used by one thread."""

    def __init__(self) -> None:
        self._marks: OrderedDict[tuple[str, Query], Mark] = OrderedDict()

    def before(self, account: str, query: Query, revision: int) -> tuple[Any, ...] | None:
        """Where the row stood that is the last one before this page, if that is known."""
        mark = self._marks.get(_key(account, query, query.offset))
        return mark.place if mark and mark.revision == revision else None

    def remember(self, account: str, query: Query, offset: int, mark: Mark) -> None:
        key = _key(account, query, offset)
        self._marks[key] = mark
        self._marks.move_to_end(key)
        if len(self._marks) > MOST_MARKS:
            self._marks.popitem(last=False)


def _key(account: str, query: Query, offset: int) -> tuple[str, Query]:
    return account, replace(query, offset=offset, count=None, total=False, taglist=False)
