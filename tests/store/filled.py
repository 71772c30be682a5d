"""Links in a store as intake puts them there, with whatever became of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from bridge.delivery import Delivered, Outcome, settlement
from bridge.link import Sighting
from bridge.ports import OWNER, Arrival, Key, Read, Terms
from bridge.rules import Decision
from bridge.store.core import Store
from tests.conftest import Clock

_KEYS = itertools.count()


async def take(
    store: Store, *urls: str, source: str = "cli", state: str = "read", account: str = OWNER, **decision: object
) -> None:
    """One arrival for each address, taken in with this decision; without links when it was not read."""
    arrivals = [
        Arrival(source=source, key=Key("filled", str(next(_KEYS))), raw=url, channel="c", account=account)
        for url in urls
    ]
    receipts = await store.put(arrivals)
    due = {arrival.id: arrival for arrival in await store.due(10_000)}
    reads = [_read(due[receipt.id], state, decision) for receipt in receipts]
    await store.take(reads, "none")


def _read(arrival: Arrival, state: str, decision: dict[str, object]) -> Read:
    if state != "read":
        return Read(arrival, state, "because")
    sighting = Sighting.of(arrival.raw, source=arrival.source, at=arrival.received)
    chosen = Decision(**{"title": "a title", "tags": (), "to": ("there",), **decision})  # type: ignore[arg-type]
    return Read(arrival, "read", "", [(sighting, chosen)])


async def send(store: Store, clock: Clock, *outcomes: Outcome, connection: str = "there", limit: int = 100) -> int:
    """Leases what is due and settles it: the outcomes in turn, then delivered. Answers how many that were."""
    terms = Terms(connection=connection, batch=limit, idempotent=True)
    leased = await store.lease(terms)
    settled = [
        (delivery, settlement(delivery.attempts, outcome, now=clock(), chance=0.5))
        for delivery, outcome in zip(leased, itertools.chain(outcomes, itertools.repeat(Delivered())), strict=False)
    ]
    await store.settle(settled)
    return len(leased)


async def states(store: Store) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = (await store.counts())["deliveries"]
    return found


def urls(number: int, host: str = "a.example") -> Sequence[str]:
    return [f"https://{host}/{n}" for n in range(number)]
