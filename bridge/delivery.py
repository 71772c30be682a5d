"""A delivery: one link owed to one connection, and what becomes of it after each attempt. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["held", "pending", "leased", "unknown", "delivered", "dead", "cancelled"]

LEASE_SECONDS = 120.0
"""Longer than any single call may take: a destination bounds its own time well below it."""

MOST_ATTEMPTS = 12
"""Attempts a single link gets when the service keeps failing at it alone: about two days."""

_BASE_SECONDS = 2.0
_LONGEST_SECONDS = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The wanted state of one link at one connection, as leased to the sender.

    `added`: the service already has the link, so only `new_tags` are to be sent, never a second add.
    `lease` is the fencing token: a settlement under another lease is refused.
    """

    id: int
    url: str
    title: str
    tags: tuple[str, ...]
    new_tags: tuple[str, ...]
    added: bool
    at: float
    attempts: int
    lease: str
    remote_id: str = ""
    account: str = "me"


@dataclass(frozen=True, slots=True)
class Delivered:
    """The service has the link in the wanted state."""

    how: Literal["created", "merged", "already"] = "created"
    remote_id: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """This link failed now and may pass later; `after` is in seconds when the service named a time."""

    reason: str
    after: float | None = None
    burns: bool = True  # False: the whole service was away, the link is not to blame


@dataclass(frozen=True, slots=True)
class Dead:
    """This link will never be taken."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The call may or may not have been applied, and repeating it there could make a double."""

    reason: str


Outcome = Delivered | Retry | Dead | Unknown


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the store writes about one delivery: its next state, when it is due again, and why."""

    state: State
    because: str
    attempts: int
    due: float = 0.0
    remote_id: str = ""


def settlement(attempts: int, outcome: Outcome, *, now: float, chance: float) -> Settlement:
    """`attempts` were made before this one; `chance` in [0, 1) is the jitter."""
    match outcome:
        case Delivered(how, remote_id):
            return Settlement("delivered", how, attempts + 1, remote_id=remote_id)
        case Dead(reason):
            return Settlement("dead", reason, attempts + 1)
        case Unknown(reason):
            return Settlement("unknown", reason, attempts + 1)
        case Retry(reason, after, burns=False):
            return Settlement("pending", reason, attempts, due=now + (after or 0.0))
        case Retry(reason, after):
            if attempts + 1 >= MOST_ATTEMPTS:
                return Settlement("dead", f"given up after {attempts + 1} attempts: {reason}", attempts + 1)
            wait = backoff(attempts, chance) if after is None else after
            return Settlement("pending", reason, attempts + 1, due=now + wait)


def backoff(failures: int, chance: float) -> float:
    """Seconds to wait after `failures` failures in a row: full jitter, doubling, at most six hours.

    >>> backoff(0, 0.5), backoff(3, 0.5), backoff(100, 0.5)
    (1.0, 8.0, 10800.0)
    """
    return chance * min(_LONGEST_SECONDS, _BASE_SECONDS * 2.0 ** min(failures, 30))
