"""What headers of any service mean, and what budgets make of them."""

from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.budget import (
    MARGIN,
    Budget,
    Heard,
    Said,
    answered,
    at,
    at_fault,
    blocked,
    earliest,
    promise,
    read,
    scope,
    turn,
    used_up_until,
    wait_in,
    without,
)

NOW = 1_790_000_000.0
DAY = 86_400.0


def said(headers: dict[str, str], kind: str = "") -> Said | None:
    return read(headers, now=NOW).said.get(kind)


DIALECTS = [
    (
        {"X-RateLimit-Limit": "120", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "30"},
        Said(120, 7, 30.0, None),
    ),
    (
        {"X-RateLimit-Remaining": "7", "X-RateLimit-Reset": str(int(NOW) + 30)},
        Said(None, 7, 30.0, None),
    ),
    (
        {"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "50", "RateLimit-Reset": "20"},
        Said(100, 50, 20.0, 60.0),
    ),
    ({"RateLimit": '"h";r=50;t=30', "RateLimit-Policy": '"h";q=100;w=60'}, Said(100, 50, 30.0, 60.0)),
    (
        {"RateLimit": '"min";r=9;t=3, "day";r=4;t=900', "RateLimit-Policy": '"min";q=10;w=60, "day";q=50;w=86400'},
        Said(50, 4, 900.0, 86400.0),
    ),
    ({"RateLimit": "default;r=0;t=5"}, Said(None, 0, 5.0, None)),
    # Negative is nothing, and nobody waits for longer than a day.
    ({"X-RateLimit-Remaining": "-4", "X-RateLimit-Reset": "-9"}, Said(None, 0, 0.0, None)),
    ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "999999999"}, Said(None, 1, DAY, None)),
]


@pytest.mark.parametrize(("headers", "meant"), DIALECTS)
def test_a_dialect_is_understood(headers: dict[str, str], meant: Said) -> None:
    assert said(headers) == meant
    assert said({name.upper(): value for name, value in headers.items()}) == meant


def test_pockets_headers_speak_of_the_user_and_of_the_key() -> None:
    headers = {"X-Limit-User-Limit": "320", "X-Limit-User-Remaining": "0", "X-Limit-User-Reset": "90"}
    headers |= {"X-Limit-Key-Limit": "10000", "X-Limit-Key-Remaining": "9", "X-Limit-Key-Reset": "90"}
    assert said(headers, "user") == Said(320, 0, 90.0, 3600.0)
    assert said(headers, "key") == Said(10_000, 9, 90.0, 3600.0)


@pytest.mark.parametrize("off", [-3600.0, 3600.0])
def test_a_servers_clock_may_be_off_by_an_hour(off: float) -> None:
    server = NOW + off
    date = {"Date": formatdate(server, usegmt=True)}
    epoch = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(server) + 30)}
    assert said(date | epoch) == Said(None, 0, 30.0, None)
    assert read(date | {"Retry-After": formatdate(server + 120, usegmt=True)}, now=NOW).wait == 120.0


@pytest.mark.parametrize("malformed", ["", "soon", "1e9", "12.5", "١٢", '"h";r=x;t=1', ";;;r=", "r=1,,", "9" * 400])
@pytest.mark.parametrize("name", ["RateLimit", "X-RateLimit-Remaining", "X-Limit-User-Remaining", "Retry-After"])
def test_what_is_malformed_counts_as_not_said(name: str, malformed: str) -> None:
    heard = read({name: malformed}, now=NOW)
    assert heard == Heard()


@given(
    st.dictionaries(
        st.sampled_from(
            "Date Retry-After RateLimit RateLimit-Policy RateLimit-Limit RateLimit-Remaining RateLimit-Reset"
            " X-RateLimit-Limit X-RateLimit-Remaining X-RateLimit-Reset X-Limit-User-Remaining X-Limit-Key-Reset".split()
        ),
        st.text(max_size=30) | st.integers().map(str) | st.from_regex(r"\A(\"[a-z]\";[rtqw]=-?[0-9]{0,4}[,;]?){0,3}\Z"),
    )
)
def test_no_header_does_harm(headers: dict[str, str]) -> None:
    heard = read(headers, now=NOW)
    assert heard.wait is None or 0 <= heard.wait <= DAY
    for one in heard.said.values():
        assert one.remaining is not None
        assert one.remaining >= 0
        assert one.reset is None or 0 <= one.reset <= DAY


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Rate limit exceeded. Try again in 58 seconds.", 58.0),
        ("retry after 2 minutes", 120.0),
        ("please wait 1.5 h", 5400.0),
        ("Too Many Requests: retry after 250 ms", 0.25),
        ("wait for 9999999 hours", DAY),
        ("too many requests", None),
        ("only 10 links in a call", None),
    ],
)
def test_words_may_name_the_wait(words: str, seconds: float | None) -> None:
    assert wait_in(words) == seconds


def test_a_scope_is_the_same_for_the_same_key_and_tells_nothing_of_it() -> None:
    assert scope("key", "a.example", "secret") == scope("key", "a.example", "secret")
    assert scope("key", "a.example", "secret") != scope("key", "b.example", "secret")
    assert "secret" not in scope("key", "a.example", "secret")


# -- budgets ---------------------------------------------------------------------------------------------------------


def a_budget(remaining: int = 10, most: int = 10, *, resets: float = NOW + 100, name: str = "user:x") -> Budget:
    return Budget(name, most=most, remaining=remaining, resets=resets, lasts=100.0, noted=NOW)


def test_calls_are_spread_over_what_is_left_of_the_window() -> None:
    budget, moments = a_budget(), []
    for _ in range(10):
        moment = earliest(budget, NOW, by_hand=False, reserve=0.0)
        budget = promise(budget, moment, turn=moment, reserve=0.0)
        moments.append(moment - NOW)
    assert moments == pytest.approx([number * (100 - MARGIN) / 10 for number in range(10)])
    assert earliest(budget, NOW, by_hand=False, reserve=0.0) == NOW + 100 + MARGIN


def test_a_tenth_is_kept_for_what_is_sent_by_hand() -> None:
    budget = a_budget(remaining=1)
    assert earliest(budget, NOW, by_hand=False, reserve=0.1) == NOW + 100 + MARGIN
    assert earliest(budget, NOW, by_hand=True, reserve=0.1) == NOW


def test_a_new_window_is_free_again() -> None:
    budget = at(a_budget(remaining=0), NOW + 100 + MARGIN)
    assert (budget.remaining, budget.resets) == (10, NOW + 200)


def test_headers_correct_downward_and_never_upward() -> None:
    heard = Heard({"": Said(10, 3, 100.0, 100.0)})
    assert answered(a_budget(remaining=8), heard, NOW).remaining == 3
    assert answered(a_budget(remaining=2), heard, NOW).remaining == 2


def test_what_is_promised_is_not_promised_twice() -> None:
    budget = promise(a_budget(remaining=5), NOW, turn=None, reserve=0.0)
    budget = promise(budget, NOW + 1, turn=None, reserve=0.0)
    # The server has not seen the second call yet when it answers the first.
    heard = Heard({"": Said(10, 3, 100.0, 100.0)})
    assert answered(without(budget, NOW), heard, NOW).remaining == 2


def test_a_clock_that_was_set_back_makes_no_wait_longer() -> None:
    budget = at(a_budget(remaining=0), NOW - 2 * DAY)
    assert earliest(budget, NOW - 2 * DAY, by_hand=False, reserve=0.0) == NOW - 2 * DAY + 100 + MARGIN


def test_a_limit_of_the_key_is_not_the_users_fault() -> None:
    user, key = a_budget(name="user:x"), a_budget(name="key:x")
    heard = Heard({"user": Said(10, 5, 9.0), "key": Said(10, 0, 9.0)})
    assert at_fault([user, key], heard) == ["key:x"]
    assert at_fault([user, key], Heard()) == ["user:x"]


def test_a_turn_that_was_promised_is_kept_and_a_block_takes_it_back() -> None:
    user = a_budget()
    first = turn([user], None, NOW, by_hand=False, reserve=0.0)
    second = turn([without(first.budgets[0], NOW)], None, NOW, by_hand=False, reserve=0.0)
    assert (first.moment, second.moment, second.kept) == (NOW, NOW + 9.9, NOW + 9.9)
    assert turn(second.budgets, second.kept, NOW + 10, by_hand=False, reserve=0.0).moment == NOW + 10
    shut = [blocked(second.budgets[0], NOW + 50)]
    assert turn(shut, second.kept, NOW + 10, by_hand=False, reserve=0.0).moment >= NOW + 50


def test_a_user_without_calls_does_not_end_the_window_of_the_key() -> None:
    user = a_budget(remaining=0, resets=NOW + 500)
    key = a_budget(name="key:x", remaining=50, most=50)
    waits = turn([user, key], None, NOW, by_hand=False, reserve=0.0)
    assert (waits.moment, waits.kept) == (NOW + 500 + MARGIN, None)
    assert waits.budgets[1].remaining == 50


@given(
    st.lists(st.tuples(st.sampled_from(["by turn", "by hand", "nothing"]), st.integers(0, 30)), max_size=80),
    st.sampled_from([0.0, 0.1]),
)
def test_never_more_calls_than_the_window_allows(steps: list[tuple[str, int]], reserve: float) -> None:
    """A service that counts in fixed windows of 100 s, ten calls each, asked at any time."""
    begins, used, now = NOW, 0, NOW
    budget, kept = Budget("user:x"), list[float]()
    for what, seconds in steps:
        now += seconds
        if now >= begins + 100:
            begins, used = begins + (now - begins) // 100 * 100, 0
        if what == "nothing":
            continue
        found = turn([budget], kept[0] if kept else None, now, by_hand=what == "by hand", reserve=reserve)
        [budget], kept = found.budgets, [found.kept] if found.kept is not None and found.kept > now else []
        budget = replace(budget, promised=tuple(kept))
        if found.moment <= now:
            assert used < 10
            used += 1
            heard = Heard({"": Said(10, 10 - used, begins + 100 - now, 100.0)})
            budget = answered(budget, heard, now)


def test_a_limit_is_used_up_until_the_last_of_its_scopes_has_something_again() -> None:
    def told(
        scope: str, *, left: int = 0, resets: float = 0.0, blocked: float = 0.0, limit: int = 320
    ) -> dict[str, Any]:
        return {"scope": scope, "limit": limit, "left": left, "resets": resets, "blocked": blocked}

    scopes = ("user:a", "key:a")
    assert used_up_until([], scopes, 10.0) == 0.0
    assert used_up_until([told("user:a", resets=90.0), told("key:a", left=3, resets=500.0)], scopes, 10.0) == 90.0
    assert used_up_until([told("user:a", resets=90.0), told("key:a", left=3, blocked=99.0)], scopes, 10.0) == 99.0
    assert used_up_until([told("user:a", resets=9.0), told("user:b", resets=90.0)], scopes, 10.0) == 0.0
    assert used_up_until([told("user:a", limit=0, resets=90.0)], scopes, 10.0) == 0.0
