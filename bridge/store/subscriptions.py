"""Feeds that accounts follow, and what of them waits for its day: units of work."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from bridge.errors import Conflict
from bridge.ports import Backlog, Subscription
from bridge.store.sqlite import Tx

GIVEN_UP = "its feed was removed before its turn came"


_EVERY = "SELECT account, url, name, options, since FROM subscription ORDER BY since, url"


def every(tx: Tx) -> list[Subscription]:
    """All accounts', in the order they were made."""
    intern = sys.intern  # ten thousand have few accounts and options
    return [
        Subscription(account=intern(account), url=url, name=name, options=intern(options), since=since)
        for account, url, name, options, since in _rows(tx)
    ]


def mark(tx: Tx) -> int:
    """Another one after any of them has changed."""
    found = 0
    for row in _rows(tx):
        found = hash((found, row))
    return found


def _rows(tx: Tx) -> Iterator[tuple[Any, ...]]:
    return iter(tx.execute(_EVERY).fetchone, None)


def add(tx: Tx, new: Sequence[Subscription], now: float) -> None:
    """Raises Conflict when an account has one of the addresses or names already: then none of them was added."""
    sql = (
        "INSERT INTO subscription (account, url, name, options, since) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING RETURNING url"
    )
    for one in new:
        if tx.execute(sql, (one.account, one.url, one.name, one.options, now)).fetchone() is None:
            raise Conflict(f"{one.account} has a feed of that address or name already: {one.name}, {one.url}")


def change(tx: Tx, changed: Subscription) -> None:
    """What waits goes with the name. Raises Conflict when there is no such feed, or when another one has the name."""
    account, url, name = changed.account, changed.url, changed.name
    others = "SELECT count(*) FROM subscription WHERE account = ? AND name = ? AND url <> ?"
    old = tx.execute("SELECT name FROM subscription WHERE account = ? AND url = ?", (account, url)).fetchone()
    if old is None or tx.execute(others, (account, name, url)).fetchone()[0]:
        raise Conflict(f"{account} has another feed called {name}, or none at {url}")
    sql = "UPDATE subscription SET name = ?, options = ? WHERE account = ? AND url = ?"
    tx.execute(sql, (name, changed.options, account, url))
    waiting = "UPDATE arrival SET channel = ? WHERE state = 'new' AND source = 'feed' AND account = ? AND channel = ?"
    tx.execute(waiting, (name, account, old[0]))


def remove(tx: Tx, account: str, url: str, now: float) -> int | None:
    """What waits for a later day is given up. Answers how many entries that were, None when there is no such feed."""
    sql = "DELETE FROM subscription WHERE account = ? AND url = ? RETURNING name"
    row = tx.execute(sql, (account, url)).fetchone()
    if row is None:
        return None
    return tx.execute(
        "UPDATE arrival SET state = 'parked', reason = ?"
        " WHERE state = 'new' AND source = 'feed' AND account = ? AND channel = ? AND due > ?",
        (GIVEN_UP, account, row[0], now),
    ).rowcount


def backlogs(tx: Tx, now: float) -> list[Backlog]:
    """What waits for a later day, by account and feed."""
    rows = tx.execute(
        "SELECT account, channel, count(*), min(due), max(due) FROM arrival"
        " WHERE state = 'new' AND source = 'feed' AND due > ? GROUP BY account, channel",
        (now,),
    ).fetchall()
    return [Backlog(*row) for row in rows]


def hurry(tx: Tx, account: str, name: str, now: float) -> int:
    """What waits of a feed is due now. Answers how many entries that are."""
    return tx.execute(
        "UPDATE arrival SET due = ?"
        " WHERE state = 'new' AND source = 'feed' AND account = ? AND channel = ? AND due > ?",
        (now, account, name, now),
    ).rowcount
