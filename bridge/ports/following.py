"""Feeds and who follows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A feed that an account follows by its own word; `name` is unique among the account's, and so is `url`.

    `options` is text only the source understands (JSON by custom); `since` is given by the store.
    """

    account: str
    url: str
    name: str
    options: str
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """What came through a feed and waits for a later day: how many arrivals, and when the first and the last is due."""

    account: str
    name: str
    number: int
    first: float
    last: float


class Subscriptions(Protocol):
    """The feeds that accounts follow beside those of the rule file."""

    async def subscriptions(self) -> Sequence[Subscription]:
        """Everybody's, in the order they were made."""
        ...

    async def subscriptions_mark(self) -> int:
        """0 where there are none, and another number whenever they are others."""
        ...

    async def subscribe(self, new: Sequence[Subscription]) -> None:
        """All of them or none. Raises Conflict when an account has an address or a name already."""
        ...

    async def resubscribe(self, changed: Subscription) -> None:
        """Another name or other options for an address that the account follows. Raises Conflict when it does not, or
        when another of its feeds has the name."""
        ...

    async def unsubscribe(self, account: str, url: str) -> int | None:
        """What waits of it for later is given up. Answers how many arrivals that were, None for no such feed."""
        ...

    async def backlogs(self) -> Sequence[Backlog]: ...

    async def hurry(self, account: str, name: str) -> int:
        """What waits of a feed is due now. Answers how many arrivals that are."""
        ...
