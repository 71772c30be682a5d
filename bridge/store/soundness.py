"""Whether a database file is whole, looked at before anything is written to it.

SQLite takes a damaged write-ahead log for one that was cut off by a crash: it forgets what is behind the damage and
says nothing. Here that is told apart. A commit is synced before the next one is written, so two commits behind a broken
frame cannot be what a power cut left. (Damage in the very last commit before a crash looks like the crash.)
"""

from __future__ import annotations

import sqlite3
import struct
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

from bridge.errors import Unusable

MAGIC = b"SQLite format 3\0"
MOST_LOG = 256 * 1024 * 1024
MOST_CHECKED = 512 * 1024 * 1024
"""A larger database is checked as a whole by `doctor`, not at every start: it would take too long."""

_LOG_HEADER = 32
_FRAME_HEADER = 24
_WORD = 0xFFFFFFFF


def refuse_unsound(path: Path, ballast: Path) -> None:
    """Raises Unusable for a file that is not there any more, is none, or whose log is damaged."""
    log = path.with_name(path.name + "-wal")
    size = path.stat().st_size if path.exists() else 0
    if not size:
        if ballast.exists() or (log.exists() and log.stat().st_size > _LOG_HEADER):
            raise Unusable(
                f"{path} is {'empty' if path.exists() else 'gone'}, but there was a database here: put it back, or "
                f"restore a backup with “pocket-bridge restore FILE”; to begin with nothing, remove {ballast} and {log}"
            )
        return
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise Unusable(f"{path} is not a usable database: it does not begin like one. {advice(path)}")
    if log.exists() and (fault := log_fault(log)):
        raise Unusable(f"{log} is damaged: {fault}. {advice(path)}")


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raises Unusable when the file's structure is broken."""
    if path.stat().st_size > MOST_CHECKED:
        return
    if faults := structure_faults(connection):
        raise Unusable(f"{path} is damaged: {faults[0]}. {advice(path)}")


def structure_faults(connection: sqlite3.Connection, *, thorough: bool = False) -> list[str]:
    """In SQLite's words; empty: none. `thorough` compares indexes with their tables too."""
    try:
        rows = connection.execute(f"PRAGMA {'integrity_check' if thorough else 'quick_check'}(3)").fetchall()
    except sqlite3.Error as error:
        return [str(error)]
    return [line for (words,) in rows for line in str(words).splitlines() if line != "ok" and line[:3] != "***"]


def advice(path: Path) -> str:
    return (
        "Nothing was changed. Copy the folder aside; “pocket-bridge restore FILE” brings back a backup. Without one, "
        f"“sqlite3 {path.name} .recover” saves what can be read"
    )


def log_fault(log: Path) -> str:
    """What is wrong with a write-ahead log, "" for nothing that SQLite would not mend by itself."""
    content = log.read_bytes()[:MOST_LOG]
    if len(content) <= _LOG_HEADER:
        return ""
    magic, _, page, _, salts, checksum = struct.unpack(">IIII8s8s", content[:_LOG_HEADER])
    big = bool(magic & 1)
    sums = _checksum(content[: _LOG_HEADER - 8], (0, 0), big=big)
    frame = _FRAME_HEADER + page
    if magic | 1 != 0x377F0683 or struct.pack(">II", *sums) != checksum:
        # A header is written and synced before its first frame.
        return "its first bytes cannot be right" if len(content) >= _LOG_HEADER + _FRAME_HEADER + 512 else ""
    frames = [content[start : start + frame] for start in range(_LOG_HEADER, len(content) - frame + 1, frame)]
    broken = next((n for n, whole in enumerate(_whole(frames, salts, sums, big=big)) if not whole), len(frames))
    commits = [n for n, each in enumerate(frames) if n >= broken and each[8:16] == salts and each[4:8] != bytes(4)]
    if len(commits) < 2:
        return ""
    return f"frame {broken + 1} of {len(frames)} is not what was written, and {len(commits)} commits lie behind it"


def _whole(frames: list[bytes], salts: bytes, sums: tuple[int, int], *, big: bool) -> Iterator[bool]:
    for each in frames:
        sums = _checksum(each[:8] + each[_FRAME_HEADER:], sums, big=big)
        yield each[8:16] == salts and struct.pack(">II", *sums) == each[16:24]


def _checksum(content: bytes, sums: tuple[int, int], *, big: bool) -> tuple[int, int]:
    words = array("I", content)
    if big != (sys.byteorder == "big"):
        words.byteswap()
    one, two = sums
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & _WORD
        two = (two + second + one) & _WORD
    return one, two
