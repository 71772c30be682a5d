"""The embedded reading list's units of work: actions on items, and pages of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, TypeVar

from bridge import link
from bridge.errors import InvalidArrival
from bridge.reading_list import (
    ARCHIVED,
    DELETED,
    GLOBAL_ACTIONS,
    ITEM_ACTIONS,
    ON_DELETED,
    UNREAD,
    UNTAGGED,
    Action,
    Item,
    Page,
    Query,
    Result,
    pocket_tags,
)
from bridge.reading_list import apply as applied
from bridge.store import search, tally
from bridge.store.sqlite import Tx, chunks, marks

T = TypeVar("T")

NOT_ON_THE_LIST = "there is no such item on the list"

CHUNK = 500
"""Values in one statement, well below what either engine takes."""

_ROWS = 100

_EVERYTHING = 2**63 - 1

COLUMNS = "i.id, i.url, i.title, i.status, i.favorite, i.time_added, i.time_updated, i.time_read, i.time_favorited"

_SQL_INSERT = (
    "INSERT INTO item (account, canonical, url, host, title, status, favorite, time_added, time_updated, time_read,"
    " time_favorited) VALUES {} RETURNING id, canonical"
)
_SQL_UPDATE = (
    "UPDATE item SET title = ?, status = ?, favorite = ?, time_added = ?, time_updated = ?, time_read = ?,"
    " time_favorited = ? WHERE id = ?"
)
_SQL_REVISE = (
    "INSERT INTO list_revision (account, revision) VALUES (?, 1)"
    " ON CONFLICT (account) DO UPDATE SET revision = list_revision.revision + 1"
)
_SQL_TOUCH_TAGGED = (
    "UPDATE item SET time_updated = ? WHERE time_updated < ? AND id IN"
    " (SELECT item FROM item_tag WHERE account = ? AND tag = ?)"
)
_SQL_COPY_TAG = (
    "INSERT INTO item_tag (item, tag, account, time_added) SELECT o.item, ?, o.account, o.time_added FROM item_tag o"
    " WHERE o.account = ? AND o.tag = ? AND NOT EXISTS (SELECT 1 FROM item_tag n WHERE n.item = o.item AND n.tag = ?)"
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items an account's list holds."""

    unread: int
    archived: int


# -- actions -------------------------------------------------------------------------------------------------------


def apply(tx: Tx, account: str, actions: Sequence[Action], now: int) -> list[Result]:
    """The actions in order, one result each; one that fails changes nothing and says why.

    Actions on items that follow each other are read, done and written together, in a handful of statements.
    """
    results: list[Result] = []
    for everywhere, run in groupby(actions, key=lambda action: action.name in GLOBAL_ACTIONS):
        if everywhere:
            results += [_everywhere(tx, account, action, now) for action in run]
        else:
            results += _on_items(tx, account, list(run), now)
    return results


def _everywhere(tx: Tx, account: str, action: Action, now: int) -> Result:
    old, new = _tag(action.old_tag), _tag(action.new_tag)
    if not old or (action.name == "tag_rename" and not new):
        return Result(error=f"{action.name} names no tag")
    if old == new:
        return Result()
    tx.execute(_SQL_REVISE, (account,))
    tx.execute(_SQL_TOUCH_TAGGED, (now, now, account, old))
    if action.name == "tag_rename":
        tx.execute(_SQL_COPY_TAG, (new, account, old, new))
        tally.recount(tx, account, new)
    else:
        tally.forget_tag(tx, account, old)
    tx.execute("DELETE FROM item_tag WHERE account = ? AND tag = ?", (account, old))
    tally.recount(tx, account, old)
    return Result()


def _tag(name: str) -> str:
    return next(iter(pocket_tags((name,))), "")


def _on_items(tx: Tx, account: str, actions: Sequence[Action], now: int) -> Iterator[Result]:
    sheet = _Sheet()
    addressed = [(action, _canonical(action.url)) for action in actions]
    sheet.read(tx, account, addressed)
    done = []
    for action, canonical in addressed:
        if action.item_id and action.item_id not in sheet.keys:
            sheet.write(tx, account)  # it may be the id that an item of this batch is about to get
        done.append(sheet.do(action, canonical, now))
    sheet.write(tx, account)
    return (sheet.identified(result, key) for result, key in done)


def _canonical(url: str) -> str:
    try:
        return link.canonical(url) if url else ""
    except InvalidArrival:
        return ""


def keep(tx: Tx, account: str, items: Sequence[Item], now: int) -> list[tuple[Item, Item | None]]:
    """Puts items on the list as they are; answers each as it is now and as it was. See ports.Shelf.keep."""
    sheet = _Sheet()
    addressed = [(Action(name="add", url=item.url), _canonical(item.url)) for item in items]
    sheet.read(tx, account, addressed)
    done = [(key, sheet.keep(key, item, now)) for (_, key), item in zip(addressed, items, strict=True)]
    sheet.write(tx, account)
    return [(sheet.items[key], before) for key, before in done]


@dataclass(slots=True)
class _Sheet:
    """The items some actions are about, by canonical address: as they were read, and as they are by now."""

    before: dict[str, Item] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)

    def read(self, tx: Tx, account: str, addressed: Sequence[tuple[Action, str]]) -> None:
        canonicals = {canonical for _, canonical in addressed if canonical}
        ids = {action.item_id for action, _ in addressed if action.item_id}
        rows = _rows_in(tx, account, "i.canonical", canonicals) + _rows_in(tx, account, "i.id", ids)
        items = items_of(tx, rows)
        self.before = {row[-1]: item for row, item in zip(rows, items, strict=True)}
        self.items = dict(self.before)
        self.keys = {item.id: key for key, item in self.before.items()}

    def do(self, action: Action, canonical: str, now: int) -> tuple[Result, str]:
        key = self._key(action, canonical)
        item = self.items.get(key)
        if action.name not in ITEM_ACTIONS:
            return Result(error=f"there is no action {action.name}"), key
        if item is None and (action.name != "add" or not canonical):
            return Result(error=NOT_ON_THE_LIST), key
        item = item or Item(id=0, url=action.url.strip(), status=DELETED)
        if item.status == DELETED and action.name not in ON_DELETED:
            return Result(error=NOT_ON_THE_LIST), key
        self.items[key] = after = applied(item, action, now)
        shown = after if action.name in ("add", "readd") else None
        return Result(shown, created=action.name == "add" and item.status == DELETED), key

    def keep(self, key: str, item: Item, now: int) -> Item | None:
        """Answers the item as it was, None when it was not on the list."""
        before = self.items.get(key)
        if before is None or before.status == DELETED:
            url, id_ = (before.url, before.id) if before else (item.url, 0)
            added = item.time_added or now
            self.items[key] = replace(item, id=id_, url=url, time_added=added, time_updated=now)
            return None
        tags = pocket_tags((*before.tags, *item.tags))
        if tags != before.tags:
            self.items[key] = replace(before, tags=tags, time_updated=max(now, before.time_updated))
        return before

    def _key(self, action: Action, canonical: str) -> str:
        by_id = self.keys.get(action.item_id, "")
        return canonical or by_id if action.name == "add" else by_id or canonical

    def write(self, tx: Tx, account: str) -> None:
        changed = {key: item for key, item in self.items.items() if item != self.before.get(key)}
        if not changed:
            return
        new = {key: item for key, item in changed.items() if not item.id}
        for rows in chunks(list(new.items()), _ROWS):
            for id_, key in _insert(tx, account, rows):
                self.items[key] = changed[key] = replace(changed[key], id=id_)
                self.keys[id_] = key
        tx.executemany(_SQL_UPDATE, [(*_state(item), item.id) for key, item in changed.items() if key not in new])
        self._write_tags(tx, account, changed)
        self._index(tx, account, changed)
        self.before = dict(self.items)

    def _index(self, tx: Tx, account: str, changed: Mapping[str, Item]) -> None:
        """What is kept besides the items: their numbers, their words, and that there was a change."""
        tx.execute(_SQL_REVISE, (account,))
        pairs = [(self.before.get(key), item) for key, item in changed.items()]
        tally.move(tx, account, pairs)
        renamed = [(old, item) for old, item in pairs if old is None or old.title != item.title]
        gone = [(old.id, old.title, old.url) for old, _ in renamed if old]
        search.put(tx, gone, [(item.id, item.title, item.url) for _, item in renamed])

    def _write_tags(self, tx: Tx, account: str, changed: Mapping[str, Item]) -> None:
        # The tags of a page are ordered by when their item was added, so they follow that, too.
        stale = [key for key, item in changed.items() if _tagged(item) != _tagged(self.before.get(key))]
        had = [(item.id,) for key in stale if (item := self.before.get(key)) and item.tags]
        tx.executemany("DELETE FROM item_tag WHERE item = ?", had)
        tags = [
            (item.id, tag, account, item.time_added) for item in map(changed.__getitem__, stale) for tag in item.tags
        ]
        tx.executemany("INSERT INTO item_tag (item, tag, account, time_added) VALUES (?, ?, ?, ?)", tags)

    def identified(self, result: Result, key: str) -> Result:
        if result.item is None or result.item.id:
            return result
        return Result(replace(result.item, id=self.items[key].id), created=result.created)


def _tagged(item: Item | None) -> tuple[tuple[str, ...], int]:
    return (item.tags, item.time_added) if item and item.tags else ((), 0)


def _insert(tx: Tx, account: str, rows: Sequence[tuple[str, Item]]) -> list[tuple[int, str]]:
    values = [(account, key, item.url, link.host(item.url), *_state(item)) for key, item in rows]
    places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(rows))
    return tx.execute(_SQL_INSERT.format(places), [value for row in values for value in row]).fetchall()


def _state(item: Item) -> tuple[Any, ...]:
    return (
        item.title,
        item.status,
        int(item.favorite),
        item.time_added,
        item.time_updated,
        item.time_read,
        item.time_favorited,
    )


def forget(tx: Tx, account: str) -> None:
    """Erases the whole list."""
    search.forget(tx, account)
    tx.execute("DELETE FROM highlight WHERE item IN (SELECT id FROM item WHERE account = ?)", (account,))
    for table in ("item_tag", "item", "tally"):
        tx.execute(f"DELETE FROM {table} WHERE account = ?", (account,))
    tx.execute(_SQL_REVISE, (account,))


# -- pages ---------------------------------------------------------------------------------------------------------


def find(tx: Tx, account: str, query: Query) -> Page:
    """Items in the asked order. With `since` it holds what was deleted, too, whatever else is asked."""
    page, _ = find_after(tx, account, query, None)
    return page


def revision(tx: Tx, account: str) -> int:
    """Grows with every change of the list."""
    row = tx.execute("SELECT revision FROM list_revision WHERE account = ?", (account,)).fetchone()
    return int(row[0]) if row else 0


def find_after(
    tx: Tx, account: str, query: Query, place: tuple[Any, ...] | None
) -> tuple[Page, tuple[Any, ...] | None]:
    """`place`: where the last row before this page stands, if the caller knows, instead of counting to the offset.

    Answers where the last row of this page stands, too, unless it was empty.
    """
    source, values = _matching(tx, account, query, ordered=query.count is not None)
    moment, down = _moment(query), " DESC" if query.sort in ("newest", "updated") else ""
    key = f"{moment}, {_id(query)}"
    wanted = source if place is None else f"{source} AND ({key}) {'<' if down else '>'} (?, ?)"
    count = _EVERYTHING if query.count is None else query.count
    rows = tx.execute(
        f"SELECT {COLUMNS}, {key} {wanted} ORDER BY {moment}{down}, {_id(query)}{down} LIMIT ? OFFSET ?",
        (*values, *(place or ()), count, 0 if place else query.offset),
    ).fetchall()
    page = Page(
        items_of(tx, rows),
        _total(tx, account, query) if query.total else 0,
        tally.tags(tx, account) if query.taglist else (),
    )
    return page, tuple(rows[-1][-2:]) if rows else None


def _total(tx: Tx, account: str, query: Query) -> int:
    if tally.answers(query):
        tag = UNTAGGED if query.tag == UNTAGGED else _tag(query.tag)
        return tally.total(tx, account, query, tag)
    source, values = _matching(tx, account, query)
    return int(tx.execute(f"SELECT count(*) {source}", values).fetchone()[0])


def counts(tx: Tx, account: str) -> Counts:
    rows = tx.execute("SELECT status, count(*) FROM item WHERE account = ? GROUP BY status", (account,)).fetchall()
    by_status = dict(rows)
    return Counts(unread=by_status.get(UNREAD, 0), archived=by_status.get(ARCHIVED, 0))


def _matching(tx: Tx, account: str, query: Query, *, ordered: bool = False) -> tuple[str, list[Any]]:
    """`ordered`: some rows in their order are wanted, not all that match."""
    conditions = list(_conditions(query))
    wanted = " AND ".join(sql for sql, _ in conditions)
    values = [value for _, values in conditions for value in values]
    if query.since:
        source = f"FROM item i WHERE i.account = ? AND i.time_updated >= ? AND (i.status = {DELETED} OR ({wanted}))"
        return source, [account, query.since, *values]
    if _by_tag(query):
        # CROSS: the tag leads, and its index has the order.
        source = f"FROM item_tag t CROSS JOIN item i WHERE i.id = t.item AND t.account = ? AND t.tag = ? AND {wanted}"
        return source, [account, _tag(query.tag), *values]
    match = search.match(tx, query.search)
    # A common word is met soon enough on the way through the list; what is rare the index must find.
    if match and not (ordered and search.is_common(tx, match)):
        return f"{search.FOUND} AND i.account = ? AND {wanted}", [match, account, *values]
    return f"FROM item i WHERE i.account = ? AND {wanted}", [account, *values]


def _by_tag(query: Query) -> bool:
    return bool(query.tag) and query.tag != UNTAGGED and not query.since


def _conditions(query: Query) -> Iterator[tuple[str, Sequence[Any]]]:
    # The numbers are literals, not parameters: that is what lets an index be used that holds only such rows.
    if query.status is None:
        yield f"i.status <> {DELETED}", ()
    elif query.sort == "title":
        yield f"i.status <> {DELETED} AND i.status + 0 = {int(query.status)}", ()
    else:
        yield f"i.status = {int(query.status)}", ()
    if query.favorite is not None:
        yield f"i.favorite = {int(query.favorite)}", ()
    if query.tag == UNTAGGED:
        yield "NOT EXISTS (SELECT 1 FROM item_tag t WHERE t.item = i.id)", ()
    elif query.tag and query.since:
        yield "EXISTS (SELECT 1 FROM item_tag t WHERE t.item = i.id AND t.tag = ?)", (_tag(query.tag),)
    if query.search:
        yield search.condition(query.search)
    if query.domain:
        domain = query.domain.lower()
        yield "(i.host = ? OR i.host LIKE ? ESCAPE '!')", (domain, f"%.{search.literal(domain)}")
    if query.updated_before:
        yield "i.time_updated < ?", (query.updated_before,)


def _moment(query: Query) -> str:
    """What pages are ordered by. "New" means added; without `since` also favourited or archived, when only such are
    asked for."""
    if query.sort == "title":
        return "lower(i.title)"
    if query.sort == "site":
        return "i.host"
    if query.sort == "updated":
        return "i.time_updated"
    if query.since:
        return "+i.time_added"  # the plus keeps this order's index away: few items changed, they are sorted
    if query.favorite:
        return "i.time_favorited"
    if query.status == ARCHIVED:
        return "i.time_read"
    return "t.time_added" if _by_tag(query) else "i.time_added"


def _id(query: Query) -> str:
    return "t.item" if _by_tag(query) else "i.id"


# -- rows ----------------------------------------------------------------------------------------------------------


def _rows_in(tx: Tx, account: str, column: str, values: Iterable[Any]) -> list[Any]:
    def some(chunk: Sequence[Any]) -> list[Any]:
        sql = f"SELECT {COLUMNS}, i.canonical FROM item i WHERE i.account = ? AND {column} IN ({marks(chunk)})"
        return tx.execute(sql, (account, *chunk)).fetchall()

    return _flat(some, values)


def items_of(tx: Tx, rows: Sequence[Any]) -> tuple[Item, ...]:
    def some(chunk: Sequence[Any]) -> list[Any]:
        sql = f"SELECT item, tag FROM item_tag WHERE item IN ({marks(chunk)}) ORDER BY item"
        return tx.execute(sql, chunk).fetchall()

    tags: dict[int, tuple[str, ...]] = {}
    for id_, pairs in groupby(_flat(some, (row[0] for row in rows)), key=lambda pair: pair[0]):
        tags[id_] = tuple(sorted(tag for _, tag in pairs))
    return tuple(_item(row, tags.get(row[0], ())) for row in rows)


def _item(row: Any, tags: tuple[str, ...]) -> Item:
    id_, url, title, status, favorite, added, updated, read, favorited = row[:9]
    return Item(
        id=id_,
        url=url,
        title=title,
        tags=tags,
        status=status,
        favorite=bool(favorite),
        time_added=added,
        time_updated=updated,
        time_read=read,
        time_favorited=favorited,
    )


def _flat(rows_of: Callable[[Sequence[Any]], list[T]], values: Iterable[Any]) -> list[T]:
    return [row for chunk in chunks(list(values), CHUNK) for row in rows_of(chunk)]
