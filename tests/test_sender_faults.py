"""The sender while the store fails once, a step is cancelled, or an answer is odd: whatever was answered is written down,
whatever was not sent goes back, and a limit is not forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from bridge.delivery import Dead, Delivered, Delivery, Outcome, Settlement
from bridge.errors import Refused, StoreError, Throttled, TooLarge, Unavailable
from bridge.link import Sighting
from bridge.ports import Arrival, Call, Key, Read, Terms, Traits
from bridge.rules import Decision
from bridge.store.core import Store
from tests.conftest import Clock
from tests.test_sender import URLS, Numbered, numbered, states, want


class Faulty(Store):
    """Raises at the calls of these numbers, of these methods."""

    def __init__(self, store: Store, clock: Clock, **bad: Sequence[int]) -> None:
        super().__init__(store._database, clock)
        self._bad, self._made, self.fired = bad, Counter[str](), False

    def _fail(self, method: str) -> None:
        self._made[method] += 1
        if self._made[method] in self._bad.get(method, ()):
            self.fired = True
            raise StoreError("the disk has a hiccup")

    async def settle(self, settled: Sequence[tuple[Delivery, Settlement]], *, call: Call | None = None) -> int:
        self._fail("settle")
        return await super().settle(settled, call=call)

    async def lease(self, terms: Terms) -> Sequence[Delivery]:
        self._fail("lease")
        return await super().lease(terms)

    async def lease_ahead(self, terms: Terms, calls: int) -> Sequence[Sequence[Delivery]]:
        self._fail("lease_ahead")
        return await super().lease_ahead(terms, calls)

    async def put_back(self, deliveries: Sequence[Delivery]) -> None:
        self._fail("put_back")
        await super().put_back(deliveries)


async def leased(store: Store) -> set[str]:
    def read(tx: Any) -> set[str]:
        return {url for (url,) in tx.execute("SELECT url FROM delivery WHERE state = 'leased'").fetchall()}

    return await store._database.read(read)


FAULTS = [
    *({"settle": [number]} for number in range(1, 4)),
    *({"lease_ahead": [number]} for number in range(1, 4)),
    {"lease": [2]},
]


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_what_was_never_sent_is_not_leased_when_the_store_has_failed_once(
    store: Store, clock: Clock, fault: dict[str, list[int]], idempotent: bool
) -> None:
    await want(store, *URLS)
    failing = Faulty(store, clock, **fault)
    there = Numbered({})
    there.traits = Traits(batch=5, add_is_idempotent=idempotent)
    if not idempotent and "lease_ahead" in fault:
        pytest.skip("nothing is leased ahead there")
    for _ in range(3):
        with contextlib.suppress(StoreError):
            await numbered(failing, there, clock).step()
    assert failing.fired
    sent = {url for call in there.calls for url in call}
    assert await leased(store) <= sent
    clock.move(200)
    await numbered(store, there, clock).step()
    assert "pending" not in await states(store)


@pytest.mark.parametrize("fault", [{"put_back": [1]}, {"lease_ahead": [2]}, {"lease_ahead": [3]}, {}], ids=str)
async def test_a_limit_within_a_run_is_not_forgotten_when_the_store_fails_once(
    store: Store, clock: Clock, fault: dict[str, list[int]]
) -> None:
    await want(store, *URLS)
    there = Numbered({6: Throttled("too many", retry_after=600)})
    failing = Faulty(store, clock, **fault)
    line = numbered(failing, there, clock)
    try:
        await line.step()
    except StoreError:
        assert failing.fired
    assert (await store.gate("there")).not_before == clock() + 600
    assert await line.step() == 0
    assert len(there.calls) == 6


async def test_what_was_answered_before_a_cancellation_is_written_down_and_the_rest_goes_back(
    store: Store, clock: Clock
) -> None:
    await want(store, *URLS)
    hangs = asyncio.Event()

    class Hanging(Numbered):
        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            if len(self.calls) == 8:
                hangs.set()
                await asyncio.Event().wait()
            return await super().send(batch)

    step = asyncio.ensure_future(numbered(store, Hanging({}), clock).step())
    await hangs.wait()
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert await states(store) == {"delivered": 40, "leased": 5, "pending": 55}
    assert await leased(store) == set(URLS[40:45])


@pytest.mark.parametrize("outcome", [Dead("bad \ud83d"), Delivered("created", "\ud83d")], ids=["reason", "id"])
async def test_half_a_character_in_an_answer_holds_nothing_up(store: Store, clock: Clock, outcome: Outcome) -> None:
    await want(store, *URLS)

    class Odd(Numbered):
        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            usual = await super().send(batch)
            return [outcome if one.url == URLS[33] else answer for one, answer in zip(batch, usual, strict=True)]

    await numbered(store, there := Odd({}), clock).step()
    assert not {"pending", "leased"} & (await states(store)).keys()
    assert set(Counter(url for call in there.calls for url in call).values()) == {1}


async def test_no_outcomes_at_all_are_a_refusal_and_block_nothing(store: Store, clock: Clock) -> None:
    await want(store, *URLS[:10])

    class Silent(Numbered):
        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            await super().send(batch)
            return None  # type: ignore[return-value]

    await numbered(store, Silent({}), clock).step()
    assert await states(store) == {"pending": 10}
    assert "refuses everything" in (await store.gate("there")).because


async def test_a_probe_that_needs_no_call_opens_nothing(store: Store, clock: Clock) -> None:
    there = Numbered({})
    there.traits = Traits(batch=5, add_is_idempotent=True)
    line = numbered(store, there, clock)
    await want(store, URLS[0])
    await line.step()
    await want(store, URLS[0], tags=["x"])  # which the service does not take
    gate = await store.gate("there")
    await store.set_gate(type(gate)("there", because="503", failures=7, not_before=clock() - 1))
    await want(store, *URLS[10:20])
    await line.step()
    assert [len(call) for call in there.calls] == [1, 1, 5, 4]


async def test_an_older_outcome_does_not_open_a_gate_that_a_failure_shut(store: Store, clock: Clock) -> None:
    await want(store, *URLS)
    there = Numbered({3: Throttled("too many", retry_after=600)}, takes=0.06)
    await numbered(store, there, clock).step()
    assert (await store.gate("there")).not_before == clock() + 600


async def test_what_is_put_back_keeps_its_place_whatever_day_its_file_gives_it(store: Store, clock: Clock) -> None:
    await store.put([Arrival(source="file", key=Key("t", url), raw=url) for url in URLS])
    reads = []
    for number, arrival in enumerate(await store.due(1000)):
        sighting = Sighting.of(arrival.raw, source="file", at=1_500_000_000.0 - number)  # newest first
        reads.append(Read(arrival, "read", "", [(sighting, Decision(title="", tags=(), to=("there",)))]))
    await store.take(reads, "none")
    clock.move(60)
    there = Numbered({3: Unavailable("gone", retry_after=1)})
    line = numbered(store, there, clock)
    await line.step()
    clock.move(100)
    while await line.step():
        continue
    sent = [url for number, call in enumerate(there.calls, 1) if number != 3 for url in call]
    assert [url for url in sent if url not in URLS[10:15]] == [*URLS[:10], *URLS[15:]]


async def test_bad_links_in_every_batch_do_not_make_the_rest_go_back_and_forth(store: Store, clock: Clock) -> None:
    await want(store, *URLS)
    back = list[int]()

    class Watched(Store):
        async def put_back(self, deliveries: Sequence[Delivery]) -> None:
            back.append(len(deliveries))
            await super().put_back(deliveries)

    class Picky(Numbered):
        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            usual = await super().send(batch)
            if any(one.url in URLS[::5] for one in batch):
                raise Refused("400: one of these is wrong")
            return usual

    line = numbered(Watched(store._database, clock), Picky({}), clock)
    while await line.step():
        continue
    assert await states(store) == {"delivered": 80, "dead": 20}
    assert sum(back) <= 20


async def test_batches_that_have_become_too_large_are_not_sent_as_they_were_leased(store: Store, clock: Clock) -> None:
    await want(store, *URLS)

    class Small(Numbered):
        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            usual = await super().send(batch)
            if len(self.calls) > 4 and len(batch) > 3:
                raise TooLarge("413")
            return usual

    line = numbered(store, there := Small({}), clock)
    while await line.step():
        continue
    assert await states(store) == {"delivered": 100}
    assert sum(len(call) > 3 for call in there.calls[4:]) < 10  # it grows by one, is told so, and shrinks again


async def test_a_limit_that_was_met_once_is_over_when_its_time_is(store: Store, clock: Clock) -> None:
    await want(store, *URLS)
    there = Numbered({1: Throttled("too many", retry_after=60)})
    there.traits = Traits(batch=5, add_is_idempotent=True, scopes=("user:a",))
    await numbered(store, there, clock).step()
    terms = Terms(connection="there", batch=5, idempotent=True, scopes=("user:a",))
    assert await store.lease_ahead(terms, 3) == []
    clock.move(61)
    assert [len(batch) for batch in await store.lease_ahead(terms, 3)] == [5, 5, 5]


async def test_a_limit_that_is_first_named_within_a_run_regulates_the_rest_of_it(store: Store, clock: Clock) -> None:
    await want(store, *URLS, source="feed")

    class Telling(Numbered):
        said: Sequence[dict[str, str]] = ()

        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            outcomes = await super().send(batch)
            if len(self.calls) >= 4:
                left = str(13 - len(self.calls))
                limit = {"x-ratelimit-limit": "13", "x-ratelimit-remaining": left, "x-ratelimit-reset": "600"}
                self.said = [*self.said, limit]
            return outcomes

        def heard(self) -> Sequence[dict[str, str]]:
            said, self.said = self.said, ()
            return said

    there = Telling({})
    there.traits = Traits(batch=5, add_is_idempotent=True, scopes=("user:a",))
    await numbered(store, there, clock).step()
    assert len(there.calls) <= 5  # from here on they are spread over the window
    assert await states(store) == {"delivered": 5 * len(there.calls), "pending": 100 - 5 * len(there.calls)}


async def test_a_last_batch_gathers_behind_full_ones_that_were_sent_by_hand(store: Store, clock: Clock) -> None:
    await want(store, *URLS[:10])
    await want(store, *URLS[10:13], source="feed")
    terms = Terms(connection="there", batch=5, idempotent=True, gather=60.0)
    assert [len(batch) for batch in await store.lease_ahead(terms, 3)] == [5, 5]
