"""The timekeeper: notices that the clock was set back, so that nothing waits for a time that was never meant."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

CLOCK_SECONDS = 5.0
NOTICED = 2.0

log = logging.getLogger(__name__)


class Waits(Protocol):
    async def clock_was_set_back(self, by: float) -> int:
        """What was written under the later time waits as long as it was meant to, from now on."""
        ...


class Timekeeper:
    """Called every so often."""

    def __init__(self, waits: Waits, *, clock: Callable[[], float]) -> None:
        self._waits = waits
        self._clock = clock
        self._last = clock()

    async def __call__(self) -> None:
        now = self._clock()
        by = self._last - now
        if by > NOTICED:
            changed = await self._waits.clock_was_set_back(by)
            log.warning("the clock was set back by %.0f s; %d things that wait were put right", by, changed)
        self._last = now
