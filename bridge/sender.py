"""The sender: leases a connection's due deliveries, sends them as one call, settles each by its own outcome."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from bridge.delivery import Dead, Delivered, Delivery, Outcome, Retry, Settlement, Unknown, backoff, settlement
from bridge.errors import DestinationError, Refused, Throttled, Unauthorized, Unavailable
from bridge.ports import Destination, Gate, Outbox

ENOUGH_CALLS = 15
"""Calls in which one bad link of a hundred has been found: if none went through by then, the links are not to blame."""

PROBE_SECONDS = 15 * 60.0
"""A service that is down is tried at least this often."""

log = logging.getLogger(__name__)


class Sender:
    """One connection's line. `clock` is wall time, `chance` a number in [0, 1) for the jitter."""

    def __init__(
        self, outbox: Outbox, destination: Destination, *, clock: Callable[[], float], chance: Callable[[], float]
    ) -> None:
        self._outbox = outbox
        self._destination = destination
        self._clock = clock
        self._chance = chance

    async def wait(self) -> None:
        await self._outbox.wait_for_deliveries(self._destination.name)

    async def step(self) -> int:
        """Sends one batch of what is due; answers how many deliveries it leased."""
        name, traits = self._destination.name, self._destination.traits
        batch = await self._outbox.lease(name, traits.batch, idempotent=traits.add_is_idempotent)
        there = [delivery for delivery in batch if delivery.added and not delivery.new_tags]
        if there:
            await self._settle(there, [Delivered("already")] * len(there), None, 0.0)
        if owed := [delivery for delivery in batch if delivery not in there]:
            await self._send(owed)
        return len(batch)

    async def _send(self, batch: Sequence[Delivery]) -> None:
        """A batch that is refused as a whole is halved until the bad link stands alone."""
        parts, refused, calls, passed = [batch], list[tuple[Delivery, Refused]](), 0, False
        while parts:
            if calls >= ENOUGH_CALLS and not passed:
                break
            part, calls, began = parts.pop(), calls + 1, time.monotonic()
            try:
                outcomes = await self._call(part)
            except Refused as error:
                if len(part) == 1:
                    refused.append((part[0], error))
                else:
                    parts += [part[len(part) // 2 :], part[: len(part) // 2]]
            except DestinationError as error:
                left = [delivery for unsent in (part, *reversed(parts)) for delivery in unsent]
                left += [delivery for delivery, _ in refused]
                await self._hold_back(left, error, time.monotonic() - began)
                return
            else:
                passed = True
                await self._settle(part, outcomes, await self._opened(), time.monotonic() - began)
        await self._refused(refused, [delivery for part in parts for delivery in part], alone=passed)

    async def _call(self, part: Sequence[Delivery]) -> Sequence[Outcome]:
        """One outcome each. A plug's bug is taken for a refusal: the link that brings it up must not block the line."""
        try:
            outcomes = await self._destination.send(part)
        except DestinationError:
            raise
        except Exception as error:
            log.exception("%s failed in a way it should not", self._destination.name)
            raise Refused(f"the destination failed: {type(error).__name__} (this is a bug)") from error
        if len(outcomes) != len(part):
            raise Unavailable(f"answered {len(outcomes)} outcomes for {len(part)} links")
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
            await self._settle(links, [Dead(str(error)) for _, error in refused], None, 0.0)
            return
        everything = Unavailable(f"refuses everything: {error}")
        await self._hold_back(untried, everything, 0.0)
        await self._settle(links, [Retry(str(error)) for _, error in refused], None, 0.0)

    async def _opened(self) -> Gate | None:
        """The gate after a call that went through; None when it stood open already."""
        gate = await self._outbox.gate(self._destination.name)
        return replace(gate, failures=0, because="", not_before=0.0) if gate.because else None

    async def _hold_back(self, batch: Sequence[Delivery], error: DestinationError, took: float) -> None:
        """The whole call failed: the links go back unharmed, and the gate says when to come again."""
        now = self._clock()
        gate = shut(await self._outbox.gate(self._destination.name), error, now=now, chance=self._chance())
        if gate.state == "paused":
            log.error("%s is paused: %s; `pocket-bridge resume %s` goes on", gate.connection, error, gate.connection)
        else:
            log.warning("%s: %s; again in %.0f s", gate.connection, error, gate.not_before - now)
        await self._settle(batch, [Retry(str(error), burns=False)] * len(batch), gate, took)

    async def _settle(
        self, batch: Sequence[Delivery], outcomes: Sequence[Outcome], gate: Gate | None, took: float
    ) -> None:
        settled = [
            (delivery, self._settlement(delivery, outcome)) for delivery, outcome in zip(batch, outcomes, strict=True)
        ]
        held = await self._outbox.settle(settled, gate=gate, took=took)
        if held < len(batch):
            log.warning("%s: %d leases were lost and their results dropped", self._destination.name, len(batch) - held)
        log.info("%s: %s in %.0f ms", self._destination.name, _summary(settled), took * 1000)

    def _settlement(self, delivery: Delivery, outcome: Outcome) -> Settlement:
        if isinstance(outcome, Unknown) and self._destination.traits.add_is_idempotent:
            outcome = Retry(outcome.reason)
        return settlement(delivery.attempts, outcome, now=self._clock(), chance=self._chance())


def shut(gate: Gate, error: DestinationError, *, now: float, chance: float) -> Gate:
    """The gate after a call that failed as a whole. Pure."""
    match error:
        case Unauthorized():
            return replace(gate, state="paused", because=str(error))
        case Throttled():
            return replace(gate, because=str(error), not_before=now + max(error.retry_after, 1.0))
        case Unavailable() if error.retry_after is not None:
            return replace(gate, because=str(error), not_before=now + error.retry_after, failures=gate.failures + 1)
        case _:
            wait = min(backoff(gate.failures, chance), PROBE_SECONDS)
            return replace(gate, because=str(error), not_before=now + wait, failures=gate.failures + 1)


def _summary(settled: Sequence[tuple[Delivery, Settlement]]) -> str:
    states = [settlement.state for _, settlement in settled]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
