"""A delivery: one link owed to one connection, its states, and what becomes of it after each attempt. Pure.

docs/sending.md shows the states on one page; a test compares it with MOVES.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, get_args

State = Literal["held", "pending", "leased", "unknown", "delivered", "dead", "cancelled"]
STATES: tuple[State, ...] = get_args(State)

BEGINNINGS: tuple[State, ...] = ("pending", "held", "delivered")
"""What a delivery begins as: owed, kept back by a rule, or put there already by the source itself."""


class Event(StrEnum):
    """What happens to a delivery."""

    LEASED = "leased"
    LOOKED_UP = "looked up"
    DELIVERED = "delivered"
    OUTGROWN = "outgrown"
    PUT_OFF = "put off"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    WANTED_MORE = "wanted more"
    WANTED_AGAIN = "wanted again"
    WANTED_SOONER = "wanted sooner"
    LET_GO = "let go"
    GIVEN_UP = "given up"
    RETRIED = "retried"
    TAKEN_BACK = "taken back"


MOVES: Mapping[Event, tuple[tuple[State, ...], State]] = {
    Event.LEASED: (("pending",), "leased"),
    Event.LOOKED_UP: (("unknown",), "leased"),
    Event.DELIVERED: (("leased",), "delivered"),
    Event.OUTGROWN: (("leased",), "pending"),
    Event.PUT_OFF: (("leased",), "pending"),
    Event.REFUSED: (("leased",), "dead"),
    Event.UNCLEAR: (("leased",), "unknown"),
    Event.INTERRUPTED: (("leased",), "pending"),
    Event.LOST: (("leased",), "unknown"),
    Event.WANTED_MORE: (("delivered",), "pending"),
    Event.WANTED_AGAIN: (("delivered", "dead", "cancelled"), "pending"),
    Event.WANTED_SOONER: (("held", "pending"), "pending"),
    Event.LET_GO: (("held",), "pending"),
    Event.GIVEN_UP: (("held",), "cancelled"),
    Event.RETRIED: (("dead", "unknown"), "pending"),
    Event.TAKEN_BACK: (("held", "pending", "unknown", "delivered", "dead"), "cancelled"),
}
"""Event -> the states it concerns, and the state it leads to. Whatever else happens leaves a delivery as it is."""


def after(state: State, event: Event) -> State:
    """The state a delivery is in after an event.

    >>> after("pending", Event.LEASED), after("delivered", Event.LEASED)
    ('leased', 'delivered')
    """
    concerned, next_state = MOVES[event]
    return next_state if state in concerned else state


def ran_out(*, harmless: bool) -> Event:
    """What a lease that ran out means: the call may have been applied. `harmless`: doing it again changes nothing."""
    return Event.INTERRUPTED if harmless else Event.LOST


LEASE_SECONDS = 120.0
"""Longer than any single call may take: a destination bounds its own time well below it."""

MOST_ATTEMPTS = 12
"""Attempts a single link gets when the service keeps failing at it alone: about two days."""

_BASE_SECONDS = 2.0
LONGEST_SECONDS = 6 * 3600.0


class Delivery(NamedTuple):
    """The wanted state of one link at one connection, as leased to the sender.

    `added`: the service already has the link, so only `new_tags` and `new_title` are to be sent, never a second add.
    `lease` is the fencing token: a settlement under another lease is refused. `due`: since when.
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
    new_title: str = ""
    due: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """The service has the link in the wanted state.

    `tags`: those it has there, where that was looked up; None: all that were wanted.
    """

    how: Literal["created", "merged", "already"] = "created"
    remote_id: str = ""
    tags: tuple[str, ...] | None = None


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


class Settlement(NamedTuple):
    """What the store writes about one delivery: what happened, when it is due again, and why.

    `tags`: those the service has now, None for all that were wanted.
    """

    event: Event
    because: str
    attempts: int
    due: float = 0.0
    remote_id: str = ""
    tags: tuple[str, ...] | None = None

    @property
    def state(self) -> State:
        return MOVES[self.event][1]


def settlement(attempts: int, outcome: Outcome, *, now: float, chance: float) -> Settlement:
    """`attempts` were made before this one; `chance` in [0, 1) is the jitter."""
    match outcome:
        case Delivered():
            return Settlement(Event.DELIVERED, outcome.how, attempts + 1, 0.0, outcome.remote_id, outcome.tags)
        case Dead(reason):
            return Settlement(Event.REFUSED, reason, attempts + 1)
        case Unknown(reason):
            return Settlement(Event.UNCLEAR, reason, attempts + 1, due=now + backoff(attempts, chance))
        case Retry(reason, after, burns=False):
            return Settlement(Event.PUT_OFF, reason, attempts, due=now + (after or 0.0))
        case Retry(reason, after):
            if attempts + 1 >= MOST_ATTEMPTS:
                return Settlement(Event.REFUSED, f"given up after {attempts + 1} attempts: {reason}", attempts + 1)
            wait = backoff(attempts, chance) if after is None else after
            return Settlement(Event.PUT_OFF, reason, attempts + 1, due=now + wait)


def backoff(failures: int, chance: float, longest: float = LONGEST_SECONDS) -> float:
    """Seconds to wait after `failures` failures in a row: full jitter, doubling, at most six hours.

    >>> backoff(0, 0.5), backoff(3, 0.5), backoff(100, 0.5)
    (1.0, 8.0, 10800.0)
    """
    return chance * min(longest, _BASE_SECONDS * 2.0 ** min(failures, 30))
