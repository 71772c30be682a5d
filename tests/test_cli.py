"""The command line as a person meets it: words, JSON, exit codes."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.cli import cli

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments)

    return invoke


def test_a_link_added_by_hand_is_on_the_list_and_says_so(run: Run) -> None:
    result = run("add", "https://example.com/a", "-t", "A page", "-g", "Python", "-g", "web")
    assert (result.exit_code, result.output.splitlines()) == (
        0,
        ["saved: A page #python #web", "  reading      delivered"],
    )


def test_a_second_time_it_says_since_when_and_what_is_new(run: Run) -> None:
    run("add", "https://example.com/a", "-g", "one")
    result = run("add", "https://example.com/a#part", "-g", "two")
    assert re.match(r"already saved on \d+ \w+ \d{4}, new tags #two: https://example.com/a#part\n", result.output)


def test_what_is_no_address_is_refused_in_a_sentence(run: Run) -> None:
    result = run("add", "javascript:alert(1)")
    assert result.exit_code == 1
    assert "only http and https are saved" in result.output
    assert "Traceback" not in result.output


def test_a_dropped_link_says_which_rule_and_why_tells_it_later(run: Run, tmp_path: Path) -> None:
    rules = "rules:\n  - name: no-shops\n    if: {domain: shop.example}\n    then: {drop: advertising}\n"
    (tmp_path / "rules.yaml").write_text(rules)
    assert "dropped by rule no-shops (advertising)" in run("add", "https://shop.example/x").output
    told = run("why", "https://shop.example/x")
    assert told.exit_code == 0
    assert "domain is shop.example" in told.output
    assert "dropped by rule no-shops (advertising)" in told.output


def test_why_of_an_unknown_link_is_exit_1(run: Run) -> None:
    result = run("why", "https://nowhere.example/")
    assert (result.exit_code, "never saved" in result.output) == (1, True)


def test_why_of_an_imported_link_says_that_it_is_on_the_list(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("https://a.example/1\n")
    assert "1 added" in run("import", "list.txt").output
    result = run("why", "https://a.example/1")
    assert (result.exit_code, "is on the list since" in result.stdout) == (0, True)
    assert "never saved" not in result.stdout


def test_looking_while_nothing_runs_says_so_to_people_only(run: Run) -> None:
    notice = "pocket-bridge is not running; this is what lies in data"
    assert notice in run("status").stderr
    assert notice not in run("status", "--json").output


@pytest.mark.parametrize("typed", ["example.org/page", "www.example.org", "example.org:8443/?q=1"])
def test_an_address_typed_without_its_scheme_is_taken_as_https(run: Run, typed: str) -> None:
    result = run("add", typed)
    assert (result.exit_code, f"saved: https://{typed}" in result.output) == (0, True)
    assert run("why", typed).exit_code == 0


@pytest.mark.parametrize("typed", ["localhost", "example.org and more", "ann@example.org", "1.5", "ftp://example.org/"])
def test_what_may_be_no_address_gets_no_scheme(run: Run, typed: str) -> None:
    assert run("add", typed).exit_code == 1


@pytest.mark.parametrize("command", ["send", "give-up"])
def test_letting_go_what_is_not_held_fails(run: Run, command: str) -> None:
    result = run("held", command, "99")
    assert (result.exit_code, "1 of these numbers is not held" in result.output) == (1, True)


def test_an_empty_rule_file_is_a_rule_file(run: Run, tmp_path: Path) -> None:
    assert "there is no rule file" in run("check").output
    (tmp_path / "rules.yaml").touch()
    assert "ok  rules.yaml" in run("check").output


def test_the_example_file_works_as_it_is(run: Run, tmp_path: Path) -> None:
    example = Path(__file__).resolve().parents[1] / "rules.yaml.example"
    (tmp_path / "rules.yaml").write_text(example.read_text())
    assert run("check").exit_code == 0
    assert run("add", "https://arxiv.org/abs/1").output.startswith("saved: https://arxiv.org/abs/1 #paper")


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "https://example.com/", "--json"),
        ("why", "https://example.com/", "--json"),
        ("status", "--json"),
        ("check", "--json"),
        ("try", "read https://example.com/ now", "--json"),
        ("resume", "reading", "--json"),
        ("retry", "reading", "--json"),
    ],
)
def test_every_answer_is_there_for_scripts(run: Run, arguments: tuple[str, ...]) -> None:
    run("add", "https://example.com/")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)


def test_try_saves_nothing(run: Run, tmp_path: Path) -> None:
    result = run("try", "look: https://example.com/a #tag and https://example.org/b")
    assert result.exit_code == 0
    assert result.output.count("-> to reading #tag") == 2
    assert not (tmp_path / "data").exists()


def test_try_without_an_address_is_wrong_use(run: Run) -> None:
    assert run("try", "no link here").exit_code == 2


def test_a_broken_rule_file_stops_every_command_with_line_and_caret(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules:\n  - name: a\n    iff: {tag: b}\n    then: {tag: c}\n")
    for arguments in (("check",), ("run",), ("add", "https://example.com/")):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "rules.yaml:3:5: unknown key “iff”" in result.output
        assert "Did you mean “if”?" in result.output


def test_a_failing_test_in_the_rule_file_stops_it_too(run: Run, tmp_path: Path) -> None:
    rules = (
        "rules:\n  - name: a\n    if: {domain: a.example}\n    then: {tag: b}\n"
        "tests:\n  - item: {url: 'https://a.example/'}\n    expect: {tag: c}\n"
    )
    (tmp_path / "rules.yaml").write_text(rules)
    result = run("check")
    assert result.exit_code == 2
    assert "rules.yaml" in result.output


@pytest.mark.parametrize(
    ("destination", "words"),
    [
        ("{type: pockett, base_url: 'https://x.example'}", "no destination of type “pockett”"),
        ("{type: pocket, base_url: 'https://x.example'}", "needs “consumer_key”"),
        ("{type: pocket, base_url: x, consumer_key: a, access_token: b}", "must begin with http:// or https://"),
        ("{type: pocket, base_ur: 'https://x.example'}", "base_ur"),
        (
            "{type: pocket, base_url: 'https://x.example', consumer_key: {env: NOT_SET}, access_token: b}",
            "NOT_SET is not set",
        ),
        ("{type: no.such.module}", "no module “no.such.module”"),
    ],
)
def test_a_wrong_destination_is_told_at_its_place(run: Run, tmp_path: Path, destination: str, words: str) -> None:
    (tmp_path / "rules.yaml").write_text(f"destinations:\n  there: {destination}\n")
    result = run("check")
    assert result.exit_code == 2
    assert re.search(r"rules\.yaml:2:\d+: ", result.output), result.output
    assert words in result.output


def test_a_secret_in_the_rule_file_is_not_repeated(run: Run, tmp_path: Path) -> None:
    secret = "canary-7d1f"
    options = f"{{type: pocket, base_url: x, consumer_key: k, access_token: {secret}}}"
    (tmp_path / "rules.yaml").write_text(f"destinations:\n  there: {options}\n")
    assert secret not in run("check").output


def test_the_owner_s_token_is_made_once_for_the_owner_only_and_never_printed(run: Run, tmp_path: Path) -> None:
    output = run("add", "https://example.com/").output
    file = tmp_path / "data" / "token"
    token = file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(token) >= 32
    run("status")
    assert file.read_text().strip() == token
    assert token not in output


def test_an_unknown_connection_names_those_there_are(run: Run) -> None:
    result = run("resume", "pocket")
    assert (result.exit_code, "there are: reading" in result.output) == (2, True)


def test_a_database_that_is_none_is_said_with_its_path(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bridge.db").write_text("not a database " * 1000)
    result = run("status")
    assert result.exit_code == 2
    assert "bridge.db is not a usable database" in result.output
