"""The gate of a connection: may it be used as a whole, when, and with how much at once. Pure.

It opens and shuts with what becomes of whole calls; what becomes of a single link is delivery.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge import budget
from bridge.delivery import backoff
from bridge.errors import DestinationError, Throttled, Unauthorized, Unavailable

PROBE_SECONDS = 15 * 60.0
"""A service that is down is tried at least this often."""

SOON = 1.0
"""Seconds: the shortest wait."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A connection as a whole: may it be used, and when. `credential` is a fingerprint, never the secret.

    `batch`: the most links a call holds since one was too large, 0 for as many as the service takes.
    """

    connection: str
    state: str = "active"
    because: str = ""
    not_before: float = 0.0
    failures: int = 0
    credential: str = ""
    batch: int = 0

    def is_open(self, now: float) -> bool:
        return self.state != "paused" and self.not_before <= now

    @property
    def works(self) -> bool:
        """It is neither paused nor failing; it may wait for a limit."""
        return self.state != "paused" and not self.failures


def unchanged(gate: Gate) -> Gate:
    return gate


def opened(gate: Gate) -> Gate:
    """The gate after a call that went through."""
    return replace(gate, failures=0, because="", not_before=0.0) if gate.because else gate


def shrunk(gate: Gate, *, largest: int) -> Gate:
    """The gate after a call of this size was too large; 0: none was."""
    return replace(opened(gate), batch=min(largest, gate.batch or largest)) if largest else opened(gate)


def passed(gate: Gate, *, sent: int, most: int) -> Gate:
    """The gate after a call of `sent` links went through: a batch that was made smaller grows again by a quarter
    whenever a full one passes, up to `most`."""
    gate = opened(gate)
    if not gate.batch or sent < gate.batch:
        return gate
    larger = gate.batch + max(1, gate.batch // 4)
    return replace(gate, batch=larger if larger < most else 0)


def shut(gate: Gate, *, error: DestinationError, wait: float | None, now: float, chance: float, sent: int) -> Gate:
    """The gate after a call of `sent` links failed as a whole; `wait` is what the service asked for."""
    match error:
        case Unauthorized():
            return replace(gate, state="paused", because=str(error))
        case Throttled():
            return replace(gate, because=str(error), not_before=now + (wait or SOON))
    # A call that ran into its deadline may have been too large.
    batch = max(1, min(sent // 2, gate.batch or sent)) if sent > 1 and _was_late(error) else gate.batch
    pause = max(SOON, backoff(gate.failures, chance, PROBE_SECONDS)) if wait is None else wait
    failures = gate.failures + 1
    return replace(gate, because=str(error), not_before=now + pause, failures=failures, batch=batch)


def named_wait(error: DestinationError, heard: Sequence[budget.Heard] = ()) -> float | None:
    """Seconds a service asked to wait, in a header or, at a limit, in words; at a limit always some."""
    if not isinstance(error, Throttled | Unavailable):
        return None
    said = [error.retry_after, *(answer.wait for answer in heard[-1:])]
    limit = isinstance(error, Throttled)
    said += [budget.wait_in(str(error)), budget.UNSAID_WAIT] if limit else []
    named = next((seconds for seconds in said if seconds is not None), None)
    return max(SOON, named) if limit and named is not None else named


def _was_late(error: DestinationError) -> bool:
    return isinstance(error, Unavailable) and error.sent and error.retry_after is None
