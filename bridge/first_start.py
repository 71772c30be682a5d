"""The first start: asks for the bot's token, learns who its owner is, and writes both down."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from bridge.settings import EVERYBODY, Settings
from bridge.visits import meet

ENV = Path(".env")
TOKEN = "BRIDGE_TELEGRAM_TOKEN"  # noqa: S105 - a variable's name
ALLOW = "BRIDGE_TELEGRAM_ALLOW"


async def introduce(
    settings: Settings, token: str, *, say: Callable[[str], None], is_it_you: Callable[[str], bool]
) -> int:
    """Waits until the owner has written to the bot and said so; answers their id. Raises BridgeError."""
    async with meet(settings, token) as (bot, writers):
        say(f"Write anything to https://t.me/{bot} now.")
        async for person in writers:
            if is_it_you(f"{person.name} wrote to it (id {person.id}). Is that you?"):
                return int(person.id)
    raise AssertionError("writers() never ends")


def on_the_list(allow: Mapping[int, str], number: int) -> str:
    """The setting's value with one more id on it, whose list is the owner's unless it is there with another.

    >>> on_the_list({456: "anna", 0: ""}, 42)
    '*,42,456=anna'
    """
    ids = sorted({number: "", **allow}.items())
    return ",".join(f"{'*' if id_ == EVERYBODY else id_}{f'={user}' if user else ''}" for id_, user in ids)


def keep(path: Path, values: Mapping[str, str]) -> None:
    """Sets variables in an .env file, which only its owner can read; its other lines stay as they are."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    names = "|".join(map(re.escape, values))
    kept = [line for line in lines if not re.match(rf"\s*(export\s+)?({names})\s*=", line)]
    aside = path.with_name(f"{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        aside.unlink()
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in [*kept, *(f"{name}={value}" for name, value in values.items())])
    aside.replace(path)
