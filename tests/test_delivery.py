"""What becomes of a delivery after each outcome, as a table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.delivery import (
    BEGINNINGS,
    MOST_ATTEMPTS,
    MOVES,
    STATES,
    Dead,
    Delivered,
    Event,
    Outcome,
    Retry,
    State,
    Unknown,
    after,
    backoff,
    ran_out,
    settlement,
)

NOW = 1000.0

TABLE: list[tuple[int, Outcome, str, int, float]] = [
    (0, Delivered("created", "7"), "delivered", 1, 0.0),
    (3, Delivered("already"), "delivered", 4, 0.0),
    (0, Dead("no such page"), "dead", 1, 0.0),
    (0, Unknown("the answer was lost"), "unknown", 1, NOW + 1.0),
    (0, Retry("busy"), "pending", 1, NOW + 1.0),
    (2, Retry("busy"), "pending", 3, NOW + 4.0),
    (0, Retry("busy", 90.0), "pending", 1, NOW + 90.0),
    (5, Retry("the service is down", burns=False), "pending", 5, NOW),
    (MOST_ATTEMPTS - 1, Retry("busy"), "dead", MOST_ATTEMPTS, 0.0),
    (MOST_ATTEMPTS, Retry("the service is down", burns=False), "pending", MOST_ATTEMPTS, NOW),
]


@pytest.mark.parametrize(("attempts", "outcome", "state", "tries", "due"), TABLE)
def test_an_outcome_settles_a_delivery(attempts: int, outcome: Outcome, state: str, tries: int, due: float) -> None:
    settled = settlement(attempts, outcome, now=NOW, chance=0.5)
    assert (settled.state, settled.attempts, settled.due) == (state, tries, due)


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_never_negative_and_never_longer_than_six_hours(failures: int, chance: float) -> None:
    assert 0 <= backoff(failures, chance) <= 6 * 3600


PAGE = (Path(__file__).parents[1] / "docs" / "sending.md").read_text("utf-8")


def test_the_page_of_the_states_shows_what_the_code_does() -> None:
    rows = re.findall(r"^\| ([a-z ]+) \| ([a-z, ]+) \| ([a-z]+) \| .+ \|$", PAGE, re.MULTILINE)
    shown = {event: (tuple(before.split(", ")), then) for event, before, then in rows if event in set(Event)}
    assert shown == {str(event): move for event, move in MOVES.items()}


def test_the_page_of_the_states_shows_all_of_them() -> None:
    assert sorted(re.findall(r"^\| `([a-z]+)` \|", PAGE, re.MULTILINE)) == sorted(STATES)


def test_no_state_is_out_of_reach() -> None:
    reached = set[State](BEGINNINGS)
    for _ in STATES:
        reached |= {then for before, then in MOVES.values() if reached & set(before)}
    assert reached == set(STATES)


@pytest.mark.parametrize("state", STATES)
def test_every_state_leads_to_delivered_in_some_way(state: State) -> None:
    reached = {state}
    for _ in STATES:
        reached |= {after(one, event) for one in reached for event in Event}
    assert "delivered" in reached


@pytest.mark.parametrize("event", [event for event, (before, _) in MOVES.items() if before == ("leased",)])
@pytest.mark.parametrize("state", [state for state in STATES if state != "leased"])
def test_an_outcome_concerns_nothing_but_what_is_leased(state: State, event: Event) -> None:
    assert after(state, event) == state


def test_only_what_waits_or_is_unknown_is_ever_leased() -> None:
    assert {before for event, (states, then) in MOVES.items() if then == "leased" for before in states} == {
        "pending",
        "unknown",
    }


def test_a_lease_that_ran_out_is_sent_again_only_where_that_is_harmless() -> None:
    assert [after("leased", ran_out(harmless=harmless)) for harmless in (True, False)] == ["pending", "unknown"]
