"""How many and when: waiting, and what happens to what is over a limit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal

from bridge.rules._facts import Occasion
from bridge.rules._times import in_words, next_time

Period = Literal["hour", "day", "week"]
Excess = Literal["wait", "hold", "drop", "digest"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Some seconds, or until a time of the day."""

    seconds: float = 0.0
    at: time | None = None

    def length(self, occasion: Occasion) -> float:
        """How long it is from the occasion on; a time of the day on an unknown occasion is no wait."""
        if self.at is None:
            return self.seconds
        return next_time(occasion.now, self.at, occasion.zone) - occasion.now if occasion.now else 0.0

    def words(self) -> str:
        return f"until {self.at:%H:%M}" if self.at else in_words(self.seconds)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many new links of a rule within one period, counted by the store in the unit that takes them in.

    What is over it waits for `due` (epoch), is held, or is dropped.
    """

    rule: str
    most: int
    period: str
    excess: Literal["wait", "hold", "drop"]
    due: float


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit as it is written: `5/day`, and what happens to the rest."""

    most: int
    per: Period
    excess: Excess = "wait"
    at: time = time(0, 0)

    def limit(self, rule: str, occasion: Occasion) -> Limit | None:
        """None when nobody knows when it is."""
        if not occasion.now:
            return None
        begin, end = self._period(occasion)
        due = next_time(occasion.now, self.at, occasion.zone) if self.excess == "digest" else end
        excess: Literal["wait", "hold", "drop"] = "wait" if self.excess == "digest" else self.excess
        return Limit(rule, self.most, begin, excess, due)

    def words(self) -> str:
        rest = f"digest {self.at:%H:%M}" if self.excess == "digest" else self.excess
        return f"{self.most}/{self.per}, overflow {rest}"

    def _period(self, occasion: Occasion) -> tuple[str, float]:
        """The name of the period, by the zone's clocks, and when it ends."""
        local = datetime.fromtimestamp(occasion.now, occasion.zone)
        if self.per == "hour":
            # Hours are counted in UTC: in autumn a local one comes twice.
            return f"hour {occasion.now // 3600:.0f}", (occasion.now // 3600 + 1) * 3600
        first = local.date() - timedelta(days=local.weekday() if self.per == "week" else 0)
        following = first + timedelta(days=7 if self.per == "week" else 1)
        return f"{self.per} {first}", datetime.combine(following, time(0, 0), occasion.zone).timestamp()
