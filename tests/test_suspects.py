"""What was being read when a process ended: what is to blame is set aside, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge import rules
from bridge.intake import Intake
from bridge.link import Sighting
from bridge.ports import Arrival, Key, Read, Reading
from bridge.rules import RuleFile
from bridge.store.core import Store
from bridge.suspects import MOST_ALONE, MOST_TOGETHER
from tests.conftest import Clock

RAWS = tuple(f"https://{number}.example/" for number in range(6))


class Harmless:
    """A child in which nothing ends. Remembers what it was given."""

    def __init__(self) -> None:
        self.tried: list[int] = []

    async def deadly(self, groups: Sequence[Sequence[Arrival]], rule_file: RuleFile) -> Mapping[int, str]:
        self.tried += [group[0].id for group in groups]
        return {}


class Mortal(Store):
    """Ends while it takes in `deadly`, or on any occasion when `ends` says so."""

    deadly = ""
    ends = False

    async def take(self, reads: Sequence[Read], rule_set: str) -> None:
        if self.ends or any(self.deadly == read.arrival.raw and read.state == "read" for read in reads):
            raise KeyboardInterrupt
        await super().take(reads, rule_set)


def read(group: Sequence[Arrival]) -> Reading:
    return Reading([Sighting.of(arrival.raw, source="hook") for arrival in group])


async def a_life(store: Store, trial: Harmless | None = None) -> bool:
    """A new process takes in all there is. Whether it was ended."""
    intake = Intake(store, {"hook": read}, rules.EMPTY, underway=store.upkeep, trial=trial or Harmless())
    try:
        while await intake.step():
            pass
    except KeyboardInterrupt:
        return True
    return False


async def opened(folder: Path, clock: Clock) -> Mortal:
    store = await Mortal.open(folder / "mortal.db", clock)
    assert isinstance(store, Mortal)
    await store.put([Arrival(source="hook", key=Key("s", raw), raw=raw) for raw in RAWS])
    return store


async def states(store: Store) -> Mapping[str, int]:
    return dict((await store.counts())["arrivals"])


async def test_who_is_ended_from_outside_again_and_again_sets_nothing_aside(tmp_path: Path, clock: Clock) -> None:
    store = await opened(tmp_path, clock)
    store.ends = True
    for _ in range(MOST_TOGETHER + 2):
        assert await a_life(store)
    store.ends = False
    assert not await a_life(store)
    assert await states(store) == {"read": len(RAWS)}
    assert await store.upkeep.left() == {}
    await store.close()


async def test_what_ends_every_process_and_no_child_is_set_aside_alone(tmp_path: Path, clock: Clock) -> None:
    store = await opened(tmp_path, clock)
    store.deadly = RAWS[3]
    lives = 0
    while await a_life(store):
        lives += 1
        assert lives <= MOST_TOGETHER + MOST_ALONE
    assert lives == MOST_TOGETHER + MOST_ALONE
    assert await states(store) == {"read": len(RAWS) - 1, "parked": 1}
    [refused] = (await store.passport("me", RAWS[3], RAWS[3])).refused
    assert refused["reason"] == "set aside: the process ended over it again and again"
    await store.close()


async def test_a_child_is_asked_once_about_each_and_only_about_what_was_begun(tmp_path: Path, clock: Clock) -> None:
    store = await opened(tmp_path, clock)
    trial = Harmless()
    assert not await a_life(store, trial)
    assert trial.tried == []
    more = [f"{raw}more" for raw in RAWS]
    await store.put([Arrival(source="hook", key=Key("s", raw), raw=raw) for raw in more])
    store.ends = True
    for _ in range(MOST_TOGETHER + 1):
        await a_life(store)
    store.ends = False
    assert not await a_life(store, trial)
    assert len(trial.tried) == len(set(trial.tried)) == len(more)
    await store.close()
