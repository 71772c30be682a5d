"""The sockets of the house: what a source, a destination and a store promise each other. Docstrings are the semantics.

A time is a float: seconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from bridge.budget import Heard
from bridge.delivery import Delivery, Outcome, Settlement
from bridge.link import Sighting, printable
from bridge.page import Looked, Page
from bridge.reading_list import Action, Query, Result, Status
from bridge.reading_list import Page as ListPage
from bridge.record import Record
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
class WantedPage:
    """A page that is to be looked at. `tries` failed since `began` (0.0: none). `titled`: somebody lacks its title,
    and may get it late."""

    address: str
    url: str
    host: str
    tries: int
    began: float
    titled: bool


class KnownPages(Protocol):
    async def looked(self, addresses: Sequence[str], *, finally_: bool) -> Mapping[str, Looked]:
        """What is known of the pages of these links, which are given in their canonical form; those that are to be
        looked at first are left out. `finally_`: nobody waits any longer, none is left out."""
        ...


class Lookups(Protocol):
    """Pages that are to be looked at, and what was found."""

    async def next_page(self, busy: AbstractSet[str]) -> WantedPage | None:
        """The one that is due first and lies on none of these hosts."""
        ...

    async def page_read(self, address: str, page: Page, *, retitling: AbstractSet[str]) -> None:
        """In one unit: the facts are kept, whoever waits for nothing else is read again, links that lack a title get
        it, and the page's own address becomes another name of its link. `retitling`: where a title may change."""
        ...

    async def page_unread(self, page: WantedPage, reason: str, *, again: float | None, waited_for: bool) -> None:
        """A look failed; the next one is due at `again`. Not `waited_for`: whoever waits goes on without it."""
        ...

    async def wait_for_pages(self) -> None:
        """Returns when a page may be due; it may return early."""
        ...


class Pages(Protocol):
    """Where pages are read."""

    async def read(self, url: str) -> Page:
        """What the page says. Raises PageError, with the reason in words. Bounded in time and bytes."""
        ...

    async def rest(self) -> None:
        """Nothing to read for a while: lets go of what is kept for it."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """What a group of arrivals says: links, and requests. Both empty: there was nothing to save, which is fine.

    `notes`: things that looked like links and were not taken, in words.
    """

    sightings: Sequence[Sighting] = ()
    requests: Sequence[Request] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one sighting, for the person who sent it.

    `state`: kept (new here), duplicate (known; `tags` are those it added), dropped.
    `deliveries`: connection -> (state, because); `since`: when the link was first seen.
    """

    url: str
    title: str
    tags: Sequence[str]
    state: str
    reason: str
    since: float
    deliveries: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A request as it waits to be carried out. `about` is the arrival it is about, 0 when there is none such."""

    id: int
    arrival: int
    account: str
    about: int
    name: str
    argument: str
    failures: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that was carried out; `answer` is the desk's, plain data, or `{"error": "a sentence"}`."""

    name: str
    argument: str
    about: int
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a source may tell its person about one arrival, read at the moment of telling.

    `reference` is what the last `report()` for this arrival returned (a message to edit), or "".
    `settled`: nothing more will change by itself. `answers`: to the requests it held.
    """

    arrival: Arrival
    state: str
    reason: str
    verdicts: Sequence[Verdict]
    settled: bool
    reference: str = ""
    answers: Sequence[Answered] = ()


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


@runtime_checkable
class Reporter(Protocol):
    """A source that can talk back."""

    async def report(self, report: Report) -> str:
        """Tell the person; answers a reference for the next report of the same arrival. Raises SourceError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What the sender must know of a service. `batch`: most deliveries a call takes.

    `add_is_idempotent`: sending an add twice has the effect of one, so a lost answer needs no look-up.
    `scopes`: whom the service's limits hold for, the narrowest first: "user:…", "key:…", "service:…", the same text
    wherever it is the same user or key, and no secret. None: no limit is known or obeyed in advance.
    """

    batch: int = 1
    add_is_idempotent: bool = False
    can_update_tags: bool = False
    scopes: tuple[str, ...] = ()
    can_update_title: bool = False


class Destination(Protocol):
    name: str
    traits: Traits

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        """One outcome each, in order. Raises DestinationError when the whole call failed. Bounded in time."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Found:
    """A link as a service has it. `tags`: None where it does not say."""

    remote_id: str = ""
    tags: tuple[str, ...] | None = None


@runtime_checkable
class Finder(Protocol):
    """A destination that can look up links; one that makes doubles should."""

    async def find(self, urls: Sequence[str]) -> Mapping[str, Found]:
        """Those of the addresses that are there, as given. At most `traits.batch` are asked for. Raises as `send`."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A destination that hands on what its service says about limits."""

    def heard(self) -> Sequence[Mapping[str, str]]:
        """The headers of the answers since this was last asked, in order."""
        ...


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a connection is used: its traits, whether its unknown deliveries are looked up (`finds`), and how many
    seconds a link may wait for others to leave with it (`gather`)."""

    connection: str
    batch: int = 1
    idempotent: bool = False
    scopes: tuple[str, ...] = ()
    finds: bool = False
    gather: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What calls of a connection brought beside outcomes: their number, what was heard about limits, and how the
    gate changes (a pure function). `until`: at a limit, no call before; `took`: seconds."""

    terms: Terms
    number: int = 1
    heard: Sequence[Heard] = ()
    until: float = 0.0
    took: float = 0.0
    gate: Callable[[Gate], Gate] = lambda gate: gate


class Outbox(Protocol):
    async def lease(self, terms: Terms, *, ahead: bool = False) -> Sequence[Delivery]:
        """Due deliveries, what was sent by hand first, then the oldest, leased to the caller for LEASE_SECONDS.

        None while the gate is closed, while the batch still gathers, or while it is not the connection's turn to call;
        with deliveries, one call is spent from its budgets. A single one when the service failed last.
        A lease that ran out is due again if an add is idempotent there, and unknown if not.
        `ahead`: a call is still out; none where a limit is known or the service failed.
        """
        ...

    async def lease_unknown(self, terms: Terms) -> Sequence[Delivery]:
        """Unknown deliveries whose time to be looked up has come, leased likewise; one call is spent."""
        ...

    async def settle(self, settled: Sequence[tuple[Delivery, Settlement]], *, call: Call | None = None) -> int:
        """Writes the outcomes, one attempt each, and what the call changed, in one unit. Answers how many leases still
        held: a delivery whose lease was lost keeps what its new holder makes of it."""
        ...

    async def may_call(self, terms: Terms) -> bool:
        """One more call at once, spent from the budgets; False when nothing is left of them."""
        ...

    async def gate(self, connection: str) -> Gate: ...

    async def wait_for_deliveries(self, terms: Terms) -> None:
        """Returns when something of this connection may be sent; it may return early."""
        ...


class Reports(Protocol):
    """Who waits to be told about which arrival."""

    async def due_reports(self, limit: int) -> Sequence[tuple[int, float, int, str]]:
        """(arrival, due, failures, reference) of those whose time has come."""
        ...

    async def report(self, arrival: int, reference: str) -> Report | None:
        """What may be told now; None when the arrival is gone."""
        ...

    async def told(self, arrival: int, reference: str, *, due_was: float, settled: bool) -> None:
        """Told. What changed since `due_was` was read is told again."""
        ...

    async def tell_later(self, arrival: int, due_at: float, *, failed: bool = True) -> None:
        """Not `failed`: it was only put off."""
        ...

    async def drop_report(self, arrival: int) -> None: ...

    async def wait_for_reports(self) -> None: ...


class Errands(Protocol):
    """Requests that wait to be carried out, and what they do."""

    async def due_errands(self, limit: int) -> Sequence[Errand]:
        """Those whose time has come, in the order they were made."""
        ...

    async def answer(self, errand: Errand, answer: Mapping[str, Any]) -> None:
        """Carried out; whoever asked, and whoever watches what it is about, is told."""
        ...

    async def put_off(self, errand: Errand, due_at: float) -> None: ...

    async def wait_for_errands(self) -> None: ...

    async def links_of(self, arrival: int) -> Sequence[str]:
        """The canonical addresses an arrival named, dropped ones too."""
        ...

    # What follows changes links: the change and its answer are one unit, and an errand that has its answer already
    # changes nothing and answers the same.

    async def take_back(self, errand: Errand, *, patient: bool) -> Mapping[str, Any] | None:
        """What the arrival was the first to save is cancelled where it was not sent and deleted from the embedded
        list. `links`: for each what is `back`, what `stays` where, and what is `busy` now. When something is, and
        the clerk is `patient`, there is no answer yet: None, and the errand is to be put off."""
        ...

    async def tag(self, errand: Errand, tags: Sequence[str]) -> Mapping[str, Any]:
        """The tags are added to the arrival's links, everywhere they are wanted. `added`: those that were new."""
        ...

    async def want_also(self, errand: Errand, connection: str) -> Mapping[str, Any]:
        """The arrival's links are wanted at one more connection. `links`: how many that are."""
        ...

    async def show_again(self, errand: Errand) -> Mapping[str, Any]:
        """What was told about the arrival is told once more, as it was."""
        ...

    async def last(self, account: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """The newest links of an account, newest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A feed that an account follows by its own word; `name` is unique among the account's, and so is `url`.

    `options` is text only the source understands (JSON by custom); `since` is given by the store.
    """

    account: str
    url: str
    name: str
    options: str
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """What came through a feed and waits for a later day: how many arrivals, and when the first and the last is due."""

    account: str
    name: str
    number: int
    first: float
    last: float


class Subscriptions(Protocol):
    """The feeds that accounts follow beside those of the rule file."""

    async def subscriptions(self) -> Sequence[Subscription]:
        """Everybody's, in the order they were made."""
        ...

    async def subscribe(self, new: Sequence[Subscription]) -> None:
        """All of them or none. Raises Conflict when an account has an address or a name already."""
        ...

    async def resubscribe(self, changed: Subscription) -> None:
        """Another name or other options for an address that the account follows. Raises Conflict when it does not, or
        when another of its feeds has the name."""
        ...

    async def unsubscribe(self, account: str, url: str) -> int | None:
        """What waits of it for later is given up. Answers how many arrivals that were, None for no such feed."""
        ...

    async def backlogs(self) -> Sequence[Backlog]: ...

    async def hurry(self, account: str, name: str) -> int:
        """What waits of a feed is due now. Answers how many arrivals that are."""
        ...


class ReadingList(Protocol):
    async def apply(
        self, account: str, actions: Sequence[Action], *, arrivals: Sequence[Arrival] = ()
    ) -> Sequence[Result]:
        """The actions in order, each on its own (one that fails changes nothing), and the arrivals: one unit."""
        ...

    async def find(self, account: str, query: Query) -> ListPage: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What some records changed on a list: items that are new, and items that were there and got tags too."""

    added: int = 0
    tagged: int = 0
    known: int = 0


class Shelf(Protocol):
    """The list as files bring it and take it away, some records at a time."""

    async def keep(self, account: str, records: Sequence[Record]) -> Kept:
        """Puts them on the list as they are, in one unit. An item that is there keeps what it has and gets the tags
        and highlights too; one that was deleted begins anew. No rule is asked, nothing is sent."""
        ...

    async def send(self, account: str, connection: str, records: Sequence[Record], channel: str) -> None:
        """The records are wanted at a connection, as bulk; `channel` is the file's name. Twice changes nothing."""
        ...

    async def records(
        self, account: str, *, after: int, limit: int, status: Status | None = None
    ) -> Sequence[tuple[int, Record]]:
        """What is on the list, by id, from the first one greater than `after`. Deleted items are not on it."""
        ...


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

    async def decide_anew(self, decided: Sequence[tuple[Seen, Decision]]) -> int:
        """The decisions' connections and tags are wanted now, in one unit; what is sent is never taken back.
        Answers for how many that changed something."""
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
