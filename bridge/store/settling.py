"""The outbox's units of work when calls have been made: outcomes, attempts, what was heard of limits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain, repeat
from typing import Literal

from bridge.delivery import MOVES, Delivery, Event, Settlement, State, after
from bridge.ports import Call
from bridge.store import budgets
from bridge.store.gates import find_gate, set_gate
from bridge.store.outbox import json_of
from bridge.store.sqlite import Tx, chunks, marks, padded

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
    WHERE s.column1 IS NOT NULL
"""
_MOST_ROWS = 1024

_Groups = defaultdict[tuple[object, ...], list[tuple[object, ...]]]


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
    for because_and_attempts, group in plain.items():
        _write(tx, _SQL_DELIVER, group, *because_and_attempts, now, now)
    _write(tx, _SQL_SETTLE, rows)
    for how_and_why, group in tried.items():
        _write(tx, _SQL_ATTEMPT, group, now, call.took if call else 0.0, *how_and_why)
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
    numbers = _numbers(deliveries)
    sql = f"SELECT count(*) FROM delivery WHERE id IN ({marks(numbers)}) AND lease = ? AND revision = sent_revision"
    standing: int = tx.execute(sql, (*numbers, *tokens)).fetchone()[0]
    return standing == len(deliveries)


def _changed(tx: Tx, deliveries: Sequence[Delivery]) -> Mapping[int, Literal["late", "outgrown", "erased"]]:
    """What became of deliveries while they were out: their lease was lost, more is wanted by now than was sent, or
    their account is gone. Those that stand as they were leased are not in it."""
    numbers = _numbers(deliveries)
    sql = f"SELECT id, lease, revision > sent_revision FROM delivery WHERE id IN ({marks(numbers)})"
    standing = {row[0]: row[1:] for row in tx.execute(sql, numbers).fetchall()}
    changed: dict[int, Literal["late", "outgrown", "erased"]] = {}
    for delivery in deliveries:
        lease, outgrown = standing.get(delivery.id, (None, 0))
        if lease is None:
            changed[delivery.id] = "erased"
        elif lease != delivery.lease:
            changed[delivery.id] = "late"
        elif outgrown:
            changed[delivery.id] = "outgrown"
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


def _numbers(deliveries: Sequence[Delivery]) -> Sequence[int | None]:
    return padded([delivery.id for delivery in deliveries])


def _write(tx: Tx, sql: str, rows: Sequence[tuple[object, ...]], *same: object) -> None:
    """`same`: the parameters that are the same for all rows."""
    for part in chunks(rows, _MOST_ROWS):
        columns, full = len(part[0]), padded(part)
        values = chain(same, chain.from_iterable(part), repeat(None, (len(full) - len(part)) * columns))
        tx.execute(_for_rows(sql, len(full), columns), tuple(values))


@lru_cache(maxsize=64)
def _for_rows(sql: str, number: int, columns: int) -> str:
    return sql.format(rows=", ".join([f"({', '.join('?' * columns)})"] * number))


def _tell_again(tx: Tx, deliveries: Sequence[Delivery], now: float) -> None:
    """Whoever sent these links is told again."""
    if not deliveries or tx.execute("SELECT 1 FROM report LIMIT 1").fetchone() is None:
        return
    numbers = _numbers(deliveries)
    sql = (
        "UPDATE report SET due = ? WHERE arrival IN"
        " (SELECT s.arrival FROM sighting s JOIN delivery d ON d.link = s.link"
        f" WHERE d.id IN ({marks(numbers)}))"
    )
    tx.execute(sql, (now, *numbers))


@lru_cache(maxsize=4096)
def _written(tags: tuple[str, ...]) -> str:
    return json_of(tags)
