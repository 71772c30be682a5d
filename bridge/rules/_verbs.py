"""Readers of `then`: every verb there is, and what each may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from typing import Any, cast

from bridge.errors import InvalidArrival
from bridge.link import host, tidy
from bridge.rules._document import Node, place_of
from bridge.rules._faults import wrong
from bridge.rules._limits import Excess, Period, Quota, Wait
from bridge.rules._parts import Names, tags, targets
from bridge.rules._rewrite import Rewrite
from bridge.rules._rule import Then
from bridge.rules._times import clock, duration
from bridge.rules._title import Template, TemplateFault
from bridge.rules._values import Reader, block, some, text, truth

_QUOTA = re.compile(r"([0-9]{1,6}) ?/ ?(hour|day|week)")
_PARAMETER = re.compile(r"[^\s&=?#]{1,100}")

PLAIN_NOTICE = "{title} ({domain})"
"""What is told where a rule says `notify: true`."""

_NOT_WITH_DROP = ("to", "also", "hold", "delay", "limit", "url")


def verbs(names: Names) -> dict[str, Reader[Any]]:
    return {
        "tag": tags,
        "untag": tags,
        "title": _template,
        "note": _template,
        "notify": _notice,
        "url": _rewrite,
        "to": targets(names),
        "also": targets(names),
        "drop": _reason,
        "hold": _review,
        "delay": _wait,
        "limit": _quota,
        "overflow": _overflow,
        "stop": truth,
    }


def then(node: Node, what: str, readers: Mapping[str, Reader[Any]]) -> Then:
    read = block(node, what, readers)
    for verb in _NOT_WITH_DROP:
        if "drop" in read and verb in read:
            meant = "What is dropped goes nowhere: remove one of them."
            raise wrong(node, f"{what} has both “drop” and “{verb}”", meant)
    if "overflow" in read:
        if "limit" not in read:
            place = place_of(node, ["overflow"])
            raise wrong(place, f"{what} has “overflow” without a limit", "Add a limit, as in: limit: 5/day")
        excess, at = read.pop("overflow")
        read["limit"] = Quota(read["limit"].most, read["limit"].per, excess, at)
    return Then(**read)


def _template(node: Node, what: str) -> Template:
    try:
        return Template.of(text(node, what))
    except TemplateFault as fault:
        raise wrong(node, f"{what}: {fault.message}", fault.meant) from None


def _notice(node: Node, what: str) -> Template:
    written = _reason(node, what)
    return _template(node, what) if written else Template.of(PLAIN_NOTICE)


def _reason(node: Node, what: str) -> str:
    written = tidy(text(node, what))
    match written.lower():
        case "true":
            return ""
        case "false" | "no" | "off" | "yes" | "on":
            meant = "Write the reason, or true; remove the line if the rule should not do it."
            raise wrong(node, f"{what} takes a reason or true, not “{written}”", meant)
    return written


def _review(node: Node, what: str) -> str:
    reason = _reason(node, what)
    return "" if reason.lower() == "review" else reason


def _wait(node: Node, what: str) -> Wait:
    written = " ".join(text(node, what).split())
    if (seconds := duration(written)) is not None:
        return Wait(seconds=seconds)
    at = clock(written.removeprefix("until ")) if written.startswith("until ") else None
    if at is None:
        raise wrong(node, f"{what} is no wait: “{written}”", "Write it like 30m, 2h, 1d, or until 20:00.")
    return Wait(at=at)


def _quota(node: Node, what: str) -> Quota:
    written = text(node, what)
    if not (found := _QUOTA.fullmatch(written)):
        raise wrong(node, f"{what} is no limit: “{written}”", "Write a number and a time: 5/day, 20/week or 3/hour.")
    return Quota(int(found.group(1)), cast("Period", found.group(2)))


def _overflow(node: Node, what: str) -> tuple[Excess, time]:
    written = " ".join(text(node, what).split())
    if written in ("wait", "hold", "drop"):
        return cast("Excess", written), time(0, 0)
    at = clock(written.removeprefix("digest ")) if written.startswith("digest ") else None
    if at is None:
        raise wrong(node, f"{what} cannot be “{written}”", "Write wait, hold, drop, or digest 20:00.")
    return "digest", at


def _rewrite(node: Node, what: str) -> Rewrite:
    return Rewrite(**block(node, what, {"host": _host, "strip": some(_parameter)}))


def _host(node: Node, what: str) -> str:
    written = text(node, what)
    try:
        name = host(f"https://{written}")
    except InvalidArrival:
        name = ""
    if not name or re.search(r"[\s/:@?#*,]", written):
        raise wrong(node, f"{what} is no host: “{written}”", "Write a host such as old.example.com.")
    return name


def _parameter(node: Node, what: str) -> str:
    written = text(node, what)
    if not _PARAMETER.fullmatch(written):
        raise wrong(node, f"{what} is no parameter’s name: “{written}”", "Write it like utm_* or ref.")
    return written.lower()
