"""Requests' units of work: what a person asks about an arrival, carried out once, and what it changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
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

LONGEST_WAIT = 60.0
"""Nothing is put off for longer: what is due later than that was made before the clock was put back."""

Plain = dict[str, Any]
Trade = Callable[[Tx, Errand, float], Plain]

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
        " WHERE answer = '' AND (due <= ? OR due > ?) ORDER BY due, id LIMIT ?"
    )
    names = ("id", "arrival", "account", "about", "name", "argument", "failures")
    return [
        Errand(**dict(zip(names, row, strict=True)))
        for row in tx.execute(sql, (now, now + LONGEST_WAIT, limit)).fetchall()
    ]


def next_due(tx: Tx) -> float | None:
    row = tx.execute("SELECT min(due) FROM request WHERE answer = ''").fetchone()
    return None if row[0] is None else float(row[0])


def put_off(tx: Tx, errand: Errand, due_at: float) -> None:
    tx.execute("UPDATE request SET due = ?, failures = failures + 1 WHERE id = ?", (due_at, errand.id))


def answer(tx: Tx, errand: Errand, said: Mapping[str, Any], now: float) -> None:
    """See ports.Errands.answer."""
    taken = tx.execute("UPDATE request SET answer = ? WHERE id = ? AND answer = ''", (_json(said), errand.id)).rowcount
    if taken:
        tx.execute("UPDATE report SET due = ? WHERE arrival = ?", (now, errand.arrival))


def carry_out(tx: Tx, errand: Errand, trade: Trade, now: float, *, patient: bool) -> Plain | None:
    """Once: see ports.Errands. None: `patient`, and something is being sent at this moment."""
    row = tx.execute("SELECT answer FROM request WHERE id = ?", (errand.id,)).fetchone()
    if row and row[0]:
        return dict(json.loads(row[0]))
    said = trade(tx, errand, now)
    reports.tell_anew(tx, errand.about, now)
    if patient and any(link["busy"] for link in said.get("links") or () if isinstance(link, dict)):
        return None
    answer(tx, errand, said, now)
    return said


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


def take_back(tx: Tx, errand: Errand, now: float) -> Plain:
    """See ports.Errands.take_back."""
    rows = tx.execute(
        "SELECT s.link, s.state, s.title, l.canonical, l.since FROM sighting s JOIN link l ON l.id = s.link"
        " WHERE s.arrival = ? ORDER BY s.id",
        (errand.about,),
    ).fetchall()
    links = []
    for link, state, title, canonical, since in rows:
        found: Plain = {"url": canonical, "title": title, "state": state, "since": since}
        again = state == "kept" and _came_after(tx, link, errand)
        nothing: Plain = {"back": [], "stays": {}, "busy": [], "again": again}
        links.append(found | (nothing if again or state != "kept" else _take_back(tx, link, now)))
    return {"links": links}


def _came_after(tx: Tx, link: int, errand: Errand) -> bool:
    """Whether it was sent once more after it was asked to be taken back: links are read before requests are done."""
    sql = "SELECT 1 FROM sighting WHERE link = ? AND arrival > ? AND state <> 'dropped' LIMIT 1"
    return tx.execute(sql, (link, errand.arrival)).fetchone() is not None


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


def show_again(_tx: Tx, _errand: Errand, _now: float) -> Plain:
    """See ports.Errands.show_again."""
    return {}


def tag(tx: Tx, errand: Errand, now: float, *, tags: Sequence[str]) -> Plain:
    """See ports.Errands.tag. What was added is written down with the arrival that asked for it."""
    new: dict[str, None] = {}
    for link, sighting, decision in _sighted(tx, errand.about):
        added = outbox.tag(tx, link, tags, now)
        new |= dict.fromkeys(added)
        if added:
            _note(tx, errand.arrival, link, replace(sighting, tags=added, title=decision.title), now)
    return {"tags": list(tags), "added": list(new)}


def _note(tx: Tx, asked_by: int, link: int, sighting: Sighting, now: float) -> None:
    rule_set = tx.execute("SELECT rule_set FROM sighting WHERE link = ? ORDER BY id DESC LIMIT 1", (link,)).fetchone()
    tx.execute(
        "INSERT INTO sighting (arrival, link, received, facts, rule_set, matched, title, tags, state, reason)"
        " VALUES (?, ?, ?, ?, ?, '[]', ?, ?, 'duplicate', '')",
        (asked_by, link, now, _json(sighting.facts()), rule_set[0], sighting.title, _json(sighting.tags)),
    )
    [source] = tx.execute("SELECT source FROM arrival WHERE id = ?", (asked_by,)).fetchone()
    books.enter(tx, books.SIGHTED, [(now, source)])


def want_also(tx: Tx, errand: Errand, now: float, *, connection: str) -> Plain:
    """See ports.Errands.want_also."""
    number = 0
    for link, sighting, decision in _sighted(tx, errand.about):
        wish = outbox.Wish(
            account=errand.account, link=link, connection=connection, sighting=sighting, decision=decision, received=now
        )
        number += outbox.want(tx, wish, now).new
    return {"connection": connection, "links": number}


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
