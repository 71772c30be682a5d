"""What those who look after it ask of the store: the ports of bridge.ports.keeping over their units of work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.ports.keeping import Audit, Line, Notice, Trouble
from bridge.rules import Keep
from bridge.store import backup, books, notices, queues, underway
from bridge.store.bell import IDLE_SECONDS, Bell
from bridge.store.retention import Walk
from bridge.store.sample import Meter
from bridge.store.sqlite import Database


class Upkeep:
    """Implements Queues, Books, Notices and Underway. `ring` wakes the senders of a connection, "" those of all."""

    def __init__(self, database: Database, clock: Callable[[], float], ring: Callable[[str], None]) -> None:
        self._database = database
        self._clock = clock
        self._ring = ring
        self._walk = Walk()
        self._meter = Meter()
        self.noticed = Bell()

    async def start(self) -> None:
        """Attempts are counted from now on."""
        await self._database.read(self._meter.begin)

    # -- queues --------------------------------------------------------------------------------------------------

    async def lines(self) -> Sequence[Line]:
        now = self._clock()
        return await self._database.aside(lambda tx: queues.lines(tx, now))

    async def waiting(self, connection: str, limit: int) -> Sequence[Mapping[str, Any]]:
        return await self._database.aside(lambda tx: queues.waiting(tx, connection, limit))

    async def dead(self, connection: str, limit: int) -> Sequence[Mapping[str, Any]]:
        return await self._database.aside(lambda tx: queues.dead(tx, connection, limit))

    async def again(self, numbers: Sequence[int]) -> Sequence[str]:
        now = self._clock()
        found = await self._database.write(lambda tx: queues.again(tx, numbers, now))
        self._ring("")
        return found

    async def give_up(self, *, connection: str = "", numbers: Sequence[int] = (), all_states: bool = False) -> int:
        return await self._all(
            lambda now: lambda tx: queues.give_up(tx, connection, numbers, now, all_states=all_states),
            once=bool(numbers),
        )

    async def move(self, connection: str, to: str, *, all_states: bool = False) -> int:
        number = await self._all(lambda now: lambda tx: queues.move(tx, connection, to, now, all_states=all_states))
        self._ring(to)
        return number

    async def _all(self, unit: Callable[[float], Callable[[Any], int]], *, once: bool = False) -> int:
        """Some at a time: other units come in between."""
        total = 0
        while number := await self._database.write(unit(self._clock())):
            total += number
            if once:
                break
        self._ring("")
        return total

    # -- books ---------------------------------------------------------------------------------------------------

    async def audit(self) -> Audit:
        return await self._database.aside(books.audit)

    async def purge(self, keep: Keep) -> int:
        now = self._clock()
        return await self._database.write(lambda tx: self._walk.purge(tx, keep, now))

    async def sample(self) -> Mapping[str, Any]:
        now = self._clock()
        return await self._database.aside(lambda tx: self._meter.sample(tx, now))

    async def copy(self, path: Path, *, force: bool = False) -> Mapping[str, Any]:
        """A consistent copy of the database in one file, made while everything runs."""
        return await self._database.aside(lambda connection: backup.copy(connection, path, force=force))

    # -- notices -------------------------------------------------------------------------------------------------

    async def observe(self, troubles: Sequence[Trouble], channels: Sequence[str]) -> int:
        now = self._clock()
        made = await self._database.write(lambda tx: notices.observe(tx, troubles, channels, now))
        self.noticed.ring()
        return made

    async def troubles(self) -> Sequence[Mapping[str, Any]]:
        return await self._database.read(notices.troubles)

    async def due_notices(self, limit: int) -> Sequence[Notice]:
        now = self._clock()
        return await self._database.read(lambda tx: notices.due(tx, limit, now))

    async def told(self, notice: Notice) -> None:
        await self._database.write(lambda tx: notices.told(tx, notice))

    async def tell_later(self, notice: Notice, due_at: float) -> None:
        await self._database.write(lambda tx: notices.later(tx, notice, due_at))

    async def wait_for_notices(self) -> None:
        await self._sleep(self.noticed, self._database.read(notices.next_due))

    async def _sleep(self, bell: Bell, next_due: Awaitable[float | None]) -> None:
        due = await next_due
        await bell.wait(IDLE_SECONDS if due is None else min(due - self._clock(), IDLE_SECONDS))

    # -- what is being read --------------------------------------------------------------------------------------

    async def begin(self, arrivals: Sequence[int]) -> Mapping[int, int]:
        return await self._database.write(lambda tx: underway.begin(tx, arrivals), grows=True)

    async def left(self) -> Mapping[int, int]:
        return await self._database.read(underway.left)
