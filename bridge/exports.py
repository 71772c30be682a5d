"""The list as a file to take away: Pocket's ZIP of CSVs, bookmarks in Netscape's format, JSON."""

from __future__ import annotations

import csv
import html
import io
import itertools
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TextIO

from bridge.reading_list import ARCHIVED, UNREAD, Status
from bridge.record import Record, status_word

PART = 10_000
"""Rows of one CSV in the ZIP, as Pocket cut them."""

HEADER = ("title", "url", "time_added", "tags", "status")

Records = Callable[[Status | None], Iterable[Record]]
"""Reads the list from its beginning: all of it, or what has a status."""


def pocket_zip(file: IO[bytes], records: Records) -> int:
    """Loses favourites and the times of reading and changing, which Pocket's export has no place for."""
    number, marked = 0, False
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        rows = iter(records(None))
        for part in itertools.count():
            first = next(rows, None)
            if first is None and part:
                break
            with _member(archive, f"part_{part:06}.csv") as text:
                table = csv.writer(text)
                table.writerow(HEADER)
                for record in itertools.islice(_with(first, rows), PART):
                    table.writerow(_row(record))
                    number += 1
                    marked = marked or bool(record.highlights)
        if marked:
            with _member(archive, "annotations/part_000000.json") as text:
                _lines(text, map(_annotated, filter(lambda record: record.highlights, records(None))))
    return number


def bookmarks(file: IO[bytes], records: Records) -> int:
    """Loses what the ZIP loses, and highlights."""
    text = io.TextIOWrapper(file, "utf-8", newline="")
    text.write(_NETSCAPE)
    number = 0
    for heading, status in (("Unread", UNREAD), ("Read Archive", ARCHIVED)):
        text.write(f"    <DT><H3>{heading}</H3>\n    <DL><p>\n")
        for record in records(status):
            text.write(_bookmark(record))
            number += 1
        text.write("    </DL><p>\n")
    text.write("</DL><p>\n")
    text.detach()
    return number


def plain(file: IO[bytes], records: Records) -> int:
    """Loses nothing. One record a line."""
    text = io.TextIOWrapper(file, "utf-8", newline="")
    text.write('{"format": "pocket-bridge", "version": 1, "items": ')
    number = _lines(text, (record.plain() for record in records(None)))
    text.write("}\n")
    text.detach()
    return number


WRITERS: Mapping[str, Callable[[IO[bytes], Records], int]] = {"zip": pocket_zip, "html": bookmarks, "json": plain}
"""Each writes the whole list to a file, with the memory of a page, and answers how many items that were."""


_NETSCAPE = """<!DOCTYPE NETSCAPE-Bookmark-file-1>
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<TITLE>Bookmarks</TITLE>
<H1>Bookmarks</H1>
<DL><p>
"""


@contextmanager
def _member(archive: zipfile.ZipFile, name: str) -> Iterator[TextIO]:
    with (
        archive.open(name, "w", force_zip64=True) as file,
        io.TextIOWrapper(file, "utf-8", newline="") as text,
    ):
        yield text


def _with(first: Record | None, rest: Iterator[Record]) -> Iterator[Record]:
    return rest if first is None else itertools.chain((first,), rest)


def _row(record: Record) -> tuple[object, ...]:
    item = record.item
    return item.title or item.url, item.url, item.time_added, _joined(item.tags, "|"), status_word(item.status)


def _annotated(record: Record) -> dict[str, object]:
    written = record.plain()
    return {name: written[name] for name in ("url", "title", "highlights")}


def _bookmark(record: Record) -> str:
    item = record.item
    tags = f' TAGS="{html.escape(_joined(item.tags, ","))}"' if item.tags else ""
    href, title = html.escape(item.url), html.escape(item.title or item.url)
    return f'        <DT><A HREF="{href}" ADD_DATE="{item.time_added}"{tags}>{title}</A>\n'


def _joined(tags: Iterable[str], mark: str) -> str:
    """Marks within a tag would cut it in two where it is read."""
    return mark.join(tag.replace("|", " ").replace(",", " ") for tag in tags)


def _lines(text: TextIO, values: Iterable[Mapping[str, object]]) -> int:
    number = 0
    text.write("[")
    for number, value in enumerate(values, 1):
        text.write("\n" if number == 1 else ",\n")
        text.write(json.dumps(value, ensure_ascii=False))
    text.write("\n]")
    return number
