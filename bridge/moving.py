"""Bring a list, take it away: the command's side, which reads and writes the file and asks for the rest."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from bridge.errors import ConfigError
from bridge.exports import WRITERS
from bridge.reading_list import Status
from bridge.record import Record
from bridge.visits import opened_list

UNIT = 500
"""Rows the process that owns the list takes at a time, so that it stays free for others."""

UNIT_CHARACTERS = 200_000
"""Of one unit, about: a command is one line of limited length."""

PAGE = 200
MOST_TOLD = 1000
"""Bad rows that are kept to be told; more are only counted."""

Ask = Callable[[str, Mapping[str, Any]], Any]
Progress = Callable[[int, int], None]
"""Told how much of how much is done."""


def bring(ask: Ask, path: Path, way: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Reads the file and hands its rows on. `way` says how they are taken (see bridge.transfer)."""
    answer: dict[str, Any] = {"file": path.name, "added": 0, "tagged": 0, "known": 0, "sent": 0, "judged": 0}
    bad: list[dict[str, Any]] = []
    number_bad = 0
    with opened_list(path) as listed:
        for records, faults in _units(listed):
            done = ask("import", {"records": records, "name": path.name, **way}) if records else {}
            for name, number in done.items():
                answer[name] += number
            number_bad += len(faults)
            bad += faults[: MOST_TOLD - len(bad)]
            progress(listed.done, listed.size)
    return {**answer, "bad": number_bad, "bad_rows": bad}


def _units(rows: Any) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Records and bad rows, some at a time."""
    records: list[dict[str, Any]] = []
    faults: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        if isinstance(row, Record):
            records.append(row.plain())
            size += row.size
        else:
            faults.append({"part": row.part, "line": row.line, "reason": row.reason})
        if len(records) + len(faults) >= UNIT or size >= UNIT_CHARACTERS:
            yield records, faults
            records, faults, size = [], [], 0
    yield records, faults


def kind_of(path: Path) -> str:
    """The format that the name of a file asks for; a ZIP when it asks for none."""
    suffix = path.suffix.lower().removeprefix(".")
    return suffix if suffix in WRITERS else "zip"


def take_away(ask: Ask, path: Path, kind: str, *, force: bool = False) -> dict[str, Any]:
    """Writes the list to a file, which appears when it is whole; to standard output when it is called “-”.

    Raises ConfigError for a folder, and for a file that exists, unless `force` replaces it.
    """
    _check_free(path, force=force)
    with _written(path) as file:
        number = WRITERS[kind](file, lambda status: _records(ask, status))
    return {"file": str(path), "format": kind, "items": number}


def _records(ask: Ask, status: Status | None) -> Iterator[Record]:
    after = 0
    while page := ask("export", {"after": after, "limit": PAGE, "status": status}):
        yield from (Record.from_plain(raw) for _, raw in page)
        after = page[-1][0]


def _check_free(path: Path, *, force: bool) -> None:
    if str(path) == "-" or not path.exists():
        return
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: name a file, like {path / 'pocket-bridge.zip'}")
    if not path.is_file():
        raise ConfigError(f"{path} is not a file; “-” is standard output")
    if not force:
        raise ConfigError(f"{path} is there already; --force replaces it")


@contextlib.contextmanager
def _written(path: Path) -> Iterator[IO[bytes]]:
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            yield file
        aside.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        aside.unlink(missing_ok=True)
