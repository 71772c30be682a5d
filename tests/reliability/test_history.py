"""The checker itself: a history that is wrong is called wrong."""

from __future__ import annotations

from pathlib import Path

from tests.reliability import history

LEASES = {"op": "lease", "phase": "ok"}
SETTLES = {"op": "settle", "phase": "ok", "state": "delivered"}


def test_what_was_acknowledged_and_is_not_there_is_lost() -> None:
    events = [
        {"op": "save", "id": "a", "phase": "invoke"},
        {"op": "save", "id": "a", "phase": "ok"},
        {"op": "save", "id": "b", "phase": "info"},
        {"op": "feed", "id": "c", "phase": "ok"},
    ]
    assert history.acknowledged(events, "save") == {"a"}
    assert history.lost(history.acknowledged(events, "save", "feed"), ["a", "b"]) == {"c"}


def test_what_took_effect_twice_is_doubled() -> None:
    assert history.doubled(["a", "b", "a", "a"]) == {"a": 3}
    assert history.doubled(["a", "b"]) == {}


def test_leases_that_follow_each_other_do_not_overlap() -> None:
    events = [
        LEASES | {"t": 0.0, "proc": 1, "id": 7, "lease": "x"},
        SETTLES | {"t": 1.0, "proc": 1, "id": 7, "lease": "x"},
        LEASES | {"t": 2.0, "proc": 1, "id": 7, "lease": "y"},
        LEASES | {"t": 2.0, "proc": 1, "id": 8, "lease": "y"},
    ]
    assert history.overlapping(events, seconds=120) == []


def test_a_lease_ends_by_running_out_or_with_its_process() -> None:
    first = LEASES | {"t": 0.0, "proc": 1, "id": 7, "lease": "x"}
    assert history.overlapping([first, first | {"t": 120.0, "lease": "y"}], seconds=120) == []
    assert history.overlapping([first, first | {"t": 1.0, "proc": 2, "lease": "y"}], seconds=120) == []


def test_two_holders_of_one_delivery_are_found() -> None:
    first = LEASES | {"t": 0.0, "proc": 1, "id": 7, "lease": "x"}
    late = SETTLES | {"t": 2.0, "proc": 1, "id": 7, "lease": "w"}
    [fault] = history.overlapping([first, late, first | {"t": 3.0, "lease": "y"}], seconds=120)
    assert fault == "delivery 7: y while x held it"


def test_a_lease_settled_twice_is_found() -> None:
    once = SETTLES | {"t": 1.0, "proc": 1, "id": 7, "lease": "x"}
    assert history.settled_twice([once, once | {"lease": "y"}]) == []
    assert history.settled_twice([once, once]) == ["delivery 7 under x: 2 times"]


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "history"
    written = history.History(file)
    written("save", "a", "ok")
    written.close()
    with file.open("a", encoding="utf-8") as cut:
        cut.write('{"op": "sa')
    assert [event["id"] for event in history.read(file)] == ["a"]
