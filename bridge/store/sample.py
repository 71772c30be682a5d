"""Counts for measuring, of one moment. Every label is one of few: sources, connections, states, outcomes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bridge.store import books
from bridge.store.sqlite import Tx

_SQL_ENTRIES = "SELECT source, entry, sum(number) FROM book WHERE entry LIKE ? GROUP BY source, entry"
_SQL_WAITING = "SELECT connection, min(at) FROM delivery WHERE state IN ('pending', 'leased') GROUP BY connection"
_SQL_TRIED = """
    SELECT coalesce(d.connection, '?'), a.outcome, count(*) FROM attempt a LEFT JOIN delivery d ON d.id = a.delivery
    WHERE a.id > ? GROUP BY 1, 2
"""


class Meter:
    """Attempts are counted from `begin` on, each once: what is purged stays counted."""

    def __init__(self) -> None:
        self._last = 0
        self._tried: Counter[tuple[str, str]] = Counter()

    def begin(self, tx: Tx) -> None:
        """What was tried before is not counted."""
        self._last = _last_attempt(tx)

    def sample(self, tx: Tx, now: float) -> dict[str, Any]:
        """See operations.Books.sample."""
        self._count(tx)
        arrived = tx.execute(_SQL_ENTRIES, (books.ARRIVED,)).fetchall()
        taken = tx.execute(_SQL_ENTRIES, (f"{books.TAKEN}:%",)).fetchall()
        new = "SELECT count(*), min(received), max(received) FROM arrival WHERE state = 'new'"
        waiting, first, _ = tx.execute(new).fetchone()
        newest = tx.execute("SELECT received FROM arrival ORDER BY id DESC LIMIT 1").fetchone()
        return {
            "arrived": [(source, number) for source, _, number in arrived],
            "taken": [(source, entry.partition(":")[2], number) for source, entry, number in taken],
            "new": waiting,
            "newest": newest[0] if newest else 0.0,
            "deliveries": tx.execute(
                "SELECT connection, state, count(*) FROM delivery GROUP BY connection, state"
            ).fetchall(),
            "attempts": [(*name, number) for name, number in sorted(self._tried.items())],
            "gates": tx.execute("SELECT connection, state, not_before, failures FROM gate").fetchall(),
            "oldest_arrival": max(now - first, 0.0) if first is not None else 0.0,
            "oldest_delivery": [(name, max(now - at, 0.0)) for name, at in tx.execute(_SQL_WAITING).fetchall()],
        }

    def _count(self, tx: Tx) -> None:
        last = _last_attempt(tx)
        for connection, outcome, number in tx.execute(_SQL_TRIED, (self._last,)).fetchall():
            self._tried[connection, outcome] += number
        self._last = last


def _last_attempt(tx: Tx) -> int:
    return int(tx.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()[0])
