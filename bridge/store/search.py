"""Search in titles and addresses. Special to SQLite: an index of every three letters, where it was built with one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from bridge.store.sqlite import Tx

MOST_TRIGRAMS = 24
"""Of a search, asked of the index; what it finds is looked at in any case."""

COMMON = 2000

CONTAINS = "{} LIKE ? ESCAPE '!'"
"""Elsewhere LIKE minds the case and ILIKE does not."""

FOUND = "FROM item_text CROSS JOIN item i WHERE i.id = item_text.rowid AND item_text MATCH ?"
"""CROSS: the index leads."""

_SQL_CREATE = (
    "CREATE VIEW item_words AS SELECT id, title || char(10) || url AS words FROM item",
    """CREATE VIRTUAL TABLE item_text USING
    fts5(words, content='item_words', content_rowid='id', tokenize='trigram', detail='none')""",
    "INSERT INTO item_text (item_text) VALUES ('rebuild')",
)


def prepare(tx: Tx) -> None:
    """Makes the index if there is none; without FTS5 every search looks at every item."""
    if is_indexed(tx):
        return
    tx.execute("SAVEPOINT search")
    try:
        for statement in _SQL_CREATE:
            tx.execute(statement)
    except sqlite3.OperationalError:
        tx.execute("ROLLBACK TO search")
    tx.execute("RELEASE search")


def is_indexed(tx: Tx) -> bool:
    return tx.execute("SELECT 1 FROM sqlite_master WHERE name = 'item_text'").fetchone() is not None


def put(tx: Tx, gone: Iterable[tuple[int, str, str]], new: Iterable[tuple[int, str, str]]) -> None:
    """(id, title, address) of items as they were and as they are, of which the index is to know."""
    if not is_indexed(tx):
        return
    sql = "INSERT INTO item_text (item_text, rowid, words) VALUES ('delete', ?, ?)"
    tx.executemany(sql, [(id_, f"{title}\n{url}") for id_, title, url in gone])
    sql = "INSERT INTO item_text (rowid, words) VALUES (?, ?)"
    tx.executemany(sql, [(id_, f"{title}\n{url}") for id_, title, url in new])


def forget(tx: Tx, account: str) -> None:
    """Before an account's items go."""
    if is_indexed(tx):
        tx.execute(
            "INSERT INTO item_text (item_text, rowid, words) SELECT 'delete', w.id, w.words FROM item_words w"
            " JOIN item i ON i.id = w.id WHERE i.account = ?",
            (account,),
        )


def match(tx: Tx, text: str) -> str | None:
    """What the index is asked for `text`; it may find more. None when it cannot be asked."""
    if len(text) < 3 or "\x00" in text or not is_indexed(tx):
        return None
    trigrams = dict.fromkeys(text[start : start + 3] for start in range(len(text) - 2))
    return " AND ".join(f'"{_quoted(trigram)}"' for trigram in list(trigrams)[:MOST_TRIGRAMS])


def is_common(tx: Tx, match: str) -> bool:
    """The index knows at least COMMON items for it."""
    sql = "SELECT count(*) FROM (SELECT 1 FROM item_text WHERE item_text MATCH ? LIMIT ?)"
    return int(tx.execute(sql, (match, COMMON)).fetchone()[0]) == COMMON


def condition(text: str) -> tuple[str, Sequence[str]]:
    """That `text` stands in title or address; letters count the same large and small as far as they are ASCII."""
    pattern = f"%{literal(text)}%"
    return f"({CONTAINS.format('i.title')} OR {CONTAINS.format('i.url')})", (pattern, pattern)


def _quoted(trigram: str) -> str:
    return trigram.replace('"', '""')


def literal(text: str) -> str:
    """For LIKE: without letters that mean others."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
