"""Users, their tokens, and applications, as the owner manages them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from bridge import passwords
from bridge.accounts import ALL_PERMISSIONS, CONSUMER_KEY, USER_NAME, Accounts, fingerprint, new_secret
from bridge.errors import ConfigError
from bridge.ports import OWNER


class Users:
    """Answers are plain data; no password and no token that exists already is in one.

    `named`: users a setting names, and which one: they stay as long as it does.
    """

    def __init__(self, accounts: Accounts, named: Mapping[str, str] = MappingProxyType({})) -> None:
        self._accounts = accounts
        self._named = named

    def commands(self) -> Mapping[str, Callable[..., Awaitable[Any]]]:
        """By the names they have at the desk."""
        return {
            "users": self.list,
            "users-add": self.add,
            "users-remove": self.remove,
            "users-passwd": self.passwd,
            "users-tokens": self.tokens,
            "users-token": self.token,
            "users-revoke": self.revoke,
            "apps": self.apps,
            "apps-add": self.add_app,
            "apps-remove": self.remove_app,
        }

    async def list(self) -> dict[str, Any]:
        known = await self._accounts.users()
        names = dict.fromkeys([OWNER, *(user.name for user in known)])
        since = {user.name: user.since for user in known}
        tokens = {name: len(await self._accounts.tokens(name)) for name in names}
        return {
            "users": [
                {"name": name, "owner": name == OWNER, "since": since.get(name), "tokens": tokens[name]}
                for name in names
            ]
        }

    async def add(self, name: str, password: str) -> dict[str, Any]:
        if not USER_NAME.fullmatch(name):
            raise ConfigError(f"“{name[:40]}” is no user's name: it has 1 to 20 of a-z 0-9 _ -")
        if not await self._accounts.add_user(name, await _kept(password)):
            raise ConfigError(
                f"there is a user {name} already; “pocket-bridge users passwd {name}” changes the password"
            )
        return {"name": name}

    async def check(self) -> None:
        """Raises ConfigError when a setting names somebody who is no user."""
        known = {OWNER, *(user.name for user in await self._accounts.users())}
        missing = [
            f"{setting}: there is no user “{name}”; “pocket-bridge users add {name}” makes one"
            for name, setting in self._named.items()
            if name not in known
        ]
        if missing:
            raise ConfigError("\n".join(missing))

    async def passwd(self, name: str, password: str) -> dict[str, Any]:
        """Tokens stay valid: applications need not sign in anew."""
        if not await self._accounts.set_password(name, await _kept(password)):
            raise await self._unknown(name)
        return {"name": name, "tokens": len(await self._accounts.tokens(name))}

    async def remove(self, name: str) -> dict[str, Any]:
        if name == OWNER:
            raise ConfigError("the owner stays: this list is theirs")
        if name in self._named:
            raise ConfigError(f"{self._named[name]} names {name}: take that out first, and start pocket-bridge anew")
        if not await self._accounts.erase(name):
            raise await self._unknown(name)
        return {"name": name}

    async def tokens(self, name: str) -> dict[str, Any]:
        await self.known(name)
        return {"name": name, "tokens": [asdict(token) for token in await self._accounts.tokens(name)]}

    async def token(self, name: str, consumer_key: str) -> dict[str, Any]:
        """A new token, for a client that cannot sign in. This is the only time it is shown."""
        await self.known(name)
        if consumer_key:
            _check_key(consumer_key)
        token = new_secret()
        number = await self._accounts.add_token(fingerprint(token), name, consumer_key)
        return {"name": name, "id": number, "consumer_key": consumer_key, "access_token": token}

    async def revoke(self, token_id: int) -> dict[str, Any]:
        if not await self._accounts.revoke(token_id):
            raise ConfigError(f"there is no token {token_id}; “pocket-bridge users tokens NAME” lists them")
        return {"id": token_id}

    async def apps(self) -> dict[str, Any]:
        return {"apps": [asdict(application) for application in await self._accounts.applications()]}

    async def add_app(self, consumer_key: str, name: str, permissions: str) -> dict[str, Any]:
        _check_key(consumer_key)
        if not permissions or set(permissions) - set(ALL_PERMISSIONS):
            raise ConfigError(f"permissions are one or more of a (add), m (modify), d (read), not “{permissions[:40]}”")
        await self._accounts.add_application(consumer_key, name[:100], permissions)
        return {"consumer_key": consumer_key, "name": name[:100], "permissions": permissions}

    async def remove_app(self, consumer_key: str) -> dict[str, Any]:
        if not await self._accounts.remove_application(consumer_key):
            raise ConfigError("there is no such application; “pocket-bridge apps list” shows them")
        return {"consumer_key": consumer_key}

    async def known(self, name: str) -> None:
        """Raises ConfigError when there is no such user."""
        if name != OWNER and await self._accounts.user(name) is None:
            raise await self._unknown(name)

    async def _unknown(self, name: str) -> ConfigError:
        names = ", ".join(user.name for user in await self._accounts.users()) or "nobody yet"
        return ConfigError(f"there is no user “{name[:40]}” with a password; there are: {names}")


async def _kept(password: str) -> str:
    if not passwords.SHORTEST <= len(password) <= passwords.LONGEST:
        raise ConfigError(f"a password must have {passwords.SHORTEST} to {passwords.LONGEST} characters")
    return await asyncio.to_thread(passwords.kept, password)


def _check_key(consumer_key: str) -> None:
    if not CONSUMER_KEY.fullmatch(consumer_key):
        raise ConfigError("a consumer key has 1 to 100 characters, no blanks, best like 1234-my-script")
