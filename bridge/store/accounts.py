"""Users, applications, tokens and sign-ins: the units of work, and the port over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bridge.accounts import SIGN_IN_SECONDS, Application, SignIn, Token, User
from bridge.store import books, reading_list
from bridge.store.sqlite import Database, Tx

MOST_SIGN_INS = 10_000
"""Under way at once. Anybody may begin one, so the oldest gives way to the newest."""

_SQL_BEGIN = (
    "INSERT INTO sign_in (code, consumer_key, redirect_uri, state, since, step, account) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SQL_SIGN_IN = (
    "SELECT consumer_key, redirect_uri, state, since, step, account FROM sign_in WHERE code = ? AND since > ?"
)
_SQL_CROWD = "DELETE FROM sign_in WHERE code IN (SELECT code FROM sign_in ORDER BY since DESC LIMIT 100 OFFSET ?)"
_SQL_GRANT = "INSERT INTO access_token (token, account, consumer_key, since) VALUES (?, ?, ?, ?) RETURNING id"
_SQL_TOKENS = "SELECT id, account, consumer_key, since FROM access_token"

# Children before what they belong to.
_SQL_ERASE = (
    "DELETE FROM attempt WHERE delivery IN (SELECT id FROM delivery WHERE account = ?)",
    "DELETE FROM delivery WHERE account = ?",
    "DELETE FROM sighting WHERE link IN (SELECT id FROM link WHERE account = ?)",
    "DELETE FROM alias WHERE account = ?",
    "DELETE FROM link WHERE account = ?",
    "DELETE FROM page_wait WHERE arrival IN (SELECT id FROM arrival WHERE account = ?)",
    "DELETE FROM report WHERE arrival IN (SELECT id FROM arrival WHERE account = ?)",
    "DELETE FROM told WHERE arrival IN (SELECT id FROM arrival WHERE account = ?)",
    "DELETE FROM request WHERE account = ?",
    "DELETE FROM subscription WHERE account = ?",
    "DELETE FROM arrival WHERE account = ?",
    "DELETE FROM sign_in WHERE account = ?",
    "DELETE FROM access_token WHERE account = ?",
)


class Accounts:
    """Implements bridge.accounts.Accounts."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    # -- users ---------------------------------------------------------------------------------------------------

    async def user(self, name: str) -> User | None:
        rows = await self._database.read(lambda tx: _users(tx, "WHERE name = ?", (name,)))
        return next(iter(rows), None)

    async def users(self) -> Sequence[User]:
        return await self._database.read(lambda tx: _users(tx, "ORDER BY name", ()))

    async def add_user(self, name: str, password: str) -> bool:
        sql = "INSERT INTO account (name, password, since) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING"
        return await self._changes(sql, (name, password, self._clock()))

    async def set_password(self, name: str, password: str) -> bool:
        return await self._changes("UPDATE account SET password = ? WHERE name = ?", (password, name))

    async def erase(self, name: str) -> bool:
        return await self._database.write(lambda tx: _erase(tx, name))

    # -- applications --------------------------------------------------------------------------------------------

    async def applications(self) -> Sequence[Application]:
        sql = "SELECT consumer_key, name, permissions, since FROM application ORDER BY since, consumer_key"
        return await self._database.read(lambda tx: [Application(*row) for row in tx.execute(sql).fetchall()])

    async def add_application(self, consumer_key: str, name: str, permissions: str) -> None:
        sql = (
            "INSERT INTO application (consumer_key, name, permissions, since) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (consumer_key) DO UPDATE SET name = excluded.name, permissions = excluded.permissions"
        )
        await self._changes(sql, (consumer_key, name, permissions, self._clock()))

    async def remove_application(self, consumer_key: str) -> bool:
        def unit(tx: Tx) -> bool:
            tx.execute("DELETE FROM access_token WHERE consumer_key = ?", (consumer_key,))
            tx.execute("DELETE FROM sign_in WHERE consumer_key = ?", (consumer_key,))
            return tx.execute("DELETE FROM application WHERE consumer_key = ?", (consumer_key,)).rowcount > 0

        return await self._database.write(unit)

    # -- tokens --------------------------------------------------------------------------------------------------

    async def credentials(self, token: str, consumer_key: str) -> tuple[Token | None, Application | None]:
        return await self._database.read(lambda tx: _credentials(tx, token, consumer_key))

    async def tokens(self, account: str) -> Sequence[Token]:
        sql = f"{_SQL_TOKENS} WHERE account = ? ORDER BY id"
        return await self._database.read(lambda tx: [Token(*row) for row in tx.execute(sql, (account,)).fetchall()])

    async def add_token(self, token: str, account: str, consumer_key: str) -> int:
        values = (token, account, consumer_key, self._clock())
        return await self._database.write(lambda tx: int(tx.execute(_SQL_GRANT, values).fetchone()[0]))

    async def revoke(self, token_id: int) -> bool:
        return await self._changes("DELETE FROM access_token WHERE id = ?", (token_id,))

    # -- sign-ins ------------------------------------------------------------------------------------------------

    async def begin(self, code: str, sign_in: SignIn) -> None:
        await self._database.write(lambda tx: _begin(tx, code, sign_in))

    async def sign_in(self, code: str) -> SignIn | None:
        after = self._clock() - SIGN_IN_SECONDS
        row = await self._database.read(lambda tx: tx.execute(_SQL_SIGN_IN, (code, after)).fetchone())
        return SignIn(*row) if row else None

    async def decide(self, code: str, account: str, *, approved: bool) -> bool:
        sql = "UPDATE sign_in SET step = ?, account = ? WHERE code = ? AND step = 'asked'"
        return await self._changes(sql, ("approved" if approved else "denied", account, code))

    async def redeem(self, code: str, token: str) -> bool:
        now = self._clock()
        return await self._database.write(lambda tx: _redeem(tx, code, token, now))

    async def _changes(self, sql: str, values: Sequence[object]) -> bool:
        return await self._database.write(lambda tx: tx.execute(sql, values).rowcount > 0)


def _users(tx: Tx, which: str, values: Sequence[object]) -> list[User]:
    return [User(*row) for row in tx.execute(f"SELECT name, password, since FROM account {which}", values).fetchall()]


def _erase(tx: Tx, name: str) -> bool:
    if not tx.execute("DELETE FROM account WHERE name = ?", (name,)).rowcount:
        return False
    books.erase(tx, name)
    for sql in _SQL_ERASE:
        tx.execute(sql, (name,))
    for table, scope in (("seen", f"feed@{name}:"), ("progress", f"feed!{name}:"), ("progress", f"follow:{name}:")):
        tx.execute(f"DELETE FROM {table} WHERE scope >= ? AND scope < ?", (scope, f"{scope[:-1]};"))
    reading_list.forget(tx, name)
    return True


def _credentials(tx: Tx, token: str, consumer_key: str) -> tuple[Token | None, Application | None]:
    held = tx.execute(f"{_SQL_TOKENS} WHERE token = ?", (token,)).fetchone()
    sql = "SELECT consumer_key, name, permissions, since FROM application WHERE consumer_key = ?"
    listed = tx.execute(sql, (consumer_key,)).fetchone()
    return (Token(*held) if held else None), (Application(*listed) if listed else None)


def _begin(tx: Tx, code: str, new: SignIn) -> None:
    tx.execute("DELETE FROM sign_in WHERE since <= ?", (new.since - SIGN_IN_SECONDS,))
    tx.execute(_SQL_CROWD, (MOST_SIGN_INS - 1,))
    values = (code, new.consumer_key, new.redirect_uri, new.state, new.since, new.step, new.account)
    tx.execute(_SQL_BEGIN, values)


def _redeem(tx: Tx, code: str, token: str, now: float) -> bool:
    sql = "UPDATE sign_in SET step = 'used' WHERE code = ? AND step = 'approved' RETURNING account, consumer_key"
    row = tx.execute(sql, (code,)).fetchone()
    if row is None:
        return False
    tx.execute(_SQL_GRANT, (token, *row, now)).fetchone()
    return True
