"""Conditions on amounts, times, pages and fields; blocks in blocks; and facts that nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.link import Sighting
from bridge.rules import NOWHERE, Occasion, RuleFile, decide, explain, load

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 5, 3, 12, 0, tzinfo=UTC).timestamp()
DAY = 86400.0


def rule(conditions: str) -> RuleFile:
    return load(f"rules: [{{name: it, if: {conditions}, then: {{tag: hit}}}}]", name="x")


def sighting(url: str = "https://a.example/", *, source: str = "save", **facts: Any) -> Sighting:
    return Sighting.of(url, source=source, **facts)


def at(moment: str, zone: tzinfo = UTC) -> Occasion:
    """It comes in at this moment of UTC."""
    return Occasion(now=datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp(), zone=zone)


def page(**facts: Any) -> Occasion:
    return Occasion(**facts)


YES, NO, UNKNOWN = True, False, None

CONDITIONS = [
    # path: without host and parameters, as people read it
    ("{path: /r/*}", sighting("https://a.org/r/python?x=/s/"), NOWHERE, YES),
    ("{path: /r/*}", sighting("https://a.org/x/r/y"), NOWHERE, NO),
    ("{path: /münchen}", sighting("https://a.org/m%C3%BCnchen"), NOWHERE, YES),
    ('{path: "*.PDF"}', sighting("https://a.org/a.pdf?download=1"), NOWHERE, YES),
    # regular expressions: asked for, found anywhere, all scripts
    (r"{title: {regex: '\bbest .* deals?\b'}}", sighting(title="The BEST phone deals"), NOWHERE, YES),
    (r"{title: {regex: '\bdeal\b'}}", sighting(title="ideals"), NOWHERE, NO),
    (r"{title: {regex: '^\w+$'}}", sighting(title="straßenbahn"), NOWHERE, YES),
    (r"{title: {regex: '^[\w-]+$'}}", sighting(title="кино-зал"), NOWHERE, YES),
    (r"{title: {regex: '\W'}}", sighting(title="éé"), NOWHERE, NO),
    ("{title: {regex: '(?-i)ABC'}}", sighting(title="abc"), NOWHERE, NO),
    ("{url: {regex: '/[0-9]{4}/'}}", sighting("https://a.org/2024/x"), NOWHERE, YES),
    ("{path: {regex: '^/[a-z]+$'}}", sighting("https://a.org/abc?1"), NOWHERE, YES),
    ("{text: [kobo, {regex: 'k[io]ndle'}]}", sighting(note="Kondle"), NOWHERE, YES),
    ("{text: {regex: 'one.*two'}}", sighting(title="one", note="two"), NOWHERE, NO),
    # who
    ("{author: ann}", sighting(author="Ann Other"), NOWHERE, YES),
    ("{author: ann}", sighting(author="Joanna"), NOWHERE, NO),
    ("{account: me}", sighting(), page(account="me"), YES),
    ("{account: [ann, ben]}", sighting(), page(account="me"), NO),
    # the page
    ("{lang: en}", sighting(), page(lang="en-GB"), YES),
    ("{lang: en-gb}", sighting(), page(lang="en_GB"), YES),
    ("{lang: en-gb}", sighting(), page(lang="en"), NO),
    ("{lang: [de, fr]}", sighting(), NOWHERE, UNKNOWN),
    ("{type: pdf}", sighting("https://a.org/x.PDF?y"), NOWHERE, YES),
    ("{type: video}", sighting("https://a.org/watch"), page(type="video"), YES),
    ("{type: video}", sighting("https://a.org/watch"), NOWHERE, UNKNOWN),
    ("{words: {over: 1000}}", sighting(), page(words=1001), YES),
    ("{words: {over: 1000}}", sighting(), page(words=1000), NO),
    ("{minutes: {over: 8}}", sighting(), page(words=230 * 8), NO),
    ("{minutes: {over: 8}}", sighting(), page(words=230 * 8 + 1), YES),
    ("{minutes: {over: 2, under: 9}}", sighting(), page(words=230 * 9), NO),
    ("{minutes: 3}", sighting(), page(words=600), YES),
    ("{minutes: {over: 8}}", sighting(), NOWHERE, UNKNOWN),
    # times
    ("{age: {over: 30d}}", sighting(at=NOON - 31 * DAY), page(now=NOON), YES),
    ("{age: {under: 2h}}", sighting(at=NOON - 7201), page(now=NOON), NO),
    ("{age: {under: 2h}}", sighting(), page(now=NOON), UNKNOWN),
    ("{published: {after: 2026-05-03}}", sighting(at=NOON), NOWHERE, YES),
    ("{published: {before: 2026-05-03}}", sighting(at=NOON), NOWHERE, NO),
    ("{published: {after: 2026-05-01, before: 2026-06-01}}", sighting(at=NOON), NOWHERE, YES),
    ("{published: {after: 2026-05-01}}", sighting(), NOWHERE, UNKNOWN),
    ("{published: {before: 2026-05-04}}", sighting(at=NOON + 10.5 * 3600), page(zone=BERLIN), NO),
    ("{hour: 9-17}", sighting(), at("2026-05-03 09:00"), YES),
    ("{hour: 9-17}", sighting(), at("2026-05-03 17:00"), NO),
    ("{hour: 22-6}", sighting(), at("2026-05-03 05:59"), YES),
    ("{hour: [6-8, 20:30-24]}", sighting(), at("2026-05-03 23:59"), YES),
    ("{hour: 9-17}", sighting(), NOWHERE, UNKNOWN),
    # clocks in Berlin: an hour ahead in winter, two in summer; the night they change on 29 March and 25 October
    ("{hour: 9-10}", sighting(), at("2026-01-10 08:30", BERLIN), YES),
    ("{hour: 9-10}", sighting(), at("2026-07-10 07:30", BERLIN), YES),
    ("{hour: 2-3}", sighting(), at("2026-03-29 00:59", BERLIN), NO),
    ("{hour: 3-4}", sighting(), at("2026-03-29 01:00", BERLIN), YES),
    ("{hour: 2-3}", sighting(), at("2026-10-25 00:30", BERLIN), YES),
    ("{hour: 2-3}", sighting(), at("2026-10-25 01:30", BERLIN), YES),
    ("{hour: 3-4}", sighting(), at("2026-10-25 02:00", BERLIN), YES),
    ("{seen: {over: 0}}", sighting(), page(seen=1), YES),
    ("{seen: 0}", sighting(), page(seen=0), YES),
    ("{seen: {over: 0}}", sighting(), NOWHERE, UNKNOWN),
    # what is there
    ("{has: title}", sighting(title="x"), NOWHERE, YES),
    ("{has: [note, author]}", sighting(author="x"), NOWHERE, YES),
    ("{has: date}", sighting(), NOWHERE, NO),
    ("{has: image}", sighting(), page(image=False), NO),
    ("{has: image}", sighting(), NOWHERE, UNKNOWN),
    ("{has: [title, image]}", sighting(title="x"), NOWHERE, YES),
    # fields of hooks
    ("{field.points: {over: 150}}", sighting(fields={"points": 151}), NOWHERE, YES),
    ("{field.points: {over: 150}}", sighting(fields={"points": " 200 "}), NOWHERE, YES),
    ("{field.points: {over: 150}}", sighting(fields={"points": "many"}), NOWHERE, UNKNOWN),
    ("{field.points: {over: 150}}", sighting(), NOWHERE, UNKNOWN),
    ("{field.entry.kind: release}", sighting(fields={"entry": {"kind": "A release"}}), NOWHERE, YES),
    ("{field.entry.kind: release}", sighting(fields={"entry.kind": ["beta", "release"]}), NOWHERE, YES),
    ("{field.kind: {regex: '^rel'}}", sighting(fields={"kind": "release"}), NOWHERE, YES),
    ("{field.kind: [a, b]}", sighting(fields={"kind": "c"}), NOWHERE, NO),
    ("{field.kind: a}", sighting(), NOWHERE, UNKNOWN),
    ("{field.draft: true}", sighting(fields={"draft": True}), NOWHERE, YES),
    # blocks in blocks
    ("{any: [{title: a}, {author: b, tag: c}]}", sighting(author="b", tags=["c"]), NOWHERE, YES),
    ("{any: [{title: a}, {author: b, tag: c}]}", sighting(author="b"), NOWHERE, NO),
    ("{any: [{minutes: {over: 8}}, {tag: c}]}", sighting(tags=["c"]), NOWHERE, YES),
    ("{any: [{minutes: {over: 8}}, {tag: c}]}", sighting(), NOWHERE, UNKNOWN),
    ("{not: {title: a}}", sighting(title="b"), NOWHERE, YES),
    ("{not: {title: a, tag: c}}", sighting(title="a"), NOWHERE, YES),
    ("{not: [{title: a}, {tag: c}]}", sighting(title="a"), NOWHERE, NO),
    ("{not: {not: {title: a}}}", sighting(title="a"), NOWHERE, YES),
    ("{not: {minutes: {over: 8}}}", sighting(), NOWHERE, UNKNOWN),
    ("{not: {minutes: {over: 8}, tag: c}}", sighting(), NOWHERE, YES),
]


@pytest.mark.parametrize(("conditions", "seen", "occasion", "expected"), CONDITIONS)
def test_a_condition_holds_or_does_not(
    conditions: str, seen: Sighting, occasion: Occasion, expected: bool | None
) -> None:
    assert decide(rule(conditions), seen, occasion).matched == (("it",) if expected else ())
    [trace] = explain(rule(conditions), seen, occasion)
    assert ("unknown" in trace.because) is (expected is None)


@pytest.mark.parametrize(
    ("conditions", "seen", "occasion"), [row[:3] for row in CONDITIONS if row[3] is None and "any" not in row[0]]
)
def test_a_fact_that_is_unknown_does_not_hold_turned_round_either(
    conditions: str, seen: Sighting, occasion: Occasion
) -> None:
    assert decide(rule(f"{{not: {conditions}}}"), seen, occasion).matched == ()


BECAUSE = [
    ("{minutes: {over: 8}}", page(words=2300), "minutes is 10: over 8"),
    ("{minutes: {over: 8}}", page(words=230), "minutes is 1, not over 8"),
    ("{minutes: {over: 8}}", NOWHERE, "minutes is unknown"),
    ("{field.points: {over: 5, under: 9}}", NOWHERE, "field points is 3, not over 5 and under 9"),
    ("{field.kind: [a, {regex: 'x+'}]}", NOWHERE, "field kind does not contain “a” or match “x+”"),
    ("{field.none: a}", NOWHERE, "field none is unknown"),
    ("{age: {over: 1d}}", page(now=NOON), "age is 2 h, not over 1 d"),
    ("{hour: 9-11}", page(now=NOON), "it came in at 12:00, not 09:00-11:00"),
    ("{published: {before: 2026-01-01}}", NOWHERE, "published on 2026-05-03, not before 2026-01-01"),
    ("{has: [image, note]}", NOWHERE, "image is unknown"),
    ("{has: [note]}", NOWHERE, "it has no note"),
    ("{lang: de}", page(lang="en"), "lang is en, not de"),
    ("{any: [{tag: x}, {minutes: 3}]}", NOWHERE, "any: tag x is absent; minutes is unknown"),
    ("{any: [{tag: x}, {title: cat}]}", NOWHERE, "title contains “cat”"),
    ("{not: {title: cat}}", NOWHERE, "“not” excludes it: title contains “cat”"),
    ("{not: [{tag: x}, {title: dog}]}", NOWHERE, "tag x is absent; title does not contain “dog”"),
    ("{title: {regex: 'c.t'}}", NOWHERE, "title matches “c.t”"),
    ("{path: /b/*}", NOWHERE, "path is not like /b/*"),
]


@pytest.mark.parametrize(("conditions", "occasion", "expected"), BECAUSE)
def test_a_clause_is_told_in_words(conditions: str, occasion: Occasion, expected: str) -> None:
    seen = sighting(title="a cat", at=NOON - 7200, fields={"points": 3, "kind": "b"})
    [trace] = explain(rule(conditions), seen, occasion)
    assert trace.because == expected


def test_an_exception_on_an_unknown_fact_does_not_except_and_says_so() -> None:
    rule_file = load("rules: [{name: it, unless: {minutes: {over: 8}}, then: {tag: hit}}]", name="x")
    [trace] = explain(rule_file, sighting())
    assert (trace.applies, trace.because) == (True, "it has no condition; unless: minutes is unknown")
