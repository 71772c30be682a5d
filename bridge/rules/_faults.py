"""What is wrong in a rule file and where, and how a person is told: the line, a caret, and what would be right."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from bridge.errors import ConfigError
from bridge.link import tidy

MOST_TOLD = 5
"""Faults told at once: more would scroll the first away."""

WIDEST = 110
LONGEST_MESSAGE = 400

# libyaml counts lines by these breaks; counting otherwise would show the wrong line.
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

# Options of a destination by their names, and what addresses carry.
_OPTION = re.compile(
    r"""(?ix) (?: token | secret | passw\w* | passphrase | key | cookie | authorization ) ["']? \s* : \s*
        (?P<secret> "[^"]*"? | '[^']*'? | [^\s{,}][^,}]* )"""
)
_IN_ADDRESS = re.compile(
    r"""(?ix) (?: token | secret | passw\w* | key ) = (?P<parameter> [^&\s"',}]+ ) | // (?P<user> [^/@\s]+ ) @"""
)


class Place(Protocol):
    """Anything with a position: line and column count from 0."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Spot:
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """`rank` orders what is told: 0 is a fault of its own, 1 may only follow from another (a name not found)."""

    rank: int
    line: int
    column: int
    message: str
    meant: str


class Wrong(Exception):  # noqa: N818 - never leaves this folder
    """Some part of the file cannot be used, for one or more faults."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__()
        self.faults = tuple(faults)


def wrong(place: Place, message: str, meant: str = "", *, rank: int = 0) -> Wrong:
    return Wrong([Fault(rank, place.line, place.column, message, meant)])


def config_error(name: str, text: str, faults: Iterable[Fault]) -> ConfigError:
    """The faults as one message, the most important first. Nothing that looks like a secret is repeated."""
    lines = _LINE_BREAK.split(text)
    ranked = sorted(set(faults))
    told = [_told(name, lines, fault) for fault in ranked[:MOST_TOLD]]
    if len(ranked) > MOST_TOLD:
        told.append("… and more below.")
    return ConfigError("\n\n".join(told))


def spot_in(text: str, index: int) -> Spot:
    before = _LINE_BREAK.split(text[:index])
    return Spot(len(before) - 1, len(before[-1]))


def source_line(text: str, line: int) -> str:
    """The line counted from 0; the empty text behind the last one."""
    lines = _LINE_BREAK.split(text)
    return lines[line] if line < len(lines) else ""


def _told(name: str, lines: list[str], fault: Fault) -> str:
    line = lines[fault.line] if fault.line < len(lines) else ""
    masked = _IN_ADDRESS.sub(_dotted, _OPTION.sub(_dotted, line))
    shown = "".join(char if char == "\t" or char.isprintable() else "�" for char in masked)
    first = max(0, fault.column - WIDEST // 2) if len(shown) > WIDEST else 0
    parts = [
        f"{name}:{fault.line + 1}:{fault.column + 1}: {_words(fault.message)}",
        shown[first : first + WIDEST].rstrip(),
        _indent(shown[first : fault.column]) + "^",
        _words(fault.meant),
    ]
    return "\n".join(part for part in parts if part)


def _words(text: str) -> str:
    """A message may quote the file: one line, not too long, without what addresses carry."""
    text = _IN_ADDRESS.sub(_dotted, tidy(text))
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}…"


def _indent(before: str) -> str:
    """Blanks as wide as `before` on a terminal, so that the caret stands under its character."""
    return "".join("\t" if char == "\t" else " " * _width(char) for char in before)


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _dotted(match: re.Match[str]) -> str:
    # One dot per character: the caret stays where it belongs.
    start, end = match.span(match.lastgroup or 0)
    whole, offset = match.group(), match.start()
    return whole[: start - offset] + "•" * (end - start) + whole[end - offset :]
