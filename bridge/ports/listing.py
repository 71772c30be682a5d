"""The embedded reading list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.ports.arriving import Arrival
from bridge.reading_list import Action, Query, Result, Status
from bridge.reading_list import Page as ListPage
from bridge.record import Record


class ReadingList(Protocol):
    async def apply(
        self, account: str, actions: Sequence[Action], *, arrivals: Sequence[Arrival] = ()
    ) -> Sequence[Result]:
        """The actions in order, each on its own (one that fails changes nothing), and the arrivals: one unit."""
        ...

    async def find(self, account: str, query: Query) -> ListPage: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What some records changed on a list: items that are new, and items that were there and got tags too."""

    added: int = 0
    tagged: int = 0
    known: int = 0


class Shelf(Protocol):
    """The list as files bring it and take it away, some records at a time."""

    async def keep(self, account: str, records: Sequence[Record]) -> Kept:
        """Puts them on the list as they are, in one unit. An item that is there keeps what it has and gets the tags
        and highlights too; one that was deleted begins anew. No rule is asked, nothing is sent."""
        ...

    async def send(self, account: str, connection: str, records: Sequence[Record], channel: str) -> None:
        """The records are wanted at a connection, as bulk; `channel` is the file's name. Twice changes nothing."""
        ...

    async def records(
        self, account: str, *, after: int, limit: int, status: Status | None = None
    ) -> Sequence[tuple[int, Record]]:
        """What is on the list, by id, from the first one greater than `after`. Deleted items are not on it."""
        ...
