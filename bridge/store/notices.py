"""What is wrong, from when it is first seen until it is over, and what the owner is told of it. Durable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bridge.ports.keeping import Notice, Trouble
from bridge.store.sqlite import Tx

LONGEST = 2000
MOST_WAITING = 1000
"""Notices that wait for one way of telling: who was not reached for that long is not told everything at once."""

_SQL_CROWD = (
    "DELETE FROM notice WHERE id IN (SELECT id FROM notice WHERE channel = ? ORDER BY id DESC LIMIT 100 OFFSET ?)"
)


def put(tx: Tx, channels: Sequence[str], words: str, now: float) -> int:
    """To be told in each of these ways. Answers how many that are."""
    for channel in channels:
        tx.execute(_SQL_CROWD, (channel, MOST_WAITING - 1))
        tx.execute(
            "INSERT INTO notice (channel, words, since, due, failures) VALUES (?, ?, ?, ?, 0)",
            (channel, words[:LONGEST], now, now),
        )
    return len(channels)


def observe(tx: Tx, troubles: Sequence[Trouble], channels: Sequence[str], now: float) -> int:
    """See operations.Notices.observe."""
    rows = tx.execute("SELECT name, words, since, told FROM trouble").fetchall()
    known = {name: (words, since, told) for name, words, since, told in rows}
    made = 0
    for trouble in troubles:
        _, since, told = known.pop(trouble.name, ("", now, 0))
        # A clock that was set back must not make anybody wait longer.
        tell = not told and now - min(since, now) >= trouble.patience
        made += put(tx, channels, trouble.words, now) if tell else 0
        _write(tx, trouble, min(since, now), told or int(tell))
    for name, (words, _, told) in known.items():
        made += put(tx, channels, f"Over: {words}", now) if told else 0
        tx.execute("DELETE FROM trouble WHERE name = ?", (name,))
    return made


def _write(tx: Tx, trouble: Trouble, since: float, told: int) -> None:
    tx.execute(
        "INSERT INTO trouble (name, words, since, told) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET words = excluded.words, since = excluded.since, told = excluded.told",
        (trouble.name, trouble.words, since, told),
    )


def troubles(tx: Tx) -> list[dict[str, Any]]:
    names = ("name", "words", "since", "told")
    rows = tx.execute(f"SELECT {', '.join(names)} FROM trouble ORDER BY since, name").fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


def due(tx: Tx, limit: int, now: float) -> list[Notice]:
    sql = "SELECT id, channel, words, since, failures FROM notice WHERE due <= ? ORDER BY due, id LIMIT ?"
    return [Notice(*row) for row in tx.execute(sql, (now, limit)).fetchall()]


def told(tx: Tx, notice: Notice) -> None:
    tx.execute("DELETE FROM notice WHERE id = ?", (notice.id,))


def later(tx: Tx, notice: Notice, due_at: float) -> None:
    """The others of the same way wait too: it is the way that does not work."""
    tx.execute("UPDATE notice SET failures = failures + 1 WHERE id = ?", (notice.id,))
    tx.execute("UPDATE notice SET due = ? WHERE channel = ? AND due < ?", (due_at, notice.channel, due_at))


def next_due(tx: Tx) -> float | None:
    row = tx.execute("SELECT min(due) FROM notice").fetchone()
    return None if row[0] is None else float(row[0])
