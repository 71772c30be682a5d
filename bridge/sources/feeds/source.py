"""Feeds: polls those of the rule file, politely, and hands every entry it has not met before to the inbox.

One unit holds the new entries, the keys of all others, and the feed's state with its validators: a crash at any
moment repeats a poll and loses nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from typing import TypedDict

from starlette.routing import BaseRoute

from bridge.errors import Conflict, FetchError, InvalidArrival, SourceError
from bridge.link import Sighting, host
from bridge.net import Answer, Door
from bridge.ports import DAY, Arrival, Cursor, Inbox, Key, Reading
from bridge.rules import Feed
from bridge.sources.feeds.entry import Document, Entry
from bridge.sources.feeds.news import EVERYTHING, NOTHING, News, news, questions
from bridge.sources.feeds.reader import Reader
from bridge.sources.feeds.state import (
    FeedState,
    describe,
    pause,
    pause_after_failure,
    retry_after,
    wished_pause,
)

__all__ = ["Feeds", "describe", "preview", "read", "scope"]

AT_ONCE = 4
"""Feeds polled at the same time; one host is never asked by two."""

BEGINNINGS = 3
"""So often a feed is asked again for a whole first document, before it is begun with a damaged one."""

LONGEST_NAP = 300.0
"""The clock is looked at again after so many seconds, for it may have been set meanwhile."""

_ACCEPT = {
    "Accept": "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"
}
_CHARSET = re.compile(r"(?i)\bcharset\s*=\s*[\"']?([\w.:-]{1,40})")
_FOR_GOOD = frozenset({301, 308})

log = logging.getLogger(__name__)


def scope(url: str) -> str:
    """Under which the feed's keys and its cursor are kept."""
    return f"feed:{url}"


def read(group: Sequence[Arrival]) -> Reading:
    """Pure. Raises InvalidArrival for an entry that names no web address."""
    return Reading(sightings=[_read_one(arrival) for arrival in group])


def _read_one(arrival: Arrival) -> Sighting:
    raw = json.loads(arrival.raw)
    entry = Entry.from_wire(raw["entry"])
    return _sighting(entry, feed=raw["feed"], tags=raw["tags"], received=arrival.received)


def _sighting(entry: Entry, *, feed: str, tags: Iterable[str], received: float) -> Sighting:
    if not entry.link:
        raise InvalidArrival(f"the entry “{entry.title or entry.id}” names no web address")
    return Sighting.of(
        entry.link,
        source="feed",
        title=entry.title,
        tags=(*tags, *entry.tags),
        text=entry.summary,
        author=entry.author,
        feed=feed,
        at=entry.published if 0 < entry.published <= received + DAY else received,
    )


class Preview(TypedDict):
    """What a feed holds now. `entries` is how many there are, `notes` are those without a web address, in words."""

    title: str
    entries: int
    sightings: list[Sighting]
    notes: list[str]


async def preview(
    net: Door,
    url: str,
    *,
    name: str = "",
    tags: Sequence[str] = (),
    clock: Callable[[], float] = time.time,
) -> Preview:
    """One look at a feed, in its own order; nothing is remembered. Raises FetchError or SourceError in plain words.

    `name` and `tags` are those it has in the rule file, if it is there.
    """
    answer = await net.fetch(url, headers=_ACCEPT)
    _check(answer, clock())
    async with Reader() as reader:
        document = await _document(reader, answer)
    sightings, notes = [], []
    for entry in document.entries:
        try:
            sightings.append(_sighting(entry, feed=name or document.title, tags=tags, received=clock()))
        except InvalidArrival as error:
            notes.append(str(error))
    return Preview(title=document.title, entries=len(document.entries), sightings=sightings, notes=notes)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one poll came to: the feed's next state, what the inbox gets with it, and words for a person."""

    state: FeedState
    words: str
    news: News = NOTHING


class Feeds:
    """The source. `chance` is the jitter, in [0, 1); `sleep` and `clock` are the caller's."""

    name = "feeds"
    routes: Sequence[BaseRoute] = ()

    def __init__(
        self,
        inbox: Inbox,
        net: Door,
        feeds: Sequence[Feed],
        *,
        clock: Callable[[], float],
        chance: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        reader: Reader | None = None,
    ) -> None:
        self._inbox = inbox
        self._net = net
        self._feeds = feeds
        self._clock = clock
        self._chance = chance
        self._sleep = sleep
        self._reader = reader or Reader()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._hosts: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def condition(self) -> Sequence[str]:
        """One line for each feed: how the last poll went, and when the next is."""
        now = self._clock()
        return [f"{feed.name}: {describe(await self._inbox.cursor(scope(feed.url)), now=now)}" for feed in self._feeds]

    async def run(self) -> None:
        """Polls what is due until cancelled. Raises StoreError when the inbox fails."""
        try:
            async with self._reader, asyncio.TaskGroup() as group:
                for feed in self._feeds:
                    group.create_task(self._follow(feed), name=f"feed {feed.name}")
                await asyncio.Event().wait()
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None  # one database: the others say the same

    async def _follow(self, feed: Feed) -> None:
        while not (state := await self._state(feed)).gone:
            while wait := state.wait(self._clock()):
                await self._sleep(min(wait, LONGEST_NAP))
            async with self._turn(feed):
                await self.poll(feed)

    @asynccontextmanager
    async def _turn(self, feed: Feed) -> AsyncIterator[None]:
        # The host first: those that wait for a slow one must not hold the others' slots.
        async with self._hosts[host(feed.url)], self._slots:
            yield

    async def _state(self, feed: Feed) -> FeedState:
        return FeedState.of(await self._inbox.cursor(scope(feed.url)))

    async def poll(self, feed: Feed) -> str:
        """One poll, due or not; answers what it came to in words. Raises StoreError, and then nothing has changed."""
        held = await self._inbox.cursor(scope(feed.url))
        state = FeedState.of(held)
        try:
            outcome = await self._outcome(feed, state)
        except (FetchError, SourceError) as problem:
            outcome = self._failure(feed, state, problem)
        try:
            await self._put(feed, outcome, held)
        except Conflict:
            return "somebody else polled it at the same time"
        _log_change(feed, state, outcome.state)
        return outcome.words

    async def close(self) -> None:
        """Ends the child process, for those who call `poll` themselves. `run` does it when it ends."""
        await self._reader.close()

    async def _outcome(self, feed: Feed, state: FeedState) -> _Outcome:
        validators = state.validators(feed.url)
        answer = await self._net.fetch(feed.url, headers=_ACCEPT | validators)
        now = self._clock()
        if answer.status == 410:
            gone = replace(state, gone=True, polled=now, last_error=_status_words(answer))
            return _Outcome(gone, "gone for good")
        if answer.status == 304 and validators:
            return self._unchanged(feed, _revalidated(state, answer), answer)
        _check(answer, now)
        state = replace(state, moved=_moved(answer))
        if state.started and _fingerprint(answer.body) == state.body:
            # Some servers give the same bytes another tag every time. That they are complete was found out before.
            known = state if state.remark else state.validated_by(answer.headers, answer.url)
            return self._unchanged(feed, known, answer)
        document = await _document(self._reader, answer)
        if not (document.complete or state.started) and state.failures < BEGINNINGS:
            raise SourceError("the first document was cut off; what it lacks would all seem new later")
        return await self._changed(feed, state, answer, document)

    def _unchanged(self, feed: Feed, state: FeedState, answer: Answer) -> _Outcome:
        return _Outcome(state.succeeded(self._clock(), self._pause(feed, state, answer)), "nothing new")

    async def _changed(self, feed: Feed, state: FeedState, answer: Answer, document: Document) -> _Outcome:
        known = await self._inbox.known(scope(feed.url), questions(document.entries))
        found = news(document.entries, known, EVERYTHING if state.started else feed.start)
        state = replace(state, ttl=document.ttl)
        after = replace(
            state.succeeded(self._clock(), self._pause(feed, state, answer)),
            started=True,
            body=_fingerprint(answer.body),
            remark="" if document.complete else "the last document was cut off",
        )
        if document.complete:
            after = after.validated_by(answer.headers, answer.url)
        return _Outcome(after, f"{len(found.fresh)} new of {len(document.entries)}", found)

    def _failure(self, feed: Feed, state: FeedState, problem: FetchError | SourceError) -> _Outcome:
        wish = problem.retry_after if isinstance(problem, SourceError) else None
        wait = pause_after_failure(state.failures, feed.interval, retry_after=wish, chance=self._chance())
        return _Outcome(state.failed(str(problem), self._clock(), wait), f"failed: {problem}")

    def _pause(self, feed: Feed, state: FeedState, answer: Answer) -> float:
        hint = max(state.ttl, wished_pause(answer.headers, self._clock()))
        return pause(feed.interval, hint=hint, chance=self._chance())

    async def _put(self, feed: Feed, outcome: _Outcome, held: str | None) -> None:
        arrivals = [_arrival(feed, entry, keys) for entry, keys in outcome.news.fresh]
        others = (key for _, keys in outcome.news.fresh for key in keys[1:])
        await self._inbox.put(
            arrivals,
            seen=[Key(scope(feed.url), key) for key in (*others, *outcome.news.seen)],
            cursor=Cursor(scope(feed.url), outcome.state.text),
            expect=held,
        )


def _arrival(feed: Feed, entry: Entry, keys: Sequence[str]) -> Arrival:
    raw = {"feed": feed.name, "url": feed.url, "tags": list(feed.tags), "entry": asdict(entry)}
    return Arrival(
        source="feed",
        channel=feed.name,
        key=Key(scope(feed.url), keys[0]),
        raw=json.dumps(raw, ensure_ascii=False),
    )


async def _document(reader: Reader, answer: Answer) -> Document:
    named = _CHARSET.search(answer.headers.get("content-type", ""))
    return await reader.read(answer.body, charset=named[1] if named else "", url=answer.url)


def _check(answer: Answer, now: float) -> None:
    if answer.status not in (200, 203):
        raise SourceError(_status_words(answer), retry_after=retry_after(answer.headers, now))


def _status_words(answer: Answer) -> str:
    if answer.headers.get("cf-mitigated", "").lower() == "challenge":
        return f"answered {answer.status}: its guard (Cloudflare) wants to see a person"
    try:
        return f"answered {answer.status} ({HTTPStatus(answer.status).phrase})"
    except ValueError:
        return f"answered {answer.status}"


def _revalidated(state: FeedState, answer: Answer) -> FeedState:
    newer = {"etag": state.etag, "last-modified": state.last_modified} | dict(answer.headers)
    return state.validated_by(newer, state.validated)


def _moved(answer: Answer) -> str:
    for_good = answer.hops and all(status in _FOR_GOOD for status, _ in answer.hops)
    return answer.url if for_good else ""


def _fingerprint(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _log_change(feed: Feed, before: FeedState, after: FeedState) -> None:
    if after.gone:
        log.warning("feed %s is gone for good (410) and is not polled any more", feed.name)
    elif after.failures == 1:
        log.warning("feed %s fails: %s", feed.name, after.last_error)
    elif before.failures and not after.failures:
        log.info("feed %s works again after %d failures", feed.name, before.failures)
