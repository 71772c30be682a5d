"""When the next message may go: Telegram takes one a second in a chat, twenty a minute in a group, thirty in all."""

from __future__ import annotations

ALONE = 1.0
GROUP = 3.0
EVERYWHERE = 1 / 30
_MOST = 2000


class Pace:
    """Gives every answer a time of its own, in the order they ask; nobody sleeps here."""

    def __init__(self) -> None:
        self._last = 0.0
        self._free: dict[int, float] = {}
        self._free_everywhere = 0.0
        self._granted: dict[int, float] = {}

    def wait(self, answer: int, chat: int, now: float) -> float:
        """Seconds until `answer` may go to `chat`: 0, or the time to come again, which is then kept for it."""
        if now < self._last:
            self._put_back(self._last - now)
        self._last = now
        granted = self._granted.pop(answer, None)
        if granted is None:
            granted = self._grant(chat, now)
        if granted <= now:
            return 0.0
        self._granted[answer] = granted
        return granted - now

    def _grant(self, chat: int, now: float) -> float:
        at = max(now, self._free.get(chat, 0.0), self._free_everywhere)
        self._free[chat] = at + (GROUP if chat < 0 else ALONE)
        self._free_everywhere = max(now, self._free_everywhere) + EVERYWHERE
        if len(self._free) > _MOST:
            self._free = {place: free for place, free in self._free.items() if free > now}
        return at

    def _put_back(self, seconds: float) -> None:
        """The clock was put back: all times it had given move with it."""
        self._free = {chat: free - seconds for chat, free in self._free.items()}
        self._granted = {answer: granted - seconds for answer, granted in self._granted.items()}
        self._free_everywhere -= seconds
