"""The clock jumps: a day ahead, two days back. Nothing is sent twice, and nothing waits for a time that was never meant."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.delivery import Delivered, Delivery, Outcome
from bridge.errors import Throttled, Unavailable
from bridge.ports import DAY, Traits
from bridge.sender import Sender
from bridge.store.core import Store
from bridge.upkeep.timekeeper import CLOCK_SECONDS, Timekeeper
from tests.conftest import Clock
from tests.store.filled import states, take, urls

MINUTE = 60.0


class Service:
    """Takes everything, and counts; now and then it wants to be left alone for a minute."""

    name = "there"
    traits = Traits(batch=5, add_is_idempotent=True, can_update_tags=True)

    def __init__(self) -> None:
        self.calls = 0
        self.sent: list[str] = []

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        self.calls += 1
        if self.calls % 4 == 0:
            raise Throttled("too many calls", retry_after=MINUTE)
        if self.calls % 7 == 0:
            raise Unavailable("down for a moment")
        self.sent += [delivery.url for delivery in batch]
        return [Delivered()] * len(batch)

    async def close(self) -> None: ...


async def work(store: Store, service: Service, clock: Clock, keeper: Timekeeper | None, seconds: float) -> None:
    """What the workers do in that time, by the clock on the wall."""
    sender = Sender(store, service, clock=clock, chance=lambda: 0.5)
    for _ in range(int(seconds / CLOCK_SECONDS)):
        if keeper:
            await keeper()
        while await sender.step():
            pass
        clock.move(CLOCK_SECONDS)


async def jumping(store: Store, clock: Clock, *, guarded: bool) -> Service:
    """Links come before, between and after the jumps; delayed ones too."""
    service, keeper = Service(), Timekeeper(store, clock=clock) if guarded else None
    await take(store, *urls(40))
    await take(store, *urls(5, "delayed.example"), delay=10 * MINUTE, delayed_by="later")
    await work(store, service, clock, keeper, MINUTE)
    clock.move(DAY)
    await take(store, *urls(40, "ahead.example"))
    await take(store, *urls(5, "delayed-ahead.example"), delay=10 * MINUTE, delayed_by="later")
    await work(store, service, clock, keeper, MINUTE)
    clock.move(-2 * DAY)
    await take(store, *urls(40, "back.example"))
    await work(store, service, clock, keeper, 40 * MINUTE)
    return service


async def test_a_day_ahead_and_two_days_back_nothing_is_doubled_and_nothing_stands_still(
    store: Store, clock: Clock
) -> None:
    service = await jumping(store, clock, guarded=True)
    assert len(service.sent) == len(set(service.sent)) == 130
    assert (await states(store))["there"] == {"delivered": 130}
    assert (await store.upkeep.audit()).balances


async def test_control_without_the_timekeeper_links_stand_still_for_days(store: Store, clock: Clock) -> None:
    service = await jumping(store, clock, guarded=False)
    assert len(service.sent) < 130
    assert (await states(store))["there"]["pending"] > 0


async def test_a_clock_that_was_set_back_between_two_starts_is_noticed_at_the_start(store: Store, clock: Clock) -> None:
    await take(store, *urls(3))
    clock.move(-3 * DAY)
    service = Service()
    await work(store, service, clock, None, MINUTE)
    assert service.sent == []
    assert await store.clock_was_set_back() == 3
    await work(store, service, clock, None, MINUTE)
    assert len(service.sent) == 3


async def test_what_waits_for_its_time_still_waits_as_long(store: Store, clock: Clock) -> None:
    await take(store, *urls(1), delay=10 * MINUTE, delayed_by="later")
    clock.move(-2 * DAY)
    await store.clock_was_set_back(2 * DAY)
    [link] = await store.upkeep.waiting("there", 1)
    assert link["due"] == clock() + 10 * MINUTE


async def test_a_clock_that_goes_on_changes_nothing(store: Store, clock: Clock) -> None:
    keeper = Timekeeper(store, clock=clock)
    await take(store, *urls(1), delay=10 * MINUTE, delayed_by="later")
    [before] = await store.upkeep.waiting("there", 1)
    for seconds in (5.0, 5.0, 900.0, 86400.0):
        clock.move(seconds)
        await keeper()
    assert await store.upkeep.waiting("there", 1) == [before]
    assert await store.clock_was_set_back() == 0
