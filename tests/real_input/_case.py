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
    """A link that should arrive, in any one of its spellings. `kin`: what could be read in its place.

    `stated`: whoever wrote the document states it; otherwise our own second reader has read it.
    """

    shown: str
    spellings: frozenset[str]
    stated: bool
    kin: frozenset[str]

    @classmethod
    def any_of(cls, links: Sequence[str], *, stated: bool, kin: Iterable[str] = ()) -> Wanted | None:
        """None when none of them is a web address, for then there is nothing to save."""
        spellings = canonicals(links)
        return cls(" | ".join(links), spellings, stated, canonicals(kin)) if spellings else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    name: str
    wanted: Sequence[Wanted]
    explain: Explain


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind`: wrong (another link than the one wanted), missing, extra, not once (on the list), or other."""

    case: str
    kind: str
    wanted: str
    found: str
    reason: str
    stated: bool = False


@dataclass
class Door:
    """What came through one door. `notes` count what is no difference and should be known all the same.

    `expected` and `once` (on the list, exactly once) count links, by whether they are "stated" or "read".
    """

    name: str
    given: str
    cases: list[Case] = field(default_factory=list)
    found: dict[str, list[str]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    balance: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    expected: Counter[str] = field(default_factory=Counter)
    once: Counter[str] = field(default_factory=Counter)

    def compare(self, listed: Counter[str]) -> None:
        """`listed`: how often each canonical link is on the list."""
        for case in self.cases:
            found = dict.fromkeys(filter(None, map(_canonical, self.found.get(case.name, ()))))
            wanted = _each_once(case.wanted)
            met = {one: hit for one in wanted if (hit := next((link for link in found if link in one.spellings), ""))}
            self.expected.update(map(_whose, wanted))
            self.once.update(_whose(one) for one, hit in met.items() if listed[hit] == 1)
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
            kind, reason = "wrong" if found else "missing", case.explain(wanted.shown, found)
            self.differences.append(Difference(case.name, kind, wanted.shown, found, reason, wanted.stated))
        self.differences += (Difference(case.name, "extra", "", link, case.explain("", link)) for link in extra)

    @property
    def unexplained(self) -> list[Difference]:
        return [one for one in self.differences if not one.reason]


def _each_once(wanted: Sequence[Wanted]) -> list[Wanted]:
    stated_last = sorted(wanted, key=lambda one: one.stated)
    return list({one.spellings: one for one in stated_last}.values())


def _whose(wanted: Wanted) -> str:
    return "stated" if wanted.stated else "read"


def canonicals(links: Iterable[str]) -> frozenset[str]:
    """The canonical forms of those that are web addresses."""
    return frozenset(filter(None, map(_canonical, links)))


def _canonical(link: str) -> str:
    try:
        return canonical(link)
    except InvalidArrival:
        return ""
