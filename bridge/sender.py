"""The sender: leases a connection's due deliveries, sends them in batches, settles each by its own outcome.

Where a second add changes nothing, the batches of several quick calls are leased together and written down together,
a *run*; and while one run is out, the next are leased and the one before is settled. What it holds is in `_unsent`,
`_ahead` and `_sent`: whatever ends a step, what was answered is written down and what was not sent is put back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from bridge import budget
from bridge.delivery import Dead, Delivered, Delivery, Outcome, Retry, Settlement, Unknown, settlement
from bridge.errors import DestinationError, Refused, Throttled, TooLarge, Unavailable
from bridge.gate import SOON, Gate, named_wait, opened, passed, shrunk, shut
from bridge.link import printable
from bridge.ports import Call, Destination, Finder, Found, Metered, Outbox, Terms

ENOUGH_CALLS = 15
"""Calls in which one bad link of a hundred has been found: if none went through by then, the links are not to blame."""

STEP_SECONDS = 1.0
"""A step goes on for so long while there is more: whoever stops the sender waits for the end of one."""

RUN_SECONDS = 0.1
"""About the time that the calls of a run take together: what is sent by hand meanwhile waits for its end."""

RUN_LINKS = 2000
"""Most links of a run."""

RUNS_AHEAD = 2
"""Runs that are leased while one is out, and that are written down meanwhile: neither side waits for the other."""


log = logging.getLogger(__name__)


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
        self._clock = clock
        self._chance = chance
        self._timer = timer
        self._unsent = deque[Sequence[Delivery]]()
        self._ahead = deque[asyncio.Future[Sequence[Sequence[Delivery]]]]()
        self._sent, self._outcomes = list[Delivery](), list[Outcome]()
        self._settling = deque[asyncio.Future[None]]()
        self._heard = list[budget.Heard]()
        self._took, self._passed = RUN_SECONDS, 0
        self.terms = terms(destination, gather=gather)

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
            found = await self._found(self._destination, batch)
        except DestinationError as error:
            await self._hold_back(batch, error, self._timer() - began, looked_up=True)
        else:
            outcomes = [self._looked_up(found.get(one.url)) for one in batch]
            await self._settle(batch, outcomes, self._call_was(self._timer() - began, gate=opened))
        return len(batch)

    async def _found(self, finder: Finder, batch: Sequence[Delivery]) -> Mapping[str, Found]:
        try:
            return await finder.find([delivery.url for delivery in batch])
        except DestinationError as error:
            error.args = (printable(str(error)),)
            raise
        except Exception as error:
            log.exception("%s failed in a way it should not", self._destination.name)
            raise Unavailable(f"looking up failed: {type(error).__name__} (this is a bug)") from error

    def _looked_up(self, found: Found | None) -> Outcome:
        if found is None:
            return Retry("looked up: it is not there", burns=False)
        return Delivered(
            "already", printable(found.remote_id), found.tags if self._destination.traits.can_update_tags else None
        )

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
            outcomes = await self._call(batch)
        except DestinationError as error:
            await self._failed(batch, error, self._timer() - began)
            return
        self._took, self._passed = self._timer() - began, len(batch)
        self._sent += batch
        self._outcomes += outcomes
        if self._listen():
            await self._put_back()  # a limit is known by now: each call is thought of anew

    async def _failed(self, batch: Sequence[Delivery], error: DestinationError, took: float) -> None:
        try:
            # First, lest an older outcome opens the gate again; and whether that can be written or not.
            self._write_down()
            await self._settled(most=0)
        finally:
            if isinstance(error, Refused):
                await self._halve(batch, error)
            else:
                await self._hold_back(batch, error, took)

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
        gate = partial(passed, sent=self._passed, most=self.terms.batch) if self._passed else _unchanged
        call = self._brought(self._took, gate)
        self._settling.append(asyncio.ensure_future(self._settle(self._sent, self._outcomes, call)))
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

    async def _halve(self, batch: Sequence[Delivery], error: Refused) -> None:
        """A batch that is refused as a whole is halved until the bad link stands alone."""
        parts, refused, calls, through = _halves(batch), list[tuple[Delivery, Refused]](), 1, False
        largest = len(batch) // 2 if isinstance(error, TooLarge) else 0
        if len(batch) == 1:
            parts, refused = [], [(batch[0], error)]
        while parts and (calls < ENOUGH_CALLS or through):
            part, calls, began = parts.pop(), calls + 1, self._timer()
            try:
                await self._check_budget()
                outcomes = await self._call(part)
            except Refused as again:
                if len(part) == 1:
                    refused.append((part[0], again))
                else:
                    parts += _halves(part)
                    largest = len(part) // 2 if isinstance(again, TooLarge) else largest
            except DestinationError as failure:
                left = [delivery for unsent in (part, *reversed(parts)) for delivery in unsent]
                left += [delivery for delivery, _ in refused]
                await self._hold_back(left, failure, self._timer() - began)
                return
            else:
                through = True
                await self._settle(
                    part, outcomes, self._call_was(self._timer() - began, gate=partial(shrunk, largest=largest))
                )
        await self._refused(refused, [delivery for part in parts for delivery in part], alone=through)

    async def _check_budget(self) -> None:
        if self.terms.scopes and not await self._outbox.may_call(self.terms):
            raise Unavailable("the limit of the service is used up", retry_after=SOON)

    async def _call(self, part: Sequence[Delivery]) -> Sequence[Outcome]:
        """One outcome each. A plug's bug is taken for a refusal: the link that brings it up must not block the line."""
        try:
            outcomes = [_writable(outcome) for outcome in await self._destination.send(part)]
        except DestinationError as error:
            error.args = (printable(str(error)),)
            raise
        except Exception as error:
            log.exception("%s failed in a way it should not", self._destination.name)
            raise Refused(f"the destination failed: {type(error).__name__} (this is a bug)") from error
        if len(outcomes) != len(part):
            raise Unavailable(f"answered {len(outcomes)} outcomes for {len(part)} links", sent=True)
        return outcomes

    async def _refused(
        self, refused: Sequence[tuple[Delivery, Refused]], untried: Sequence[Delivery], *, alone: bool
    ) -> None:
        """Links that were refused die when others passed. When nothing did, it is rather the service that is wrong."""
        if not refused:
            return
        gate = await self._outbox.gate(self._destination.name)
        links, (_, error) = [delivery for delivery, _ in refused], refused[0]
        if alone or (len(refused) == 1 and not untried and not gate.failures):
            await self._settle(links, [Dead(str(error)) for _, error in refused], self._call_was(0.0, gate=_unchanged))
            return
        everything = Unavailable(f"refuses everything: {error}")
        await self._hold_back(untried, everything, 0.0)
        await self._settle(links, [Retry(str(error)) for _, error in refused], None)

    def _listen(self) -> bool:
        """Hears what the last answers said; whether anything of limits."""
        headers = self._destination.heard() if isinstance(self._destination, Metered) else ()
        heard = [budget.read(answer, now=self._clock()) for answer in headers]
        self._heard += heard
        return any(answer.said for answer in heard)

    def _call_was(self, took: float, *, gate: Callable[[Gate], Gate]) -> Call:
        """What the last call brought, its headers too."""
        self._listen()
        return self._brought(took, gate)

    def _brought(self, took: float, gate: Callable[[Gate], Gate]) -> Call:
        heard, self._heard = self._heard, []
        return Call(terms=self.terms, heard=heard, took=took, gate=gate)

    async def _hold_back(
        self, batch: Sequence[Delivery], error: DestinationError, took: float, *, looked_up: bool = False
    ) -> None:
        """The whole call failed: the links go back unharmed, and the gate says when to come again."""
        now, call = self._clock(), self._call_was(0.0, gate=_unchanged)
        wait = named_wait(error, call.heard)
        until = now + wait if wait is not None and isinstance(error, Throttled) else 0.0
        change = partial(shut, error=error, wait=wait, now=now, chance=self._chance(), sent=len(batch))
        call = replace(call, until=until, took=took, gate=change)
        lost = looked_up or (isinstance(error, Unavailable) and error.sent)
        outcome = Unknown(str(error)) if lost else Retry(str(error), burns=False)
        await self._settle(batch, [outcome] * len(batch), call, burns=False)
        await self._put_back()
        gate = await self._outbox.gate(self._destination.name)
        if gate.state == "paused":
            log.error("%s is paused: %s; `pocket-bridge resume %s` goes on", gate.connection, error, gate.connection)
        else:
            log.warning("%s: %s; again in %.0f s", gate.connection, error, gate.not_before - now)

    async def _settle(
        self, batch: Sequence[Delivery], outcomes: Sequence[Outcome], call: Call | None, *, burns: bool = True
    ) -> None:
        now = self._clock()
        settled = [
            (delivery, self._settlement(delivery, outcome, now=now, burns=burns))
            for delivery, outcome in zip(batch, outcomes, strict=True)
        ]
        held = await self._outbox.settle(settled, call=call)
        if held < len(batch):
            log.warning("%s: %d leases were lost and their results dropped", self._destination.name, len(batch) - held)
        log.info("%s: %s in %.0f ms", self._destination.name, _summary(settled), (call.took if call else 0.0) * 1000)

    def _settlement(self, delivery: Delivery, outcome: Outcome, *, now: float, burns: bool) -> Settlement:
        if isinstance(outcome, Unknown) and (self.terms.idempotent or delivery.added):
            outcome = Retry(outcome.reason, burns=burns)
        return settlement(delivery.attempts, outcome, now=now, chance=self._chance())


def _unchanged(gate: Gate) -> Gate:
    return gate


def _writable(outcome: Outcome) -> Outcome:
    """What a service says may hold halves of characters, which no database takes. Raises TypeError for no outcome."""
    match outcome:
        case Delivered():
            name = outcome.remote_id
            return outcome if name.isascii() else replace(outcome, remote_id=printable(name))
        case Retry() | Dead() | Unknown():
            return replace(outcome, reason=printable(outcome.reason))
    raise TypeError(type(outcome).__name__)


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


def _halves(part: Sequence[Delivery]) -> list[Sequence[Delivery]]:
    """The second half first: they are taken from the end."""
    return [part[len(part) // 2 :], part[: len(part) // 2]]


def _summary(settled: Sequence[tuple[Delivery, Settlement]]) -> str:
    states = Counter(settlement.state for _, settlement in settled)
    return ", ".join(f"{number} {state}" for state, number in states.items())
