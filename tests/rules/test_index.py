"""The index finds what asking every rule in turn would find, whatever the rules and whatever comes in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.link import Sighting
from bridge.rules import Occasion, RuleFile, decide, explain, load
from bridge.rules._facts import Facts

WORDS = [
    "cat",
    "Dog",
    "C++",
    "東京",
    "東京都",
    "straße",
    "a-b",
    "snake_cat",
    "#kobo",
    "cafe\u0301",
    "कि",
    "K",
    "ſ",
    "s",
    "x",
]
TAGS = ["one", "two", "three"]
URLS = [
    "https://cat.example/dog/a.pdf?x=1",
    "https://a.cat.example/",
    "http://b.example/CAT/dog-x",
    "https://münchen.example/s/%C5%BF",
    "https://b.example/\u212a.pdf",
    "https://b.example/concat/dogma/bank.pdf",
    "no address",
]
GLOBS = ["*cat*", "*.pdf", "https://?.cat.example/*", "*/dog*", "*/dog/*", "*k.pdf", "*s*", "https://b.example/*", "*"]
REGEXES = [r"\bcat\b", "^$", "x*", "(cat|dog)s?", r"\w+", "[a-c]at", "^東", r"\W", "straße$"]

words = st.sampled_from(WORDS)
quoted = words.map(lambda word: f'"{word}"')
regexes = st.sampled_from(REGEXES).map(lambda source: "{regex: '" + source + "'}")
numbers = st.sampled_from(["{over: 3}", "{under: 3}", "3", "{over: 1, under: 9}"])


def listed(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=3).map(lambda found: f"[{', '.join(found)}]")


def condition(blocks: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, str]]:
    of = {
        "source": listed(st.sampled_from(["feed", "hook", "save"])),
        "hook": listed(quoted),
        "chat": listed(quoted),
        "account": listed(quoted),
        "domain": listed(st.sampled_from(["example", "cat.example", "b.example", "münchen.example"])),
        "url": listed(st.sampled_from(GLOBS).map(lambda glob: f'"{glob}"') | regexes),
        "path": listed(st.sampled_from([glob for glob in GLOBS if glob[0] in "*/"]).map(lambda g: f'"{g}"') | regexes),
        "title": listed(quoted | regexes),
        "text": listed(quoted | regexes),
        "author": listed(quoted | regexes),
        "tag": listed(st.sampled_from(TAGS)),
        "lang": listed(st.sampled_from(["en", "en-gb", "de"])),
        "type": listed(st.sampled_from(["pdf", "article"])),
        "minutes": numbers,
        "seen": numbers,
        "has": listed(st.sampled_from(["title", "note", "image", "tag"])),
        "field.a": listed(quoted | regexes) | numbers,
        "field.a.b": listed(quoted | regexes) | numbers,
        "any": blocks,
        "not": blocks,
    }
    return st.sampled_from(sorted(of)).flatmap(lambda key: st.tuples(st.just(key), of[key]))


def block(blocks: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    conditions = st.lists(condition(blocks), min_size=1, max_size=3, unique_by=lambda pair: pair[0])
    return conditions.map(lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}")


blocks = block(st.deferred(lambda: listed(block(st.just("[{tag: one}, {title: cat}]")))))
thens = st.sampled_from(
    [
        "{tag: one}",
        "{tag: [two, three]}",
        "{untag: one, tag: two}",
        "{untag: three}",
        "{stop: true}",
        "{drop: x}",
        '{title: "cat"}',
    ]
)
bodies = st.tuples(st.none() | blocks, st.none() | blocks, thens)


@st.composite
def rule_files(draw: st.DrawFn) -> RuleFile:
    lines = ["rules:"]
    for number, (conditions, exceptions, then) in enumerate(draw(st.lists(bodies, min_size=1, max_size=12))):
        lines += [f"  - name: r{number}", f"    then: {then}"]
        lines += [f"    if: {conditions}"] if conditions else []
        lines += [f"    unless: {exceptions}"] if exceptions else []
    return load("\n".join(lines), name="rules.yaml")


texts = st.lists(words | st.sampled_from(["the", "cats", "concatenate", ",", "-"]), max_size=5).map(" ".join)
sightings = st.builds(
    Sighting,
    url=st.sampled_from(URLS),
    source=st.sampled_from(["feed", "hook", "save"]),
    title=texts,
    text=texts | st.text(max_size=20),
    note=texts,
    author=words,
    hook=words,
    chat=words,
    tags=st.lists(st.sampled_from(TAGS), max_size=2, unique=True).map(tuple),
    fields=st.dictionaries(
        st.sampled_from(["a", "a.b", "b"]),
        words
        | st.integers(0, 9)
        | st.lists(words, max_size=2)
        | st.dictionaries(st.just("b"), words | st.integers(0, 9)),
        max_size=2,
    ),
)
occasions = st.builds(
    Occasion,
    account=words,
    now=st.sampled_from([0.0, 1.79e9]),
    seen=st.none() | st.integers(0, 9),
    lang=st.sampled_from(["", "en", "en-GB", "de_AT"]),
    type=st.sampled_from(["", "article"]),
    words=st.none() | st.integers(0, 3000),
    image=st.none() | st.booleans(),
)


@given(rule_files(), st.lists(st.tuples(sightings, occasions), min_size=1, max_size=8))
@settings(max_examples=250, deadline=None)
def test_the_index_decides_as_asking_every_rule_in_turn(rule_file: RuleFile, seen: list[tuple[Any, Any]]) -> None:
    for sighting, occasion in seen:
        asked = tuple(trace.rule for trace in explain(rule_file, sighting, occasion) if trace.applies)
        assert decide(rule_file, sighting, occasion).matched == asked


def test_ten_thousand_rules_ask_a_handful() -> None:
    shapes = (
        "domain: d{0}.example",
        "title: word{0} other",
        'url: "*/p{0}/*"',
        "text: {{regex: 'k{0}.*end'}}",
        "tag: t{0}",
    )
    rules = (f"- {{name: r{n}, if: {{{shapes[n % 5].format(n)}}}, then: {{tag: x}}}}" for n in range(10_000))
    rule_file = load("rules:\n" + "\n".join(rules), name="rules.yaml")
    seen = Sighting.of("https://a.d0.example/p2/x", source="feed", title="word1 and other k3 end", tags=["t4"])
    asked = len(rule_file.index.candidates(Facts(seen)))
    assert asked < 20
    assert decide(rule_file, seen).matched == ("r0", "r2", "r3", "r4")


def test_a_tag_given_by_a_rule_reaches_only_the_rules_below_it() -> None:
    rule_file = load(
        "rules:\n"
        "- {name: above, if: {tag: x}, then: {tag: never}}\n"
        "- {name: gives, if: {title: cat}, then: {tag: x}}\n"
        "- {name: takes, if: {title: dog}, then: {untag: x}}\n"
        "- {name: below, if: {tag: x}, then: {tag: y}}\n"
        "- {name: last, if: {any: [{tag: y}, {tag: z}]}, then: {tag: w}}\n",
        name="rules.yaml",
    )
    assert decide(rule_file, Sighting.of("https://a.org", source="save", title="a cat")).tags == ("x", "y", "w")
    assert decide(rule_file, Sighting.of("https://a.org", source="save", title="cat, dog")).tags == ()


def test_more_patterns_than_fit_into_one_sieve_are_all_found() -> None:
    rules = (
        f"- {{name: r{n}, if: {{title: {{regex: 'some{n:05}.*{'long' * 8}{n:05}'}}}}, then: {{tag: x}}}}"
        for n in range(6000)
    )
    rule_file = load("rules:\n" + "\n".join(rules), name="rules.yaml")
    seen = Sighting.of("https://a.org", source="save", title=f"some05900 {'long' * 8}05900 some00000 {'long' * 8}00000")
    assert decide(rule_file, seen).matched == ("r0", "r5900")


@pytest.mark.parametrize("text", ["a" * 50_000, "a" * 50_000 + "b", "b" * 1_000_000])
def test_a_pattern_made_to_hang_does_not(text: str) -> None:
    rule_file = load("rules: [{name: a, if: {text: {regex: '(a+)+$'}}, then: {tag: x}}]", name="x")
    decide(rule_file, Sighting(url="https://a.org", source="save", title=text, text=text))


def test_too_many_nested_blocks_are_refused() -> None:
    nested = "{not: " * 40 + "{tag: x}" + "}" * 40
    with pytest.raises(ConfigError, match="nested more than 32 deep"):
        load(f"rules: [{{name: a, if: {nested}, then: {{tag: y}}}}]", name="x")


@pytest.mark.parametrize(
    "glob", ["*k.pdf", "*/dog*", "*cat/*", "*gm?/bank*", "https://b.ex*", "*", "*ban?.pdf", "*/concat/*"]
)
def test_a_glob_that_begins_or_ends_within_a_word_is_found(glob: str) -> None:
    others = "\n".join(f'- {{name: o{n}, if: {{url: "*/bank{n}.pdf"}}, then: {{tag: x}}}}' for n in range(5))
    rule_file = load(f'rules:\n- {{name: a, if: {{url: "{glob}"}}, then: {{tag: x}}}}\n{others}\n', name="x")
    assert decide(rule_file, Sighting.of("https://b.example/concat/dogma/bank.pdf", source="save")).matched == ("a",)
