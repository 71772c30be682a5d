"""Who waits to be told about which arrival. The latest state wins; telling never touches a save."""

from __future__ import annotations

from bridge.store.sqlite import Tx


def due(tx: Tx, limit: int, now: float) -> list[tuple[int, int, str]]:
    """(arrival, failures, reference) of reports that are due."""
    sql = "SELECT arrival, failures, reference FROM report WHERE due <= ? ORDER BY due LIMIT ?"
    return [(row[0], row[1], row[2]) for row in tx.execute(sql, (now, limit)).fetchall()]


def told(tx: Tx, arrival: int, reference: str, *, as_of: float, again: float | None) -> None:
    """The person was told what was true `as_of`; `again`: when to tell again, None when all is settled.

    A change since then has set an earlier due time: it stays.
    """
    if again is None:
        tx.execute("DELETE FROM report WHERE arrival = ? AND due <= ?", (arrival, as_of))
    tx.execute(
        "UPDATE report SET reference = ?, failures = 0, due = CASE WHEN due > ? THEN due ELSE ? END WHERE arrival = ?",
        (reference, as_of, again or as_of, arrival),
    )


def failed(tx: Tx, arrival: int, due_at: float) -> None:
    tx.execute("UPDATE report SET failures = failures + 1, due = ? WHERE arrival = ?", (due_at, arrival))


def drop(tx: Tx, arrival: int) -> None:
    tx.execute("DELETE FROM report WHERE arrival = ?", (arrival,))


def next_due(tx: Tx) -> float | None:
    row = tx.execute("SELECT min(due) FROM report").fetchone()
    return None if row[0] is None else float(row[0])
