"""When the clock was set back: what was to happen “in two minutes” must not wait for the time that was written down."""

from __future__ import annotations

from bridge.store.sqlite import Tx

NOTICED = 60.0
"""Seconds that the newest entry may be ahead of the clock before it is taken for set back."""

_BY_ITSELF = 300 * 86400.0
"""A report that is due later than this is not waited for at all."""


def ahead(tx: Tx, now: float) -> float:
    """How far the newest entry is ahead of the clock."""
    newest = [
        tx.execute("SELECT received FROM arrival ORDER BY id DESC LIMIT 1").fetchone(),
        tx.execute("SELECT at FROM attempt ORDER BY id DESC LIMIT 1").fetchone(),
    ]
    return max((row[0] - now for row in newest if row), default=0.0)


def set_back(tx: Tx, now: float, by: float) -> int:
    """What was written under the later time waits as long as it was meant to, from now on. Answers how much it was."""
    changed = tx.execute(
        "UPDATE arrival SET due = ? + CASE WHEN due > received THEN due - received ELSE 0 END"
        " WHERE state = 'new' AND received > ?",
        (now, now),
    ).rowcount
    changed += tx.execute(
        "UPDATE delivery SET due = ? + CASE WHEN due > changed THEN due - changed ELSE 0 END, changed = ?"
        " WHERE state IN ('pending', 'leased', 'unknown') AND changed > ?",
        (now, now, now),
    ).rowcount
    tx.execute("UPDATE request SET due = ? WHERE answer = '' AND due > ?", (now, now))
    tx.execute(
        "UPDATE gate SET not_before = CASE WHEN not_before - ? > ? THEN not_before - ? ELSE ? END WHERE not_before > ?",
        (by, now, by, now, now),
    )
    # Budgets know when they were noted, and see to themselves.
    tx.execute("UPDATE turn SET at = CASE WHEN at - ? > ? THEN at - ? ELSE ? END WHERE at > ?", (by, now, by, now, now))
    for table in ("report", "notice"):
        sql = f"UPDATE {table} SET due = CASE WHEN due - ? > ? THEN due - ? ELSE ? END WHERE due > ? AND due < ?"
        tx.execute(sql, (by, now, by, now, now, now + _BY_ITSELF))
    return changed
