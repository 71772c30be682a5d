"""What the doctor knows of SQLite, and of a bridge that runs or does not come up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge import checkup, control
from bridge.cli import cli
from bridge.gate import Gate
from bridge.upkeep.watch import of_connection, plain
from tests.test_service import Process, process

__all__ = ["process"]


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


def test_a_broken_file_while_it_runs_is_one_thing_and_a_restart_is_not_advised(process: Process) -> None:
    file = process.folder / "rules.yaml"
    file.write_text("rules: [{name: a, iff: {tag: b}, then: {tag: c}}]\n")
    process.wait_until_it_said("the old ones stay")
    found = json.loads(process.asked("doctor", "--json"))["findings"]
    [wrong] = [finding for finding in found if finding["level"] == "wrong"]
    assert "unknown key “iff”" in wrong["what"]
    assert wrong["mend"] == "mend it; a restart would be refused until then"
    assert process.restarted() == 2


def test_a_file_that_is_gone_may_be_gone_without_unless_a_variable_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gone = tmp_path / "rules.yaml"
    assert checkup._for_older(gone) == "put it back, or restart to go without it"
    monkeypatch.setenv("BRIDGE_RULES", str(gone))
    assert checkup._for_older(gone) == "put it back; a restart would be refused until then"


def test_a_destination_that_is_down_is_a_note_and_a_paused_one_is_to_be_mended() -> None:
    down = of_connection(Gate("second", because="no answer", not_before=9.0, failures=3), None, 1.0)
    paused = of_connection(Gate("second", state="paused", because="401"), None, 1.0)
    found = [*checkup._troubles([plain(each) for each in (*down, *paused)])]
    assert [finding["level"] for finding in found] == ["note", "wrong"]
    assert "pocket-bridge resume second tries it now" in found[0]["mend"]
