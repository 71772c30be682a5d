"""One process owns the data folder; commands reach it over its socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge import control
from bridge.errors import BridgeError, ConfigError


async def handle(command: str, arguments: Mapping[str, Any]) -> Any:
    if command == "fail":
        raise ConfigError("there is no connection “x”")
    if command == "crash":
        raise ZeroDivisionError
    return {"command": command, **arguments}


async def asked(data: Path, command: str, arguments: Mapping[str, Any]) -> Any:
    serving = asyncio.create_task(control.serve(data, handle))
    try:
        while not (data / control.SOCKET).exists():
            await asyncio.sleep(0)
        return await asyncio.to_thread(control.ask, data, command, arguments)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_a_command_reaches_the_running_process(tmp_path: Path) -> None:
    assert await asked(tmp_path, "add", {"url": "ü"}) == {"command": "add", "url": "ü"}
    assert not (tmp_path / control.SOCKET).exists()


async def test_an_error_keeps_its_words(tmp_path: Path) -> None:
    with pytest.raises(BridgeError, match="no connection “x”"):
        await asked(tmp_path, "fail", {})


async def test_wrong_use_is_wrong_use_also_where_a_process_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no connection “x”"):
        await asked(tmp_path, "fail", {})
    with pytest.raises(BridgeError) as failed:
        await asked(tmp_path, "crash", {})
    assert not isinstance(failed.value, ConfigError)


async def test_a_bug_in_a_command_is_an_answer_too_and_the_process_lives_on(tmp_path: Path) -> None:
    with pytest.raises(BridgeError, match="its log says why"):
        await asked(tmp_path, "crash", {})
    assert await asked(tmp_path, "status", {}) == {"command": "status"}


async def test_a_folder_with_a_long_path_works_too(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    assert await asked(deep, "status", {}) == {"command": "status"}


def test_nobody_runs_when_there_is_no_socket(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError):
        control.ask(tmp_path, "status", {})


def test_a_second_process_is_refused_and_told_who_runs(tmp_path: Path) -> None:
    with (
        control.own(tmp_path),
        pytest.raises(control.Running, match="another pocket-bridge .process [0-9]+. is running"),
    ):
        control.own(tmp_path).__enter__()
    with control.own(tmp_path):
        pass


def test_a_new_data_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    with control.own(tmp_path / "data"):
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("holds", "mode"), [("letter.txt", 0o755), ("bridge.db", 0o700), (None, 0o700)])
def test_a_folder_that_holds_other_things_keeps_its_permissions(tmp_path: Path, holds: str | None, mode: int) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o755)
    if holds:
        (folder / holds).touch()
    for _ in range(2):
        with control.own(folder):
            assert folder.stat().st_mode & 0o777 == mode


def test_it_can_be_told_whether_a_process_owns_the_folder(tmp_path: Path) -> None:
    assert not control.runs(tmp_path)
    with control.own(tmp_path):
        assert control.runs(tmp_path)
    assert not control.runs(tmp_path)
