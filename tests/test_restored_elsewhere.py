"""A backup that is restored into an empty folder: what is missing there is said, and not made anew in silence."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.cli import cli

LOOKING = ["status", "queue", "hooks list", "doctor", "audit", "why https://a.example/", "backup again.db"]


def run(command: str) -> Result:
    return CliRunner().invoke(cli, command.split())


def address(name: str) -> str:
    return str(json.loads(run(f"hooks add {name} --json").stdout)["secret"])


@pytest.fixture
def moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two hooks were added, a backup was made, and the data folder is gone but for its key, which lies in `old`."""
    monkeypatch.chdir(tmp_path)
    run("add https://a.example/")
    for name in ("shop", "news"):
        assert address(name)
    said = run("backup kept.db").output
    assert "data/token" in said
    assert "data/hooks.key" in said
    (tmp_path / "data").rename(tmp_path / "old")
    return tmp_path


SAID = "2 hooks need the file hooks.key of the old folder; or “hooks add” them anew: news, shop"


def in_one_line(result: Result) -> str:
    return " ".join(result.output.split())


def test_the_restore_the_doctor_and_the_status_say_which_key_is_missing(moved: Path) -> None:
    del moved
    said = run("restore kept.db").output.splitlines()
    assert said[0].startswith("restored from kept.db: 1 link, 1 item on the lists")
    assert said[1:] == ["what was there before: nothing", SAID]
    assert SAID in in_one_line(run("status"))
    doctor = run("doctor")
    assert (doctor.exit_code, SAID in in_one_line(doctor)) == (1, True)


@pytest.mark.parametrize("command", LOOKING)
def test_looking_makes_no_key_no_token_and_no_ballast(moved: Path, command: str) -> None:
    run("restore kept.db")
    assert run(command).exception is None or command == "doctor"
    assert not {"hooks.key", "token", "ballast"} & {path.name for path in (moved / "data").iterdir()}


def test_the_old_key_opens_the_hooks_again(moved: Path) -> None:
    run("restore kept.db")
    run("add https://b.example/")
    assert not (moved / "data" / "hooks.key").exists()
    shutil.copy(moved / "old" / "hooks.key", moved / "data" / "hooks.key")
    assert SAID not in in_one_line(run("status"))
    assert {"/hooks/shop", "/hooks/news"} <= set(run("hooks list").output.split())


def test_a_hook_that_is_added_anew_works_and_the_others_are_still_told(moved: Path) -> None:
    run("restore kept.db")
    assert address("shop")
    assert (moved / "data" / "hooks.key").exists()
    assert "1 hook needs the file hooks.key of the old folder" in in_one_line(run("status"))
    assert "/hooks/shop" in run("hooks list").output
    assert run("hooks remove news").exit_code == 0
    assert "hooks.key" not in run("status").output


def test_another_key_in_the_folder_is_told_too(moved: Path) -> None:
    run("restore kept.db")
    (moved / "data" / "hooks.key").write_text("0" * 32)
    assert SAID in in_one_line(run("status"))


def test_hooks_of_a_database_that_knows_no_key_belong_to_the_one_that_is_there(moved: Path) -> None:
    """As an earlier version left them."""
    run("restore kept.db")
    with closing(sqlite3.connect(moved / "data" / "bridge.db")) as database, database:
        [written] = database.execute("SELECT value FROM progress WHERE scope = 'hooks'").fetchone()
        entries = json.loads(written)
        for entry in entries.values():
            del entry["secret"]["key"]
        database.execute("UPDATE progress SET value = ? WHERE scope = 'hooks'", (json.dumps(entries),))
    assert SAID in in_one_line(run("status"))
    shutil.copy(moved / "old" / "hooks.key", moved / "data" / "hooks.key")
    run("add https://b.example/")
    assert SAID not in in_one_line(run("status"))
    (moved / "data" / "hooks.key").unlink()
    address("third")
    assert "2 hooks need" in in_one_line(run("status"))
