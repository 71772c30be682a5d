"""One connection's calls: made, listened to, and settled, each link by its own outcome.

A batch that is refused as a whole is halved until the bad link stands alone; when a call fails otherwise, its links go
back unharmed, and the gate says when to come again.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from bridge import budget
from bridge.delivery import Dead, Delivered, Delivery, Outcome, Retry, Settlement, Unknown, settlement
from bridge.errors import DestinationError, Refused, Throttled, TooLarge, Unavailable
from bridge.gate import SOON, Gate, named_wait, shrunk, shut, unchanged
from bridge.link import printable
from bridge.ports import Call, Destination, Finder, Found, Metered, Outbox, Terms

ENOUGH_CALLS = 15
"""Calls in which one bad link of a hundred has been found: if none went through by then, the links are not to blame."""

log = logging.getLogger(__name__)


class Calls:
    """`clock` is wall time, `timer` says how long things take, `chance` is a number in [0, 1) for the jitter."""

    def __init__(
        self,
        outbox: Outbox,
        destination: Destination,
        terms: Terms,
        *,
        clock: Callable[[], float],
        chance: Callable[[], float],
        timer: Callable[[], float],
    ) -> None:
        self.terms = terms
        self._outbox = outbox
        self._destination = destination
        self._clock = clock
        self._chance = chance
        self._timer = timer
        self._heard = list[budget.Heard]()

    async def make(self, part: Sequence[Delivery]) -> Sequence[Outcome]:
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

    async def find(self, finder: Finder, batch: Sequence[Delivery]) -> Mapping[str, Found]:
        try:
            return await finder.find([delivery.url for delivery in batch])
        except DestinationError as error:
            error.args = (printable(str(error)),)
            raise
        except Exception as error:
            log.exception("%s failed in a way it should not", self._destination.name)
            raise Unavailable(f"looking up failed: {type(error).__name__} (this is a bug)") from error

    def listen(self) -> bool:
        """Hears what the last answers said; whether anything of limits."""
        headers = self._destination.heard() if isinstance(self._destination, Metered) else ()
        heard = [budget.read(answer, now=self._clock()) for answer in headers]
        self._heard += heard
        return any(answer.said for answer in heard)

    def was(self, took: float, *, gate: Callable[[Gate], Gate]) -> Call:
        """What the last call brought, its headers too."""
        self.listen()
        return self.brought(took, gate)

    def brought(self, took: float, gate: Callable[[Gate], Gate]) -> Call:
        heard, self._heard = self._heard, []
        return Call(terms=self.terms, heard=heard, took=took, gate=gate)

    async def settle(
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

    async def halve(self, batch: Sequence[Delivery], error: Refused) -> bool:
        """A batch that is refused as a whole is halved until the bad link stands alone. Answers whether others may
        follow as they are: False when it is rather the service that is wrong, or when batches are too large."""
        parts, refused, calls, through = _halves(batch), list[tuple[Delivery, Refused]](), 1, False
        largest = len(batch) // 2 if isinstance(error, TooLarge) else 0
        if len(batch) == 1:
            parts, refused = [], [(batch[0], error)]
        while parts and (calls < ENOUGH_CALLS or through):
            part, calls, began = parts.pop(), calls + 1, self._timer()
            try:
                await self._check_budget()
                outcomes = await self.make(part)
            except Refused as again:
                if len(part) == 1:
                    refused.append((part[0], again))
                else:
                    parts += _halves(part)
                    largest = len(part) // 2 if isinstance(again, TooLarge) else largest
            except DestinationError as failure:
                left = [delivery for unsent in (part, *reversed(parts)) for delivery in unsent]
                left += [delivery for delivery, _ in refused]
                await self.hold_back(left, failure, self._timer() - began)
                return False
            else:
                through = True
                await self.settle(
                    part, outcomes, self.was(self._timer() - began, gate=partial(shrunk, largest=largest))
                )
        untried = [delivery for part in parts for delivery in part]
        return await self._refused(refused, untried, alone=through) and not largest

    async def _check_budget(self) -> None:
        if self.terms.scopes and not await self._outbox.may_call(self.terms):
            raise Unavailable("the limit of the service is used up", retry_after=SOON)

    async def _refused(
        self, refused: Sequence[tuple[Delivery, Refused]], untried: Sequence[Delivery], *, alone: bool
    ) -> bool:
        """Links that were refused die when others passed. When nothing did, it is rather the service that is wrong."""
        if not refused:
            return True
        gate = await self._outbox.gate(self._destination.name)
        links, (_, error) = [delivery for delivery, _ in refused], refused[0]
        if alone or (len(refused) == 1 and not untried and not gate.failures):
            await self.settle(links, [Dead(str(error)) for _, error in refused], self.was(0.0, gate=unchanged))
            return True
        everything = Unavailable(f"refuses everything: {error}")
        await self.hold_back(untried, everything, 0.0)
        await self.settle(links, [Retry(str(error)) for _, error in refused], None)
        return False

    async def hold_back(
        self, batch: Sequence[Delivery], error: DestinationError, took: float, *, looked_up: bool = False
    ) -> None:
        """The whole call failed: the links go back unharmed, and the gate says when to come again."""
        now, call = self._clock(), self.was(0.0, gate=unchanged)
        wait = named_wait(error, call.heard)
        until = now + wait if wait is not None and isinstance(error, Throttled) else 0.0
        change = partial(shut, error=error, wait=wait, now=now, chance=self._chance(), sent=len(batch))
        call = replace(call, until=until, took=took, gate=change)
        lost = looked_up or (isinstance(error, Unavailable) and error.sent)
        outcome = Unknown(str(error)) if lost else Retry(str(error), burns=False)
        await self.settle(batch, [outcome] * len(batch), call, burns=False)
        gate = await self._outbox.gate(self._destination.name)
        if gate.state == "paused":
            log.error("%s is paused: %s; `pocket-bridge resume %s` goes on", gate.connection, error, gate.connection)
        else:
            log.warning("%s: %s; again in %.0f s", gate.connection, error, gate.not_before - now)


def _writable(outcome: Outcome) -> Outcome:
    """What a service says may hold halves of characters, which no database takes. Raises TypeError for no outcome."""
    match outcome:
        case Delivered():
            name = outcome.remote_id
            return outcome if name.isascii() else replace(outcome, remote_id=printable(name))
        case Retry() | Dead() | Unknown():
            return replace(outcome, reason=printable(outcome.reason))
    raise TypeError(type(outcome).__name__)


def _halves(part: Sequence[Delivery]) -> list[Sequence[Delivery]]:
    """The second half first: they are taken from the end."""
    return [part[len(part) // 2 :], part[: len(part) // 2]]


def _summary(settled: Sequence[tuple[Delivery, Settlement]]) -> str:
    states = Counter(settlement.state for _, settlement in settled)
    return ", ".join(f"{number} {state}" for state, number in states.items())
