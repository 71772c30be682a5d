"""Units of work on pages: which are to be looked at, what was found, and whom that concerns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from bridge import titles
from bridge.delivery import MOVES, Event
from bridge.link import canonical
from bridge.page import Looked, Page
from bridge.ports import DAY, Arrival, WantedPage
from bridge.reading_list import DELETED
from bridge.rules import READING
from bridge.store import links, outbox, reports
from bridge.store.sqlite import Tx

FRESH = 7 * DAY
"""What a page said is believed for so long."""

FAILED_FRESH = 10 * 60.0
"""A page that could not be read is not waited for again for so long."""

KEPT = 90 * DAY

WAITS = "waits for its page"

_ENDED = ("dead", "cancelled")


def looked(tx: Tx, addresses: Sequence[str], now: float, *, finally_: bool) -> dict[str, Looked]:
    """See ports.Inbox.looked."""
    found: dict[str, Looked] = {}
    for address in addresses:
        row = tx.execute(_SQL_PAGE, (address,)).fetchone()
        known = _known(row, now) if row else None
        if known is None and finally_:
            known = _as_far_as_known(row)
        if known is not None:
            found[address] = known
    return found


_SQL_PAGE = "SELECT state, facts, reason, looked FROM page WHERE address = ?"


def _known(row: Sequence[Any], now: float) -> Looked | None:
    state, facts, reason, at = row
    if state == "read" and at > now - FRESH:
        return Looked(Page.from_wire(json.loads(facts)))
    if state in ("later", "failed") and at > now - FAILED_FRESH:
        return Looked(unread=reason)
    return None


def _as_far_as_known(row: Sequence[Any] | None) -> Looked:
    """Old facts are better than none."""
    if row is None or not row[1]:
        return Looked(unread=(row[2] if row else "") or "no answer came in time")
    return Looked(Page.from_wire(json.loads(row[1])))


def want(tx: Tx, address: str, url: str, *, titled: bool, bulk: bool, now: float) -> bool:
    """The page is to be looked at. Answers whether that is still to be done: it may be known by now."""
    parameters = (address, url, _site(address), now, int(bulk), int(titled))
    tx.execute(_SQL_WANT, (*parameters, now - FRESH, now - FAILED_FRESH))
    if titled:
        tx.execute("UPDATE page SET titled = 1 WHERE address = ?", (address,))
        # Nobody waits for it any more, but its title may still come.
        sql = "UPDATE page SET state = 'later', due = looked + ? WHERE address = ? AND state = 'failed'"
        tx.execute(sql, (FAILED_FRESH, address))
    row = tx.execute("SELECT state FROM page WHERE address = ?", (address,)).fetchone()
    return bool(row[0] == "wanted")


# What is known and fresh stays; what is being looked at is left alone.
_SQL_WANT = """
    INSERT INTO page (address, url, host, state, facts, reason, tries, began, due, looked, bulk, titled)
    VALUES (?, ?, ?, 'wanted', '', '', 0, 0, ?, 0, ?, ?)
    ON CONFLICT (address) DO UPDATE SET
        state = 'wanted', tries = 0, began = 0, due = excluded.due, url = excluded.url, host = excluded.host,
        bulk = excluded.bulk
    WHERE (page.state = 'read' AND page.looked <= ?) OR (page.state IN ('later', 'failed') AND page.looked <= ?)
"""


def _site(address: str) -> str:
    """The host of a canonical address, with its port."""
    return address.partition("://")[2].partition("/")[0]


def wait(tx: Tx, arrival: Arrival, wanted: Mapping[str, str], *, until: float, bulk: bool, now: float) -> None:
    """The arrival waits for pages, once. It is read again when all were looked at, or at `until`."""
    pending = [address for address, url in wanted.items() if want(tx, address, url, titled=False, bulk=bulk, now=now)]
    rows = [(address, arrival.id) for address in pending]
    tx.executemany("INSERT INTO page_wait (address, arrival) VALUES (?, ?) ON CONFLICT DO NOTHING", rows)
    due = until if pending or not wanted else now
    sql = "UPDATE arrival SET reason = ?, due = ? WHERE id = ? AND state = 'new' AND reason = ''"
    tx.execute(sql, (WAITS, due, arrival.id))


def done_waiting(tx: Tx, arrival: int) -> None:
    tx.execute("DELETE FROM page_wait WHERE arrival = ?", (arrival,))


def next_page(tx: Tx, busy: AbstractSet[str], now: float) -> WantedPage | None:
    """See ports.Lookups.next_page."""
    sql = (
        "SELECT address, url, host, tries, began, titled FROM page"
        f" WHERE due <= ? AND host NOT IN ({','.join('?' * len(busy))}) ORDER BY bulk, due LIMIT 1"
    )
    row: tuple[Any, ...] | None = tx.execute(sql, (now, *busy)).fetchone()
    if row is None:
        return None
    address, url, name, tries, began, titled = row
    return WantedPage(address, url, name, tries, began, bool(titled))


def next_due(tx: Tx) -> float | None:
    row = tx.execute("SELECT min(due) FROM page WHERE due IS NOT NULL").fetchone()
    return None if row[0] is None else float(row[0])


def unread(tx: Tx, page: WantedPage, reason: str, *, again: float | None, waited_for: bool, now: float) -> None:
    """See ports.Lookups.page_unread."""
    state = "wanted" if waited_for else "failed" if again is None else "later"
    tx.execute(
        "UPDATE page SET state = ?, reason = ?, tries = tries + 1, began = CASE WHEN began = 0 THEN ? ELSE began END,"
        " due = ?, looked = ? WHERE address = ?",
        (state, reason, now, again, now, page.address),
    )
    if not waited_for:
        _release(tx, page.address, now)


def read(tx: Tx, address: str, page: Page, *, retitling: AbstractSet[str], now: float) -> None:
    """See ports.Lookups.page_read."""
    facts = json.dumps(page.to_wire(), ensure_ascii=False)
    tx.execute(
        "UPDATE page SET state = 'read', facts = ?, reason = '', tries = 0, began = 0, due = NULL, looked = ?,"
        " titled = 0 WHERE address = ?",
        (facts, now, address),
    )
    for link, account in _links(tx, address):
        links.name_as_its_page(tx, account, link, page)
        _entitle(tx, link, account, page.title, retitling, now)
    _release(tx, address, now)


def want_title(tx: Tx, address: str, url: str, *, bulk: bool, now: float) -> None:
    """Links that were decided without a title get it when the page is read; at once, if it was in the meantime."""
    if want(tx, address, url, titled=True, bulk=bulk, now=now):
        return
    state, facts = tx.execute("SELECT state, facts FROM page WHERE address = ?", (address,)).fetchone()
    for link, account in _links(tx, address) if state == "read" else ():
        _entitle(tx, link, account, Page.from_wire(json.loads(facts)).title, frozenset({READING}), now)


def _links(tx: Tx, address: str) -> list[tuple[int, str]]:
    accounts = tx.execute(
        "SELECT id, account FROM link WHERE canonical = ? UNION SELECT link, account FROM alias WHERE address = ?",
        (address, address),
    ).fetchall()
    return [(row[0], row[1]) for row in accounts]


def _release(tx: Tx, address: str, now: float) -> None:
    """Those who wait for nothing else are read again."""
    waiting = [row[0] for row in tx.execute("SELECT arrival FROM page_wait WHERE address = ?", (address,)).fetchall()]
    tx.execute("DELETE FROM page_wait WHERE address = ?", (address,))
    for arrival in waiting:
        tx.execute(
            "UPDATE arrival SET due = ? WHERE id = ? AND state = 'new'"
            " AND NOT EXISTS (SELECT 1 FROM page_wait w WHERE w.arrival = arrival.id)",
            (now, arrival),
        )


# -- a title that is found late --------------------------------------------------------------------------------------


def _entitle(tx: Tx, link: int, account: str, title: str, retitling: AbstractSet[str], now: float) -> None:  # noqa: PLR0917
    """What was decided without a title gets it: what is not sent yet at once, what is sent where titles can be
    changed and nobody gave another one."""
    if not title:
        return
    rows = tx.execute(
        "SELECT id, connection, url, title, state, added FROM delivery WHERE link = ?", (link,)
    ).fetchall()
    for number, connection, url, had, state, added in rows:
        if state in _ENDED or not titles.fault(had, url):
            continue
        if not added and state != "leased":
            tx.execute("UPDATE delivery SET title = ?, changed = ? WHERE id = ?", (title, now, number))
        elif connection in retitling and (connection != READING or _lacks_title(tx, account, url)):
            tx.execute(_SQL_RETITLE, (title, now, number))
            tx.execute(_SQL_OWED, (now, number))
    _tell(tx, link, title, now)


_SQL_RETITLE = "UPDATE delivery SET new_title = ?, revision = revision + 1, changed = ? WHERE id = ?"
_SQL_OWED = f"""
    UPDATE delivery SET state = '{MOVES[Event.WANTED_MORE][1]}', because = 'its title was found', due = ?, attempts = 0
    WHERE id = ? AND {outbox.concerned(Event.WANTED_MORE)}
"""


def _lacks_title(tx: Tx, account: str, url: str) -> bool:
    row = tx.execute(
        "SELECT title FROM item WHERE account = ? AND canonical = ? AND status <> ?", (account, canonical(url), DELETED)
    ).fetchone()
    return row is not None and bool(titles.fault(row[0], url))


def _tell(tx: Tx, link: int, title: str, now: float) -> None:
    rows = tx.execute("SELECT id, arrival, title, facts FROM sighting WHERE link = ?", (link,)).fetchall()
    for number, arrival, had, facts in rows:
        if titles.fault(had, json.loads(facts)["url"]):
            tx.execute("UPDATE sighting SET title = ? WHERE id = ?", (title, number))
            reports.tell_anew(tx, arrival, now)


# -- what people ask -------------------------------------------------------------------------------------------------


def told(tx: Tx, address: str) -> dict[str, Any] | None:
    """What is known of a page, for people."""
    sql = "SELECT state, facts, reason, tries, due, looked FROM page WHERE address = ?"
    row = tx.execute(sql, (address,)).fetchone()
    if row is None:
        return None
    state, facts, reason, tries, due, at = row
    names = {"state": state, "reason": reason, "tries": tries, "due": due, "looked": at}
    return names | {"facts": json.loads(facts) if facts else {}}


def waiting(tx: Tx, account: str) -> int:
    """Arrivals that wait for a page."""
    sql = "SELECT count(*) FROM arrival WHERE state = 'new' AND reason <> '' AND ? IN ('', account)"
    return int(tx.execute(sql, (account,)).fetchone()[0])


def forget(tx: Tx, now: float) -> int:
    """Drops pages nobody asked for in a long time, some at a time. Answers how many."""
    sql = "DELETE FROM page WHERE address IN (SELECT address FROM page WHERE looked <= ? AND due IS NULL LIMIT 1000)"
    return tx.execute(sql, (now - KEPT,)).rowcount


def stop_waiting(tx: Tx, now: float) -> int:
    """See Store.stop_waiting."""
    return tx.execute("UPDATE arrival SET due = ? WHERE state = 'new' AND reason = ?", (now, WAITS)).rowcount
