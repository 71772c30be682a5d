"""The outbox's units of work: what is wanted at each connection, leases, outcomes, gates."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.delivery import LEASE_SECONDS, Delivery, Settlement
from bridge.link import Sighting
from bridge.ports import Gate
from bridge.rules import Decision
from bridge.store.sqlite import Tx

# A lease is a due date in the future with a name on it.
SQL_LEASE = """
    UPDATE delivery SET state = 'leased', lease = ?, due = ?, changed = ?, sent_revision = revision
    WHERE id IN (
        SELECT id FROM delivery WHERE connection = ? AND state = 'pending' AND due <= ? ORDER BY due, id LIMIT ?
    )
    RETURNING id, url, title, tags, sent_tags, added, at, attempts, lease, remote_id
"""

SQL_SETTLE = """
    UPDATE delivery SET
        state = CASE WHEN ? = 'delivered' AND revision > ? THEN 'pending' ELSE ? END,
        because = ?, attempts = ?, due = ?, changed = ?, lease = '',
        remote_id = CASE WHEN ? <> '' THEN ? ELSE remote_id END,
        added = CASE WHEN ? = 'delivered' THEN 1 ELSE added END,
        sent_tags = CASE WHEN ? = 'delivered' THEN ? ELSE sent_tags END
    WHERE id = ? AND lease = ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One sighting's wish to have its link at one connection."""

    account: str
    link: int
    connection: str
    sighting: Sighting
    decision: Decision
    received: float


@dataclass(frozen=True, slots=True)
class Granted:
    """What a wish changed: `new` when the link is to be added there, and the tags that are new there."""

    new: bool
    tags_added: tuple[str, ...]


def want(tx: Tx, wish: Wish, now: float) -> Granted:
    """The link is wanted at a connection: a first add, or tags added to what is there. Never a second add.

    A dead delivery lives again: its person sent the link once more.
    """
    row = tx.execute(
        "SELECT id, tags, state FROM delivery WHERE link = ? AND connection = ?", (wish.link, wish.connection)
    ).fetchone()
    if row is None:
        return _want_new(tx, wish, now)
    number, had, state = row[0], tuple(json.loads(row[1])), row[2]
    added = tuple(tag for tag in wish.decision.tags if tag not in had)
    if added or state == "dead":
        tx.execute(
            "UPDATE delivery SET tags = ?, revision = revision + 1, changed = ?,"
            " state = CASE WHEN state IN ('delivered', 'dead') THEN 'pending' ELSE state END,"
            " due = CASE WHEN state IN ('delivered', 'dead') THEN ? ELSE due END,"
            " attempts = CASE WHEN state = 'dead' THEN 0 ELSE attempts END WHERE id = ?",
            (_json((*had, *added)), now, now, number),
        )
    return Granted(new=state == "dead", tags_added=added)


def _want_new(tx: Tx, wish: Wish, now: float) -> Granted:
    sighting, decision = wish.sighting, wish.decision
    there = wish.connection in sighting.settled
    told = sighting.tags if there else ()
    # What the source has put there itself is owed no add, only the tags that rules gave.
    done = there and set(decision.tags) <= set(told)
    because = f"put there by {sighting.source}" if there else "new"
    tx.execute(
        "INSERT INTO delivery (link, connection, account, url, title, tags, sent_tags, added, at, state, because,"
        " due, attempts, revision, sent_revision, lease, remote_id, changed)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 1, 0, '', '', ?)",
        (
            *(wish.link, wish.connection, wish.account, sighting.url, decision.title, _json(decision.tags)),
            *(_json(told), int(there), wish.received, "delivered" if done else "pending", because, now, now),
        ),
    )
    return Granted(new=True, tags_added=decision.tags)


def _json(tags: Sequence[str]) -> str:
    return json.dumps(tags, ensure_ascii=False)


def lease(tx: Tx, connection: str, limit: int, *, idempotent: bool, now: float) -> list[Delivery]:
    """See ports.Outbox.lease. A service that failed is probed with a single delivery."""
    expire(tx, connection, idempotent=idempotent, before=now, now=now)
    gate = find_gate(tx, connection)
    if gate.state == "paused" or gate.not_before > now:
        return []
    most = 1 if gate.failures else limit
    token = uuid.uuid4().hex
    rows = tx.execute(SQL_LEASE, (token, now + LEASE_SECONDS, now, connection, now, most)).fetchall()
    return sorted(map(_delivery, rows), key=lambda delivery: delivery.id)


def _delivery(row: Sequence[object]) -> Delivery:
    number, url, title, tags, sent, added, at, attempts, token, remote_id = map(str, row)
    wanted, told = tuple(json.loads(tags)), set(json.loads(sent))
    return Delivery(
        id=int(number),
        url=url,
        title=title,
        tags=wanted,
        new_tags=tuple(tag for tag in wanted if tag not in told),
        added=added == "1",
        at=float(at),
        attempts=int(attempts),
        lease=token,
        remote_id=remote_id,
    )


def settle(
    tx: Tx, settled: Sequence[tuple[Delivery, Settlement]], *, gate: Gate | None, now: float, took: float
) -> int:
    """See ports.Outbox.settle."""
    if gate is not None:
        set_gate(tx, gate)
    return sum(_settle_one(tx, delivery, settlement, now, took) for delivery, settlement in settled)


def _settle_one(tx: Tx, delivery: Delivery, settlement: Settlement, now: float, took: float) -> int:
    revision = tx.execute("SELECT sent_revision, link FROM delivery WHERE id = ?", (delivery.id,)).fetchone()
    state, tags = settlement.state, _json(delivery.tags)
    parameters = (
        *(state, revision[0], state, settlement.because, settlement.attempts, settlement.due or now, now),
        *(settlement.remote_id, settlement.remote_id, state, state, tags, delivery.id, delivery.lease),
    )
    held = tx.execute(SQL_SETTLE, parameters).rowcount
    outcome = state if held else "late"
    tx.execute(
        "INSERT INTO attempt (delivery, at, seconds, outcome, detail) VALUES (?, ?, ?, ?, ?)",
        (delivery.id, now, took, outcome, settlement.because),
    )
    # Whoever sent this link is told again.
    tx.execute(
        "UPDATE report SET due = ? WHERE arrival IN (SELECT arrival FROM sighting WHERE link = ?)", (now, revision[1])
    )
    return held


def next_due(tx: Tx, connection: str) -> float | None:
    """See ports.Outbox.next_due."""
    gate = find_gate(tx, connection)
    if gate.state == "paused":
        return None
    sql = "SELECT min(due) FROM delivery WHERE connection = ? AND state = 'pending'"
    row = tx.execute(sql, (connection,)).fetchone()
    return None if row[0] is None else max(float(row[0]), gate.not_before)


def expire(tx: Tx, connection: str, *, idempotent: bool, before: float, now: float) -> int:
    """Leases that ran out before a time: due again, or unknown where a second add could make a double."""
    state, because = ("pending", "interrupted, sent again") if idempotent else ("unknown", "its answer was lost")
    sql = (
        "UPDATE delivery SET state = ?, because = ?, lease = '', due = ?, changed = ?"
        " WHERE connection = ? AND state = 'leased' AND due <= ?"
    )
    return tx.execute(sql, (state, because, now, now, connection, before)).rowcount


def find_gate(tx: Tx, connection: str) -> Gate:
    sql = "SELECT connection, state, because, not_before, failures, credential FROM gate WHERE connection = ?"
    row = tx.execute(sql, (connection,)).fetchone()
    return Gate(connection) if row is None else Gate(*row)


def set_gate(tx: Tx, gate: Gate) -> None:
    tx.execute(
        "INSERT INTO gate (connection, state, because, not_before, failures, credential) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (connection) DO UPDATE SET state = excluded.state, because = excluded.because,"
        " not_before = excluded.not_before, failures = excluded.failures, credential = excluded.credential",
        (gate.connection, gate.state, gate.because, gate.not_before, gate.failures, gate.credential),
    )


def retry(tx: Tx, connection: str, now: float) -> int:
    """Everything dead at a connection is tried once more. Answers how many."""
    sql = (
        "UPDATE delivery SET state = 'pending', due = ?, attempts = 0, because = 'tried again by hand', changed = ?"
        " WHERE connection = ? AND state = 'dead'"
    )
    return tx.execute(sql, (now, now, connection)).rowcount
