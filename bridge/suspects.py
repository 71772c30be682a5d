"""Suspects: arrivals that were being read when a process ended. One of them may be what ends it.

Each is read in a child process first. A process may also end over something that no child meets, or because somebody
ends it: then nobody knows, and what was begun too often is taken alone. So one that is to blame is set aside alone,
and one that is not gets through.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from bridge.ports import Arrival
from bridge.ports.keeping import Underway
from bridge.rules import RuleFile

MOST_TOGETHER = 5
"""Times an arrival may be begun with others by processes that end. From then on it is taken alone."""
MOST_ALONE = 3
"""Times it may then be begun: who is ended for another reason gets further each time, and rarely ends at the same."""

_MOST_STARTS = MOST_TOGETHER + MOST_ALONE
_ENDED = "set aside: the process ended over it again and again"

log = logging.getLogger(__name__)

Group = Sequence[Arrival]


class Trial(Protocol):
    """Reading where it can do no harm."""

    async def deadly(self, groups: Sequence[Group], rule_file: RuleFile) -> Mapping[int, str]:
        """The groups, by the id of their first arrival, over which a process ends, and how it ended."""
        ...


class Suspects:
    """`underway` knows what earlier processes had begun and not ended; `trial` reads in a child."""

    def __init__(self, underway: Underway, trial: Trial) -> None:
        self._underway = underway
        self._trial = trial
        self._left: dict[int, int] | None = None
        self._begun: set[int] = set()
        self._harmless: set[int] = set()

    async def begin(self, groups: Sequence[Group], rule_file: RuleFile) -> tuple[list[Arrival], Mapping[int, str]]:
        """What of the groups is to be taken now, marked as begun; and of it, with the reason, what ends a process."""
        if self._left is None:
            self._left = dict(await self._underway.left())
        suspects = [group for group in groups if self._starts(group)]
        deadly = await self._deadly(suspects, rule_file)
        worn = [group for group in suspects if self._starts(group) >= MOST_TOGETHER]
        deadly |= {each.id: _ENDED for group in worn for each in group if self._starts([each]) >= _MOST_STARTS}
        for number, reason in deadly.items():
            log.error("arrival %d is %s", number, reason)
        alone = next((group for group in worn if not any(each.id in deadly for each in group)), None)
        if alone is not None:
            groups = [alone, *([each] for group in groups for each in group if each.id in deadly)]
        due = [arrival for group in groups for arrival in group]
        await self._mark(due)
        return due, deadly

    def taken(self, due: Sequence[Arrival]) -> None:
        """What came of them is written down, and their marks are gone with it."""
        for arrival in due:
            self._begun.discard(arrival.id)
            self._harmless.discard(arrival.id)
            if self._left:
                self._left.pop(arrival.id, None)

    def _starts(self, group: Group) -> int:
        return max((self._left or {}).get(arrival.id, 0) for arrival in group)

    async def _mark(self, due: Sequence[Arrival]) -> None:
        fresh = [arrival.id for arrival in due if arrival.id not in self._begun]
        await self._underway.begin(fresh)
        self._begun.update(fresh)

    async def _deadly(self, suspects: Sequence[Group], rule_file: RuleFile) -> dict[int, str]:
        untried = [group for group in suspects if group[0].id not in self._harmless]
        ended = await self._trial.deadly(untried, rule_file) if untried else {}
        # One bad member must not take the others of its group with it.
        alone = [[arrival] for group in untried if group[0].id in ended for arrival in group]
        ended = await self._trial.deadly(alone, rule_file) if len(alone) > len(ended) else ended
        self._harmless.update(group[0].id for group in untried if not any(each.id in ended for each in group))
        return {number: f"set aside: a process that reads it {how}" for number, how in ended.items()}
