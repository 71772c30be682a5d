"""The outbox's units of work: what is wanted at each connection, leases, outcomes, gates."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.delivery import LEASE_SECONDS, Delivery, Settlement
from bridge.link import Sighting, canonical
from bridge.ports import Gate
from bridge.reading_list import DELETED
from bridge.rules import READING, Decision
from bridge.store.sqlite import Tx

# A lease is a due date in the future with a name on it.
SQL_LEASE = """
    UPDATE delivery SET state = 'leased', lease = ?, due = ?, changed = ?, sent_revision = revision
    WHERE id IN (
        SELECT id FROM delivery WHERE connection = ? AND state = 'pending' AND due <= ?
        ORDER BY bulk, due, id LIMIT ?
    )
    RETURNING id, url, title, tags, sent_tags, added, at, attempts, lease, remote_id, account
"""

# What files bring waits for what people save one by one.
BULK = ("file",)

# What has come to an end begins anew; what is delivered is owed the difference.
_ENDED = ("dead", "cancelled")

# What has ended stays so until a person sends the link once more.
_BY_HAND = ("cli", "hook", "pocket", "save", "telegram")
SQL_WANT_AGAIN = """
    UPDATE delivery SET tags = ?, revision = revision + 1, changed = ?,
        state = CASE WHEN state IN ('delivered', 'dead', 'cancelled') THEN 'pending' ELSE state END,
        due = CASE WHEN state IN ('delivered', 'dead', 'cancelled') THEN ? ELSE due END,
        attempts = CASE WHEN state IN ('delivered', 'dead', 'cancelled') THEN 0 ELSE attempts END
    WHERE id = ?
"""

# What a rule holds or delays goes as soon as another sighting is neither held nor delayed as long.
SQL_WANT_SOONER = """
    UPDATE delivery SET state = 'pending', because = 'new', due = ?, changed = ?
    WHERE id = ? AND (state = 'held' OR (state = 'pending' AND attempts = 0 AND added = 0 AND due > ?))
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

    A delivery that is dead or was taken back lives again: its person sent the link once more.
    """
    row = tx.execute(
        "SELECT id, tags, state FROM delivery WHERE link = ? AND connection = ?", (wish.link, wish.connection)
    ).fetchone()
    if row is None:
        return _want_new(tx, wish, now)
    number, had, state = row[0], tuple(json.loads(row[1])), row[2]
    added = tuple(tag for tag in wish.decision.tags if tag not in had)
    again = state in _ENDED
    if state == "delivered" and _was_deleted(tx, wish):
        tx.execute("UPDATE delivery SET added = 0, found = 0, sent_tags = '[]' WHERE id = ?", (number,))
        again = True
    if again and wish.sighting.source not in _BY_HAND:
        return Granted(new=False, tags_added=())
    if wish.sighting.source not in BULK:
        tx.execute("UPDATE delivery SET bulk = 0 WHERE id = ? AND bulk = 1", (number,))
    if added or again:
        tx.execute(SQL_WANT_AGAIN, (_json((*had, *added)), now, now, number))
    if again:
        tx.execute("UPDATE delivery SET state = ?, because = ?, due = ? WHERE id = ?", (*_beginning(wish, now), number))
    if not wish.decision.held_by:
        due = now + wish.decision.delay
        again = tx.execute(SQL_WANT_SOONER, (due, now, number, due)).rowcount > 0 or again
    return Granted(new=again, tags_added=added)


def tag(tx: Tx, link: int, tags: Sequence[str], now: float) -> tuple[str, ...]:
    """Tags added to a link wherever it is wanted. Answers those that were new somewhere."""
    sql = f"SELECT id, tags FROM delivery WHERE link = ? AND state NOT IN {_ENDED}"
    new: dict[str, None] = {}
    for number, wanted in tx.execute(sql, (link,)).fetchall():
        had = tuple(json.loads(wanted))
        added = tuple(tag for tag in tags if tag not in had)
        new |= dict.fromkeys(added)
        if added:
            tx.execute(SQL_WANT_AGAIN, (_json((*had, *added)), now, now, number))
    return tuple(new)


def tags_of(tx: Tx, link: int) -> tuple[str, ...]:
    """All tags a link is wanted with, wherever it is wanted."""
    rows = tx.execute("SELECT tags FROM delivery WHERE link = ? ORDER BY id", (link,)).fetchall()
    return tuple(dict.fromkeys(tag for row in rows for tag in json.loads(row[0])))


def _want_new(tx: Tx, wish: Wish, now: float) -> Granted:
    sighting, decision = wish.sighting, wish.decision
    there = wish.connection in sighting.settled
    told = sighting.tags if there else ()
    state, because, due = _beginning(wish, now)
    found = None if there or wish.connection != READING else _on_the_list(tx, wish)
    if found is not None:
        # It came with a file, or was on the list before bridge knew of it: only tags are owed, and nothing is undone.
        told, there = found, True
        state, because = ("delivered" if set(decision.tags) <= set(told) else "pending"), "on the list before"
    bulk = sighting.source in BULK
    at = sighting.at or wish.received if bulk else wish.received
    tx.execute(
        "INSERT INTO delivery (link, connection, account, url, title, tags, sent_tags, added, at, state, because,"
        " due, bulk, found, attempts, revision, sent_revision, lease, remote_id, changed)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 1, 0, '', '', ?)",
        (
            *(wish.link, wish.connection, wish.account, decision.url or sighting.url, decision.title),
            *(_json(decision.tags), _json(told), int(there), at, state, because, due),
            *(int(bulk), int(found is not None), now),
        ),
    )
    added = decision.tags if found is None else tuple(tag for tag in decision.tags if tag not in found)
    return Granted(new=found is None, tags_added=added)


def _was_deleted(tx: Tx, wish: Wish) -> bool:
    """A person took it off the embedded list and now sends it once more: to say “already saved” would be a lie."""
    by_a_person = wish.sighting.source in ("cli", "save", "telegram")
    return by_a_person and wish.connection == READING and _on_the_list(tx, wish) is None


def _on_the_list(tx: Tx, wish: Wish) -> tuple[str, ...] | None:
    """The tags of the item, if the embedded list has the link already."""
    row = tx.execute(
        "SELECT id FROM item WHERE account = ? AND canonical = ? AND status <> ?",
        (wish.account, canonical(wish.decision.url or wish.sighting.url), DELETED),
    ).fetchone()
    if row is None:
        return None
    return tuple(tag for (tag,) in tx.execute("SELECT tag FROM item_tag WHERE item = ?", (row[0],)).fetchall())


def _beginning(wish: Wish, now: float) -> tuple[str, str, float]:
    """State, because and due of a new delivery."""
    sighting, decision = wish.sighting, wish.decision
    if wish.connection in sighting.settled:
        # What the source has put there itself is owed no add, only the tags that rules gave.
        done = set(decision.tags) <= set(sighting.tags)
        return "delivered" if done else "pending", f"put there by {sighting.source}", now
    if decision.held_by:
        reason = f": {decision.hold}" if decision.hold else ""
        return "held", f"rule {decision.held_by}{reason}", now
    if decision.delay:
        return "pending", f"rule {decision.delayed_by}", now + decision.delay
    return "pending", "new", now


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
    number, url, title, tags, sent, added, at, attempts, token, remote_id, account = map(str, row)
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
        account=account,
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
    if revision is None:
        return 0  # its account was erased meanwhile
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
    # One look at the index for each: the least of all would be looked for everywhere.
    sql = "SELECT min(due) FROM delivery WHERE connection = ? AND state = 'pending' AND bulk = ?"
    first = [tx.execute(sql, (connection, bulk)).fetchone()[0] for bulk in (0, 1)]
    first += tx.execute(
        "SELECT min(due) FROM delivery WHERE connection = ? AND state = 'leased'", (connection,)
    ).fetchone()
    dues = [float(due) for due in first if due is not None]
    return max(min(dues), gate.not_before) if dues else None


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
    """Everything dead or unknown at a connection is tried once more. Answers how many."""
    sql = (
        "UPDATE delivery SET state = 'pending', due = ?, attempts = 0, because = 'tried again by hand', changed = ?"
        " WHERE connection = ? AND state IN ('dead', 'unknown')"
    )
    return tx.execute(sql, (now, now, connection)).rowcount
