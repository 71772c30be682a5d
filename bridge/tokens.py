"""Tokens and keys that lie in the data folder, made at the first start."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from bridge.settings import Settings

TOKEN = "token"  # noqa: S105 - a file's name


HOOK_KEY = "hooks.key"


def owner_token(settings: Settings, *, looks: bool = False) -> str:
    """BRIDGE_TOKEN, or the one in DATA/token, made at the first start and readable by its owner only. For a command
    that only `looks` none is made: it gets one that nobody knows."""
    if given := settings.token.get_secret_value():
        return given
    path = settings.data / TOKEN
    return _kept(path) or (secrets.token_hex(16) if looks else _made(path))


def token_stands(settings: Settings) -> str:
    """Where the owner finds it, in words."""
    if settings.token.get_secret_value():
        return "in the setting BRIDGE_TOKEN"
    return f"in the file {settings.data / TOKEN}"


def hook_key(settings: Settings) -> bytes:
    """What the secrets of hooks that are added by hand are made from; the database holds none of them. Empty where
    there is no such file."""
    return _kept(settings.data / HOOK_KEY).encode()


def new_hook_key(settings: Settings) -> bytes:
    """A new one, kept in its file. Hooks that were made from another stay closed."""
    return _made(settings.data / HOOK_KEY).encode()


def _kept(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        return ""


def _made(path: Path) -> str:
    token = secrets.token_hex(16)
    # Written aside and renamed: a crash must not leave an empty token.
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(token + "\n")
    aside.replace(path)
    return token
