"""Destinations, and the outbox that they are fed from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bridge.budget import Heard
from bridge.delivery import Delivery, Outcome, Settlement
from bridge.gate import Gate


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
    """What calls of a connection brought beside outcomes: what was heard about limits, and how the gate changes (a pure
    function). `until`: at a limit, no call before; `took`: seconds, of the last of them."""

    terms: Terms
    heard: Sequence[Heard] = ()
    until: float = 0.0
    took: float = 0.0
    gate: Callable[[Gate], Gate] = lambda gate: gate


class Outbox(Protocol):
    async def lease(self, terms: Terms) -> Sequence[Delivery]:
        """Due deliveries, what was sent by hand first, then the oldest, leased to the caller for LEASE_SECONDS.

        None while the gate is closed, while the batch still gathers, or while it is not the connection's turn to call;
        with deliveries, one call is spent from its budgets. A single one when the service failed last.
        A lease that ran out is due again if an add is idempotent there, and unknown if not.
        """
        ...

    async def lease_ahead(self, terms: Terms, calls: int) -> Sequence[Sequence[Delivery]]:
        """The batches of the next `calls` at most, while another is still out, leased likewise. None where a limit is
        known, where the service failed last, or where a call was too large: there each call is thought of anew."""
        ...

    async def put_back(self, deliveries: Sequence[Delivery]) -> None:
        """What was leased and not sent is due as it was, in its old place; no attempt was made."""
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
