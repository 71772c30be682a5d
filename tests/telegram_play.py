"""A conversation with the bot, played against a whole bridge and a Bot API server with Telegram's rules.

python -m tests.telegram_play            # prints it as a transcript
python -m tests.telegram_play --write    # writes it into docs/telegram.md, and its beginning into README.md
"""

from __future__ import annotations

import asyncio
import html
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bridge.sources.telegram.text import day
from tests.bot_api import BotApi, message
from tests.house import a_house, eventually

RULES = """
destinations:
  second:
    type: pocket
    base_url: {second}
    consumer_key: 1-second
    access_token: {{file: {secret}}}

rules:
  - name: python
    if: {{domain: python.example}}
    then: {{tag: python}}
  - name: no-ads
    if: {{text: sponsored}}
    then: {{drop: advertising}}
"""

SHOWN_DAY = "3 May 2026"
"""Stands in the transcript for the day it was played."""

Place = tuple[int, int]


class Play:
    """Ann writes and presses; what the bot does is awaited and written down."""

    def __init__(self, bot: BotApi) -> None:
        self.lines: list[str] = []
        self._bot = bot
        self._number = 100
        self._toasts = 0

    async def ann(self, text: str, answering: str = "", **fields: Any) -> int:
        """Ann sends a message; answers its number."""
        self._number += 1
        self._bot.receive(message(text, message_id=self._number, **fields))
        self._write("Ann", f"{answering}{text}")
        return self._number

    async def ann_edits(self, number: int, text: str) -> None:
        self._bot.receive(message(text, message_id=number), kind="edited_message")
        self._write("Ann", f"(edits it) {text}")

    async def ann_sends_pictures(self, caption: str, count: int) -> dict[str, Any]:
        """An album: several messages that belong together, the words on the second one. Answers the first."""
        album: dict[str, Any] = {"message_id": self._number + 1, "media_group_id": "7", "photo": [{"file_id": "x"}]}
        for place in range(count):
            self._number += 1
            words = message(caption) if place == 1 else {"text": "", "entities": []}
            picture: dict[str, Any] = (
                {"caption": words["text"], "caption_entities": words["entities"]} if words["text"] else {}
            )
            self._bot.receive(message(**(album | {"message_id": self._number} | picture)))
        self._write("Ann", f"({count} pictures) {caption}")
        return message(**album)

    async def ann_presses(self, label: str) -> None:
        self._bot.press(label)
        self._write("Ann", f"(presses [{label}])")

    async def eve(self, text: str) -> None:
        """A stranger writes."""
        eve = {"id": 666, "is_bot": False, "first_name": "Eve"}
        self._bot.receive(message(text, **{"from": eve, "chat": {"id": 666, "type": "private"}}))
        self._write("Eve", text)

    async def the_bot_is_silent(self) -> None:
        async def heard() -> bool:
            return not self._bot.pending

        before = dict(self._bot.sent)
        await eventually(heard)
        assert self._bot.sent == before
        self._write("Bot", "(says nothing)")

    async def bot_says(self, beginning: str) -> Place:
        """The bot's newest answer, as soon as it begins like this; answers where it stands."""

        async def said() -> bool:
            return bool(self._bot.sent) and self._newest().startswith(beginning)

        await eventually(said)
        place = next(reversed(self._bot.sent))
        self._write("Bot", self._newest())
        self._write_buttons(place)
        return place

    async def bot_changes(self, place: Place, beginning: str) -> None:
        """An answer that stands there is changed, and begins like this now."""

        async def changed() -> bool:
            return plain(self._bot.sent[place]).startswith(beginning)

        await eventually(changed)
        self._write("Bot", f"(changes its answer) {plain(self._bot.sent[place])}")
        self._write_buttons(place)

    async def bot_offers(self, place: Place, label: str) -> None:
        async def offered() -> bool:
            return label in self._bot.labels(place)

        await eventually(offered)
        self._write_buttons(place)

    async def bot_pops_up(self, words: str) -> None:
        async def popped() -> bool:
            return any(words in toast for toast in self._bot.toasts[self._toasts :])

        await eventually(popped)
        self._toasts = len(self._bot.toasts)
        self._write("Bot", f"(over the button) {self._bot.toasts[-1]}")

    def _newest(self) -> str:
        return plain(self._bot.sent[next(reversed(self._bot.sent))])

    def _write(self, who: str, words: str) -> None:
        first, *more = words.replace(day(time.time()), SHOWN_DAY).split("\n")
        self.lines += [f"{who}  {first}", *(f"     {line}" for line in more)]

    def _write_buttons(self, place: Place) -> None:
        if labels := self._bot.labels(place):
            self.lines.append("     " + " ".join(f"[{label}]" for label in labels))


async def conversation(play: Play) -> None:
    """The script."""
    first = await play.ann("worth reading 👍 https://python.example/pep #later")
    await play.bot_says("Saved to reading")

    await play.ann_edits(first, "worth reading 👍 https://python.example/pep #later and https://tea.example/green")
    await play.bot_says("Saved to reading: https://tea.example/green")

    await play.ann("https://python.example/pep?utm_source=chat #typing")
    await play.bot_says(f"Already saved on {day(time.time())}, 1 tag added")

    album = await play.ann_sends_pictures("the harbour, see https://sea.example/harbour", 3)
    harbour = answer = await play.bot_says("Saved to reading: https://sea.example/harbour")

    await play.ann_presses("Tags")
    await play.bot_offers(answer, "typing")
    await play.ann_presses("later")
    await play.bot_pops_up("1 tag added: #later")
    await play.bot_changes(answer, "Saved to reading: https://sea.example/harbour #later")

    await play.ann("sponsored: https://shop.example/buy")
    await play.bot_says("Dropped by rule no-ads (advertising)")

    await play.ann("!second for the train https://slow.example/essay")
    answer = await play.bot_says("Saved to second")
    await play.ann_presses("Undo")
    await play.bot_pops_up("Stays in second, where only you can remove it")

    await play.ann("/undo", "(answering the pictures) ", reply_to_message=album)
    await play.bot_says("Taken back from reading")
    await play.bot_changes(harbour, "Taken back from reading")

    await play.ann("/why https://sea.example/harbour")
    await play.bot_says("https://sea.example/harbour")

    await play.ann("how are you?")
    await play.bot_says("No link found")

    await play.eve("https://stranger.example/")
    await play.the_bot_is_silent()


async def transcript() -> str:
    """Plays it and answers what was said."""
    with tempfile.TemporaryDirectory() as folder:
        async with a_house(Path(folder), rules=RULES, feeds={}) as house:
            play = Play(house.bot)
            await conversation(play)
    return "\n".join(play.lines) + "\n"


def plain(text: str) -> str:
    """Telegram's HTML as a person sees it."""
    return html.unescape(re.sub("<[^>]+>", "", text))


def beginning(played: str, turns: int = 4) -> str:
    """The first few turns of the person who writes."""
    lines = played.splitlines(keepends=True)
    hers = [number for number, line in enumerate(lines) if line.startswith("Ann")]
    return "".join(lines[: hers[turns]])


def shown(document: Path) -> str:
    """The transcript as it stands in a document."""
    return _MARKED.split(document.read_text("utf-8"))[2]


def write(document: Path, played: str) -> None:
    before, mark, _, end, after = _MARKED.split(document.read_text("utf-8"))[:5]
    document.write_text(f"{before}{mark}{played}{end}{after}", "utf-8")


ROOT = Path(__file__).resolve().parents[1]
README, DOCUMENT = ROOT / "README.md", ROOT / "docs" / "telegram.md"
_MARKED = re.compile(r"(<!-- the play -->\n```\n)(.*?)(```\n)", re.DOTALL)


def main() -> None:
    played = asyncio.run(transcript())
    if sys.argv[1:] == ["--write"]:
        write(DOCUMENT, played)
        write(README, beginning(played))
    else:
        print(played, end="")


if __name__ == "__main__":
    main()
