"""What every source promises: a pure reader that ends in a reading or a reason, and a face that can be wired."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import BaseRoute

from bridge.errors import InvalidArrival
from bridge.link import canonical
from bridge.optional import READERS, Readers
from bridge.ports import Arrival, Key, Source
from bridge.settings import load_settings
from bridge.wiring import Bridge, open_bridge

# What a source's own inbox entry looks like, and the link in it.
SAMPLES = {
    "cli": {"url": "https://example.com/a", "title": "A", "tags": ["b"]},
    "feed": {
        "feed": "f",
        "url": "https://feed.example/",
        "tags": ["b"],
        "entry": {"id": "1", "link": "https://example.com/a", "title": "A", "tags": []},
    },
    "file": [{"url": "https://example.com/a", "title": "A", "tags": ["b"], "time_added": 1}],
    "hook": {
        "method": "POST",
        "path": "/hooks/h",
        "hook": "h",
        "query": "",
        "headers": {"content-type": "application/json"},
        "body": '{"url": "https://example.com/a"}',
    },
    "save": {
        "method": "POST",
        "path": "/save",
        "hook": "",
        "query": "",
        "headers": {"content-type": "application/x-www-form-urlencoded"},
        "body": "url=https%3A%2F%2Fexample.com%2Fa",
    },
    "pocket": {"url": "https://example.com/a", "title": "A", "tags": ["b"], "time": 0},
    "telegram": {
        "update_id": 1,
        "message": {
            "message_id": 1,
            "date": 1_790_000_000,
            "chat": {"id": 42, "type": "private", "first_name": "Ann"},
            "from": {"id": 42, "is_bot": False, "first_name": "Ann"},
            "text": "https://example.com/a",
            "entities": [{"type": "url", "offset": 0, "length": 21}],
        },
    },
}

# Where in it the words of others stand; the rest is what the source itself has written.
FOREIGN: dict[str, list[str]] = {
    "cli": ["url"],
    "feed": ["entry", "link"],
    "file": ["url"],
    "hook": ["body"],
    "save": ["body"],
    "pocket": ["url"],
    "telegram": [],
}

json_values: st.SearchStrategy[Any] = st.deferred(
    lambda: (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=20)
        | st.lists(json_values, max_size=3)
        | st.dictionaries(st.text(max_size=10), json_values, max_size=3)
    )
)


def arrival(source: str, raw: str) -> Arrival:
    return Arrival(source=source, channel="c", key=Key("s", "k"), raw=raw, id=1, received=1_790_000_000.0)


def mutated(sample: object, path: list[int], value: object) -> object:
    """The sample with something else at one place, found by counting along."""
    if not path or not isinstance(sample, dict | list) or not sample:
        return value
    keys = list(sample) if isinstance(sample, dict) else list(range(len(sample)))
    chosen: Any = keys[path[0] % len(keys)]
    inner = mutated(sample[chosen], path[1:], value)
    if isinstance(sample, dict):
        return {**sample, chosen: inner}
    return [inner if number == chosen else entry for number, entry in enumerate(sample)]


def test_every_source_has_a_sample() -> None:
    assert set(SAMPLES) == set(READERS)


@pytest.mark.parametrize("source", sorted(READERS))
def test_what_a_source_stores_it_can_read(source: str) -> None:
    reading = Readers()[source]([arrival(source, json.dumps(SAMPLES[source]))])
    assert [canonical(sighting.url) for sighting in reading.sightings] == ["https://example.com/a"]
    assert {sighting.source for sighting in reading.sightings} == {source}


@pytest.mark.parametrize("source", sorted(READERS))
def test_reading_is_pure(source: str) -> None:
    group = [arrival(source, json.dumps(SAMPLES[source]))]
    assert Readers()[source](group) == Readers()[source](group)


def with_words(sample: object, path: list[str], words: str) -> object:
    if isinstance(sample, list):
        return [with_words(part, path, words) for part in sample]
    if not path or not isinstance(sample, dict):
        return words
    return {**sample, path[0]: with_words(sample[path[0]], path[1:], words)}


def assert_read_or_refused(source: str, raw: object) -> None:
    try:
        reading = Readers()[source]([arrival(source, json.dumps(raw))])
    except InvalidArrival:
        return
    for sighting in reading.sightings:
        assert canonical(sighting.url)


@pytest.mark.parametrize("source", sorted(set(READERS) - {"telegram"}))
@given(words=st.text() | st.sampled_from(["javascript:alert(1)", "/etc/passwd", "http://", "https://a b/"]))
def test_any_words_are_read_or_refused_with_a_reason(source: str, words: str) -> None:
    assert_read_or_refused(source, with_words(SAMPLES[source], FOREIGN[source], words))


@given(path=st.lists(st.integers(0, 9), min_size=1, max_size=4), value=json_values)
def test_a_damaged_update_is_read_or_refused_with_a_reason(path: list[int], value: object) -> None:
    assert_read_or_refused("telegram", mutated(SAMPLES["telegram"], path, value))


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    (tmp_path / "rules.yaml").write_text("feeds:\n  - {name: f, url: 'https://feed.invalid/'}\n")
    settings = load_settings(
        data=tmp_path,
        rules=tmp_path / "rules.yaml",
        telegram_token="1:test",
        telegram_api="http://127.0.0.1:9",
        telegram_allow="42",
    )
    async with open_bridge(settings) as opened:
        yield opened


async def test_every_source_is_wired_and_can_be_mounted(bridge: Bridge) -> None:
    assert set(bridge.sources) == {"webhooks", "pocket", "feeds", "telegram"}
    for name, source in bridge.sources.items():
        assert source.name == name
        assert all(isinstance(route, BaseRoute) for route in source.routes)


@pytest.mark.parametrize("name", ["webhooks", "pocket", "feeds", "telegram"])
async def test_a_source_stops_when_it_is_cancelled(bridge: Bridge, name: str) -> None:
    source: Source = bridge.sources[name]
    running = asyncio.create_task(source.run())
    for _ in range(5):
        await asyncio.sleep(0)
    running.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await running
