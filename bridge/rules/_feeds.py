"""The section `feeds`."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bridge.link import canonical, host
from bridge.rules._document import Node, place_of
from bridge.rules._faults import wrong
from bridge.rules._file import Feed, Start
from bridge.rules._parts import Names, address, called, name, tags, unique
from bridge.rules._rule import Rule
from bridge.rules._rules import rules
from bridge.rules._values import Reader, a_list, block, each, text

SHORTEST_INTERVAL = 300.0

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([1-9][0-9]{0,5}) ?([smhd])")
_LAST = re.compile(r"last ([1-9][0-9]{0,8})")
_SINCE = re.compile(r"since ([0-9]{4}-[0-9]{2}-[0-9]{2})")


def feeds(node: Node, what: str, names: Names) -> tuple[Feed, ...]:
    nodes = a_list(node, what)
    read = each(nodes, partial(_feed, own_rules=partial(rules, names=names)), what)
    unique(nodes, [feed.name for feed in read], "name", "another feed is called “{}” already")
    unique(nodes, [canonical(feed.url) for feed in read], "url", "the feed {} is here already")
    return read


def _feed(node: Node, _what: str, own_rules: Reader[tuple[Rule, ...]]) -> Feed:
    readers: dict[str, Reader[Any]] = {
        "url": address,
        "name": name,
        "tags": tags,
        "start": _start,
        "interval": _interval,
        "rules": own_rules,
    }
    feed = Feed(**block(node, called("feed", node), readers, required=("url", "name")))
    if feed.interval < SHORTEST_INTERVAL and not _of_ones_own(feed.url):
        what = f"“interval” in feed “{feed.name}” is shorter than 5 minutes"
        raise wrong(place_of(node, ["interval"]), what, "Sites ban readers for that; 30m or 1h is usual.")
    return feed


def _of_ones_own(url: str) -> bool:
    """A server in one's own network may be asked as often as one likes."""
    name = host(url)
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_private
    except ValueError:
        return False


def _start(node: Node, what: str) -> Start:
    written = " ".join(text(node, what).split()).lower()
    if written in ("none", "all"):
        return Start("none" if written == "none" else "all")
    if last := _LAST.fullmatch(written):
        return Start("last", count=int(last.group(1)))
    if since := _SINCE.fullmatch(written):
        return Start("since", since=_midnight(node, since.group(1), what))
    raise wrong(node, f"{what} cannot be “{written}”", "Write none, last 10, since 2026-05-01, or all.")


def _midnight(node: Node, date: str, what: str) -> float:
    try:
        return datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise wrong(node, f"{what}: there is no day {date}", "Write year-month-day, as in 2026-05-01.") from None


def _interval(node: Node, what: str) -> float:
    written = text(node, what)
    if not (duration := _DURATION.fullmatch(written)):
        raise wrong(node, f"{what} is no duration: “{written}”", "Write a number and a unit: 30m, 2h or 1d.")
    return int(duration.group(1)) * _SECONDS[duration.group(2)]
