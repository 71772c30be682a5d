"""A text file of addresses: one a line, its title after it if there is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from bridge.errors import InvalidArrival
from bridge.record import Record
from bridge.sources.files.fault import Fault

LONGEST_LINE = 100_000
"""Characters; a longer line is read as several."""


def records(text: TextIO) -> Iterator[Record | Fault]:
    """Blank lines and those that begin with # say nothing."""
    for number, line in numbered(text):
        words = line.split(maxsplit=1)
        if words and not words[0].startswith("#"):
            yield _record(number, *words)


def numbered(text: TextIO) -> Iterator[tuple[int, str]]:
    """Lines of bounded length with their numbers, from 1."""
    return enumerate(iter(lambda: text.readline(LONGEST_LINE), ""), 1)


def _record(number: int, url: str, title: str = "") -> Record | Fault:
    try:
        return Record.of(url, title=title)
    except InvalidArrival as error:
        return Fault(number, str(error))
