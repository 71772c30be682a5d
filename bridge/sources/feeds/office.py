"""What people ask about feeds: which there are and how they are, follow another one, follow one no longer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from bridge.errors import ConfigError
from bridge.link import tidy, tidy_tags, web_address
from bridge.net import Door
from bridge.ports import OWNER, Backlog, Inbox, Subscriptions
from bridge.rules import READING, Feed, interval_of, start_of
from bridge.sources.feeds.doctor import Case, findings
from bridge.sources.feeds.entry import Entry
from bridge.sources.feeds.exchange import Exchange
from bridge.sources.feeds.followers import Follower
from bridge.sources.feeds.look import Found, Several, found
from bridge.sources.feeds.news import news
from bridge.sources.feeds.registry import Registry, check
from bridge.sources.feeds.source import Feeds
from bridge.sources.feeds.state import FeedState, describe

MOST_SHOWN = 10

Plain = dict[str, Any]


class Office:
    """Answers are plain data. `connections`: names a feed's links can be sent to; `known` raises ConfigError for an
    account that there is not."""

    def __init__(
        self,
        feeds: Feeds,
        inbox: Inbox,
        subscriptions: Subscriptions,
        net: Door,
        *,
        connections: Callable[[], Sequence[str]],
        known: Callable[[str], Awaitable[None]],
        clock: Callable[[], float],
        file: str = "the rule file",
    ) -> None:
        self._feeds = feeds
        self._registry: Registry = feeds.registry
        self._inbox = inbox
        self._subscriptions = subscriptions
        self._net = net
        self._connections = connections
        self._known = known
        self._clock = clock
        self._file = file

    def commands(self) -> Mapping[str, Callable[..., Awaitable[Any]]]:
        """By the names they have at the desk."""
        return {
            "feeds": self.list,
            "feeds-add": self.add,
            "feeds-change": self.change,
            "feeds-remove": self.remove,
            "feeds-release": self.release,
            "feeds-doctor": self.doctor,
            **Exchange(self._registry, self._known).commands(),
        }

    async def list(self, account: str = OWNER) -> Plain:
        """Each feed of the account with how it is: those of the file first."""
        await self._known(account)
        await self._registry.restore()
        waiting = {one.name: one for one in await self._subscriptions.backlogs() if one.account == account}
        rows = [await self._row(follower, waiting.get(follower.feed.name)) for follower in self._registry.of(account)]
        return {"feeds": rows, "account": account, "file": self._file}

    async def _row(self, follower: Follower, backlog: Backlog | None) -> Plain:
        held = await self._inbox.cursor(follower.channel)
        return {
            **self._written(follower),
            **_condition(FeedState.of(held)),
            "words": describe(held, now=self._clock()),
            "waiting": backlog.number if backlog else 0,
            "waits_until": backlog.last if backlog else None,
        }

    def _written(self, follower: Follower) -> Plain:
        feed = follower.feed
        place = {"line": feed.line, "file": self._file} if follower.in_file else {"since": follower.since}
        return {
            "name": feed.name,
            "url": follower.shown,
            "from": "file" if follower.in_file else "added",
            **place,
            "tags": list(feed.tags),
            "to": list(feed.to),
            "start": feed.start.words,
            "interval": feed.interval,
            "at_once": feed.at_once,
            "per_day": feed.per_day,
            "private": bool(follower.secrets),
        }

    async def add(
        self,
        url: str,
        account: str = OWNER,
        *,
        name: str = "",
        tags: Sequence[str] = (),
        start: str = "",
        interval: str = "",
        to: Sequence[str] = (),
        at_once: int = 0,
        per_day: int = 0,
        categories: bool = True,
        really: bool = True,
    ) -> Plain:
        """Follows the feed at `url`, or the one that a web page there names, and begins with it as `start` says.

        `added` is False when not `really`, and when a page names several: `candidates` are those then. Raises
        ConfigError for what cannot be meant, FetchError or SourceError when there is no feed.
        """
        await self._known(account)
        wish = Feed(
            url=web_address(url),
            name=name,
            tags=tidy_tags(tags),
            start=start_of(start or "none"),
            interval=interval_of(interval) if interval else Feed(url="", name="").interval,
            to=self._sent(to),
            categories=categories,
            at_once=at_once,
            per_day=per_day,
        )
        self._check(account, wish)
        try:
            there = await found(self._net, self._feeds.reader, wish.url, now=self._clock())
        except Several as several:
            return {"added": False, "candidates": [{"url": feed, "title": title} for feed, title in several.feeds]}
        return await self._follow(account, self._named(account, wish, there), there, really=really)

    def _sent(self, to: Sequence[str]) -> tuple[str, ...]:
        names = list(dict.fromkeys((READING, *self._connections())))
        for name in to:
            if name not in names:
                raise ConfigError(f"there is no destination “{name[:50]}”; there are: {', '.join(names)}")
        return tuple(dict.fromkeys(to))

    def _check(self, account: str, wish: Feed) -> None:
        check(wish)
        if following := self._registry.following(account, wish.url):
            raise ConfigError(f"you follow it already: {self._called(following)}")
        if wish.name and any(wish.name.lower() == one.feed.name.lower() for one in self._registry.of(account)):
            raise ConfigError(f"there is a feed “{wish.name[:60]}” already; choose another name")

    def _called(self, follower: Follower) -> str:
        where = f", {self._file}:{follower.feed.line}" if follower.in_file else ""
        return f"“{follower.feed.name}”{where}"

    def _named(self, account: str, wish: Feed, there: Found) -> Feed:
        if following := self._registry.following(account, there.url):
            raise ConfigError(f"you follow {there.url} already: {self._called(following)}")
        url = self._registry.spelling(there.url)
        name = tidy(wish.name) or self._registry.free_name(account, there.document.title, url)
        return replace(wish, url=url, name=name)

    async def _follow(self, account: str, feed: Feed, there: Found, *, really: bool) -> Plain:
        document = there.document
        fresh = news(document.entries, frozenset(), feed.start).fresh
        answer = {
            "added": really,
            "name": feed.name,
            "url": feed.url,
            "page": there.page,
            "title": document.title,
            "start": feed.start.words,
            "interval": feed.interval,
            "entries": len(document.entries),
            "takes": len(fresh),
            "shown": [_shown(entry) for entry, _ in fresh[-MOST_SHOWN:]],
            "newest": [_shown(entry) for entry, _ in reversed(news(document.entries, frozenset()).fresh[-3:])],
            "cut_off": not document.complete,
        }
        if really:
            await self._registry.add(account, [feed])
            follower = self._registry.find(account, feed.url)
            channel = self._registry.channels[follower.channel]
            if document.complete:
                await self._feeds.begin(channel, there.answer, document)
        return answer

    async def change(
        self,
        what: str,
        account: str = OWNER,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        interval: str | None = None,
        to: Sequence[str] | None = None,
        at_once: int | None = None,
        per_day: int | None = None,
        categories: bool | None = None,
    ) -> Plain:
        """Another name or other wishes, of which None stays as it is. The feed goes on where it was.

        Raises ConfigError for one of the file, with its line.
        """
        follower = self._registry.find(account, what)
        if follower.in_file:
            raise ConfigError(
                f"“{follower.feed.name}” is written in line {follower.feed.line} of {self._file}: change it there"
            )
        wishes: dict[str, Any] = {
            "name": tidy(name) if name else None,
            "tags": None if tags is None else tidy_tags(tags),
            "interval": interval_of(interval) if interval else None,
            "to": None if to is None else self._sent(to),
            "at_once": at_once,
            "per_day": per_day,
            "categories": categories,
        }
        feed = replace(follower.feed, **{key: wish for key, wish in wishes.items() if wish is not None})
        check(feed)
        if any(feed.name.lower() == one.feed.name.lower() for one in self._registry.of(account) if one != follower):
            raise ConfigError(f"there is a feed “{feed.name[:60]}” already; choose another name")
        await self._registry.change(follower, feed)
        return self._written(self._registry.find(account, feed.url))

    async def remove(self, what: str, account: str = OWNER) -> Plain:
        """By name or address. Raises ConfigError for one of the file, with the line to delete."""
        follower = self._registry.find(account, what)
        if follower.in_file:
            await self._subscriptions.unsubscribe(account, follower.feed.url)  # what the file hides would come back
            where = f"line {follower.feed.line} of {self._file}"
            raise ConfigError(
                f"“{follower.feed.name}” stands in the rule file: delete its entry, which begins in {where}; "
                "the running pocket-bridge notices by itself"
            )
        given_up = await self._registry.remove(follower)
        return {"name": follower.feed.name, "url": follower.shown, "given_up": given_up}

    async def release(self, what: str, account: str = OWNER) -> Plain:
        """What waits of a feed comes now."""
        follower = self._registry.find(account, what)
        return {
            "name": follower.feed.name,
            "released": await self._subscriptions.hurry(account, follower.feed.name),
        }

    async def doctor(self, account: str = OWNER) -> Plain:
        """What is wrong with which feed since when, and what mends it."""
        await self._known(account)
        await self._registry.restore()
        now = self._clock()
        waiting = {one.name: one for one in await self._subscriptions.backlogs() if one.account == account}
        rows = []
        for follower in self._registry.of(account):
            feed = follower.feed
            case = Case(
                follower=follower,
                state=FeedState.of(await self._inbox.cursor(follower.channel)),
                backlog=waiting.get(feed.name),
                missing=tuple(name for name in feed.to if name not in (READING, *self._connections())),
                file=self._file,
            )
            rows.append({"name": feed.name, "url": follower.shown, "findings": list(map(asdict, findings(case, now)))})
        return {"feeds": rows, "account": account}


def _condition(state: FeedState) -> Plain:
    return {
        "state": _word(state),
        "last_poll": state.polled or None,
        "last_good": state.last_ok or None,
        "next_poll": None if state.gone or not state.polled else state.next_poll,
        "failures": state.failures,
        "error": state.last_error,
        "remark": state.remark,
        "moved": state.moved,
        "failing_since": state.failing_since or None,
        "newest": state.newest or None,
        "rhythm": state.rhythm or None,
    }


def _word(state: FeedState) -> str:
    if state.gone:
        return "gone"
    if not state.polled:
        return "new"
    return "failing" if state.failures else "good"


def _shown(entry: Entry) -> Plain:
    return {"url": entry.link, "title": entry.title, "published": entry.published or None}
