"""What somebody asks of the bot is done once in effect, wherever the process was killed on the way."""

from __future__ import annotations

from pathlib import Path

from tests.reliability.nursery import a_nursery
from tests.reliability.points import REQUEST_POINTS
from tests.reliability.requests import WANTED, killed_at, prepared

# Between the change and its answer, for the second and for the third of three requests at once.
LATER = [(point, passage) for point in REQUEST_POINTS if "carried out," in point for passage in (2, 3)]


async def test_requests_are_carried_out_once_after_a_kill_at_every_point_of_their_way(tmp_path: Path) -> None:
    async with a_nursery() as nursery:
        await prepared(nursery, tmp_path)
        for point, passage in [*((point, 1) for point in REQUEST_POINTS), *LATER]:
            folder = tmp_path / f"{point} {passage}"
            killed, outcome = await killed_at(nursery, tmp_path, folder, point, passage)
            log = (folder / "log").read_text("utf-8", "replace")[-3000:]
            assert killed, f"nothing passed “{point}” {passage} times\n{log}"
            assert outcome == WANTED, f"killed at passage {passage} of “{point}”\n{log}"


async def test_a_process_that_answers_before_it_has_acted_is_found_out(tmp_path: Path) -> None:
    async with a_nursery() as nursery:
        await prepared(nursery, tmp_path)
        point, protection = "clerk: answered, nobody told", "answered after it is carried out"
        killed, outcome = await killed_at(nursery, tmp_path, tmp_path / "chat", point, 1, without=protection)
    assert killed
    assert outcome != WANTED
    assert outcome.asked == WANTED.asked, "it believes that everything was done"
