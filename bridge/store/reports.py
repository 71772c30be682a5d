"""Who waits to be told about which arrival. The latest state wins; telling never touches a save."""

from __future__ import annotations

from bridge.store.sqlite import Tx

NOT_BY_ITSELF = 365 * 86400.0
"""A report that was told and may change yet: the change makes it due, not the time."""


def open_report(tx: Tx, arrival: int, due_at: float) -> None:
    tx.execute("INSERT INTO report (arrival, due, failures, reference) VALUES (?, ?, 0, '')", (arrival, due_at))


def due(tx: Tx, limit: int, now: float) -> list[tuple[int, float, int, str]]:
    """(arrival, due, failures, reference) of reports whose time has come."""
    sql = "SELECT arrival, due, failures, reference FROM report WHERE due <= ? ORDER BY due LIMIT ?"
    return [(row[0], row[1], row[2], row[3]) for row in tx.execute(sql, (now, limit)).fetchall()]


def told(tx: Tx, arrival: int, reference: str, *, due_was: float, settled: bool) -> None:
    """The person was told. A change in the meantime has moved `due`: then they will be told again."""
    if settled:
        if reference:
            _keep(tx, arrival, reference)
        tx.execute("DELETE FROM report WHERE arrival = ? AND due = ?", (arrival, due_was))
    tx.execute(
        "UPDATE report SET reference = ?, failures = 0, due = CASE WHEN due = ? THEN ? ELSE due END WHERE arrival = ?",
        (reference, due_was, due_was + NOT_BY_ITSELF, arrival),
    )


def _keep(tx: Tx, arrival: int, reference: str) -> None:
    tx.execute(
        "INSERT INTO told (arrival, reference) VALUES (?, ?)"
        " ON CONFLICT (arrival) DO UPDATE SET reference = excluded.reference",
        (arrival, reference),
    )


def tell_anew(tx: Tx, arrival: int, now: float) -> None:
    """What was told about an arrival is told again where it was told: its person has changed something."""
    tx.execute(
        "INSERT INTO report (arrival, due, failures, reference) SELECT arrival, ?, 0, reference FROM told"
        " WHERE arrival = ? ON CONFLICT (arrival) DO NOTHING",
        (now, arrival),
    )
    tx.execute("UPDATE report SET due = ? WHERE arrival = ?", (now, arrival))


def later(tx: Tx, arrival: int, due_at: float, *, failed: bool) -> None:
    """Not told; once more at `due_at`."""
    tx.execute("UPDATE report SET failures = failures + ?, due = ? WHERE arrival = ?", (int(failed), due_at, arrival))


def drop(tx: Tx, arrival: int) -> None:
    tx.execute("DELETE FROM report WHERE arrival = ?", (arrival,))


def next_due(tx: Tx) -> float | None:
    row = tx.execute("SELECT min(due) FROM report").fetchone()
    return None if row[0] is None else float(row[0])
