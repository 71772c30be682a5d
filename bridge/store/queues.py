"""Units of work on what waits and what was refused: listed, tried again, given up, sent elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bridge.delivery import State
from bridge.ports.keeping import WAITING, Line
from bridge.store.outbox import LANES, STOPPED, within
from bridge.store.sqlite import Tx

MOST_AT_ONCE = 500
RECENT = 3600.0
RECENT_ATTEMPTS = 5000

_NAMES = ("id", "connection", "state", "url", "title", "due", "because", "attempts", "changed")
_OVER: tuple[State, ...] = ("dead", "unknown")
_ALL = (*WAITING, "dead")

_SQL_RECENT = """
    SELECT d.connection, count(*), min(a.at) FROM attempt a JOIN delivery d ON d.id = a.delivery
    WHERE a.id > (SELECT coalesce(max(id), 0) FROM attempt) - ? AND a.at > ? AND a.outcome = 'delivered'
    GROUP BY d.connection
"""
# The oldest of those that are due first, each by a look at the index: of a million that wait not all are read.
_SQL_SPAN = """
    SELECT (SELECT min(at) FROM (SELECT at FROM delivery WHERE connection = ? AND state = 'pending' AND lane = ?
            ORDER BY due, id LIMIT 1000)),
        (SELECT min(due) FROM delivery WHERE connection = ? AND state = 'pending' AND lane = ?),
        (SELECT max(due) FROM delivery WHERE connection = ? AND state = 'pending' AND lane = ?)
"""
# Each part walks over an index of its own: what is delivered is not looked at.
_SQL_COUNTS = f"""
    SELECT connection, 'pending', count(*) FROM delivery WHERE state = 'pending' GROUP BY connection
    UNION ALL SELECT connection, 'leased', count(*) FROM delivery WHERE state = 'leased' GROUP BY connection
    UNION ALL SELECT connection, state, count(*) FROM delivery WHERE {STOPPED} GROUP BY connection, state
"""
# Its state there, what it was sent and its attempts begin anew; what is wanted of it goes along.
_SQL_COPY = """
    INSERT INTO delivery (link, connection, account, url, title, tags, sent_tags, added, at, state, because, due, lane,
        found, attempts, revision, sent_revision, lease, remote_id, changed)
    SELECT link, ?, account, url, title, tags, '[]', 0, at, CASE state WHEN 'held' THEN 'held' ELSE 'pending' END,
        because, ?, lane, 0, 0, 1, 0, '', '', ? FROM delivery WHERE id = ?
    ON CONFLICT (link, connection) DO NOTHING
"""


def lines(tx: Tx, now: float) -> list[Line]:
    """See operations.Queues.lines."""
    states: dict[str, dict[str, int]] = {}
    for connection, state, number in tx.execute(_SQL_COUNTS).fetchall():
        states.setdefault(connection, {})[state] = number
    recent = {
        connection: (number, now - first)
        for connection, number, first in tx.execute(_SQL_RECENT, (RECENT_ATTEMPTS, now - RECENT)).fetchall()
    }
    return [_line(tx, name, counts, *recent.get(name, (0, 0.0))) for name, counts in sorted(states.items())]


def _line(tx: Tx, connection: str, states: dict[str, int], sent: int, sent_in: float) -> Line:
    spans = [tx.execute(_SQL_SPAN, (connection, lane) * 3).fetchone() for lane in LANES] if "pending" in states else []
    known = [span for span in spans if span[1] is not None]
    return Line(
        connection=connection,
        states=states,
        oldest=min((oldest for oldest, _, _ in known), default=None),
        next_due=min((first for _, first, _ in known), default=None),
        last_due=max((last for _, _, last in known), default=0.0),
        sent=sent,
        sent_in=sent_in,
    )


def waiting(tx: Tx, connection: str, limit: int) -> list[dict[str, Any]]:
    """See operations.Queues.waiting."""
    return _listed(tx, WAITING[:3], connection, limit, "due, id")


def dead(tx: Tx, connection: str, limit: int) -> list[dict[str, Any]]:
    """See operations.Queues.dead."""
    return _listed(tx, _OVER, connection, limit, "changed DESC, id DESC")


def _listed(tx: Tx, states: Sequence[State], connection: str, limit: int, order: str) -> list[dict[str, Any]]:
    parts = " UNION ALL ".join(
        f"SELECT {', '.join(_NAMES)} FROM delivery WHERE {within(state)} AND (? = '' OR connection = ?)"
        for state in states
    )
    sql = f"SELECT * FROM ({parts}) ORDER BY {order} LIMIT ?"
    rows = tx.execute(sql, (*[connection] * (2 * len(states)), limit)).fetchall()
    return [dict(zip(_NAMES, row, strict=True)) for row in rows]


def again(tx: Tx, numbers: Sequence[int], now: float) -> list[str]:
    """See operations.Queues.again."""
    sql = (
        "UPDATE delivery SET state = 'pending', due = ?, attempts = 0, because = 'tried again by hand', changed = ?"
        " WHERE id = ? AND state IN ('dead', 'unknown') RETURNING connection"
    )
    found = [tx.execute(sql, (now, now, number)).fetchone() for number in dict.fromkeys(numbers)]
    return [row[0] for row in found if row]


def give_up(tx: Tx, connection: str, numbers: Sequence[int], now: float, *, all_states: bool) -> int:
    """See operations.Queues.give_up; at most MOST_AT_ONCE of a connection."""
    states = _ALL if all_states else ("pending", "held", "unknown")
    numbers = numbers or _at(tx, connection, states)
    sql = (
        "UPDATE delivery SET state = 'cancelled', because = 'given up by hand', lease = '', changed = ?"
        f" WHERE id = ? AND (state = 'dead' OR {within(*states)}) RETURNING link"
    )
    links = [row[0] for number in numbers if (row := tx.execute(sql, (now, number)).fetchone())]
    _tell(tx, links, now)
    return len(links)


def _at(tx: Tx, connection: str, states: Sequence[State]) -> list[int]:
    parts = (f"SELECT id FROM delivery WHERE connection = ? AND {within(state)}" for state in states)
    rows = tx.execute(f"{' UNION ALL '.join(parts)} LIMIT ?", (*[connection] * len(states), MOST_AT_ONCE)).fetchall()
    return [row[0] for row in rows]


def move(tx: Tx, connection: str, to: str, now: float, *, all_states: bool) -> int:
    """See operations.Queues.move; at most MOST_AT_ONCE."""
    numbers = _at(tx, connection, _ALL if all_states else ("pending", "held"))
    links = [_move(tx, number, to, now) for number in numbers]
    _tell(tx, links, now)
    return len(links)


def _move(tx: Tx, number: int, to: str, now: float) -> int:
    if not tx.execute(_SQL_COPY, (to, now, now, number)).rowcount:
        _merge(tx, number, to, now)
    sql = "UPDATE delivery SET state = 'cancelled', because = ?, lease = '', changed = ? WHERE id = ? RETURNING link"
    return int(tx.execute(sql, (f"moved to {to}", now, number)).fetchone()[0])


def _merge(tx: Tx, number: int, to: str, now: float) -> None:
    """The link is wanted there already: only its tags are still owed, or everything if it was given up there."""
    link, tags = tx.execute("SELECT link, tags FROM delivery WHERE id = ?", (number,)).fetchone()
    sql = "SELECT id, tags, state FROM delivery WHERE link = ? AND connection = ?"
    there, had, state = tx.execute(sql, (link, to)).fetchone()
    known = json.loads(had)
    merged = list(dict.fromkeys([*known, *json.loads(tags)]))
    if merged == known and state not in ("dead", "cancelled"):
        return
    tx.execute(
        "UPDATE delivery SET tags = ?, revision = revision + 1, changed = ?, attempts = 0,"
        " state = CASE WHEN state IN ('delivered', 'dead', 'cancelled') THEN 'pending' ELSE state END,"
        " due = CASE WHEN state IN ('delivered', 'dead', 'cancelled') THEN ? ELSE due END WHERE id = ?",
        (json.dumps(merged, ensure_ascii=False), now, now, there),
    )


def _tell(tx: Tx, links: Sequence[int], now: float) -> None:
    """Whoever sent these links is told anew."""
    sql = "UPDATE report SET due = ? WHERE arrival IN (SELECT arrival FROM sighting WHERE link = ?)"
    tx.executemany(sql, [(now, link) for link in links])
