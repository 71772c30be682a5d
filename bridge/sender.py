"""The sender: leases a connection's due deliveries, sends them in batches, settles each by its own outcome.

Where a second add changes nothing, the batches of several quick calls are leased together and written down together,
a *run*; and while one run is out, the next are leased and the one before is settled. What it holds is in `_unsent`,
`_ahead` and `_sent`: whatever ends a step, what was answered is written down and what was not sent is put back.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain

from bridge.calls import Calls
from bridge.delivery import Delivered, Delivery, Outcome, Retry
from bridge.errors import DestinationError, Refused
from bridge.gate import opened, passed, unchanged
from bridge.link import printable
from bridge.ports import Destination, Finder, Found, Outbox, Terms

STEP_SECONDS = 1.0
"""A step goes on for so long while there is more: whoever stops the sender waits for the end of one."""

RUN_SECONDS = 0.1
"""About the time that the calls of a run take together: what is sent by hand meanwhile waits for its end."""

RUN_LINKS = 2000
"""Most links of a run."""

RUNS_AHEAD = 2
"""Runs that are leased while one is out, and that are written down meanwhile: neither side waits for the other."""


class Sender:
    """One connection's line. `clock` is wall time, `timer` says how long things take, `chance` is a number in [0, 1)
    for the jitter.

    `gather`: seconds that a link may wait for others to leave with it.
    """

    def __init__(
        self,
        outbox: Outbox,
        destination: Destination,
        *,
        clock: Callable[[], float],
        chance: Callable[[], float],
        timer: Callable[[], float] = time.monotonic,
        gather: float = 0.0,
    ) -> None:
        self._outbox = outbox
        self._destination = destination
        self._timer = timer
        self._unsent = deque[Sequence[Delivery]]()
        self._ahead = deque[asyncio.Future[Sequence[Sequence[Delivery]]]]()
        self._sent, self._outcomes = list[Delivery](), list[Outcome]()
        self._settling = deque[asyncio.Future[None]]()
        self._took, self._passed = RUN_SECONDS, 0
        self.terms = terms(destination, gather=gather)
        self._calls = Calls(outbox, destination, self.terms, clock=clock, chance=chance, timer=timer)

    async def wait(self) -> None:
        await self._outbox.wait_for_deliveries(self.terms)

    async def step(self) -> int:
        """Sends what is due, call by call; answers how many deliveries it took up."""
        until = self._timer() + STEP_SECONDS
        taken = await self._look_up()
        try:
            await self._lease()
            while self._unsent and self._goes_on(until):
                batch = self._unsent.popleft()
                taken += len(batch)
                await self._send(batch, more=self._timer() < until)
        finally:
            await self._end()
        return taken

    def _goes_on(self, until: float) -> bool:
        """What is leased already is still sent when calls are quick: leases must not run out, nor a stop wait."""
        quick = self._took < RUN_SECONDS
        return self._timer() < until + (STEP_SECONDS if quick else 0.0)

    async def _end(self) -> None:
        self._write_down()
        try:
            await self._put_back()
        finally:
            await self._settled(most=0)

    async def _look_up(self) -> int:
        """What may or may not have been taken is looked for before it is sent again."""
        if not isinstance(self._destination, Finder):
            return 0
        batch, began = await self._outbox.lease_unknown(self.terms), self._timer()
        if not batch:
            return 0
        try:
            found = await self._calls.find(self._destination, batch)
        except DestinationError as error:
            await self._calls.hold_back(batch, error, self._timer() - began, looked_up=True)
        else:
            outcomes = [self._looked_up(found.get(one.url)) for one in batch]
            await self._calls.settle(batch, outcomes, self._calls.was(self._timer() - began, gate=opened))
        return len(batch)

    def _looked_up(self, found: Found | None) -> Outcome:
        if found is None:
            return Retry("looked up: it is not there", burns=False)
        tags = found.tags if self._destination.traits.can_update_tags else None
        return Delivered("already", printable(found.remote_id), tags)

    async def _send(self, batch: Sequence[Delivery], *, more: bool) -> None:
        """One call. At the end of a run its outcomes are written down, and the next one is fetched."""
        self._lease_ahead(more=more and len(batch) >= self.terms.batch)
        there = [delivery for delivery in batch if not self._is_owed(delivery)]
        self._sent += there
        self._outcomes += [Delivered("already")] * len(there)
        owed = [delivery for delivery in batch if self._is_owed(delivery)] if there else batch
        if owed:
            await self._send_owed(owed)
        if not self._unsent:
            await self._next(more=more)

    async def _send_owed(self, batch: Sequence[Delivery]) -> None:
        began = self._timer()
        try:
            outcomes = await self._calls.make(batch)
        except DestinationError as error:
            await self._failed(batch, error, self._timer() - began)
            return
        self._took, self._passed = self._timer() - began, len(batch)
        self._sent += batch
        self._outcomes += outcomes
        if self._calls.listen():
            await self._put_back()  # a limit is known by now: each call is thought of anew

    async def _failed(self, batch: Sequence[Delivery], error: DestinationError, took: float) -> None:
        try:
            # First, lest an older outcome opens the gate again; and whether that can be written or not.
            self._write_down()
            await self._settled(most=0)
        finally:
            others_may_follow = False
            if isinstance(error, Refused):
                others_may_follow = await self._calls.halve(batch, error)
            else:
                await self._calls.hold_back(batch, error, took)
            if not others_may_follow:
                await self._put_back()

    async def _lease(self) -> None:
        self._ahead.append(asyncio.ensure_future(self._leased()))
        await self._take_ahead()

    async def _leased(self) -> Sequence[Sequence[Delivery]]:
        batch = await self._outbox.lease(self.terms)
        return [batch] if batch else []

    def _lease_ahead(self, *, more: bool) -> None:
        """The next runs are made ready while this one is out, where a lease that is not used does no harm."""
        while more and self.terms.idempotent and self._took < RUN_SECONDS and len(self._ahead) < RUNS_AHEAD:
            calls = calls_of_a_run(self._took, self.terms.batch)
            self._ahead.append(asyncio.ensure_future(self._outbox.lease_ahead(self.terms, calls)))

    async def _take_ahead(self) -> None:
        while self._ahead and not self._unsent:
            self._unsent += await self._ahead.popleft()

    async def _next(self, *, more: bool) -> None:
        """A run is over: it is written down while the next one is sent."""
        self._write_down()
        await self._take_ahead()
        if self._unsent:
            await self._settled(most=RUNS_AHEAD)
            return
        if more:
            # Both are committed together: the batch costs one fsync.
            self._ahead.append(asyncio.ensure_future(self._leased()))
        await self._settled(most=0)
        await self._take_ahead()

    def _write_down(self) -> None:
        """Begins to settle what was answered."""
        if not self._sent:
            return
        gate = partial(passed, sent=self._passed, most=self.terms.batch) if self._passed else unchanged
        call = self._calls.brought(self._took, gate)
        self._settling.append(asyncio.ensure_future(self._calls.settle(self._sent, self._outcomes, call)))
        self._sent, self._outcomes, self._passed = [], [], 0

    async def _settled(self, *, most: int) -> None:
        """Waits until at most so many runs are still being written down. Raises when one could not be."""
        over = [self._settling.popleft() for _ in range(len(self._settling) - most)]
        for failure in await asyncio.gather(*over, return_exceptions=True):
            if failure is not None:
                raise failure

    async def _put_back(self) -> None:
        """All that is leased and was not sent."""
        ahead, self._ahead = self._ahead, deque()
        back = list(chain.from_iterable(self._unsent))
        self._unsent.clear()
        for leased in await asyncio.gather(*ahead, return_exceptions=True):
            back += () if isinstance(leased, BaseException) else chain.from_iterable(leased)
        await self._outbox.put_back(back)

    def _is_owed(self, delivery: Delivery) -> bool:
        """Whether the service is still to be told of the link, of tags or of a title. A second add would overwrite what
        a person changed there."""
        if not delivery.added:
            return True
        traits = self._destination.traits
        return bool(delivery.new_tags and traits.can_update_tags) or bool(
            delivery.new_title and traits.can_update_title
        )


def calls_of_a_run(took: float, batch: int) -> int:
    """As many as take about RUN_SECONDS, when one takes so long."""
    return max(1, min(int(RUN_SECONDS / max(took, 0.001)), RUN_LINKS // batch))


def terms(destination: Destination, *, gather: float = 0.0) -> Terms:
    """How a destination wants to be used."""
    traits = destination.traits
    return Terms(
        connection=destination.name,
        batch=traits.batch,
        idempotent=traits.add_is_idempotent,
        scopes=traits.scopes,
        finds=isinstance(destination, Finder),
        gather=gather,
    )
