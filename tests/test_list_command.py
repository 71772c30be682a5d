"""`pocket-bridge list`: what is on the embedded list, for people and for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.cli import cli

LONG = "https://example.com/articles/2026/a-rather-long-address-of-a-page-that-people-save/and-read.html"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    links = {
        "https://a.example/1": (1, "", ""),
        "https://a.example/2": (2, "A title " * 14, "later"),
        LONG: (3, "", "later"),
    }
    rows = [f"{title},{url},{1_700_000_000 + at},{tag},unread" for url, (at, title, tag) in links.items()]
    (tmp_path / "pocket.csv").write_text("\n".join(["title,url,time_added,tags,status", *rows, ""]))
    assert run("import", "pocket.csv").exit_code == 0
    return tmp_path


def listed(*arguments: str) -> list[str]:
    return [item["url"] for item in json.loads(run("list", "--json", *arguments).stdout)["items"]]


def test_the_newest_come_first_and_a_tag_chooses(saved: Path) -> None:
    del saved
    assert listed() == [LONG, "https://a.example/2", "https://a.example/1"]
    assert listed("--tag", "later") == [LONG, "https://a.example/2"]
    assert listed("--most", "1") == [LONG]


def test_people_see_lines_that_fit_and_that_there_are_more(saved: Path) -> None:
    del saved
    lines = run("list", "--most", "2").stdout.splitlines()
    assert lines[0].startswith("2023-11-14")
    assert lines[-1] == "… and 1 more; --most 3 shows more"
    assert [line for line in lines if len(line) > 80 and LONG not in line] == []
    assert any("#later" in line for line in lines)
    assert "more" not in run("list").stdout


def test_an_empty_list_and_a_tag_that_nothing_has_are_said(saved: Path) -> None:
    assert run("list", "--tag", "none").stdout == "nothing on the list has the tag “none”\n"
    (saved / "data").rename(saved / "other")
    run("users", "add", "ann", "--password-file", "pocket.csv")
    assert "the list is empty" in run("list").stdout


def test_a_broken_rule_file_hides_nothing(saved: Path) -> None:
    (saved / "rules.yaml").write_text("rules: nonsense\n")
    result = run("list")
    assert (result.exit_code, LONG in result.stdout) == (0, True)
