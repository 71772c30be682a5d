"""What is known of links that came in, for whoever asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Protocol

from bridge.gate import Gate
from bridge.link import Sighting
from bridge.page import Looked
from bridge.ports.telling import Report
from bridge.rules import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Passport:
    """One link's whole way. Every part is plain data, oldest first.

    `refused`: arrivals that name the link and could not be read; `marked`: feeds that knew it without saving it.
    `item`: what the own list holds of it now, whether or not it came through here: `time_added`, `archived`.
    `page`: what a look at its page brought; `others`: further addresses that lead to this link.
    """

    canonical: str
    since: float | None = None
    sightings: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    marked: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    item: dict[str, Any] | None = None
    page: dict[str, Any] | None = None
    others: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A sighting as it was taken in, with what was decided then. `before` counts earlier sightings of the link."""

    id: int
    account: str
    link: int
    received: float
    sighting: Sighting
    matched: Sequence[str]
    state: str
    reason: str
    before: int
    looked: Looked | None = None
    """What was known of its page; None where nobody looked."""


class Archive(Protocol):
    """What came in, as it was taken in; and what rules keep back."""

    async def sightings(self, since: float, below: int | None, limit: int, *, state: str = "") -> Sequence[Seen]:
        """Newest first: those with an id below `below`, not older than `since`, in this state."""
        ...

    async def sighting(self, number: int) -> Seen | None: ...

    async def decide_anew(self, decided: Sequence[tuple[Seen, Decision]], *, really: bool = True) -> AbstractSet[int]:
        """The decisions' connections and tags are wanted now, in one unit; what is sent is never taken back.
        Answers for which links that changes something; not `really`: it would, and nothing is changed."""
        ...

    async def rescue(self, seen: Seen, decision: Decision) -> bool:
        """A dropped sighting is kept after all; False when it was not dropped (any more)."""
        ...

    async def held(self) -> Sequence[Mapping[str, Any]]:
        """Deliveries that rules hold, oldest first: id, connection, url, title, because, changed."""
        ...

    async def release(self, numbers: Sequence[int], *, send: bool) -> int:
        """Held deliveries are sent, or given up. Answers how many."""
        ...


class Ledger(Protocol):
    """What people ask: what is known about a link, and how things stand."""

    async def passport(self, account: str, canonical: str, given: str) -> Passport:
        """`given` is the address as the person typed it: so may arrivals spell it that nobody could read."""
        ...

    async def counts(self, account: str = "") -> dict[str, Any]:
        """arrivals: state -> number; sightings: state -> number; deliveries: connection -> state -> number.

        `account`: what is theirs alone; "": everybody's.
        """
        ...

    async def budgets(self) -> Sequence[Mapping[str, Any]]:
        """What is left of each limit that is known: scope, limit, left, resets, and blocked (0.0: it is not)."""
        ...

    async def rule_set(self, hash_: str) -> str | None:
        """The text of a rule file that was in use, under its hash."""
        ...

    async def report(self, arrival: int, reference: str) -> Report | None: ...

    async def gate(self, connection: str) -> Gate: ...

    async def set_gate(self, gate: Gate) -> None: ...

    async def retry(self, connection: str) -> int:
        """Everything dead at a connection is due again; answers how many."""
        ...
