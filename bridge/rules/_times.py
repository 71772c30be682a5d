"""Durations, times of the day and dates, as they are written in a rule file."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_YEAR: Final = 365.25 * 86400.0
_DURATION = re.compile(r"([1-9][0-9]{0,5}) ?([smhdw])")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-4])(?::([0-5][0-9]))?")


def duration(written: str) -> float | None:
    """Seconds, or None when it is no duration.

    >>> duration("90m"), duration("2 w"), duration("soon")
    (5400.0, 1209600.0, None)
    """
    found = _DURATION.fullmatch(written)
    return int(found.group(1)) * _SECONDS[found.group(2)] if found else None


def in_words(seconds: float) -> str:
    """
    >>> in_words(5400), in_words(86400), in_words(200000)
    ('90 m', '1 d', '2.3 d')
    >>> in_words(7.25 * 365.25 * 86400)
    '7.2 years'
    """
    if abs(seconds) >= 2 * _YEAR:
        return f"{seconds / _YEAR:.1f} years"
    for unit in ("d", "h", "m"):
        length = _SECONDS[unit]
        if abs(seconds) >= length and (seconds % length == 0 or abs(seconds) >= 2 * length):
            return f"{seconds / length:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"


def clock(written: str) -> time | None:
    """`20:00` or `20`; `24` is midnight.

    >>> clock("7:30"), clock("24"), clock("25")
    (datetime.time(7, 30), datetime.time(0, 0), None)
    """
    found = _CLOCK.fullmatch(written)
    if not found or (found.group(1) == "24" and int(found.group(2) or 0)):
        return None
    return time(int(found.group(1)) % 24, int(found.group(2) or 0))


def day(written: str) -> date | None:
    try:
        return date.fromisoformat(written) if len(written) == 10 else None
    except ValueError:
        return None


def next_time(now: float, at: time, zone: tzinfo) -> float:
    """When clocks in the zone show `at` for the next time after `now`. In the night in which clocks skip it, as
    much later as they skip; where they show it twice, the first time that is still to come."""
    today = datetime.fromtimestamp(now, zone).date()
    moments = (
        datetime.combine(today + timedelta(days=days), at, zone).replace(fold=fold).timestamp()
        for days in range(3)
        for fold in (0, 1)
    )
    return next(moment for moment in moments if moment > now)
