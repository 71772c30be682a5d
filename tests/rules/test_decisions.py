"""What the rules decide about a sighting, and how it is explained."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.link import Sighting
from bridge.rules import (
    EMPTY,
    READING,
    Feed,
    RuleFile,
    Start,
    Trace,
    as_text,
    decide,
    explain,
    failures,
    load,
)

FEEDS = """
feeds:
  - {name: lwn, url: "https://lwn.example/rss"}
  - {name: gadgets, url: "https://gadgets.example/rss"}
destinations:
  research: {type: pocket}
  backup: {type: pocket}
rules:
"""


def rules(*written: str) -> RuleFile:
    return load(FEEDS + "".join(f"  - {rule}\n" for rule in written), name="rules.yaml")


def sighting(url: str = "https://a.example/", *, source: str = "save", **facts: Any) -> Sighting:
    return Sighting.of(url, source=source, **facts)


def applies(conditions: str, seen: Sighting) -> bool:
    rule_file = rules(f"{{name: it, if: {conditions}, then: {{tag: hit}}}}")
    return decide(rule_file, seen).matched == ("it",)


CONDITIONS = [
    # domain: whole labels, sub-domains included
    ("{domain: arxiv.org}", sighting("https://arxiv.org/abs/1"), True),
    ("{domain: arxiv.org}", sighting("https://export.arxiv.org/abs/1"), True),
    ("{domain: arxiv.org}", sighting("https://notarxiv.org/abs/1"), False),
    ("{domain: x.com}", sighting("https://v2ex.com/"), False),
    ("{domain: x.com}", sighting("https://x.com.evil.example/"), False),
    ("{domain: x.com}", sighting("https://x.com@evil.example/"), False),
    ("{domain: export.arxiv.org}", sighting("https://arxiv.org/"), False),
    ("{domain: ArXiv.ORG}", sighting("HTTPS://EXPORT.Arxiv.org./x"), True),
    ("{domain: münchen.example}", sighting("https://www.xn--mnchen-3ya.example/"), True),
    ("{domain: xn--mnchen-3ya.example}", sighting("https://münchen.example/"), True),
    ("{domain: [a.org, b.org]}", sighting("https://b.org/"), True),
    ("{domain: a.org}", sighting("https://a.org:8443/x"), True),
    # url: the whole address
    ('{url: "*.pdf"}', sighting("https://a.org/x.PDF"), True),
    ('{url: "*.pdf"}', sighting("https://a.org/x.pdf?page=2"), False),
    ('{url: "*.pdf*"}', sighting("https://a.org/x.pdf?page=2"), True),
    ('{url: "*://*.reddit.example/r/*"}', sighting("https://old.reddit.example/r/python"), True),
    ('{url: "https://a.org/?"}', sighting("https://a.org/x"), True),
    ('{url: "https://a.org/?"}', sighting("https://a.org/xy"), False),
    ('{url: "https://a.org/[x]"}', sighting("https://a.org/[x]"), True),
    ('{url: "https://a.org/[x]"}', sighting("https://a.org/x"), False),
    ('{url: "https://a.org"}', sighting("https://a.org/x"), False),
    # title and text: whole words
    ("{title: cat}", sighting(title="The CAT, again"), True),
    ("{title: cat}", sighting(title="concatenate the cats"), False),
    ("{title: cat}", sighting(title="concatenate a cat"), True),
    ("{title: cat}", sighting(title="snake_cat"), False),
    ("{title: black friday}", sighting(title="Black\tFriday!"), True),
    ("{title: C++}", sighting(title="Modern C++20"), True),
    ("{title: C++}", sighting(title="ABC++"), False),
    ("{title: STRASSE}", sighting(title="Die Straße"), True),
    ("{title: café}", sighting(title="CAFE\u0301 open"), True),
    ("{title: cafe}", sighting(title="cafe\u0301"), False),
    ("{title: istanbul}", sighting(title="İSTANBUL"), True),
    ("{title: don't}", sighting(title="Don’t panic"), True),
    ("{title: switch}", sighting(title="Switch™ 2"), True),
    ("{title: sale}", sighting(title="ＳＡＬＥ"), True),
    ("{title: क}", sighting(title="कि"), False),
    ("{title: 東京}", sighting(title="今日の東京都"), True),
    ("{title: 파이썬}", sighting(title="파이썬을 배우자"), True),
    ("{title: cat}", sighting(title="猫cat猫"), True),
    ("{title: kindle}", sighting(text="for the kindle"), False),
    ("{title: no}", sighting(title="no"), True),
    ("{title: 2024}", sighting(title="in 2024"), True),
    ("{text: kindle}", sighting(text="for the kindle"), True),
    ("{text: kindle}", sighting(note="Kindle!"), True),
    ("{text: kindle}", sighting(title="Kindle!"), True),
    ("{text: one two}", sighting(title="one", note="two"), False),
    ('{text: "#kobo"}', sighting(text="read #Kobo"), True),
    ('{text: "#kobo"}', sighting(text="read #kobold"), False),
    # names
    ("{source: telegram}", sighting(source="telegram"), True),
    ("{source: [feed, hook]}", sighting(source="telegram"), False),
    ("{feed: lwn}", sighting(source="feed", feed="lwn"), True),
    ("{feed: lwn}", sighting(source="telegram"), False),
    ("{hook: shop}", sighting(source="hook", hook="shop"), True),
    ("{chat: -100123}", sighting(source="telegram", chat="-100123"), True),
    ("{chat: 123}", sighting(source="telegram", chat="91234"), False),
    # tags
    ('{tag: "#Keep"}', sighting(tags=["keep"]), True),
    ("{tag: keep}", sighting(tags=["keeper"]), False),
    # all keys of a block, any value of a list
    ("{source: save, tag: [a, b]}", sighting(tags=["b"]), True),
    ("{source: feed, tag: [a, b]}", sighting(tags=["b"]), False),
]


@pytest.mark.parametrize(("conditions", "seen", "expected"), CONDITIONS)
def test_a_condition_holds_or_does_not(conditions: str, seen: Sighting, *, expected: bool) -> None:
    assert applies(conditions, seen) is expected


@pytest.mark.parametrize(("conditions", "seen", "expected"), CONDITIONS[:-2])
def test_one_condition_that_holds_excepts_in_unless(conditions: str, seen: Sighting, *, expected: bool) -> None:
    rule_file = rules(f"{{name: it, unless: {conditions}, then: {{tag: hit}}}}")
    assert decide(rule_file, seen).matched == (() if expected else ("it",))


def test_any_one_key_of_unless_is_an_exception() -> None:
    rule_file = rules("{name: it, unless: {feed: lwn, tag: keep}, then: {drop: true}}")
    assert decide(rule_file, sighting(source="feed", feed="lwn")).matched == ()
    assert decide(rule_file, sighting(tags=["keep"])).matched == ()
    assert decide(rule_file, sighting()).dropped_by == "it"


def test_without_a_rule_file_everything_goes_to_the_reading_list() -> None:
    decision = decide(EMPTY, sighting(title="A title", tags=["a"]))
    assert (decision.to, decision.title, decision.tags, decision.matched) == (
        (READING,),
        "A title",
        ("a",),
        (),
    )


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "---\n", "~\n"])
def test_a_file_with_nothing_in_it_is_no_error(text: str) -> None:
    assert decide(load(text, name="rules.yaml"), sighting()).to == (READING,)


def test_the_default_is_the_files_own() -> None:
    assert decide(load("defaults: {to: reading}", name="x"), sighting()).to == (READING,)
    text = "destinations: {mine: {type: pocket}}\ndefaults: {to: [mine, reading]}"
    assert decide(load(text, name="x"), sighting()).to == ("mine", READING)


def test_tags_of_all_matching_rules_add_up_in_order() -> None:
    rule_file = rules("{name: a, then: {tag: [x, y]}}", "{name: b, then: {tag: [y, z], untag: own}}")
    decision = decide(rule_file, sighting(tags=["own", "kept"]))
    assert decision.tags == ("kept", "x", "y", "z")
    assert decision.matched == ("a", "b")


def test_the_last_rule_that_says_where_wins() -> None:
    rule_file = rules(
        "{name: a, then: {to: research}}",
        "{name: b, then: {to: [backup, reading]}}",
        "{name: c, then: {tag: x}}",
    )
    assert decide(rule_file, sighting()).to == ("backup", "reading")


def test_stop_ends_and_keeps_what_was_decided() -> None:
    rule_file = rules("{name: a, then: {tag: x, stop: true}}", "{name: b, then: {drop: true}}")
    decision = decide(rule_file, sighting())
    assert (decision.matched, decision.tags, decision.to) == (("a",), ("x",), ("reading",))


def test_drop_is_final_and_goes_nowhere() -> None:
    rule_file = rules(
        "{name: a, then: {to: research}}", "{name: b, then: {drop: ads}}", "{name: c, then: {to: backup}}"
    )
    decision = decide(rule_file, sighting())
    assert (decision.dropped_by, decision.reason, decision.to) == ("b", "ads", ())
    assert decision.matched == ("a", "b")


def test_drop_needs_no_reason() -> None:
    decision = decide(rules("{name: b, then: {drop: true}}"), sighting())
    assert (decision.dropped_by, decision.reason) == ("b", "")


def test_a_rule_sees_the_tags_of_the_rules_above_and_not_of_those_below() -> None:
    rule_file = rules(
        "{name: a, if: {tag: late}, then: {tag: never}}",
        "{name: b, then: {tag: late}}",
        "{name: c, if: {tag: late}, then: {tag: seen}}",
    )
    assert decide(rule_file, sighting()).tags == ("late", "seen")


def test_a_rule_never_sees_a_rewritten_title() -> None:
    rule_file = rules('{name: a, then: {title: "new"}}', "{name: b, if: {title: new}, then: {drop: true}}")
    assert decide(rule_file, sighting(title="old")).title == "new"


def test_rewriting_twice_starts_from_the_title_as_it_came() -> None:
    rule_file = rules('{name: a, then: {title: "one {title}"}}', '{name: b, then: {title: "two {title}"}}')
    assert decide(rule_file, sighting(title="old")).title == "two old"


TITLES = [
    ("{feed}: {title}", "gadgets: A Fine Title"),
    ("{title|lower}", "a fine title"),
    ("{title|max:6|upper}", "A FIN…"),
    ("{ title | max:200 }", "A Fine Title"),
    ("{title} ({domain}, {source}, {author})", "A Fine Title (a.example, feed, Ann)"),
    ("{{title}} {hook}", "{title}"),
    ("{hook}", "A Fine Title"),
    ("fixed", "fixed"),
]


@pytest.mark.parametrize(("template", "expected"), TITLES)
def test_a_title_is_made_from_its_template(template: str, expected: str) -> None:
    rule_file = rules(f'{{name: a, then: {{title: "{template}"}}}}')
    seen = sighting(source="feed", feed="gadgets", title="A Fine Title", author="Ann")
    assert decide(rule_file, seen).title == expected


def test_an_address_that_cannot_be_read_keeps_the_link() -> None:
    rule_file = rules("{name: a, if: {domain: a.org}, then: {drop: true}}")
    broken = Sighting(url="no address", source="save")
    assert decide(rule_file, broken).to == ("reading",)
    assert explain(rule_file, broken)[0].because == "the address has no domain"


def test_explain_names_the_clause_that_decided() -> None:
    rule_file = rules(
        "{name: papers, if: {domain: arxiv.org}, then: {tag: paper}}",
        "{name: tagged, unless: {tag: keep}, then: {untag: [old, older], to: backup}}",
        "{name: ads, if: {source: feed, title: [sponsored]}, unless: {feed: lwn, tag: keep}, then: {drop: advertising}}",
        "{name: last, then: {stop: true}}",
    )
    seen = sighting("https://shop.example/x", source="feed", feed="gadgets", title="Sponsored!")
    assert explain(rule_file, seen) == [
        Trace("papers", False, "domain is shop.example, not arxiv.org", ""),
        Trace("tagged", True, "it has no condition; unless: tag keep is absent", "untag old, older; to backup"),
        Trace(
            "ads",
            True,
            "source is feed, title contains “sponsored”; unless: feed is not lwn, tag keep is absent",
            "drop (advertising)",
        ),
        Trace("last", False, "not reached", ""),
    ]


BECAUSE = [
    (
        "if: {domain: arxiv.org}",
        sighting("https://export.arxiv.org/"),
        "domain is export.arxiv.org, below arxiv.org",
    ),
    ('if: {url: "*.pdf"}', sighting("https://a.org/x.pdf"), "url is like *.pdf"),
    ('if: {url: "*.pdf"}', sighting("https://a.org/x"), "url is not like *.pdf"),
    ("if: {feed: lwn}", sighting(), "it came through no feed"),
    ("if: {title: x}", sighting(), "there is no title"),
    ("if: {title: [a, b, c, d, e]}", sighting(title="x"), "title does not contain “a”, “b”, “c” or 2 others"),
    ("if: {text: kobo}", sighting(note="a kobo"), "text contains “kobo”"),
    ("if: {tag: [a, b]}", sighting(), "tag a or b is absent"),
    ("if: {tag: [a, b]}", sighting(tags=["b"]), "tag b is present"),
    ("unless: {domain: a.org}", sighting("https://a.org/"), "unless: domain is a.org"),
    (
        "unless: {domain: a.org}",
        sighting("https://b.org/"),
        "it has no condition; unless: domain is not a.org",
    ),
]


@pytest.mark.parametrize(("clauses", "seen", "expected"), BECAUSE)
def test_a_clause_is_told_in_words(clauses: str, seen: Sighting, expected: str) -> None:
    assert explain(rules(f"{{name: a, {clauses}, then: {{tag: x}}}}"), seen)[0].because == expected


def test_an_effect_shows_the_title_it_makes() -> None:
    rule_file = rules('{name: a, then: {title: "{title|upper}", drop: true}}')
    assert explain(rule_file, sighting(title="x"))[0].effect == "title “X”; drop"


def test_traces_are_lines_for_a_terminal() -> None:
    rule_file = rules(
        "{name: a, if: {tag: x}, then: {tag: y}}",
        "{name: both, then: {stop: true}}",
        "{name: c, then: {tag: z}}",
    )
    assert as_text(explain(rule_file, sighting())).splitlines() == [
        "a     no   tag x is absent",
        "both  YES  it has no condition",
        "           -> stop",
        "c     -    not reached",
    ]


def test_feeds_are_read_with_their_defaults() -> None:
    text = """
feeds:
  - {name: a, url: "https://a.org/rss"}
  - {name: b, url: "https://b.org/rss", tags: [X, "#y"], start: last 10, interval: 30m}
  - {name: c, url: "https://c.org/rss", tags: z, start: since 1970-01-02, interval: 1d}
  - {name: d, url: "https://d.org/rss", start: all}
"""
    assert load(text, name="x").feeds == (
        Feed(url="https://a.org/rss", name="a", tags=(), start=Start("none"), interval=3600.0),
        Feed(url="https://b.org/rss", name="b", tags=("x", "y"), start=Start("last", count=10), interval=1800.0),
        Feed(
            url="https://c.org/rss",
            name="c",
            tags=("z",),
            start=Start("since", since=86400.0),
            interval=86400.0,
        ),
        Feed(url="https://d.org/rss", name="d", start=Start("all")),
    )


def test_a_destinations_options_are_plain_data_of_yaml_1_2() -> None:
    text = """
destinations:
  mine:
    type: pocket
    token: {env: TOKEN}
    batch: 10
    ratio: 0.5
    on: no
    quick: true
    nothing:
    id: 0123
    quoted: "10"
    day: 2026-05-01
    list: [1, [a]]
"""
    assert load(text, name="x").destinations == {
        "mine": {
            "type": "pocket",
            "token": {"env": "TOKEN"},
            "batch": 10,
            "ratio": 0.5,
            "on": "no",
            "quick": True,
            "nothing": None,
            "id": "0123",
            "quoted": "10",
            "day": "2026-05-01",
            "list": [1, ["a"]],
        }
    }


def test_the_hash_tells_one_text_from_another_and_not_one_name() -> None:
    one, same, other = load("rules: []", name="a"), load(b"rules: []", name="b"), load("rules: [ ]", name="a")
    assert one.hash == same.hash != other.hash
    assert len(one.hash) == 16


def test_a_test_that_fails_is_told_with_its_line_and_both_sides() -> None:
    text = """
rules:
  - {name: a, if: {domain: a.org}, then: {tag: [x, y], title: "new"}}
  - {name: b, if: {domain: b.org}, then: {drop: true}}
tests:
  - item: {url: "https://a.org"}
    expect: {rules: [a], tag: [y, x], to: reading, title: new}
  - item: {url: "https://a.org"}
    expect: {rules: [b, a], tag: x, to: [], title: old, dropped_by: b}
  - item: {url: "https://b.org"}
    expect: {dropped_by: b, to: [], rules: b}
  - item: {url: "https://c.org"}
    expect: {rules: [], tag: []}
"""
    (told,) = failures(load(text, name="rules.yaml"))
    assert told == (
        "rules.yaml:8: https://a.org: expected rules a, b, got a; expected tag x, got x, y; "
        "expected to none, got reading; expected title old, got new; expected dropped_by b, got none"
    )


@pytest.mark.parametrize(
    ("item", "source"),
    [
        ("", "save"),
        ("feed: f", "feed"),
        ("hook: h", "hook"),
        ("chat: 1", "telegram"),
        ("feed: f, source: cli", "cli"),
    ],
)
def test_a_tests_source_follows_from_its_other_facts(item: str, source: str) -> None:
    text = f"tests:\n  - item: {{url: 'https://a.org', {item}}}\n    expect: {{to: reading}}\n"
    assert load(text, name="x").tests[0].item.source == source
