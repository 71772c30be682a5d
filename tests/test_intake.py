"""Intake over the real store: a bad arrival costs itself and nobody else."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from bridge import rules
from bridge.delivery import Event, Settlement
from bridge.errors import InvalidArrival
from bridge.intake import MOST_ARRIVALS, Intake
from bridge.link import Sighting
from bridge.ports import OWNER, Arrival, Key, Read, Reading, Request, Terms
from bridge.reading_list import Action, Query
from bridge.rules import RuleFile
from bridge.store.core import Store
from tests.house import errand


def read(group: Sequence[Arrival]) -> Reading:
    """Raw text is the address; some words mean trouble."""
    words = [arrival.raw for arrival in group]
    match words[0]:
        case "bug":
            raise ZeroDivisionError
        case "bad":
            raise InvalidArrival("no link found")
        case "help":
            return Reading(requests=[Request("help")])
        case "chat":
            return Reading(notes=["nothing to save"])
    return Reading([Sighting.of(word, source="cli") for word in words])


def intake(store: Store, rule_file: RuleFile = rules.EMPTY) -> Intake:
    return Intake(store, {"cli": read}, rule_file)


async def put(store: Store, *words: str, group: str = "") -> None:
    known = sum((await store.counts())["arrivals"].values())
    await store.put(
        [Arrival(source="cli", key=Key("t", f"{known}-{n}"), raw=word, group=group) for n, word in enumerate(words)]
    )


async def test_an_arrival_becomes_a_link_and_a_delivery(store: Store) -> None:
    await put(store, "https://example.com/")
    assert await intake(store).step() == 1
    passport = await store.passport(OWNER, "https://example.com/", "")
    assert [delivery["connection"] for delivery in passport.deliveries] == ["reading"]
    assert await intake(store).step() == 0


async def test_a_bad_arrival_is_parked_with_its_reason_and_stops_nobody(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await put(store, "https://a.example/", "bad", "bug", "https://b.example/")
    with caplog.at_level(logging.ERROR):
        await intake(store).step()
    counts = await store.counts()
    assert counts["arrivals"] == {"read": 2, "parked": 2}
    refused = (await store.passport(OWNER, "https://x.example/", "bad")).refused
    assert [arrival["reason"] for arrival in refused] == ["no link found"]
    assert "could not be read" in caplog.text


async def test_a_command_and_small_talk_are_no_links(store: Store) -> None:
    await put(store, "help", "chat")
    await intake(store).step()
    assert (await store.counts())["arrivals"] == {"command": 1, "empty": 1}


async def test_arrivals_are_taken_by_the_hundred(store: Store) -> None:
    await put(store, *(f"https://example.com/{n}" for n in range(MOST_ARRIVALS + 50)))
    work = intake(store)
    assert [await work.step(), await work.step(), await work.step()] == [MOST_ARRIVALS, 50, 0]
    assert (await store.counts())["sightings"] == {"kept": MOST_ARRIVALS + 50}


async def test_what_belongs_together_is_read_together(store: Store) -> None:
    await put(store, "https://a.example/", "https://b.example/", group="album")
    await intake(store).step()
    assert (await store.counts())["arrivals"] == {"read": 2}
    for url in ("https://a.example/", "https://b.example/"):
        [sighting] = (await store.passport(OWNER, url, "")).sightings
        assert sighting["arrival"] == 1


async def test_a_dropped_link_has_a_passport_and_no_delivery_and_binds_no_later_one(store: Store) -> None:
    drop = "rules:\n  - name: no\n    if: {domain: a.example}\n    then: {drop: noise}\n"
    await put(store, "https://a.example/")
    await intake(store, rules.load(drop, name="rules.yaml")).step()
    passport = await store.passport(OWNER, "https://a.example/", "")
    assert [(s["state"], s["reason"]) for s in passport.sightings] == [("dropped", "rule no (noise)")]
    assert passport.deliveries == []
    await put(store, "https://a.example/")
    await intake(store).step()
    passport = await store.passport(OWNER, "https://a.example/", "")
    assert [s["state"] for s in passport.sightings] == ["dropped", "kept"]


async def test_rules_may_change_between_two_steps(store: Store) -> None:
    work = intake(store)
    await put(store, "https://a.example/")
    await work.step()
    work.rule_file = rules.load("rules:\n  - name: t\n    then: {tag: new}\n", name="rules.yaml")
    await put(store, "https://b.example/")
    await work.step()
    tags = [
        (await store.passport(OWNER, url, "")).deliveries[0]["tags"]
        for url in ("https://a.example/", "https://b.example/")
    ]
    assert tags == [[], ["new"]]


async def test_what_cannot_be_written_down_parks_itself_and_nobody_else(store: Store) -> None:
    class Picky(Store):
        async def take(self, reads: Sequence[Read], rule_set: str) -> None:
            if any(read.arrival.raw == "https://cursed.example/" and read.state == "read" for read in reads):
                raise ZeroDivisionError
            await super().take(reads, rule_set)

    store.__class__ = Picky
    await put(store, "https://a.example/", "https://cursed.example/", "https://b.example/")
    await intake(store).step()
    assert (await store.counts())["arrivals"] == {"read": 2, "parked": 1}
    assert await intake(store).step() == 0


async def test_a_bad_member_of_a_group_does_not_take_the_others_with_it(store: Store) -> None:
    await put(store, "bad", "https://b.example/", group="album")
    await intake(store).step()
    assert (await store.counts())["arrivals"] == {"read": 1, "parked": 1}
    assert (await store.passport(OWNER, "https://b.example/", "")).sightings


async def test_what_was_on_the_list_before_is_known_and_stays_when_the_message_is_taken_back(store: Store) -> None:
    await store.apply(OWNER, [Action(name="add", url="https://old.example/", tags=("mine",), time=1)])
    await put(store, "https://old.example/")
    await intake(store).step()
    [delivery] = (await store.passport(OWNER, "https://old.example/", "")).deliveries
    assert (delivery["state"], delivery["because"]) == ("delivered", "on the list before")
    await store.take_back(errand(1), patient=False)
    [item] = (await store.find(OWNER, Query())).items
    assert (item.url, item.tags) == ("https://old.example/", ("mine",))


async def test_a_link_that_was_deleted_on_the_list_comes_back_when_a_person_sends_it_again(store: Store) -> None:
    add = Action(name="add", url="https://gone.example/")
    for times in range(2):
        await put(store, "https://gone.example/")
        await intake(store).step()
        [delivery] = await store.lease(Terms(connection="reading", batch=10, idempotent=True))
        assert not delivery.added
        [result] = await store.apply(OWNER, [add])
        await store.settle([(delivery, Settlement(Event.DELIVERED, "created", 1))])
        assert result.created, times
        await store.apply(OWNER, [Action(name="delete", url="https://gone.example/")])
    passport = await store.passport(OWNER, "https://gone.example/", "")
    assert [sighting["state"] for sighting in passport.sightings] == ["kept", "kept"]
