"""Budgets' units of work: what is left of each scope, and whose turn it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bridge import budget as pure
from bridge.budget import Budget, Heard, Turn
from bridge.store.sqlite import Tx

_COLUMNS = ("scope", "most", "remaining", "spare", "resets", "lasts", "next_at", "blocked", "noted")
_SQL_KEEP = f"""
    INSERT INTO budget ({", ".join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (scope) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])}
"""


def turn(
    tx: Tx, connection: str, scopes: Sequence[str], *, by_hand: bool, reserve: float, now: float
) -> tuple[Turn, bool]:
    """The connection's turn, and whether taking it changes anything. Reads only: `take` writes it down."""
    kept = _kept(tx, connection)
    found = pure.turn(_find(tx, scopes), kept, now, by_hand=by_hand, reserve=reserve)
    return found, found.moment <= now or found.kept != kept


def take(tx: Tx, connection: str, found: Turn) -> None:
    _keep(tx, found.budgets)
    tx.execute("DELETE FROM turn WHERE connection = ?", (connection,))
    if found.kept is not None:
        rows = [(connection, one.scope, found.kept) for one in found.budgets]
        tx.executemany("INSERT INTO turn (connection, scope, at) VALUES (?, ?, ?)", rows)


def are_known(tx: Tx, scopes: Sequence[str], now: float) -> bool:
    """Whether anything is known of a limit now: until then calls go as they come."""
    return any(one.known or one.blocked > now for one in _kept_of(tx, scopes).values())


def may_call(tx: Tx, scopes: Sequence[str], *, now: float) -> bool:
    """One more call at once, out of turn; False when nothing is left."""
    budgets = [pure.at(one, now) for one in _find(tx, scopes)]
    if any(pure.earliest(one, now, by_hand=True, reserve=0.0) > now for one in budgets):
        return False
    _keep(tx, [pure.promise(one, now, turn=None, reserve=0.0) for one in budgets])
    return True


def answered(
    tx: Tx, connection: str, scopes: Sequence[str], heard: Sequence[Heard], *, until: float, now: float
) -> None:
    """What the answers of some calls said. `until`: no call before, where the last of them met a limit."""
    tx.execute("DELETE FROM turn WHERE connection = ? AND at <= ?", (connection, now))
    if until <= now and not any(said.said for said in heard):
        return
    known = _find(tx, scopes)
    budgets = [pure.at(one, now) for one in known]
    for number, one in enumerate(budgets):
        corrected = one
        for said in heard:
            corrected = pure.answered(corrected, said, now, first=number == 0)
        budgets[number] = corrected
    if until > now:
        faulty = pure.at_fault(budgets, heard[-1] if heard else Heard())
        budgets = [pure.blocked(one, until) if one.scope in faulty else one for one in budgets]
    # Most services name no limit: of those there is nothing to keep.
    _keep(tx, [one for before, one in zip(known, budgets, strict=True) if _says_something(before, one)])


def budgets(tx: Tx, now: float) -> list[dict[str, Any]]:
    """See ports.Ledger.budgets."""
    scopes = [row[0] for row in tx.execute("SELECT scope FROM budget ORDER BY scope").fetchall()]
    found = [pure.at(one, now) for one in _find(tx, scopes)]
    return [
        {
            "scope": one.scope,
            "limit": one.most,
            "left": one.spare if one.begins > now else one.remaining + one.unanswered(one.resets, one.lasts),
            "resets": one.begins if one.begins > now else one.resets,
            "blocked": one.blocked if one.blocked > now else 0.0,
        }
        for one in found
        if one.known or one.blocked > now
    ]


def _says_something(*budgets: Budget) -> bool:
    return any(one.known or one.blocked for one in budgets)


def _find(tx: Tx, scopes: Sequence[str]) -> list[Budget]:
    found = _kept_of(tx, scopes)
    promised: dict[str, list[float]] = {scope: [] for scope in scopes}
    for scope, moment in tx.execute(f"SELECT scope, at FROM turn WHERE {_among(scopes)}", scopes).fetchall():
        promised[scope].append(moment)
    return [replace(found.get(scope) or Budget(scope), promised=tuple(promised[scope])) for scope in scopes]


def _kept_of(tx: Tx, scopes: Sequence[str]) -> dict[str, Budget]:
    """As they are kept, without what is promised of them."""
    rows = tx.execute(f"SELECT {', '.join(_COLUMNS)} FROM budget WHERE {_among(scopes)}", scopes).fetchall()
    return {row[0]: Budget(*row) for row in rows}


def _among(scopes: Sequence[str]) -> str:
    return f"scope IN ({', '.join('?' * len(scopes))})"


def _kept(tx: Tx, connection: str) -> float | None:
    row = tx.execute("SELECT max(at) FROM turn WHERE connection = ?", (connection,)).fetchone()
    return None if row[0] is None else float(row[0])


def _keep(tx: Tx, found: Sequence[Budget]) -> None:
    tx.executemany(_SQL_KEEP, [tuple(getattr(one, name) for name in _COLUMNS) for one in found])
