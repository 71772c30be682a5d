"""A process that ends at any point while a link waits for its page: the link is decided exactly once."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from bridge.ports import OWNER
from bridge.store.core import Store
from tests.page_steps import POINTS, URL


async def walked(path: Path, point: str) -> int:
    """Takes the steps in a process of its own. Its exit code."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.page_steps", str(path), point)
    async with asyncio.timeout(60):
        return await process.wait()


@pytest.mark.parametrize("point", ["", *POINTS])
async def test_killed_anywhere_a_link_that_waits_for_its_page_is_decided_once(tmp_path: Path, point: str) -> None:
    path = tmp_path / "bridge.db"
    assert await walked(path, point) == (-signal.SIGKILL if point else 0), "it must end where it was told to"
    assert await walked(path, "") == 0
    store = await Store.open(path, lambda: 2000.0)
    try:
        passport = await store.passport(OWNER, URL, URL)
        assert [(sighting["state"], sighting["matched"]) for sighting in passport.sightings] == [("kept", ["long"])]
        [delivery] = passport.deliveries
        assert (delivery["title"], delivery["tags"]) == ("A page", ["long"])
        counts = await store.counts("")
        assert (counts["arrivals"], counts["waiting_for_pages"]) == ({"read": 1}, 0)
    finally:
        await store.close()
