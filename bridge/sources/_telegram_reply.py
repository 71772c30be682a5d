"""Replies: one answer to one message, edited in place as its links go their ways."""

from __future__ import annotations

from telegram import Bot, LinkPreviewOptions, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import TelegramError

from bridge.errors import InvalidArrival, SourceError
from bridge.ports import Report, Verdict
from bridge.sources._telegram_api import BotApi, BotApiRequest, BotCallError
from bridge.sources._telegram_update import Json, chat_of, is_private, kind, loads, message_in
from bridge.sources._telegram_words import words

_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

# Answers to an edit after which there is nothing left to do.
_EDIT_IS_DONE = ("message is not modified", "message to edit not found", "message can't be edited")


class Replies:
    """What one bot says. A reference is `chat:message`, the ids of our answer."""

    def __init__(self, bot_api: BotApi) -> None:
        # The library logs its token, so it is given none: the request knows the way.
        request = BotApiRequest(bot_api)
        self._bot = Bot(f"{bot_api.bot_id}:unknown-here", request=request, get_updates_request=request)

    async def tell(self, report: Report) -> str:
        """As Reporter.report."""
        text = words(report)
        addressed = _addressed(report)
        if addressed is None or not text:
            return report.reference
        try:
            return await (
                self._edit(report.reference, text) if report.reference else self._answer(addressed, text)
            )
        except BotCallError as failed:
            raise failed.error from None
        except (TelegramError, LookupError, TypeError, ValueError) as error:
            # The library's parser raises whatever a result of another shape leads to.
            raise SourceError(f"Telegram's answer is not understood ({type(error).__name__})") from None

    async def _answer(self, message: Json, text: str) -> str:
        chat = chat_of(message)
        sent = await self._bot.send_message(
            chat,
            text,
            parse_mode=ParseMode.HTML,
            link_preview_options=_NO_PREVIEW,
            disable_notification=True,
            reply_parameters=ReplyParameters(message["message_id"], allow_sending_without_reply=True),
        )
        return f"{chat}:{sent.message_id}"

    async def _edit(self, reference: str, text: str) -> str:
        chat, _, message = reference.rpartition(":")
        try:
            await self._bot.edit_message_text(
                text,
                chat_id=int(chat),
                message_id=int(message),
                parse_mode=ParseMode.HTML,
                link_preview_options=_NO_PREVIEW,
            )
        except BotCallError as failed:
            if not any(done in str(failed).lower() for done in _EDIT_IS_DONE):
                raise
        return reference


def _addressed(report: Report) -> Json | None:
    """The message to answer; None where an answer would be noise, or where there is no telling whose it is."""
    try:
        update = loads(report.arrival.raw)
        message = message_in(update)
    except InvalidArrival:
        return None
    if message is None:
        return None
    match kind(update):
        case "message":
            return message if report.state != "empty" or is_private(message) else None
        case "edited_message":
            # Telegram calls many things an edit; without anything new there is nothing to tell.
            return message if any(_is_news(verdict) for verdict in report.verdicts) else None
        case _:
            return None


def _is_news(verdict: Verdict) -> bool:
    return verdict.state == "kept" or bool(verdict.tags)
