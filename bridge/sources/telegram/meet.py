"""Getting to know the bot's owner: who writes to a bot, seen without taking anything away from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from bridge.errors import ConfigError, InvalidArrival
from bridge.link import tidy
from bridge.sources.telegram.api import BotApi, BotError
from bridge.sources.telegram.update import Json, message_in

_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who wrote to the bot in private."""

    id: int
    name: str


async def username(api: BotApi) -> str:
    """The bot's name. Raises ConfigError when the token is not accepted."""
    try:
        return str((await api.call("getMe"))["username"])
    except BotError as error:
        if error.status in (401, 404):
            raise ConfigError("Telegram does not accept this token; @BotFather shows the right one") from None
        raise


async def writers(api: BotApi, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> AsyncIterator[Person]:
    """Everybody who writes to the bot in private, each once, from now on and of the last day.

    Nothing is confirmed: `run` gets all of it again, so the first message can already be a link. A webhook that is
    set is removed, as `run` would.
    """
    await api.call("deleteWebhook")
    met: set[int] = set()
    while True:
        updates = await api.call("getUpdates", {"limit": 100, "timeout": 0, "allowed_updates": ["message"]})
        for update in updates:
            person = _writer(update)
            if person is not None and person.id not in met:
                met.add(person.id)
                yield person
        await sleep(_LOOK_SECONDS)


def _writer(update: Json) -> Person | None:
    try:
        message = message_in(update)
    except InvalidArrival:
        return None
    match message:
        case {"chat": {"type": "private"}, "from": {"id": int(number), **person}}:
            names = (person.get("first_name"), person.get("last_name"))
            return Person(number, tidy(" ".join(name for name in names if isinstance(name, str))) or "somebody")
        case _:
            return None
