"""What was acknowledged is on the disk: the power may go at any moment of a real run."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from tests.reliability import disk, power, traces
from tests.reliability.traces import Change, Said

STATES = 400
SEED = random.randrange(2**32)


@pytest.fixture
def tracer() -> None:
    """Skips where nothing can be traced; CI has installed what it takes, and fails instead."""
    if why := traces.why_not():
        assert not os.environ.get("CI"), why
        pytest.skip(f"no power cuts: {why}")


@pytest.mark.usefixtures("tracer")
async def test_nothing_acknowledged_is_lost_corrupt_or_half_done_when_the_power_goes(tmp_path: Path) -> None:
    recorded, result = await power.prove(tmp_path, seed=SEED, states=STATES, boots=2)
    print(result)
    assert not result.failures, f"{result}\n{result.failures}"
    assert power.replayed(recorded.steps) == recorded.final, "the trace does not tell all that happened to the files"
    for door, urls in recorded.outside.items():
        assert urls, f"{door} was not fed"
        assert urls <= recorded.acknowledged[door], f"acknowledgements of {door} are not in the trace"
    assert result.states > STATES / 2
    assert result.unsynced > STATES / 4
    assert min(result.kinds[kind] for kind in ("dropped", "kept", "mixed", "torn")) > 0
    assert result.booted == 2


@pytest.mark.usefixtures("tracer")
async def test_a_store_that_does_not_wait_for_the_disk_is_found_out(tmp_path: Path) -> None:
    _, result = await power.prove(tmp_path, seed=SEED, states=STATES // 4, without="synchronous=FULL")
    print(result)
    assert result.lost, result


@pytest.mark.usefixtures("tracer")
async def test_a_cursor_that_moves_in_a_unit_of_its_own_is_found_out(tmp_path: Path) -> None:
    without = "arrival and cursor in one unit"
    recorded, result = await power.prove(tmp_path, seed=SEED, states=STATES // 2, without=without)
    # Between the two units lie few of all states: more are looked at until one of them is met.
    for more in range(1, 10):
        if not result.halves:
            result, _ = await asyncio.to_thread(power.examine, recorded, seed=SEED + more, states=STATES)
    print(result)
    assert result.halves, result


# -- the tools ---------------------------------------------------------------------------------------------------------

LOG = r"""
41  openat(AT_FDCWD<\x2f\x64>, "\x2f\x64\x2f\x61", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = 3<\x2f\x64\x2f\x61>
41  pwrite64(3<\x2f\x64\x2f\x61>, "\x68\x69", 2, 4096) = 2
41  pwrite64(9<\x2f\x64\x2f\x62>, "\x6e\x6f", 2, 0) = 2
41  fdatasync(3<\x2f\x64\x2f\x61> <unfinished ...>
42  sendto(7<\x73\x6f\x63>, "\x6f\x6b", 2, 0, NULL, 0 <unfinished ...>
41  <... fdatasync resumed>)            = 0
42  <... sendto resumed>)               = 2
42  write(7<\x73\x6f\x63\x6b\x65\x74\x3a\x5b\x38\x5d>, "\x6f\x6b", 2) = 2
42  write(1<\x2f\x6c>, "\x6e\x6f", 2) = 2
41  ftruncate(3<\x2f\x64\x2f\x61>, 512) = 0
41  unlink("\x2f\x64\x2f\x61") = -1 ENOENT (No such file or directory)
41  fsync(4<\x2f\x64>) = 0
"""


def test_a_trace_is_read_in_the_order_in_which_things_were_certain(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG)
    assert list(traces.read(tmp_path / "log", Path("/d"), ["a"])) == [
        Change("create", "a"),
        Change("write", "a", 4096, b"hi"),
        Said(b"ok"),
        Change("sync", "a"),
        Said(b"ok"),
        Change("cut", "a", 512),
        Change("sync folder"),
    ]


def test_a_trace_that_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('41  pwritev(3</d/a>, [{iov_base="\\x68", iov_len=1}], 1, 0) = 1\n')
    with pytest.raises(ValueError, match="nothing that can be replayed"):
        list(traces.read(tmp_path / "log", Path("/d"), ["a"]))


def after(*changes: Change) -> disk.Disk:
    written = disk.Disk()
    for change in changes:
        written.take(change)
    return written


SYNCED = (Change("create", "a"), Change("write", "a", 0, b"old"), Change("sync", "a"), Change("sync folder"))


def test_what_was_synced_stays_and_what_was_not_may_go() -> None:
    written = after(*SYNCED, Change("write", "a", 0, b"new"), Change("write", "a", 4, b"!"))
    assert written.image(disk.nothing) == {"a": b"old"}
    assert written.image(disk.everything) == {"a": b"new\x00!"}
    mixtures = {written.image(disk.some(random.Random(seed)))["a"] for seed in range(100)}
    assert mixtures == {b"old", b"new", b"old\x00!", b"new\x00!"}


def test_a_name_that_was_not_synced_may_be_gone() -> None:
    written = after(Change("create", "a"), Change("write", "a", 0, b"x"), Change("sync", "a"))
    assert written.image(disk.nothing) == {}
    written.take(Change("sync folder"))
    assert written.image(disk.nothing) == {"a": b"x"}


def test_a_removal_that_was_not_synced_may_be_undone() -> None:
    written = after(*SYNCED, Change("remove", "a"))
    assert written.image(disk.nothing) == {"a": b"old"}
    assert written.image(disk.everything) == {}
    written.take(Change("sync folder"))
    assert written.image(disk.nothing) == {}


def test_a_file_made_anew_holds_nothing_of_the_old_one() -> None:
    written = after(*SYNCED, Change("remove", "a"), Change("create", "a"), Change("write", "a", 1, b"x"))
    assert written.image(disk.everything) == {"a": b"\x00x"}


def test_a_write_is_torn_at_sectors() -> None:
    written = after(*SYNCED, Change("write", "a", 0, b"n" * 1024))
    torn = {written.image(disk.torn(random.Random(seed)))["a"] for seed in range(50)}
    assert torn == {b"old", b"n" * 512, b"old" + b"\x00" * 509 + b"n" * 512, b"n" * 1024}


def test_a_file_that_is_cut_may_be_as_long_as_before() -> None:
    written = after(*SYNCED, Change("cut", "a", 1))
    assert written.image(disk.nothing) == {"a": b"old"}
    assert written.image(disk.everything) == {"a": b"o"}
