"""The look-up: pages that somebody needs are read, each once, a host at a time, while everything else goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace

from bridge.errors import PageError
from bridge.ports import Lookups, Pages, WantedPage

AT_ONCE = 8
"""Lines that look at pages side by side, each at another host."""

SOON = (2.0, 6.0)
"""Seconds before a page is tried again while a link waits for it."""

LATER = (600.0, 2 * 3600.0, 24 * 3600.0)
"""When nobody waits any more, but a title is still missing."""

IDLE_SECONDS = 60.0

log = logging.getLogger(__name__)


class Lookup:
    """Runs until it is cancelled, which may be at once: a page that is half read is read again.

    `patience`: seconds that a link waits from the first look at its page. `retitling`: connections where a title may
    come after the link.
    """

    def __init__(
        self,
        lookups: Lookups,
        pages: Pages,
        *,
        clock: Callable[[], float],
        patience: float,
        retitling: AbstractSet[str] = frozenset(),
    ) -> None:
        self._lookups = lookups
        self._pages = pages
        self._clock = clock
        self._patience = patience
        self._retitling = retitling
        self._busy: set[str] = set()
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """AT_ONCE lines side by side. What one of them raises ends all."""
        lines = [asyncio.create_task(self._line()) for _ in range(AT_ONCE)]
        try:
            await asyncio.gather(*lines)
        finally:
            for line in lines:
                line.cancel()
            await asyncio.gather(*lines, return_exceptions=True)
            await self._pages.rest()

    async def _line(self) -> None:
        while True:
            if not await self.step():
                await self.wait()

    async def wait(self) -> None:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._lookups.wait_for_pages()
        except TimeoutError:
            if not self._busy:
                await self._pages.rest()

    async def step(self) -> int:
        """Looks at one page, if one is due; answers how many that was."""
        async with self._turn:
            page = await self._lookups.next_page(self._busy)
            if page is None:
                return 0
            self._busy.add(page.host)
        try:
            await self._look(page)
        finally:
            self._busy.discard(page.host)
        return 1

    async def _look(self, page: WantedPage) -> None:
        page = replace(page, began=page.began or self._clock())
        try:
            found = await self._pages.read(page.url)
        except PageError as error:
            await self._unread(page, error)
        except Exception as error:
            log.exception("the page of %s could not be read", page.address)
            bug = f"{type(error).__name__} (this is a bug in bridge)"
            await self._unread(page, PageError(bug, lasting=True))
        else:
            await self._lookups.page_read(page.address, found, retitling=self._retitling)
            log.info("page of %s: “%s”", page.address, found.title)

    async def _unread(self, page: WantedPage, error: PageError) -> None:
        again, waited_for = next_look(page, error, now=self._clock(), patience=self._patience)
        log.info("page of %s: %s; %s", page.address, error, "again" if again else "not again")
        await self._lookups.page_unread(page, str(error), again=again, waited_for=waited_for)


def next_look(page: WantedPage, error: PageError, *, now: float, patience: float) -> tuple[float | None, bool]:
    """When the page is tried again, None for never, and whether links wait for that. Pure."""
    if error.lasting:
        return None, False
    wait = SOON[page.tries] if page.tries < len(SOON) else patience
    again = now + max(wait, error.retry_after or 0.0)
    if again < page.began + patience:
        return again, True
    rounds = max(0, page.tries - len(SOON))
    if not page.titled or rounds >= len(LATER):
        return None, False
    return now + max(LATER[rounds], error.retry_after or 0.0), False
