"""Links and their other addresses: what its page calls itself, its form under an older rule of equality."""

from __future__ import annotations

from collections.abc import Callable

from bridge.errors import InvalidArrival
from bridge.link import CANONICAL_VERSION, canonical
from bridge.page import Page
from bridge.store.sqlite import Tx

DONE = "done"

OF_LINKS = "key >= 'l:' AND key < 'l;'"
"""Of keys: those that are a link's address. Said in a query, it may use their index, which holds no other keys."""

AT_ONCE = 1000
"""Links, items or keys that are brought up to date in one unit."""


def find(tx: Tx, account: str, address: str) -> int | None:
    """The link with this canonical address, or the one it is another address of."""
    row = tx.execute("SELECT id FROM link WHERE account = ? AND canonical = ?", (account, address)).fetchone()
    if row is None:
        row = tx.execute("SELECT link FROM alias WHERE account = ? AND address = ?", (account, address)).fetchone()
    return None if row is None else int(row[0])


def find_or_make(tx: Tx, account: str, address: str, now: float) -> int:
    known = find(tx, account, address)
    if known is not None:
        return known
    row = tx.execute(
        "INSERT INTO link (account, canonical, version, since) VALUES (?, ?, ?, ?) RETURNING id",
        (account, address, CANONICAL_VERSION, now),
    ).fetchone()
    return int(row[0])


def name_also(tx: Tx, account: str, address: str, link: int) -> bool:
    """From now on the address leads to the link, too. Never one that leads to another link already."""
    if find(tx, account, address) is not None:
        return False
    tx.execute("INSERT INTO alias (account, address, link) VALUES (?, ?, ?)", (account, address, link))
    return True


def name_as_its_page(tx: Tx, account: str, link: int, page: Page | None) -> None:
    """The address a page gives itself leads to its link, if it leads nowhere yet."""
    if page is not None and page.canonical and (address := _formed(page.canonical)):
        name_also(tx, account, address, link)


def others(tx: Tx, link: int) -> list[str]:
    """Further addresses that lead to a link."""
    return [
        row[0] for row in tx.execute("SELECT address FROM alias WHERE link = ? ORDER BY address", (link,)).fetchall()
    ]


def renew(tx: Tx) -> int:
    """Brings some of what was written under an older rule of equality up to date: links, items of the list, keys of
    feeds. Answers how many it looked at, 0 when all are.

    Two that have become equal stay two: the older one takes the form that both have now.
    """
    return _renew(tx, "link", _renew_link) or _renew(tx, "item", _renew_item) or _renew_keys(tx)


def _renew(tx: Tx, table: str, renewed: Callable[[Tx, int, str, str], None]) -> int:
    last = _reached(tx, table)
    sql = f"SELECT id, account, canonical FROM {table} WHERE id > ? ORDER BY id LIMIT ?"
    rows = [] if last == DONE else tx.execute(sql, (int(last or 0), AT_ONCE)).fetchall()
    for number, account, old in rows:
        if (new := _formed(old)) != old and not _is_taken(tx, table, account, new):
            tx.execute(f"UPDATE {table} SET canonical = ? WHERE id = ?", (new, number))
            renewed(tx, number, account, old)
    if last != DONE:
        _reach(tx, table, str(rows[-1][0]) if rows else DONE)
    if table == "link":
        tx.executemany("UPDATE link SET version = ? WHERE id = ?", [(CANONICAL_VERSION, row[0]) for row in rows])
    return len(rows)


def _is_taken(tx: Tx, table: str, account: str, address: str) -> bool:
    sql = f"SELECT 1 FROM {table} WHERE account = ? AND canonical = ?"
    return tx.execute(sql, (account, address)).fetchone() is not None


def _renew_link(tx: Tx, link: int, account: str, old: str) -> None:
    name_also(tx, account, old, link)


def _renew_item(tx: Tx, item: int, account: str, old: str) -> None:
    """Its id and its own address are all that anybody knows it by."""


def _renew_keys(tx: Tx) -> int:
    """A feed that knew an address under its old form knows it under the new one, too."""
    last = _reached(tx, "key")
    sql = f"SELECT DISTINCT key FROM seen WHERE key > ? AND {OF_LINKS} ORDER BY key LIMIT ?"
    keys = [] if last == DONE else [row[0] for row in tx.execute(sql, (last or "l:", AT_ONCE)).fetchall()]
    for old in keys:
        if (new := f"l:{_formed(old.removeprefix('l:'))}") != old:
            tx.execute(
                "INSERT INTO seen (scope, key, arrival, since, until)"
                f" SELECT scope, ?, arrival, since, until FROM seen WHERE key = ? AND {OF_LINKS}"
                " ON CONFLICT (scope, key) DO NOTHING",
                (new, old),
            )
    if last != DONE:
        _reach(tx, "key", keys[-1] if keys else DONE)
    return len(keys)


def _reached(tx: Tx, table: str) -> str:
    row = tx.execute("SELECT value FROM progress WHERE scope = ?", (_scope(table),)).fetchone()
    return str(row[0]) if row else ""


def _reach(tx: Tx, table: str, value: str) -> None:
    tx.execute(
        "INSERT INTO progress (scope, value) VALUES (?, ?) ON CONFLICT (scope) DO UPDATE SET value = excluded.value",
        (_scope(table), value),
    )


def _scope(table: str) -> str:
    return f"canonical:{CANONICAL_VERSION}:{table}"


def _formed(address: str) -> str:
    try:
        return canonical(address)
    except InvalidArrival:
        return address
