"""What rules do: addresses, notes, further destinations; waiting, review and limits."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.errors import ConfigError
from bridge.link import Sighting
from bridge.rules import Limit, Occasion, RuleFile, decide, explain, failures, load
from bridge.rules._times import next_time

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0


def rules(*written: str) -> RuleFile:
    head = "destinations: {research: {type: pocket}, backup: {type: pocket}}\nrules:\n"
    return load(head + "".join(f"  - {rule}\n" for rule in written), name="rules.yaml")


def sighting(url: str = "https://a.example/", **facts: Any) -> Sighting:
    return Sighting.of(url, source="save", **facts)


def moment(written: str, zone: ZoneInfo) -> float:
    return datetime.fromisoformat(written).replace(tzinfo=zone).timestamp()


ADDRESSES = [
    ("{host: old.reddit.example}", "https://www.reddit.example/r/x?a=1#b", "https://old.reddit.example/r/x?a=1#b"),
    ("{strip: [utm_*, share_id]}", "https://a.org/?utm_source=x&b=2&SHARE_ID=3", "https://a.org/?b=2"),
    ("{strip: '*'}", "https://a.org/x?a=1&b", "https://a.org/x"),
    ("{strip: ref}", "https://a.org/x?refer=1", ""),
    ("{host: a.org, strip: ref}", "https://A.org:8080/x?ref=1", "https://a.org:8080/x"),
    ("{host: a.org}", "https://a.org/%7Ex?", ""),
]


@pytest.mark.parametrize(("rewrite", "url", "expected"), ADDRESSES)
def test_an_address_is_rewritten_from_the_one_that_came(rewrite: str, url: str, expected: str) -> None:
    decision = decide(rules(f"{{name: a, then: {{url: {rewrite}}}}}"), sighting(url))
    assert decision.url == (expected or url)


def test_without_a_rule_for_it_an_address_stays_what_the_user_gave() -> None:
    assert decide(rules("{name: a, then: {tag: x}}"), sighting("https://a.org/?utm_source=x")).url == ""


def test_a_rule_never_sees_a_rewritten_address() -> None:
    rule_file = rules(
        "{name: a, then: {url: {host: new.example}}}", "{name: b, if: {domain: new.example}, then: {drop: true}}"
    )
    assert decide(rule_file, sighting()).url == "https://new.example/"


def test_also_adds_to_wherever_a_link_goes() -> None:
    rule_file = rules(
        "{name: a, then: {also: backup}}", "{name: b, then: {to: [research]}}", "{name: c, then: {also: [research]}}"
    )
    assert decide(rule_file, sighting()).to == ("research", "backup")
    assert decide(rules("{name: a, then: {also: backup}}"), sighting()).to == ("reading", "backup")


def test_a_note_is_a_template() -> None:
    decision = decide(rules('{name: a, then: {note: "from {domain}"}}'), sighting())
    assert decision.note == "from a.example"


def test_what_a_person_is_told_is_a_template_and_has_a_plain_form() -> None:
    rule_file = rules('{name: a, then: {notify: "new: {title}"}}', "{name: b, then: {notify: true}}")
    assert decide(rule_file, sighting(title="T")).notices == (("a", "new: T"), ("b", "T (a.example)"))


def test_a_notice_that_says_no_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="takes a reason or true"):
        rules("{name: a, then: {notify: no}}")


def test_the_last_delay_counts_and_is_named() -> None:
    decision = decide(rules("{name: a, then: {delay: 2h}}", "{name: b, then: {delay: 30m}}"), sighting())
    assert (decision.delay, decision.delayed_by) == (1800.0, "b")


def test_a_delay_until_a_time_of_the_day_is_counted_by_the_zones_clocks() -> None:
    rule_file = rules("{name: a, then: {delay: until 20:00}}")
    now = moment("2026-07-10 18:30", BERLIN)
    assert decide(rule_file, sighting(), Occasion(now=now, zone=BERLIN)).delay == 1.5 * HOUR
    assert decide(rule_file, sighting(), Occasion(now=now, zone=ZoneInfo("UTC"))).delay == 3.5 * HOUR
    assert decide(rule_file, sighting()).delay == 0.0


NIGHTS = [
    ("2026-05-03 12:00", time(20), "2026-05-03 20:00"),
    ("2026-05-03 20:00", time(20), "2026-05-04 20:00"),
    ("2026-03-28 20:00", time(20), "2026-03-29 20:00"),  # 23 hours
    ("2026-10-24 20:00", time(20), "2026-10-25 20:00"),  # 25 hours
    ("2026-03-28 12:00", time(2, 30), "2026-03-29 03:30"),  # a time that the clocks skip
    ("2026-10-24 12:00", time(2, 30), "2026-10-25 02:30"),  # the first of two
]


@pytest.mark.parametrize(("now", "at", "expected"), NIGHTS)
def test_the_next_time_of_the_day_is_right_in_nights_when_clocks_change(now: str, at: time, expected: str) -> None:
    assert next_time(moment(now, BERLIN), at, BERLIN) == moment(expected, BERLIN)


def test_where_clocks_show_a_time_twice_the_second_is_next_after_the_first() -> None:
    first = moment("2026-10-25 02:30", BERLIN)
    assert next_time(first, time(2, 30), BERLIN) == first + HOUR


def test_review_holds_with_a_reason_or_without() -> None:
    held = decide(rules("{name: a, then: {hold: review}}"), sighting())
    assert (held.held_by, held.hold, held.to) == ("a", "", ("reading",))
    assert decide(rules("{name: a, then: {hold: too long}}"), sighting()).hold == "too long"


NOW = moment("2026-05-06 18:30", BERLIN)  # a Wednesday
LIMITS = [
    ("{limit: 5/day}", Limit("a", 5, "day 2026-05-06", "wait", moment("2026-05-07 00:00", BERLIN))),
    ("{limit: 20/week, overflow: hold}", Limit("a", 20, "week 2026-05-04", "hold", moment("2026-05-11 00:00", BERLIN))),
    ("{limit: 5/day, overflow: drop}", Limit("a", 5, "day 2026-05-06", "drop", moment("2026-05-07 00:00", BERLIN))),
    (
        "{limit: 5/day, overflow: digest 20:00}",
        Limit("a", 5, "day 2026-05-06", "wait", moment("2026-05-06 20:00", BERLIN)),
    ),
    ("{limit: 1/hour}", Limit("a", 1, f"hour {NOW // HOUR:.0f}", "wait", (NOW // HOUR + 1) * HOUR)),
]


@pytest.mark.parametrize(("verbs", "expected"), LIMITS)
def test_a_limit_names_its_period_and_when_the_rest_is_due(verbs: str, expected: Limit) -> None:
    decision = decide(rules(f"{{name: a, then: {verbs}}}"), sighting(), Occasion(now=NOW, zone=BERLIN))
    assert decision.limits == (expected,)


def test_when_nobody_knows_what_time_it_is_nothing_is_limited() -> None:
    assert decide(rules("{name: a, then: {limit: 5/day}}"), sighting()).limits == ()


def test_every_verb_is_told() -> None:
    rule_file = rules(
        '{name: a, then: {tag: x, untag: y, to: backup, also: research, title: "{title}!", note: n, notify: true, '
        "url: {host: b.org, strip: [utm_*, ref]}, delay: until 20:00, limit: 5/day, overflow: digest 20:00, "
        "hold: look first, stop: true}}"
    )
    [trace] = explain(rule_file, sighting(title="T"))
    assert trace.effect == (
        "tag x; untag y; to backup; also research; title “T!”; note “n”; notify “T (a.example)”; url host b.org, without utm_*, ref; "
        "delay until 20:00; limit 5/day, overflow digest 20:00; hold (look first); stop"
    )


def test_tests_in_the_file_know_every_fact_and_every_effect() -> None:
    text = """
rules:
  - name: long
    if: {minutes: {over: 8}, lang: en, hour: 20-24, published: {after: 2026-05-01}, age: {under: 2d}}
    then: {delay: 2h, note: "by {author}", url: {strip: x}}
  - name: again
    if: {seen: {over: 2}, account: ann, type: pdf, field.points: {over: 3}}
    then: {hold: review}
tests:
  - item: {url: "https://a.org/?x=1", minutes: 9, lang: en, arrived: 2026-05-03 20:30, published: 2026-05-02, author: Ann}
    expect: {rules: long, delay: 2h, note: by Ann, url: "https://a.org/"}
  - item: {url: "https://a.org/", seen: 3, account: ann, type: pdf, field.points: 4}
    expect: {held_by: again}
  - item: {url: "https://a.org/", words: 5}
    expect: {delay: 1h, held_by: again, url: "https://b.org/"}
"""
    [told] = failures(load(text, name="rules.yaml"))
    assert told.endswith(
        "expected url https://b.org/, got https://a.org/; expected held_by again, got none; expected delay 1 h, got 0 s"
    )


CARRIED = """
feeds:
  - name: news
    url: https://news.example/rss
    rules: [{name: ads, if: {title: sponsored}, then: {drop: x}}, {name: tag, then: {tag: news}}]
hooks:
  - {name: shop, open: true, rules: [{name: tag, then: {tag: shop}}]}
rules:
  - {name: last, if: {tag: [news, shop]}, then: {tag: carried}}
"""


def test_a_feed_or_hook_may_carry_rules_that_see_its_links_alone_and_come_first() -> None:
    rule_file = load(CARRIED, name="x")
    by_feed = decide(rule_file, Sighting.of("https://a.org", source="feed", feed="news"))
    assert (by_feed.matched, by_feed.tags) == (("news: tag", "last"), ("news", "carried"))
    assert decide(rule_file, Sighting.of("https://a.org", source="hook", hook="shop")).tags == ("shop", "carried")
    assert decide(rule_file, sighting(title="sponsored")).matched == ()
    dropped = decide(rule_file, Sighting.of("https://a.org", source="feed", feed="news", title="Sponsored"))
    assert dropped.dropped_by == "news: ads"
