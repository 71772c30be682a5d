"""Kills the real process while somebody asks the bot for something, and looks whether it was done, and done once.

Ann has saved three links. She asks to tag one, to send one to another service as well and to take one back, and says the
last one anew: four updates. The process ends itself, hard, at one named point; another one finishes.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bridge.web.server import listen
from tests.bot_api import TOKEN, BotApi, message
from tests.house import Second
from tests.loopback import serve
from tests.reliability.nursery import Life, Nursery, Process
from tests.reliability.points import Trap
from tests.reliability.world import ANN, OWNER_TOKEN

TAGGED, SENT, TAKEN = (f"https://example.com/{name}" for name in ("tagged", "sent", "taken"))
RULES = """
destinations:
  second: {{type: pocket, base_url: "{second}", consumer_key: 1-second, access_token: {{file: "{secret}"}}}}
"""
PATIENCE = 60.0
LOOK = 0.02


@dataclass(frozen=True, slots=True)
class Outcome:
    """What there is in the end. `asked`: requests and how many have an answer; `tag_notes`: so often the tag was new."""

    listed: dict[str, list[str]]
    sent: list[str]
    asked: tuple[int, int]
    tag_notes: int


WANTED = Outcome(listed={TAGGED: ["late"], SENT: [], TAKEN: ["again"]}, sent=[SENT], asked=(3, 3), tag_notes=1)


@dataclass(slots=True)
class Chat:
    """Ann's chat with the bot, and the process behind it."""

    folder: Path
    port: int
    bot: BotApi
    bot_origin: str
    second: Second

    def environment(self) -> dict[str, str]:
        return {
            "BRIDGE_DATA": str(self.folder / "data"),
            "BRIDGE_RULES": str(self.folder / "rules.yaml"),
            "BRIDGE_PAGES": "off",
            "BRIDGE_LISTEN": f"127.0.0.1:{self.port}",
            "BRIDGE_TOKEN": OWNER_TOKEN,
            "BRIDGE_TELEGRAM_TOKEN": TOKEN,
            "BRIDGE_TELEGRAM_API": self.bot_origin,
            "BRIDGE_TELEGRAM_ALLOW": str(ANN),
            "BRIDGE_LIMIT_USER": "1000000",
        }

    def life(self, trap: Trap | None = None, without: str = "") -> Life:
        return Life(self.environment(), str(self.folder / "log"), trap, without)

    @property
    def database(self) -> Path:
        return self.folder / "data" / "bridge.db"

    def says(self) -> None:
        for number, url in enumerate((TAGGED, SENT, TAKEN)):
            self.bot.receive(message(url, message_id=1 + number))

    def asks(self) -> None:
        """Three requests, each as an answer to one of her messages, and the last link once more."""
        for number, words in enumerate(("/tag late", "/to second", "/undo")):
            about = message("x", message_id=1 + number)
            self.bot.receive(message(words, message_id=11 + number, reply_to_message=about))
        self.bot.receive(message(f"{TAKEN} #again", message_id=20))

    def waits(self) -> bool:
        """Whether anything is yet to be done."""
        if self.bot.pending:
            return True
        with self._read() as rows:
            [new] = rows("SELECT count(*) FROM arrival WHERE state = 'new'")
            [due] = rows("SELECT count(*) FROM request WHERE answer = ''")
            [open_] = rows("SELECT count(*) FROM delivery WHERE state NOT IN ('delivered', 'cancelled')")
        return bool(new + due + open_)

    async def outcome(self) -> Outcome:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False) as client:
            asked = {"consumer_key": "1-k", "access_token": OWNER_TOKEN, "state": "all", "detailType": "complete"}
            listed = (await client.post("/v3/get", json=asked)).raise_for_status().json()["list"]
        with self._read() as rows:
            [requests] = rows("SELECT count(*) FROM request")
            [answered] = rows("SELECT count(*) FROM request WHERE answer <> ''")
            [notes] = rows("SELECT count(*) FROM sighting WHERE state = 'duplicate' AND tags = '[\"late\"]'")
        items = {item["given_url"]: sorted(item.get("tags", {})) for item in (listed.values() if listed else ())}
        return Outcome(
            listed={url: items[url] for url in (TAGGED, SENT, TAKEN) if url in items},
            # An add that comes twice, since the process died before it had the answer, has the effect of one there.
            sent=sorted({action["url"] for action in self.second.actions if action["action"] == "add"}),
            asked=(requests, answered),
            tag_notes=notes,
        )

    @contextlib.contextmanager
    def _read(self) -> Iterator[Any]:
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            yield lambda sql: connection.execute(sql).fetchone()


@contextlib.asynccontextmanager
async def a_chat(folder: Path) -> AsyncIterator[Chat]:
    bot, second = BotApi(second=0.01), Second()
    async with serve(bot) as bot_origin, serve(second.app) as second_origin:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "secret").write_text("second's secret", "utf-8")
        (folder / "rules.yaml").write_text(RULES.format(second=second_origin, secret=folder / "secret"), "utf-8")
        with listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        yield Chat(folder, port, bot, bot_origin, second)


async def prepared(nursery: Nursery, folder: Path) -> None:
    """A data folder in which Ann has saved three links, for any number of chats to begin with."""
    async with a_chat(folder) as chat:
        chat.says()
        await _until_done(nursery, chat, await nursery.begin(chat.life()), stop=True)


async def killed_at(
    nursery: Nursery, before: Path, folder: Path, point: str, passage: int, *, without: str = ""
) -> tuple[bool, Outcome]:
    """Whether it was killed there, and what there is after another life without a kill."""
    async with a_chat(folder) as chat:
        shutil.copytree(before / "data", folder / "data")
        chat.says()  # Telegram may give again what it has given: it is known
        chat.asks()
        note = folder / "note"
        process = await nursery.begin(chat.life(Trap(point, passage, str(note)), without))
        await _until_done(nursery, chat, process, note=note)
        process.kill()
        await nursery.ended(process)
        process = await nursery.begin(chat.life(without=without))
        await _until_done(nursery, chat, process)
        outcome = await chat.outcome()
        process.terminate()
        await nursery.ended(process)
        return note.exists(), outcome


async def _until_done(
    nursery: Nursery, chat: Chat, process: Process, *, note: Path | None = None, stop: bool = False
) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and not (note and note.exists()):
        with contextlib.suppress(sqlite3.OperationalError):
            if not chat.waits():
                break
        await asyncio.sleep(LOOK)
    if stop:
        process.terminate()
        await nursery.ended(process)
