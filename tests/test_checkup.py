"""What the doctor knows of SQLite, and of a bridge that runs or does not come up."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge import checkup, control
from bridge.cli import cli


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("3.40.1", "note"),
        ("3.44.5", "note"),
        ("3.44.6", "ok"),
        ("3.45.0", "note"),
        ("3.50.6", "note"),
        ("3.50.7", "ok"),
        ("3.51.2", "note"),
        ("3.51.3", "ok"),
        ("3.54.1", "ok"),
        ("4.0.0", "ok"),
    ],
)
def test_an_old_sqlite_is_taken_and_said(version: str, level: str) -> None:
    found = checkup._sqlite(version)
    assert found["level"] == level
    assert version in found["what"]


def test_a_process_that_owns_the_folder_and_does_not_answer_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with control.own(tmp_path / "data"):
        findings = checkup.examine()["findings"]
    wrong = [finding["what"] for finding in findings if finding["level"] == "wrong"]
    assert len(wrong) == 1
    assert "is running on data" in wrong[0]


def test_a_socket_that_was_left_behind_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with control.own(tmp_path / "data"):
        (tmp_path / "data" / control.SOCKET).touch(mode=0o600)
    findings = checkup.examine()["findings"]
    assert not [finding for finding in findings if finding["level"] == "wrong"]
    assert any("was left by a process that is gone" in finding["what"] for finding in findings)


def test_a_rule_that_tells_nobody_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rule = "rules: [{name: papers, if: {domain: arxiv.org}, then: {notify: true}}]\n"
    said = []
    for more in ("", "notify: {webhook: 'https://ntfy.example/me'}\n"):
        (tmp_path / "rules.yaml").write_text(rule + more)
        findings = checkup.examine()["findings"]
        said.append([finding["what"] for finding in findings if finding["level"] == "wrong"])
    assert said == [["the rule “papers” says notify, but there is no way to tell you"], []]


def test_a_broken_rule_file_is_said_once_also_when_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(cli, ["add", "https://example.com/"])
    (tmp_path / "rules.yaml").write_text("rules: [{name: a, iff: {tag: b}, then: {tag: c}}]\n")
    findings = checkup.examine()["findings"]
    [wrong] = [finding["what"] for finding in findings if finding["level"] == "wrong"]
    assert "rules.yaml:1:19: unknown key “iff”" in wrong
    said = [finding["what"] for finding in findings]
    assert "the database is whole" in said
    assert "every connection and every source works" not in said
    assert any("were not looked at" in words for words in said)
