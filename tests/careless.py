"""The control of the kill test: the same process, but it acknowledges before it has stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bridge import wiring
from bridge.cli import main
from bridge.ports import Arrival, Receipt
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


if __name__ == "__main__":
    vars(wiring)["Store"] = Careless
    main()
