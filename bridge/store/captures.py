"""Requests as the webhook door kept them, for people who want to see what a service really sends. Reads only."""

from __future__ import annotations

from typing import Any

from bridge.store.sqlite import Tx

_NAMES = "id source channel received state reason raw".split()


def captured(tx: Tx, hook: str, *, after: int, limit: int) -> list[dict[str, Any]]:
    """The newest `limit` requests to a hook ("" is every one) with a number above `after`, newest first."""
    rows = tx.execute(
        f"SELECT {', '.join(_NAMES)} FROM arrival WHERE source IN ('hook', 'save') AND raw <> '' AND id > ?"
        " AND (? = '' OR channel = ?) ORDER BY id DESC LIMIT ?",
        (after, hook, hook, limit),
    ).fetchall()
    return [dict(zip(_NAMES, row, strict=True)) for row in rows]


def captured_as(tx: Tx, number: int) -> str | None:
    row = tx.execute(
        "SELECT raw FROM arrival WHERE id = ? AND source IN ('hook', 'save') AND raw <> ''", (number,)
    ).fetchone()
    return None if row is None else str(row[0])
