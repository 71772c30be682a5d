"""Feeds: polls those that somebody follows, politely, and hands every entry not met before to the inbox."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from starlette.routing import BaseRoute

from bridge.link import host
from bridge.net import Answer, Door
from bridge.ports import OWNER, ManyCursors
from bridge.ports.keeping import Trouble
from bridge.sources.feeds.entry import Document
from bridge.sources.feeds.followers import Channel, Follower
from bridge.sources.feeds.look import preview
from bridge.sources.feeds.moves import Moves, States
from bridge.sources.feeds.poll import AT_ONCE, Outcome, Poller
from bridge.sources.feeds.push import Push
from bridge.sources.feeds.reader import Reader
from bridge.sources.feeds.reading import read
from bridge.sources.feeds.registry import Registry
from bridge.sources.feeds.schedule import Schedule
from bridge.sources.feeds.state import FeedState, describe, trouble
from bridge.sources.feeds.websub import Hubs

__all__ = ["Feeds", "Follower", "Hubs", "Registry", "preview", "read"]

POLLS = 8
"""Feeds polled at the same time; one host is never asked by two."""

LONGEST_NAP = 300.0
"""The clock and the list of feeds are looked at again after so many seconds: they may have been changed meanwhile."""

MOST_MOVES = 64
LONGEST_DELAY = 1.0
"""So many unchanged feeds are written down together, and after so many seconds at the latest."""

MOST_PLANNED = 500
"""States in one read while all feeds are looked at."""

MOST_LINES = 10
"""Feeds of which `status` tells one by one; of more only those that fail."""

log = logging.getLogger(__name__)


class Feeds:
    """The source. `chance` is the jitter, in [0, 1); `sleep` and `clock` are the caller's."""

    name = "feeds"
    routes: Sequence[BaseRoute] = ()

    def __init__(
        self,
        inbox: ManyCursors,
        net: Door,
        registry: Registry,
        *,
        clock: Callable[[], float],
        chance: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        reader: Reader | None = None,
        at_once: int = AT_ONCE,
        hubs: Hubs | None = None,
    ) -> None:
        self.registry = registry
        self.reader = reader or Reader()
        self.poller = Poller(inbox, net, self.reader, clock=clock, chance=chance, at_once=at_once, hubs=hubs)
        self._hubs = hubs
        if hubs is not None:
            self.routes = Push(hubs, self.reader, lambda: registry.channels, self._deliver).routes
        self._inbox = inbox
        self._clock = clock
        self._sleep = sleep
        self._schedule = Schedule(POLLS)
        self._moves = Moves(inbox)
        self._states = States(inbox, self._moves)
        self._looked = 0.0
        self._planned: object = None

    async def condition(self) -> Sequence[str]:
        """A line for each feed, or for each that fails: how the last poll went, and when the next is."""
        now, few = self._clock(), list(itertools.islice(self.registry, MOST_LINES + 1))
        if not few:
            return ["none is followed yet: “pocket-bridge feeds add URL”, or list them under “feeds:” in the rule file"]
        if len(few) > MOST_LINES:
            return await self._summary(now)
        states = {channel.scope: state async for channel, state in self._known()}
        return [_line(one, states.get(one.channel), now) for one in few]

    async def _summary(self, now: float) -> Sequence[str]:
        number, failing, lines = 0, 0, list[str]()
        async for channel, state in self._known():
            number += len(channel.followers)
            if FeedState.of(state).last_error:
                failing += len(channel.followers)
                lines += [_line(one, state, now) for one in channel.followers[: MOST_LINES - len(lines)]]
        return [f"{number} feeds, {failing} of them in trouble; “pocket-bridge feeds doctor” tells more", *lines]

    async def troubles(self) -> Sequence[Trouble]:
        """Feeds that fail, or are gone."""
        told = [trouble(channel.name, FeedState.of(state)) async for channel, state in self._known()]
        return [found for found in told if found]

    async def _known(self) -> AsyncIterator[tuple[Channel, str | None]]:
        """Every channel and what is kept of it, some at a time: of ten thousand, all would be much."""
        channels = self.registry.channels
        scopes = iter(channels)
        while some := list(itertools.islice(scopes, MOST_PLANNED)):
            held = await self._inbox.cursors(some)
            for scope in some:
                yield channels[scope], self._moves.latest(scope) or held.get(scope)

    async def run(self) -> None:
        """Polls what is due until cancelled. Raises StoreError when the inbox fails."""
        self._schedule, self._planned = Schedule(POLLS), None
        self._moves = Moves(self._inbox)
        self._states = States(self._inbox, self._moves)
        try:
            async with self.reader, asyncio.TaskGroup() as polls:
                try:
                    while True:
                        self._leave(await self._look_around(), polls)
                        self._start(polls)
                        await self._nap()
                        await self._write()
                finally:
                    await asyncio.shield(self._write())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None  # one database: the others say the same

    def _start(self, polls: asyncio.TaskGroup) -> None:
        for scope in self._schedule.start(self._clock()):
            polls.create_task(self._turns(scope, polls), name=f"poll {scope}")

    async def _write(self) -> None:
        if others := await self._moves.write():
            self.look_again(list(others))

    async def _look_around(self) -> Sequence[str]:
        """Plans the feeds that are new here, and forgets those nobody follows any more. Answers which those are."""
        now = self._clock()
        self.registry.changed.clear()
        if now < self._looked:  # the clock was set back: nothing that was planned with it holds
            self.look_again(list(self._schedule.names))
        if not LONGEST_NAP > now - self._looked >= 0.0:
            await self.registry.restore()
            self._looked = now
        channels = self.registry.channels
        if channels is self._planned:
            return ()
        self._planned = channels
        gone = [scope for scope in self._schedule.names if scope not in channels]
        self._schedule.forget(gone)
        new = [scope for scope in channels if scope not in self._schedule]
        for start in range(0, len(new), MOST_PLANNED):
            some = new[start : start + MOST_PLANNED]
            held = await self._inbox.cursors(some)
            for scope in some:
                self._plan(channels[scope], FeedState.of(self._moves.latest(scope) or held.get(scope)))
        return gone

    def _leave(self, scopes: Sequence[str], tasks: asyncio.TaskGroup) -> None:
        if scopes and self._hubs is not None:
            tasks.create_task(self._hubs.leave(scopes), name="leave hubs")

    async def _deliver(self, channel: Channel, document: Document) -> str:
        await self._write()  # what was found by polls before builds on what they found
        return await self.poller.deliver(channel, document)

    def look_again(self, scopes: Sequence[str]) -> None:
        """What is kept of these was changed by somebody else: they are planned by it."""
        self._schedule.forget(scopes)
        self._states.forget(scopes)
        self._planned = None
        self.registry.changed.set()

    def _plan(self, channel: Channel, state: FeedState) -> None:
        now = self._clock()
        due = float("inf") if state.gone else now + state.wait(now)
        self._schedule.plan(channel.scope, host(state.address(channel.url)), due)

    async def _turns(self, scope: str, polls: asyncio.TaskGroup) -> None:
        """One poll, and those that stand in line for its place."""
        while scope:
            try:
                await self._turn(scope)
            finally:
                self._schedule.done(scope)
            if len(self._moves) >= MOST_MOVES:
                await self._write()
            scope, *others = self._schedule.start(self._clock()) or [""]
            for other in others:
                polls.create_task(self._turns(other, polls), name=f"poll {other}")
        self.registry.changed.set()

    async def _turn(self, scope: str) -> None:
        channel = self.registry.channels.get(scope)
        if channel is None:
            return
        held = await self._states.take(scope, self._schedule.next)
        outcome = await self.poller.poll_from(channel, held, self._moves)
        if scope in self._schedule:
            self._plan(channel, outcome.state)

    async def _nap(self) -> None:
        """Until the next feed is due, the last poll of a place has ended, or somebody follows another one."""
        longest = LONGEST_DELAY if len(self._moves) else LONGEST_NAP
        seconds = min(self._schedule.wait(self._clock()), longest)
        napping = asyncio.ensure_future(self._sleep(seconds))
        woken = asyncio.ensure_future(self.registry.changed.wait())
        try:
            await asyncio.wait([napping, woken], return_when=asyncio.FIRST_COMPLETED)
        finally:
            napping.cancel()
            woken.cancel()

    async def poll(self, channel: Channel) -> Outcome:
        """One poll, due or not. Raises StoreError, and then nothing has changed."""
        return await self.poller.poll(channel)

    async def begin(self, channel: Channel, answer: Answer, document: Document) -> None:
        """What a person has just looked at is the first document of whoever follows it since."""
        await self.poller.begin(channel, answer, document)
        self.look_again([channel.scope])

    async def close(self) -> None:
        """Ends the child process, for those who call `poll` themselves. `run` does it when it ends."""
        await self.reader.close()


def _line(follower: Follower, state: str | None, now: float) -> str:
    return f"{_called(follower)}: {describe(state, now=now)}"


def _called(follower: Follower) -> str:
    return follower.feed.name if follower.account == OWNER else f"{follower.feed.name} ({follower.account})"
