"""Tokens and keys that lie in the data folder, made at the first start."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from bridge.settings import Settings

TOKEN = "token"  # noqa: S105 - a file's name


HOOK_KEY = "hooks.key"


def owner_token(settings: Settings) -> str:
    """BRIDGE_TOKEN, or the one in DATA/token, made at the first start and readable by its owner only."""
    if given := settings.token.get_secret_value():
        return given
    return _kept_token(settings.data / TOKEN)


def hook_key(settings: Settings) -> bytes:
    """What the secrets of hooks that are added by hand are made from; the database holds none of them."""
    return _kept_token(settings.data / HOOK_KEY).encode()


def _kept_token(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        if kept := path.read_text("ascii").strip():
            return kept
    token = secrets.token_hex(16)
    # Written aside and renamed: a crash must not leave an empty token.
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(token + "\n")
    aside.replace(path)
    return token
