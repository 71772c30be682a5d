"""The outbox's units of work while deliveries are sent: leases, outcomes, gates."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from bridge.delivery import LEASE_SECONDS, MOVES, Delivery, Event, Settlement, after, ran_out
from bridge.ports import Call, Gate, Terms
from bridge.store import budgets
from bridge.store.outbox import HAND_LANE, LANES, concerned, json_of
from bridge.store.sqlite import Tx

_COLUMNS = "id, url, title, tags, sent_tags, added, at, attempts, remote_id, account, new_title, due"

# A lease is a due date in the future with a name on it.
_SQL_LEASE = """
    UPDATE delivery SET state = '{state}', lease = ?, due = ?, changed = ?, sent_revision = revision
    WHERE id IN ({ids})
"""
# One look at the index for each lane: what is due later is not walked over.
_SQL_DUE = f"""
    SELECT {_COLUMNS} FROM delivery WHERE connection = ? AND {concerned(Event.LEASED)} AND lane = ? AND due <= ?
    ORDER BY due, id LIMIT ?
"""
_SQL_UNKNOWN = f"""
    SELECT {_COLUMNS} FROM delivery WHERE connection = ? AND {concerned(Event.LOOKED_UP)} AND due <= ?
    ORDER BY due, id LIMIT ?
"""
# One statement for many rows: each statement of a writer hands the interpreter to whoever else wants it, twice.
_SQL_SETTLE = """
    UPDATE delivery SET state = s.column2, because = s.column3, attempts = s.column4, due = s.column5,
        changed = s.column6, lease = '', remote_id = s.column7, added = s.column8, sent_tags = s.column9,
        title = CASE WHEN s.column10 <> '' THEN s.column10 ELSE title END,
        new_title = CASE WHEN new_title = s.column10 THEN '' ELSE new_title END
    FROM (VALUES {rows}) AS s WHERE delivery.id = s.column1
"""
_SQL_ATTEMPT = "INSERT INTO attempt (delivery, at, seconds, outcome, detail) VALUES {rows}"
_MOST_ROWS = 500
_AGE = itemgetter(0)

T = TypeVar("T")


def lease(tx: Tx, terms: Terms, *, reserve: float, now: float) -> list[Delivery]:
    """See ports.Outbox.lease. A service that failed is probed with a single delivery."""
    gate = _open(tx, terms, now)
    if gate is None:
        return []
    most = 1 if gate.failures else min(terms.batch, gate.batch or terms.batch)
    due, by_hand = _due(tx, terms.connection, most, now)
    if not due or _gathers(due, most, terms, by_hand=by_hand, now=now):
        return []
    if not _is_its_turn(tx, terms, by_hand=by_hand, reserve=reserve, now=now):
        return []
    return _lease(tx, sorted(due, key=_AGE), Event.LEASED, now)


def lease_ahead(tx: Tx, terms: Terms, calls: int, *, now: float) -> list[Sequence[Delivery]]:
    """See ports.Outbox.lease_ahead."""
    gate = _open(tx, terms, now)
    if gate is None or gate.failures or gate.batch or budgets.are_known(tx, terms.scopes):
        return []
    due, by_hand = _due(tx, terms.connection, calls * terms.batch, now)
    batches = [sorted(part, key=_AGE) for part in _parts(due, terms.batch)]
    if batches and _gathers(batches[-1], terms.batch, terms, by_hand=by_hand, now=now):
        batches.pop()
    return _parts(_lease(tx, list(chain.from_iterable(batches)), Event.LEASED, now), terms.batch)


def lease_unknown(tx: Tx, terms: Terms, *, reserve: float, now: float) -> list[Delivery]:
    """See ports.Outbox.lease_unknown."""
    if _open(tx, terms, now) is None:
        return []
    rows = tx.execute(_SQL_UNKNOWN, (terms.connection, now, terms.batch)).fetchall()
    if not rows or not _is_its_turn(tx, terms, by_hand=False, reserve=reserve, now=now):
        return []
    return _lease(tx, sorted(rows, key=_AGE), Event.LOOKED_UP, now)


def _open(tx: Tx, terms: Terms, now: float) -> Gate | None:
    expire(tx, terms.connection, idempotent=terms.idempotent, before=now, now=now)
    gate = find_gate(tx, terms.connection)
    return None if gate.state == "paused" or gate.not_before > now else gate


def _due(tx: Tx, connection: str, most: int, now: float) -> tuple[list[Sequence[Any]], bool]:
    """What is due, by lane and age, and whether a person's own link is among it."""
    due: list[Sequence[Any]] = []
    by_hand = False
    for lane in LANES:
        if len(due) < most:
            due += tx.execute(_SQL_DUE, (connection, lane, now, most - len(due))).fetchall()
        by_hand = by_hand or (lane == HAND_LANE and bool(due))
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
    sql = _SQL_LEASE.format(state=MOVES[event][1], ids=", ".join("?" * len(rows)))
    token = uuid.uuid4().hex
    tx.execute(sql, (token, now + LEASE_SECONDS, now, *[row[0] for row in rows]))
    return [_delivery(token, row) for row in rows]


def _parts(whole: Sequence[T], size: int) -> list[Sequence[T]]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def _delivery(token: str, row: Sequence[Any]) -> Delivery:
    number, url, title, tags, sent, added, at, attempts, remote_id, account, new_title, _ = row
    wanted, told = _tags(tags), _tags(sent)
    new = tuple(tag for tag in wanted if tag not in told) if told else wanted
    return Delivery(number, url, title, wanted, new, bool(added), at, attempts, token, remote_id, account, new_title)


# Of a thousand links that wait, most have the tags of another one.
@lru_cache(maxsize=4096)
def _tags(written: str) -> tuple[str, ...]:
    return tuple(json.loads(written))


@lru_cache(maxsize=4096)
def _written(tags: tuple[str, ...]) -> str:
    return json_of(tags)


def settle(tx: Tx, settled: Sequence[tuple[Delivery, Settlement]], *, call: Call | None, now: float) -> int:
    """See ports.Outbox.settle."""
    if call is not None:
        _called(tx, call, now)
    standing = _held(tx, [delivery for delivery, _ in settled])
    rows, attempts, took = [], [], call.took if call else 0.0
    for delivery, settlement in settled:
        held = standing.get(delivery.id)
        if held is None:
            continue  # its account was erased meanwhile
        outcome = "late"
        if held.lease == delivery.lease:
            outcome, row = _settled(delivery, settlement, held, now)
            rows.append(row)
        attempts.append((delivery.id, now, took, outcome, settlement.because))
    _write(tx, _SQL_SETTLE, rows)
    _write(tx, _SQL_ATTEMPT, attempts)
    _tell_again(tx, {held.link for held in standing.values()}, now)
    return len(rows)


def _called(tx: Tx, call: Call, now: float) -> None:
    gate = find_gate(tx, call.terms.connection)
    if (changed := call.gate(gate)) != gate:
        set_gate(tx, changed)
    if call.terms.scopes:
        terms = call.terms
        budgets.answered(tx, terms.connection, terms.scopes, call.heard, until=call.until, now=now)


class _Standing(NamedTuple):
    """How a delivery stands while it is out. `outgrown`: more is wanted by now than was sent."""

    id: int
    lease: str
    link: int
    outgrown: int
    added: int
    sent_tags: str
    remote_id: str


def _held(tx: Tx, deliveries: Sequence[Delivery]) -> dict[int, _Standing]:
    marks = ", ".join("?" * len(deliveries))
    sql = (
        "SELECT id, lease, link, revision > sent_revision, added, sent_tags, remote_id FROM delivery"
        f" WHERE id IN ({marks})"
    )
    rows = tx.execute(sql, tuple(delivery.id for delivery in deliveries)).fetchall() if deliveries else []
    return {row[0]: _Standing._make(row) for row in rows}


def _settled(delivery: Delivery, settlement: Settlement, held: _Standing, now: float) -> tuple[str, tuple[object, ...]]:
    """The new state, and its row of SQL_SETTLE."""
    _, _, _, outgrown, added, sent_tags, remote_id = held
    event = settlement.event
    if event == Event.DELIVERED:
        tags = delivery.tags if settlement.tags is None else settlement.tags
        owed = bool(outgrown) or (tags is not delivery.tags and not set(delivery.tags) <= set(tags))
        added, sent_tags, event = 1, _written(tags), Event.OUTGROWN if owed else event
    told = delivery.new_title if settlement.event == Event.DELIVERED else ""
    state = after("leased", event)
    values = (state, settlement.because, settlement.attempts, settlement.due or now, now)
    return state, (delivery.id, *values, settlement.remote_id or remote_id, added, sent_tags, told)


def _write(tx: Tx, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
    for start in range(0, len(rows), _MOST_ROWS):
        part = rows[start : start + _MOST_ROWS]
        tx.execute(_for_rows(sql, len(part), len(part[0])), tuple(chain.from_iterable(part)))


@lru_cache(maxsize=64)
def _for_rows(sql: str, number: int, columns: int) -> str:
    return sql.format(rows=", ".join([f"({', '.join('?' * columns)})"] * number))


def _tell_again(tx: Tx, links: set[int], now: float) -> None:
    """Whoever sent these links is told again."""
    if not links or tx.execute("SELECT 1 FROM report LIMIT 1").fetchone() is None:
        return
    marks = ", ".join("?" * len(links))
    sql = f"UPDATE report SET due = ? WHERE arrival IN (SELECT arrival FROM sighting WHERE link IN ({marks}))"
    tx.execute(sql, (now, *links))


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


_GATE = ("connection", "state", "because", "not_before", "failures", "credential", "batch")


def find_gate(tx: Tx, connection: str) -> Gate:
    row = tx.execute(f"SELECT {', '.join(_GATE)} FROM gate WHERE connection = ?", (connection,)).fetchone()
    return Gate(connection) if row is None else Gate(*row)


def set_gate(tx: Tx, gate: Gate) -> None:
    tx.execute(
        f"INSERT INTO gate ({', '.join(_GATE)}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (connection) DO UPDATE SET"
        f" {', '.join(f'{name} = excluded.{name}' for name in _GATE[1:])}",
        tuple(getattr(gate, name) for name in _GATE),
    )
