"""What is known of feeds between their polls: read and written some at a time, since one read or commit costs as much
as many."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from bridge.ports import Cursor, ManyCursors

MOST_HELD = 64
"""States in one read."""


class Moves:
    """New states of feeds that had nothing to give, to be written some at a time: one commit costs as much as many.

    A crash before loses nothing but the knowledge that these feeds were just asked.
    """

    def __init__(self, inbox: ManyCursors) -> None:
        self._inbox = inbox
        self._waiting: dict[str, tuple[Cursor, str | None]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def latest(self, scope: str) -> str | None:
        """The state that waits to be written."""
        waiting = self._waiting.get(scope)
        return waiting[0].value if waiting else None

    def add(self, cursor: Cursor, expect: str | None) -> None:
        before = self._waiting.get(cursor.scope)
        self._waiting[cursor.scope] = (cursor, before[1] if before else expect)

    async def write(self) -> Collection[str]:
        """All that wait. Answers the scopes that somebody else has moved meanwhile. Raises StoreError."""
        waiting, self._waiting = self._waiting, {}
        return await self._inbox.move(list(waiting.values())) if waiting else ()


class States:
    """The states of those that are polled next, read ahead."""

    def __init__(self, inbox: ManyCursors, moves: Moves) -> None:
        self._inbox = inbox
        self._moves = moves
        self._held: dict[str, str | None] = {}

    async def take(self, scope: str, next_ones: Callable[[int], list[str]]) -> str | None:
        """What is kept of `scope`; `next_ones` names those that come soon, and are read with it."""
        if scope not in self._held:
            if len(self._held) > MOST_HELD:
                self._held.clear()
            wanted = [scope, *next_ones(MOST_HELD)]
            self._held |= dict.fromkeys(wanted) | dict(await self._inbox.cursors(wanted))
        held = self._held.pop(scope, None)
        return self._moves.latest(scope) or held

    def forget(self, scopes: Iterable[str]) -> None:
        """Somebody else changed these."""
        for scope in scopes:
            self._held.pop(scope, None)
