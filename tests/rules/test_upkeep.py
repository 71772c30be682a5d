"""`keep` and `notify`: what may stand there, and what is said when something else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.declared import notify_address
from bridge.errors import ConfigError
from bridge.rules import TROUBLES, Keep, Notify, load

DAY = 86400.0


def test_without_them_everything_is_as_usual() -> None:
    rule_file = load("rules: []", name="x")
    assert (rule_file.keep, rule_file.notify) == (Keep(), Notify())
    assert rule_file.notify.about == TROUBLES
    assert min(Keep().facts, Keep().trash) >= 30 * DAY


def test_what_is_not_said_stays_as_usual() -> None:
    found = load("keep: {facts: 52w, captures: 1d}", name="x").keep
    assert (found.facts, found.captures, found.attempts) == (364 * DAY, DAY, Keep().attempts)
    assert found.shortest == DAY


@pytest.mark.parametrize(
    ("written", "telegram"),
    [("true", True), ("false", False), ("no", False), ("42", (42,)), ("[42, -1001]", (42, -1001))],
)
def test_who_is_told_by_telegram(written: str, telegram: object) -> None:
    assert load(f"notify: {{telegram: {written}}}", name="x").notify.telegram == telegram


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keep: {facts: 29d}", "“facts” in “keep” is shorter than 30d"),
        ("keep: {trash: 1w}", "“trash” in “keep” is shorter than 30d"),
        ("keep: {attempts: 5h}", "“attempts” in “keep” is shorter than 1d"),
        ("keep: {attempts: ever}", "“attempts” in “keep” is no duration: “ever”"),
        ("notify: {telegram: ann}", "“telegram” in “notify” is no chat: “ann”"),
        ("notify: {webhook: nowhere}", "“webhook” in “notify”"),
        ("notify: {webhook: {env: A, file: B}}", "has both “env” and “file”"),
        ("notify: {about: weather}", "nobody looks for “weather”"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(text, name="rules.yaml")
    assert message in str(refused.value)
    assert str(refused.value).startswith("rules.yaml:1:")


def test_the_webhooks_address_may_be_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text("https://ntfy.example/secret\n")
    monkeypatch.setenv("NOTIFY_URL", "https://env.example/secret")
    for written, address in (
        ("https://plain.example/", "https://plain.example/"),
        ("{env: NOTIFY_URL}", "https://env.example/secret"),
        (f"{{file: {tmp_path / 'url'}}}", "https://ntfy.example/secret"),
    ):
        assert notify_address(load(f"notify: {{webhook: {written}}}", name="x")) == address
    assert notify_address(load("", name="x")) == ""
    monkeypatch.delenv("NOTIFY_URL")
    with pytest.raises(ConfigError, match="NOTIFY_URL is not set"):
        notify_address(load("notify: {webhook: {env: NOTIFY_URL}}", name="x"))
