"""What was acknowledged survives `kill -9`, and is on the list exactly once."""

from __future__ import annotations

import random
from pathlib import Path

from tests.survival import survive

KILLS = 50


async def test_nothing_acknowledged_is_lost_or_doubled_by_fifty_kills(tmp_path: Path) -> None:
    result = await survive(tmp_path, kills=KILLS, seed=random.randrange(2**32))
    print(result)
    log = (tmp_path / "log").read_text("utf-8", "replace")[-3000:]
    assert result.kills == KILLS, f"{result}\n{log}"
    assert all(len(urls) > KILLS for urls in result.acknowledged.values()), f"a door was not fed: {result}\n{log}"
    assert not result.lost, f"{result}: {sorted(result.lost)[:20]}\n{log}"
    assert not result.doubled, f"{result}: {result.doubled[:20]}"
    assert result.integrity == "ok"


async def test_a_process_that_acknowledges_too_early_is_found_out(tmp_path: Path) -> None:
    result = await survive(tmp_path, kills=6, seed=random.randrange(2**32), module="tests.careless")
    print(result)
    assert result.kills == 6
    assert result.lost, result
