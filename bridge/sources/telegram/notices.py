"""A chat in which the owner is told what is wrong."""

from __future__ import annotations

from bridge.sources.telegram.api import BotApi

LONGEST = 4000


class Chat:
    """One chat; the bot must be in it."""

    def __init__(self, api: BotApi, chat: int) -> None:
        self._api = api
        self._chat = chat

    async def tell(self, words: str) -> None:
        """Raises SourceError. Plain text: nothing in it is taken for markup, and no address is unfolded."""
        message = {"chat_id": self._chat, "text": words[:LONGEST], "link_preview_options": {"is_disabled": True}}
        await self._api.call("sendMessage", message)
