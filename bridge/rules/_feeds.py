"""The section `feeds`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from bridge.errors import ConfigError
from bridge.link import canonical, host
from bridge.rules._document import Block, Node, Scalar, place_of
from bridge.rules._faults import Wrong, wrong
from bridge.rules._file import Feed, Start
from bridge.rules._parts import Names, address, called, header_name, keys_of, name, secret, tags, targets, unique
from bridge.rules._rule import Rule
from bridge.rules._rules import rules
from bridge.rules._values import Reader, a_list, block, each, text, yes_or_no

T = TypeVar("T")

SHORTEST_INTERVAL = 300.0

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([1-9][0-9]{0,5}) ?([smhd])")
_LAST = re.compile(r"last ([1-9][0-9]{0,8})")
_SINCE = re.compile(r"since ([0-9]{4}-[0-9]{2}-[0-9]{2})")


def feeds(node: Node, what: str, names: Names) -> tuple[Feed, ...]:
    nodes = a_list(node, what)
    own = _Own(partial(rules, names=names), targets(names))
    read = each(nodes, partial(_feed, own=own), what)
    unique(nodes, [feed.name for feed in read], "name", "another feed is called “{}” already")
    unique(nodes, [canonical(feed.url) for feed in read], "url", "the feed {} is here already")
    return read


@dataclass(frozen=True, slots=True)
class _Own:
    """Readers of what refers to other parts of the file."""

    rules: Reader[tuple[Rule, ...]]
    to: Reader[tuple[str, ...]]


def _feed(node: Node, _what: str, own: _Own) -> Feed:
    readers: dict[str, Reader[Any]] = {
        "url": address,
        "name": name,
        "tags": tags,
        "start": _start,
        "interval": _interval,
        "to": own.to,
        "categories": yes_or_no,
        "at_once": _number,
        "per_day": _number,
        "auth": _auth,
        "headers": _headers,
        "rules": own.rules,
    }
    found = block(node, called("feed", node), readers, required=("url", "name"))
    feed = Feed(**found.pop("auth", {}), **found, line=node.line + 1)
    if too_often(feed.url, feed.interval):
        what = f"“interval” in feed “{feed.name}” is shorter than 5 minutes"
        raise wrong(place_of(node, ["interval"]), what, "Sites ban readers for that; 30m or 1h is usual.")
    return feed


def too_often(url: str, interval: float) -> bool:
    """Whether asking a stranger's server every so many seconds would get us banned."""
    return interval < SHORTEST_INTERVAL and not _of_ones_own(url)


def _of_ones_own(url: str) -> bool:
    """A server in one's own network may be asked as often as one likes."""
    name = host(url)
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_private
    except ValueError:
        return False


def _auth(node: Node, what: str) -> dict[str, Any]:
    return block(node, what, {"user": text, "password": secret}, required=("user", "password"))


def _headers(node: Node, what: str) -> dict[str, Mapping[str, str]]:
    each([key for key, _ in node.entries] if isinstance(node, Block) else [], header_name, f"a name in {what}")
    return block(node, what, dict.fromkeys(keys_of(node), secret))


def _number(node: Node, what: str) -> int:
    written = text(node, what)
    if not re.fullmatch(r"[1-9][0-9]{0,5}", written):
        raise wrong(node, f"{what} is no number of entries: “{written}”", "Write a whole number, as in 20.")
    return int(written)


def start_of(written: str) -> Start:
    """As `start` in the file. Raises ConfigError for what is none."""
    return _said(_start, written, "start")


def interval_of(written: str) -> float:
    """As `interval` in the file, in seconds. Raises ConfigError for what is none."""
    return _said(_interval, written, "interval")


def _said(read: Reader[T], written: str, key: str) -> T:
    try:
        return read(Scalar(0, 0, written, plain=False), f"“{key}”")
    except Wrong as error:
        raise ConfigError(f"{error.faults[0].message}. {error.faults[0].meant}") from None


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
