"""Floods: a rule that suddenly fits far more than it used to is probably wrong, so its links wait for a person."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from bridge.ports import DAY
from bridge.rules import READING, Decision
from bridge.store.sqlite import Tx

FACTOR = 10
LEAST = 20
DAYS = 30
KNOWN_DAYS = 7
"""What is usual for a rule is not known earlier."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a rule applied: on each of its days (counted from the epoch), thirty of them at most."""

    first: int
    days: dict[int, int]

    def counted(self, today: int) -> Tally:
        recent = {day: number for day, number in self.days.items() if day >= today - DAYS}
        return Tally(self.first, recent | {today: recent.get(today, 0) + 1})

    def usual(self, today: int) -> float:
        """Times a day, before today."""
        past = sum(number for day, number in self.days.items() if day < today)
        return past / min(DAYS, max(1, today - self.first))

    def floods(self, today: int) -> bool:
        number = self.days.get(today, 0)
        known = today - self.first >= KNOWN_DAYS
        return known and number >= LEAST and number > FACTOR * self.usual(today)


def guarded(tx: Tx, account: str, decision: Decision, now: float) -> Decision:
    """The decision, counted; held, even if it was to drop, while one of its rules applies far oftener than usual."""
    today = int(now // DAY)
    for rule in decision.matched:
        scope = f"rule:{account}:{rule}"
        tally = _tally(tx, scope, today).counted(today)
        _keep(tx, scope, tally)
        if tally.floods(today) and not decision.held_by:
            often = f"it applied {tally.days[today]} times today, usually {tally.usual(today):.1f}"
            to = decision.to or (READING,)
            decision = replace(decision, to=to, dropped_by="", reason="", held_by=rule, hold=often)
    return decision


def _tally(tx: Tx, scope: str, today: int) -> Tally:
    row = tx.execute("SELECT value FROM progress WHERE scope = ?", (scope,)).fetchone()
    if row is None:
        return Tally(today, {})
    first, days = json.loads(row[0])
    return Tally(first, {day: number for day, number in days})  # noqa: C416 - pairs, from JSON


def _keep(tx: Tx, scope: str, tally: Tally) -> None:
    tx.execute(
        "INSERT INTO progress (scope, value) VALUES (?, ?) ON CONFLICT (scope) DO UPDATE SET value = excluded.value",
        (scope, json.dumps([tally.first, list(tally.days.items())])),
    )
