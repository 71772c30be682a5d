"""A JSON list of records, read one after another: our own export, Pocket's annotations and collections."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

from bridge.errors import InvalidArrival
from bridge.record import Record
from bridge.sources.files.fault import Fault

CHUNK = 64 * 1024
LONGEST_RECORD = 1024 * 1024
"""Characters of one record."""

_LIST = re.compile(r'\A\s*\[|"items"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")
_NEXT = re.compile(r"\n\s*(?=[{\]])")


def records(text: TextIO) -> Iterator[Record | Fault]:
    """One that cannot be read costs what follows it on its line."""
    for line, value in _Elements(text):
        yield value if isinstance(value, Fault) else _record(line, value)


def _record(line: int, value: Any) -> Record | Fault:
    if not isinstance(value, dict):
        return Fault(line, "is not a JSON object with an “url”")
    try:
        return Record.from_plain(value)
    except InvalidArrival as error:
        return Fault(line, str(error))


class _Elements:
    """The elements of the first list, with the lines they begin on; some of the text is in memory."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._buffer = ""
        self._at = 0
        self._line = 1

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        self._refill()
        start = _LIST.search(self._buffer)
        if start is None:
            yield 1, Fault(1, "holds no list of links")
            return
        self._move(start.end())
        while self._finds_another():
            line, decoded = self._line, self._decoded()
            if decoded is None:
                yield line, Fault(line, "is not JSON")
                self._skip()
            else:
                yield line, decoded[0]
                self._move(decoded[1])

    def _finds_another(self) -> bool:
        """Moves to the next element; False at the end of the list."""
        while True:
            if between := _BETWEEN.match(self._buffer, self._at):
                self._move(between.end())
            if self._at < len(self._buffer):
                return self._buffer[self._at] != "]"
            if not self._refill():
                return False

    def _decoded(self) -> tuple[Any, int] | None:
        while True:
            try:
                return _DECODER.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError):
                if len(self._buffer) - self._at > LONGEST_RECORD or not self._refill():
                    return None

    def _skip(self) -> None:
        """To the next line that begins like a record."""
        self._move(self._at + 1)
        while not (found := _NEXT.search(self._buffer, self._at)):
            self._move(max(self._at, len(self._buffer) - CHUNK))
            if not self._refill():
                self._move(len(self._buffer))
                return
        self._move(found.end())

    def _refill(self) -> bool:
        more = self._text.read(CHUNK)
        self._buffer = self._buffer[self._at :] + more
        self._at = 0
        return bool(more)

    def _move(self, end: int) -> None:
        self._line += self._buffer.count("\n", self._at, end)
        self._at = end


_DECODER = json.JSONDecoder()
