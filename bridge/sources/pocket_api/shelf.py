"""The list as applications act on it: what they add is on it at once, and an arrival for the rules."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from bridge.ports import HOUR, Arrival, Key, ReadingList
from bridge.reading_list import Action, Page, Query, Result
from bridge.sources.pocket_api.entrance import Identity

SOURCE = "pocket"

UNIT = 500
"""Actions in one unit of work: a long batch does not keep others waiting."""


class Shelf:
    """Somebody's list, through an application."""

    def __init__(self, reading_list: ReadingList, *, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._list = reading_list
        self._clock = clock
        self._new_id = new_id

    def now(self) -> int:
        return int(self._clock())

    async def find(self, identity: Identity, query: Query) -> Page:
        return await self._list.find(identity.account, query)

    async def pages(self, identity: Identity, query: Query, first: Page) -> AsyncIterator[Page]:
        """The first page and all behind it, as long as the first is."""
        page = first
        while page.items:
            yield page
            page = await self.find(identity, replace(query, offset=0, after=page.end, total=False, taglist=False))

    async def count(self, identity: Identity, query: Query) -> int:
        return (await self.find(identity, query)).total

    async def apply(self, identity: Identity, wanted: Sequence[Action]) -> list[Result]:
        """One result each, in order. Up to UNIT actions and their arrivals are one unit."""
        results: list[Result] = []
        for start in range(0, len(wanted), UNIT):
            some = wanted[start : start + UNIT]
            new = [] if identity.inner else [action for action in some if action.name == "add" and action.url]
            arrivals = [self._arrival(identity, action) for action in new]
            results += await self._list.apply(identity.account, some, arrivals=arrivals)
        return results

    def _arrival(self, identity: Identity, action: Action) -> Arrival:
        # Every request is an arrival of its own: one sent again after a lost answer must not be lost, and a link that
        # came twice is one link.
        at = action.time or self.now()
        return Arrival(
            source=SOURCE,
            channel=identity.application,
            account=identity.account,
            key=Key(f"pocket:{identity.account}", self._new_id(), HOUR),
            raw=json.dumps({"url": action.url, "title": action.title, "tags": action.tags, "time": at}),
        )
