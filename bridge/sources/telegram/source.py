"""Telegram: messages to a bot become arrivals, and each is answered with what became of its links.

    getUpdates -> one unit (raw updates, offset) -> the next getUpdates confirms them
    POST /telegram -> one unit (the raw update) -> 200

An update counts as received by Telegram's server when a call carries a higher offset, so the offset is raised after
the commit and never before. Update ids may begin anew at a random number: the offset is the last one received plus
one, never the highest. Both ways lead to the same inbox under the same keys, so changing between them loses nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.delivery import backoff
from bridge.errors import InvalidArrival, SourceError, StoreError
from bridge.net import Door
from bridge.ports import DAY, Arrival, Cursor, Inbox, Key, Report
from bridge.sources.telegram.api import BotApi, BotError, Element
from bridge.sources.telegram.guests import Guests, moves
from bridge.sources.telegram.reading import COMMANDS, read
from bridge.sources.telegram.reply import Replies, Style
from bridge.sources.telegram.update import (
    ASKED_FOR,
    PRESS,
    Json,
    command,
    identity,
    kind,
    message_in,
    senders,
    update_id,
)

__all__ = ["Telegram", "read"]

PATH = "/telegram"

_MOST_UPDATES = 100
_KEPT = 2 * DAY  # Telegram keeps updates for a day, and may use their ids again much later
_ALBUM_SECONDS = 1.5  # the pictures of an album come one by one, and nothing says which is the last
_SOON = 1.0
_LONGEST_BACKOFF = 60.0
_LONGEST_CONFLICT = 60.0
_LONGEST_ASKED_FOR = 3600.0
_WRONG_TOKEN = 60.0
_LONGEST_WRONG_TOKEN = 600.0
_WATCH_SECONDS = 300.0
_HORIZON = DAY  # Telegram keeps what nobody fetches so long
_NOTED_SECONDS = 3600.0

log = logging.getLogger(__name__)

T = TypeVar("T")


class Telegram:
    """Source and reporter of one bot. `net` must reach `api`; `allow` are the ids that may write, and whose list is
    meant ("": the owner's); empty: nobody.

    With a `public_url` Telegram brings the updates there, without one they are fetched. `answer` says how people are
    told; `others` are connections that an answer offers besides the embedded list.
    """

    name = "telegram"

    def __init__(
        self,
        inbox: Inbox,
        net: Door,
        *,
        token: str,
        api: str,
        allow: Mapping[int, str],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        poll_seconds: int = 25,
        public_url: str = "",
        answer: Style = "line",
        others: Sequence[str] = (),
    ) -> None:
        self.routes: Sequence[BaseRoute] = [Route(PATH, self._brought, methods=["POST"])] if public_url else ()
        self._inbox = inbox
        self._bot_api = BotApi(net, token=token, api=api)
        self._scope = f"telegram:{self._bot_api.bot_id}"
        self._guests = Guests(allow)
        self._clock = clock
        self._sleep = sleep
        self._poll_seconds = poll_seconds
        self._hook = f"{public_url.rstrip('/')}{PATH}" if public_url else ""
        self._secret = ""
        self._username = ""
        self._offset: int | None = None
        self._complaint = ""
        self._heard = 0.0
        self._gone = ""
        self._replies = Replies(self._bot_api, style=answer, others=others, clock=clock)
        self._replies.moved = self._guests.moved

    @property
    def strangers(self) -> int:
        """Updates of people who may not write; they are confirmed and not stored."""
        return self._guests.strangers

    async def condition(self) -> Sequence[str]:
        """Who may write, whether somebody tried who may not, and where groups have gone."""
        if not self._guests:
            return ["nobody may write to it yet: put ids into BRIDGE_TELEGRAM_ALLOW"]
        strangers = [f"{self.strangers} updates of strangers were ignored"] if self.strangers else []
        return [*self._guests.words(), *strangers, *filter(None, [self._gone, self._complaint])]

    async def run(self) -> None:
        """Fetches, or watches over what is brought, until cancelled; what fails is said once, and tried again."""
        if not self._guests:
            log.warning("BRIDGE_TELEGRAM_ALLOW is empty: nobody may save links through Telegram")
        await self._insist(self._begin)
        while True:
            await self._insist(self._watch if self._hook else self._poll)

    async def report(self, report: Report) -> str:
        """Answers the message, or changes the answer it has. Channels, and groups without a link, get none."""
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
        await self._remember()
        if self._hook:
            await self._set_webhook()
        else:
            # With a webhook set, getUpdates is refused. Waiting updates stay: drop_pending_updates is not asked for.
            await self._prepare("deleteWebhook")
        match await self._prepare("getMe"):
            case {"username": str(username)}:
                self._username = username
                log.info("Telegram: %s as @%s", "updates are brought" if self._hook else "polling", username)
                await self._offer_commands()

    async def _remember(self) -> None:
        cursor = await self._inbox.cursor(f"{self._scope}:offset")
        self._offset = int(cursor) if cursor else None
        self._heard = float(await self._inbox.cursor(f"{self._scope}:heard") or 0.0)
        moved = json.loads(await self._inbox.cursor(f"{self._scope}:moved") or "{}")
        self._guests.follow({int(old): new for old, new in moved.items()})

    async def _prepare(self, method: str) -> Any:
        try:
            return await self._bot_api.call(method)
        except BotError as error:
            if self._hook or error.status not in (401, 404):
                raise
            return None  # getUpdates fails the same way and says so

    async def _offer_commands(self) -> None:
        try:
            await self._replies.offer_commands(COMMANDS)
        except SourceError as error:
            log.info("Telegram: the menu of commands could not be set: %s", error)

    # -- fetched ---------------------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        began, before = self._clock(), self._offset
        updates = await self._updates()
        numbers = (update_id(element.says) for element in reversed(updates))
        last = next((number for number in numbers if number is not None), None)
        if updates:
            offset = (self._offset or 0) + 1 if last is None else last + 1
            await self._keep(updates, Cursor(f"{self._scope}:offset", str(offset), beside=self._heard_now()))
            self._offset = offset  # durable above: from here on the next call may confirm them
        elif heard := self._heard_now():
            await self._inbox.put([], cursor=heard[0])
        moved = last is not None and self._offset != before
        if not moved and self._clock() - began < _SOON:
            await self._sleep(_SOON)  # a server that does not wait must not make us spin

    async def _updates(self) -> list[Element]:
        parameters: dict[str, Any] = {
            "timeout": self._poll_seconds,
            "limit": _MOST_UPDATES,
            "allowed_updates": ASKED_FOR,
        }
        if self._offset is not None:
            parameters["offset"] = self._offset
        try:
            return await self._bot_api.elements("getUpdates", parameters, wait=self._poll_seconds)
        except BotError as error:
            if error.status == 409 and "webhook" in str(error).lower():
                await self._bot_api.call("deleteWebhook")  # somebody has set one; what waits is kept
            raise

    # -- brought ---------------------------------------------------------------------------------------------------

    async def _brought(self, request: Request) -> Response:
        """An update, from whoever knows the secret. 200 only when it is durable: otherwise Telegram comes again."""
        given = request.headers.get("x-telegram-bot-api-secret-token", "")
        if not self._secret or not hmac.compare_digest(given.encode(), self._secret.encode()):
            return Response(status_code=403)
        body = (await request.body()).decode("utf-8", "replace")
        try:
            await self._keep([_loaded(body)])
        except StoreError as error:
            self._complain(error)
            return Response(status_code=503, headers={"Retry-After": "5"})
        return Response(status_code=200)

    async def _set_webhook(self) -> None:
        scope = f"{self._scope}:secret"
        secret = await self._inbox.cursor(scope)
        if secret is None:
            secret = secrets.token_urlsafe(32)
            await self._inbox.put([], cursor=Cursor(scope, secret))
        self._secret = secret
        parameters = {"url": self._hook, "secret_token": secret, "allowed_updates": ASKED_FOR}
        await self._bot_api.call("setWebhook", parameters)

    async def _watch(self) -> None:
        """Looks now and then whether Telegram still brings, and says what keeps it from doing so."""
        await self._sleep(_WATCH_SECONDS)
        info = await self._bot_api.call("getWebhookInfo")
        match info:
            case {"url": str(url)} if url != self._hook:
                log.warning("Telegram: another program has changed the webhook; it is set to %s again", self._hook)
                await self._set_webhook()
            case {"last_error_message": str(said), "pending_update_count": int(waiting)} if waiting:
                raise SourceError(f"Telegram cannot bring {waiting} updates to {self._hook}: {said[:200]}")
        if heard := self._heard_now():
            await self._inbox.put([], cursor=heard[0])

    # -- kept ------------------------------------------------------------------------------------------------------

    async def _keep(self, updates: Sequence[Element], cursor: Cursor | None = None) -> None:
        await self._follow(updates)
        arrivals = [arrival for update in updates if (arrival := self._arrival(update)) is not None]
        if arrivals or cursor:
            await self._inbox.put(arrivals, cursor=cursor)

    def _heard_now(self) -> tuple[Cursor, ...]:
        """Telegram gives what it has: to be written down now and then. After too long a silence something is gone."""
        now = self._clock()
        silent = now - self._heard
        if self._heard and silent > _HORIZON:
            since, lost = _moment(self._heard), _moment(now - _HORIZON)
            self._gone = f"no updates were taken since {since}: Telegram keeps them for a day, so what was sent before "
            self._gone += f"{lost} is gone"
            log.warning("Telegram: %s", self._gone)
        if 0 <= silent < _NOTED_SECONDS:
            return ()
        self._heard = now
        return (Cursor(f"{self._scope}:heard", f"{now:.0f}"),)

    async def _follow(self, updates: Sequence[Element]) -> None:
        moved = moves(element.says for element in updates)
        if not moved:
            return
        self._guests.follow(moved)
        known = json.dumps({str(old): new for old, new in self._guests.moved.items()})
        await self._inbox.put([], cursor=Cursor(f"{self._scope}:moved", known))

    def _arrival(self, element: Element) -> Arrival | None:
        """None for what is not ours to keep. What cannot be understood is kept: reading it will say why."""
        raw, update = element
        number = update_id(update)
        if number is None or not isinstance(update, dict):
            digest = hashlib.sha256(raw.encode()).hexdigest()[:32]
            return Arrival(source=self.name, key=Key(f"{self._scope}:unreadable", digest, _KEPT), raw=raw)
        key = Key(self._scope, str(number), _KEPT)
        try:
            message = message_in(update)
            account = self._account(message) if message else None
        except InvalidArrival:
            return Arrival(source=self.name, key=key, raw=raw)
        if message is None or account is None:
            return None
        return Arrival(
            source=self.name,
            key=key,
            raw=raw,
            account=account,
            channel=str(message["chat"]["id"]),
            group=identity(self._bot_api.bot_id, message) if kind(update) != PRESS else "",
            due=self._clock() + _ALBUM_SECONDS if "media_group_id" in message else 0.0,
        )

    def _account(self, message: Json) -> str | None:
        """Whose list a message is for; None: it is not for us."""
        account = self._guests.account(senders(message))
        _, bot, _ = command(message)
        others = bot and self._username and bot.lower() != self._username.lower()
        return None if others else account

    def _complain(self, error: SourceError | StoreError) -> None:
        complaint = _complaint(error)
        log.log(logging.DEBUG if complaint == self._complaint else logging.WARNING, "Telegram: %s", complaint)
        self._complaint = complaint

    def _recovered(self) -> None:
        if self._complaint:
            log.info("Telegram: works again")
            self._complaint = ""


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _loaded(body: str) -> Element:
    """The update a body holds; a body that is no JSON is kept as the text it is."""
    try:
        return Element(body, json.loads(body))
    except (ValueError, RecursionError):
        return Element(json.dumps(body), body)


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
            return f"the token is not accepted ({error}): BRIDGE_TELEGRAM_TOKEN must be the one @BotFather gave"
        case BotError(status=409) if "webhook" in str(error).lower():
            return f"another program has set a webhook for this bot; stop it, or give bridge a bot of its own: {error}"
        case BotError(status=409):
            return f"another program is polling with this token; stop it, or give bridge a bot of its own: {error}"
        case _:
            return str(error)
