"""A copy of the database in one file, and whether such a file can be trusted."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any

from bridge.errors import BridgeError, ConfigError
from bridge.store import books, soundness
from bridge.store.migrations import check_version


def copy(source: sqlite3.Connection, path: Path, *, force: bool = False) -> dict[str, Any]:
    """Copies what `source` sees into `path`, checks the copy, and only then puts it there. Raises BridgeError.

    A file that lies beside the database is refused: it is the database, or something else that is needed.
    Without `force` so is one that is there already.
    """
    _refuse_beside(source, path)
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already; --force replaces it")
    aside = path.with_name(f".{path.name}.new")
    try:
        aside.unlink(missing_ok=True)
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with contextlib.closing(sqlite3.connect(aside, isolation_level=None)) as target:
            source.backup(target, pages=-1)
            # One file, without a log beside it.
            target.execute("PRAGMA journal_mode=DELETE").fetchall()
        found = inspect(aside)
        _sync(aside)
        aside.replace(path)
        _sync(path.parent)
    except (OSError, sqlite3.Error) as error:
        raise BridgeError(f"{path} could not be written: {getattr(error, 'strerror', None) or error}") from None
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
    return {"file": str(path), "bytes": path.stat().st_size, **found}


def _refuse_beside(source: sqlite3.Connection, path: Path) -> None:
    for _, _, database in source.execute("PRAGMA database_list").fetchall():
        folder = Path(database).resolve().parent
        if database and folder in (path.parent.resolve(), path.resolve().parent):
            raise ConfigError(f"{path} lies in the data folder, beside the database: name a file in another folder")


def inspect(path: Path) -> dict[str, Any]:
    """What a backup holds. Raises ConfigError for one that is damaged, newer, or no backup of ours."""
    try:
        with path.open("rb") as file:
            if file.read(len(soundness.MAGIC)) != soundness.MAGIC:
                raise ConfigError(f"{path} is no backup: it is not a database")
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            return _inspected(connection, path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except sqlite3.Error as error:
        raise ConfigError(f"{path} is damaged or no backup of ours: {error}") from None


def cursor(path: Path, scope: str) -> str | None:
    """A cursor that a backup holds; it was inspected."""
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        row = connection.execute("SELECT value FROM progress WHERE scope = ?", (scope,)).fetchone()
    return None if row is None else str(row[0])


def _inspected(connection: sqlite3.Connection, path: Path) -> dict[str, Any]:
    if faults := soundness.structure_faults(connection, thorough=True):
        raise ConfigError(f"{path} is damaged: {faults[0]}; take another backup")
    [version] = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    check_version(version)
    [links] = connection.execute("SELECT count(*) FROM link").fetchone()
    [items] = connection.execute("SELECT count(*) FROM item WHERE status <> 2").fetchone()
    [newest] = connection.execute("SELECT max(received) FROM arrival").fetchone()
    has_books = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'book'").fetchone()[0]
    balances = books.audit(connection).balances if has_books else None
    return {"schema": version, "links": links, "items": items, "newest": newest, "balances": balances}


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
