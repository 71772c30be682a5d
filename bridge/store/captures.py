"""Requests as the webhook door kept them, for people who want to see what a service really sends. Reads only."""

from __future__ import annotations

from typing import Any

from bridge.store.sqlite import Tx

_NAMES = "id source channel received state reason raw".split()
_KEPT = "source IN ('hook', 'save') AND raw <> ''"


def captured(tx: Tx, hook: str, *, after: int, limit: int) -> list[dict[str, Any]]:
    """The newest `limit` requests to a hook ("" is every one) with a number above `after`, newest first."""
    rows = tx.execute(
        f"SELECT {', '.join(_NAMES)} FROM arrival WHERE {_KEPT} AND id > ?"
        " AND (? = '' OR channel = ?) ORDER BY id DESC LIMIT ?",
        (after, hook, hook, limit),
    ).fetchall()
    return [dict(zip(_NAMES, row, strict=True)) for row in rows]


def how_many(tx: Tx, hook: str) -> int:
    sql = f"SELECT count(*) FROM arrival WHERE {_KEPT} AND (? = '' OR channel = ?)"
    return int(str(tx.execute(sql, (hook, hook)).fetchone()[0]))


def captured_as(tx: Tx, number: int) -> dict[str, Any] | None:
    row = tx.execute(f"SELECT {', '.join(_NAMES)} FROM arrival WHERE id = ? AND {_KEPT}", (number,)).fetchone()
    return None if row is None else dict(zip(_NAMES, row, strict=True))
