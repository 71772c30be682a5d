"""Who calls: a token or a password, an application's key, and what both may do."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bridge import passwords
from bridge.accounts import ALL_PERMISSIONS, CONSUMER_KEY, USER_NAME, Accounts, Application, fingerprint
from bridge.ports import OWNER
from bridge.sources.pocket_api.hourly import Hourly
from bridge.sources.pocket_api.request import BadRequest

Apps = Literal["open", "listed"]

WRONG_PASSWORDS = 20
"""Wrong passwords an hour for one name; after that only tokens are taken for it."""

MOST_REMEMBERED = 256

_DERIVATIONS = 2  # at once: each takes a core and 16 MiB
MOST_WAITING = 64
"""Passwords waiting to be derived; who comes then is told to come back."""

_RIGHTS = {"a": "add", "m": "modify", "d": "retrieve"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: whose list, through which application. What an `inner` application adds is no arrival."""

    account: str
    application: str
    inner: bool = False
    permissions: str = ALL_PERMISSIONS


class Entrance:
    """Tells people and applications from strangers.

    The owner's token opens the owner's list to every application, and is the owner's password, too. `inner` is the
    secret of bridge's own client: `inner/ann` acts for ann.
    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        owner: str,
        inner: str,
        apps: Apps,
        clock: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._owner = owner
        self._inner = inner
        self._apps = apps
        self._failures = Hourly(WRONG_PASSWORDS, clock)
        self._derivations = asyncio.Semaphore(_DERIVATIONS)
        self._waiting = 0
        self._salt = secrets.token_bytes(32)
        self._remembered: dict[bytes, None] = {}

    async def by_token(self, consumer_key: str, access_token: str) -> Identity:
        """Raises BadRequest: 138 or 152 for the key, 107 for the token."""
        _check_key(consumer_key)
        if account := self._inner_account(access_token):
            return Identity(account, "bridge", inner=True)
        token, listed = await self._accounts.credentials(fingerprint(access_token), consumer_key)
        permissions = self._permissions(listed)
        if _same(access_token, self._owner):
            return Identity(OWNER, consumer_key, permissions=permissions)
        if token is None or token.consumer_key not in ("", consumer_key):
            words = "A valid access token is required to access the requested API endpoint."
            raise BadRequest(words, status=401, code=107)
        return Identity(token.account, consumer_key, permissions=permissions)

    async def by_password(self, consumer_key: str, username: str, password: str) -> Identity:
        """As `by_token`, for calls that carry a password; a token of this person and application does, too."""
        permissions = await self.application(consumer_key)
        token, _ = await self._accounts.credentials(fingerprint(password), "")
        theirs = token is not None and token.account == username.lower() and token.consumer_key in ("", consumer_key)
        account = username.lower() if theirs else await self.person(username, password)
        return Identity(account, consumer_key, permissions=permissions)

    async def application(self, consumer_key: str) -> str:
        """What it may do. Raises BadRequest for none, and for one that is not known here."""
        _check_key(consumer_key)
        _, listed = await self._accounts.credentials("", consumer_key)
        return self._permissions(listed)

    async def person(self, username: str, password: str) -> str:
        """The account of who proves to be its person. An application's token does not: it must not admit others.

        Raises BadRequest: wrong, or too many wrong ones before; 503 when too many are being looked at.
        """
        name = username.lower()
        if name == OWNER and _same(password, self._owner):
            return name
        if not USER_NAME.fullmatch(name) or not await self._fits(name, password):
            raise BadRequest("The username or the password is wrong, or too many were.", status=401, code=2)
        return name

    async def _fits(self, name: str, password: str) -> bool:
        user = await self._accounts.user(name)
        stored = user.password if user else ""
        mark = self._mark(name, password, stored)
        if mark in self._remembered:
            return True
        if self._waiting >= MOST_WAITING:
            words = "Too many people sign in at once; try again in a moment."
            raise BadRequest(words, status=503, code=199, headers={"Retry-After": "5"})
        # Counted as wrong until it has proved right: guesses that come at once are as many as those one by one.
        if not self._failures.take(name):
            return False
        fits = await self._derived(mark, password, stored)
        if fits:
            self._remember(mark)
            self._failures.give_back(name)
        return fits

    async def _derived(self, mark: bytes, password: str, stored: str) -> bool:
        self._waiting += 1
        try:
            async with self._derivations:
                return mark in self._remembered or await asyncio.to_thread(passwords.fits, password, stored)
        finally:
            self._waiting -= 1

    def _inner_account(self, access_token: str) -> str:
        secret, _, account = access_token.partition("/")
        return (account or OWNER) if self._inner and _same(secret, self._inner) else ""

    def _permissions(self, listed: Application | None) -> str:
        if listed is None and self._apps == "listed":
            raise BadRequest(
                "Invalid consumer key: this server takes only applications that its owner has added.",
                status=403,
                code=152,
            )
        return listed.permissions if listed else ALL_PERMISSIONS

    def _mark(self, name: str, password: str, stored: str) -> bytes:
        # Version 2 sends the password with every call: one that fitted is known again without deriving it anew.
        said = f"{name}\0{stored}\0{password}".encode("utf-8", "surrogatepass")
        return hmac.new(self._salt, said, hashlib.sha256).digest()

    def _remember(self, mark: bytes) -> None:
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.pop(next(iter(self._remembered)))
        self._remembered[mark] = None


def permit(identity: Identity, permission: str) -> None:
    """Raises BadRequest when the application was added without this permission."""
    if permission not in identity.permissions:
        words = f"The provided keys do not have proper permission to {_RIGHTS[permission]}."
        raise BadRequest(words, status=403, code=4017)


def _check_key(consumer_key: str) -> None:
    if not consumer_key:
        raise BadRequest("Missing consumer key.", code=138)
    if not CONSUMER_KEY.fullmatch(consumer_key):
        raise BadRequest("Invalid consumer key.", status=403, code=152)


def _same(given: str, secret: str) -> bool:
    return bool(secret) and hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode("utf-8", "replace"))
