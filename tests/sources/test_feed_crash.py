"""Nothing is lost and nothing comes twice, whichever step of a poll a process dies at; and the test can fail."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any


async def swept(*options: str) -> dict[str, Any]:
    command = (sys.executable, "-m", "tests.sources.feed_crash", *options)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    return dict(json.loads(said))


async def test_a_process_may_die_between_any_two_steps_of_a_poll() -> None:
    found = await swept()
    assert found["deaths"] > 40
    assert found["lost"] == []
    assert found["twice"] == []


async def test_a_state_that_is_stored_apart_from_the_arrivals_is_found_out() -> None:
    found = await swept("--apart")
    assert found["lost"]
