"""What a process did to its database's files and said over its sockets, in one order: strace's log, read.

Only what happened counts: a call of another thread that was still under way is placed where it ended, and what was
sent where it began, so that an acknowledgement is never placed later than it was.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SENDS = ("sendto", "sendmsg", "sendmmsg")
CHANGES = (
    *("creat", "open", "openat", "write", "writev", "pwrite64", "pwritev", "pwritev2", "fsync", "fdatasync"),
    *("sync_file_range", "truncate", "ftruncate", "fallocate", "unlink", "unlinkat", "rename", "renameat", "renameat2"),
    *("link", "linkat", "copy_file_range", "sendfile"),
)
_LINE = re.compile(r"(\d+) +(.*)")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)(?:<([^>]*)>)?.*")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_FILE = re.compile(r"-?\w+<([^>]*)>")
_SOCKET = "".join(f"\\x{byte:02x}" for byte in b"socket:")
_SENT = re.compile(rf"(?:{'|'.join(SENDS)})\(|writev?\(\d+<{re.escape(_SOCKET)}")
_UNFINISHED = " <unfinished ...>"
_LONGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Change:
    """`kind`: create, write, cut (to a length, `offset`), sync, remove, and sync folder, which is about names."""

    kind: str
    name: str = ""
    offset: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Said:
    """Bytes on their way to somebody else."""

    data: bytes


def why_not() -> str:
    """Why nothing can be traced here; empty when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (Debian: apt-get install strace)"
    tried = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False)
    return f"strace may not trace here: {tried.stderr.decode().strip()}" if tried.returncode else ""


def command(log: Path) -> list[str]:
    """What to put before a command, so that it is traced with all its threads and children."""
    calls = ",".join((*SENDS, *CHANGES))
    options = ["-f", "-qq", "-y", "-xx", "-s", str(_LONGEST), "--seccomp-bpf", "-e", "signal=none"]
    return ["strace", *options, "-e", f"trace={calls}", "-o", str(log)]


def read(log: Path, folder: Path, names: Sequence[str]) -> Iterator[Change | Said]:
    """What happened to the files `names` in `folder`. Raises ValueError for what this cannot replay."""
    began: dict[str, str] = {}
    with log.open(encoding="ascii") as lines:
        for line in lines:
            matched = _LINE.fullmatch(line.rstrip("\n"))
            if not matched:
                continue
            process, words = matched.groups()
            if resumed := _RESUMED.fullmatch(words):
                begun = began.pop(process)
                if not _SENT.match(begun):
                    yield from _happened(begun + resumed[2], folder, names)
            elif words.endswith(_UNFINISHED):
                began[process] = words.removesuffix(_UNFINISHED)
                if _SENT.match(words):
                    yield _said(words)
            elif _SENT.match(words):
                yield _said(words)
            else:
                yield from _happened(words, folder, names)


def _said(words: str) -> Said:
    return Said(b"".join(bytes.fromhex(text.replace("\\x", "")) for text, _ in _TEXT.findall(words)))


def _happened(words: str, folder: Path, names: Sequence[str]) -> Iterator[Change]:
    matched = _CALL.fullmatch(words)
    if not matched or int(matched[3]) < 0:
        return  # it failed, or is no call
    call, given, answered = matched[1], matched[2], int(matched[3])
    path = _path(call, given, matched[4])
    if path == folder and call in ("fsync", "fdatasync"):
        yield Change("sync folder")
    if path is None or path.parent != folder or path.name not in names:
        return
    yield from _change(call, path.name, given, answered)


def _path(call: str, given: str, opened: str | None) -> Path | None:
    """The file a call is about."""
    if call in ("open", "openat", "creat"):
        named = opened
    elif call in ("unlink", "unlinkat", "rename", "renameat", "renameat2", "truncate", "link", "linkat"):
        named = next((text for text, _ in _TEXT.findall(given)), None)
    else:
        about = _FILE.match(given)
        named = about[1] if about else None
    if named is None:
        return None
    plain = bytes.fromhex(named.replace("\\x", "")).decode() if named.startswith("\\x") else named
    return Path(plain)


def _change(call: str, name: str, given: str, answered: int) -> Iterator[Change]:
    match call:
        case "open" | "openat" | "creat":
            if "O_CREAT" in given or call == "creat":
                yield Change("create", name)
            if "O_TRUNC" in given or call == "creat":
                yield Change("cut", name, 0)
        case "pwrite64":
            [(text, cut_short)] = _TEXT.findall(given)
            data = bytes.fromhex(text.replace("\\x", ""))
            offset = int(given.rpartition(", ")[2])
            if cut_short or len(data) < answered:
                raise ValueError(f"the trace does not hold all that was written to {name}")
            yield Change("write", name, offset, data[:answered])
        case "ftruncate" | "truncate":
            yield Change("cut", name, int(given.rpartition(", ")[2]))
        case "fsync" | "fdatasync":
            yield Change("sync", name)
        case "unlink" | "unlinkat":
            yield Change("remove", name)
        case _:
            raise ValueError(f"{call} of {name} is nothing that can be replayed")
