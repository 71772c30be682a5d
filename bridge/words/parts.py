"""What all answers in words are made of: numbers, times, columns, colours. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

Data = Mapping[str, Any]

WIDTH = 80
"""Columns of a terminal that nobody has made wider."""


STATES = {
    "pending": "waiting",
    "leased": "being sent",
    "delivered": "delivered",
    "dead": "refused",
    "unknown": "unknown",
    "held": "held",
    "cancelled": "cancelled",
}


def counted(counts: Mapping[str, int], named: Mapping[str, str] = {}) -> str:
    return ", ".join(f"{number} {named.get(state, state)}" for state, number in counts.items()) or "nothing yet"


def how_many(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows below small headings, each column as wide as what is in it; nothing when there are no rows."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lined = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows)]
    return [click.style(lined[0], dim=True), *lined[1:]]


def beside(label: str, text: str, width: int) -> list[str]:
    """A label in a column of its own, and a text beside it that goes on below itself; only its beginning may be
    coloured. An address or a command that is longer than a line stays whole."""
    plain, coloured = click.unstyle(text), text.partition("\x1b[0m")
    room = max(WIDTH - width - 1, 20)
    first, *more = textwrap.wrap(plain, room, break_long_words=False, break_on_hyphens=False) or [""]
    if coloured[1]:
        first = coloured[0] + coloured[1] + first[len(click.unstyle(coloured[0])) :]
    lead = label + " " * (width - len(click.unstyle(label)))
    return [f"{lead} {first}".rstrip(), *(f"{'':{width}} {line}" for line in more)]


def wrapped(text: str) -> list[str]:
    """A sentence in lines; an address or a command that is longer than a line stays whole."""
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def hashtags(tags: Sequence[str]) -> str:
    return "".join(f" #{tag}" for tag in tags)


def quoted(title: str) -> str:
    return f"  “{title}”" if title else ""


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def older_rules(older: Data) -> Sequence[str]:
    """That the rules in use are not those of the file."""
    first, *more = older["because"].splitlines()
    return [f"older rules are in use since {moment(older['since'])}: {first}", *(f"  {line}" for line in more)]


def day(seconds: float) -> str:
    when = datetime.fromtimestamp(seconds).astimezone()
    return f"{when.day} {when:%B %Y}"


def green(word: str) -> str:
    return click.style(word, fg="green")


def red(word: str) -> str:
    return click.style(word, fg="red")
