"""The reporter tells each person, and one answer's trouble is nobody else's."""

from __future__ import annotations

import logging

import pytest

from bridge.delivery import Event, Settlement
from bridge.errors import SourceError
from bridge.link import Sighting
from bridge.ports import Arrival, Key, Read, Report, Terms
from bridge.reporter import MOST_FAILURES, Reporter
from bridge.rules import Decision
from bridge.store.core import Store
from tests.conftest import Clock


class Teller:
    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.told: list[str] = []

    async def report(self, report: Report) -> str:
        if self.troubles:
            raise self.troubles.pop(0)
        self.told.append(report.arrival.raw)
        return "message 1"


async def arrived(store: Store, *words: str) -> None:
    store.report_for({"cli"})
    await store.put([Arrival(source="cli", key=Key("t", word), raw=word) for word in words])
    await store.take([Read(arrival, "empty") for arrival in await store.due(10)], "none")


def reporter(store: Store, teller: Teller, clock: Clock) -> Reporter:
    return Reporter(store, {"cli": teller}, clock=clock, chance=lambda: 0.5)


async def test_everybody_is_told_once(store: Store, clock: Clock) -> None:
    await arrived(store, "a", "b")
    work = reporter(store, teller := Teller(), clock)
    assert await work.step() == 2
    assert await work.step() == 0
    assert teller.told == ["a", "b"]


@pytest.mark.parametrize("trouble", [SourceError("flooded"), ZeroDivisionError()])
async def test_one_that_cannot_be_told_waits_and_holds_up_nobody(
    store: Store, clock: Clock, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    await arrived(store, "a", "b")
    work = reporter(store, teller := Teller(trouble), clock)
    with caplog.at_level(logging.ERROR):
        await work.step()
    assert teller.told == ["b"]
    clock.move(3600)
    await work.step()
    assert teller.told == ["b", "a"]


async def test_after_some_failures_an_answer_is_given_up(store: Store, clock: Clock) -> None:
    await arrived(store, "a")
    work = reporter(store, teller := Teller(*[SourceError("no")] * MOST_FAILURES), clock)
    for _ in range(MOST_FAILURES + 2):
        await work.step()
        clock.move(7200)
    assert teller.told == []


async def test_what_changes_later_is_told_again(store: Store, clock: Clock) -> None:
    store.report_for({"cli"})
    await store.put([Arrival(source="cli", key=Key("t", "a"), raw="a")])
    [arrival] = await store.due(10)
    wanted = (Sighting.of("https://a.example/", source="cli"), Decision(title="", tags=(), to=("there",)))
    await store.take([Read(arrival, "read", "", [wanted])], "none")
    work = reporter(store, teller := Teller(), clock)
    clock.move(10)
    assert await work.step() == 1
    assert await work.step() == 0
    await store.lease(Terms(connection="there", batch=1, idempotent=True))
    clock.move(1000)
    [delivery] = await store.lease(Terms(connection="there", batch=1, idempotent=True))
    await store.settle([(delivery, Settlement(Event.DELIVERED, "created", 1))])
    assert await work.step() == 1
    assert teller.told == ["a", "a"]
