"""The published schema is current, and knows exactly the keys that the loader knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.rules import schema
from tests.rules.test_documents import EXAMPLE, PLACES, known_keys

PUBLISHED = Path(__file__).resolve().parents[2] / "rules.schema.json"

BLOCKS: dict[str, list[str]] = {
    "file": [],
    "feed": ["properties", "feeds", "items"],
    "defaults": ["properties", "defaults"],
    "rule": ["properties", "rules", "items"],
    "keep": ["properties", "keep"],
    "notify": ["properties", "notify"],
    "if": ["$defs", "conditions"],
    "unless": ["$defs", "conditions"],
    "then": ["properties", "rules", "items", "properties", "then"],
    "item": ["properties", "tests", "items", "properties", "item"],
    "expect": ["properties", "tests", "items", "properties", "expect"],
}


def block(path: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = schema()
    for step in path:
        found = found[step]
    return found


def test_the_published_schema_is_current() -> None:
    assert json.loads(PUBLISHED.read_text()) == schema()


def test_the_example_names_the_schema_in_its_first_line() -> None:
    assert EXAMPLE.splitlines()[0] == f"# yaml-language-server: $schema={PUBLISHED.name}"


@pytest.mark.parametrize("place", sorted(set(PLACES) & set(BLOCKS)))
def test_the_schema_knows_the_keys_that_the_loader_knows(place: str) -> None:
    found = block(BLOCKS[place])
    families = {"field.NAME"} if found.get("patternProperties") else set()
    assert {*found["properties"], *families} == set(known_keys(PLACES[place]))
