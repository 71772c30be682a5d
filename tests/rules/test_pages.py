"""When a decision needs a page, and when it does not: no page is asked for that could change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from bridge import rules
from bridge.link import Sighting
from bridge.page import Looked, Page
from bridge.rules import NOWHERE, Occasion, PageRules, decide, explain

LINK = Sighting.of("https://a.example/x", source="telegram", title="A title", tags=["mine"])


def rule(name: str, when: str, then: str, unless: str = "") -> str:
    exceptions = f"    unless: {{{unless}}}\n" if unless else ""
    return f"  - name: {name}\n    if: {{{when}}}\n{exceptions}    then: {{{then}}}\n"


def undecided(*written: str, sighting: Sighting = LINK) -> bool:
    rule_file = rules.load("rules:\n" + "".join(written), name="rules.yaml")
    return PageRules(rule_file).undecided(sighting, Occasion(account="me", now=1_790_000_000.0, seen=0))


LONG = rule("long", "minutes: {over: 8}", "tag: long")
BARE = Sighting.of("https://a.example/x", source="telegram")


@pytest.mark.parametrize(
    ("written", "sighting"),
    [
        (LONG, LINK),
        (rule("r", "lang: de", "tag: de"), LINK),
        (rule("r", "type: video", "tag: v"), LINK),
        (rule("r", "has: image", "tag: i"), LINK),
        (rule("r", "author: ann", "tag: a"), LINK),
        (rule("r", "published: {after: 2026-01-01}", "tag: a"), LINK),
        (rule("r", "age: {over: 30d}", "tag: old"), LINK),
        (rule("r", "title: paper", "tag: a"), BARE),
        (rule("r", "text: paper", "tag: a"), BARE),
        (rule("r", "domain: a.example, lang: de", "tag: a"), LINK),
        (rule("r", "any: [{domain: b.example}, {lang: de}]", "tag: a"), LINK),
        (rule("r", "not: {lang: de}", "tag: a"), LINK),
        (rule("r", "domain: a.example", "drop: noise", "minutes: {over: 8}"), LINK),
        (rule("r", "domain: a.example", 'title: "{domain}: {title}"'), BARE),
        (rule("t", "domain: a.example", "tag: t") + rule("r", "tag: t, lang: de", "drop: noise"), LINK),
        (LONG + rule("drop", "domain: a.example", "drop: noise", "tag: long"), LINK),
        (rule("keep", "lang: de", "stop: true") + rule("drop", "domain: a.example", "drop: noise"), LINK),
    ],
)
def test_a_page_that_could_change_the_decision_is_needed(written: str, sighting: Sighting) -> None:
    assert undecided(written, sighting=sighting)


@pytest.mark.parametrize(
    ("written", "sighting"),
    [
        (rule("r", "domain: a.example", "tag: a"), LINK),
        (rule("r", "domain: b.example, minutes: {over: 8}", "tag: a"), LINK),
        (rule("r", "minutes: {over: 8}", "tag: a", "domain: a.example"), LINK),
        (rule("r", "source: feed, lang: de", "tag: a"), LINK),
        (rule("r", "field.points: {over: 3}, lang: de", "tag: a"), LINK),
        (rule("r", "title: paper", "tag: a"), LINK),
        (rule("r", "type: pdf", "tag: a"), Sighting.of("https://a.example/x.pdf", source="cli")),
        (rule("r", "author: ann", "tag: a"), Sighting.of("https://a.example/", source="cli", author="Bob")),
        (rule("r", "domain: a.example", 'title: "{domain}: {title}"'), LINK),
        (rule("drop", "domain: a.example", "drop: noise") + LONG, LINK),
        (rule("stop", "domain: a.example", "stop: true") + LONG, BARE),
        (rule("r", "lang: de", "to: reading") + rule("drop", "domain: a.example", "drop: noise"), LINK),
        (rule("r", "not: {domain: a.example}, lang: de", "tag: a"), LINK),
        (rule("r", "tag: absent, lang: de", "tag: a"), LINK),
    ],
)
def test_a_page_that_could_change_nothing_is_not_needed(written: str, sighting: Sighting) -> None:
    assert not undecided(written, sighting=sighting)


@pytest.mark.parametrize(
    ("when", "looked", "holds", "because"),
    [
        ("lang: de", Looked(Page(lang="de-at")), True, "lang is de-at"),
        ("lang: de", Looked(Page()), False, "lang is unknown"),
        ("lang: de", Looked(unread="it is down"), False, "lang is unknown (the page could not be read: it is down)"),
        ("minutes: {over: 8}", Looked(Page(words=2000)), True, "minutes is 9: over 8"),
        ("minutes: {over: 8}", Looked(unread="down"), False, "minutes is unknown (the page could not be read: down)"),
        ("title: paper", Looked(Page(title="A paper")), True, "title contains “paper”"),
        ("title: paper", Looked(unread="down"), False, "title is unknown (the page could not be read: down)"),
        ("title: paper", None, False, "there is no title"),
        ("not: {title: paper}", Looked(unread="down"), False, "title is unknown (the page could not be read: down)"),
        ("author: ann", Looked(Page(author="Ann")), True, "author contains “ann”"),
        ("published: {after: 2026-01-01}", Looked(Page(published=1_790_000_000.0)), True, "published on 2026-09-21"),
        ("has: title", Looked(unread="down"), False, "title is unknown (the page could not be read: down)"),
        ("has: image", Looked(Page(image=True)), True, "it has image"),
        ("type: video", Looked(Page(type="video")), True, "type is video"),
    ],
)
def test_what_the_page_says_is_told_and_what_stays_unknown_with_its_reason(
    when: str, looked: Any, holds: bool, because: str
) -> None:
    rule_file = rules.load("rules:\n" + rule("r", when, "tag: t"), name="rules.yaml")
    occasion = NOWHERE.informed(looked)
    [trace] = explain(rule_file, BARE, occasion)
    assert (trace.applies, trace.because) == (holds, because)
    assert bool(decide(rule_file, BARE, occasion).matched) == holds


def test_a_title_that_came_is_not_replaced_by_the_pages_and_one_that_is_none_is() -> None:
    occasion = NOWHERE.informed(Looked(Page(title="The page's")))
    assert decide(rules.EMPTY, LINK, occasion).title == "A title"
    for title in ("", "Untitled", "https://a.example/x", "Just a moment..."):
        link = Sighting.of("https://a.example/x", source="hook", title=title)
        assert decide(rules.EMPTY, link, occasion).title == "The page's"


def test_of_ten_thousand_rules_that_ask_the_page_one_that_may_apply_is_enough() -> None:
    written = [rule(f"r{number}", f"domain: d{number}.example, lang: de", "tag: t") for number in range(10_000)]
    rule_file = rules.load("rules:\n" + "".join(written), name="rules.yaml")
    page_rules = PageRules(rule_file)
    assert not page_rules.undecided(LINK, NOWHERE)
    assert page_rules.undecided(Sighting.of("https://d77.example/", source="cli", title="T"), NOWHERE)
