"""The feeds there are and who follows them: those of the rule file, and those added by hand, in one list."""

from __future__ import annotations

import asyncio
import difflib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from bridge.errors import ConfigError, Conflict, InvalidArrival
from bridge.link import canonical, host, tidy
from bridge.ports import OWNER, Subscription, Subscriptions
from bridge.rules import Feed, start_of, too_often

LONGEST_NAME = 60

_WITH_PASSWORD = re.compile(r"([a-zA-Z]+:[/\\]*)[^/\\?#]*@")

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
        return _WITH_PASSWORD.sub(r"\1", self.feed.url, count=1)

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


class Registry:
    """Who follows what. Where the file and a hand named the same address, the file wins.

    `changed` is set whenever the channels are others than before.
    """

    def __init__(self, subscriptions: Subscriptions, declared: Iterable[Follower] = ()) -> None:
        self.changed = asyncio.Event()
        self.channels: Mapping[str, Channel] = {}
        self._subscriptions = subscriptions
        self._in_file = tuple(declared)
        self._by_hand: tuple[Follower, ...] = ()
        self._restored = hash(())
        self._followers: tuple[Follower, ...] = ()
        self._places: Mapping[str, Sequence[Follower]] = {}
        self._arrange()

    def __iter__(self) -> Iterator[Follower]:
        return iter(self._followers)

    def declare(self, followers: Iterable[Follower]) -> None:
        """Those of the rule file from now on."""
        self._in_file = tuple(followers)
        self._arrange()

    async def restore(self) -> None:
        """Those added by hand, as they are kept."""
        kept = tuple(await self._subscriptions.subscriptions())
        if hash(kept) != self._restored:  # looked at often, changed rarely
            self._restored = hash(kept)
            self._by_hand = tuple(map(_follower, kept))
            self._arrange()

    def of(self, account: str) -> list[Follower]:
        return [follower for follower in self._followers if follower.account == account]

    def find(self, account: str, what: str) -> Follower:
        """By name, in any case, or by address. Raises ConfigError with the names there are."""
        mine = self.of(account)
        named = [follower for follower in mine if tidy(what).lower() == follower.feed.name.lower()]
        if found := next(iter(named), None) or self.following(account, what):
            return found
        names = [follower.feed.name for follower in mine]
        close = difflib.get_close_matches(what, names, 3) or names[:20]
        raise ConfigError(f"there is no feed “{what[:80]}”; there are: {', '.join(close) or 'none yet'}")

    def following(self, account: str, url: str) -> Follower | None:
        """Who of the account follows this address already."""
        return next((one for one in self._places.get(_canonical(url), ()) if one.account == account), None)

    def spelling(self, url: str) -> str:
        """The address as others who follow it have written it: it is polled once for all."""
        return next((one.feed.url for one in self._places.get(_canonical(url), ())), url)

    def free_name(self, account: str, title: str, url: str) -> str:
        """A short name that none of the account's feeds has: made of the title, or of the host."""
        words = re.sub(r"[^\w.]+", "-", re.sub(r"['’]", "", title.lower())).strip("-._")[:LONGEST_NAME].strip("-._")
        wished = words or host(url).removeprefix("www.")
        return free(wished, {follower.feed.name.lower() for follower in self.of(account)})

    async def add(self, account: str, feeds: Sequence[Feed]) -> None:
        """All of them or none. Raises ConfigError when the account has such an address or name already."""
        new = [Subscription(account=account, url=feed.url, name=feed.name, options=_options(feed)) for feed in feeds]
        try:
            await self._subscriptions.subscribe(new)
        except Conflict as error:
            raise ConfigError(str(error)) from None
        await self.restore()

    async def change(self, follower: Follower, feed: Feed) -> None:
        """It goes on where it is, with another name or other wishes. Raises ConfigError when the name is taken."""
        changed = Subscription(account=follower.account, url=feed.url, name=feed.name, options=_options(feed))
        try:
            await self._subscriptions.resubscribe(changed)
        except Conflict as error:
            raise ConfigError(str(error)) from None
        await self.restore()

    async def remove(self, follower: Follower) -> int:
        """Answers how many of its entries waited, and are given up. It is polled no more, unless others follow it."""
        given_up = await self._subscriptions.unsubscribe(follower.account, follower.feed.url)
        await self.restore()
        return given_up or 0

    def _arrange(self) -> None:
        followers = [*self._in_file]
        declared = {(one.account, canonical(one.feed.url)) for one in self._in_file}
        names: defaultdict[str, set[str]] = defaultdict(set)
        for one in self._in_file:
            names[one.account].add(one.feed.name.lower())
        for one in self._by_hand:
            if (one.account, canonical(one.feed.url)) in declared:
                continue
            name = free(one.feed.name, names[one.account])
            names[one.account].add(name.lower())
            followers.append(one if name == one.feed.name else replace(one, feed=replace(one.feed, name=name)))
        self._followers = tuple(followers)
        places: defaultdict[str, list[Follower]] = defaultdict(list)
        for one in followers:
            place = canonical(one.feed.url)
            places[one.feed.url if place == one.feed.url else place].append(one)  # one text, not two that are equal
        self._places = {place: tuple(found) for place, found in places.items()}
        channels: defaultdict[str, list[Follower]] = defaultdict(list)
        for one in self._followers:
            channels[one.channel].append(one)
        self.channels = {scope: Channel(scope, tuple(found)) for scope, found in channels.items()}
        self.changed.set()


def check(feed: Feed) -> None:
    """Raises ConfigError for what only the rule file may say, and for what would get us banned."""
    if _WITH_PASSWORD.match(feed.url):
        raise ConfigError("the address holds a password: write the feed into the rule file, with “auth”")
    if too_often(feed.url, feed.interval):
        raise ConfigError("an interval shorter than 5m is not polite: sites ban readers for that")


def free(wished: str, taken: AbstractSet[str]) -> str:
    """The name, with a number behind it where it is taken (in any case)."""
    name, number = wished, 1
    while name.lower() in taken:
        number += 1
        name = f"{wished}-{number}"
    return name


def _canonical(url: str) -> str:
    try:
        return canonical(url)
    except InvalidArrival:
        return ""


def _options(feed: Feed) -> str:
    usual = Feed(url=feed.url, name=feed.name)
    said = {key: getattr(feed, key) for key in _KEPT if getattr(feed, key) != getattr(usual, key)}
    return json.dumps(said | ({"start": feed.start.words} if feed.start != usual.start else {}), ensure_ascii=False)


def _follower(kept: Subscription) -> Follower:
    options = json.loads(kept.options)
    said: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in options.items() if key in _KEPT
    }
    if start := options.get("start"):
        said["start"] = start_of(start)
    feed = Feed(url=kept.url, name=kept.name, **said)
    return Follower(feed=feed, account=kept.account, since=kept.since)
