"""Telegram: messages to a bot become arrivals, and each is answered with what became of its links.

    getUpdates -> one unit (raw updates, offset) -> the next getUpdates confirms them

An update counts as received by Telegram's server when a call carries a higher offset, so the offset is raised after
the commit and never before. Update ids may begin anew at a random number: the offset is the last one received plus
one, never the highest.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from starlette.routing import BaseRoute

from bridge.delivery import backoff
from bridge.errors import InvalidArrival, SourceError, StoreError
from bridge.net import Door
from bridge.ports import DAY, Arrival, Cursor, Inbox, Key, Report
from bridge.sources._telegram_api import BotApi, BotError
from bridge.sources._telegram_read import read
from bridge.sources._telegram_reply import Replies
from bridge.sources._telegram_update import (
    ASKED_FOR,
    Json,
    chat_of,
    command,
    loads,
    message_in,
    senders,
    update_id,
)

__all__ = ["Telegram", "read"]

_MOST_UPDATES = 100
_KEPT = 2 * DAY  # Telegram keeps updates for a day, and may use their ids again much later
_MOST_NAMED = 1000
_SOON = 1.0
_LONGEST_BACKOFF = 60.0
_LONGEST_CONFLICT = 60.0
_LONGEST_ASKED_FOR = 3600.0
_WRONG_TOKEN = 60.0
_LONGEST_WRONG_TOKEN = 600.0

log = logging.getLogger(__name__)

T = TypeVar("T")


class Telegram:
    """Source and reporter of one bot. `net` must reach `api`; `allow` are the ids that may save, empty: nobody.

    `strangers` counts the updates of everybody else; they are confirmed and not stored.
    """

    name = "telegram"
    routes: Sequence[BaseRoute] = ()

    def __init__(
        self,
        inbox: Inbox,
        net: Door,
        *,
        token: str,
        api: str,
        allow: frozenset[int],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        poll_seconds: int = 25,
    ) -> None:
        self.strangers = 0
        self._inbox = inbox
        self._bot_api = BotApi(net, token=token, api=api)
        self._scope = f"telegram:{self._bot_api.bot_id}"
        self._allow = allow
        self._clock = clock
        self._sleep = sleep
        self._poll_seconds = poll_seconds
        self._username = ""
        self._offset: int | None = None
        self._named: set[int] = set()
        self._complaint = ""
        self._replies = Replies(self._bot_api)

    async def condition(self) -> Sequence[str]:
        """Who may write, and whether somebody tried who may not."""
        if not self._allow:
            return ["nobody may write to it yet: put ids into BRIDGE_TELEGRAM_ALLOW"]
        strangers = [f"{self.strangers} updates of strangers were ignored"] if self.strangers else []
        return [f"listens to {len(self._allow)} ids", *strangers, *([self._complaint] if self._complaint else [])]

    async def run(self) -> None:
        """Polls until cancelled; what fails is said once, and tried again after a while."""
        if not self._allow:
            log.warning("BRIDGE_TELEGRAM_ALLOW is empty: nobody may save links through Telegram")
        await self._insist(self._begin)
        while True:
            await self._insist(self._poll)

    async def report(self, report: Report) -> str:
        """Answers the message, or edits the answer it has. Channels, and groups without a link, get none."""
        return await self._replies.tell(report)

    async def _insist(self, step: Callable[[], Awaitable[T]]) -> T:
        failures = 0
        while True:
            try:
                done = await step()
            except (SourceError, StoreError) as error:
                failures += 1
                self._complain(error)
                jitter = random.random()  # noqa: S311 - spreads load, guards nothing
                await self._sleep(patience(error, failures, jitter))
            else:
                self._recovered()
                return done

    async def _begin(self) -> None:
        cursor = await self._inbox.cursor(f"{self._scope}:offset")
        self._offset = int(cursor) if cursor else None
        # With a webhook set, getUpdates is refused. Waiting updates stay: drop_pending_updates is not asked for.
        await self._prepare("deleteWebhook")
        match await self._prepare("getMe"):
            case {"username": str(username)}:
                self._username = username
                log.info("Telegram: polling as @%s", username)

    async def _prepare(self, method: str) -> Any:
        try:
            return await self._bot_api.call(method)
        except BotError as error:
            if error.status not in (401, 404):
                raise
            return None  # getUpdates fails the same way and says so

    async def _poll(self) -> None:
        began, before = self._clock(), self._offset
        updates = await self._updates()
        received = [number for element in updates if (number := update_id(element)) is not None]
        if updates:
            offset = received[-1] + 1 if received else (self._offset or 0) + 1
            await self._store(updates, offset)
            self._offset = offset  # durable above: from here on the next call may confirm them
        moved = bool(received) and self._offset != before
        if not moved and self._clock() - began < _SOON:
            await self._sleep(_SOON)  # a server that does not wait must not make us spin

    async def _updates(self) -> list[Any]:
        parameters = {"timeout": self._poll_seconds, "limit": _MOST_UPDATES, "allowed_updates": ASKED_FOR}
        if self._offset is not None:
            parameters["offset"] = self._offset
        updates = await self._bot_api.call("getUpdates", parameters, wait=self._poll_seconds)
        if not isinstance(updates, list):
            raise SourceError("the Bot API answered getUpdates with something that is no list")
        return updates

    async def _store(self, updates: Sequence[object], offset: int) -> None:
        arrivals = [arrival for update in updates if (arrival := self._arrival(update)) is not None]
        await self._inbox.put(arrivals, cursor=Cursor(f"{self._scope}:offset", str(offset)))

    def _arrival(self, update: object) -> Arrival | None:
        """None for what is not ours to keep. What cannot be understood is kept: reading it will say why."""
        raw = json.dumps(update, separators=(",", ":"))
        number = update_id(update)
        if number is None:
            digest = hashlib.sha256(raw.encode()).hexdigest()[:32]
            return Arrival(source=self.name, key=Key(f"{self._scope}:unreadable", digest, _KEPT), raw=raw)
        key = Key(self._scope, str(number), _KEPT)
        try:
            message = message_in(loads(raw))
            if message is None or not self._is_for_us(message):
                return None
        except InvalidArrival:
            return Arrival(source=self.name, key=key, raw=raw)
        return Arrival(source=self.name, key=key, raw=raw, channel=str(chat_of(message)))

    def _is_for_us(self, message: Json) -> bool:
        who = senders(message)
        if self._allow.isdisjoint(who):
            self._turn_away(who)
            return False
        _, bot, _ = command(message)
        return not (bot and self._username) or bot.lower() == self._username.lower()

    def _turn_away(self, who: Sequence[int]) -> None:
        self.strangers += 1
        if who and who[0] not in self._named and len(self._named) < _MOST_NAMED:
            self._named.add(who[0])
            log.info(
                "Telegram: ignored a message; to let its sender save links, add %d to BRIDGE_TELEGRAM_ALLOW",
                who[0],
            )

    def _complain(self, error: SourceError | StoreError) -> None:
        complaint = _complaint(error)
        log.log(logging.DEBUG if complaint == self._complaint else logging.WARNING, "Telegram: %s", complaint)
        self._complaint = complaint

    def _recovered(self) -> None:
        if self._complaint:
            log.info("Telegram: works again")
            self._complaint = ""


def patience(error: SourceError | StoreError, failures: int, chance: float) -> float:
    """Seconds to wait after the `failures`th failure in a row; `chance` in [0, 1) is the jitter. At least one.

    >>> patience(SourceError("away"), 3, 0.5)
    8.0
    """
    match error:
        case SourceError() if error.retry_after is not None:
            return min(max(_SOON, error.retry_after), _LONGEST_ASKED_FOR)
        case BotError(status=401 | 404):
            return min(_WRONG_TOKEN * failures, _LONGEST_WRONG_TOKEN)
        case BotError(status=409):
            # The server itself answers conflicts that repeat within three seconds only after that time.
            return min(3.0 * 2.0 ** min(failures - 1, 10), _LONGEST_CONFLICT) + chance
        case _:
            return max(_SOON, min(backoff(failures, chance), _LONGEST_BACKOFF))


def _complaint(error: SourceError | StoreError) -> str:
    match error:
        case BotError(status=401 | 404):
            return (
                f"the token is not accepted ({error}): BRIDGE_TELEGRAM_TOKEN must be the one @BotFather gave"
            )
        case BotError(status=409):
            return f"another program is polling with this token, or a webhook is set: {error}"
        case _:
            return str(error)
