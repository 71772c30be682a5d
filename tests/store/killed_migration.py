"""A migration that is killed before its first statement, before its second, and so on, each time on a fresh copy.

    python -m tests.store.killed_migration FOLDER

FOLDER holds `old.db`. Prints, as JSON, how each child ended and which versions its database has then.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bridge.store.migrations import migrate

KILLED = 9


class Killed:
    """A transaction that ends the process before the statement with this number."""

    def __init__(self, connection: sqlite3.Connection, at: int) -> None:
        self._connection = connection
        self._left = at

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> sqlite3.Cursor:
        if self._left == 0:
            os._exit(KILLED)
        self._left -= 1
        return self._connection.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> sqlite3.Cursor:
        return self._connection.executemany(sql, parameters)


def migrated(path: Path, at: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    connection.execute("BEGIN IMMEDIATE")
    migrate(Killed(connection, at))
    connection.execute("COMMIT")
    os._exit(0)


def versions(path: Path) -> list[int]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT version FROM schema_version ORDER BY version")]


def main() -> None:
    folder = Path(sys.argv[1])
    ended: list[tuple[int, list[int]]] = []
    for at in itertools.count():
        path = folder / f"{at}.db"
        shutil.copyfile(folder / "old.db", path)
        child = os.fork()
        if child == 0:
            migrated(path, at)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        ended.append((code, versions(path)))
        if code != KILLED:
            break
    print(json.dumps(ended))


if __name__ == "__main__":
    main()
