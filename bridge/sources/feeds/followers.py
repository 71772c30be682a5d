"""Who follows a feed, and the channels that are polled for them.

Ten thousand subscriptions are kept as the database gives them; what says more is made of one when it is asked for.
"""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from bridge.ports import OWNER, Subscription
from bridge.rules import Feed, start_of

WITH_PASSWORD = re.compile(r"([a-zA-Z]+:[/\\]*)[^/\\?#]*@")

_KEPT = ("tags", "interval", "to", "categories", "at_once", "per_day")

_NO_SECRETS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """Somebody who follows a feed. `since`: when it was added by hand, 0 when it stands in the rule file.

    `secrets` are headers that open a private feed: what is fetched with them is for this account alone.
    """

    feed: Feed
    account: str = OWNER
    since: float = 0.0
    secrets: Mapping[str, str] = field(default_factory=lambda: _NO_SECRETS, repr=False)

    @property
    def shown(self) -> str:
        """Its address for people to see: without a name and a password that stand in it."""
        return WITH_PASSWORD.sub(r"\1", self.feed.url, count=1)

    @property
    def in_file(self) -> bool:
        return not self.since

    @property
    def channel(self) -> str:
        """Under which is kept what is known of the feed itself."""
        return f"feed!{self.account}:{self.feed.url}" if self.secrets else f"feed:{self.feed.url}"

    @property
    def seen(self) -> str:
        """Under which are kept the keys of what this account has seen of it."""
        return f"feed:{self.feed.url}" if self.account == OWNER else f"feed@{self.account}:{self.feed.url}"

    @property
    def progress(self) -> str:
        """Under which is kept how far this account has come."""
        return f"follow:{self.account}:{self.feed.url}"


@dataclass(frozen=True, slots=True)
class Channel:
    """An address that is polled once for all who follow it."""

    scope: str
    followers: tuple[Follower, ...]

    @property
    def url(self) -> str:
        return self.followers[0].feed.url

    @property
    def name(self) -> str:
        return self.followers[0].feed.name

    @property
    def secrets(self) -> Mapping[str, str]:
        return self.followers[0].secrets

    @property
    def interval(self) -> float:
        return min(follower.feed.interval for follower in self.followers)


Row = Follower | Subscription
"""A follower of the rule file, or one added by hand as the database keeps it."""


def scope(row: Row) -> str:
    return row.channel if isinstance(row, Follower) else f"feed:{row.url}"


def address(row: Row) -> str:
    return row.feed.url if isinstance(row, Follower) else row.url


def name(row: Row) -> str:
    return row.feed.name if isinstance(row, Follower) else row.name


class Places:
    """Where in a row of texts one stands, in a few bytes for each: to be compared by whoever has the texts."""

    def __init__(self, texts: Iterable[str]) -> None:
        hashes = array("q", map(hash, texts))
        self._places = array("L", sorted(range(len(hashes)), key=hashes.__getitem__))
        self._hashes = array("q", map(hashes.__getitem__, self._places))

    def __call__(self, text: str) -> Iterator[int]:
        """In their order; another text may be among them."""
        wanted = hash(text)
        at = bisect_left(self._hashes, wanted)
        while at < len(self._hashes) and self._hashes[at] == wanted:
            yield self._places[at]
            at += 1


class Channels(Mapping[str, Channel]):
    """By scope. A channel is made when it is asked for."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._places = Places(map(scope, rows))
        self._number = sum(1 for _ in self)

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[str]:
        for place, row in enumerate(self._rows):
            found = scope(row)
            if next(self._of(found)) == place:
                yield found

    def __contains__(self, wanted: object) -> bool:
        return isinstance(wanted, str) and any(True for _ in self._of(wanted))

    def __getitem__(self, wanted: str) -> Channel:
        followers = tuple(follower_of(self._rows[place]) for place in self._of(wanted))
        if not followers:
            raise KeyError(wanted)
        return Channel(wanted, followers)

    def _of(self, wanted: str) -> Iterator[int]:
        return (place for place in self._places(wanted) if scope(self._rows[place]) == wanted)


def options(feed: Feed) -> str:
    """What of it is kept beside its name and address."""
    usual = Feed(url=feed.url, name=feed.name)
    said = {key: getattr(feed, key) for key in _KEPT if getattr(feed, key) != getattr(usual, key)}
    return json.dumps(said | ({"start": feed.start.words} if feed.start != usual.start else {}), ensure_ascii=False)


def follower_of(row: Row) -> Follower:
    if isinstance(row, Follower):
        return row
    said: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in json.loads(row.options).items()
        if key in (*_KEPT, "start")
    }
    if "start" in said:
        said["start"] = start_of(said["start"])
    return Follower(feed=Feed(url=row.url, name=row.name, **said), account=row.account, since=row.since)
