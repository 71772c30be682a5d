"""What was acknowledged survives `kill -9`, at random moments and at every named point, and is on the list once."""

from __future__ import annotations

import random
from pathlib import Path

from tests.reliability.kills import LOOKS, survive
from tests.reliability.points import POINTS

KILLS = 2 * len(POINTS)


async def test_nothing_acknowledged_is_lost_or_doubled_by_kills_at_random_and_at_every_named_point(
    tmp_path: Path,
) -> None:
    result = await survive(tmp_path, kills=KILLS, seed=random.randrange(2**32))
    print(result)
    log = (tmp_path / "log").read_text("utf-8", "replace")[-3000:]
    assert not result.failures, f"{result}\n{result.failures}\n{log}"
    assert result.kills >= KILLS, f"{result}\n{log}"
    assert result.looks > LOOKS
    assert result.leases > KILLS, "no lease was written down"
    assert all(len(urls) > KILLS for urls in result.acknowledged.values()), f"a door was not fed: {result}\n{log}"


async def test_a_process_that_acknowledges_too_early_is_found_out(tmp_path: Path) -> None:
    protection = "acknowledged after it is stored"
    result = await survive(tmp_path, kills=6, seed=random.randrange(2**32), named=False, without=protection)
    print(result)
    assert result.kills == 6
    assert result.lost, result
