"""Wiring: rules that change while it runs, credentials that change between two runs, what is owed after a crash."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.link import Sighting
from bridge.ports import Arrival, Key, Read, Terms
from bridge.rules import Decision
from bridge.settings import Settings, load_settings
from bridge.tokens import owner_token
from bridge.wiring import open_bridge
from bridge.words.rules import rules_listed
from bridge.words.running import status as status_words

THERE = """
destinations:
  there:
    type: pocket
    base_url: https://list.example
    consumer_key: 1-there
    access_token: {{file: {token}}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data=tmp_path / "data", rules=tmp_path / "rules.yaml", token="t")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()


def write(settings: Settings, text: str) -> None:
    settings.rules.write_text(text)
    # Two writes within one tick of the file system's clock are two changes all the same.
    stat = settings.rules.stat()
    os.utime(settings.rules, ns=(stat.st_atime_ns, stat.st_mtime_ns + len(text)))


async def test_older_rules_are_told_as_such_until_the_file_is_right_again(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    right = "rules:\n  - name: first\n    then: {tag: a}\n"
    write(settings, right)
    async with open_bridge(settings) as bridge:

        async def told() -> str:
            await bridge.workers["rules"].step()
            listed, status = await bridge.desk.handle("rules_list", {}), await bridge.desk.handle("status", {})
            assert [rule["name"] for rule in listed["rules"]] == ["first"]
            assert listed["older"] == status["rules"]["older"]
            words = "\n".join(rules_listed(listed))
            assert ("older rules are in use since" in words) == ("older rules" in "\n".join(status_words(status)))
            return words

        assert "older rules" not in await told()
        write(settings, "rules:\n  - name: x\n    iff: {tag: b}\n")
        assert "unknown key “iff”" in await told()
        settings.rules.unlink()
        for _ in range(2):
            assert "there is no such file any more" in await told()
        assert caplog.text.count("there is no such file any more") == 1
        write(settings, right)
        assert "older rules" not in await told()


async def test_changed_rules_are_used_and_broken_ones_are_not(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    write(settings, "rules:\n  - name: first\n    then: {tag: a}\n")
    async with open_bridge(settings) as bridge:
        reload = bridge.workers["rules"]
        write(settings, "rules:\n  - name: second\n    then: {tag: b}\n  - name: third\n    then: {tag: c}\n")
        await reload.step()
        assert [rule.name for rule in bridge.intake.rule_file.rules] == ["second", "third"]
        write(settings, "rules:\n\t- broken\n")
        with caplog.at_level(logging.ERROR):
            await reload.step()
        assert [rule.name for rule in bridge.intake.rule_file.rules] == ["second", "third"]
        assert "the old ones stay" in caplog.text
        assert "rules.yaml:2:1" in caplog.text


async def test_a_failing_test_in_the_file_keeps_the_old_rules_too(settings: Settings) -> None:
    write(settings, "rules:\n  - name: first\n    then: {tag: a}\n")
    async with open_bridge(settings) as bridge:
        tests = "tests:\n  - item: {url: 'https://a.example/'}\n    expect: {tag: z}\n"
        write(settings, "rules:\n  - name: second\n    then: {tag: b}\n" + tests)
        await bridge.workers["rules"].step()
        assert [rule.name for rule in bridge.intake.rule_file.rules] == ["first"]


async def test_a_broken_rule_file_stops_the_start_before_the_database_is_made(settings: Settings) -> None:
    write(settings, "rules: 7\n")
    with pytest.raises(ConfigError, match="rules.yaml:1:8"):
        async with open_bridge(settings):
            pass
    assert not list(settings.data.iterdir())


async def test_a_pause_survives_a_restart_and_ends_with_a_new_credential(settings: Settings, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    write(settings, THERE.format(token=token))
    async with open_bridge(settings) as bridge:
        gate = await bridge.store.gate("there")
        await bridge.store.set_gate(replace(gate, state="paused", because="401"))
    async with open_bridge(settings) as bridge:
        assert (await bridge.store.gate("there")).state == "paused"
    token.write_text("new")
    async with open_bridge(settings) as bridge:
        assert (await bridge.store.gate("there")).state == "active"


async def test_what_was_being_sent_when_the_process_died_is_due_again(settings: Settings) -> None:
    async with open_bridge(settings) as bridge:
        await bridge.store.put([Arrival(source="cli", key=Key("s", "k"), raw="")])
        [arrival] = await bridge.store.due(1)
        wanted = (Sighting.of("https://a.example/", source="cli"), Decision(title="", tags=(), to=("reading",)))
        await bridge.store.take([Read(arrival, "read", "", [wanted])], "none")
        assert len(await bridge.store.lease(Terms(connection="reading", batch=10, idempotent=True))) == 1
    async with open_bridge(settings) as bridge:
        assert (await bridge.store.counts())["deliveries"] == {"reading": {"pending": 1}}


@pytest.mark.parametrize(("schemeless", "state"), [("sense", "read"), ("never", "empty")])
async def test_a_setting_says_how_telegram_is_read(settings: Settings, schemeless: str, state: str) -> None:
    chosen = load_settings(data=settings.data, rules=settings.rules, token="t", telegram_schemeless=schemeless)
    entity = {"type": "url", "offset": 0, "length": 13}
    written = {"message_id": 1, "chat": {"id": 42}, "text": "example.com/a", "entities": [entity]}
    async with open_bridge(chosen) as bridge:
        raw = json.dumps({"update_id": 1, "message": written})
        await bridge.store.put([Arrival(source="telegram", key=Key("s", "k"), raw=raw)])
        await bridge.intake.step()
        assert (await bridge.store.counts())["arrivals"] == {state: 1}


def test_an_empty_token_file_is_made_anew(settings: Settings) -> None:
    settings = load_settings(data=settings.data)
    (settings.data / "token").write_text("")
    assert len(owner_token(settings)) >= 32
