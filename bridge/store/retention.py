"""What need not be kept any longer, deleted some at a time. Never what waits; the books keep the numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bridge.rules import Keep
from bridge.store import books
from bridge.store.sqlite import Tx

CHUNK = 500
"""Rows looked at in one unit."""

_AWAITED = "state IN ('pending', 'leased', 'held', 'unknown')"
_HOOKS = ("hook", "save")

_SQL_ATTEMPTS = f"""
    SELECT a.id, a.at, EXISTS (SELECT 1 FROM delivery d WHERE d.id = a.delivery AND d.{_AWAITED})
    FROM attempt a WHERE a.id > ? ORDER BY a.id LIMIT ?
"""
_SQL_SIGHTINGS = f"""
    SELECT s.id, s.received, EXISTS (SELECT 1 FROM delivery d WHERE d.link = s.link AND d.{_AWAITED})
        OR EXISTS (SELECT 1 FROM request r WHERE r.about = s.arrival AND r.answer = ''),
        s.state, coalesce(a.source, '?'), {books.FATE}
    FROM sighting s LEFT JOIN arrival a ON a.id = s.arrival WHERE s.id > ? ORDER BY s.id LIMIT ?
"""
_SQL_ARRIVALS = """
    SELECT a.id, a.received,
        a.state = 'new' OR EXISTS (SELECT 1 FROM request r WHERE r.arrival = a.id AND r.answer = ''),
        a.state, a.source, EXISTS (SELECT 1 FROM sighting s WHERE s.arrival = a.id)
    FROM arrival a WHERE a.id > ? ORDER BY a.id LIMIT ?
"""

Rows = Sequence[Sequence[Any]]


class Walk:
    """Through one table after the other, oldest first; where it stands is forgotten with the process."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, Callable[[Tx, Rows, Keep, float], None]]] = [
            (_SQL_ATTEMPTS, _attempts),
            (_SQL_SIGHTINGS, _sightings),
            (_SQL_ARRIVALS, _arrivals),
        ]
        self._step = 0
        self._after = 0

    def purge(self, tx: Tx, keep: Keep, now: float) -> int:
        """See operations.Books.purge."""
        if self._step == len(self._steps):
            self._step = self._after = 0
            return 0
        sql, delete = self._steps[self._step]
        rows = tx.execute(sql, (self._after, CHUNK)).fetchall()
        old = [row for row in rows if row[1] < now - keep.shortest]
        delete(tx, [row for row in old if not row[2]], keep, now)
        # Rows come in the order of time: behind the first that are young there are only younger ones.
        if not old or len(rows) < CHUNK:
            self._step, self._after = self._step + 1, 0
        else:
            self._after = rows[-1][0]
        return len(rows) or 1


def _attempts(tx: Tx, rows: Rows, keep: Keep, now: float) -> None:
    _delete(tx, "attempt", "id", [row[0] for row in rows if row[1] < now - keep.attempts])


def _sightings(tx: Tx, rows: Rows, keep: Keep, now: float) -> None:
    limits = {"dropped": now - keep.trash}
    gone = [row for row in rows if row[1] < limits.get(row[3], now - keep.facts)]
    _enter(tx, books.SIGHTED, [(row[1], row[4], row[5]) for row in gone])
    _delete(tx, "sighting", "id", [row[0] for row in gone])


def _arrivals(tx: Tx, rows: Rows, keep: Keep, now: float) -> None:
    """What was read keeps its line as long as a link's passport needs it; its raw text goes earlier."""
    gone, blank = [], []
    for row in rows:
        number, received, _, state, source, sighted = row
        unread = state == "parked" or (state == "empty" and source in _HOOKS)
        if received >= now - (keep.captures if unread else keep.arrivals):
            continue
        if sighted:
            blank.append(number)
        else:
            gone.append(row)
    tx.executemany("UPDATE arrival SET raw = '' WHERE id = ? AND raw <> ''", [(number,) for number in blank])
    _enter(tx, books.ARRIVED, [(row[1], row[4], row[3]) for row in gone])
    for table, column in (("report", "arrival"), ("told", "arrival"), ("request", "arrival"), ("arrival", "id")):
        _delete(tx, table, column, [row[0] for row in gone])


def _enter(tx: Tx, entry: str, gone: Sequence[tuple[float, str, str]]) -> None:
    for fate in {fate for _, _, fate in gone} - {"lost"}:
        books.enter(tx, f"{entry}:{fate}", [(at, source) for at, source, what in gone if what == fate])


def _delete(tx: Tx, table: str, column: str, numbers: Sequence[int]) -> None:
    tx.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(number,) for number in numbers])
