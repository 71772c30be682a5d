"""The outbox's units of work on leases: who may send what now. What becomes of it: settling.py."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, TypeVar

from bridge.delivery import LEASE_SECONDS, MOVES, Delivery, Event, ran_out
from bridge.ports import Gate, Terms
from bridge.store import budgets
from bridge.store.gates import find_gate
from bridge.store.outbox import HAND_LANE, LANES, concerned
from bridge.store.sqlite import Tx, chunks, marks, padded

_COLUMNS = "id, url, title, tags, sent_tags, added, at, attempts, remote_id, account, new_title, due"

# A lease is a due date in the future with a name on it.
_SQL_LEASE = """
    UPDATE delivery SET state = '{state}', lease = ?, due = ?, changed = ?, sent_revision = revision
    WHERE id IN ({ids})
"""
_SQL_PUT_BACK = f"""
    UPDATE delivery SET state = '{MOVES[Event.PUT_OFF][1]}', lease = '', changed = ?, due = ? WHERE id = ? AND lease = ?
"""
# One look at the index for each lane: what is due later is not walked over.
_SQL_DUE = f"""
    SELECT {_COLUMNS} FROM delivery WHERE connection = ? AND {concerned(Event.LEASED)} AND lane = ? AND due <= ?
    ORDER BY due, id LIMIT ?
"""
# All rows in one: a row at a time hands the interpreter over for each, to a thread that is busy sending.
_SQL_ALL_DUE = f"SELECT json_group_array(json_array({_COLUMNS})) FROM ({_SQL_DUE})"
_SQL_UNKNOWN = f"""
    SELECT {_COLUMNS} FROM delivery WHERE connection = ? AND {concerned(Event.LOOKED_UP)} AND due <= ?
    ORDER BY due, id LIMIT ?
"""
_NUMBER = itemgetter(0)

T = TypeVar("T")


def lease(tx: Tx, terms: Terms, *, reserve: float, now: float) -> list[Delivery]:
    """See ports.Outbox.lease. A service that failed is probed with a single delivery."""
    gate = _open(tx, terms, now)
    if gate is None:
        return []
    most = 1 if gate.failures else min(terms.batch, gate.batch or terms.batch)
    due, by_hand = _due(tx, terms.connection, most, now)
    if not due or _gathers(due, most, terms, by_hand=by_hand > 0, now=now):
        return []
    if not _is_its_turn(tx, terms, by_hand=by_hand > 0, reserve=reserve, now=now):
        return []
    return _lease(tx, sorted(due, key=_NUMBER), Event.LEASED, now)


def lease_ahead(tx: Tx, terms: Terms, calls: int, *, now: float) -> list[Sequence[Delivery]]:
    """See ports.Outbox.lease_ahead."""
    gate = find_gate(tx, terms.connection)
    if not gate.is_open(now) or gate.failures or gate.batch or budgets.are_known(tx, terms.scopes, now):
        return []
    due, by_hand = _due(tx, terms.connection, calls * terms.batch, now)
    batches = [sorted(part, key=_NUMBER) for part in chunks(due, terms.batch)]
    last_by_hand = by_hand > terms.batch * (len(batches) - 1)
    if batches and _gathers(batches[-1], terms.batch, terms, by_hand=last_by_hand, now=now):
        batches.pop()
    return chunks(_lease(tx, list(chain.from_iterable(batches)), Event.LEASED, now), terms.batch)


def lease_unknown(tx: Tx, terms: Terms, *, reserve: float, now: float) -> list[Delivery]:
    """See ports.Outbox.lease_unknown."""
    if _open(tx, terms, now) is None:
        return []
    rows = tx.execute(_SQL_UNKNOWN, (terms.connection, now, terms.batch)).fetchall()
    if not rows or not _is_its_turn(tx, terms, by_hand=False, reserve=reserve, now=now):
        return []
    return _lease(tx, sorted(rows, key=_NUMBER), Event.LOOKED_UP, now)


def put_back(tx: Tx, deliveries: Sequence[Delivery], *, now: float) -> None:
    """See ports.Outbox.put_back."""
    tx.executemany(_SQL_PUT_BACK, [(now, one.due, one.id, one.lease) for one in deliveries])


def _open(tx: Tx, terms: Terms, now: float) -> Gate | None:
    expire(tx, terms.connection, idempotent=terms.idempotent, before=now, now=now)
    gate = find_gate(tx, terms.connection)
    return gate if gate.is_open(now) else None


def _due(tx: Tx, connection: str, most: int, now: float) -> tuple[list[Sequence[Any]], int]:
    """What is due, by lane and age, and how many of them, the first, a person sent by hand."""
    due: list[Sequence[Any]] = []
    by_hand = 0
    for lane in LANES:
        if len(due) < most:
            [found] = tx.execute(_SQL_ALL_DUE, (connection, lane, now, most - len(due))).fetchone()
            due += json.loads(found)
        by_hand = len(due) if lane == HAND_LANE else by_hand
    return due, by_hand


def _gathers(due: Sequence[Sequence[Any]], most: int, terms: Terms, *, by_hand: bool, now: float) -> bool:
    """Whether the batch waits a little for more to leave with it."""
    oldest: float = min(row[-1] for row in due)
    return len(due) < most and not by_hand and oldest + terms.gather > now


def _is_its_turn(tx: Tx, terms: Terms, *, by_hand: bool, reserve: float, now: float) -> bool:
    if not terms.scopes:
        return True
    turn, changed = budgets.turn(tx, terms.connection, terms.scopes, by_hand=by_hand, reserve=reserve, now=now)
    if changed:
        budgets.take(tx, terms.connection, turn)
    return turn.moment <= now


def _lease(tx: Tx, rows: Sequence[Sequence[Any]], event: Event, now: float) -> list[Delivery]:
    if not rows:
        return []
    numbers = padded([row[0] for row in rows])
    token = uuid.uuid4().hex
    sql = _SQL_LEASE.format(state=MOVES[event][1], ids=marks(numbers))
    tx.execute(sql, (token, now + LEASE_SECONDS, now, *numbers))
    return [_delivery(token, row) for row in rows]


def _delivery(token: str, row: Sequence[Any]) -> Delivery:
    number, url, title, tags, sent, added, at, attempts, remote_id, account, new_title, due = row
    wanted, told = _tags(tags), _tags(sent)
    new = tuple(tag for tag in wanted if tag not in told) if told else wanted
    return Delivery(
        number, url, title, wanted, new, bool(added), at, attempts, token, remote_id, account, new_title, due
    )


# Of a thousand links that wait, most have the tags of another one.
@lru_cache(maxsize=4096)
def _tags(written: str) -> tuple[str, ...]:
    return tuple(json.loads(written))


def next_due(tx: Tx, terms: Terms, *, reserve: float, now: float) -> float | None:
    """When there may be something to do for a connection; None: not before something is wanted."""
    gate = find_gate(tx, terms.connection)
    if gate.state == "paused":
        return None
    moments = [_next_turn(tx, terms, lane, reserve=reserve, now=now) for lane in LANES]
    states = [Event.INTERRUPTED, *([Event.LOOKED_UP] if terms.finds else [])]
    for event in states:
        sql = f"SELECT min(due) FROM delivery WHERE connection = ? AND {concerned(event)}"
        moments.append(tx.execute(sql, (terms.connection,)).fetchone()[0])
    known = [float(moment) for moment in moments if moment is not None]
    return max(min(known), gate.not_before) if known else None


def _next_turn(tx: Tx, terms: Terms, lane: int, *, reserve: float, now: float) -> float | None:
    # One look at the index for each: the least of all would be looked for everywhere.
    sql = f"SELECT min(due) FROM delivery WHERE connection = ? AND {concerned(Event.LEASED)} AND lane = ?"
    due = tx.execute(sql, (terms.connection, lane)).fetchone()[0]
    if due is None:
        return None
    by_hand = lane == HAND_LANE
    moment = float(due)
    if terms.gather and not by_hand:
        # A batch that is full before goes before: whatever comes rings the bell.
        full = tx.execute(_SQL_DUE + " OFFSET ?", (terms.connection, lane, now, 1, terms.batch - 1)).fetchone()
        moment += 0.0 if full else terms.gather
    if not terms.scopes or moment > now:
        return moment
    turn, changed = budgets.turn(tx, terms.connection, terms.scopes, by_hand=by_hand, reserve=reserve, now=now)
    return now if changed else turn.moment


def expire(tx: Tx, connection: str, *, idempotent: bool, before: float, now: float) -> int:
    """Leases that ran out before a time: due again, or unknown where a second add could make a double.

    What the service has already is owed tags only, which are no double.
    """
    number = 0
    for harmless, which in ((True, "1 = 1"),) if idempotent else ((True, "added = 1"), (False, "added = 0")):
        event = ran_out(harmless=harmless)
        because = "interrupted, sent again" if harmless else "its answer was lost"
        sql = (
            f"UPDATE delivery SET state = '{MOVES[event][1]}', because = ?, lease = '', due = ?, changed = ?"
            f" WHERE connection = ? AND {concerned(event)} AND due <= ? AND {which}"
        )
        number += tx.execute(sql, (because, now, now, connection, before)).rowcount
    return number
