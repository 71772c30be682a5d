"""Pages that decisions need, and who reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from bridge.page import Looked, Page


@dataclass(frozen=True, slots=True)
class WantedPage:
    """A page that is to be looked at. `tries` failed since `began` (0.0: none). `titled`: somebody lacks its title,
    and may get it late."""

    address: str
    url: str
    host: str
    tries: int
    began: float
    titled: bool


class KnownPages(Protocol):
    async def looked(self, addresses: Sequence[str], *, finally_: bool) -> Mapping[str, Looked]:
        """What is known of the pages of these links, which are given in their canonical form; those that are to be
        looked at first are left out. `finally_`: nobody waits any longer, none is left out."""
        ...


class Lookups(Protocol):
    """Pages that are to be looked at, and what was found."""

    async def next_page(self, busy: AbstractSet[str]) -> WantedPage | None:
        """The one that is due first and lies on none of these hosts."""
        ...

    async def page_read(self, address: str, page: Page, *, retitling: AbstractSet[str]) -> None:
        """In one unit: the facts are kept, whoever waits for nothing else is read again, links that lack a title get
        it, and the page's own address becomes another name of its link. `retitling`: where a title may change."""
        ...

    async def page_unread(self, page: WantedPage, reason: str, *, again: float | None, waited_for: bool) -> None:
        """A look failed; the next one is due at `again`. Not `waited_for`: whoever waits goes on without it."""
        ...

    async def wait_for_pages(self) -> None:
        """Returns when a page may be due; it may return early."""
        ...


class Pages(Protocol):
    """Where pages are read."""

    async def read(self, url: str) -> Page:
        """What the page says. Raises PageError, with the reason in words. Bounded in time and bytes."""
        ...

    async def rest(self) -> None:
        """Nothing to read for a while: lets go of what is kept for it."""
        ...
