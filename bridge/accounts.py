"""Who may use the list: users, applications, tokens and sign-ins, and the socket of the store that keeps them."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

ALL_PERMISSIONS = "amd"
"""Add, modify, retrieve: what an application may do, in the API's own letters."""

USER_NAME = re.compile(r"[a-z0-9_-]{1,20}")
CONSUMER_KEY = re.compile(r"[!-~]{1,100}")

SIGN_IN_SECONDS = 3600.0
"""How long a code lives, used or not."""


def fingerprint(secret: str) -> str:
    """What is kept of a token or a code. They are random and long, so a plain hash cannot be turned back."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_secret() -> str:
    """A code or a token as Pocket made them, some 100 bits. It begins with a digit: one client cuts letters off.

    >>> re.fullmatch(r"[0-9][0-9a-f]{7}(-[0-9a-f]{4}){3}-[0-9a-f]{6}", new_secret()) is not None
    True
    """
    digits = secrets.choice("0123456789") + secrets.token_hex(13)[1:]
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


@dataclass(frozen=True, slots=True)
class User:
    """`password` is what bridge.passwords made of it."""

    name: str
    password: str
    since: float


@dataclass(frozen=True, slots=True)
class Application:
    """`permissions`: any of a (add), m (modify), d (retrieve)."""

    consumer_key: str
    name: str
    permissions: str
    since: float


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is known here, without the secret. An empty `consumer_key` goes with any application."""

    id: int
    account: str
    consumer_key: str
    since: float


Step = Literal["asked", "approved", "denied", "used"]


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in under way. `state` is the application's own, as JSON; `account` is known from the approval on."""

    consumer_key: str
    redirect_uri: str
    state: str
    since: float
    step: Step = "asked"
    account: str = ""


class Accounts(Protocol):
    """Codes and tokens are given as fingerprints. What writes is one unit; what cannot be raises StoreError."""

    async def user(self, name: str) -> User | None: ...

    async def users(self) -> Sequence[User]: ...

    async def add_user(self, name: str, password: str) -> bool:
        """False: the name is taken."""
        ...

    async def set_password(self, name: str, password: str) -> bool: ...

    async def erase(self, name: str) -> bool:
        """The user and everything that is theirs: list, tokens, links, arrivals. False: there is none such."""
        ...

    async def applications(self) -> Sequence[Application]: ...

    async def add_application(self, consumer_key: str, name: str, permissions: str) -> None:
        """A known one gets the new name and permissions."""
        ...

    async def remove_application(self, consumer_key: str) -> bool:
        """Its tokens go with it."""
        ...

    async def credentials(self, token: str, consumer_key: str) -> tuple[Token | None, Application | None]: ...

    async def tokens(self, account: str) -> Sequence[Token]: ...

    async def add_token(self, token: str, account: str, consumer_key: str) -> int: ...

    async def revoke(self, token_id: int) -> bool: ...

    async def begin(self, code: str, sign_in: SignIn) -> None: ...

    async def sign_in(self, code: str) -> SignIn | None:
        """None: unknown, or too old."""
        ...

    async def decide(self, code: str, account: str, *, approved: bool) -> bool:
        """False: it was decided before."""
        ...

    async def redeem(self, code: str, token: str) -> bool:
        """The code is used up and the token is valid from now on. False: it was not approved, or was used."""
        ...
