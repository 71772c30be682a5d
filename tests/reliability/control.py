"""The controls: the same process with one protection off. Each must be found out by the proof that leans on it."""

from __future__ import annotations

import asyncio
import importlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.ports import Arrival, Cursor, Errand, Receipt
from bridge.store import sqlite
from bridge.store.core import Store

LATE_SECONDS = 0.5
TASKS: set[asyncio.Task[None]] = set()


class Careless(Store):
    """Answers at once and stores a little later, as a queue in memory would."""

    async def put(self, arrivals: Sequence[Arrival], **rest: Any) -> Sequence[Receipt]:
        TASKS.add(asyncio.create_task(self._put_later(arrivals, rest)))
        return [Receipt(1, new=True) for _ in arrivals]

    async def _put_later(self, arrivals: Sequence[Arrival], rest: dict[str, Any]) -> None:
        await asyncio.sleep(LATE_SECONDS)
        await super().put(arrivals, **rest)


class Halving(Store):
    """Moves the cursor in a unit of its own, after the arrivals: what many programs do."""

    async def put(self, arrivals: Sequence[Arrival], *, cursor: Cursor | None = None, **rest: Any) -> Sequence[Receipt]:
        receipts = await super().put(arrivals, **{**rest, "expect": None})
        if cursor:
            await super().put([], cursor=cursor)
        return receipts


class Forgetful(Store):
    """Counts a request as done before it was carried out: what a queue in memory comes to."""

    async def due_errands(self, limit: int) -> Sequence[Errand]:
        due = await super().due_errands(limit)
        for errand in due:
            await self.answer(errand, {})
        return [replace(errand, id=0) for errand in due]


def _normal(path: Path) -> sqlite3.Connection:
    """Commits without waiting for the disk."""
    connection = _connect(path)
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


_connect = sqlite._connect


def _early_acknowledgement() -> None:
    vars(importlib.import_module("bridge.wiring"))["Store"] = Careless


def _carried_out_first() -> None:
    vars(importlib.import_module("bridge.wiring"))["Store"] = Forgetful


def _one_unit() -> None:
    vars(importlib.import_module("bridge.wiring"))["Store"] = Halving


def _sync() -> None:
    vars(sqlite)["_connect"] = _normal


PROTECTIONS: dict[str, Callable[[], None]] = {
    "acknowledged after it is stored": _early_acknowledgement,
    "arrival and cursor in one unit": _one_unit,
    "answered after it is carried out": _carried_out_first,
    "synchronous=FULL": _sync,
}


def switch_off(protection: str) -> None:
    PROTECTIONS[protection]()
