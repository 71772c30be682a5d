"""Counts of what may happen only so often an hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

_HOUR = 3600


class Hourly:
    """Counts in the hours of the clock, in memory: a restart begins anew."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self.most = most
        self._clock = clock
        self._hour = 0
        self._taken: Counter[str] = Counter()

    def take(self, who: str) -> bool:
        """Counts one. False, and nothing counted: none was left."""
        if not self.left(who):
            return False
        self._taken[who] += 1
        return True

    def give_back(self, who: str) -> None:
        """Takes one back that was counted, unless the hour is over."""
        if self.left(who) < self.most:
            self._taken[who] -= 1

    def left(self, who: str) -> int:
        hour = int(self._clock() // _HOUR)
        if hour != self._hour:
            self._hour = hour
            self._taken.clear()
        return self.most - self._taken[who] if who in self._taken else self.most

    def reset(self) -> int:
        """Seconds until all are back."""
        return _HOUR - int(self._clock()) % _HOUR
