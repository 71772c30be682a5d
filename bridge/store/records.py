"""Units of work for files of links: records put on the list, wanted at a connection, and read page by page."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from bridge.link import Sighting
from bridge.ports import HOUR, Arrival, Kept, Key, Read
from bridge.reading_list import DELETED, Status
from bridge.record import Highlight, Record
from bridge.rules import Decision
from bridge.store import inbox, reading_list
from bridge.store.sqlite import Tx

# The rows are wanted by id: what is done to the account keeps its indexes, which would have to be sorted, away.
SQL_PAGE = """
    SELECT {columns} FROM item i WHERE i.id > ? AND i.account || '' = ? AND i.status + 0 {status}
    ORDER BY i.id LIMIT ?
"""
_SQL_HIGHLIGHT = "INSERT INTO highlight (item, quote, time) VALUES (?, ?, ?) ON CONFLICT (item, quote) DO NOTHING"


def keep(tx: Tx, account: str, records: Sequence[Record], now: int) -> Kept:
    """See ports.Shelf.keep."""
    done = reading_list.keep(tx, account, [record.item for record in records], now)
    marked = [
        (item.id, highlight.quote, highlight.time)
        for (item, _), record in zip(done, records, strict=True)
        for highlight in record.highlights
    ]
    tx.executemany(_SQL_HIGHLIGHT, marked)
    added = sum(before is None for _, before in done)
    tagged = sum(before is not None and item.tags != before.tags for item, before in done)
    return Kept(added, tagged, len(done) - added - tagged)


def send(tx: Tx, account: str, connection: str, records: Sequence[Record], *, channel: str, now: float) -> None:
    """See ports.Shelf.send. One arrival holds them all, so that each link's passport tells where it came from."""
    arrival = Arrival(
        source="file",
        account=account,
        channel=channel,
        key=Key("file", uuid.uuid4().hex, HOUR),
        raw=json.dumps([record.plain() for record in records], ensure_ascii=False),
    )
    [receipt] = inbox.put(tx, [arrival], seen=(), cursor=None, expect=None, now=now)
    decided = [_decided(record, connection) for record in records]
    read = Read(replace(arrival, id=receipt.id, received=now), "read", decided=decided)
    inbox.take(tx, [read], rule_set="", reporting=frozenset(), now=now)


def _decided(record: Record, connection: str) -> tuple[Sighting, Decision]:
    item = record.item
    sighting = Sighting.of(item.url, source="file", title=item.title, tags=item.tags, at=float(item.time_added))
    return sighting, Decision(title=item.title, tags=item.tags, to=(connection,))


def page(tx: Tx, account: str, after: int, limit: int, status: Status | None) -> list[tuple[int, Record]]:
    """See ports.Shelf.records."""
    wanted = f"<> {DELETED}" if status is None else f"= {int(status)}"
    sql = SQL_PAGE.format(columns=reading_list.COLUMNS, status=wanted)
    items = reading_list.items_of(tx, tx.execute(sql, (after, account, limit)).fetchall())
    marked = _highlights(tx, items[0].id, items[-1].id) if items else {}
    return [(item.id, Record(replace(item, id=0), marked.get(item.id, ()))) for item in items]


def _highlights(tx: Tx, first: int, last: int) -> dict[int, tuple[Highlight, ...]]:
    sql = "SELECT item, quote, time FROM highlight WHERE item BETWEEN ? AND ? ORDER BY item, time, quote"
    rows = tx.execute(sql, (first, last)).fetchall()
    return {
        item: tuple(Highlight(quote, time) for _, quote, time in some)
        for item, some in groupby(rows, key=lambda row: row[0])
    }
