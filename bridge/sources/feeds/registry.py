"""The feeds there are and who follows them: those of the rule file, and those added by hand, in one list."""

from __future__ import annotations

import asyncio
import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from bridge.errors import ConfigError, Conflict, InvalidArrival
from bridge.link import canonical, host, tidy
from bridge.ports import Subscription, Subscriptions
from bridge.rules import Feed, too_often
from bridge.sources.feeds.followers import WITH_PASSWORD, Channel, Channels, Follower, Places, Row, follower_of
from bridge.sources.feeds.followers import address as _address
from bridge.sources.feeds.followers import name as _name
from bridge.sources.feeds.followers import options as _options

LONGEST_NAME = 60


class Registry:
    """Who follows what. Where the file and a hand named the same address, the file wins.

    `changed` is set whenever the channels are others than before.
    """

    def __init__(self, subscriptions: Subscriptions, declared: Iterable[Follower] = ()) -> None:
        self.changed = asyncio.Event()
        self.channels: Mapping[str, Channel] = {}
        self._subscriptions = subscriptions
        self._in_file = tuple(declared)
        self._by_hand: Sequence[Subscription] = ()
        self._restored = 0
        self._rows: Sequence[Row] = ()
        self._places: Places | None = None
        self._arrange()

    def __iter__(self) -> Iterator[Follower]:
        return map(follower_of, self._rows)

    def declare(self, followers: Iterable[Follower]) -> None:
        """Those of the rule file from now on."""
        self._in_file = tuple(followers)
        self._arrange()

    async def restore(self) -> None:
        """Those added by hand, as they are kept."""
        mark = await self._subscriptions.subscriptions_mark()
        if mark != self._restored:  # looked at often, changed rarely
            self._by_hand = await self._subscriptions.subscriptions()
            self._restored = mark
            self._arrange()

    def of(self, account: str) -> list[Follower]:
        return [follower_of(row) for row in self._rows if row.account == account]

    def find(self, account: str, what: str) -> Follower:
        """By name, in any case, or by address. Raises ConfigError with the names there are."""
        mine = [row for row in self._rows if row.account == account]
        wanted = tidy(what).lower()
        if named := next((row for row in mine if _name(row).lower() == wanted), None):
            return follower_of(named)
        if found := self.following(account, what):
            return found
        names = list(map(_name, mine))
        close = difflib.get_close_matches(what, names, 3) or names[:20]
        raise ConfigError(f"there is no feed “{what[:80]}”; there are: {', '.join(close) or 'none yet'}")

    def following(self, account: str, url: str) -> Follower | None:
        """Who of the account follows this address already."""
        return next((follower_of(row) for row in self._at(url) if row.account == account), None)

    def spelling(self, url: str) -> str:
        """The address as others who follow it have written it: it is polled once for all."""
        return next(map(_address, self._at(url)), url)

    def _at(self, url: str) -> Iterator[Row]:
        wanted = _canonical(url)
        if self._places is None:  # only people who look for an address need it
            self._places = Places(canonical(_address(row)) for row in self._rows)
        found = (self._rows[place] for place in self._places(wanted))
        return (row for row in found if canonical(_address(row)) == wanted)

    def free_name(self, account: str, title: str, url: str) -> str:
        """A short name that none of the account's feeds has: made of the title, or of the host."""
        words = re.sub(r"[^\w.]+", "-", re.sub(r"['’]", "", title.lower())).strip("-._")[:LONGEST_NAME].strip("-._")
        wished = words or host(url).removeprefix("www.")
        return free(wished, {_name(row).lower() for row in self._rows if row.account == account})

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
        self._rows = (*self._in_file, *_beside(self._in_file, self._by_hand))
        self._places = None
        self.channels = Channels(self._rows)
        self.changed.set()


def _beside(in_file: Sequence[Follower], by_hand: Sequence[Subscription]) -> Iterator[Subscription]:
    """Those whose address is not in the file, under names that are free there."""
    declared = {(one.account, canonical(one.feed.url)) for one in in_file}
    names: defaultdict[str, set[str]] = defaultdict(set)
    for one in in_file:
        names[one.account].add(one.feed.name.lower())
    for row in by_hand:
        if declared and (row.account, canonical(row.url)) in declared:
            continue
        name = free(row.name, names[row.account])
        names[row.account].add(name.lower())
        yield row if name == row.name else replace(row, name=name)


def check(feed: Feed) -> None:
    """Raises ConfigError for what only the rule file may say, and for what would get us banned."""
    if WITH_PASSWORD.match(feed.url):
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
