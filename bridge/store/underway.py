"""Marks on arrivals that are being read. One that is still there at a start was there when the process ended."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.store.sqlite import Tx


def begin(tx: Tx, arrivals: Sequence[int]) -> dict[int, int]:
    """See operations.Underway.begin."""
    sql = (
        "INSERT INTO underway (arrival, starts) VALUES (?, 1)"
        " ON CONFLICT (arrival) DO UPDATE SET starts = underway.starts + 1"
    )
    tx.executemany(sql, [(number,) for number in arrivals])
    # There are hardly ever any: whatever was taken in has no mark.
    again = dict(tx.execute("SELECT arrival, starts FROM underway WHERE starts > 1").fetchall())
    return {number: again.get(number, 1) for number in arrivals}


def end(tx: Tx, arrivals: Sequence[int]) -> None:
    tx.executemany("DELETE FROM underway WHERE arrival = ?", [(number,) for number in arrivals])


def left(tx: Tx) -> dict[int, int]:
    """See operations.Underway.left."""
    return {int(row[0]): int(row[1]) for row in tx.execute("SELECT arrival, starts FROM underway").fetchall()}
