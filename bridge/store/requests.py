"""Requests' units of work: what a person asks about an arrival, carried out once, and what it changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bridge.delivery import MOVES, Event
from bridge.link import Sighting
from bridge.ports import Answered, Arrival, Errand, Request
from bridge.reading_list import Action
from bridge.rules import READING, Decision
from bridge.store import books, outbox, reading_list, reports
from bridge.store.sqlite import Tx

TAKEN_BACK = "taken back"

Plain = dict[str, Any]

SQL_LAST = """
    SELECT s.arrival FROM sighting s JOIN arrival a ON a.id = s.arrival
    WHERE a.state = 'read' AND a.source = ? AND a.channel = ? AND a.account = ? AND s.arrival <> ?
    ORDER BY s.id DESC LIMIT 1
"""
SQL_GROUP = "SELECT min(id) FROM arrival WHERE gathers = ? AND gathers <> '' AND channel = ? AND account = ?"
SQL_TOLD = """
    SELECT id FROM arrival WHERE channel = ? AND account = ? AND id IN (
        SELECT arrival FROM told WHERE reference = ?
        UNION SELECT arrival FROM report WHERE reference = ? AND reference <> '')
"""


def put(tx: Tx, arrival: Arrival, requests: Sequence[Request], now: float) -> None:
    for request in requests:
        tx.execute(
            "INSERT INTO request (arrival, account, about, name, argument, due, failures, answer)"
            " VALUES (?, ?, ?, ?, ?, ?, 0, '')",
            (arrival.id, arrival.account, _meant(tx, arrival, request), request.name, request.argument, now),
        )


def _meant(tx: Tx, arrival: Arrival, request: Request) -> int:
    """The arrival a request is about; never one of another channel or account. 0: there is none."""
    about = request.about
    values: tuple[object, ...]
    match about[:1]:
        case "":
            sql, values = SQL_LAST, (arrival.source, arrival.channel, arrival.account, arrival.id)
        case "#":
            sql = "SELECT id FROM arrival WHERE id = ? AND channel = ? AND account = ?"
            values = (int(about[1:]), arrival.channel, arrival.account)
        case "@":
            sql, values = SQL_TOLD, (arrival.channel, arrival.account, about[1:], about[1:])
        case _:
            sql, values = SQL_GROUP, (about, arrival.channel, arrival.account)
    row = tx.execute(sql, values).fetchone()
    return int(row[0] or 0) if row else 0


def due(tx: Tx, limit: int, now: float) -> list[Errand]:
    sql = (
        "SELECT id, arrival, account, about, name, argument, failures FROM request"
        " WHERE answer = '' AND due <= ? ORDER BY due, id LIMIT ?"
    )
    names = ("id", "arrival", "account", "about", "name", "argument", "failures")
    return [Errand(**dict(zip(names, row, strict=True))) for row in tx.execute(sql, (now, limit)).fetchall()]


def next_due(tx: Tx) -> float | None:
    row = tx.execute("SELECT min(due) FROM request WHERE answer = ''").fetchone()
    return None if row[0] is None else float(row[0])


def put_off(tx: Tx, errand: Errand, due_at: float) -> None:
    tx.execute("UPDATE request SET due = ?, failures = failures + 1 WHERE id = ?", (due_at, errand.id))


def answer(tx: Tx, errand: Errand, said: Mapping[str, Any], now: float) -> None:
    """See ports.Errands.answer."""
    words = json.dumps(said, ensure_ascii=False)
    tx.execute("UPDATE request SET answer = ? WHERE id = ? AND answer = ''", (words, errand.id))
    tx.execute("UPDATE report SET due = ? WHERE arrival = (SELECT arrival FROM request WHERE id = ?)", (now, errand.id))


def answers(tx: Tx, arrival: int) -> tuple[list[Answered], bool]:
    """The answers to an arrival's requests, and whether that is all of them."""
    rows = tx.execute(
        "SELECT name, argument, about, answer FROM request WHERE arrival = ? ORDER BY id", (arrival,)
    ).fetchall()
    given = [Answered(name, argument, about, json.loads(words)) for name, argument, about, words in rows if words]
    return given, len(given) == len(rows)


def links_of(tx: Tx, arrival: int) -> list[str]:
    """See ports.Errands.links_of."""
    sql = (
        "SELECT l.canonical FROM sighting s JOIN link l ON l.id = s.link WHERE s.arrival = ? GROUP BY l.id"
        " ORDER BY min(s.id)"
    )
    return [row[0] for row in tx.execute(sql, (arrival,)).fetchall()]


def take_back(tx: Tx, arrival: int, now: float) -> Plain:
    """See ports.Errands.take_back."""
    rows = tx.execute(
        "SELECT s.link, s.state, s.title, l.canonical, l.since FROM sighting s JOIN link l ON l.id = s.link"
        " WHERE s.arrival = ? ORDER BY s.id",
        (arrival,),
    ).fetchall()
    links = []
    for link, state, title, canonical, since in rows:
        found: Plain = {"url": canonical, "title": title, "state": state, "since": since}
        links.append(found | (_take_back(tx, link, now) if state == "kept" else {"back": [], "stays": {}, "busy": []}))
    reports.tell_anew(tx, arrival, now)
    return {"links": links}


def _take_back(tx: Tx, link: int, now: float) -> Plain:
    rows = tx.execute(
        "SELECT id, connection, account, url, state, because, added, found,"
        " EXISTS (SELECT 1 FROM attempt a WHERE a.delivery = delivery.id) FROM delivery WHERE link = ? ORDER BY id",
        (link,),
    ).fetchall()
    back, stays, busy = [], {}, []
    for number, connection, account, url, state, because, added, found, tried in rows:
        if state == "cancelled":
            back += [connection] if because == TAKEN_BACK else []
        elif state == "leased":
            busy.append(connection)
        elif connection == READING and found:
            stays[connection] = state
        elif tried and not added and connection != READING:
            # A call whose answer was lost may have arrived.
            _cancel(tx, number, now)
            stays[connection] = "unknown"
        elif connection == READING or not (added or state == "unknown"):
            if added:
                reading_list.apply(tx, account, [Action(name="delete", url=url)], int(now))
            _cancel(tx, number, now)
            back.append(connection)
        else:
            stays[connection] = state
    return {"back": back, "stays": stays, "busy": busy}


def _cancel(tx: Tx, delivery: int, now: float) -> None:
    tx.execute(
        f"UPDATE delivery SET state = '{MOVES[Event.TAKEN_BACK][1]}', because = ?, changed = ?, added = 0,"
        f" sent_tags = '[]', remote_id = '' WHERE id = ? AND {outbox.concerned(Event.TAKEN_BACK)}",
        (TAKEN_BACK, now, delivery),
    )


def tag(tx: Tx, arrival: int, asked_by: int, tags: Sequence[str], now: float) -> list[str]:
    """See ports.Errands.tag. What was added is written down with the arrival that asked for it."""
    new: dict[str, None] = {}
    for link, sighting, decision in _sighted(tx, arrival):
        added = outbox.tag(tx, link, tags, now)
        new |= dict.fromkeys(added)
        if added:
            _note(tx, asked_by, link, replace(sighting, tags=added, title=decision.title), now)
    reports.tell_anew(tx, arrival, now)
    return list(new)


def _note(tx: Tx, asked_by: int, link: int, sighting: Sighting, now: float) -> None:
    rule_set = tx.execute("SELECT rule_set FROM sighting WHERE link = ? ORDER BY id DESC LIMIT 1", (link,)).fetchone()
    tx.execute(
        "INSERT INTO sighting (arrival, link, received, facts, rule_set, matched, title, tags, state, reason)"
        " VALUES (?, ?, ?, ?, ?, '[]', ?, ?, 'duplicate', '')",
        (asked_by, link, now, _json(sighting.facts()), rule_set[0], sighting.title, _json(sighting.tags)),
    )
    [source] = tx.execute("SELECT source FROM arrival WHERE id = ?", (asked_by,)).fetchone()
    books.enter(tx, books.SIGHTED, [(now, source)])


def want_also(tx: Tx, arrival: int, connection: str, now: float) -> int:
    """See ports.Errands.want_also."""
    account = tx.execute("SELECT account FROM arrival WHERE id = ?", (arrival,)).fetchone()[0]
    number = 0
    for link, sighting, decision in _sighted(tx, arrival):
        wish = outbox.Wish(
            account=account, link=link, connection=connection, sighting=sighting, decision=decision, received=now
        )
        number += outbox.want(tx, wish, now).new
    reports.tell_anew(tx, arrival, now)
    return number


def _sighted(tx: Tx, arrival: int) -> Iterator[tuple[int, Sighting, Decision]]:
    """Each link an arrival named, with the decision as it stands: dropped ones may still be wanted by hand."""
    rows = tx.execute(
        "SELECT link, facts, title, tags FROM sighting WHERE arrival = ? ORDER BY id", (arrival,)
    ).fetchall()
    for link, facts, title, tags in rows:
        sighting = Sighting.from_facts(json.loads(facts))
        known = outbox.tags_of(tx, link) or json.loads(tags) or list(sighting.tags)
        yield link, sighting, Decision(title=title, tags=tuple(known), to=())


def last(tx: Tx, account: str, limit: int) -> list[Plain]:
    """See ports.Errands.last."""
    rows = tx.execute(
        "SELECT s.facts, s.title, s.received, s.link FROM sighting s JOIN arrival a ON a.id = s.arrival"
        " WHERE a.account = ? AND s.state = 'kept' ORDER BY s.id DESC LIMIT ?",
        (account, limit),
    ).fetchall()
    return [
        {"url": json.loads(facts)["url"], "title": title, "at": received, "tags": outbox.tags_of(tx, link)}
        for facts, title, received, link in rows
    ]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
