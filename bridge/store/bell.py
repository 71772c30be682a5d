"""Bells wake whoever waits for something that is committed."""

from __future__ import annotations

import asyncio

IDLE_SECONDS = 300.0
"""The longest anybody sleeps without looking: a bell that was missed costs no more than this."""


class Bell:
    """Wakes one waiter when something was committed."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Returns when it was rung since the last wait, or after some seconds."""
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._rung.wait()
        except TimeoutError:
            return
        finally:
            self._rung.clear()
