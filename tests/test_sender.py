"""The sender over the real store, with a destination that answers what a test has written down for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bridge.calls import ENOUGH_CALLS
from bridge.delivery import MOST_ATTEMPTS, Dead, Delivered, Delivery, Outcome, Retry
from bridge.errors import DestinationError, Refused, Throttled, Unauthorized, Unavailable
from bridge.link import Sighting
from bridge.ports import OWNER, Arrival, Key, Read, Terms, Traits
from bridge.rules import Decision
from bridge.sender import Sender, calls_of_a_run
from bridge.store.core import Store
from tests.conftest import Clock

Answer = Callable[[Sequence[Delivery]], Sequence[Outcome]]


class Scripted:
    """Answers calls one after the other as written, then delivers everything."""

    def __init__(self, *answers: Answer | DestinationError, batch: int = 100) -> None:
        self.name = "there"
        self.traits = Traits(batch=batch, add_is_idempotent=True, can_update_tags=True)
        self.answers = list(answers)
        self.calls: list[list[str]] = []

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        self.calls.append([delivery.url for delivery in batch])
        answer = self.answers.pop(0) if self.answers else delivered
        if isinstance(answer, DestinationError):
            raise answer
        return answer(batch)

    async def close(self) -> None: ...


def delivered(batch: Sequence[Delivery]) -> Sequence[Outcome]:
    return [Delivered("created", f"r{delivery.id}") for delivery in batch]


async def want(
    store: Store, *urls: str, tags: Sequence[str] = (), source: str = "cli", to: tuple[str, ...] = ("there",)
) -> None:
    """Puts links in the outbox, as intake does."""
    await store.put([Arrival(source=source, key=Key("t", f"{url}{tags}{await total(store)}"), raw=url) for url in urls])
    reads = []
    for arrival in await store.due(1000):
        sighting = Sighting.of(arrival.raw, source=source, tags=tags)
        decision = Decision(title="", tags=sighting.tags, to=to)
        reads.append(Read(arrival, "read", "", [(sighting, decision)]))
    await store.take(reads, "none")


async def total(store: Store) -> int:
    return sum((await store.counts())["arrivals"].values())


def sender(store: Store, destination: Scripted, clock: Clock) -> Sender:
    return Sender(store, destination, clock=clock, chance=lambda: 0.5)


async def states(store: Store) -> dict[str, int]:
    return dict((await store.counts())["deliveries"].get("there", {}))


async def passport(store: Store, url: str) -> Any:
    return (await store.passport(OWNER, url, url)).deliveries[0]


async def test_due_deliveries_leave_as_one_call(store: Store, clock: Clock) -> None:
    await want(store, "https://a.example/", "https://b.example/")
    there = Scripted()
    assert await sender(store, there, clock).step() == 2
    assert there.calls == [["https://a.example/", "https://b.example/"]]
    assert await states(store) == {"delivered": 2}


async def test_each_delivery_is_settled_by_its_own_outcome(store: Store, clock: Clock) -> None:
    await want(store, "https://a.example/", "https://b.example/", "https://c.example/")
    there = Scripted(lambda _: [Delivered(), Dead("422 Unprocessable Entity"), Retry("busy")])
    await sender(store, there, clock).step()
    assert await states(store) == {"delivered": 1, "dead": 1, "pending": 1}
    assert (await passport(store, "https://b.example/"))["because"] == "422 Unprocessable Entity"


async def test_a_refused_batch_is_halved_until_the_bad_link_dies_alone(store: Store, clock: Clock) -> None:
    urls = [f"https://example.com/{number}" for number in range(100)]
    await want(store, *urls)
    bad = "https://example.com/57"

    class Picky(Scripted):
        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            self.calls.append([delivery.url for delivery in batch])
            if any(delivery.url == bad for delivery in batch):
                raise Refused("400: one of these is wrong")
            return delivered(batch)

    there = Picky()
    await sender(store, there, clock).step()
    assert await states(store) == {"delivered": 99, "dead": 1}
    assert (await passport(store, bad))["state"] == "dead"
    assert len(there.calls) <= 15


async def test_what_went_through_before_a_failure_in_halves_is_not_sent_again(store: Store, clock: Clock) -> None:
    await want(store, "https://a.example/", "https://b.example/")
    there = Scripted(Refused("400"), delivered, Unavailable("gone"))
    await sender(store, there, clock).step()
    assert await states(store) == {"delivered": 1, "pending": 1}


async def test_a_limit_waits_as_long_as_the_service_says_and_burns_no_attempt(store: Store, clock: Clock) -> None:
    await want(store, "https://a.example/")
    there = Scripted(Throttled("320 calls an hour", retry_after=900))
    line = sender(store, there, clock)
    await line.step()
    clock.move(899)
    assert await line.step() == 0
    clock.move(2)
    assert await line.step() == 1
    assert await states(store) == {"delivered": 1}
    assert (await passport(store, "https://a.example/"))["attempts"] == 1
    assert (await store.gate("there")).because == ""


async def test_a_service_that_is_down_is_probed_with_one_link_and_then_takes_all(store: Store, clock: Clock) -> None:
    await want(store, *(f"https://example.com/{number}" for number in range(10)))
    there = Scripted(Unavailable("connection refused"), Unavailable("connection refused"))
    line = sender(store, there, clock)
    for _ in range(4):
        await line.step()
        clock.move(16 * 60)
    assert [len(call) for call in there.calls] == [10, 1, 1, 9]
    assert await states(store) == {"delivered": 10}


async def test_a_refused_credential_pauses_the_connection_until_it_is_resumed(store: Store, clock: Clock) -> None:
    await want(store, "https://a.example/")
    line = sender(store, Scripted(Unauthorized("401: the token is not known")), clock)
    await line.step()
    clock.move(10 * 24 * 3600)
    assert await line.step() == 0
    gate = await store.gate("there")
    assert (gate.state, gate.because) == ("paused", "401: the token is not known")
    await store.set_gate(type(gate)("there"))
    assert await line.step() == 1
    assert await states(store) == {"delivered": 1}


async def test_72_hours_of_outage_end_with_everything_delivered(store: Store, clock: Clock) -> None:
    await want(store, *(f"https://example.com/{number}" for number in range(50)))
    back = clock() + 72 * 3600

    class Down(Scripted):
        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            self.calls.append([delivery.url for delivery in batch])
            if clock() < back:
                raise Unavailable("connection refused")
            return delivered(batch)

    there = Down()
    line = sender(store, there, clock)
    while clock() < back + 3600:
        await line.step()
        clock.move(60)
    assert await states(store) == {"delivered": 50}
    assert len(there.calls) < 72 * 3600 / (4 * 60)


async def test_a_repeat_with_new_tags_sends_the_difference_and_never_a_second_add(store: Store, clock: Clock) -> None:
    there = Scripted()
    line = sender(store, there, clock)
    sent: list[Delivery] = []

    def keep(batch: Sequence[Delivery]) -> Sequence[Outcome]:
        sent.extend(batch)
        return delivered(batch)

    there.answers = [keep, keep]
    await want(store, "https://a.example/", tags=["one"])
    await line.step()
    await want(store, "https://a.example/", tags=["one", "two"])
    await line.step()
    assert [(delivery.added, delivery.new_tags) for delivery in sent] == [(False, ("one",)), (True, ("two",))]
    await want(store, "https://a.example/", tags=["two"])
    assert await line.step() == 0


async def test_tags_that_come_while_a_delivery_is_out_are_sent_afterwards(store: Store, clock: Clock) -> None:
    await want(store, "https://a.example/", tags=["one"])
    [leased] = await store.lease(Terms(connection="there", batch=10, idempotent=True))
    await want(store, "https://a.example/", tags=["two"])

    class Late(Scripted):
        pass

    line = sender(store, there := Late(), clock)
    await line._calls.settle([leased], [Delivered()], None)
    assert await states(store) == {"pending": 1}
    await line.step()
    assert await states(store) == {"delivered": 1}
    assert len(there.calls) == 1


async def test_an_answer_under_a_lost_lease_is_refused(store: Store, clock: Clock) -> None:
    await want(store, "https://a.example/")
    [stale] = await store.lease(Terms(connection="there", batch=10, idempotent=True))
    clock.move(1000)
    [fresh] = await store.lease(Terms(connection="there", batch=10, idempotent=True))
    line = sender(store, Scripted(), clock)
    await line._calls.settle([stale], [Dead("too late")], None)
    assert await states(store) == {"leased": 1}
    await line._calls.settle([fresh], [Delivered()], None)
    assert await states(store) == {"delivered": 1}


@pytest.mark.parametrize(("idempotent", "state"), [(True, "leased"), (False, "unknown")])
async def test_an_expired_lease_is_sent_again_only_where_that_cannot_double(
    store: Store, clock: Clock, idempotent: bool, state: str
) -> None:
    await want(store, "https://a.example/")
    await store.lease(Terms(connection="there", batch=10, idempotent=idempotent))
    clock.move(1000)
    await store.lease(Terms(connection="there", batch=10, idempotent=idempotent))
    assert await states(store) == {state: 1}


async def test_a_dead_link_that_is_sent_once_more_by_hand_is_tried_again(store: Store, clock: Clock) -> None:
    await want(store, "https://a.example/")
    line = sender(store, Scripted(lambda _: [Dead("410")]), clock)
    await line.step()
    await want(store, "https://a.example/")
    await line.step()
    assert await states(store) == {"delivered": 1}


async def test_tags_that_are_there_already_are_no_call(store: Store, clock: Clock) -> None:
    await want(store, "https://a.example/", tags=["one"])
    there = Scripted()
    line = sender(store, there, clock)
    await line.step()
    await want(store, "https://a.example/", tags=["two"])
    [delivery] = await store.lease(Terms(connection="there", batch=10, idempotent=True))
    await line._calls.settle([delivery], [Dead("the item is gone there")], None)
    await want(store, "https://a.example/")
    await line.step()
    there.calls.clear()
    await want(store, "https://a.example/", tags=["one", "two"])
    assert await line.step() == 0
    assert await states(store) == {"delivered": 1}
    assert there.calls == []


async def test_a_service_that_refuses_everything_kills_no_link_and_is_probed(store: Store, clock: Clock) -> None:
    await want(store, *(f"https://example.com/{number}" for number in range(40)))

    class Angry(Scripted):
        angry = True

        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            self.calls.append([delivery.url for delivery in batch])
            if self.angry:
                raise Refused("400 Bad Request")
            return delivered(batch)

    there = Angry()
    line = sender(store, there, clock)
    await line.step()
    assert len(there.calls) <= ENOUGH_CALLS
    assert await states(store) == {"pending": 40}
    assert "refuses everything" in (await store.gate("there")).because
    clock.move(3600)
    await line.step()
    assert await states(store) == {"pending": 40}
    there.angry = False
    for _ in range(4):
        clock.move(3600)
        await line.step()
    assert await states(store) == {"delivered": 40}


async def test_a_destination_s_bug_does_not_block_its_line(store: Store, clock: Clock) -> None:
    await want(store, "https://bug.example/", "https://good.example/")

    class Buggy(Scripted):
        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            if any("bug" in delivery.url for delivery in batch):
                raise ZeroDivisionError
            return delivered(batch)

    await sender(store, Buggy(), clock).step()
    assert await states(store) == {"delivered": 1, "dead": 1}
    assert "this is a bug" in (await passport(store, "https://bug.example/"))["because"]


async def test_too_few_answers_are_no_answer(store: Store, clock: Clock) -> None:
    await want(store, "https://a.example/", "https://b.example/")
    await sender(store, Scripted(lambda _: [Delivered()]), clock).step()
    assert await states(store) == {"pending": 2}


async def test_successes_are_no_failures(store: Store, clock: Clock) -> None:
    line = sender(store, there := Scripted(), clock)
    for number in range(MOST_ATTEMPTS):
        await want(store, "https://a.example/", tags=[f"tag{number}"])
        await line.step()
    there.answers = [lambda _: [Retry("busy")]]
    await want(store, "https://a.example/", tags=["last"])
    await line.step()
    assert await states(store) == {"pending": 1}


async def test_what_became_of_a_link_is_unknown_until_a_person_says_to_try_again(store: Store, clock: Clock) -> None:
    await want(store, "https://a.example/")
    await store.lease(Terms(connection="there", batch=10, idempotent=False))
    clock.move(1000)
    await store.lease(Terms(connection="there", batch=10, idempotent=False))
    assert await states(store) == {"unknown": 1}
    assert await store.retry("there") == 1
    assert await states(store) == {"pending": 1}


async def test_a_failure_while_a_refused_batch_is_halved_keeps_its_own_reason_and_every_link(
    store: Store, clock: Clock
) -> None:
    await want(store, *(f"https://example.com/{number}" for number in range(4)))
    gone = Unauthorized("401: the token is not known")
    there = Scripted(Refused("400"), Refused("400"), Refused("400"), gone)
    await sender(store, there, clock).step()
    gate = await store.gate("there")
    assert (gate.state, gate.because) == ("paused", "401: the token is not known")
    assert await states(store) == {"pending": 4}
    for number in range(4):
        tries = (await passport(store, f"https://example.com/{number}"))["tries"]
        assert [attempt["outcome"] for attempt in tries] == ["pending"], number


class Numbered(Scripted):
    """Answers the calls with these numbers as written; each takes so long by its own timer."""

    def __init__(self, answers: dict[int, DestinationError], *, batch: int = 5, takes: float = 0.01) -> None:
        super().__init__(batch=batch)
        self.written, self.takes, self.now = answers, takes, 0.0

    def timer(self) -> float:
        return self.now

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        self.calls.append([delivery.url for delivery in batch])
        self.now += self.takes
        if error := self.written.get(len(self.calls)):
            raise error
        return delivered(batch)


def numbered(store: Store, there: Numbered, clock: Clock) -> Sender:
    return Sender(store, there, clock=clock, chance=lambda: 0.5, timer=there.timer)


async def untouched(store: Store, urls: Sequence[str]) -> bool:
    passports = [await passport(store, url) for url in urls]
    return all(one["state"] == "pending" and not one["tries"] for one in passports)


URLS = [f"https://example.com/{number}" for number in range(100)]


async def test_quick_calls_are_leased_together_in_batches_and_in_order(store: Store, clock: Clock) -> None:
    await want(store, *URLS)
    together = list[int]()

    class Watched(Store):
        async def lease_ahead(self, terms: Terms, calls: int) -> Sequence[Sequence[Delivery]]:
            batches = await super().lease_ahead(terms, calls)
            together.append(len(batches))
            return batches

    watched = Watched(store._database, clock)
    assert await numbered(watched, there := Numbered({}), clock).step() == 100
    assert [url for call in there.calls for url in call] == URLS
    assert {len(call) for call in there.calls} == {5}
    assert together == [10, 8, 0, 0]


async def test_nothing_is_leased_ahead_while_a_batch_is_not_full(store: Store, clock: Clock) -> None:
    await want(store, *URLS[:4])

    class Unwilling(Store):
        async def lease_ahead(self, terms: Terms, calls: int) -> Sequence[Sequence[Delivery]]:
            raise AssertionError

    line = numbered(Unwilling(store._database, clock), Numbered({}), clock)
    assert await line.step() == 4
    await want(store, *URLS[4:9])
    with pytest.raises(AssertionError):  # before one that is, it is
        await line.step()


async def test_a_failure_within_a_run_keeps_what_was_sent_and_leaves_the_rest_as_it_was(
    store: Store, clock: Clock
) -> None:
    await want(store, *URLS)
    clock.move(60)
    there = Numbered({6: Unavailable("connection refused")})
    line = numbered(store, there, clock)
    await line.step()
    assert await states(store) == {"delivered": 25, "pending": 75}
    assert (await passport(store, URLS[27]))["because"] == "connection refused"
    assert await untouched(store, URLS[30:])
    clock.move(3600)
    await line.step()  # the probe
    await line.step()
    assert await states(store) == {"delivered": 100}
    sent = [url for number, call in enumerate(there.calls, 1) for url in call if number != 6]
    assert sorted(sent) == sorted(URLS)
    assert sent[25:91] == URLS[30:96]  # in their old places: what failed comes after them


async def test_one_bad_link_within_a_run_dies_alone(store: Store, clock: Clock) -> None:
    await want(store, *URLS)
    bad = URLS[33]

    class Picky(Numbered):
        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            outcomes = await super().send(batch)
            if any(delivery.url == bad for delivery in batch):
                raise Refused("400: one of these is wrong")
            return outcomes

    line = numbered(store, there := Picky({}), clock)
    while await line.step():
        continue
    assert await states(store) == {"delivered": 99, "dead": 1}
    assert sum(bad not in call for call in there.calls) >= 19
    assert (await passport(store, bad))["state"] == "dead"


async def test_a_run_that_becomes_slow_is_broken_off_before_its_leases_run_out(store: Store, clock: Clock) -> None:
    await want(store, *URLS)

    class Slower(Numbered):
        async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            self.takes = 25.0 if len(self.calls) == 3 else 0.01
            return await super().send(batch)

    await numbered(store, there := Slower({}), clock).step()
    # The fourth call took 25 seconds: what was leased with it would have waited for minutes.
    assert len(there.calls) == 4
    assert await states(store) == {"delivered": 20, "pending": 80}
    assert await untouched(store, URLS[20:])


async def test_a_limit_that_comes_up_within_a_run_is_obeyed(store: Store, clock: Clock) -> None:
    await want(store, *URLS)
    line = numbered(store, Numbered({5: Throttled("too many", retry_after=600)}), clock)
    await line.step()
    assert await states(store) == {"delivered": 20, "pending": 80}
    clock.move(599)
    assert await line.step() == 0
    clock.move(2)
    while await line.step():
        continue
    assert await states(store) == {"delivered": 100}


@pytest.mark.parametrize(
    ("took", "batch", "calls"),
    [(0.002, 100, 20), (0.002, 30, 50), (0.03, 30, 3), (2.0, 30, 1), (0.0, 1, 100), (9.9, 5000, 1)],
)
def test_a_run_is_as_long_as_calls_are_quick(took: float, batch: int, calls: int) -> None:
    assert calls_of_a_run(took, batch) == calls
