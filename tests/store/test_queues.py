"""What waits and what was refused: seen, tried again, given up, sent elsewhere."""

from __future__ import annotations

from bridge.delivery import Dead, Unknown
from bridge.ports import OWNER, Terms
from bridge.ports.keeping import Line
from bridge.store.core import Store
from bridge.store.queues import MOST_AT_ONCE
from tests.conftest import Clock
from tests.store.filled import send, states, take, urls


async def test_what_waits_is_listed_next_first_with_its_reason(store: Store, clock: Clock) -> None:
    await take(store, *urls(1), delay=3600.0, delayed_by="evening")
    await take(store, *urls(1, "b.example"))
    await take(store, *urls(1, "c.example"), held_by="look")
    listed = await store.upkeep.waiting("", 10)
    assert [(link["url"], link["state"]) for link in listed] == [
        ("https://b.example/0", "pending"),
        ("https://c.example/0", "held"),
        ("https://a.example/0", "pending"),
    ]
    assert listed[2]["because"] == "rule evening"
    assert await store.upkeep.waiting("elsewhere", 10) == []


async def test_each_connection_has_a_line(store: Store, clock: Clock) -> None:
    await take(store, *urls(3), to=("there", "reading"))
    clock.move(60)
    await send(store, clock)
    await take(store, *urls(1, "b.example"))
    clock.move(60)
    lines = {line.connection: line for line in await store.upkeep.lines()}
    assert lines["there"].states == {"pending": 1}
    assert (lines["there"].sent, lines["there"].sent_in) == (3, 60.0)
    assert lines["reading"].oldest == clock() - 120


async def test_when_it_will_be_done_goes_by_the_last_hour() -> None:
    line = Line(connection="there", states={"pending": 90, "leased": 10}, sent=50, sent_in=600.0)
    assert line.done_at(1000.0) == 1000.0 + 1200
    assert line.done_at(1000.0, not_before=5000.0) == 5000.0 + 1200
    later = Line(connection="there", states={"pending": 9}, last_due=4000.0, sent=9, sent_in=9.0)
    assert (later.done_at(1000.0), later.done_at(4000.0)) == (None, 4009.0)
    assert Line(connection="there", states={"pending": 1, "held": 1}, sent=9, sent_in=9.0).done_at(0.0) is None
    assert Line(connection="there", states={"pending": 9}).done_at(0.0) is None
    assert Line(connection="there", states={"delivered": 9}, sent=9, sent_in=1.0).done_at(0.0) is None


async def test_single_refused_links_are_sent_once_more(store: Store, clock: Clock) -> None:
    await take(store, *urls(3))
    await send(store, clock, Dead("a"), Dead("b"))
    dead = await store.upkeep.dead("there", 10)
    assert sorted(link["because"] for link in dead) == ["a", "b"]
    assert await store.upkeep.again([dead[0]["id"], dead[0]["id"], 999]) == ["there"]
    assert (await states(store))["there"] == {"dead": 1, "delivered": 1, "pending": 1}


async def test_an_unknown_outcome_is_among_the_refused(store: Store, clock: Clock) -> None:
    await take(store, *urls(1))
    await send(store, clock, Unknown("its answer was lost"))
    [link] = await store.upkeep.dead("", 10)
    assert link["state"] == "unknown"


async def test_what_waits_is_given_up_whole_or_by_number(store: Store, clock: Clock) -> None:
    await take(store, *urls(MOST_AT_ONCE + 5))
    [first, *_] = await store.upkeep.waiting("there", 1)
    assert await store.upkeep.give_up(numbers=[first["id"], 10**6]) == 1
    assert await store.upkeep.give_up(connection="there") == MOST_AT_ONCE + 4
    assert (await states(store))["there"] == {"cancelled": MOST_AT_ONCE + 5}
    assert (await store.upkeep.audit()).balances


async def test_what_is_being_sent_is_left_alone_unless_nobody_can_send_it(store: Store, clock: Clock) -> None:
    await take(store, *urls(2))
    assert len(await store.lease(Terms(connection="there", batch=1))) == 1
    assert await store.upkeep.give_up(connection="there") == 1
    assert (await states(store))["there"] == {"leased": 1, "cancelled": 1}
    assert await store.upkeep.give_up(connection="there", all_states=True) == 1


async def test_what_waits_goes_elsewhere_with_its_tags(store: Store, clock: Clock) -> None:
    await take(store, *urls(2), tags=("one",))
    await take(store, urls(1)[0], tags=("two",), to=("other",))
    await send(store, clock, connection="other")
    assert await store.upkeep.move("there", "other") == 2
    passport = await store.passport(OWNER, urls(1)[0], "")
    by_name = {delivery["connection"]: delivery for delivery in passport.deliveries}
    assert (by_name["there"]["state"], by_name["there"]["because"]) == ("cancelled", "moved to other")
    # It was there already: only the tag is owed.
    assert (by_name["other"]["state"], by_name["other"]["tags"]) == ("pending", ["two", "one"])
    other = (await store.passport(OWNER, urls(2)[1], "")).deliveries
    assert [(each["connection"], each["state"], each["tags"]) for each in other] == [
        ("there", "cancelled", ["one"]),
        ("other", "pending", ["one"]),
    ]
    assert await send(store, clock, connection="other") == 2
    assert (await store.upkeep.audit()).balances


async def test_what_is_held_stays_held_elsewhere(store: Store, clock: Clock) -> None:
    await take(store, *urls(1), held_by="look")
    await store.upkeep.move("there", "other")
    assert (await states(store))["other"] == {"held": 1}
