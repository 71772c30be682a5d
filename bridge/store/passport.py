"""What is known about a link, a delivery or an arrival, for people who ask. Reads only."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from bridge.ports import OWNER, Passport, Report, Verdict
from bridge.reading_list import ARCHIVED, DELETED
from bridge.store import inbox, links, lookups, outbox, requests
from bridge.store.sqlite import Tx

_PASSWORD = re.compile(r"//[^/?#]*@")


def passport(tx: Tx, account: str, canonical: str, given: str) -> Passport:
    """`given` is the address as the person typed it: that is how arrivals nobody could read may spell it."""
    row = tx.execute(
        "SELECT id, since, canonical FROM link WHERE id = ?", (links.find(tx, account, canonical),)
    ).fetchone()
    link, since, canonical = row or (-1, None, canonical)
    return Passport(
        canonical=canonical,
        since=since,
        sightings=_sightings(tx, link),
        deliveries=_deliveries(tx, link),
        refused=_arrivals(tx, account, given, "parked"),
        marked=_marked(tx, account, canonical),
        waiting=_arrivals(tx, account, given, "new"),
        item=_item(tx, account, canonical),
        page=lookups.told(tx, canonical),
        others=links.others(tx, link),
    )


def _item(tx: Tx, account: str, canonical: str) -> dict[str, Any] | None:
    sql = "SELECT time_added, status FROM item WHERE account = ? AND canonical = ? AND status != ?"
    row = tx.execute(sql, (account, canonical, DELETED)).fetchone()
    return {"time_added": row[0], "archived": row[1] == ARCHIVED} if row else None


def _sightings(tx: Tx, link: int) -> list[dict[str, Any]]:
    rows = tx.execute(
        "SELECT s.id, s.arrival, s.received, s.facts, s.rule_set, s.matched, s.title, s.tags, s.state, s.reason,"
        " s.page, a.source, a.channel"
        " FROM sighting s JOIN arrival a ON a.id = s.arrival WHERE s.link = ? ORDER BY s.id",
        (link,),
    ).fetchall()
    names = "id arrival received facts rule_set matched title tags state reason page source channel".split()
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for sighting in found:
        for name in ("facts", "matched", "tags"):
            sighting[name] = json.loads(sighting[name])
        sighting["page"] = json.loads(sighting["page"]) if sighting["page"] else None
    return found


def _deliveries(tx: Tx, link: int) -> list[dict[str, Any]]:
    rows = tx.execute(
        "SELECT id, connection, state, because, title, tags, due, attempts, remote_id, changed"
        " FROM delivery WHERE link = ? ORDER BY id",
        (link,),
    ).fetchall()
    names = "id connection state because title tags due attempts remote_id changed".split()
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for delivery in found:
        delivery["tags"] = json.loads(delivery["tags"])
        delivery["tries"] = _attempts(tx, delivery["id"])
    return found


def _attempts(tx: Tx, delivery: int) -> list[dict[str, Any]]:
    sql = "SELECT at, seconds, outcome, detail FROM attempt WHERE delivery = ? ORDER BY id"
    return [
        dict(zip(("at", "seconds", "outcome", "detail"), row, strict=True))
        for row in tx.execute(sql, (delivery,)).fetchall()
    ]


def _arrivals(tx: Tx, account: str, given: str, state: str) -> list[dict[str, Any]]:
    # Raw text may spell the address with JSON's escapes.
    spellings = {given, json.dumps(given)[1:-1], given.replace("/", "\\/")}
    clause = " OR ".join(["instr(raw, ?) > 0"] * len(spellings))
    rows = tx.execute(
        "SELECT id, source, channel, received, due, reason FROM arrival"
        f" WHERE state = ? AND account = ? AND ({clause}) ORDER BY id LIMIT 20",
        (state, account, *spellings),
    ).fetchall()
    return [dict(zip(("id", "source", "channel", "received", "due", "reason"), row, strict=True)) for row in rows]


def _marked(tx: Tx, account: str, canonical: str) -> list[dict[str, Any]]:
    sql = f"SELECT scope, since FROM seen WHERE key = ? AND {links.OF_LINKS} AND arrival IS NULL ORDER BY since"
    feeds = "feed:" if account == OWNER else f"feed@{account}:"
    rows = tx.execute(sql, (f"l:{canonical}",)).fetchall()
    # A feed's address may hold its password.
    return [
        {"scope": _PASSWORD.sub("//", scope, count=1), "since": since}
        for scope, since in rows
        if scope.startswith(feeds)
    ]


def report(tx: Tx, arrival: int, reference: str) -> Report | None:
    """What may be told about one arrival now; None when the arrival itself is gone."""
    row = tx.execute("SELECT state, reason FROM arrival WHERE id = ?", (arrival,)).fetchone()
    found = inbox.arrival(tx, arrival)
    if row is None or found is None or not found.raw:
        return None  # where it could be told stood in its raw text, which is gone
    verdicts = _verdicts(tx, arrival)
    answers, answered = requests.answers(tx, arrival)
    settled = answered and all(state in _SETTLED for verdict in verdicts for state, _ in verdict.deliveries.values())
    return Report(
        arrival=found,
        state=row[0],
        reason=row[1],
        verdicts=verdicts,
        settled=settled,
        reference=reference,
        answers=answers,
        next_due=_next_due(tx, arrival),
    )


_SETTLED = ("delivered", "dead", "unknown", "cancelled", "held")


def _next_due(tx: Tx, arrival: int) -> float | None:
    sql = (
        "SELECT min(CASE WHEN state = 'leased' THEN 0 ELSE due END) FROM delivery"
        " WHERE state IN ('pending', 'leased') AND link IN (SELECT link FROM sighting WHERE arrival = ?)"
    )
    found: float | None = tx.execute(sql, (arrival,)).fetchone()[0]
    return found


def _verdicts(tx: Tx, arrival: int) -> Sequence[Verdict]:
    rows = tx.execute(
        "SELECT s.facts, s.title, s.tags, s.state, s.reason, l.since, s.link"
        " FROM sighting s JOIN link l ON l.id = s.link WHERE s.arrival = ? ORDER BY s.id",
        (arrival,),
    ).fetchall()
    return [
        Verdict(
            url=json.loads(facts)["url"],
            title=title,
            tags=outbox.tags_of(tx, link) if state == "kept" else tuple(json.loads(tags)),
            state=state,
            reason=reason,
            since=since,
            deliveries=_states(tx, link),
        )
        for facts, title, tags, state, reason, since, link in rows
    ]


def _states(tx: Tx, link: int) -> dict[str, tuple[str, str]]:
    sql = "SELECT connection, state, because FROM delivery WHERE link = ? ORDER BY id"
    return {connection: (state, because) for connection, state, because in tx.execute(sql, (link,)).fetchall()}


def counts(tx: Tx, account: str) -> dict[str, Any]:
    """What came, what became of it, and what waits: arrivals by state, sightings by state, deliveries by connection."""
    whose, theirs = ("WHERE account = ?", (account,)) if account else ("", ())
    sightings = "sighting s JOIN link l ON l.id = s.link" if account else "sighting s"
    deliveries: dict[str, dict[str, int]] = {}
    sql = f"SELECT connection, state, count(*) FROM delivery {whose} GROUP BY connection, state ORDER BY connection"
    for connection, state, number in tx.execute(sql, theirs).fetchall():
        deliveries.setdefault(connection, {})[state] = number
    by_state = "SELECT {0}state, count(*) FROM {1} {2} GROUP BY {0}state"
    return {
        "arrivals": dict(tx.execute(by_state.format("", "arrival", whose), theirs).fetchall()),
        "sightings": dict(tx.execute(by_state.format("s.", sightings, whose), theirs).fetchall()),
        "deliveries": deliveries,
        "waiting_for_pages": lookups.waiting(tx, account),
    }


def rule_set(tx: Tx, hash_: str) -> str | None:
    row = tx.execute("SELECT text FROM rule_set WHERE hash = ?", (hash_,)).fetchone()
    return None if row is None else str(row[0])
