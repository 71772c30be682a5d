"""One poll of one address: fetched once, read once, and what is new in it handed to all who follow it.

One unit holds everybody's new entries, the keys of all others, and the feed's state with its validators: a crash at
any moment repeats a poll and loses nothing.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from bridge.errors import Conflict, FetchError, SourceError, StoreError
from bridge.net import Answer, Door
from bridge.ports import DAY, Arrival, Cursor, Inbox, Key
from bridge.sources.feeds.entry import Document
from bridge.sources.feeds.followers import Channel, Follower
from bridge.sources.feeds.moves import Moves
from bridge.sources.feeds.news import EVERYTHING, News, news, questions, rhythm
from bridge.sources.feeds.pace import Limits, Progress, queued
from bridge.sources.feeds.reader import Reader
from bridge.sources.feeds.reading import arrival
from bridge.sources.feeds.state import (
    FeedState,
    pause,
    pause_after_failure,
    retry_after,
    wished_pause,
    without_skipped,
)
from bridge.sources.feeds.websub import Hubs
from bridge.sources.feeds.wishes import hub_of

BEGINNINGS = 3
"""So often a feed is asked again for a whole first document, before it is begun with a damaged one."""

AT_ONCE = 50

SHORTEST_NET = 1800.0
"""A hub that gives its word for a shorter time than some of these is one that polls have to do without."""

FEW = 3
"""Entries that may get new ids without a word about it."""

ACCEPT = {
    "Accept": "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"
}
_CHARSET = re.compile(r"(?i)\bcharset\s*=\s*[\"']?([\w.:-]{1,40})")
_FOR_GOOD = frozenset({301, 308})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one follower gets of a document: arrivals, keys without one, and how far it has come."""

    follower: Follower
    arrivals: Sequence[Arrival]
    seen: Sequence[str]
    progress: Progress
    renamed: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one poll came to: the feed's next state, words for a person, and what its followers get."""

    state: FeedState
    words: str
    taken: Sequence[Taken] = ()


class Poller:
    """`chance` is the jitter, in [0, 1). `at_once`: most entries a feed gives at one poll, where it says nothing."""

    def __init__(
        self,
        inbox: Inbox,
        net: Door,
        reader: Reader,
        *,
        clock: Callable[[], float],
        chance: Callable[[], float],
        at_once: int = AT_ONCE,
        hubs: Hubs | None = None,
    ) -> None:
        self._hubs = hubs
        self._inbox = inbox
        self._net = net
        self._reader = reader
        self._clock = clock
        self._chance = chance
        self._at_once = at_once
        self._begun: set[int] = set()  # of ten thousand feeds their hashes, not their texts

    async def poll(self, channel: Channel) -> Outcome:
        """One poll, due or not. Raises StoreError, and then nothing has changed."""
        held = await self._inbox.cursor(channel.scope)
        state = FeedState.of(held)
        return await self._kept(channel, await self.outcome(channel, state), held, state)

    async def poll_from(self, channel: Channel, held: str | None, moves: Moves) -> Outcome:
        """As `poll`, from a state that the caller knows. When nobody gets anything, the new one is left to `moves`."""
        state = FeedState.of(held)
        outcome = await self.outcome(channel, state)
        if outcome.taken:
            await moves.write()  # what this one builds on may be among them
            return await self._kept(channel, outcome, held, state)
        moves.add(Cursor(channel.scope, outcome.state.text), held)
        _log_change(channel, state, outcome.state)
        return outcome

    async def outcome(self, channel: Channel, state: FeedState) -> Outcome:
        """What is there now, and what follows from it; nothing is kept yet."""
        try:
            return await self._with_hub(channel, await self._outcome(channel, state))
        except (FetchError, SourceError) as problem:
            return self._failure(channel, state, problem)
        except StoreError:
            raise
        except Exception as error:
            # A bug costs one poll of one feed: it must never stop the others.
            log.exception("feed %s could not be polled", channel.name)
            bug = SourceError(f"it could not be read: {type(error).__name__} (this is a bug in bridge)")
            return self._failure(channel, state, bug)

    async def begin(self, channel: Channel, answer: Answer, document: Document) -> Outcome:
        """As a poll that came to this answer: for whoever has just begun to follow, without asking again."""
        held = await self._inbox.cursor(channel.scope)
        state = replace(FeedState.of(held), moved="", gone=False)
        return await self._kept(channel, await self._changed(channel, state, answer, document), held, state)

    async def _kept(self, channel: Channel, outcome: Outcome, held: str | None, before: FeedState) -> Outcome:
        try:
            await self._put(channel, outcome, held)
        except Conflict:
            now = FeedState.of(await self._inbox.cursor(channel.scope))
            return Outcome(now, "somebody else polled it at the same time")
        _log_change(channel, before, outcome.state)
        return outcome

    async def _outcome(self, channel: Channel, state: FeedState) -> Outcome:
        all_begun = await self._all_begun(channel)
        url = state.address(channel.url)
        validators = state.validators(url) if all_begun else {}
        answer = await self._net.fetch(url, headers=ACCEPT | validators, secrets=channel.secrets)
        now = self._clock()
        if answer.status == 410 and not state.home:
            gone = replace(state, gone=True, polled=now, last_error=status_words(answer))
            return Outcome(gone, "gone for good")
        if answer.status == 304 and validators:
            state = _revalidated(state, answer).led_to(moved_to(answer), now)
            return self._unchanged(channel, state, answer)
        check(answer, now)
        led = state.led_to(moved_to(answer), now)
        state = replace(led, home="") if channel.secrets else led  # they are for the address they were given for
        if all_begun and _fingerprint(answer.body) == state.body:
            # Some servers give the same bytes another tag every time. That they are complete was found out before.
            known = state if state.remark else state.validated_by(answer.headers, answer.url)
            return self._unchanged(channel, known, answer)
        document = await read_document(self._reader, answer)
        if not (document.complete or state.started) and state.failures < BEGINNINGS:
            raise SourceError("the first document was cut off; what it lacks would all seem new later")
        return await self._changed(channel, state, answer, document)

    async def _all_begun(self, channel: Channel) -> bool:
        return all([await self._has_begun(follower) for follower in channel.followers])

    async def _has_begun(self, follower: Follower) -> bool:
        known = hash((follower.progress, follower.since))
        if known in self._begun:
            return True
        begun = (await self._progress(follower)).has_begun(follower.since)
        if begun:
            self._begun.add(known)
        return begun

    async def _progress(self, follower: Follower) -> Progress:
        return Progress.of(await self._inbox.cursor(follower.progress))

    def _unchanged(self, channel: Channel, state: FeedState, answer: Answer) -> Outcome:
        return Outcome(state.succeeded(self._clock(), self._pause(channel, state, answer)), "nothing new")

    async def _changed(self, channel: Channel, state: FeedState, answer: Answer, document: Document) -> Outcome:
        # Nobody begins with half a document, unless it never comes whole.
        whole = document.complete or bool(state.remark) or not state.started
        taken = [one for follower in channel.followers if (one := await self.take(follower, document, whole=whole))]
        state = _with_wishes(state, answer, document)
        after = replace(
            state.succeeded(self._clock(), self._pause(channel, state, answer)),
            started=True,
            body=_fingerprint(answer.body),
            remark="" if document.complete else "the last document was cut off",
        )
        if document.complete:
            after = after.validated_by(answer.headers, answer.url)
        fresh = max((len(one.arrivals) for one in taken), default=0)
        after = _with_habits(after, document, taken, self._clock())
        return Outcome(after, f"{fresh} new of {len(document.entries)}", taken)

    async def take(self, follower: Follower, document: Document, *, whole: bool = True) -> Taken | None:
        """What a document holds for one follower; None when it has not begun and this is no document to begin with."""
        progress = await self._progress(follower)
        begun = progress.has_begun(follower.since)
        if not (begun or whole):
            return None
        known = await self._inbox.known(follower.seen, questions(document.entries))
        found = news(document.entries, known, EVERYTHING if begun else follower.feed.start)
        return self._taken(follower, progress, found)

    def _taken(self, follower: Follower, progress: Progress, found: News) -> Taken:
        feed, now = follower.feed, self._clock()
        limits = Limits(at_once=feed.at_once or self._at_once, per_day=feed.per_day, pause=feed.interval)
        dues, after = queued(progress, len(found.fresh), limits, now)
        arrivals = [
            arrival(follower, entry, keys[0], due) for (entry, keys), due in zip(found.fresh, dues, strict=True)
        ]
        others = [key for _, keys in found.fresh for key in keys[1:]]
        return Taken(follower, arrivals, [*others, *found.seen], after, found.renamed)

    def _failure(self, channel: Channel, state: FeedState, problem: FetchError | SourceError) -> Outcome:
        wish = problem.retry_after if isinstance(problem, SourceError) else None
        wait = pause_after_failure(state.failures, channel.interval, retry_after=wish, chance=self._chance())
        return Outcome(state.failed(str(problem), self._clock(), wait), f"failed: {problem}")

    def _pause(self, channel: Channel, state: FeedState, answer: Answer) -> float:
        now = self._clock()
        hint = max(state.ttl, wished_pause(answer.headers, now))
        seconds = pause(channel.interval, hint=hint, chance=self._chance())
        return without_skipped(seconds, state, now, self._chance())

    async def _with_hub(self, channel: Channel, outcome: Outcome) -> Outcome:
        """Where a hub tells of news, polling is the net below: once a day, and in time to ask the hub again.

        What needs a password is nothing that a hub could bring.
        """
        state = outcome.state
        if self._hubs is None or not state.hub or state.gone or channel.secrets:
            return outcome
        renewal = await self._hubs.tend(channel.scope, state.hub, state.topic)
        if not renewal:
            return replace(outcome, state=replace(state, told=0.0)) if state.told else outcome
        now = self._clock()
        net = min(now + DAY * (1 + self._chance() / 10), renewal)
        return replace(outcome, state=replace(state, told=renewal, next_poll=max(net, now + SHORTEST_NET)))

    async def deliver(self, channel: Channel, document: Document) -> str:
        """What a hub brought: some of the feed's entries, for those who have begun with it. Durable when it returns."""
        while True:
            held = await self._inbox.cursor(channel.scope)
            taken = [one for each in channel.followers if (one := await self.take(each, document, whole=False))]
            fresh = max((len(one.arrivals) for one in taken), default=0)
            try:
                await self._put(channel, Outcome(FeedState.of(held), "", taken), held)
            except Conflict:
                continue  # a poll ended meanwhile, and may have taken the same
            return f"{fresh} new of {len(document.entries)}"

    async def _put(self, channel: Channel, outcome: Outcome, held: str | None) -> None:
        taken = outcome.taken
        progress = tuple(Cursor(one.follower.progress, one.progress.text) for one in taken)
        await self._inbox.put(
            [arrival for one in taken for arrival in one.arrivals],
            seen=[Key(one.follower.seen, key) for one in taken for key in one.seen],
            cursor=Cursor(channel.scope, outcome.state.text, progress),
            expect=held,
        )


async def read_document(reader: Reader, answer: Answer) -> Document:
    """Raises SourceError when the answer is no feed."""
    named = _CHARSET.search(answer.headers.get("content-type", ""))
    return await reader.read(answer.body, charset=named[1] if named else "", url=answer.url)


def check(answer: Answer, now: float) -> None:
    """Raises SourceError for an answer that holds no document."""
    if answer.status not in (200, 203):
        raise SourceError(status_words(answer), retry_after=retry_after(answer.headers, now))


def status_words(answer: Answer) -> str:
    if answer.headers.get("cf-mitigated", "").lower() == "challenge":
        return f"answered {answer.status}: its guard (Cloudflare) wants to see a person"
    try:
        return f"answered {answer.status} ({HTTPStatus(answer.status).phrase})"
    except ValueError:
        return f"answered {answer.status}"


def _revalidated(state: FeedState, answer: Answer) -> FeedState:
    newer = {"etag": state.etag, "last-modified": state.last_modified} | dict(answer.headers)
    return state.validated_by(newer, state.validated)


def moved_to(answer: Answer) -> str:
    """Where the address leads for good; empty when it leads nowhere else."""
    for_good = answer.hops and all(status in _FOR_GOOD for status, _ in answer.hops)
    return answer.url if for_good else ""


def _with_wishes(state: FeedState, answer: Answer, document: Document) -> FeedState:
    hub, topic = hub_of(answer.headers.get("link", ""), answer.url)
    return replace(
        state,
        ttl=document.ttl,
        skip_hours=document.skip_hours,
        skip_days=document.skip_days,
        hub=hub or document.hub,
        topic=topic or document.topic or answer.url if hub or document.hub else "",
    )


def _with_habits(state: FeedState, document: Document, taken: Sequence[Taken], now: float) -> FeedState:
    newest, usual = rhythm(document.entries, now)
    met = now if any(one.arrivals for one in taken) else 0.0
    churned = any(one.renamed > max(FEW, len(document.entries) / 2) for one in taken)
    return replace(
        state,
        newest=newest or met or state.newest,
        rhythm=usual or state.rhythm,
        churned=now if churned else state.churned,
    )


def _fingerprint(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _log_change(channel: Channel, before: FeedState, after: FeedState) -> None:
    if after.gone:
        log.warning("feed %s is gone for good (410) and is not polled any more", channel.name)
    elif after.failures == 1:
        log.warning("feed %s fails: %s", channel.name, after.last_error)
    elif before.failures and not after.failures:
        log.info("feed %s works again after %d failures", channel.name, before.failures)
