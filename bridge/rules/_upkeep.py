"""The sections `keep` and `notify`: how long what happened is kept, and who is told when something is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bridge.rules._document import Block, Items, Node, place_of
from bridge.rules._faults import wrong
from bridge.rules._parts import address
from bridge.rules._times import duration
from bridge.rules._values import Reader, block, some, text

DAY = 86400.0
MONTH = 30 * DAY
"""What rules are asked about: `rules list`, `rules diff`, `seen`. Facts younger than this are always kept."""

TROUBLES = ("paused", "down", "stuck", "feed", "disk")

_CHAT = re.compile(r"-?[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Seconds for which what happened is kept after it came: raw texts that were read, requests that could not be,
    attempts, the facts of links with what the rules made of them, and those of dropped links."""

    arrivals: float = 90 * DAY
    captures: float = MONTH
    attempts: float = 90 * DAY
    facts: float = 365 * DAY
    trash: float = 90 * DAY

    @property
    def shortest(self) -> float:
        return min(self.arrivals, self.captures, self.attempts, self.facts, self.trash)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Who is told. `telegram`: True, the people who may use the bot; or these chats. `webhook`: an address, or where to
    find it, `{"env": NAME}` or `{"file": PATH}`; "" is none. `about` names kinds of trouble."""

    telegram: bool | tuple[int, ...] = True
    webhook: str | Mapping[str, str] = ""
    about: tuple[str, ...] = TROUBLES


def keep(node: Node, what: str) -> Keep:
    day, month = _at_least(DAY, "1d"), _at_least(MONTH, "30d")
    readers: dict[str, Reader[Any]] = {
        **dict.fromkeys(("arrivals", "captures", "attempts"), day),
        **dict.fromkeys(("facts", "trash"), month),
    }
    return Keep(**block(node, what, readers))


def _at_least(least: float, written: str) -> Reader[float]:
    def reader(node: Node, what: str) -> float:
        seconds = duration(text(node, what))
        if seconds is None:
            raise wrong(node, f"{what} is no duration: “{text(node, what)}”", "Write a number and a unit: 90d or 52w.")
        if seconds < least:
            raise wrong(
                node, f"{what} is shorter than {written}", f"Write {written} or more: rules look back that far."
            )
        return seconds

    return reader


def notify(node: Node, what: str) -> Notify:
    readers: dict[str, Reader[Any]] = {"telegram": _telegram, "webhook": _webhook, "about": some(_trouble)}
    return replace(Notify(), **block(node, what, readers))


def _telegram(node: Node, what: str) -> bool | tuple[int, ...]:
    if not isinstance(node, Items):
        match text(node, what).lower():
            case "true" | "yes" | "on":
                return True
            case "false" | "no" | "off":
                return False
    return some(_chat)(node, what)


def _chat(node: Node, what: str) -> int:
    written = text(node, what)
    if not _CHAT.fullmatch(written):
        raise wrong(node, f"{what} is no chat: “{written}”", "Write true, false, or the chats' ids: [123456789].")
    return int(written)


def _webhook(node: Node, what: str) -> str | Mapping[str, str]:
    if not isinstance(node, Block):
        return address(node, what)
    found: dict[str, str] = block(node, what, {"env": text, "file": text})
    if len(found) > 1:
        raise wrong(place_of(node, ["file"]), f"{what} has both “env” and “file”", "One of them is enough.")
    return found


def _trouble(node: Node, what: str) -> str:
    written = text(node, what)
    if written not in TROUBLES:
        raise wrong(node, f"{what}: nobody looks for “{written}”", f"Known are: {', '.join(TROUBLES)}.")
    return written
