"""CSV with a header line: Pocket's parts of 2024 and 2025, Instapaper's export, and whatever names a column “url”."""

from __future__ import annotations

import csv
import io
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from bridge.errors import InvalidArrival
from bridge.reading_list import ARCHIVED
from bridge.record import Record, highlight, moment, status_of
from bridge.sources.files.fault import Fault
from bridge.sources.files.lines import LONGEST_LINE, numbered

MOST_LINES = 50
"""Lines one row may have: a quotation mark that nothing closes must not swallow the rest of the file."""

_COLUMNS = {
    "url": "url link href",
    "title": "title name",
    "time_added": "time_added timestamp created created_at",
    "tags": "tags labels",
    "status": "status state",
    "folder": "folder",
    "quote": "selection highlight",
    "favorite": "favorite",
}
_MEANING = {name: field for field, names in _COLUMNS.items() for name in names.split()}
_UNCLOSED = "its quotation marks or its number of columns are wrong"


def is_header(line: str) -> bool:
    """Whether a first line names a column of addresses and at least one more."""
    row = _parsed(line)
    return row is not None and len(row) > 1 and "url" in _fields(row)


def records(text: TextIO) -> Iterator[Record | Fault]:
    fields: Sequence[str] = ()
    for number, row in _rows(_Lines(text)):
        if row is None:
            yield Fault(number, _UNCLOSED)
        elif not fields:
            fields = _fields(row)
        else:
            yield _record(number, dict(zip(fields, row, strict=False)))


def _fields(row: Sequence[str]) -> list[str]:
    return [_MEANING.get(name.strip().strip("\ufeff").lower(), "") for name in row]


def _record(number: int, row: Mapping[str, str]) -> Record | Fault:
    url, folder = row.get("url", "").strip(), row.get("folder", "").strip()
    title = row.get("title", "")
    added = moment(row.get("time_added"))
    status = status_of(row.get("status") or folder)
    try:
        return Record.of(
            url,
            title="" if title.strip() == url else title,  # what Pocket writes for want of a title
            tags=[*_tags(row.get("tags", "")), *_folder_tags(folder)],
            status=status,
            favorite=folder.lower() == "starred" or row.get("favorite") == "1",
            highlights=highlight(row.get("quote", "")),
            time_added=added,
            time_read=added if status == ARCHIVED else 0,
        )
    except InvalidArrival as error:
        return Fault(number, str(error))


def _tags(cell: str) -> list[str]:
    if cell.startswith("["):
        try:
            return [tag for tag in json.loads(cell) if isinstance(tag, str)]
        except (ValueError, RecursionError):
            pass  # a tag may begin with a bracket
    return cell.replace(",", "|").split("|")


def _folder_tags(folder: str) -> list[str]:
    """Instapaper's own folders are states; those its user made are as good as tags."""
    return [] if folder.lower() in ("", "unread", "archive", "starred") else [folder]


class _Lines:
    """Lines with their numbers; some may be put back."""

    def __init__(self, text: TextIO) -> None:
        self._numbered = numbered(text)
        self._back: deque[tuple[int, str]] = deque()

    def take(self) -> tuple[int, str] | None:
        return self._back.popleft() if self._back else next(self._numbered, None)

    def put_back(self, lines: Sequence[tuple[int, str]]) -> None:
        self._back.extendleft(reversed(lines))


def _rows(lines: _Lines) -> Iterator[tuple[int, list[str] | None]]:
    """Rows with the line they begin on; None for a line that is none. What follows that line is read afresh."""
    columns = 0
    while first := lines.take():
        number, line = first
        more = _rest(line, lines)
        row = _parsed(line + "".join(text for _, text in more))
        if more and (row is None or len(row) != (columns or len(row))):
            lines.put_back(more)
            row = _parsed(line)
            row = row if row and len(row) == columns else None
        elif row == []:
            continue
        columns = columns or len(row or ())
        yield number, row


def _rest(line: str, lines: _Lines) -> list[tuple[int, str]]:
    """The lines after `line` up to the one that closes its last quotation mark."""
    more: list[tuple[int, str]] = []
    is_open, size = _is_odd(line), len(line)
    while is_open and len(more) < MOST_LINES and size < LONGEST_LINE and (following := lines.take()):
        more.append(following)
        size += len(following[1])
        is_open ^= _is_odd(following[1])
    return more


def _is_odd(line: str) -> bool:
    return line.count('"') % 2 == 1


def _parsed(text: str) -> list[str] | None:
    """The one row that `text` is: empty for a blank line, None when it is no row or several."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=False))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
