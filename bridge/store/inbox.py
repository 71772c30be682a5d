"""The inbox's units of work: arrivals, keys and cursors in one piece; and what intake made of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from bridge.errors import Conflict
from bridge.link import Sighting
from bridge.ports import Arrival, Cursor, Key, Read, Receipt
from bridge.rules import Decision
from bridge.store import books, floods, limits, links, lookups, notices, outbox, reports, requests, underway
from bridge.store.sqlite import Tx

GRACE = 1.5
"""Seconds a report waits for the first answer of a service, so that a person hears one true sentence, not two."""

SQL_ARRIVAL = """
    SELECT id, account, source, channel, raw, gathers, received, due, reason FROM arrival
"""

SQL_INSERT = """
    INSERT INTO arrival (id, account, source, channel, raw, gathers, received, due, state, reason) VALUES {}
"""

# A key that is known and not yet forgotten keeps its row.
SQL_REMEMBER = """
    INSERT INTO seen (scope, key, arrival, since, until) VALUES {}
    ON CONFLICT (scope, key) DO UPDATE SET arrival = excluded.arrival, since = excluded.since, until = excluded.until
    WHERE seen.until <= excluded.since
"""

CLOCK_SLACK = 2.0
"""Seconds a clock may be put back without anything being read too early, like an album before its last picture."""

ROWS = 32
"""Rows in one statement: so few that those of every length stay prepared."""


def put(
    tx: Tx,
    arrivals: Sequence[Arrival],
    *,
    seen: Sequence[Key],
    cursor: Cursor | None,
    expect: str | None,
    now: float,
) -> list[Receipt]:
    """See ports.Inbox.put."""
    if cursor is not None:
        _move(tx, cursor, expect)
    names = [(arrival.key.scope, arrival.key.value) for arrival in arrivals]
    old = _known(tx, names, now)
    first: dict[tuple[str, str], Arrival] = {}
    for name, arrival in zip(names, arrivals, strict=True):
        if name not in old:
            first.setdefault(name, arrival)
    ids = _insert(tx, list(first.values()), now)
    _enter(tx, first.values(), now)
    _remember(tx, [(arrival.key, number) for arrival, number in zip(first.values(), ids, strict=True)], now)
    _remember(tx, [(key, None) for key in {(key.scope, key.value): key for key in seen}.values()], now)
    given = dict(zip(first, ids, strict=True))
    return [
        Receipt(given.get(name) or _known_as(tx, arrival.key), first.pop(name, None) is arrival)
        for name, arrival in zip(names, arrivals, strict=True)
    ]


def put_each(tx: Tx, puts: Sequence[tuple[Sequence[Arrival], float]]) -> list[list[Receipt]]:
    """Several that put arrivals and nothing else, at once: their receipts, as if one had come after the other."""
    now = max(at for _, at in puts)
    together = [arrival for arrivals, _ in puts for arrival in arrivals]
    receipts = iter(put(tx, together, seen=(), cursor=None, expect=None, now=now))
    return [[next(receipts) for _ in arrivals] for arrivals, _ in puts]


def _known(tx: Tx, names: Sequence[tuple[str, str]], now: float) -> set[tuple[str, str]]:
    """Those of the keys that are still remembered. Nobody else writes meanwhile."""
    scopes: dict[str, list[str]] = {}
    for scope, value in names:
        scopes.setdefault(scope, []).append(value)
    return {(scope, value) for scope, values in scopes.items() for value in known(tx, scope, values, now)}


def _insert(tx: Tx, arrivals: Sequence[Arrival], now: float) -> Sequence[int]:
    """Their ids, in order: each is given a higher one than the one before."""
    # Nobody else writes meanwhile, and asking for the ids of rows costs more than half of inserting them.
    [highest] = tx.execute("SELECT coalesce(max(id), 0) FROM arrival").fetchone()
    ids = range(highest + 1, highest + 1 + len(arrivals))
    for start in range(0, len(arrivals), ROWS):
        some = arrivals[start : start + ROWS]
        values: list[object] = []
        for number, arrival in zip(ids[start:], some, strict=False):
            due_at = now if arrival.due <= now else _later(tx, arrival)
            values += (
                number,
                arrival.account,
                arrival.source,
                arrival.channel,
                arrival.raw,
                arrival.group,
                now,
                due_at,
            )
        tx.execute(SQL_INSERT.format(",".join(["(?, ?, ?, ?, ?, ?, ?, ?, 'new', '')"] * len(some))), values)
    return ids


def _enter(tx: Tx, arrivals: Iterable[Arrival], now: float) -> None:
    entries = books.Entries()
    for source, number in Counter([arrival.source for arrival in arrivals]).items():
        entries.add(books.ARRIVED, now, source, number)
    entries.write(tx)


def _later(tx: Tx, arrival: Arrival) -> float:
    """When one that waits may be read. What is read together waits for the one that is due last."""
    waiting = "gathers = ? AND gathers <> '' AND state = 'new' AND reason = ''"
    [latest] = tx.execute(f"SELECT max(due) FROM arrival WHERE {waiting}", (arrival.group,)).fetchone()
    if latest is None:
        return arrival.due
    due_at = max(arrival.due, float(latest))
    tx.execute(f"UPDATE arrival SET due = ? WHERE {waiting}", (due_at, arrival.group))
    return due_at


def _remember(tx: Tx, keys: Sequence[tuple[Key, int | None]], now: float) -> None:
    """Keys, none of them twice, each with the arrival it came with; those that are known stay as they are."""
    for start in range(0, len(keys), ROWS):
        some = keys[start : start + ROWS]
        values: list[object] = []
        for key, number in some:
            values += (key.scope, key.value, number, now, None if key.keep is None else now + key.keep)
        tx.execute(SQL_REMEMBER.format(",".join(["(?, ?, ?, ?, ?)"] * len(some))), values)


def _known_as(tx: Tx, key: Key) -> int:
    row = tx.execute("SELECT arrival FROM seen WHERE scope = ? AND key = ?", (key.scope, key.value)).fetchone()
    return int(row[0] or 0)


def _move(tx: Tx, cursor: Cursor, expect: str | None) -> None:
    found = progress(tx, cursor.scope)
    if expect is not None and found != expect:
        raise Conflict(f"the position in {cursor.scope} was moved by somebody else")
    tx.execute(
        "INSERT INTO progress (scope, value) VALUES (?, ?) ON CONFLICT (scope) DO UPDATE SET value = excluded.value",
        (cursor.scope, cursor.value),
    )
    for other in cursor.beside:
        _move(tx, other, None)


def move(tx: Tx, moves: Sequence[tuple[Cursor, str | None]]) -> AbstractSet[str]:
    """See ports.ManyCursors.move."""
    others: set[str] = set()
    for cursor, expect in moves:
        sql = "UPDATE progress SET value = ? WHERE scope = ? AND value = ?"
        if expect is not None and not cursor.beside:
            moved = tx.execute(sql, (cursor.value, cursor.scope, expect)).rowcount == 1
        elif moved := progress(tx, cursor.scope) == expect:
            _move(tx, cursor, None)
        if not moved:
            others.add(cursor.scope)
    return others


def progress(tx: Tx, scope: str) -> str | None:
    row = tx.execute("SELECT value FROM progress WHERE scope = ?", (scope,)).fetchone()
    return None if row is None else str(row[0])


def cursors(tx: Tx, scopes: Sequence[str]) -> dict[str, str]:
    """See ports.ManyCursors.cursors."""
    found: dict[str, str] = {}
    for start in range(0, len(scopes), 500):
        some = scopes[start : start + 500]
        sql = f"SELECT scope, value FROM progress WHERE scope IN ({','.join('?' * len(some))})"
        found.update((row[0], row[1]) for row in tx.execute(sql, some).fetchall())
    return found


def known(tx: Tx, scope: str, values: Sequence[str], now: float) -> AbstractSet[str]:
    """See ports.Inbox.known."""
    found: set[str] = set()
    for start in range(0, len(values), 500):
        some = values[start : start + 500]
        marks = ",".join("?" * len(some))
        sql = f"SELECT key FROM seen WHERE scope = ? AND key IN ({marks}) AND (until IS NULL OR until > ?)"
        found.update(row[0] for row in tx.execute(sql, (scope, *some, now)).fetchall())
    return found


def seen(tx: Tx, account: str, addresses: Sequence[str]) -> dict[str, int]:
    """See ports.Inbox.seen."""
    sql = "SELECT count(*) FROM sighting WHERE link = ?"
    return {address: int(tx.execute(sql, (links.find(tx, account, address),)).fetchone()[0]) for address in addresses}


def forget(tx: Tx, now: float) -> int:
    """Drops keys whose time is over, some at a time. Answers how many."""
    sql = "DELETE FROM seen WHERE rowid IN (SELECT rowid FROM seen WHERE until <= ? LIMIT 1000)"
    return tx.execute(sql, (now,)).rowcount


def due(tx: Tx, limit: int, now: float) -> list[Arrival]:
    """Arrivals that nobody has read yet, oldest first, each with all that must be read together with it."""
    # What came in later than now came before the clock was put back: it does not wait for that time to come again.
    sql = f"{SQL_ARRIVAL} WHERE state = 'new' AND (due <= ? OR received > ?) ORDER BY due, id LIMIT ?"
    found = {row[0]: _arrival(row) for row in tx.execute(sql, (now, now + CLOCK_SLACK, limit)).fetchall()}
    for group in {arrival.group for arrival in found.values()} - {""}:
        sql = f"{SQL_ARRIVAL} WHERE gathers = ? AND gathers <> '' AND state = 'new' ORDER BY id"
        found.update((row[0], _arrival(row)) for row in tx.execute(sql, (group,)).fetchall())
    return list(found.values())


def next_due(tx: Tx) -> float | None:
    row = tx.execute("SELECT min(due) FROM arrival WHERE state = 'new'").fetchone()
    return None if row[0] is None else float(row[0])


def arrival(tx: Tx, number: int) -> Arrival | None:
    row = tx.execute(f"{SQL_ARRIVAL} WHERE id = ?", (number,)).fetchone()
    return None if row is None else _arrival(row)


def _arrival(row: Sequence[object]) -> Arrival:
    number, account, source, channel, raw, gathers, received, due_at, reason = row
    return Arrival(
        id=int(str(number)),
        account=str(account),
        source=str(source),
        channel=str(channel),
        raw=str(raw),
        group=str(gathers),
        received=float(str(received)),
        due=float(str(due_at)),
        key=Key("", ""),
        waited=reason == lookups.WAITS,
    )


def take(
    tx: Tx,
    reads: Sequence[Read],
    *,
    rule_set: str,
    reporting: AbstractSet[str],
    now: float,
    telling: Sequence[str] = (),
) -> None:
    """What intake made of some arrivals: sightings, links, deliveries and reports. An arrival is taken once."""
    underway.end(tx, [read.arrival.id for read in reads])
    entries = books.Entries()
    for read in reads:
        arrival = read.arrival
        if read.state == "waits":
            lookups.wait(tx, arrival, read.pages, until=read.until, bulk=arrival.source in outbox.BULK, now=now)
            continue
        taken = tx.execute(
            "UPDATE arrival SET state = ?, reason = ? WHERE id = ? AND state = 'new'",
            (read.state, read.reason, arrival.id),
        ).rowcount
        if not taken:
            continue
        said = [decided for decided in read.decided if not _said_before(tx, arrival, decided[0])]
        owed = [_take(tx, read, *decided, rule_set=rule_set, now=now) for decided in said]
        entries.add(f"{books.TAKEN}:{read.state}", arrival.received, arrival.source)
        entries.add(books.SIGHTED, arrival.received, arrival.source, len(said))
        _look_up(tx, read, now)
        requests.put(tx, arrival, read.requests, now)
        for sighting, decision in said if arrival.source not in outbox.BULK else ():
            for _, words in decision.notices:
                notices.put(tx, telling, f"{words}\n{sighting.url}", now)
        if arrival.source in reporting:
            wait = reports.NOT_BY_ITSELF if read.requests else GRACE if any(owed) else 0.0
            reports.open_report(tx, arrival.id, now + wait)
    entries.write(tx)


def _look_up(tx: Tx, read: Read, now: float) -> None:
    if read.arrival.waited:
        lookups.done_waiting(tx, read.arrival.id)
    for address, url in read.pages.items():
        lookups.want_title(tx, address, url, bulk=read.arrival.source in outbox.BULK, now=now)


def _said_before(tx: Tx, arrival: Arrival, sighting: Sighting) -> bool:
    """Whether an earlier arrival of the same group (the message before its edit) said as much about the link."""
    if not arrival.group:
        return False
    rows = tx.execute(
        "SELECT s.facts FROM sighting s JOIN arrival a ON a.id = s.arrival"
        " WHERE a.gathers = ? AND a.gathers <> '' AND a.id < ? AND s.link = ?",
        (arrival.group, arrival.id, links.find(tx, arrival.account, sighting.canonical)),
    ).fetchall()
    before = [set(json.loads(row[0]).get("tags", ())) for row in rows]
    return bool(before) and set(sighting.tags) <= set().union(*before)


def _take(tx: Tx, read: Read, sighting: Sighting, decision: Decision, *, rule_set: str, now: float) -> bool:
    """Answers whether a delivery was made or changed by this sighting."""
    arrival, looked = read.arrival, read.looked.get(sighting.canonical)
    link = links.find_or_make(tx, arrival.account, sighting.canonical, now)
    if looked:
        links.name_as_its_page(tx, arrival.account, link, looked.page)
    decision = limits.limited(tx, arrival.account, link, decision, now)
    if sighting.source not in outbox.BULK:
        decision = floods.guarded(tx, arrival.account, decision, now)
    connections = dict.fromkeys((*sighting.settled, *decision.to))
    wish = partial(
        outbox.Wish,
        account=arrival.account,
        link=link,
        sighting=sighting,
        decision=decision,
        received=arrival.received,
    )
    granted = [outbox.want(tx, wish(connection=name), now) for name in connections]
    new = any(grant.new for grant in granted)
    added = dict.fromkeys(tag for grant in granted for tag in grant.tags_added)
    tx.execute(
        "INSERT INTO sighting (arrival, link, received, facts, rule_set, matched, title, tags, state, reason,"
        " page) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(arrival.id, link, arrival.received, _json(sighting.facts()), rule_set, _json(decision.matched)),
            *(decision.title, _json(list(added)), _state(decision, new=new), _reason(decision)),
            _json(looked.to_wire()) if looked else "",
        ),
    )
    return new or bool(added)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _state(decision: Decision, *, new: bool) -> str:
    if decision.dropped_by:
        return "dropped"
    return "kept" if new else "duplicate"


def _reason(decision: Decision) -> str:
    if not decision.dropped_by:
        return ""
    words = f" ({decision.reason})" if decision.reason else ""
    return f"rule {decision.dropped_by}{words}"


def keep_rule_set(tx: Tx, hash_: str, text: str, now: float) -> None:
    """Remembers a rule set under its hash, so that what it decided can be explained later."""
    tx.execute(
        "INSERT INTO rule_set (hash, text, since) VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING", (hash_, text, now)
    )
