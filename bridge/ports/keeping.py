"""The sockets of those who look after it: queues, books, what is wrong, who is told. Plain data and promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from bridge.delivery import State
from bridge.rules import Keep

WAITING: tuple[State, ...] = ("pending", "leased", "held", "unknown")
"""States of a delivery that is not over."""


@dataclass(frozen=True, slots=True)
class Balance:
    """One source on one day (counted from the epoch, UTC): what was counted as it came, and what it is now.

    `became` holds what is there and what was purged; a number under “lost” is of sightings that are wanted nowhere.
    """

    day: int
    source: str
    counted: int
    became: Mapping[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """What was counted and is not accounted for; below zero: rows that nobody counted."""
        return self.counted - sum(number for fate, number in self.became.items() if fate != "lost")


@dataclass(frozen=True, slots=True)
class Audit:
    arrivals: Sequence[Balance]
    sightings: Sequence[Balance]

    @property
    def balances(self) -> bool:
        return not any(balance.missing for balance in (*self.arrivals, *self.sightings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One connection's queue: what waits there, since when the oldest, when the next and the last
    are due, and what went lately.

    `sent` links were delivered in the last `sent_in` seconds: by that it can be said when the rest will be.
    """

    connection: str
    states: Mapping[str, int]
    oldest: float | None = None
    next_due: float | None = None
    last_due: float = 0.0
    sent: int = 0
    sent_in: float = 0.0

    @property
    def open(self) -> int:
        """Links that are not over, with those that were refused."""
        return sum(self.states.get(state, 0) for state in (*WAITING, "dead"))

    def done_at(self, now: float, not_before: float = 0.0) -> float | None:
        """When what is due will have been sent, if it goes on as in the last hour; None when that cannot be said.

        Nothing is said while links wait for a time of their own or to be let go: the pace says nothing of them.
        """
        left = self.states.get("pending", 0) + self.states.get("leased", 0)
        if not left or not self.sent or self.sent_in <= 0 or self.states.get("held"):
            return None
        begins = max(now, not_before)
        return None if self.last_due > begins else begins + left * self.sent_in / self.sent


class Queues(Protocol):
    """What waits where; what was refused; and what a person decides about it."""

    async def lines(self) -> Sequence[Line]:
        """Every connection with a delivery that is not over, by name, whether or not there is such a destination."""
        ...

    async def waiting(self, connection: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """What waits at a connection (“” is every one), next first: id, connection, state, url, title, due, because,
        attempts, changed."""
        ...

    async def dead(self, connection: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """What was refused for good or is unknown, newest first; as `waiting`."""
        ...

    async def again(self, numbers: Sequence[int]) -> Sequence[str]:
        """Dead or unknown deliveries are due again. Answers the connection of each."""
        ...

    async def give_up(self, *, connection: str = "", numbers: Sequence[int] = (), all_states: bool = False) -> int:
        """What waits at a connection, or the deliveries with these numbers, will not be sent. What is being sent at
        this moment is left alone unless `all_states`: nobody sends to a connection that there is not any more."""
        ...

    async def move(self, connection: str, to: str, *, all_states: bool = False) -> int:
        """What waits at a connection is wanted at another one instead, with its tags. Answers how many links."""
        ...


class Books(Protocol):
    async def audit(self) -> Audit:
        """The books against the rows, on one consistent snapshot; nobody waits for it."""
        ...

    async def purge(self, keep: Keep) -> int:
        """Deletes some of what need not be kept any longer; answers how many rows it dealt with, 0: nothing is left.
        Never what waits. What is deleted is entered in the books with what it was."""
        ...

    async def sample(self) -> Mapping[str, Any]:
        """Counts for measuring: arrivals by source and by state, deliveries by connection and state, attempts by
        connection and outcome since the first sample; the oldest that wait."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the owner is to be told in one way; `since` is when it was decided."""

    id: int
    channel: str
    words: str
    since: float
    failures: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong, in words, by a name that stays the same while it lasts and begins with its kind. `mend`
    is what mends it. It is told when it has lasted for `patience` seconds. `passes`: it may be over by itself."""

    name: str
    words: str
    mend: str
    patience: float = 0.0
    passes: bool = False

    @property
    def kind(self) -> str:
        return self.name.partition(" ")[0]


@runtime_checkable
class Troubled(Protocol):
    """A source that can say what is wrong with it."""

    async def troubles(self) -> Sequence[Trouble]: ...


class Notices(Protocol):
    async def observe(self, troubles: Sequence[Trouble], channels: Sequence[str]) -> int:
        """What is wrong now. What is new is told when its patience is over; what was told and is over is told once
        more. Answers how many notices that made."""
        ...

    async def troubles(self) -> Sequence[Mapping[str, Any]]:
        """What was wrong at the last look: name, words, since, told."""
        ...

    async def due_notices(self, limit: int) -> Sequence[Notice]: ...

    async def told(self, notice: Notice) -> None: ...

    async def tell_later(self, notice: Notice, due_at: float) -> None: ...

    async def wait_for_notices(self) -> None: ...


class Underway(Protocol):
    """Arrivals that are being read: the mark is made before, and goes with what was made of them."""

    async def begin(self, arrivals: Sequence[int]) -> Mapping[int, int]:
        """How many times each was begun, this one included: more than once means that the process ended over it."""
        ...

    async def left(self) -> Mapping[int, int]:
        """What is marked now, and how many times it was begun. At a start: what a process that has ended was at."""
        ...
