"""The supervisor: runs sources and workers, restarts what fails, drains when it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol

from bridge.delivery import backoff
from bridge.errors import BridgeError

DRAIN_SECONDS = 6.0
LONGEST_PAUSE = 60.0
SHARE = 12.0
SHORTEST_WAY = 0.2
LONGEST_WAY = 2.0

log = logging.getLogger(__name__)


class Worker(Protocol):
    """A stage: `step` does what is due and says how much that was, `wait` returns when more may be due."""

    async def step(self) -> int: ...

    async def wait(self) -> None: ...


class Periodic:
    """A worker that does one thing every so many seconds; a number it answers is work done, and there may be more.

    `first`: seconds before it is done for the first time.
    """

    def __init__(self, task: Callable[[], Awaitable[object]], every: float, *, first: float = 0.0) -> None:
        self._task = task
        self._every = every
        self._first = first

    async def step(self) -> int:
        if self._first:
            return 0
        done = await self._task()
        return done if isinstance(done, int) else 0

    async def wait(self) -> None:
        first, self._first = self._first, 0.0
        await asyncio.sleep(first or self._every)


async def _at_once(_seconds: float) -> None:
    """There is nobody to give way to."""


class Supervisor:
    """`sources` run until they are cancelled; `workers` finish the step they are in.

    `give_way` returns when nobody waits for an answer, or after so many seconds: those are twelve times what the
    worker's last step took, and at most LONGEST_WAY, so that a flood at the doors leaves it a small share of the time.
    """

    def __init__(
        self,
        sources: Mapping[str, Callable[[], Awaitable[None]]],
        workers: Mapping[str, Worker],
        *,
        give_way: Callable[[float], Awaitable[None]] = _at_once,
    ) -> None:
        self._sources = sources
        self._workers = workers
        self._give_way = give_way
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def stopped(self) -> None:
        """Returns as soon as `stop` was called."""
        await self._stopping.wait()

    async def run(self) -> None:
        """Returns after `stop`, when every worker has finished its step or DRAIN_SECONDS have passed."""
        sources = [self._spawn(name, run) for name, run in self._sources.items()]
        lines = [self._spawn(name, self._line(worker)) for name, worker in self._workers.items()]
        await self._stopping.wait()
        await _cancel(sources)
        if lines:
            await asyncio.wait(lines, timeout=DRAIN_SECONDS)
        await _cancel(lines)

    def _spawn(self, name: str, run: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        return asyncio.create_task(self._keep_running(name, run), name=name)

    def _line(self, worker: Worker) -> Callable[[], Awaitable[None]]:
        async def line() -> None:
            took = 0.0
            while not self._stopping.is_set():
                await self._give_way(min(max(SHARE * took, SHORTEST_WAY), LONGEST_WAY))
                began = time.monotonic()
                worked = await worker.step()
                took = time.monotonic() - began
                if not worked:
                    await self._until_stopping(worker.wait())

        return line

    async def _keep_running(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                await run()
            except BridgeError as error:
                log.error("%s failed: %s", name, error)  # noqa: TRY400 - its text is the whole story
            except Exception:
                log.exception("%s failed", name)
            failures = 0 if time.monotonic() - began > LONGEST_PAUSE else failures
            pause = min(backoff(failures, 1.0), LONGEST_PAUSE)
            failures += 1
            await self._until_stopping(asyncio.sleep(pause))

    async def _until_stopping(self, waiting: Coroutine[Any, Any, None]) -> None:
        both = [asyncio.ensure_future(waiting), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if both[0].done():
                both[0].result()
        finally:
            await _cancel(both)


async def _cancel(tasks: list[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
