"""Commands that only look make nothing: not where no bridge ever was, and not in a folder that is empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from bridge.cli import cli

RULES = """
feeds: [{name: lwn, url: "https://lwn.example/feed"}]
hooks: [{name: shop, secret: {file: secret}}]
rules: [{name: papers, if: {domain: arxiv.org}, then: {tag: paper}}]
"""
OPML = '<opml version="2.0"><body><outline text="a" xmlUrl="https://a.example/feed"/></body></opml>'

NOTHING_YET = "there is no bridge in data yet: “pocket-bridge run” makes one"

# Each with what is to be in its answer where no bridge ever was, beside the rules above.
LOOKING = {
    "check": "1 rule, 1 feed",
    "doctor": "pocket-bridge run makes it",
    "status": NOTHING_YET,
    "list": NOTHING_YET,
    "queue": NOTHING_YET,
    "dead": NOTHING_YET,
    "audit": NOTHING_YET,
    "why https://a.example/": NOTHING_YET,
    "backup kept.db": NOTHING_YET,
    "export": NOTHING_YET,
    "try https://arxiv.org/1?": "#paper",
    "feeds list": "lwn",
    "feeds export": 'xmlUrl="https://lwn.example/feed"',
    "feeds doctor": NOTHING_YET,
    "feeds add --dry-run http://127.0.0.1:9/feed": "127.0.0.1",
    "feeds import --dry-run list.opml": "https://a.example/feed",
    "hooks list": "/hooks/shop",
    "hooks captured": NOTHING_YET,
    "hooks learn shop": "no pocket-bridge is running",
    "hooks learn shop --id 1": NOTHING_YET,
    "hooks bookmarklet": "javascript:",
    "users list": NOTHING_YET,
    "users tokens me": NOTHING_YET,
    "apps list": NOTHING_YET,
    "rules list": "papers",
    "rules explain https://arxiv.org/1": "#paper",
    "rules diff new.yaml": "no links came in",
    "rules apply": NOTHING_YET,
    "rules schema": "$schema",
    "trash list": NOTHING_YET,
    "held list": NOTHING_YET,
}

WRITING = {
    *("run", "init", "add", "import", "restore", "resume", "retry", "queue cancel", "queue move"),
    *("feeds add", "feeds change", "feeds remove", "feeds release", "feeds import"),
    *("hooks add", "hooks remove", "hooks replay", "login pocket"),
    *("users add", "users passwd", "users remove", "users token", "users revoke", "apps add", "apps remove"),
    *("rules apply", "trash rescue", "held send", "held give-up"),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "new.yaml").write_text("rules: []\n")
    (tmp_path / "list.opml").write_text(OPML)
    (tmp_path / "secret").write_text("0123456789abcdef0123456789abcdef")
    return tmp_path


def run(command: str) -> Result:
    return CliRunner().invoke(cli, command.split())


def names(group: click.Group, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from names(command, f"{before}{name} ")
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield f"{before}{name}"


def test_every_command_is_known_to_look_or_to_write() -> None:
    looking = {name for name in names(cli) if any(f"{line} ".startswith(f"{name} ") for line in LOOKING)}
    assert looking | WRITING == set(names(cli))


@pytest.mark.parametrize("there", ["no folder", "an empty folder", "a folder with a token of a login"])
@pytest.mark.parametrize("command", LOOKING)
def test_looking_makes_nothing_and_says_what_can_be_said(place: Path, command: str, there: str) -> None:
    if there != "no folder":
        (place / "data").mkdir(mode=0o700)
    if there == "a folder with a token of a login":
        (place / "data" / "pocket.token").write_text("x")
        (place / "data" / "pocket.token").chmod(0o600)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    result = run(command)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before
    assert LOOKING[command] in result.output
    assert result.exit_code == (1 if LOOKING[command] is NOTHING_YET else result.exit_code)
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", ["hooks list", "rules list", "rules explain https://arxiv.org/1", "feeds list"])
def test_that_only_the_rule_file_was_asked_is_said_to_people_and_not_to_scripts(place: Path, command: str) -> None:
    del place
    notice = "there is no bridge in data yet; this is what the rule file alone tells"
    assert notice in run(command).stderr
    scripted = run(f"{command} --json")
    assert (scripted.exit_code, scripted.stderr) == (0, "")


def test_the_control_a_command_that_writes_makes_the_folder(place: Path) -> None:
    assert run("add https://a.example/").exit_code == 0
    assert (place / "data" / "bridge.db").exists()
    assert "there is no bridge" not in run("hooks list").output


def test_looking_sends_nothing_that_waits(place: Path) -> None:
    run("add https://a.example/")
    with_gone = (
        'destinations: {there: {type: pocket, base_url: "http://127.0.0.1:9", consumer_key: a, access_token: b}}\n'
    )
    (place / "rules.yaml").write_text(f"{with_gone}defaults: {{to: [there]}}\n")
    run("add https://b.example/")
    before = run("why https://b.example/").stdout
    for command in ("hooks list", "rules explain https://b.example/", "rules diff new.yaml", "users list", "apps list"):
        assert run(command).exit_code == 0
    assert run("why https://b.example/").stdout == before
