"""Replies: each message has one answer, a line or a reaction, changed in place as its links go their ways."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

from telegram import Bot as Library
from telegram import BotCommand, InlineKeyboardMarkup, LinkPreviewOptions, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import TelegramError

from bridge.errors import InvalidArrival, SourceError
from bridge.ports import OWNER, Answered, Report, Verdict
from bridge.sources.telegram import keys
from bridge.sources.telegram.answers import answer, toast
from bridge.sources.telegram.api import BotApi, BotApiRequest, BotCallError, BotError
from bridge.sources.telegram.pace import Pace
from bridge.sources.telegram.update import PRESS, Json, chat_of, is_private, kind, loads, message_in
from bridge.sources.telegram.words import words

Style = Literal["line", "reaction", "silent"]

# Telegram lets bots react with some emoji only; ✅ and ❌ are not among them.
SEEN, SAVED, NOT_SAVED, NONE = "👀", "👍", "💔", "-"

_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

# What a press asks for that is shown as a message, or changes one.
_SHOWN = frozenset({"why", "tags", "to"})

# Refusals after which there is nothing left to do.
_DONE = (
    "message is not modified",
    "message to edit not found",
    "message can't be edited",
    "query is too old",
    "query id is invalid",
)


class Replies:
    """What one bot says. A reference is `chat:message`, the ids of our answer, or the emoji it is.

    `others`: connections that a button offers besides the embedded list.
    """

    def __init__(self, bot_api: BotApi, *, style: Style, others: Sequence[str], clock: Callable[[], float]) -> None:
        # The library logs its token, so it is given none: the request knows the way.
        request = BotApiRequest(bot_api)
        self._bot = Library(f"{bot_api.bot_id}:unknown-here", request=request, get_updates_request=request)
        self._style = style
        self._others = others
        self._clock = clock
        self._pace = Pace()
        self._without_reactions: set[int] = set()
        self.moved: Mapping[int, int] = {}  # groups that became supergroups: old id -> new id

    async def tell(self, report: Report) -> str:
        """As Reporter.report."""
        found = _addressed(report)
        if found is None:
            return report.reference
        what, message = found
        try:
            return await self._tell(report, what, message)
        except BotCallError as failed:
            raise failed.error from None
        except (TelegramError, LookupError, TypeError, ValueError) as error:
            # The library's parser raises whatever a result of another shape leads to.
            raise SourceError(f"Telegram's answer is not understood ({type(error).__name__})") from None

    async def offer_commands(self, commands: Mapping[str, str]) -> None:
        """The menu behind the bot's `/` button. Raises SourceError."""
        try:
            await self._bot.set_my_commands([BotCommand(name, words) for name, words in commands.items()])
        except BotCallError as failed:
            raise failed.error from None

    async def _tell(self, report: Report, what: str, message: Json) -> str:
        chat = self._chat(message)
        quiet = self._style == "silent" and report.state != "command"
        if what != PRESS and (quiet or not (words(report) or report.verdicts)):
            return report.reference
        if what == PRESS and not any(given.name in _SHOWN for given in report.answers):
            return await self._pressed(report, chat)  # words over a button are no message
        if wait := self._pace.wait(report.arrival.id, chat, self._clock()):
            raise SourceError("one message a second and chat", retry_after=wait)
        if what == PRESS:
            return await self._pressed(report, chat)
        if self._style == "reaction" and report.verdicts and chat not in self._without_reactions:
            return await self._react(report, chat, message)
        return await self._line(report, chat, message)

    async def _react(self, report: Report, chat: int, message: Json) -> str:
        """A reaction, and a line where a reaction does not tell all."""
        emoji = reaction(report)
        try:
            await self._bot.set_message_reaction(chat, message["message_id"], reaction=emoji if emoji != NONE else [])
        except BotCallError as failed:
            if not isinstance(failed.error, BotError) or failed.error.status != 400:
                raise
            self._without_reactions.add(chat)  # this chat allows none, or not these
            return await self._line(report, chat, message)
        if is_plain(report) and ":" not in report.reference:
            return emoji
        return await self._line(report, chat, message)

    async def _line(self, report: Report, chat: int, message: Json) -> str:
        others = self._others if report.arrival.account == OWNER else ()  # connections are the owner's
        text, buttons = words(report), keys.actions(report, others) if report.state == "read" else None
        if ":" in report.reference:
            await self._edit(report.reference, text, buttons)
            return report.reference
        return await self._say(chat, message["message_id"], text, buttons)

    async def _pressed(self, report: Report, chat: int) -> str:
        """What was asked with a button: a few words over it; the answer it stands under is told anew by itself."""
        press = loads(report.arrival.raw)[PRESS]
        for given in report.answers:
            await self._unless_done(self._bot.answer_callback_query(str(press["id"]), text=toast(given) or None))
            await self._after(given, chat, press["message"]["message_id"])
        return report.reference

    async def _after(self, given: Answered, chat: int, under: int) -> None:
        match given.name, given.answer:
            case "why", {"links": _}:
                await self._say(chat, under, answer(given), None)
            case "tags", {"tags": list(tags)}:
                await self._choose(chat, under, keys.choices("tag", given.about, tags))
            case "to", {"connections": list(names)}:
                await self._choose(chat, under, keys.choices("to", given.about, names))

    async def _choose(self, chat: int, under: int, buttons: InlineKeyboardMarkup) -> None:
        changed = self._bot.edit_message_reply_markup(chat_id=chat, message_id=under, reply_markup=buttons)
        await self._unless_done(changed)

    async def _say(self, chat: int, to: int, text: str, buttons: InlineKeyboardMarkup | None) -> str:
        sent = await self._bot.send_message(
            chat,
            text,
            parse_mode=ParseMode.HTML,
            link_preview_options=_NO_PREVIEW,
            disable_notification=True,
            reply_parameters=ReplyParameters(to, allow_sending_without_reply=True),
            reply_markup=buttons,
        )
        return f"{chat}:{sent.message_id}"

    async def _edit(self, reference: str, text: str, buttons: InlineKeyboardMarkup | None) -> None:
        chat, _, message = reference.rpartition(":")
        await self._unless_done(
            self._bot.edit_message_text(
                text,
                chat_id=int(chat),
                message_id=int(message),
                parse_mode=ParseMode.HTML,
                link_preview_options=_NO_PREVIEW,
                reply_markup=buttons,
            )
        )

    async def _unless_done(self, call: Awaitable[Any]) -> None:
        try:
            await call
        except BotCallError as failed:
            if not any(done in str(failed).lower() for done in _DONE):
                raise

    def _chat(self, message: Json) -> int:
        chat = chat_of(message)
        return self.moved.get(chat, chat)


def reaction(report: Report) -> str:
    """What a message's reaction tells: taken in, all is where it belongs, or something is not.

    👍 is given for a receipt, never for a hope.
    """
    states = [state for verdict in report.verdicts for state, _ in verdict.deliveries.values()]
    dropped = all(verdict.state == "dropped" and not verdict.deliveries for verdict in report.verdicts)
    if report.state == "parked" or (report.verdicts and dropped) or {"dead", "unknown"} & set(states):
        return NOT_SAVED
    if set(states) <= {"cancelled"}:
        return NONE
    return SAVED if set(states) <= {"delivered", "cancelled"} else SEEN


def is_plain(report: Report) -> bool:
    """Whether a reaction alone tells everything: no link was known, dropped or refused, and no remark is due."""
    told = {"delivered", "pending", "leased", "cancelled"}
    states = {state for verdict in report.verdicts for state, _ in verdict.deliveries.values()}
    kept = all(verdict.state == "kept" for verdict in report.verdicts)
    return bool(report.verdicts) and kept and states <= told and not report.reason


def _addressed(report: Report) -> tuple[str, Json] | None:
    """The message to answer and its kind; None where an answer would be noise, or there is no telling whose it is."""
    try:
        update = loads(report.arrival.raw)
        message = message_in(update)
    except InvalidArrival:
        return None
    if message is None:
        return None
    match kind(update):
        case "message":
            return ("message", message) if report.state != "empty" or is_private(message) else None
        case "edited_message":
            # Telegram calls many things an edit; without anything new there is nothing to tell.
            return ("message", message) if any(_is_news(verdict) for verdict in report.verdicts) else None
        case "callback_query":
            return PRESS, message
        case _:
            return None


def _is_news(verdict: Verdict) -> bool:
    return verdict.state == "kept" or bool(verdict.tags)
