"""SQLite: one thread writes and checkpoints, units that wait are committed together, one thread reads.

A unit is a plain function of a transaction: data in, data out. Each runs behind a savepoint, so that its failure
rolls back nothing but itself; all that wait share one fsync (`synchronous=FULL`). SQLite before 3.51.3 can corrupt
a WAL database when several connections write or checkpoint: here only one ever does.

When the disk is full, the reserve is given up: units that bring something new are refused until there is room again,
the others go on with what the reserve left. So nothing that was begun, a link that was sent above all, is forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bridge.errors import Full, StoreError, Unusable
from bridge.store import soundness
from bridge.store.ballast import Ballast, Reserve

T = TypeVar("T")
Item = TypeVar("Item")

log = logging.getLogger(__name__)

MOST_UNITS = 256
"""Units in one commit: bounds how long the first of them waits."""


_FULL_WORDS = "the disk is full: nothing new is taken until there is room"

PROBE_SECONDS = 1.0
"""While the disk is full, it is looked for room at most so often."""

_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)
"""What a full disk, a quota or a limit on a file's size looks like: the texts differ, the codes do not."""


class Rows(Protocol):
    """What a statement answers."""

    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    @property
    def rowcount(self) -> int: ...


class Tx(Protocol):
    """A transaction, as units of work see it: SQL both engines speak, `?` for parameters, rows as tuples."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Rows: ...
    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> Rows: ...


@dataclass(slots=True)
class _Waiting:
    unit: Callable[..., Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    items: tuple[Any, ...] = ()
    grows: bool = False
    result: Any = None
    error: BaseException | None = None


def padded(values: Sequence[T]) -> Sequence[T | None]:
    """With None, which no id is, up to a power of two: statements of few lengths stay prepared, in little memory."""
    return [*values, *[None] * ((1 << (len(values) - 1).bit_length()) - len(values) if values else 0)]


def marks(values: Sequence[Any]) -> str:
    """A parameter for each."""
    return ", ".join("?" * len(values))


def chunks(whole: Sequence[T], size: int) -> list[Sequence[T]]:
    """At most so many each: the numbers of rows and of parameters in a statement are bounded."""
    return [whole[start : start + size] for start in range(0, len(whole), size)]


class Database:
    """A file, opened by exactly one process. `reserve`: what is given up when the disk is full; a command that only
    `looks` makes none."""

    def __init__(self, path: Path, reserve: Reserve | None = None, *, looks: bool = False) -> None:
        ballast = path.with_name("ballast")
        soundness.refuse_unsound(path, ballast)
        self._path = path
        self._reserve = reserve or Ballast(ballast, makes=not looks)
        self._probe_at = 0.0
        self._waiting: deque[_Waiting] = deque()
        self._wake = threading.Event()
        self._called = False
        self._closing = False
        self._writer = _connect(path)
        self._full = not self._reserve.refill()
        self._reader = _connect_reader(path)
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether units are still worked on."""
        return self._thread.is_alive()

    @property
    def full(self) -> bool:
        """Whether units that grow are refused."""
        return self._full

    def write(self, unit: Callable[[Tx], T], *, grows: bool = False) -> Awaitable[T]:
        """Runs the unit; when this returns, what it did survives a power cut. `grows`: it brings something new.

        Raises what the unit raised, or StoreError when the database failed: then nothing of it was written. It is Full
        when there is no room; a unit that does not grow finds some for longer.
        A caller that is cancelled while waiting cannot know; the unit may still be committed.
        """
        return self._written(unit, (), grows=grows)

    def write_one(
        self, unit: Callable[[Tx, Sequence[Item]], Sequence[T]], item: Item, *, grows: bool = False
    ) -> Awaitable[T]:
        """As `write`, of a unit that takes any number of items and answers one result for each: what waits for the
        same unit is done at once. Items it fails for are given to it one by one."""
        return self._written(unit, (item,), grows=grows)

    def _written(self, unit: Callable[..., Any], items: tuple[Any, ...], *, grows: bool) -> asyncio.Future[Any]:
        if self._closing:
            raise StoreError("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(_Waiting(unit, loop, future, items, grows))
        if not self._called:
            # At the end of this turn: what is wanted in one is committed at once, and the writer interrupts nobody.
            self._called = True
            loop.call_soon(self._call)
        return future

    def _call(self) -> None:
        self._called = False
        self._wake.set()

    async def read(self, query: Callable[[Tx], T]) -> T:
        """Runs a query on a consistent snapshot; it cannot write."""

        def snapshot() -> T:
            self._reader.execute("BEGIN")
            try:
                return query(self._reader)
            except sqlite3.Error as error:
                raise StoreError(f"the database could not be read: {error}") from error
            finally:
                self._reader.execute("ROLLBACK")

        return await asyncio.get_running_loop().run_in_executor(self._readers, snapshot)

    async def aside(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """A long query on a consistent snapshot, over a connection of its own: nobody waits for it."""

        def snapshot() -> T:
            with contextlib.closing(_connect_reader(self._path)) as connection:
                connection.execute("BEGIN")
                try:
                    return query(connection)
                except sqlite3.Error as error:
                    raise StoreError(f"the database could not be read: {error}") from error

        return await asyncio.to_thread(snapshot)

    def undo_in_memory(self) -> None:
        """What a unit would undo is in memory from now on: a file made, written and deleted in every commit costs more
        than the commit. To be called while nothing waits, when the schema is as it should be: only changing that may
        touch more than fits there.
        """
        self._writer.execute("PRAGMA temp_store=MEMORY").fetchall()

    async def close(self) -> None:
        """Commits what waits, checkpoints and closes."""
        self._closing = True
        self._wake.set()
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._readers.shutdown)
        self._reader.close()
        self._writer.close()
        self._reserve.rest()

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while batch := self._take():
                self._commit(batch)
                _answer(batch)
            if self._closing:
                return

    def _take(self) -> list[_Waiting]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_UNITS))]

    def _commit(self, batch: list[_Waiting]) -> None:
        taken = []
        for waiting in batch:
            waiting.error = Full(_FULL_WORDS) if waiting.grows and not self._has_room() else None
            taken += [waiting] if waiting.error is None else []
        if not taken:
            return
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for together in _together(taken):
                self._run(together)
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            # A commit that raised is ambiguous: nothing of it is acknowledged.
            if self._writer.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
            if _is_full(error) and not self._full:
                self._give_way()
                self._commit(batch)
                return
            for waiting in taken:
                waiting.error = _store_error(error)

    def _has_room(self) -> bool:
        if self._full and time.monotonic() >= self._probe_at:
            self._probe_at = time.monotonic() + PROBE_SECONDS
            self._full = not self._reserve.refill()
            if not self._full:
                log.warning("there is room on the disk again: everything goes on")
        return not self._full

    def _give_way(self) -> None:
        log.error("the disk is full: nothing new is taken until there is room; what was begun is written down")
        self._full, self._probe_at = True, time.monotonic() + PROBE_SECONDS
        self._reserve.release()
        # The log's pages go where they belong while there is room for them: so it is begun anew and grows no further.
        with contextlib.suppress(sqlite3.Error):
            self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _run(self, together: Sequence[_Waiting]) -> None:
        self._writer.execute("SAVEPOINT unit")
        try:
            results = _results(self._writer, together)
        except BaseException as error:
            if _is_full(error):
                raise  # SQLite may have rolled back all of it
            self._writer.execute("ROLLBACK TO unit")
            if len(together) == 1:
                together[0].error = _store_error(error) if isinstance(error, sqlite3.Error) else error
            else:
                for waiting in together:
                    self._run([waiting])
        else:
            for waiting, result in zip(together, results, strict=True):
                waiting.result = result
        self._writer.execute("RELEASE unit")


def _together(batch: Sequence[_Waiting]) -> Iterator[Sequence[_Waiting]]:
    """In their order; neighbours that wait for the same unit with an item each are one."""
    for _, found in groupby(batch, key=lambda waiting: waiting.unit):
        group = list(found)
        yield from [group] if group[0].items else ([waiting] for waiting in group)


def _results(tx: Tx, together: Sequence[_Waiting]) -> Sequence[Any]:
    unit, items = together[0].unit, [item for waiting in together for item in waiting.items]
    return unit(tx, items) if items else [unit(tx)]


def _is_full(error: BaseException) -> bool:
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) in _FULL


def _store_error(error: sqlite3.Error) -> StoreError:
    failure = (Full if _is_full(error) else StoreError)(f"the database failed: {error}")
    failure.__cause__ = error
    return failure


def _answer(batch: list[_Waiting]) -> None:
    loops = {waiting.loop for waiting in batch}
    for loop in loops:
        mine = [waiting for waiting in batch if waiting.loop is loop]
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            loop.call_soon_threadsafe(_resolve, mine)


def _resolve(batch: list[_Waiting]) -> None:
    for waiting in batch:
        if waiting.future.done():
            continue  # the caller was cancelled
        if waiting.error is None:
            waiting.future.set_result(waiting.result)
        else:
            waiting.future.set_exception(waiting.error)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "cache_size=-8192"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute("PRAGMA journal_size_limit=16777216").fetchall()
        # Half of what the ballast leaves room for: a page that many commits change is written back once for all.
        connection.execute("PRAGMA wal_autocheckpoint=2000").fetchall()
        soundness.check(connection, path)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # what is damaged may stand in the words of the error
        connection.close()
        raise Unusable(f"{path} is not a usable database: {error}. {soundness.advice(path)}") from error
    except Unusable:
        connection.close()
        raise
    return connection


def _connect_reader(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA cache_size=-4096").fetchall()
    return connection
