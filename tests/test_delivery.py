"""What becomes of a delivery after each outcome, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.delivery import MOST_ATTEMPTS, Dead, Delivered, Outcome, Retry, Unknown, backoff, settlement

NOW = 1000.0

TABLE: list[tuple[int, Outcome, str, int, float]] = [
    (0, Delivered("created", "7"), "delivered", 1, 0.0),
    (3, Delivered("already"), "delivered", 4, 0.0),
    (0, Dead("no such page"), "dead", 1, 0.0),
    (0, Unknown("the answer was lost"), "unknown", 1, 0.0),
    (0, Retry("busy"), "pending", 1, NOW + 1.0),
    (2, Retry("busy"), "pending", 3, NOW + 4.0),
    (0, Retry("busy", 90.0), "pending", 1, NOW + 90.0),
    (5, Retry("the service is down", burns=False), "pending", 5, NOW),
    (MOST_ATTEMPTS - 1, Retry("busy"), "dead", MOST_ATTEMPTS, 0.0),
    (MOST_ATTEMPTS, Retry("the service is down", burns=False), "pending", MOST_ATTEMPTS, NOW),
]


@pytest.mark.parametrize(("attempts", "outcome", "state", "after", "due"), TABLE)
def test_an_outcome_settles_a_delivery(attempts: int, outcome: Outcome, state: str, after: int, due: float) -> None:
    settled = settlement(attempts, outcome, now=NOW, chance=0.5)
    assert (settled.state, settled.attempts, settled.due) == (state, after, due)


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_never_negative_and_never_longer_than_six_hours(failures: int, chance: float) -> None:
    assert 0 <= backoff(failures, chance) <= 6 * 3600
