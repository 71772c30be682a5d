"""Whatever is written, and whatever comes in: a file loads or is refused in words, and a decision is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.link import Sighting
from bridge.rules import RuleFile, decide, explain, failures, load
from bridge.rules._words import Phrase, folded

EXAMPLE = (Path(__file__).resolve().parents[2] / "rules.yaml.example").read_text()

WORDS = [
    *("feeds", "destinations", "defaults", "rules", "tests", "name", "if", "unless", "then", "tag", "untag"),
    *("title", "to", "drop", "stop", "domain", "url", "text", "source", "feed", "item", "expect", "start"),
    *(
        "reading",
        "true",
        "no",
        "last 3",
        "https://a.org",
        "{title|max:3}",
        "a",
        "~",
        "",
        "12:30",
        "0x1f",
        "*",
        "#",
    ),
]
texts = st.sampled_from(WORDS) | st.text(max_size=8)
values = st.recursive(
    texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def loaded_or_refused(text: str | bytes) -> RuleFile | None:
    try:
        rule_file = load(text, name="rules.yaml")
    except ConfigError as error:
        message = str(error)
        assert message.startswith("rules.yaml:")
        assert "\n" in message
        return None
    assert rule_file.problem(("rules", 0, "name"), "it").args
    return rule_file


@given(st.text() | st.binary())
@settings(max_examples=300, deadline=None)
def test_any_text_loads_or_is_refused_in_words(text: str | bytes) -> None:
    loaded_or_refused(text)


@given(st.text(alphabet="abc:-?,[]{}#&*!|>'\"%@` \t\n\r\\~<=\u2028\x85é猫\ufeff\x00", max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_text_of_yamls_own_signs_loads_or_is_refused_in_words(text: str) -> None:
    loaded_or_refused(text)


@given(values, st.data())
@settings(max_examples=300, deadline=None)
def test_any_structure_loads_or_is_refused_in_words(value: object, data: st.DataObject) -> None:
    section = data.draw(st.sampled_from(WORDS[:5]))
    loaded_or_refused(f"{section}: {_flow(value)}\n")


@given(st.integers(0, len(EXAMPLE)), st.integers(0, 30), st.text(alphabet="ab:-[]{}#*&!'\" \t\n", max_size=4))
@settings(max_examples=200, deadline=None)
def test_a_damaged_file_loads_or_is_refused_in_words(start: int, length: int, put: str) -> None:
    rule_file = loaded_or_refused(EXAMPLE[:start] + put + EXAMPLE[start + length :])
    if rule_file:
        failures(rule_file)


sightings = st.builds(
    Sighting,
    url=texts | st.just("https://arxiv.org/a.pdf"),
    source=texts,
    title=st.text(max_size=50),
    text=st.text(max_size=50) | st.just("sponsored #kobo"),
    note=texts,
    feed=texts | st.just("gadgets"),
    hook=texts,
    chat=texts,
    author=texts,
    tags=st.lists(texts).map(tuple),
)


@given(sightings)
@settings(max_examples=200, deadline=None)
def test_whatever_comes_in_is_decided_and_explained_alike(seen: Sighting) -> None:
    rule_file = load(EXAMPLE, name="rules.yaml")
    decision = decide(rule_file, seen)
    assert tuple(trace.rule for trace in explain(rule_file, seen) if trace.applies) == decision.matched
    assert bool(decision.to) is not bool(decision.dropped_by)


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=200, deadline=None)
def test_a_phrase_is_found_between_blanks_whatever_stands_around(words: str, before: str, after: str) -> None:
    if folded(words):
        assert Phrase.of(words).within(folded(f"{before} | {words} | {after}"))


@pytest.mark.parametrize("sign", ["[", "{", "- ", "? ", "a: ", "!", "&a ", "\t"])
def test_a_megabyte_of_one_sign_is_refused(sign: str) -> None:
    assert loaded_or_refused(sign * (1024 * 1024 // len(sign) - 1)) is None


def _flow(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{_flow(key)}: {_flow(entry)}" for key, entry in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case _:
            return str(value)
