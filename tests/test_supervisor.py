"""The supervisor keeps everything running and lets workers finish what they began."""

from __future__ import annotations

import asyncio
import logging

import pytest

from bridge.supervisor import LONGEST_WAY, SHORTEST_WAY, Supervisor


class Counting:
    """A worker that has `todo` steps to do, and then waits until it is told."""

    def __init__(self, todo: int) -> None:
        self.todo = todo
        self.done = 0
        self.idle = asyncio.Event()

    async def step(self) -> int:
        if not self.todo:
            self.idle.set()
            return 0
        self.todo -= 1
        self.done += 1
        return 1

    async def wait(self) -> None:
        await asyncio.Event().wait()


async def test_a_worker_works_until_nothing_is_due_and_stops_when_told() -> None:
    worker = Counting(5)
    supervisor = Supervisor({}, {"worker": worker})
    running = asyncio.create_task(supervisor.run())
    await worker.idle.wait()
    supervisor.stop()
    await running
    assert worker.done == 5


async def test_a_step_that_has_begun_is_finished_before_the_end() -> None:
    began, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Slow(Counting):
        async def step(self) -> int:
            began.set()
            await may_end.wait()
            ended.set()
            return 0

    supervisor = Supervisor({}, {"slow": Slow(0)})
    running = asyncio.create_task(supervisor.run())
    await began.wait()
    supervisor.stop()
    may_end.set()
    await running
    assert ended.is_set()


async def test_a_source_that_fails_is_said_and_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    failed = asyncio.Event()

    async def broken() -> None:
        failed.set()
        raise RuntimeError("the socket is gone")

    worker = Counting(1)
    supervisor = Supervisor({"telegram": broken}, {"worker": worker})
    with caplog.at_level(logging.ERROR):
        running = asyncio.create_task(supervisor.run())
        await failed.wait()
        await worker.idle.wait()
        supervisor.stop()
        await running
    assert "telegram failed" in caplog.text
    assert worker.done == 1


async def test_sources_are_cancelled_at_the_end() -> None:
    cancelled = asyncio.Event()
    started = asyncio.Event()

    async def forever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    supervisor = Supervisor({"forever": forever}, {})
    running = asyncio.create_task(supervisor.run())
    await started.wait()
    supervisor.stop()
    await running
    assert cancelled.is_set()


async def test_before_a_step_a_worker_gives_way_in_proportion_to_what_the_last_one_took() -> None:
    asked: list[float] = []

    async def give_way(seconds: float) -> None:
        asked.append(seconds)

    class Slow(Counting):
        async def step(self) -> int:
            await asyncio.sleep(0.05)
            return await super().step()

    worker = Slow(2)
    supervisor = Supervisor({}, {"worker": worker}, give_way=give_way)
    running = asyncio.create_task(supervisor.run())
    await worker.idle.wait()
    supervisor.stop()
    await running
    assert asked[0] == SHORTEST_WAY
    assert all(SHORTEST_WAY < seconds <= LONGEST_WAY for seconds in asked[1:])
    assert len(asked) == 3
