"""What decisions need of pages: nothing, a page before they are made, or a title that may come late. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from bridge import titles
from bridge.link import Sighting
from bridge.rules import Decision, Occasion, PageRules

IN_LINE_SECONDS = 600.0
"""The longest an arrival waits while the page it needs has its turn still to come."""

BULK = ("file",)


@dataclass(frozen=True, slots=True)
class Patience:
    """Which pages are looked at: all that are needed, those that rules ask, none. `seconds`: how long a link waits
    for its page, from the first look. `retitling`: connections where a title may come after the link."""

    looks: Literal["on", "rules", "off"] = "off"
    seconds: float = 20.0
    retitling: AbstractSet[str] = frozenset()


NO_PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Need:
    """Canonical address -> address: pages without which it cannot be decided, and pages whose title is missing only."""

    first: Mapping[str, str]
    late: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.first or self.late)


NOTHING = Need({}, {})


def needed(
    decided: Sequence[tuple[Sighting, Decision]], page_rules: PageRules, occasion: Occasion, patience: Patience
) -> Need:
    """What these links of one arrival need, as they were decided without any page."""
    first: dict[str, str] = {}
    late: dict[str, str] = {}
    for sighting, decision in decided:
        missing = _lacks_title(sighting, decision, patience)
        if page_rules.undecided(sighting, occasion) or (missing and not _may_come_late(sighting, decision, patience)):
            first[sighting.canonical] = sighting.url
        elif missing:
            late[sighting.canonical] = sighting.url
    return Need(first, late) if first or late else NOTHING


def _lacks_title(sighting: Sighting, decision: Decision, patience: Patience) -> bool:
    """Nobody gave one. What files bring is left as it is, and what is dropped needs none."""
    wanted = patience.looks == "on" and not decision.dropped_by and sighting.source not in BULK
    return wanted and bool(titles.fault(decision.title, sighting.url))


def _may_come_late(sighting: Sighting, decision: Decision, patience: Patience) -> bool:
    return patience.retitling >= {*decision.to, *sighting.settled}
