"""Where an add is not idempotent: what may have been taken is looked up before it is sent again."""

from __future__ import annotations

import pytest

from bridge.ports import Finder
from bridge.sender import Sender
from bridge.store.core import Store
from tests.conftest import Clock
from tests.copying import Copies, Copying, Finding
from tests.test_sender import passport, states, want

A = "https://a.example/"


def line(store: Store, there: Copying, clock: Clock) -> Sender:
    return Sender(store, there, clock=clock, chance=lambda: 0.5)


async def work(sender: Sender, clock: Clock, *, hours: float = 24) -> None:
    for _ in range(int(hours * 4)):
        await sender.step()
        clock.move(900)


async def test_an_answer_that_was_lost_makes_no_double_where_it_can_be_looked_up(store: Store, clock: Clock) -> None:
    await want(store, *(f"https://example.com/{number}" for number in range(20)))
    there = Finding("there", Copies(lose=5), batch=4)
    await work(line(store, there, clock), clock)
    assert there.service.lost == 5
    assert sorted(item.url for item in there.service.items) == sorted(f"https://example.com/{n}" for n in range(20))
    assert await states(store) == {"delivered": 20}


async def test_without_a_look_up_it_stays_unknown_and_is_not_sent_again(store: Store, clock: Clock) -> None:
    await want(store, A)
    there = Copying("there", Copies(lose=1))
    assert not isinstance(there, Finder)
    await work(line(store, there, clock), clock)
    assert there.service.lost == 1
    assert len(there.service.items) == 1
    assert await states(store) == {"unknown": 1}
    assert (await passport(store, A))["because"] == "no answer within 30 seconds"


async def test_sending_again_blindly_would_make_a_double(store: Store, clock: Clock) -> None:
    """The control: the same service, taken for one where a second add is harmless."""
    await want(store, A)
    there = Copying("there", Copies(lose=1))
    there.traits = type(there.traits)(batch=1, add_is_idempotent=True)
    await work(line(store, there, clock), clock)
    assert len(there.service.items) == 2


async def test_what_was_not_taken_is_sent_after_it_was_looked_up(store: Store, clock: Clock) -> None:
    await want(store, A)
    there = Finding("there", Copies())
    await store.lease(line(store, there, clock).terms)  # the process dies before the call leaves
    clock.move(1000)
    await work(line(store, there, clock), clock, hours=1)
    assert there.asked == 1
    assert [item.url for item in there.service.items] == [A]
    assert await states(store) == {"delivered": 1}


async def test_a_look_up_that_fails_is_tried_again_and_nothing_is_sent_meanwhile(store: Store, clock: Clock) -> None:
    await want(store, A)
    there = Finding("there", Copies(lose=1))
    there.down = 3
    await work(line(store, there, clock), clock)
    assert there.asked == 4
    assert len(there.service.items) == 1
    assert await states(store) == {"delivered": 1}


async def test_what_is_found_there_already_gets_the_tags_it_lacks(store: Store, clock: Clock) -> None:
    await want(store, A, tags=["one", "two"])
    there = Finding("there", Copies(lose=1))
    sender = line(store, there, clock)
    await sender.step()
    there.service.items[0].tags = ["two", "mine"]  # a person changes it there
    await work(sender, clock, hours=1)
    assert [item.tags for item in there.service.items] == [["two", "mine", "one"]]


async def test_a_repeat_merges_tags_and_overwrites_nothing_a_person_changed_there(store: Store, clock: Clock) -> None:
    await want(store, A, tags=["one"])
    there = Finding("there", Copies())
    sender = line(store, there, clock)
    await sender.step()
    item = there.service.items[0]
    item.title, item.tags = "my own title", ["mine"]
    await want(store, A, tags=["one", "two"])
    await sender.step()
    assert (item.title, item.tags) == ("my own title", ["mine", "two"])
    assert len(there.service.items) == 1


async def test_a_service_that_cannot_change_tags_is_not_told_a_second_time(store: Store, clock: Clock) -> None:
    await want(store, A, tags=["one"])
    there = Finding("there", Copies())
    there.traits = type(there.traits)(batch=1, can_update_tags=False)
    sender = line(store, there, clock)
    await sender.step()
    await want(store, A, tags=["two"])
    await sender.step()
    assert there.service.calls == 1
    assert await states(store) == {"delivered": 1}


@pytest.mark.parametrize("finds", [True, False])
async def test_tags_whose_answer_was_lost_are_sent_again_for_they_are_no_double(
    store: Store, clock: Clock, finds: bool
) -> None:
    there = (Finding if finds else Copying)("there", Copies())
    sender = line(store, there, clock)
    await want(store, A, tags=["one"])
    await sender.step()
    await want(store, A, tags=["two"])
    there.service.lose = 1
    await work(sender, clock, hours=1)
    assert there.service.lost == 1
    assert [item.tags for item in there.service.items] == [["one", "two"]]
    assert await states(store) == {"delivered": 1}
