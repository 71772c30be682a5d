"""Lists of feeds as other readers take and give them: OPML in, OPML out."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bridge.errors import ConfigError, InvalidArrival
from bridge.link import canonical, host, tidy_tags, web_address
from bridge.ports import OWNER
from bridge.rules import Feed, Start, interval_of, start_of
from bridge.sources.feeds.opml import Outline, opml, outlines
from bridge.sources.feeds.registry import Registry, check, free
from bridge.sources.feeds.text import decode

_OWN = ("at_once", "per_day", "categories")

Plain = dict[str, Any]


class Exchange:
    """Answers are plain data."""

    def __init__(self, registry: Registry, known: Callable[[str], Awaitable[None]]) -> None:
        self._registry = registry
        self._known = known

    def commands(self) -> Mapping[str, Callable[..., Awaitable[Any]]]:
        """By the names they have at the desk."""
        return {"feeds-import": self.bring, "feeds-export": self.take_away}

    async def bring(
        self, content: str, account: str = OWNER, *, start: str = "", tags: Sequence[str] = (), really: bool = True
    ) -> Plain:
        """Follows the feeds of an OPML file, which comes in base64. Nobody is asked yet: each begins with its turn.

        What is followed already stays as it is, and what cannot be taken is told with its line.
        """
        await self._known(account)
        found = await asyncio.to_thread(lambda: outlines(decode(base64.b64decode(content))))
        if not found:
            raise ConfigError("there is no feed in it: an OPML file has <outline xmlUrl=…> for each")
        new: dict[str, Feed] = {}
        known: list[Plain] = []
        bad: list[Plain] = []
        for outline in found:
            told = {"url": outline.url, "line": outline.line}
            try:
                feed = self._feed(outline, start_of(start or "none"), tags)
            except (ConfigError, InvalidArrival) as error:
                bad.append(told | {"reason": str(error)})
                continue
            meant = canonical(feed.url)
            if meant in new or self._registry.following(account, feed.url):
                known.append(told)
            else:
                new[meant] = feed
        feeds = list(self._named(account, new.values()))
        if really and feeds:
            await self._registry.add(account, feeds)
        added = [{"name": feed.name, "url": feed.url, "tags": list(feed.tags)} for feed in feeds]
        return {"added": added, "known": known, "bad": bad, "really": really}

    def _feed(self, outline: Outline, start: Start, tags: Sequence[str]) -> Feed:
        own, url = outline.own, web_address(outline.url)
        feed = Feed(
            url=self._registry.spelling(url),
            name=outline.name or host(url),
            tags=tidy_tags((*tags, *outline.tags)),
            start=start,
            at_once=_number(own, "at_once"),
            per_day=_number(own, "per_day"),
            categories=own.get("categories") != "false",
        )
        feed = replace(feed, interval=interval_of(own["interval"])) if "interval" in own else feed
        check(feed)
        return feed

    def _named(self, account: str, feeds: Iterable[Feed]) -> Iterator[Feed]:
        """Each under a name that no other feed of the account has."""
        taken = {follower.feed.name.lower() for follower in self._registry.of(account)}
        for feed in feeds:
            name = free(feed.name, taken)
            taken.add(name.lower())
            yield replace(feed, name=name)

    async def take_away(self, account: str = OWNER) -> Plain:
        """All feeds of the account as OPML, those of the file too; of private ones the address without its secrets."""
        await self._known(account)
        feeds = [replace(follower.feed, url=follower.shown) for follower in self._registry.of(account)]
        return {"opml": opml(map(_outline, feeds), f"Feeds of {account}"), "feeds": len(feeds)}


def _number(own: Mapping[str, str], key: str) -> int:
    return int(own[key]) if own.get(key, "").isdecimal() else 0


def _outline(feed: Feed) -> Outline:
    usual = Feed(url="", name="")
    own = {key: str(getattr(feed, key)).lower() for key in _OWN if getattr(feed, key) != getattr(usual, key)}
    if feed.interval != usual.interval:
        own["interval"] = f"{feed.interval:.0f}s"
    return Outline(url=feed.url, name=feed.name, tags=feed.tags, own=own)
