"""What a publisher asks of those who poll: how long to wait, when not to come, and who tells them instead. Pure.

This is imported by the child process that reads feeds, so it imports little.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR

LONGEST_SKIP = 3 * DAY
"""More hours and days in a row than these are no wish but a mistake."""

_PERIODS = {"hourly": HOUR, "daily": DAY, "weekly": 7 * DAY, "monthly": 30 * DAY, "yearly": 365 * DAY}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_SKIPPED = re.compile(r"(?is)<skip(hours|days)>(.{0,2000}?)</skip\1\s*>")
_NAMED = re.compile(r"(?is)<(?:hour|day)>\s*(\w{1,9})\s*</(?:hour|day)\s*>")
_HEAD = 64 * 1024


def period(feed: Mapping[str, Any]) -> float:
    """Seconds between two changes, as the Syndication module has it; 0 when it does not say."""
    seconds = _PERIODS.get(str(feed.get("sy_updateperiod", "")).strip().lower(), 0.0)
    times = str(feed.get("sy_updatefrequency", "1")).strip()
    return seconds / max(1, int(times)) if re.fullmatch(r"[0-9]{1,4}", times) else seconds


def skipped(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The hours (GMT) and the days (0 is Monday) that an RSS document excepts.

    >>> skipped("<skipHours><hour>0</hour><hour>24</hour></skipHours><skipDays><day>Sunday</day></skipDays>")
    ((0,), (6,))
    """
    named = {kind.lower(): _NAMED.findall(inner) for kind, inner in _SKIPPED.findall(text[:_HEAD])}
    hours = {int(name) % 24 for name in named.get("hours", ()) if name.isdecimal() and int(name) <= 24}
    days = {_DAYS.index(name.lower()) for name in named.get("days", ()) if name.lower() in _DAYS}
    return tuple(sorted(hours)), tuple(sorted(days))


def allowed_from(moment: float, hours: Collection[int], days: Collection[int]) -> float:
    """The first moment, not before the given one, that lies in no skipped hour or day.

    >>> allowed_from(100.0, (0, 1), ())
    7200.0
    """
    if not hours and not days:
        return moment
    later = moment
    while later < moment + LONGEST_SKIP:
        # The first day of the epoch was a Thursday.
        if (int(later // DAY) + 3) % 7 in days:
            later = (later // DAY + 1) * DAY
        elif int(later // HOUR) % 24 in hours:
            later = (later // HOUR + 1) * HOUR
        else:
            return later
    return moment


def hub_of(header: str, url: str) -> tuple[str, str]:
    """Hub and topic in an answer's Link header; empty where it names none.

    >>> hub_of('<https://hub.example/>; rel="hub", </feed>; rel=self', "https://a.example/x")
    ('https://hub.example/', 'https://a.example/feed')
    """
    found = dict(reversed([(rel, address) for address, rels in _links(header) for rel in rels]))
    return _joined(url, found.get("hub", "")), _joined(url, found.get("self", ""))


_LINK = re.compile(r"<([^<>]{1,2000})>((?:\s*;\s*[\w*-]{1,40}\s*=\s*(?:\"[^\"]{0,500}\"|[^\s,;\"]{1,500})){0,10})")
_REL = re.compile(r"(?i);\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s,;\"]+))")


def _links(header: str) -> Iterator[tuple[str, list[str]]]:
    for address, parameters in _LINK.findall(header[:8192]):
        if rel := _REL.search(parameters):
            yield address, (rel[1] or rel[2]).lower().split()


def _joined(url: str, address: str) -> str:
    try:
        joined = urljoin(url, address) if address else ""
    except ValueError:
        return ""
    return joined if joined.lower().startswith(("http://", "https://")) else ""
