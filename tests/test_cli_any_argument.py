"""Whatever is given to a command is taken, or refused in a sentence: never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bridge.cli import cli

# What makes sense for an argument of this name, where not everything does.
RIGHT = {"url": "https://a.example/", "file": "rules.yaml", "base_url": "http://127.0.0.1:9", "to": "reading"}
WRONG = (
    "",
    "x",
    "-1",
    "nan",
    "1e99",
    "9" * 30,
    "²",
    "a" * 300,
    "folder",
    "bytes",
    "nowhere",
    "\x1b[31mred",
    "two\nlines",
)

# These wait for somebody or for something, or run until they are stopped.
WAITING = {"run", "init", "login pocket", "hooks learn"}


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


COMMANDS = {name: command for name, command in commands(cli) if name not in WAITING}


def tries(command: click.Command) -> Iterator[list[str]]:
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    right = [RIGHT.get(str(one.name), "1") for one in arguments]
    for wrong in WRONG:
        for place in range(len(right)):
            yield ["--", *right[:place], wrong, *right[place + 1 :]]
        for option in command.params:
            if isinstance(option, click.Option) and not option.is_flag:
                yield [option.opts[-1], wrong, "--", *right]


@pytest.mark.parametrize("name", COMMANDS)
def test_whatever_is_given_to_a_command_ends_in_no_traceback(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder").mkdir()
    (tmp_path / "rules.yaml").write_text("rules: []\n")
    assert CliRunner().invoke(cli, ["add", "https://a.example/"]).exit_code == 0
    for given in tries(COMMANDS[name]):
        result = CliRunner().invoke(cli, [*name.split(), *given], input="n\n")
        assert result.exception is None or isinstance(result.exception, SystemExit), given
        assert result.exit_code in (0, 1, 2)
        assert "\x1b[31mred" not in result.stderr, given
