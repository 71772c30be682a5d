"""An arrival that ends the process which reads it is set aside; all others go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge import rules
from bridge.intake import Intake
from bridge.link import Sighting
from bridge.ports import Arrival, Key, Reading
from bridge.quarantine import Quarantine
from bridge.store.core import Store
from tests.conftest import Clock

HERE = "tests.reliability.test_poison"
ENDED = 77


def read(group: Sequence[Arrival]) -> Reading:
    """A source's `read` with a bug that no exception handler sees."""
    if any(arrival.raw == "poison" for arrival in group):
        os._exit(ENDED)
    if any(arrival.raw == "endless" for arrival in group):
        while True:
            pass
    return Reading([Sighting.of(arrival.raw, source="hook") for arrival in group])


START = f"""
import asyncio, sys, time
from pathlib import Path
from bridge import rules
from bridge.intake import Intake
from bridge.quarantine import Quarantine
from bridge.store.core import Store
from {HERE} import read

async def main():
    store = await Store.open(Path(sys.argv[1]), time.time)
    trial = Quarantine({{"hook": "{HERE}"}}, zone="UTC") if sys.argv[2] == "guarded" else None
    intake = Intake(store, {{"hook": read}}, rules.EMPTY, underway=store.upkeep, trial=trial)
    while await intake.step():
        pass
    await store.close()

asyncio.run(main())
"""


def start(database: Path, how: str = "guarded") -> int:
    """One start of a process that takes in all there is. How it ended."""
    ran = subprocess.run(
        [sys.executable, "-c", START, str(database), how], capture_output=True, timeout=120, check=False
    )
    assert ran.returncode in (0, ENDED), ran.stderr.decode()
    return ran.returncode


@pytest.fixture
async def poisoned(tmp_path: Path) -> Path:
    store = await Store.open(tmp_path / "bridge.db", time.time)
    raws = ["https://a.example/", "poison", "https://b.example/", "poison", "https://c.example/"]
    await store.put([Arrival(source="hook", key=Key("s", str(n)), raw=raw) for n, raw in enumerate(raws)])
    await store.close()
    return tmp_path / "bridge.db"


async def test_it_is_set_aside_after_at_most_three_starts_and_the_others_go_on(poisoned: Path, clock: Clock) -> None:
    ends: list[int] = []
    while not ends or ends[-1]:
        ends.append(start(poisoned))
        assert len(ends) <= 3
    assert ends[0] == ENDED, "nothing ended the process: the fault did not fire"
    store = await Store.open(poisoned, clock)
    counts = await store.counts()
    audit = await store.upkeep.audit()
    await store.close()
    assert (counts["arrivals"], counts["sightings"]) == ({"parked": 2, "read": 3}, {"kept": 3})
    assert audit.balances


async def test_control_without_quarantine_every_start_ends_at_the_same_arrival(poisoned: Path) -> None:
    assert [start(poisoned, "unguarded") for _ in range(4)] == [ENDED] * 4


async def test_the_reason_says_what_happened(store: Store) -> None:
    await store.put([Arrival(source="hook", key=Key("s", "1"), raw="poison")])
    [arrival] = await store.due(10)
    await store.upkeep.begin([arrival.id])  # as a process did that has ended since
    intake = Intake(
        store, {"hook": read}, rules.EMPTY, underway=store.upkeep, trial=Quarantine({"hook": HERE}, zone="UTC")
    )
    assert await intake.step() == 1
    [found] = (await store.passport("me", "https://x.example/", "poison")).refused
    assert found["reason"] == f"set aside: a process that reads it ended with code {ENDED}"


async def test_one_that_never_comes_to_an_end_is_set_aside_too(store: Store) -> None:
    await store.put([Arrival(source="hook", key=Key("s", raw), raw=raw) for raw in ("endless", "https://a.example/")])
    due = await store.due(10)
    trial = Quarantine({"hook": HERE}, zone="UTC", seconds=5.0)
    found = await trial.deadly([[arrival] for arrival in due], rules.EMPTY)
    assert list(found) == [due[0].id]
    assert "did not come to an end within 5 seconds" in found[due[0].id]


async def test_of_a_group_only_the_bad_member_is_set_aside(store: Store) -> None:
    raws = ("https://a.example/", "poison", "https://b.example/")
    await store.put([Arrival(source="hook", key=Key("s", raw), raw=raw, group="album") for raw in raws])
    await store.upkeep.begin([arrival.id for arrival in await store.due(10)])
    intake = Intake(
        store, {"hook": read}, rules.EMPTY, underway=store.upkeep, trial=Quarantine({"hook": HERE}, zone="UTC")
    )
    await intake.step()
    counts = await store.counts()
    assert (counts["arrivals"], counts["sightings"]) == ({"parked": 1, "read": 2}, {"kept": 2})


async def test_what_was_only_interrupted_is_read_as_ever(store: Store) -> None:
    await store.put([Arrival(source="hook", key=Key("s", "1"), raw="https://a.example/")])
    await store.upkeep.begin([arrival.id for arrival in await store.due(10)])
    intake = Intake(
        store, {"hook": read}, rules.EMPTY, underway=store.upkeep, trial=Quarantine({"hook": HERE}, zone="UTC")
    )
    await intake.step()
    assert (await store.counts())["arrivals"] == {"read": 1}
    assert json.dumps(await store.upkeep.begin([1])) == '{"1": 1}'  # no mark was left
