"""How fast the entries of a feed are taken: so many at one poll, so many in a day, the others in their turn. Pure.

Nobody's entry is lost by it: what is over a limit is kept like the rest and only falls due later.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Self

from bridge.ports import DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Most entries `at_once`, once in `pause` seconds; most `per_day` (of UTC), 0 for no such limit."""

    at_once: int
    per_day: int
    pause: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is remembered of one follower of a feed.

    `taken`: when a document was last looked through for it, 0 = never. The queue ends at `slot`, which has `used`
    entries; the day of that slot has `today`.
    """

    taken: float = 0.0
    slot: float = 0.0
    used: int = 0
    today: int = 0

    @classmethod
    def of(cls, cursor: str | None) -> Self:
        """What `text` made. Fields of a later version are ignored."""
        kept = json.loads(cursor) if cursor else {}
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in kept.items() if name in names})

    @property
    def text(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    def has_begun(self, since: float) -> bool:
        """Whether a document was looked through for somebody who follows the feed since then."""
        return self.taken > 0 and self.taken >= since


def queued(progress: Progress, number: int, limits: Limits, now: float) -> tuple[list[float], Progress]:
    """When each of `number` entries is due, in their order and behind all that wait already; and what to remember.

    >>> two_an_hour = Limits(at_once=2, per_day=0, pause=3600.0)
    >>> queued(Progress(), 5, two_an_hour, 100.0)[0]
    [100.0, 100.0, 3700.0, 3700.0, 7300.0]
    """
    slot, used, today = progress.slot, progress.used, progress.today
    dues: list[float] = []
    if now >= slot + limits.pause:
        slot, used, today = now, 0, today if _day(now) == _day(slot) else 0
    for _ in range(number):
        if used >= limits.at_once:
            today = today if _day(slot + limits.pause) == _day(slot) else 0
            slot, used = slot + limits.pause, 0
        if limits.per_day and today >= limits.per_day:
            slot, used, today = DAY * (_day(slot) + 1), 0, 0
        dues.append(slot)
        used, today = used + 1, today + 1
    return dues, Progress(taken=now, slot=slot, used=used, today=today)


def _day(moment: float) -> int:
    return int(moment // DAY)
