"""One document, update or request: the links that should come of it, those that did, and why they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from bridge.errors import InvalidArrival
from bridge.link import canonical

Explain = Callable[[str, str], str]
"""Why the link wanted (or "") is not the one found (or ""), in words; empty when nothing explains it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A link that should arrive, in any one of its spellings. `kin`: what could be read in its place."""

    shown: str
    spellings: frozenset[str]
    kin: frozenset[str] = frozenset()

    @classmethod
    def any_of(cls, links: Sequence[str], kin: Iterable[str] = ()) -> Wanted | None:
        """None when none of them is a web address, for then there is nothing to save."""
        spellings = canonicals(links)
        return cls(" | ".join(links), spellings, canonicals(kin)) if spellings else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`stated`: its links are stated by whoever wrote the document, not read by our own second reader."""

    name: str
    wanted: Sequence[Wanted]
    stated: bool
    explain: Explain


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind`: wrong (another link than the one wanted), missing, extra, not once (on the list)."""

    case: str
    kind: str
    wanted: str
    found: str
    reason: str


@dataclass
class Door:
    """What came through one door. `notes` count what is no difference and should be known all the same."""

    name: str
    given: str
    cases: list[Case] = field(default_factory=list)
    found: dict[str, list[str]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    balance: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    expected: int = 0
    stated: int = 0
    once: int = 0

    def compare(self, listed: Counter[str]) -> None:
        """`listed`: how often each canonical link is on the list."""
        for case in self.cases:
            found = dict.fromkeys(filter(None, map(_canonical, self.found.get(case.name, ()))))
            wanted = _each_once(case.wanted)
            self.expected += len(wanted)
            self.stated += len(wanted) * case.stated
            met = {one: hit for one in wanted if (hit := next((link for link in found if link in one.spellings), ""))}
            self.once += sum(listed[hit] == 1 for hit in met.values())
            self._note(case, [one for one in wanted if one not in met], list(found.keys() - met.values()))
            self.differences += (
                Difference(case.name, "not once", link, f"{listed[link]} times on the list", "")
                for link in found
                if listed[link] != 1
            )

    def _note(self, case: Case, missing: Sequence[Wanted], extra: list[str]) -> None:
        for wanted in missing:
            found = next((link for link in extra if link in wanted.kin), "")
            if not found and len(missing) == len(extra) == 1:
                found = extra[0]
            extra = [link for link in extra if link != found]
            reason = case.explain(wanted.shown, found)
            self.differences.append(Difference(case.name, "wrong" if found else "missing", wanted.shown, found, reason))
        self.differences += (Difference(case.name, "extra", "", link, case.explain("", link)) for link in extra)

    @property
    def unexplained(self) -> list[Difference]:
        return [one for one in self.differences if not one.reason]


def _each_once(wanted: Sequence[Wanted]) -> list[Wanted]:
    return list({one.spellings: one for one in wanted}.values())


def canonicals(links: Iterable[str]) -> frozenset[str]:
    """The canonical forms of those that are web addresses."""
    return frozenset(filter(None, map(_canonical, links)))


def _canonical(link: str) -> str:
    try:
        return canonical(link)
    except InvalidArrival:
        return ""
