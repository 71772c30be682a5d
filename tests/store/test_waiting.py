"""What rules make wait: held, delayed and limited links, counted in the unit that takes them in."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bridge.intake import Intake
from bridge.link import Sighting
from bridge.ports import OWNER, Arrival, Key, Reading, Terms
from bridge.rules import load
from bridge.store.core import Store
from tests.conftest import Clock

HOUR = 3600.0


def read(group: Sequence[Arrival]) -> Reading:
    return Reading([Sighting.of(arrival.raw, source="cli") for arrival in group])


async def take(store: Store, rules: str, *urls: str) -> None:
    known = sum((await store.counts())["arrivals"].values())
    await store.put([Arrival(source="cli", key=Key("t", f"{known}-{n}"), raw=url) for n, url in enumerate(urls)])
    await Intake(store, {"cli": read}, load(f"rules: [{rules}]", name="x")).step()


async def delivery(store: Store, url: str) -> tuple[str, str, float]:
    [found] = (await store.passport(OWNER, url, url)).deliveries
    return found["state"], found["because"], found["due"]


HELD = "{name: look, if: {path: /held}, then: {hold: not sure}}"


async def test_a_held_link_waits_and_is_not_sent(store: Store) -> None:
    await take(store, HELD, "https://a.org/held")
    assert (await delivery(store, "https://a.org/held"))[:2] == ("held", "rule look: not sure")
    assert await store.lease(Terms(connection="reading", batch=10, idempotent=True)) == []


async def test_a_held_link_goes_when_it_comes_again_and_nothing_holds_it(store: Store) -> None:
    await take(store, HELD, "https://a.org/held")
    await take(store, "{name: other, then: {tag: x}}", "https://a.org/held")
    [sent] = await store.lease(Terms(connection="reading", batch=10, idempotent=True))
    assert sent.tags == ("x",)


async def test_a_delayed_link_is_due_later_and_says_why(store: Store, clock: Clock) -> None:
    await take(store, "{name: slow, then: {delay: 2h}}", "https://a.org/")
    assert await delivery(store, "https://a.org/") == ("pending", "rule slow", clock() + 2 * HOUR)
    assert await store.lease(Terms(connection="reading", batch=10, idempotent=True)) == []
    clock.move(2 * HOUR)
    assert len(await store.lease(Terms(connection="reading", batch=10, idempotent=True))) == 1


async def test_a_delayed_link_goes_at_once_when_it_comes_again_without_delay(store: Store, clock: Clock) -> None:
    await take(store, "{name: slow, then: {delay: 2h}}", "https://a.org/")
    await take(store, "{name: other, then: {tag: x}}", "https://a.org/")
    assert await delivery(store, "https://a.org/") == ("pending", "new", clock())


async def test_a_rewritten_address_is_what_is_sent_and_the_link_stays_the_one_that_came(store: Store) -> None:
    await take(store, "{name: a, then: {url: {host: new.example}}}", "https://old.example/x")
    [sent] = await store.lease(Terms(connection="reading", batch=10, idempotent=True))
    assert sent.url == "https://new.example/x"
    assert len((await store.passport(OWNER, "https://old.example/x", "")).sightings) == 1


URLS = [f"https://a.org/{number}" for number in range(4)]


@pytest.mark.parametrize(
    ("overflow", "expected"),
    [("wait", "pending"), ("digest 20:00", "pending"), ("hold", "held")],
)
async def test_what_is_over_a_limit_waits_or_is_held(store: Store, clock: Clock, overflow: str, expected: str) -> None:
    await take(store, f"{{name: few, then: {{limit: 2/day, overflow: {overflow}}}}}", *URLS)
    states = [await delivery(store, url) for url in URLS]
    assert [(state, due > clock()) for state, _, due in states[:2]] == [("pending", False)] * 2
    assert [state for state, _, _ in states[2:]] == [expected] * 2
    assert all("few" in because for _, because, _ in states[2:])
    assert len(await store.lease(Terms(connection="reading", batch=10, idempotent=True))) == 2


async def test_what_is_over_a_limit_may_be_dropped(store: Store) -> None:
    await take(store, "{name: few, then: {limit: 2/day, overflow: drop}}", *URLS)
    passport = await store.passport(OWNER, URLS[3], "")
    assert passport.deliveries == []
    assert passport.sightings[0]["reason"].startswith("rule few (over its limit of 2 for the day 20")


async def test_a_link_that_is_known_does_not_count(store: Store) -> None:
    rule = "{name: few, then: {limit: 2/day, overflow: hold}}"
    await take(store, rule, URLS[0])
    await take(store, rule, URLS[0])
    await take(store, rule, URLS[1])
    assert (await delivery(store, URLS[1]))[0] == "pending"


async def test_a_limit_begins_anew_with_its_period(store: Store, clock: Clock) -> None:
    rule = "{name: few, then: {limit: 2/hour, overflow: hold}}"
    await take(store, rule, *URLS[:3])
    clock.move(HOUR)
    await take(store, rule, URLS[3])
    assert [(await delivery(store, url))[0] for url in URLS] == ["pending", "pending", "held", "pending"]


async def test_a_rule_can_ask_how_often_a_link_was_seen(store: Store) -> None:
    rule = "{name: again, if: {seen: {over: 1}}, then: {tag: often}}"
    for _ in range(3):
        await take(store, rule, URLS[0])
    sightings = (await store.passport(OWNER, URLS[0], "")).sightings
    assert [sighting["matched"] for sighting in sightings] == [[], [], ["again"]]


DAY = 24 * HOUR
ADS = "{name: ads, if: {path: /ad*}, then: {drop: advertising}}"


async def flood(store: Store, clock: Clock, rule: str, known_days: int) -> list[str]:
    """One link a day for some days, and then thirty; the states of the thirty."""
    for day in range(known_days):
        await take(store, rule, f"https://a.org/ad{day}")
        clock.move(DAY)
    urls = [f"https://a.org/ad/{number}" for number in range(30)]
    await take(store, rule, *urls)
    return [(await store.passport(OWNER, url, "")).sightings[0]["state"] for url in urls]


async def test_a_rule_that_drops_ten_times_as_much_as_usual_holds_instead(store: Store, clock: Clock) -> None:
    states = await flood(store, clock, ADS, 10)
    assert states == ["dropped"] * 19 + ["kept"] * 11
    state, because, _ = await delivery(store, "https://a.org/ad/19")
    assert (state, because) == ("held", "rule ads: it applied 20 times today, usually 1.0")


async def test_a_rule_that_is_new_has_nothing_usual_yet(store: Store, clock: Clock) -> None:
    assert await flood(store, clock, ADS, 3) == ["dropped"] * 30


async def test_the_day_after_a_flood_is_a_day_like_any_other(store: Store, clock: Clock) -> None:
    await flood(store, clock, ADS, 10)
    clock.move(DAY)
    await take(store, ADS, "https://a.org/ad-next")
    assert (await store.passport(OWNER, "https://a.org/ad-next", "")).sightings[0]["state"] == "dropped"
