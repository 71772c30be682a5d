"""The bot's token as a canary: a whole process at DEBUG, through all kinds of trouble, writes it nowhere."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.bot_api import TOKEN, BotApi, message
from tests.loopback import serve

SECRET = TOKEN.partition(":")[2]

# The same process with both protections off: the words of Telegram are passed on, and the log strikes nothing out.
CARELESS = """
from bridge import logs
from bridge.cli import main
from bridge.sources.telegram.api import BotApi
careful = logs.start
logs.start = lambda level, secrets: careful(level, [])
BotApi._redacted = lambda self, text: text
main()
"""


def troubled() -> BotApi:
    """Answers its first calls as a server does that repeats what it was asked."""
    bot = BotApi(second=0.01)
    said = f"Forbidden: no such bot as /bot{TOKEN}/getMe"
    bot.trouble(403, {"ok": False, "error_code": 403, "description": said}, times=2)  # the second is told at DEBUG
    bot.trouble(502, f"<html>cannot reach https://api.telegram.example/bot{TOKEN}/deleteWebhook</html>")
    bot.receive(message("https://example.com/canary"))
    return bot


async def written_by(program: Sequence[str], folder: Path, bot: BotApi) -> str:
    """All that a process and two commands beside it have printed and left behind, until the message was answered."""
    async with serve(bot) as origin:
        given = {
            "DATA": str(folder / "data"),
            "LISTEN": "127.0.0.1:0",
            "LOG_LEVEL": "DEBUG",
            "TOKEN": "owners-own-token",
        }
        given |= {"TELEGRAM_TOKEN": TOKEN, "TELEGRAM_API": origin, "TELEGRAM_ALLOW": "42"}
        environment = {**os.environ, **{f"BRIDGE_{name}": value for name, value in given.items()}}
        with (folder / "log").open("wb") as log:
            begin = partial(
                asyncio.create_subprocess_exec,
                sys.executable,
                *program,
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=log,
            )
            process = await begin("run")
            async with asyncio.timeout(120):
                while not bot.sent:
                    await asyncio.sleep(0.05)
            for command in (["status", "--json"], ["why", "https://example.com/canary", "--json"]):
                beside = await begin(*command)
                assert await beside.wait() == 0
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    left = [path.read_bytes() for path in (folder / "data").iterdir() if path.is_file()]
    return b"\n".join([(folder / "log").read_bytes(), *left]).decode("utf-8", "replace")


async def test_the_token_is_written_nowhere(tmp_path: Path) -> None:
    bot = troubled()
    written = await written_by(["-m", "bridge"], tmp_path, bot)
    assert "no such bot as /bot4242:…/getMe" in written, "what Telegram said is told, but for the secret"
    assert '"level": "DEBUG"' in written
    assert "https://example.com/canary" in written
    assert SECRET not in written


async def test_without_its_protections_the_token_is_found(tmp_path: Path) -> None:
    assert SECRET in await written_by(["-c", CARELESS], tmp_path, troubled())
