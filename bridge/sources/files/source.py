"""Files of links that other services export: what they are is told by their content, and they are read row by row."""

from __future__ import annotations

import contextlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TextIO

from bridge.errors import ConfigError
from bridge.link import Sighting
from bridge.ports import Arrival, Reading
from bridge.record import Record
from bridge.sources.files import csv_files, json_files, lines, markup, zip_files
from bridge.sources.files.fault import Fault

__all__ = ["Fault", "ListFile", "opened", "read"]

KINDS = (
    "a ZIP or CSV from Pocket, ril_export.html, a CSV from Instapaper, bookmarks (HTML), OPML, our own export, "
    "or a text file with one address a line"
)

_HEAD = 8 * 1024
CHUNK = 64 * 1024

_DECLARED = re.compile(r"(?:charset|encoding)\s*=\s*[\"']?((?:iso-8859-|windows-125|latin)[\w-]*)", re.IGNORECASE)
_ADDRESS_LINE = re.compile(r"^\s*https?://\S", re.IGNORECASE | re.MULTILINE)
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)

Reader = Callable[[TextIO], Iterator[Record | Fault]]


def read(group: Sequence[Arrival]) -> Reading:
    """Records that are to go through the rules. Pure; the raw text of each arrival is a JSON list of them."""
    return Reading([_sighting(raw) for arrival in group for raw in json.loads(arrival.raw)])


def _sighting(raw: dict[str, object]) -> Sighting:
    record = Record.from_plain(raw)
    item = record.item
    note = "\n\n".join(highlight.quote for highlight in record.highlights)
    return Sighting.of(item.url, source="file", title=item.title, tags=item.tags, note=note, at=float(item.time_added))


@dataclass(slots=True)
class ListFile:
    """A file that is open: iterate to read it, once. `done` of `size` bytes are read; both count unpacked ones.

    A row that cannot be taken is a Fault in its place; the other rows are not its business.
    """

    size: int
    rows: Iterator[Record | Fault]
    done: int = 0

    def __iter__(self) -> Iterator[Record | Fault]:
        return self.rows


@contextlib.contextmanager
def opened(path: Path) -> Iterator[ListFile]:
    """Raises ConfigError, in words for the person who named the file, when it cannot be read or is none we know."""
    with contextlib.ExitStack() as stack:
        try:
            listed = _opened(stack, path)
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None
        except _DAMAGED as error:
            raise ConfigError(f"{path} is a damaged ZIP: {error}") from None
        except ConfigError as error:
            raise ConfigError(f"{path} {error}") from None
        yield listed


def _opened(stack: contextlib.ExitStack, path: Path) -> ListFile:
    file = stack.enter_context(path.open("rb"))
    packed = file.read(4) == b"PK\x03\x04"
    file.seek(0)
    if packed:
        return _archive(stack.enter_context(zipfile.ZipFile(file)))
    return _single(file, path.stat().st_size)


def _single(file: IO[bytes], size: int) -> ListFile:
    listed = ListFile(size, iter(()))
    stream = io.BufferedReader(_Counted(file, listed), CHUNK)
    reader = _recognised(stream)
    if reader is None:
        raise ConfigError(f"is nothing that can be imported: that is {KINDS}")
    listed.rows = reader(_text(stream))
    return listed


def _archive(archive: zipfile.ZipFile) -> ListFile:
    members = zip_files.members(archive)
    listed = ListFile(sum(info.file_size for info in members), iter(()))
    listed.rows = (row for info in members for row in _member(archive, info, listed))
    return listed


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, listed: ListFile) -> Iterator[Record | Fault]:
    """The rows of one file within an archive; damage costs what follows it in this file."""
    line = 0
    try:
        with archive.open(info) as file:
            stream = io.BufferedReader(_Counted(file, listed), CHUNK)
            reader = _recognised(stream)
            if reader is None:
                yield Fault(1, "is no list of links and is not read", info.filename)
                return
            for row in reader(_text(stream)):
                line = row.line if isinstance(row, Fault) else line
                yield replace(row, part=info.filename) if isinstance(row, Fault) else row
    except _DAMAGED as error:
        yield Fault(line, f"is damaged, the rest of it is lost ({error})", info.filename)


class _Counted(io.RawIOBase):
    """Reads another file and says how far it is."""

    def __init__(self, file: IO[bytes], listed: ListFile) -> None:
        super().__init__()
        self._file = file
        self._listed = listed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed says Buffer
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._listed.done += len(data)
        return len(data)


def _text(stream: io.BufferedReader[_Counted]) -> TextIO:
    return io.TextIOWrapper(stream, _encoding(stream.peek(_HEAD)[:_HEAD]), errors="replace", newline="")


def _encoding(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    declared = _DECLARED.search(head.decode("ascii", "replace"))
    return declared[1] if declared and head.lstrip().startswith(b"<") else "utf-8-sig"


def _recognised(stream: io.BufferedReader[_Counted]) -> Reader | None:
    head = stream.peek(_HEAD)[:_HEAD]
    start = head.decode(_encoding(head), "replace").lstrip("\ufeff \t\r\n")
    folded = start.lower()
    if folded.startswith("<"):
        return markup.outlines if "<opml" in folded else markup.bookmarks
    if folded.startswith(("[", "{")):
        return json_files.records
    if csv_files.is_header(start.partition("\n")[0]):
        return csv_files.records
    is_text = "\x00" not in start
    return lines.records if is_text and _ADDRESS_LINE.search(start) else None
