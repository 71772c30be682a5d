"""The watch: looks now and then for what is wrong, so that it is told once when it begins and once when it is over."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bridge.ports import DAY, HOUR, Gate, Ledger
from bridge.ports.keeping import Books, Line, Notices, Queues, Trouble, Troubled
from bridge.rules import RuleFile

WATCH_SECONDS = 60.0
NEARLY_FULL = 0.05
LEAST_FREE = 512 * 1024 * 1024
"""A disk is nearly full when less than a twentieth and less than this is free."""


class Watch:
    """`channels` are the ways to tell the owner; `full` is true when the database finds no room; `sign_ins`: for each
    connection that knows one, how a person gets a new credential."""

    def __init__(
        self,
        notices: Notices,
        queues: Queues,
        books: Books,
        ledger: Ledger,
        *,
        sources: Mapping[str, object],
        connections: Callable[[], Sequence[str]],
        channels: Callable[[], Sequence[str]],
        rule_file: Callable[[], RuleFile],
        data: Path,
        full: Callable[[], bool],
        clock: Callable[[], float],
        sign_ins: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._sign_ins = sign_ins
        self._notices = notices
        self._queues = queues
        self._books = books
        self._ledger = ledger
        self._sources = sources
        self._connections = connections
        self._channels = channels
        self._rule_file = rule_file
        self._data = data
        self._full = full
        self._clock = clock

    async def __call__(self) -> None:
        """One look. What is wrong is written down; whoever wants to know of its kind is told."""
        about = self._rule_file().notify.about
        found = [trouble for trouble in await self.troubles() if trouble.kind in about]
        await self._notices.observe(found, self._channels())

    def commands(self) -> Mapping[str, Callable[..., Awaitable[Any]]]:
        """What the desk learns from it."""
        return {"condition": self.condition}

    async def condition(self) -> dict[str, Any]:
        """What is wrong now, each with what mends it; how far the newest entry is ahead of the clock; the books."""
        troubles = await self.troubles()
        sample = await self._books.sample()
        audit = await self._books.audit()
        return {
            "troubles": [plain(each) for each in troubles],
            "ahead": max(sample["newest"] - self._clock(), 0.0),
            "balances": audit.balances,
        }

    async def troubles(self) -> Sequence[Trouble]:
        now = self._clock()
        lines = {line.connection: line for line in await self._queues.lines()}
        found: list[Trouble] = []
        for name in self._connections():
            found += of_connection(
                await self._ledger.gate(name), lines.get(name), now, sign_in=self._sign_ins.get(name, "")
            )
        found += [_nowhere(line) for name, line in lines.items() if name not in self._connections() and line.open]
        for source in self._sources.values():
            if isinstance(source, Troubled):
                found += await source.troubles()
        usage = await asyncio.to_thread(shutil.disk_usage, self._data)
        return [*found, *of_disk(usage.free, usage.total, full=self._full())]


def plain(trouble: Trouble) -> dict[str, Any]:
    """As `condition` answers it."""
    return {"name": trouble.name, "words": trouble.words, "mend": trouble.mend, "passes": trouble.passes}


def of_connection(gate: Gate, line: Line | None, now: float, *, sign_in: str = "") -> list[Trouble]:
    """Pure."""
    name, waits = gate.connection, _waits(line)
    if gate.state == "paused":
        words = f"{name} is paused: {gate.because}.{waits}"
        return [Trouble(f"paused {name}", words, sign_in or f"pocket-bridge resume {name}, when it is mended")]
    if gate.failures:
        words = f"{name} is failing: {gate.because}.{waits} It is tried again by itself."
        return [Trouble(f"down {name}", words, f"pocket-bridge resume {name} tries it now", HOUR, passes=True)]
    if line and line.next_due is not None and max(line.next_due, gate.not_before) < now - HOUR:
        words = f"nothing leaves for {name}, although it should have an hour ago.{waits}"
        return [Trouble(f"stuck {name}", words, "see the log, and restart pocket-bridge")]
    return []


def _waits(line: Line | None) -> str:
    number = line.states.get("pending", 0) + line.states.get("leased", 0) if line else 0
    return f" {number} link{' waits' if number == 1 else 's wait'}." if number else ""


def _nowhere(line: Line) -> Trouble:
    name = line.connection
    words = f"{line.open} links wait for “{name}”, a destination that the rule file does not name any more"
    return Trouble(f"stuck {name}", words, f"pocket-bridge queue move {name} reading, or queue cancel {name}", DAY)


def of_disk(free: int, total: int, *, full: bool) -> list[Trouble]:
    """Pure."""
    if full:
        words = "the disk is full: nothing new is taken until there is room; senders are asked to come again"
        return [Trouble("disk full", words, "make room; it goes on by itself")]
    if free < LEAST_FREE and free < total * NEARLY_FULL:
        return [Trouble("disk nearly full", f"the disk is nearly full: {free >> 20} MiB are left", "make room")]
    return []
