"""The outbox's units of work while deliveries are sent: leases, outcomes, gates."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Literal, TypeVar

from bridge.delivery import LEASE_SECONDS, MOVES, Delivery, Event, Settlement, State, after, ran_out
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
_SQL_PUT_BACK = f"""
    UPDATE delivery SET state = '{MOVES[Event.PUT_OFF][1]}', lease = '', changed = ?,
        due = CASE WHEN at < ? THEN at ELSE ? END
    WHERE id = ? AND lease = ?
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
# One statement for many rows: each statement of a writer hands the interpreter to whoever else wants it, twice.
_SQL_SETTLE = """
    UPDATE delivery SET state = s.column2, because = s.column3, attempts = s.column4, due = s.column5,
        changed = s.column6, lease = '', remote_id = s.column7, added = coalesce(s.column8, added),
        sent_tags = coalesce(s.column9, sent_tags),
        title = CASE WHEN s.column10 <> '' THEN s.column10 ELSE title END,
        new_title = CASE WHEN new_title = s.column10 THEN '' ELSE new_title END
    FROM (VALUES {rows}) AS s WHERE delivery.id = s.column1
"""
# What nearly everything comes to: the service has all of it that was wanted when it was leased, and still is.
_SQL_DELIVER = f"""
    UPDATE delivery SET state = '{MOVES[Event.DELIVERED][1]}', because = ?, attempts = ?, due = ?, changed = ?,
        lease = '', remote_id = CASE WHEN s.column2 <> '' THEN s.column2 ELSE remote_id END,
        added = 1, sent_tags = tags, title = CASE WHEN new_title <> '' THEN new_title ELSE title END, new_title = ''
    FROM (VALUES {{rows}}) AS s WHERE delivery.id = s.column1
"""
_SQL_ATTEMPT = """
    INSERT INTO attempt (delivery, at, seconds, outcome, detail) SELECT s.column1, ?, ?, ?, ? FROM (VALUES {rows}) AS s
"""
_MOST_ROWS = 1000
_NUMBER = itemgetter(0)

T = TypeVar("T")
_Groups = defaultdict[tuple[object, ...], list[tuple[object, ...]]]


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
    return _lease(tx, sorted(due, key=_NUMBER), Event.LEASED, now)


def lease_ahead(tx: Tx, terms: Terms, calls: int, *, now: float) -> list[Sequence[Delivery]]:
    """See ports.Outbox.lease_ahead."""
    gate = find_gate(tx, terms.connection)
    if not gate.is_open(now) or gate.failures or gate.batch or budgets.are_known(tx, terms.scopes):
        return []
    due, by_hand = _due(tx, terms.connection, calls * terms.batch, now)
    batches = [sorted(part, key=_NUMBER) for part in _parts(due, terms.batch)]
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
    return _lease(tx, sorted(rows, key=_NUMBER), Event.LOOKED_UP, now)


def put_back(tx: Tx, deliveries: Sequence[Delivery], *, now: float) -> None:
    """See ports.Outbox.put_back."""
    tx.executemany(_SQL_PUT_BACK, [(now, now, now, delivery.id, delivery.lease) for delivery in deliveries])


def _open(tx: Tx, terms: Terms, now: float) -> Gate | None:
    expire(tx, terms.connection, idempotent=terms.idempotent, before=now, now=now)
    gate = find_gate(tx, terms.connection)
    return gate if gate.is_open(now) else None


def _due(tx: Tx, connection: str, most: int, now: float) -> tuple[list[Sequence[Any]], bool]:
    """What is due, by lane and age, and whether a person's own link is among it."""
    due: list[Sequence[Any]] = []
    by_hand = False
    for lane in LANES:
        if len(due) < most:
            [found] = tx.execute(_SQL_ALL_DUE, (connection, lane, now, most - len(due))).fetchone()
            due += json.loads(found)
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
    sql = _SQL_LEASE.format(state=MOVES[event][1], ids=_marks(rows))
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
    deliveries = [delivery for delivery, _ in settled]
    changed = {} if _stand(tx, deliveries) else _changed(tx, deliveries)
    plain, tried, rows = _Groups(list), _Groups(list), list[tuple[object, ...]]()
    for delivery, settlement in settled:
        how, state = changed.get(delivery.id, ""), "delivered"
        if how == "erased":
            continue
        if how == "late":
            state = how
        elif how == "" and settlement.event is Event.DELIVERED and settlement.tags is None:
            plain[settlement.because, settlement.attempts].append((delivery.id, settlement.remote_id))
        else:
            state, row = _settled(delivery, settlement, now, outgrown=how == "outgrown")
            rows.append(row)
        tried[state, settlement.because].append((delivery.id,))
    for because_and_attempts, parts in plain.items():
        _write(tx, _SQL_DELIVER, parts, *because_and_attempts, now, now)
    _write(tx, _SQL_SETTLE, rows)
    for how_and_why, parts in tried.items():
        _write(tx, _SQL_ATTEMPT, parts, now, call.took if call else 0.0, *how_and_why)
    _tell_again(tx, deliveries, now)
    return len(rows) + sum(map(len, plain.values()))


def _called(tx: Tx, call: Call, now: float) -> None:
    gate = find_gate(tx, call.terms.connection)
    if (changed := call.gate(gate)) != gate:
        set_gate(tx, changed)
    if call.terms.scopes:
        terms = call.terms
        budgets.answered(tx, terms.connection, terms.scopes, call.heard, until=call.until, now=now)


def _stand(tx: Tx, deliveries: Sequence[Delivery]) -> bool:
    """Whether all are as they were leased, which they nearly always are: told at once, without reading one by one."""
    tokens = {delivery.lease for delivery in deliveries}
    if len(tokens) != 1:
        return not tokens
    sql = f"SELECT count(*) FROM delivery WHERE id IN ({_marks(deliveries)}) AND lease = ? AND revision = sent_revision"
    standing: int = tx.execute(sql, (*map(_NUMBER, deliveries), *tokens)).fetchone()[0]
    return standing == len(deliveries)


def _changed(tx: Tx, deliveries: Sequence[Delivery]) -> Mapping[int, Literal["", "late", "outgrown", "erased"]]:
    """What became of deliveries while they were out: their lease was lost, more is wanted by now than was sent, or
    their account is gone; "" for nothing."""
    sql = f"SELECT id, lease, revision > sent_revision FROM delivery WHERE id IN ({_marks(deliveries)})"
    standing = {row[0]: row[1:] for row in tx.execute(sql, tuple(map(_NUMBER, deliveries))).fetchall()}
    changed: dict[int, Literal["", "late", "outgrown", "erased"]] = {}
    for delivery in deliveries:
        lease, outgrown = standing.get(delivery.id, (None, 0))
        late: Literal["late", "erased"] = "erased" if lease is None else "late"
        changed[delivery.id] = late if lease != delivery.lease else "outgrown" if outgrown else ""
    return changed


def _settled(
    delivery: Delivery, settlement: Settlement, now: float, *, outgrown: bool
) -> tuple[State, tuple[object, ...]]:
    """The new state, and its row of SQL_SETTLE."""
    event, told = settlement.event, ""
    added, sent_tags = None, None
    if event == Event.DELIVERED:
        tags = delivery.tags if settlement.tags is None else settlement.tags
        owed = outgrown or (tags is not delivery.tags and not set(delivery.tags) <= set(tags))
        added, sent_tags, told = 1, _written(tags), delivery.new_title
        event = Event.OUTGROWN if owed else event
    state = after("leased", event)
    values = (state, settlement.because, settlement.attempts, settlement.due or now, now)
    return state, (delivery.id, *values, settlement.remote_id or delivery.remote_id, added, sent_tags, told)


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _write(tx: Tx, sql: str, rows: Sequence[tuple[object, ...]], *same: object) -> None:
    """`same`: the parameters that are the same for all rows."""
    for part in _parts(rows, _MOST_ROWS):
        tx.execute(_for_rows(sql, len(part), len(part[0])), (*same, *chain.from_iterable(part)))


@lru_cache(maxsize=64)
def _for_rows(sql: str, number: int, columns: int) -> str:
    return sql.format(rows=", ".join([f"({', '.join('?' * columns)})"] * number))


def _tell_again(tx: Tx, deliveries: Sequence[Delivery], now: float) -> None:
    """Whoever sent these links is told again."""
    if not deliveries or tx.execute("SELECT 1 FROM report LIMIT 1").fetchone() is None:
        return
    sql = (
        "UPDATE report SET due = ? WHERE arrival IN"
        " (SELECT s.arrival FROM sighting s JOIN delivery d ON d.link = s.link"
        f" WHERE d.id IN ({_marks(deliveries)}))"
    )
    tx.execute(sql, (now, *map(_NUMBER, deliveries)))


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
