"""Headers of any answer, read without ever failing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.pocket import Limits, Quota
from bridge.pocket.limits import LONGEST_WAIT

NOW = 1_790_000_000.0
DATE = "Mon, 21 Sep 2026 14:13:20 GMT"  # NOW, as HTTP writes it
AN_HOUR_AHEAD = "Mon, 21 Sep 2026 15:13:20 GMT"


def test_all_headers_of_an_answer_are_read() -> None:
    limits = Limits.of(
        {
            "X-Limit-User-Limit": "320",
            "X-Limit-User-Remaining": "17",
            "X-Limit-User-Reset": "1200",
            "x-limit-key-limit": "10000",
            "X-Limit-Key-Remaining": "0",
            "X-Limit-Key-Reset": "30",
            "X-Error": "Caf\\u00e9 closed",
            "X-Error-Code": "5",
            "Status": "403 Forbidden",
        },
        now=NOW,
    )

    assert limits == Limits(
        user=Quota(320, 17, 1200.0),
        key=Quota(10000, 0, 30.0),
        error="Café closed",
        code=5,
        status="403 Forbidden",
    )
    assert limits.exhausted
    assert limits.wait == 30.0


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "-7"}, 0.0),
        ({"Retry-After": "99999999"}, LONGEST_WAIT),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": AN_HOUR_AHEAD}, 3600.0),
        ({"Retry-After": AN_HOUR_AHEAD, "Date": DATE}, 3600.0),
        ({"Retry-After": AN_HOUR_AHEAD, "Date": AN_HOUR_AHEAD}, 0.0),
        ({"Retry-After": DATE, "Date": AN_HOUR_AHEAD}, 0.0),
        ({"Retry-After": "7", "X-Limit-User-Remaining": "0", "X-Limit-User-Reset": "90"}, 7.0),
        ({"X-Limit-User-Remaining": "0", "X-Limit-User-Reset": "90"}, 90.0),
        ({"X-Limit-User-Remaining": "5", "X-Limit-User-Reset": "90"}, None),
        ({"X-Limit-User-Remaining": "0", "X-Limit-User-Reset": str(int(NOW) + 60)}, 60.0),
        (
            {
                "X-Limit-User-Remaining": "0",
                "X-Limit-User-Reset": "90",
                "X-Limit-Key-Remaining": "0",
                "X-Limit-Key-Reset": "100",
            },
            100.0,
        ),
        ({"X-Limit-User-Remaining": "0", "X-Limit-User-Reset": "x"}, None),
    ],
)
def test_the_wait_is_what_the_server_asks_for(headers: dict[str, str], wait: float | None) -> None:
    assert Limits.of(headers, now=NOW).wait == wait


NAMES = st.sampled_from(
    "Date Retry-After X-Limit-User-Remaining X-Limit-User-Reset X-Limit-Key-Limit X-Error X-Error-Code Status".split()
)
VALUES = st.text(max_size=30) | st.integers().map(str) | st.just(DATE) | st.just("Mon, 99 Sep 99999 14:13:20 +9999")


@given(st.dictionaries(NAMES, VALUES))
def test_no_header_makes_reading_fail_and_no_wait_is_unbounded(headers: dict[str, str]) -> None:
    wait = Limits.of(headers, now=NOW).wait

    assert wait is None or 0.0 <= wait <= LONGEST_WAIT
