"""What a run came to, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.real_input._case import Difference, Door

KINDS = ("wrong", "missing", "extra", "not once")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`strangers`: links on the list that no arrival explains. `waiting`: what was not done in time."""

    doors: Sequence[Door]
    listed: Counter[str]
    strangers: Sequence[str]
    states: Mapping[str, int]
    waiting: Mapping[str, int]
    seconds: float
    peaks: Mapping[str, int]
    log: str

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
        return self.balances and not (self.unexplained or self.strangers or any(self.waiting.values()))


def lines(result: Result) -> Iterator[str]:
    yield f"{'':10}{'given':>40}{'expected':>10}{'stated':>8}{'once':>8}" + "".join(f"{kind:>10}" for kind in KINDS) + f"{'unexplained':>13}"
    for door in result.doors:
        kinds = Counter(one.kind for one in door.differences)
        counts = "".join(f"{kinds[kind]:10}" for kind in KINDS)
        yield f"{door.name:10}{door.given:>40}{door.expected:10}{door.stated:8}{door.once:8}{counts}{len(door.unexplained):13}"
    for door in result.doors:
        yield from _door(door)
    yield from _whole(result)


def _door(door: Door) -> Iterator[str]:
    yield f"\n{door.name}: differences by their reason"
    reasons = Counter((one.kind, one.reason) for one in door.differences if one.reason)
    for (kind, reason), number in reasons.most_common():
        yield f"{number:7}  {kind:8}  {reason}"
    yield f"{door.name}: beside that"
    for note, number in door.notes.most_common():
        yield f"{number:7}  {note}"
    for name, number in door.balance.items():
        yield f"{number:7}  {name}"


def _whole(result: Result) -> Iterator[str]:
    states = ", ".join(f"{state} {number}" for state, number in sorted(result.states.items()))
    yield f"\narrivals: {states}; acknowledged {result.acknowledged}: {'balances' if result.balances else 'DOES NOT BALANCE'}"
    yield f"on the list: {len(result.listed)} links, {sum(number > 1 for number in result.listed.values())} of them twice"
    peaks = ", ".join(f"{name} {peak / 1024:.0f} MB" for name, peak in result.peaks.items())
    yield f"took {result.seconds:.0f} s; peak memory (VmHWM): {peaks}"
    for name, number in result.waiting.items():
        if number:
            yield f"STILL WAITING: {number} {name}"
    for url in result.strangers:
        yield f"UNEXPLAINED on the list, from no arrival: {url}"
    for door, one in result.unexplained:
        yield f"UNEXPLAINED {door} {one.kind}: {one.case}\n    wanted {one.wanted!r}\n    found  {one.found!r}"
