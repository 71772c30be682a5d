"""The way of one link that waits for its page, in a process that ends itself at a named point: see test_page_kills.py.

python -m tests.page_steps DATABASE POINT        # POINT "" for none
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bridge import rules
from bridge.intake import Intake
from bridge.lookup import Lookup
from bridge.needs import Patience
from bridge.page import Page
from bridge.ports import Arrival, Key
from bridge.store.core import Store
from bridge.store.sqlite import Database, Tx
from tests.test_lookup import LONG, read

T = TypeVar("T")

URL = "https://a.example/"

STEPS = ("put", "waits", "looked", "decided")
POINTS = [
    *(f"{step}: written, not committed" for step in STEPS),
    *(f"{step}: committed" for step in STEPS),
    "page read, not written",
]


class Mortal(Database):
    """Ends the process when the step that is under way has come so far."""

    step = ""
    point = ""

    async def write(self, unit: Callable[[Tx], T], *, grows: bool = True) -> T:
        def deadly(tx: Tx) -> T:
            result = unit(tx)
            self.passes(f"{self.step}: written, not committed")
            return result

        result = await super().write(deadly, grows=grows)
        self.passes(f"{self.step}: committed")
        return result

    def passes(self, point: str) -> None:
        if point == self.point:
            os.kill(os.getpid(), signal.SIGKILL)


class Pages:
    def __init__(self, database: Mortal) -> None:
        self._database = database

    async def read(self, url: str) -> Page:
        del url
        self._database.passes("page read, not written")
        return Page(title="A page", words=4000)

    async def rest(self) -> None:
        return


async def walk(path: Path, point: str) -> None:
    """Puts the link, once, and takes every step that is due."""
    await (await Store.open(path, lambda: 1000.0)).close()
    database = Mortal(path)
    store = Store(database, lambda: 1000.0)
    intake = Intake(
        store,
        {"save": read},
        rules.load(LONG, name="rules.yaml"),
        pages=store,
        patience=Patience("on"),
        clock=lambda: 1000.0,
    )
    lookup = Lookup(store, Pages(database), clock=lambda: 1000.0, patience=20.0)
    database.point = point
    database.step = "put"
    await store.put([Arrival(source="save", key=Key("t", "1"), raw=URL)], seen=[Key("t", "another")])
    for step in STEPS[1:]:
        database.step = step
        await (lookup.step() if step == "looked" else intake.step())
    await store.close()


if __name__ == "__main__":
    asyncio.run(walk(Path(sys.argv[1]), sys.argv[2]))
