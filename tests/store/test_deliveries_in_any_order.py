"""Deliveries under anything that can happen, over the real store: nothing lost, nothing sent after it was settled, no two
leases at once, and a worker that comes back too late changes nothing. The control has its fencing off.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bridge.delivery import (
    MOVES,
    Dead,
    Delivered,
    Delivery,
    Event,
    Outcome,
    Retry,
    Settlement,
    State,
    Unknown,
    settlement,
)
from bridge.link import Sighting
from bridge.ports import Arrival, Call, Key, Read, Terms
from bridge.rules import Decision
from bridge.store.core import Store
from tests.conftest import Clock

T = TypeVar("T")

TERMS = {
    "same": Terms(connection="same", batch=2, idempotent=True),
    "other": Terms(connection="other", batch=2, idempotent=False, finds=True),
}
MEMORY = Path("/dev/shm")  # what is tested is the order of things, not the disk
CONNECTIONS = st.sampled_from(sorted(TERMS))
OUTCOMES: Sequence[Outcome] = [
    Delivered(),
    Delivered("already", "7", ()),
    Retry("busy"),
    Retry("the service is away", burns=False),
    Dead("410"),
    Unknown("its answer was lost"),
]


HELD_AGAIN: set[tuple[State, State]] = {("dead", "held"), ("cancelled", "held")}
"""A rule may hold what is wanted again, as it may a new one."""


@dataclass(frozen=True)
class Row:
    """A delivery as it stands in the database."""

    id: int
    connection: str
    state: State
    lease: str
    due: float
    added: int
    tags: str
    sent_tags: str
    revision: int


def moved(*events: Event) -> set[tuple[State, State]]:
    return {(before, MOVES[event][1]) for event in events for before in MOVES[event][0]}


class Unfenced(Store):
    """The control: whoever answers is believed."""

    async def settle(self, settled: Sequence[tuple[Delivery, Settlement]], *, call: Call | None = None) -> int:
        def leases(tx: Any) -> dict[int, str]:
            return dict(tx.execute("SELECT id, lease FROM delivery").fetchall())

        held = await self._database.read(leases)
        believed = [(delivery._replace(lease=held[delivery.id]), settlement) for delivery, settlement in settled]
        return await super().settle(believed, call=call)


class Sending(RuleBasedStateMachine):
    """Two connections, at one of which a second add would make a double; workers that may sleep through anything."""

    store_class: type[Store] = Store

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.clock = Clock()
        self.runner = asyncio.Runner()
        self.out: list[tuple[str, Sequence[Delivery]]] = []
        self.wanted: set[tuple[str, str]] = set()
        self.delivered: set[int] = set()
        self.arrivals = 0
        self._open()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def _open(self) -> None:
        self.store = self.do(self.store_class.open(self.folder / "bridge.db", self.clock))

    def rows(self) -> dict[int, Row]:
        def read(tx: Any) -> list[Row]:
            sql = "SELECT id, connection, state, lease, due, added, tags, sent_tags, revision FROM delivery"
            return [Row(*row) for row in tx.execute(sql).fetchall()]

        return {row.id: row for row in self.do(self.store._database.read(read))}

    def check_moves(self, before: dict[int, Row], allowed: set[tuple[State, State]]) -> None:
        for number, row in self.rows().items():
            if number in before and before[number].state != row.state:
                assert (before[number].state, row.state) in allowed, (before[number], row)

    # -- what happens ------------------------------------------------------------------------------------------------

    @rule(
        number=st.integers(0, 4),
        connection=CONNECTIONS,
        tags=st.lists(st.sampled_from(["one", "two", "three"]), unique=True),
        source=st.sampled_from(["cli", "feed"]),
        held=st.booleans(),
    )
    def want(self, number: int, connection: str, tags: list[str], source: str, held: bool) -> None:
        before, url = self.rows(), f"https://example.com/{number}"
        self.arrivals += 1
        sighting = Sighting.of(url, source=source, tags=tags)
        decision = Decision(title="", tags=sighting.tags, to=(connection,), held_by="rule" if held else "")
        self.do(self.store.put([Arrival(source=source, key=Key("t", str(self.arrivals)), raw=url)]))
        [arrival] = self.do(self.store.due(10))
        self.do(self.store.take([Read(arrival, "read", "", [(sighting, decision)])], "none"))
        self.wanted.add((url, connection))
        wishes = moved(Event.WANTED_MORE, Event.WANTED_AGAIN, Event.WANTED_SOONER)
        self.check_moves(before, wishes | HELD_AGAIN)

    @rule(connection=CONNECTIONS)
    def lease(self, connection: str) -> None:
        self._check_leased(connection, lambda: [self.do(self.store.lease(TERMS[connection]))])

    @rule(calls=st.integers(1, 3))
    def lease_ahead(self, calls: int) -> None:
        batches = self._check_leased("same", lambda: self.do(self.store.lease_ahead(TERMS["same"], calls)))
        assert len(batches) <= calls
        assert all(0 < len(batch) <= TERMS["same"].batch for batch in batches)

    def _check_leased(
        self, connection: str, lease: Callable[[], Sequence[Sequence[Delivery]]]
    ) -> Sequence[Sequence[Delivery]]:
        before, terms = self.rows(), TERMS[connection]
        batches = lease()
        for delivery in chain.from_iterable(batches):
            was = before[delivery.id]
            free = was.state == "pending" and was.due <= self.clock()
            ran_out = was.state == "leased" and was.due <= self.clock() and (terms.idempotent or was.added)
            assert free or ran_out, (was, self.clock())
            if delivery.id in self.delivered:
                assert delivery.added, "a second add"
        harmless = terms.idempotent or any(row.added for row in before.values())
        ran_out_as = (Event.INTERRUPTED, Event.LOST) if harmless else (Event.LOST,)
        self.check_moves(before, moved(Event.LEASED, *ran_out_as))
        self.out += [(connection, batch) for batch in batches if batch]
        return batches

    @rule()
    def look_up(self) -> None:
        before = self.rows()
        batch = self.do(self.store.lease_unknown(TERMS["other"]))
        assert all(before[one.id].state == "unknown" or before[one.id].state == "leased" for one in batch)
        if batch:
            self.out.append(("other", batch))

    @rule(which=st.integers(0, 20))
    def put_back(self, which: int) -> None:
        if not self.out:
            return
        _, batch = self.out.pop(which % len(self.out))
        before = self.rows()
        self.do(self.store.put_back(batch))
        after = self.rows()
        for one in batch:
            held = before[one.id].lease == one.lease
            assert held or after[one.id] == before[one.id], "a lost lease was put back"
            assert not held or (after[one.id].state == "pending" and after[one.id].due == one.due)
        self.check_moves(before, moved(Event.PUT_OFF))

    @rule(
        which=st.integers(0, 20),
        outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=4, max_size=4),
        two=st.booleans(),
    )
    def answer(self, which: int, outcomes: list[Outcome], two: bool = False) -> None:
        """A worker comes back with its outcomes, of one call or of two, in time or long after its lease."""
        if not self.out:
            return
        connection, batch = self.out.pop(which % len(self.out))
        another = [one for one in self.out if one[0] == connection]
        if two and another and not {one.id for one in batch} & {one.id for one in another[0][1]}:
            self.out.remove(another[0])
            batch = [*batch, *another[0][1]]
        before = self.rows()
        settled = [
            (one, self._settlement(connection, one, outcome)) for one, outcome in zip(batch, outcomes, strict=False)
        ]
        held = self.do(self.store.settle(settled, call=Call(terms=TERMS[connection])))
        rightful = {one.id for one in batch if before[one.id].lease == one.lease}
        assert held == len(rightful)
        after = self.rows()
        for one, made in settled:
            if one.id not in rightful:
                assert after[one.id] == before[one.id], "a late answer changed something"
            elif made.event == Event.DELIVERED:
                self.delivered.add(one.id)
        answers = (Event.DELIVERED, Event.OUTGROWN, Event.PUT_OFF, Event.REFUSED, Event.UNCLEAR)
        self.check_moves(before, moved(*answers))

    def _settlement(self, connection: str, delivery: Delivery, outcome: Outcome) -> Settlement:
        if isinstance(outcome, Unknown) and (TERMS[connection].idempotent or delivery.added):
            outcome = Retry(outcome.reason)
        return settlement(delivery.attempts, outcome, now=self.clock(), chance=0.5)

    @rule(seconds=st.sampled_from([1.0, 60.0, 121.0, 3600.0, 86_400.0, -3600.0, -172_800.0]))
    def clock_moves(self, seconds: float) -> None:
        self.clock.move(seconds)
        if seconds < 0:
            self.do(self.store.clock_was_set_back(-seconds))

    @rule()
    def crash(self) -> None:
        """The process dies with calls in the air, and starts again. Whoever was out may still answer."""
        before = self.rows()
        self.do(self.store.close())
        self._open()
        for terms in TERMS.values():
            self.do(self.store.expire(terms.connection, idempotent=terms.idempotent))
        self.check_moves(before, moved(Event.INTERRUPTED, Event.LOST))
        for row in self.rows().values():
            assert row.state != "leased"
            lost = row.connection == "other" and before[row.id].state == "leased" and not row.added
            assert not lost or row.state == "unknown"

    @rule(connection=CONNECTIONS)
    def retry(self, connection: str) -> None:
        before = self.rows()
        self.do(self.store.retry(connection))
        self.check_moves(before, moved(Event.RETRIED))

    @rule(send=st.booleans())
    def release(self, send: bool) -> None:
        before = self.rows()
        self.do(self.store.release([number for number, row in before.items() if row.state == "held"], send=send))
        self.check_moves(before, moved(Event.LET_GO if send else Event.GIVEN_UP))

    # -- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def no_delivery_is_lost(self) -> None:
        assert len(self.rows()) == len(self.wanted)

    def teardown(self) -> None:
        """In the end a worker that does its work delivers whatever is not held, refused, given up or unknown."""
        try:
            for _ in range(3):
                self.clock.move(86_400.0)
                for terms in TERMS.values():
                    while batch := self.do(self.store.lease(terms)):
                        done = settlement(0, Delivered(), now=self.clock(), chance=0.5)
                        self.do(self.store.settle([(one, done) for one in batch]))
            assert not {row.state for row in self.rows().values()} & {"pending", "leased"}
        finally:
            self.do(self.store.close())
            self.runner.close()
            shutil.rmtree(self.folder)


class UnfencedSending(Sending):
    store_class = Unfenced


HOW = settings(max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))


def test_nothing_that_happens_loses_or_doubles_a_delivery() -> None:
    run_state_machine_as_test(Sending, settings=HOW)


def come_back_too_late(machine: Sending) -> None:
    """A worker sleeps through its lease; the link is in the hands of another one when it answers."""
    try:
        machine.want(number=0, connection="same", tags=[], source="cli", held=False)
        machine.lease("same")
        machine.clock_moves(121.0)
        machine.lease("same")
        assert len(machine.out) == 2
        machine.answer(0, [Dead("too late")])
    finally:
        machine.teardown()


def test_a_worker_that_slept_through_its_lease_changes_nothing() -> None:
    come_back_too_late(Sending())


def test_without_fencing_its_late_answer_is_found_out() -> None:
    with pytest.raises(AssertionError):
        come_back_too_late(UnfencedSending())
