"""What a run came to, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.real_input._case import Difference, Door

KINDS = ("wrong", "missing", "extra", "not once", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`strangers`: links on the list that no arrival explains. `waiting`: what was not done in time.

    `complaints`: what the process logged beside feeds that fail.
    """

    doors: Sequence[Door]
    parked: Counter[tuple[str, str]]
    listed: Counter[str]
    strangers: Sequence[str]
    states: Mapping[str, int]
    waiting: Mapping[str, int]
    seconds: float
    peaks: Mapping[str, int]
    complaints: Sequence[str]

    @property
    def balances(self) -> bool:
        done = sum(self.states.get(state, 0) for state in ("read", "empty", "command", "parked"))
        return done == sum(self.states.values()) == self.acknowledged

    @property
    def acknowledged(self) -> int:
        return sum(door.balance[name] for door in self.doors for name in door.balance if name.startswith("arrivals of"))

    @property
    def unexplained(self) -> list[tuple[str, Difference]]:
        return [(door.name, one) for door in self.doors for one in door.unexplained]

    @property
    def good(self) -> bool:
        surprises = (*self.unexplained, *self.strangers, *self.complaints)
        return self.balances and not surprises and not any(self.waiting.values())


def lines(result: Result) -> Iterator[str]:
    """The table, a row for each door; the reasons of all differences; what nobody can explain."""
    yield _row("", "given", "expected", "once", "stated", "once", *KINDS, "unexplained")
    for door in result.doors:
        kinds = Counter(one.kind for one in door.differences)
        links = (door.expected.total(), door.once.total(), door.expected["stated"], door.once["stated"])
        yield _row(door.name, door.given, *links, *(kinds[kind] for kind in KINDS), len(door.unexplained))
    for door in result.doors:
        yield from _of(door)
    yield from _whole(result)


def _row(name: str, given: str, *cells: object) -> str:
    return f"{name:10}{given:36}" + "".join(f"{cell!s:>{max(9, len(str(cell)) + 2)}}" for cell in cells)


def _of(door: Door) -> Iterator[str]:
    yield f"\n{door.name}: differences by their reason"
    reasons = Counter((one.kind, one.reason) for one in door.differences if one.reason)
    stated = Counter((one.kind, one.reason) for one in door.differences if one.stated)
    for (kind, reason), number in reasons.most_common():
        yield f"{number:7}  {kind:8}  {reason}" + f" ({stated[kind, reason]} of them stated)" * (
            (kind, reason) in stated
        )
    yield f"{door.name}: beside that"
    for note, number in door.notes.most_common():
        yield f"{number:7}  {note}"
    for name, number in door.balance.items():
        yield f"{number:7}  {name}"


def _whole(result: Result) -> Iterator[str]:
    states = ", ".join(f"{state} {number}" for state, number in sorted(result.states.items()))
    yield f"\narrivals: {states}; acknowledged {result.acknowledged}: {'balances' if result.balances else 'DOES NOT BALANCE'}"
    for (source, reason), number in result.parked.most_common():
        yield f"{number:7}  parked, from {source}: {reason}"
    yield f"on the list: {len(result.listed)} links, {sum(number > 1 for number in result.listed.values())} of them twice"
    peaks = ", ".join(f"{name} {peak / 1024:.0f} MB" for name, peak in result.peaks.items())
    yield f"took {result.seconds:.0f} s; peak memory (VmHWM): {peaks}"
    for name, number in result.waiting.items():
        if number:
            yield f"STILL WAITING: {number} {name}"
    for line in result.complaints:
        yield f"UNEXPLAINED in the log: {line}"
    for url in result.strangers:
        yield f"UNEXPLAINED on the list, from no arrival: {url}"
    for door, one in result.unexplained:
        yield f"UNEXPLAINED {door} {one.kind}: {one.case}\n    wanted {one.wanted!r}\n    found  {one.found!r}"
