"""When the next message may go: Telegram takes one a second in a chat, twenty a minute in a group, thirty in all."""

from __future__ import annotations

ALONE = 1.0
GROUP = 3.0
EVERYWHERE = 1 / 30
_MOST = 2000


class Pace:
    """Gives every answer a time of its own, in the order they ask; nobody sleeps here."""

    def __init__(self) -> None:
        self._free: dict[int, float] = {}
        self._free_everywhere = 0.0
        self._granted: dict[int, float] = {}

    def wait(self, answer: int, chat: int, now: float) -> float:
        """Seconds until `answer` may go to `chat`: 0, or the time to come again, which is then kept for it."""
        granted = self._granted.pop(answer, None)
        if granted is None:
            granted = self._grant(chat, now)
        if granted <= now or granted > now + _MOST:  # far off: the clock has jumped
            return 0.0
        self._granted[answer] = granted
        return granted - now

    def _grant(self, chat: int, now: float) -> float:
        at = max(now, self._free.get(chat, 0.0), self._free_everywhere)
        if at > now + _MOST:
            self._free.clear()
            at = now
        self._free[chat] = at + (GROUP if chat < 0 else ALONE)
        self._free_everywhere = max(now, self._free_everywhere) + EVERYWHERE
        if len(self._free) > _MOST:
            self._free = {place: free for place, free in self._free.items() if free > now}
        return at
