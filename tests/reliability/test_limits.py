"""Limits are used and not hit, in virtual time. The long tier: `python -m tests.reliability.limits`."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from tests.reliability.limits import HOUR, Run

LINKS = 1_500


async def ran(folder: Path, seed: int, **how: object) -> Run:
    """Ten connections of one key, an hour's limits a twentieth of Pocket's, restarts with a clock set anew."""
    settings = {"connections": 10, "per_user": 64, "per_key": 500} | how
    run = Run(folder, seed=seed, **settings)  # type: ignore[arg-type]
    await run.open()
    await run.want(LINKS)
    restarts = [run.chance.uniform(0, 2 * HOUR) for _ in range(3)]
    hands = [run.chance.uniform(0, 2 * HOUR) for _ in range(10)] if run.reserve else []
    await run.work(hands=hands, restarts=restarts)
    await run.store.close()
    print(run.words())
    assert run.restarted == 3
    return run


@pytest.mark.parametrize("seed", range(2))
async def test_a_limit_is_used_up_and_never_hit(tmp_path: Path, seed: int) -> None:
    run = await ran(tmp_path, seed)
    assert run.server.throttled == 0
    assert sum(len(caller.left) for caller in run.callers) == LINKS
    assert run.hours <= 1.02 * LINKS / run.per_key
    assert max(run.waits()) <= 2 * statistics.median(run.waits())


async def test_without_budgets_the_limit_is_hit(tmp_path: Path) -> None:
    run = await ran(tmp_path, 0, careless=True)
    assert run.server.throttled > 0


async def test_a_link_sent_by_hand_leaves_at_once_while_the_rest_waits(tmp_path: Path) -> None:
    run = await ran(tmp_path, 0, reserve=0.1)
    assert run.server.throttled == 0
    assert len(run.hand_waits()) == 10
    assert max(run.hand_waits()) <= 60


async def test_without_a_reserve_a_link_sent_by_hand_may_find_nothing_left(tmp_path: Path) -> None:
    """The control of the reserve: everything of the hour is spent, and the link waits for the next one."""
    run = Run(tmp_path, seed=0, connections=2, per_user=10, per_key=20)
    await run.open()
    await run.want(60)
    await run.work(hands=[HOUR * number / 40 for number in range(40)])
    await run.store.close()
    assert run.server.throttled == 0
    assert max(run.hand_waits()) > 60


@pytest.mark.parametrize("dialect", ["x-ratelimit", "ratelimit"])
async def test_every_dialect_is_obeyed_in_advance(tmp_path: Path, dialect: str) -> None:
    run = await ran(tmp_path, 0, dialect=dialect, shared=False, per_key=10**6)
    assert run.server.throttled == 0
    assert run.hours <= 1.02 * LINKS / run.connections / run.per_user


async def test_a_server_that_says_nothing_but_when_to_come_again_is_asked_once_an_hour_too_often(
    tmp_path: Path,
) -> None:
    # Without restarts: a clock that starts an hour ahead cannot know that a time of day has not come yet.
    run = Run(tmp_path, seed=0, connections=10, per_user=64, per_key=10**6, dialect="retry-after", shared=False)
    await run.open()
    await run.want(LINKS)
    await run.work()
    await run.store.close()
    assert sum(len(caller.left) for caller in run.callers) == LINKS
    assert 0 < run.server.throttled <= run.connections * (run.hours + 1)


async def test_what_is_known_of_a_limit_outlives_a_restart(tmp_path: Path) -> None:
    """All of the hour is spent, and the process starts again: the server is not asked before the hour is over."""
    run = Run(tmp_path, seed=0, connections=2, per_user=5, per_key=10)
    await run.open()
    await run.want(100)
    run.until = HOUR - run.world.true % HOUR - 600
    await run.work(hands=list(range(20)))
    assert run.server.calls == 10
    await run.store.close()
    run.world.off = 0.0
    await run.open()
    run.until = 60
    await run.work(hands=[1, 2])
    await run.store.close()
    assert (run.server.calls, run.server.throttled) == (10, 0)
