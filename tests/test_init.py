"""`pocket-bridge init`: the bot's owner writes to it, says yes, and can run."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.cli import cli
from bridge.settings import load_settings
from tests.bot_api import TOKEN, BotApi, message
from tests.loopback import serve

EVE = {"id": 666, "is_bot": False, "first_name": "Eve"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def typed(bot_api: BotApi, words: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    async with serve(bot_api) as origin:
        monkeypatch.setenv("BRIDGE_TELEGRAM_API", origin)
        return await asyncio.to_thread(CliRunner().invoke, cli, ["init"], input=words)


async def test_the_owner_writes_to_the_bot_and_is_on_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("BRIDGE_TZ=Europe/Berlin\nBRIDGE_TELEGRAM_TOKEN=1:old\n", "utf-8")
    bot_api = BotApi()
    bot_api.receive(message("hi", **{"from": EVE, "chat": {"id": 666, "type": "private"}}))
    bot_api.receive(message("https://example.com/first"))
    result = await typed(bot_api, f"{TOKEN}\nn\ny\ny\n", monkeypatch)
    assert result.exit_code == 0, result.output
    assert "Eve wrote to it (id 666)" in result.output
    assert "Ann wrote to it (id 42)" in result.output
    settings = load_settings()
    assert settings.telegram_token.get_secret_value() == TOKEN
    assert settings.telegram_allow == {42: ""}
    assert settings.tz == "Europe/Berlin"
    assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600
    assert len(bot_api.pending) == 2, "the first link is still there for `run`"
    assert TOKEN not in result.output


async def test_without_a_yes_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    bot_api = BotApi()
    bot_api.receive(message("hi"))
    result = await typed(bot_api, f"{TOKEN}\ny\nn\n", monkeypatch)
    assert result.exit_code == 0
    assert not Path(".env").exists()


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("4242:AAsomebody-elses", "Telegram does not accept this token"),
        ("hello", "is not a bot's token"),
    ],
)
async def test_a_wrong_token_is_said_and_not_repeated(token: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = await typed(BotApi(), f"{token}\n", monkeypatch)
    assert result.exit_code == 2
    assert words in result.output
    assert token not in result.output
