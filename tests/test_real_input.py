"""Real documents, updates and requests: nothing is lost, doubled, or read in a way nobody can explain."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.real_input._case import Case, Difference, Door, Wanted
from tests.real_input._report import lines
from tests.real_input._run import run

A, B = "https://a.example/", "https://b.example/"


async def test_a_real_process_given_real_input_loses_doubles_and_invents_nothing(corpus: Path, tmp_path: Path) -> None:
    result = await run(corpus, tmp_path, every=20)
    print("\n".join(lines(result)))
    assert result.unexplained == []
    assert list(result.strangers) == []
    assert list(result.complaints) == []
    assert result.balances
    assert not any(result.waiting.values()), result.waiting
    feeds, telegram, webhooks = result.doors
    assert feeds.once.total() > 50
    assert telegram.once["stated"] > 100
    assert webhooks.once["stated"] > 20


def compared(wanted: list[str], found: list[str], listed: dict[str, int], reason: str = "") -> Door:
    links = [link for url in wanted if (link := Wanted.any_of([url], stated=True))]
    door = Door("feeds", "one document")
    door.cases.append(Case(name="document", wanted=links, explain=lambda _wanted, _found: reason))
    door.found["document"] = found
    door.compare(Counter(listed))
    return door


def test_what_arrived_and_is_listed_once_is_no_difference() -> None:
    door = compared([A, B], [B, f"{A}#part", A], {A: 1, B: 1})
    assert door.differences == []
    assert door.once["stated"] == 2


@pytest.mark.parametrize(
    ("found", "listed", "difference"),
    [
        ([], {A: 1}, Difference("document", "missing", A, "", "", stated=True)),
        ([A, B], {A: 1, B: 1}, Difference("document", "extra", "", B, "")),
        ([B], {A: 1, B: 1}, Difference("document", "wrong", A, B, "", stated=True)),
        ([A], {}, Difference("document", "not once", A, "0 times on the list", "")),
        ([A], {A: 2}, Difference("document", "not once", A, "2 times on the list", "")),
    ],
)
def test_what_is_lost_doubled_or_invented_is_found(
    found: list[str], listed: dict[str, int], difference: Difference
) -> None:
    assert compared([A], found, listed).unexplained == [difference]


def test_a_reason_explains_another_link_but_never_one_that_is_not_listed() -> None:
    assert compared([A], [B], {B: 1}, "decided").unexplained == []
    assert [one.kind for one in compared([A], [B], {}, "decided").unexplained] == ["not once"]
