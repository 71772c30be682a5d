"""What the example file and the handbook say about rules is true and complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.link import Sighting
from bridge.rules import as_text, explain, failures, load

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / "rules.yaml.example").read_text()
HANDBOOK = (ROOT / "docs" / "rules.md").read_text()
YAML = re.findall(r"```yaml\n(.*?)```", HANDBOOK, re.DOTALL)
SHOWN = re.findall(r"```text\n(.*?)```", HANDBOOK, re.DOTALL)

# A file with an unknown key at each place where keys are: the refusal lists the known ones.
PLACES = {
    "file": "zz: 1",
    "feed": "feeds: [{name: a, url: 'https://a.org', zz: 1}]",
    "defaults": "defaults: {zz: 1}",
    "rule": "rules: [{name: a, then: {tag: b}, zz: 1}]",
    "if": "rules: [{name: a, then: {tag: b}, if: {zz: 1}}]",
    "unless": "rules: [{name: a, then: {tag: b}, unless: {zz: 1}}]",
    "then": "rules: [{name: a, then: {zz: 1}}]",
    "item": "tests: [{item: {url: 'https://a.org', zz: 1}, expect: {to: reading}}]",
    "keep": "keep: {zz: 1}",
    "notify": "notify: {zz: 1}",
    "expect": "tests: [{item: {url: 'https://a.org'}, expect: {zz: 1}}]",
}


def known_keys(text: str) -> list[str]:
    with pytest.raises(ConfigError, match="Known here: ") as refused:
        load(text, name="x")
    return str(refused.value).rpartition("Known here: ")[2].rstrip(".").split(", ")


def test_the_example_file_is_valid_and_its_tests_hold() -> None:
    rule_file = load(EXAMPLE, name="rules.yaml.example")
    assert rule_file.tests
    assert failures(rule_file) == []


def test_what_is_a_comment_in_the_example_file_is_valid_without_its_marks() -> None:
    rule_file = load(re.sub(r"(?m)^# (?=hooks:|destinations:|  )", "", EXAMPLE), name="rules.yaml.example")
    assert [hook.name for hook in rule_file.hooks] == ["releases", "shop", "door-bell"]
    assert list(rule_file.destinations) == ["research"]
    assert failures(rule_file) == []


def test_every_rule_of_the_example_file_is_tried_by_its_tests() -> None:
    rule_file = load(EXAMPLE, name="rules.yaml.example")
    tried = {
        trace.rule
        for test in rule_file.tests
        for trace in explain(rule_file, test.item, test.occasion)
        if trace.applies
    }
    assert tried == {rule.name for rule in rule_file.rules}


@pytest.mark.parametrize("place", PLACES)
def test_every_key_appears_in_the_example_file(place: str) -> None:
    keys = known_keys(PLACES[place])
    assert keys
    assert [key for key in keys if not re.search(rf"\b{key.replace('NAME', '[a-z]+')}:", EXAMPLE)] == []


@pytest.mark.parametrize("place", PLACES)
def test_every_key_has_a_row_in_the_handbook(place: str) -> None:
    rows = "\n".join(line.split("|")[1] for line in HANDBOOK.splitlines() if line.startswith("|"))
    assert [key for key in known_keys(PLACES[place]) if f"`{key}`" not in rows] == []


@pytest.mark.parametrize("example", YAML)
def test_every_example_of_the_handbook_is_valid_and_its_tests_hold(example: str) -> None:
    assert failures(load(example, name="rules.yaml")) == []


def test_the_refusal_in_the_handbook_is_the_real_one() -> None:
    text = "rules:\n  - name: papers\n    whenn: {domain: arxiv.org}\n    then: {tag: paper}\n"
    with pytest.raises(ConfigError) as refused:
        load(text, name="rules.yaml")
    assert SHOWN[0] == f"{refused.value}\n"


def test_the_explanation_in_the_handbook_is_the_real_one() -> None:
    seen = Sighting.of("https://shop.example/x", source="feed", feed="gadgets", title="Sponsored: the best phones")
    assert SHOWN[1] == as_text(explain(load(YAML[0], name="rules.yaml"), seen)) + "\n"
