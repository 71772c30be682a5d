"""Services that are down for days, refuse, choke on a link, or are simply slow: in virtual time."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from bridge.delivery import Delivery, Outcome, backoff
from bridge.errors import Refused, TooLarge, Unauthorized, Unavailable
from bridge.gate import PROBE_SECONDS
from bridge.ports import Gate
from bridge.sender import Sender
from bridge.store.core import Store
from tests.conftest import Clock
from tests.test_sender import Scripted, delivered, passport, states, want

HOURS = 72


class Down(Scripted):
    """Away until a time; `sent`: the calls leave and their answers are lost."""

    def __init__(self, clock: Clock, *, hours: float, batch: int = 100) -> None:
        super().__init__(batch=batch)
        self.clock, self.back = clock, clock() + hours * 3600
        self.at: list[float] = []

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        self.calls.append([delivery.url for delivery in batch])
        self.at.append(self.clock())
        if self.clock() < self.back:
            raise Unavailable("connection refused")
        return delivered(batch)


async def until_done(sender: Sender, store: Store, clock: Clock) -> None:
    """Steps whenever the store says that it is time, and never in between."""
    while True:
        await sender.step()
        due = await store.next_due(sender.terms)
        if due is None:
            return
        clock.now = max(clock.now, due)


def scheduled(hours: float, chance: random.Random) -> int:
    """How many calls the written schedule makes in an outage: full jitter up to a probe every quarter of an hour."""
    passed, failures = 0.0, 0
    while passed < hours * 3600:
        passed += max(1.0, backoff(failures, chance.random(), PROBE_SECONDS))
        failures += 1
    return failures


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_72_hours_of_outage_end_with_everything_delivered_and_no_more_calls_than_scheduled(
    store: Store, clock: Clock, seed: int
) -> None:
    await want(store, *(f"https://example.com/{number}" for number in range(500)))
    there, chance = Down(clock, hours=HOURS), random.Random(seed)
    await until_done(Sender(store, there, clock=clock, chance=chance.random), store, clock)
    during = [at for at in there.at if at < there.back]
    usual = sum(scheduled(HOURS, random.Random(number)) for number in range(50)) / 50
    print(f"seed {seed}: {len(during)} calls in 72 h, schedule {usual:.0f}")
    assert len(during) > 100, "the outage did not happen"
    assert len(during) <= 1.1 * usual
    assert await states(store) == {"delivered": 500}
    assert there.at[-1] - there.back <= PROBE_SECONDS
    assert all(len(call) == 1 for call in there.calls[1 : len(during)]), (
        "a service that is down is probed with one link"
    )


async def test_a_service_that_is_down_costs_the_others_nothing(store: Store, clock: Clock) -> None:
    down, up = Down(clock, hours=HOURS), Scripted()
    up.name = "elsewhere"
    lines = [Sender(store, there, clock=clock, chance=lambda: 0.5) for there in (down, up)]
    for number in range(24):
        await want(store, f"https://example.com/{number}", to=("there", "elsewhere"))
        for line in lines:
            await line.step()
        assert len(up.calls) == number + 1, "it left within its own step"
        clock.move(3600)
    assert len(down.calls) > 1
    assert await store.gate("elsewhere") == Gate("elsewhere")
    assert (await store.counts())["deliveries"] == {"there": {"pending": 24}, "elsewhere": {"delivered": 24}}


async def test_a_pause_survives_a_restart_and_keeps_the_links(store: Store, clock: Clock) -> None:
    await want(store, "https://a.example/")
    await Sender(store, Scripted(Unauthorized("401")), clock=clock, chance=lambda: 0.5).step()
    again = Sender(store, Scripted(), clock=clock, chance=lambda: 0.5)
    clock.move(100 * 86_400)
    assert await again.step() == 0
    assert await store.next_due(again.terms) is None
    assert await states(store) == {"pending": 1}


# -- batches -----------------------------------------------------------------------------------------------------------


class Narrow(Scripted):
    """Takes so many at once, and says 413 or nothing at all to more."""

    def __init__(self, most: int, *, late: bool, batch: int = 100) -> None:
        super().__init__(batch=batch)
        self.most, self.late = most, late

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        self.calls.append([delivery.url for delivery in batch])
        if len(batch) > self.most:
            raise Unavailable("no answer within 30 seconds", sent=True) if self.late else TooLarge("413")
        return delivered(batch)

    @property
    def sizes(self) -> list[int]:
        return [len(call) for call in self.calls]


@pytest.mark.parametrize("late", [False, True])
async def test_a_batch_that_is_too_large_gets_smaller_is_remembered_and_grows_again(
    store: Store, clock: Clock, late: bool
) -> None:
    await want(store, *(f"https://example.com/{number}" for number in range(300)))
    there = Narrow(30, late=late)
    sender = Sender(store, there, clock=clock, chance=lambda: 0.5)
    await until_done(sender, store, clock)
    assert await states(store) == {"delivered": 300}
    assert max(there.sizes) == 100
    assert sum(size > 30 for size in there.sizes) <= len(there.sizes) / 2
    remembered = (await store.gate("there")).batch
    assert 0 < remembered < 60
    there.most = 100
    await want(store, *(f"https://example.org/{number}" for number in range(900)))
    await until_done(sender, store, clock)
    assert max(there.sizes[-3:]) == 100
    assert (await store.gate("there")).batch == 0


@pytest.mark.parametrize("bad", [0, 1, 37, 50, 63, 98, 99])
async def test_one_bad_link_of_a_hundred_dies_alone_in_at_most_15_requests(
    store: Store, clock: Clock, bad: int
) -> None:
    urls = [f"https://example.com/{number}" for number in range(100)]
    await want(store, *urls)

    class Choking(Scripted):
        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            self.calls.append([delivery.url for delivery in batch])
            if urls[bad] in self.calls[-1]:
                raise Refused("400 Bad Request")
            return delivered(batch)

    there = Choking()
    await until_done(Sender(store, there, clock=clock, chance=lambda: 0.5), store, clock)
    assert len(there.calls) <= 15
    assert await states(store) == {"delivered": 99, "dead": 1}
    assert (await passport(store, urls[bad]))["state"] == "dead"


async def test_five_bad_links_of_a_hundred_die_and_the_rest_is_delivered(store: Store, clock: Clock) -> None:
    urls = [f"https://example.com/{number}" for number in range(100)]
    bad = set(random.Random(1).sample(urls, 5))
    await want(store, *urls)

    class Choking(Scripted):
        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            self.calls.append([delivery.url for delivery in batch])
            if bad & set(self.calls[-1]):
                raise Refused("400 Bad Request")
            return delivered(batch)

    there = Choking()
    await until_done(Sender(store, there, clock=clock, chance=lambda: 0.5), store, clock)
    assert await states(store) == {"delivered": 95, "dead": 5}


async def test_a_link_waits_no_longer_than_it_is_told_to_for_others(store: Store, clock: Clock) -> None:
    there = Scripted(batch=3)
    sender = Sender(store, there, clock=clock, chance=lambda: 0.5, gather=10)
    await want(store, "https://a.example/", source="feed")
    assert await sender.step() == 0
    assert await store.next_due(sender.terms) == clock() + 10
    clock.move(5)
    await want(store, "https://b.example/", source="feed")
    assert await sender.step() == 0
    clock.move(5)
    assert await sender.step() == 2
    await want(store, *(f"https://c.example/{number}" for number in range(3)), source="feed")
    assert await store.next_due(sender.terms) == clock()
    assert await sender.step() == 3, "a full batch waits for nobody"
    await want(store, "https://d.example/", source="cli")
    assert await sender.step() == 1, "nor does what was sent by hand"
