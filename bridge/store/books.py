"""The books: what came is counted as it comes, and `audit` holds the counts against the rows, by source and by day.

Counts outlive the rows: what is deleted on purpose is entered with what it was at that time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from bridge.ports import DAY
from bridge.ports.keeping import Audit, Balance
from bridge.store.sqlite import Tx

ARRIVED, SIGHTED, TAKEN = "arrived", "sighted", "taken"

_SQL_ENTER = (
    "INSERT INTO book (day, source, entry, number) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (day, source, entry) DO UPDATE SET number = book.number + excluded.number"
)

# The least settled of its link's deliveries decides; “lost” is wanted nowhere.
FATE = """
    CASE WHEN s.state = 'dropped' THEN 'dropped' ELSE (
        SELECT CASE WHEN count(*) = 0 THEN 'lost' WHEN s.state = 'duplicate' THEN 'duplicate' ELSE CASE min(
            CASE d.state WHEN 'held' THEN 2 WHEN 'unknown' THEN 3 WHEN 'dead' THEN 4 WHEN 'delivered' THEN 5
                WHEN 'cancelled' THEN 6 ELSE 1 END)
            WHEN 1 THEN 'waiting' WHEN 2 THEN 'held' WHEN 3 THEN 'unknown' WHEN 4 THEN 'dead' WHEN 5 THEN 'delivered'
            ELSE 'cancelled' END END
        FROM delivery d WHERE d.link = s.link) END
"""
_SQL_ARRIVALS = """
    SELECT CAST(received / 86400 AS INTEGER), source, state, count(*) FROM arrival GROUP BY 1, 2, 3
"""
_SQL_SIGHTINGS = f"""
    SELECT CAST(s.received / 86400 AS INTEGER), coalesce(a.source, '?'), {FATE}, count(*)
    FROM sighting s LEFT JOIN arrival a ON a.id = s.arrival GROUP BY 1, 2, 3
"""

_Entries = Counter[tuple[int, str, str]]


class Entries:
    """What one unit enters, added up first: a batch of arrivals costs as much as one."""

    def __init__(self) -> None:
        self._numbers: _Entries = Counter()

    def add(self, entry: str, at: float, source: str, number: int = 1) -> None:
        self._numbers[int(at // DAY), source, entry] += number

    def write(self, tx: Tx) -> None:
        tx.executemany(_SQL_ENTER, [(*name, number) for name, number in self._numbers.items() if number])


def enter(tx: Tx, entry: str, when: Iterable[tuple[float, str]]) -> None:
    """One more of `entry` for each (time, source)."""
    entries = Entries()
    for at, source in when:
        entries.add(entry, at, source)
    entries.write(tx)


def erase(tx: Tx, account: str) -> None:
    """All of an account is about to be deleted."""
    rows = tx.execute("SELECT received, source FROM arrival WHERE account = ?", (account,)).fetchall()
    enter(tx, f"{ARRIVED}:erased", rows)
    rows = tx.execute(
        "SELECT s.received, a.source FROM sighting s JOIN link l ON l.id = s.link JOIN arrival a ON a.id = s.arrival"
        " WHERE l.account = ?",
        (account,),
    ).fetchall()
    enter(tx, f"{SIGHTED}:erased", rows)


def audit(tx: Tx) -> Audit:
    """See operations.Books.audit."""
    book: _Entries = Counter()
    for day, source, entry, number in tx.execute("SELECT day, source, entry, number FROM book").fetchall():
        book[day, source, entry] += number
    return Audit(_balances(tx, ARRIVED, _SQL_ARRIVALS, book), _balances(tx, SIGHTED, _SQL_SIGHTINGS, book))


def _balances(tx: Tx, entry: str, sql: str, book: _Entries) -> Sequence[Balance]:
    became: dict[tuple[int, str], Counter[str]] = {}
    for day, source, state, number in tx.execute(sql).fetchall():
        became.setdefault((day, source), Counter())[state] += number
    for (day, source, written), number in book.items():
        kind, _, state = written.partition(":")
        if kind == entry:
            became.setdefault((day, source), Counter())[state] += number
    return [Balance(day, source, counts.pop("", 0), dict(counts)) for (day, source), counts in sorted(became.items())]
