"""What somebody asks of the bot is done once in effect, wherever the process was killed on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.nursery import a_nursery
from tests.reliability.points import REQUEST_POINTS
from tests.reliability.requests import WANTED, killed_at


async def test_a_request_is_carried_out_once_after_a_kill_at_every_point_of_its_way(tmp_path: Path) -> None:
    async with a_nursery() as nursery:
        for number, point in enumerate(REQUEST_POINTS):
            killed, outcome = await killed_at(nursery, tmp_path / str(number), point, 1)
            log = (tmp_path / str(number) / "log").read_text("utf-8", "replace")[-3000:]
            assert killed, f"nothing passed “{point}”\n{log}"
            assert outcome == WANTED, f"killed at “{point}”\n{log}"


@pytest.mark.parametrize("passage", [2, 3])
async def test_each_of_three_requests_at_once_is_carried_out_once(tmp_path: Path, passage: int) -> None:
    """Between the change and its answer, for the second and for the third of them."""
    async with a_nursery() as nursery:
        for number, point in enumerate(("clerk: carried out, not committed", "clerk: carried out, nobody told")):
            killed, outcome = await killed_at(nursery, tmp_path / str(number), point, passage)
            assert (killed, outcome) == (True, WANTED)


async def test_a_process_that_answers_before_it_has_acted_is_found_out(tmp_path: Path) -> None:
    async with a_nursery() as nursery:
        point, protection = "clerk: found, not carried out", "answered after it is carried out"
        killed, outcome = await killed_at(nursery, tmp_path, point, 1, without=protection)
    assert killed
    assert outcome != WANTED
    assert outcome.asked == WANTED.asked, "it believes that everything was done"
