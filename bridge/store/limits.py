"""Limits of rules: new links counted in the very unit that takes them in, so that none slips through."""

from __future__ import annotations

from dataclasses import replace

from bridge.rules import Decision, Limit
from bridge.store.sqlite import Tx


def limited(tx: Tx, account: str, link: int, decision: Decision, now: float) -> Decision:
    """The decision, counted; or what becomes of the link when one of its limits is reached.

    Only a link that is wanted nowhere yet counts, and only one that is not dropped.
    """
    if not decision.limits or decision.dropped_by or _wanted(tx, link):
        return decision
    used = {limit: _used(tx, account, limit) for limit in decision.limits}
    for limit, number in used.items():
        if number >= limit.most:
            return _over(decision, limit, now)
    for limit, number in used.items():
        _count(tx, account, limit, number + 1)
    return decision


def _wanted(tx: Tx, link: int) -> bool:
    return tx.execute("SELECT 1 FROM delivery WHERE link = ? LIMIT 1", (link,)).fetchone() is not None


def _used(tx: Tx, account: str, limit: Limit) -> int:
    row = tx.execute("SELECT value FROM progress WHERE scope = ?", (_scope(account, limit),)).fetchone()
    number, _, period = str(row[0]).partition(" ") if row else ("0", "", "")
    return int(number) if period == limit.period else 0


def _count(tx: Tx, account: str, limit: Limit, number: int) -> None:
    tx.execute(
        "INSERT INTO progress (scope, value) VALUES (?, ?) ON CONFLICT (scope) DO UPDATE SET value = excluded.value",
        (_scope(account, limit), f"{number} {limit.period}"),
    )


def _scope(account: str, limit: Limit) -> str:
    return f"limit:{account}:{limit.rule}"


def _over(decision: Decision, limit: Limit, now: float) -> Decision:
    reason = f"over its limit of {limit.most} for the {limit.period}"
    match limit.excess:
        case "drop":
            return replace(decision, to=(), dropped_by=limit.rule, reason=reason)
        case "hold":
            return replace(decision, held_by=limit.rule, hold=reason)
        case "wait":
            return replace(decision, delay=max(limit.due - now, decision.delay), delayed_by=limit.rule)
