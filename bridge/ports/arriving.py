"""What arrives, who brings it, and the inbox that makes it durable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from bridge.link import Sighting, printable
from bridge.page import Looked
from bridge.rules import Decision

OWNER = "me"
"""The account of a single user."""


FOREVER: None = None


HOUR = 3600.0


DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Key:
    """What makes an arrival known: `value` within `scope`, remembered for `keep` seconds (None: for ever)."""

    scope: str
    value: str
    keep: float | None = FOREVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What came in, raw, before anybody has read it. `raw` is text the source's own `read` understands.

    `channel` says through which feed, hook or chat; `group` joins arrivals that must be read together;
    `due` is when intake may take it. `id` and `received` are given by the inbox.
    """

    source: str
    key: Key
    raw: str
    channel: str = ""
    account: str = OWNER
    group: str = ""
    due: float = 0.0
    id: int = 0
    received: float = 0.0
    waited: bool = False
    """For its pages: an arrival waits once, and is decided with what is known then."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The inbox's answer for one arrival: durable under `id`. Not `new`: its key was known, nothing was added."""

    id: int
    new: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a source has read: `value` is text only the source understands (JSON by custom).

    `beside`: further ones that move with it, whatever their values were.
    """

    scope: str
    value: str
    beside: tuple[Cursor, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """Something a person asks of us instead of giving a link: a bot command, a button.

    `about` names the arrival it is about: its group, `#` and its id, `@` and the reference of what was told about
    it; "" is the last one of the same channel that held a link.
    """

    name: str
    argument: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "argument", printable(self.argument))


@dataclass(frozen=True, slots=True)
class Read:
    """Intake's finding about one arrival, to be committed in one piece.

    `state`: read (has links), empty, command, parked (with `reason`), waits (for `pages`, until `until`).
    `pages`: canonical address -> address of pages that are to be looked at; of an arrival that does not wait, for their
    titles only. `looked`: canonical address -> what was known of the page when this was decided.
    """

    arrival: Arrival
    state: str
    reason: str = ""
    decided: Sequence[tuple[Sighting, Decision]] = ()
    requests: Sequence[Request] = ()
    pages: Mapping[str, str] = field(default_factory=dict)
    until: float = 0.0
    looked: Mapping[str, Looked] = field(default_factory=dict)


class Inbox(Protocol):
    async def put(
        self,
        arrivals: Sequence[Arrival],
        *,
        seen: Sequence[Key] = (),
        cursor: Cursor | None = None,
        expect: str | None = None,
    ) -> Sequence[Receipt]:
        """One atomic unit: the arrivals, keys seen without an arrival, and the cursor with those beside it.

        When it returns, all of it survives a power cut; when it raises StoreError, none of it was written.
        `expect`: the cursor's value this unit was built on; raises Conflict when it is another by now.
        Answers one receipt per arrival, in order.
        """
        ...

    async def known(self, scope: str, values: Sequence[str]) -> AbstractSet[str]:
        """Those of `values` that are still remembered in `scope`."""
        ...

    async def cursor(self, scope: str) -> str | None:
        """The cursor's value, None when there never was one."""
        ...

    async def seen(self, account: str, links: Sequence[str]) -> Mapping[str, int]:
        """How many sightings there are of each of these links, which are given in their canonical form."""
        ...

    async def due(self, limit: int) -> Sequence[Arrival]:
        """Arrivals nobody has read yet, oldest first; of a group that is touched, all its arrivals."""
        ...

    async def take(self, reads: Sequence[Read], rule_set: str) -> None:
        """What intake made of arrivals: sightings, links, deliveries and reports, in one unit; each arrival once."""
        ...

    async def wait_for_arrivals(self) -> None:
        """Returns when an arrival may be due; it may return early."""
        ...


class ManyCursors(Inbox, Protocol):
    """An inbox for a source that reads from many places: a read or a commit costs as much as many."""

    async def cursors(self, scopes: Sequence[str]) -> Mapping[str, str]:
        """The values of those cursors that there are."""
        ...

    async def move(self, moves: Sequence[tuple[Cursor, str | None]]) -> AbstractSet[str]:
        """Each cursor whose value still is what stands beside it is moved, all in one unit, durable as with `put`.
        Answers the scopes of the others."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """What a group of arrivals says: links, and requests. Both empty: there was nothing to save, which is fine.

    `notes`: things that looked like links and were not taken, in words.
    """

    sightings: Sequence[Sighting] = ()
    requests: Sequence[Request] = ()
    notes: Sequence[str] = ()


class Source(Protocol):
    """A plug where links come from. Its module also holds `read(group) -> Reading`: pure, raises InvalidArrival."""

    name: str
    routes: Sequence[BaseRoute]
    """What it answers over HTTP, mounted by the web server; empty for most."""

    async def run(self) -> None:
        """Works until cancelled. What it raises is logged, and it is started again after a while."""
        ...


@runtime_checkable
class Direct(Protocol):
    """A route that knows its requests by method and path. It is asked before others and called with nothing between:
    whatever it raises ends the connection."""

    def takes(self, scope: Scope) -> bool: ...

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None: ...


@runtime_checkable
class Described(Protocol):
    """A source that can say how it is doing."""

    async def condition(self) -> Sequence[str]:
        """For a person, a line each; empty when there is nothing worth saying."""
        ...
