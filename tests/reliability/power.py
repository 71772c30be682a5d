"""Cuts the power at every moment of a real run, and looks at what is left.

    python -m tests.reliability.power --states 0 --seed 7        # all states there are; 0 is no limit

The real process runs under strace while all its doors are fed; it is killed, started again, and told to stop. Its
writes and syncs are replayed up to every point of the trace. What was not synced by then is dropped, kept, mixed and
torn; each image is opened, and must hold everything whose acknowledgement had left the process by then.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bridge.control import LOCK
from tests.reliability import disk, history, images, traces
from tests.reliability.kills import finish, until_it_answers
from tests.reliability.nursery import Life, a_nursery
from tests.reliability.points import DOORS
from tests.reliability.world import World, a_world, feeding

NAMES = ("bridge.db", "bridge.db-wal", "bridge.db-journal")
LIFE_SECONDS = 2.0
PACE = 0.1
TRACED_SECONDS = 120.0
SCRATCH = Path("/dev/shm")
STATES_A_STEP = 3
"""About so many of the four mixtures differ."""

_OFFSET = re.compile(rb'"?offset"?[=:] ?(\d+)')
_VERSION = re.compile(rb'if-none-match: "(\d+)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the files, and what had been acknowledged when the next one came."""

    change: traces.Change
    acknowledged: frozenset[str]


@dataclass
class Recorded:
    """A run as the disk saw it. `acknowledged` is by door, `final` what the files held in the end."""

    steps: list[Step]
    acknowledged: dict[str, set[str]]
    outside: dict[str, set[str]]
    final: disk.Image

    @property
    def syncs(self) -> int:
        return sum(step.change.kind == "sync" for step in self.steps)


@dataclass
class Result:
    """What the cuts came to. `states` are distinct images, or the same with more acknowledged."""

    seed: int
    steps: int
    syncs: int
    acknowledged: Mapping[str, int]
    possible: int = 0
    states: int = 0
    unsynced: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    halves: list[str] = field(default_factory=list)
    booted: int = 0
    unhealed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failures(self) -> list[str]:
        named = {"lost": self.lost, "corrupt": self.corrupt, "half-done": self.halves, "not healed": self.unhealed}
        return [f"{name}: {found[:5]}" for name, found in named.items() if found]

    def __str__(self) -> str:
        doors = ", ".join(f"{door} {number}" for door, number in self.acknowledged.items())
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in self.kinds.items())
        return (
            f"seed {self.seed}: {self.steps:,} changes of the files, {self.syncs} syncs; acknowledged {doors}\n"
            f"{self.states:,} states ({kinds}) of {self.possible:,} cuts, {self.unsynced:,} with something unsynced: "
            f"{len(self.lost)} lost something, {len(self.corrupt)} corrupt, {len(self.halves)} half-done; "
            f"{self.booted} started again, {len(self.unhealed)} of them wrong; {self.seconds:.0f} s"
        )


async def record(world: World, *, without: str = "", lives: int = 2) -> Recorded:
    """Runs the real process under strace: killed at the end of each life but the last, which ends in peace."""
    logs = []
    for number in range(lives):
        log = world.folder / f"strace.{number}"
        logs.append(log)
        process = await asyncio.create_subprocess_exec(
            *traces.command(log), sys.executable, "-m", "tests.reliability.nursery", _order(world, without)
        )
        async with asyncio.timeout(TRACED_SECONDS):
            await until_it_answers(world)
            async with feeding(world, pace=PACE):
                await asyncio.sleep(LIFE_SECONDS)
            last = number == lives - 1
            os.kill(int((world.data / LOCK).read_text()), signal.SIGTERM if last else signal.SIGKILL)
            await process.wait()
    world.note()
    events = list(history.read(world.history.path))
    outside = {door: history.acknowledged(events, door) for door in DOORS}
    happened = [event for log in logs for event in traces.read(log, world.data, NAMES)]
    steps, acknowledged = _steps(happened, world)
    return Recorded(steps, acknowledged, outside, _files(world.data))


def _order(world: World, without: str) -> str:
    return Life(world.environment(), str(world.log), without=without).line().decode()


def _files(folder: Path) -> disk.Image:
    return {name: (folder / name).read_bytes() for name in NAMES if (folder / name).exists()}


def _steps(happened: Sequence[traces.Change | traces.Said], world: World) -> tuple[list[Step], dict[str, set[str]]]:
    steps: list[Step] = []
    by_door: dict[str, set[str]] = {door: set() for door in DOORS}
    acknowledged: frozenset[str] = frozenset()
    for event in happened:
        if isinstance(event, traces.Change):
            steps.append(Step(event, acknowledged))
            continue
        for door, urls in _acknowledged(event.data, world):
            by_door[door] |= urls
            acknowledged |= urls
        if steps:
            steps[-1] = Step(steps[-1].change, acknowledged)
    return steps, by_door


def _acknowledged(data: bytes, world: World) -> Iterator[tuple[str, set[str]]]:
    """What these bytes tell somebody outside to be safe."""
    if b'"status":"accepted"' in data:
        yield "save", _addresses(data, "save")
    if b'"action_results"' in data:
        yield "pocket", _addresses(data, "pocket")
    if b"allowed_updates" in data and (offset := _OFFSET.search(data)):
        yield "telegram", {url for number, url in world.written.items() if number < int(offset[1])}
    if version := _VERSION.search(data):
        yield "feed", set(world.feed.urls[: int(version[1])])


def _addresses(data: bytes, door: str) -> set[str]:
    plain = data.decode("utf-8", "replace").replace("\\/", "/")
    return {url for url in images.ADDRESS.findall(plain) if url.startswith(f"https://{door}.")}


def replayed(steps: Sequence[Step]) -> disk.Image:
    """The files when nothing was lost: what they were in the end, if the trace told everything."""
    whole = disk.Disk()
    for step in steps:
        whole.take(step.change)
    return whole.image(disk.everything)


@dataclass(frozen=True, slots=True)
class Cut:
    """One state: before which step, which kind, and what is left."""

    step: int
    kind: str
    image: disk.Image
    acknowledged: frozenset[str]
    unsynced: int


def cuts(steps: Sequence[Step], chance: random.Random, wanted: frozenset[int] | None = None) -> Iterator[Cut]:
    """Every prefix of the trace in several mixtures, or those after the `wanted` steps; the same state only once."""
    power = disk.Disk()
    before: set[tuple[bytes, int]] = set()
    for number, step in enumerate(steps):
        power.take(step.change)
        if wanted is not None and number not in wanted:
            continue
        choices: dict[str, disk.Choice] = {"dropped": disk.nothing}
        if power.pending:
            choices |= {"kept": disk.everything, "mixed": disk.some(chance), "torn": disk.torn(chance)}
        for kind, choose in choices.items():
            image = power.image(choose)
            mark = (_digest(image), len(step.acknowledged))
            if mark not in before:
                before.add(mark)
                yield Cut(number, kind, image, step.acknowledged, power.pending)


def _digest(image: disk.Image) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(image):
        digest.update(name.encode() + len(image[name]).to_bytes(8, "big"))
        digest.update(image[name])
    return digest.digest()


def examine(recorded: Recorded, *, seed: int, states: int, boots: int = 0) -> tuple[Result, list[Cut]]:
    """Opens about so many states, 0 for all: where something had just been acknowledged, and spread over the trace.
    Answers some of the cuts, to be started again."""
    chance, began, steps = random.Random(seed), time.monotonic(), recorded.steps
    numbers = {door: len(urls) for door, urls in recorded.acknowledged.items()}
    result = Result(seed, len(steps), recorded.syncs, numbers, possible=4 * len(steps))
    wanted = _wanted(steps, states, chance) if states else None
    kept: list[Cut] = []
    scratch = SCRATCH if SCRATCH.is_dir() else None
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        for cut in cuts(steps, chance, wanted):
            _look(cut, Path(folder) / "cut", result)
            if len(kept) < boots:
                kept.append(cut)
            elif boots and chance.random() < boots / result.states:
                kept[chance.randrange(boots)] = cut
    result.seconds = time.monotonic() - began
    return result, kept


def _wanted(steps: Sequence[Step], states: int, chance: random.Random) -> frozenset[int]:
    number = min(len(steps), max(1, states // STATES_A_STEP))
    fresh = [at for at in range(1, len(steps)) if steps[at].acknowledged != steps[at - 1].acknowledged]
    told = chance.sample(fresh, min(len(fresh), number // 2))
    return frozenset([*told, *chance.sample(range(len(steps)), number - len(told))])


def _look(cut: Cut, folder: Path, result: Result) -> None:
    _lay(cut.image, folder)
    found = images.look(folder / NAMES[0])
    shutil.rmtree(folder)
    result.states += 1
    result.kinds[cut.kind] += 1
    result.unsynced += cut.unsynced > 0
    where = f"step {cut.step}, {cut.kind}"
    if found.corrupt:
        result.corrupt.append(f"{where}: {found.corrupt}")
    elif missing := history.lost(cut.acknowledged, found.stored):
        result.lost.append(f"{where}: {len(missing)}, like {min(missing)}")
    if found.halves:
        result.halves.append(f"{where}: {'; '.join(found.halves)}")


def _lay(image: disk.Image, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in image.items():
        (folder / name).write_bytes(content)


async def heal(world: World, kept: Sequence[Cut], result: Result) -> None:
    """Starts the real process on what a cut left: everything acknowledged must come onto the list, once."""
    async with a_nursery() as nursery:
        for cut in kept:
            for file in world.data.glob("bridge.db*"):
                file.unlink()
            _lay(cut.image, world.data)
            listed = await finish(world, nursery)
            found = images.look(world.database)
            wrong = [*history.lost(cut.acknowledged, listed), *history.doubled(listed.elements()), *found.faults]
            result.booted += 1
            result.unhealed += [f"step {cut.step}, {cut.kind}: {each}" for each in wrong[:3]]


async def prove(folder: Path, *, seed: int, states: int, boots: int = 0, without: str = "") -> tuple[Recorded, Result]:
    async with a_world(folder) as world:
        recorded = await record(world, without=without)
        result, kept = await asyncio.to_thread(examine, recorded, seed=seed, states=states, boots=boots)
        await heal(world, kept, result)
    return recorded, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--states", type=int, default=500)
    parser.add_argument("--boots", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--without", default="", help="a protection that is off, as in control.py")
    parser.add_argument("--folder", type=Path, help="keeps everything there; without it, nothing")
    asked = parser.parse_args()
    if why := traces.why_not():
        sys.exit(why)
    with contextlib.ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        proof = prove(folder, seed=asked.seed, states=asked.states, boots=asked.boots, without=asked.without)
        recorded, result = asyncio.run(proof)
        print(result)
        if replayed(recorded.steps) != recorded.final:
            sys.exit("the trace does not tell everything that happened to the files")
    sys.exit("\n".join(result.failures) if result.failures else 0)


if __name__ == "__main__":
    main()
