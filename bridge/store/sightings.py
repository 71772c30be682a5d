"""Units of work on what was taken in: read again, decided anew, rescued; and what rules hold, let go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from bridge.delivery import MOVES, Event
from bridge.link import Sighting
from bridge.page import Looked
from bridge.ports import Seen
from bridge.rules import Decision
from bridge.store import outbox
from bridge.store.sqlite import Tx

_SQL_SEEN = """
    SELECT s.id, l.account, s.link, s.received, s.facts, s.matched, s.state, s.reason, s.page,
        (SELECT count(*) FROM sighting o WHERE o.link = s.link AND o.id < s.id)
    FROM sighting s JOIN link l ON l.id = s.link
"""


def sightings(tx: Tx, since: float, below: int | None, limit: int, state: str) -> list[Seen]:
    """See ports.Archive.sightings."""
    wanted = "s.received >= ? AND (? IS NULL OR s.id < ?) AND ? IN ('', s.state)"
    sql = f"{_SQL_SEEN} WHERE {wanted} ORDER BY s.id DESC LIMIT ?"
    return [_seen(row) for row in tx.execute(sql, (since, below, below, state, limit)).fetchall()]


def sighting(tx: Tx, number: int) -> Seen | None:
    row = tx.execute(f"{_SQL_SEEN} WHERE s.id = ?", (number,)).fetchone()
    return None if row is None else _seen(row)


def _seen(row: Sequence[Any]) -> Seen:
    number, account, link, received, facts, matched, state, reason, page, before = row
    return Seen(
        id=number,
        account=account,
        link=link,
        received=received,
        sighting=Sighting.from_facts(json.loads(facts)),
        matched=json.loads(matched),
        state=state,
        reason=reason,
        before=before,
        looked=Looked.from_wire(json.loads(page)) if page else None,
    )


def apply(tx: Tx, decided: Sequence[tuple[Seen, Decision]], now: float) -> AbstractSet[int]:
    """See ports.Archive.decide_anew."""
    return {seen.link for seen, decision in decided if _apply(tx, seen, decision, now)}


def rehearse(tx: Tx, decided: Sequence[tuple[Seen, Decision]], now: float) -> AbstractSet[int]:
    """As `apply`, and all of it is taken back."""
    tx.execute("SAVEPOINT rehearsal")
    try:
        return apply(tx, decided, now)
    finally:
        tx.execute("ROLLBACK TO SAVEPOINT rehearsal")
        tx.execute("RELEASE SAVEPOINT rehearsal")


def _apply(tx: Tx, seen: Seen, decision: Decision, now: float) -> bool:
    # What a person took back or a service refused is not tried again by rules.
    sql = "SELECT connection FROM delivery WHERE link = ? AND state IN ('cancelled', 'dead')"
    over = {row[0] for row in tx.execute(sql, (seen.link,)).fetchall()}
    wishes = [_wish(seen, connection, decision) for connection in decision.to if connection not in over]
    granted = [outbox.want(tx, wish, now) for wish in wishes]
    return any(grant.new or grant.tags_added for grant in granted)


def _wish(seen: Seen, connection: str, decision: Decision) -> outbox.Wish:
    return outbox.Wish(
        account=seen.account,
        link=seen.link,
        connection=connection,
        sighting=seen.sighting,
        decision=decision,
        received=seen.received,
    )


def rescue(tx: Tx, seen: Seen, decision: Decision, now: float) -> bool:
    """See ports.Archive.rescue."""
    sql = "UPDATE sighting SET state = 'kept', reason = ?, title = ? WHERE id = ? AND state = 'dropped'"
    changed = tx.execute(sql, (f"hand, rescued from {seen.reason}", decision.title, seen.id)).rowcount
    for connection in decision.to if changed else ():
        outbox.want(tx, _wish(seen, connection, decision), now)
    return changed > 0


def held(tx: Tx) -> list[dict[str, Any]]:
    """See ports.Archive.held."""
    names = ("id", "connection", "url", "title", "because", "changed")
    sql = f"SELECT {', '.join(names)} FROM delivery WHERE state = 'held' ORDER BY id"
    return [dict(zip(names, row, strict=True)) for row in tx.execute(sql).fetchall()]


def release(tx: Tx, numbers: Sequence[int], *, send: bool, now: float) -> int:
    """See ports.Archive.release."""
    event, because = (Event.LET_GO, "let go by hand") if send else (Event.GIVEN_UP, "given up by hand")
    sql = (
        f"UPDATE delivery SET state = '{MOVES[event][1]}', because = ?, due = ?, changed = ?"
        f" WHERE id = ? AND {outbox.concerned(event)}"
    )
    return sum(tx.execute(sql, (because, now, now, number)).rowcount for number in numbers)
