"""Room set aside: a file that is given up when the disk is full, so that what was begun can still be written down.

It is as large as the write-ahead log can become: a commit and a checkpoint fit into what it leaves.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Protocol

MIB = 1024 * 1024
BALLAST_BYTES = 16 * MIB
MARGIN_BYTES = 4 * MIB
"""Free beside the ballast before anything new is taken: a disk that is full again at once helps nobody."""


class Reserve(Protocol):
    def release(self) -> None:
        """Gives the room up, if there is any."""
        ...

    def refill(self) -> bool:
        """Whether it is there (again), with some room beside it."""
        ...

    def rest(self) -> None:
        """Nobody writes any more: the room is everybody's until the next start."""
        ...


class Ballast:
    """A file beside the database. Not `makes`: it is left as it is, for a command that only looks."""

    def __init__(
        self, path: Path, size: int = BALLAST_BYTES, margin: int = MARGIN_BYTES, *, makes: bool = True
    ) -> None:
        self._makes = makes
        self._path = path
        self._size = size
        self._margin = margin

    def release(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def refill(self) -> bool:
        try:
            if self._makes and (not self._path.exists() or self._path.stat().st_size < self._size):
                self._make()
            free = shutil.disk_usage(self._path.parent).free
        except OSError:
            self.release()
            return False
        if free < self._margin:
            self.release()
        return free >= self._margin

    def rest(self) -> None:
        """The empty file stays: it tells that there was a database here."""
        with contextlib.suppress(OSError):
            if self._makes and self._path.exists():
                os.truncate(self._path, 0)

    def _make(self) -> None:
        aside = self._path.with_suffix(".new")
        try:
            with aside.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
            aside.replace(self._path)
        finally:
            aside.unlink(missing_ok=True)
