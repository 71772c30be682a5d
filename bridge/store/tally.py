"""How many items there are, kept up with every change, so that no page has to count them.

A row counts the items of an account that have a tag, a status and a favourite mark; the tag "" counts all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from bridge.reading_list import DELETED, UNTAGGED, Item, Query
from bridge.store.sqlite import Tx

ALL = ""

_SQL_ADD = (
    "INSERT INTO tally (account, tag, status, favorite, number) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (account, tag, status, favorite) DO UPDATE SET number = tally.number + excluded.number"
)
_SQL_RECOUNT = (
    "INSERT INTO tally (account, tag, status, favorite, number)"
    " SELECT t.account, t.tag, i.status, i.favorite, count(*) FROM item_tag t JOIN item i ON i.id = t.item"
    " WHERE t.account = ? AND t.tag = ? GROUP BY t.account, t.tag, i.status, i.favorite"
)
_SQL_LAST_TAG = (
    "SELECT i.status, i.favorite, count(*) FROM item_tag t JOIN item i ON i.id = t.item"
    " WHERE t.account = ? AND t.tag = ? AND NOT EXISTS"
    " (SELECT 1 FROM item_tag o WHERE o.item = t.item AND o.tag <> t.tag) GROUP BY i.status, i.favorite"
)


def move(tx: Tx, account: str, changes: Iterable[tuple[Item | None, Item]]) -> None:
    """Items as they were (None: not there) and as they are."""
    numbers: Counter[tuple[str, int, bool]] = Counter()
    for before, after in changes:
        numbers.subtract(_kinds(before))
        numbers.update(_kinds(after))
    tx.executemany(_SQL_ADD, [(account, *kind, number) for kind, number in numbers.items() if number])


def _kinds(item: Item | None) -> Iterator[tuple[str, int, bool]]:
    if item is not None:
        for tag in (ALL, *(item.tags or (UNTAGGED,))):
            yield tag, item.status, item.favorite


def forget_tag(tx: Tx, account: str, tag: str) -> None:
    """Before a tag goes: what has no other tag is untagged from now on."""
    rows = tx.execute(_SQL_LAST_TAG, (account, tag)).fetchall()
    tx.executemany(_SQL_ADD, [(account, UNTAGGED, *row) for row in rows])


def recount(tx: Tx, account: str, tag: str) -> None:
    tx.execute("DELETE FROM tally WHERE account = ? AND tag = ?", (account, tag))
    tx.execute(_SQL_RECOUNT, (account, tag))


def answers(query: Query) -> bool:
    """Whether it is kept how many items a query matches."""
    return not (query.search or query.domain or query.since or query.updated_before)


def total(tx: Tx, account: str, query: Query, tag: str) -> int:
    """How many items match a query that `answers` is true of, about all items or those with a tag."""
    wanted = [f"status <> {DELETED}" if query.status is None else f"status = {int(query.status)}"]
    if query.favorite is not None:
        wanted.append(f"favorite = {int(query.favorite)}")
    sql = f"SELECT coalesce(sum(number), 0) FROM tally WHERE account = ? AND tag = ? AND {' AND '.join(wanted)}"
    return int(tx.execute(sql, (account, tag)).fetchone()[0])


def tags(tx: Tx, account: str) -> tuple[str, ...]:
    """All tags that some item has, in order."""
    sql = "SELECT DISTINCT tag FROM tally WHERE account = ? AND tag NOT IN (?, ?) AND number > 0 ORDER BY tag"
    return tuple(tag for (tag,) in tx.execute(sql, (account, ALL, UNTAGGED)).fetchall())
