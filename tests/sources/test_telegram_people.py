"""Telegram for several people: each id has an account, and nobody sees or changes what is another's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.responses import Response

from bridge.cli import cli
from bridge.errors import ConfigError
from bridge.store.core import Store
from tests.bot_api import TOKEN, BotApi, Json, message
from tests.conftest import Clock
from tests.house import House, a_house, eventually
from tests.sources.test_telegram_conversation import Desk
from tests.telegram_play import plain

BEA, BEAS_CHAT = 77, -100155
RULES = """
destinations:
  second: {{type: pocket, base_url: "{second}", consumer_key: 1-second, access_token: {{file: "{secret}"}}}}
"""


def bea(text: str, **fields: Any) -> Json:
    person = {"id": BEA, "is_bot": False, "first_name": "Bea"}
    return message(text, **{"from": person, "chat": {"id": BEA, "type": "private"}} | fields)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    allow = f"42, {BEA}=bea, {BEAS_CHAT}=bea"
    async with a_house(tmp_path, rules=RULES, feeds={}, telegram_allow=allow) as opened:
        await opened.bridge.desk.handle("users-add", {"name": "bea", "password": "correct horse"})
        yield opened


async def items_of(house: House, account: str) -> dict[str, list[str]]:
    """What a Pocket client of an account's person sees: address -> tags."""
    made = await house.bridge.desk.handle("users-token", {"name": account, "consumer_key": ""})
    asked = {"consumer_key": "1-r", "access_token": made["access_token"], "state": "all", "detailType": "complete"}
    listed = (await house.http.post("/v3/get", json=asked)).json()["list"]
    return {item["given_url"]: sorted(item.get("tags", {})) for item in (listed.values() if listed else ())}


async def says(house: House, words: str, chat: int = BEA) -> tuple[int, int]:
    """Where the bot says, or said, something that begins like this."""

    def found() -> list[tuple[int, int]]:
        said = [(place, plain(text)) for place, text in house.bot.sent.items()]
        return [place for place, text in said if place[0] == chat and text.startswith(words)]

    async def said() -> bool:
        return bool(found())

    await eventually(said)
    return found()[-1]


async def test_each_has_their_own_list(house: House) -> None:
    house.bot.receive(message("https://example.com/both #anns"))
    house.bot.receive(message("https://example.com/ann", message_id=102))
    house.bot.receive(bea("https://example.com/both #beas", message_id=1))
    await says(house, "Saved to reading: https://example.com/ann", 42)
    await says(house, "Saved to reading: https://example.com/both #beas")
    assert await items_of(house, "me") == {"https://example.com/both": ["anns"], "https://example.com/ann": []}
    assert await items_of(house, "bea") == {"https://example.com/both": ["beas"]}


async def test_a_group_can_be_somebodys_and_people_in_it_keep_their_own(house: House) -> None:
    place = {"id": BEAS_CHAT, "type": "supergroup"}
    house.bot.receive(message("https://example.com/eve", chat=place, **{"from": {"id": 666, "first_name": "Eve"}}))
    house.bot.receive(message("https://example.com/ann", chat=place, message_id=2))
    await says(house, "Saved to reading: https://example.com/eve", BEAS_CHAT)
    await says(house, "Saved to reading: https://example.com/ann", BEAS_CHAT)
    assert list(await items_of(house, "bea")) == ["https://example.com/eve"]
    assert list(await items_of(house, "me")) == ["https://example.com/ann"]


@pytest.fixture
async def after_anns(house: House) -> House:
    """Ann has saved a link, and Bea one of hers; both were answered."""
    house.bot.receive(message("https://example.com/secret #anns"))
    house.bot.receive(bea("https://example.com/hers #beas", message_id=1))
    await says(house, "Saved to reading: https://example.com/secret", 42)
    await says(house, "Saved to reading: https://example.com/hers")
    return house


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("/why https://example.com/secret", "https://example.com/secret\nwas never saved"),
        ("/to second", "There is no connection “second”; there are: reading"),
        ("/to", "Connections: reading"),
    ],
)
async def test_what_is_asked_is_answered_of_ones_own(after_anns: House, asked: str, answer: str) -> None:
    after_anns.bot.receive(bea(asked, message_id=5))
    place = await says(after_anns, answer)
    assert plain(after_anns.bot.sent[place]) == answer


async def test_last_tags_and_status_tell_nothing_of_others(after_anns: House) -> None:
    after_anns.bot.receive(bea("/last", message_id=5))
    after_anns.bot.receive(bea("/status", message_id=6))
    own = await says(after_anns, "Saved to reading: https://example.com/hers")
    assert after_anns.bot.labels(own) == ["Undo", "Tags", "Why"]
    after_anns.bot.press("Tags", under=own, by={"id": BEA, "first_name": "Bea"})

    async def offered() -> bool:
        return "beas" in after_anns.bot.labels(own)

    await eventually(offered)
    assert after_anns.bot.labels(own) == ["beas", "« Back"]
    status = await says(after_anns, "Arrivals: ")
    assert plain(after_anns.bot.sent[status]).endswith("\nreading: 1 delivered; active")
    told = [plain(text) for (chat, _), text in after_anns.bot.sent.items() if chat == BEA]
    assert any("https://example.com/hers" in text for text in told[1:])
    assert not [text for text in told if "secret" in text or "anns" in text or "second" in text]


async def test_nobody_changes_what_is_anothers(after_anns: House) -> None:
    """The same chat, another account: a press under an answer that is not theirs, a command about their message."""
    anns = await says(after_anns, "Saved to reading: https://example.com/secret", 42)
    press = {"id": "1", "from": {"id": BEA}, "data": after_anns.bot.buttons[anns][0][0]["callback_data"]}
    under = after_anns.bot.answer_to(anns)
    after_anns.bot.receive(press | {"message": under}, kind="callback_query")
    in_her_chat = {"reply_to_message": message("x"), "chat": {"id": 42, "type": "group"}, "message_id": 9}
    after_anns.bot.receive(bea("/tag stolen", **in_her_chat))
    await says(after_anns, "There is no message with a link that this could be about", 42)
    assert (await items_of(after_anns, "me"))["https://example.com/secret"] == ["anns"]


async def test_connections_are_the_owners(after_anns: House) -> None:
    after_anns.bot.receive(message("!second https://example.com/mine", message_id=110))
    after_anns.bot.receive(bea("!second https://example.com/theirs", message_id=5))
    await says(after_anns, "Saved to second: https://example.com/mine", 42)
    await says(after_anns, "Saved to reading: https://example.com/theirs")
    assert [action["url"] for action in after_anns.second.actions] == ["https://example.com/mine"]


async def test_what_is_undone_is_gone_from_ones_own_list_alone(after_anns: House) -> None:
    after_anns.bot.receive(bea("https://example.com/secret", message_id=5))
    place = await says(after_anns, "Saved to reading: https://example.com/secret")
    after_anns.bot.press("Undo", under=place, by={"id": BEA, "first_name": "Bea"})
    await says(after_anns, "Taken back from reading: https://example.com/secret")
    assert "https://example.com/secret" in await items_of(after_anns, "me")
    assert "https://example.com/secret" not in await items_of(after_anns, "bea")


FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Bees</title>
<item><title>Old</title><link>https://bees.example/old</link></item></channel></rss>"""
PAGE = """<html><head><link rel="alternate" type="application/rss+xml" title="All" href="/all">
<link rel="alternate" type="application/rss+xml" title="Talk" href="/talk"></head></html>"""


async def test_a_feed_is_followed_listed_and_removed_for_the_one_who_asks(tmp_path: Path) -> None:
    there = {name: Response(FEED, media_type="application/rss+xml") for name in ("bees", "all", "talk")}
    there["page"] = Response(PAGE, media_type="text/html")
    rules = "feeds: [{{name: in-file, url: '{feed}/all'}}]\n"
    async with a_house(tmp_path, rules=rules, feeds=there, telegram_allow=f"42, {BEA}=bea") as house:
        await house.bridge.desk.handle("users-add", {"name": "bea", "password": "correct horse"})
        [in_file] = (await house.bridge.desk.handle("feeds", {}))["feeds"]
        origin = in_file["url"].removesuffix("/all")

        house.bot.receive(bea(f"/feeds {origin}/bees honey bees #wax", message_id=1))
        await says(house, "Following honey bees: 1 in it now, none of them saved")
        house.bot.receive(bea("/feeds", message_id=2))
        place = await says(house, "honey bees #wax: ")
        assert "in-file" not in house.bot.sent[place]
        assert [feed["name"] for feed in (await house.bridge.desk.handle("feeds", {}))["feeds"]] == ["in-file"]

        house.bot.receive(message("/feeds remove honey bees", message_id=3))
        await says(house, "There is no feed", 42)
        house.bot.receive(bea("/feeds remove honey bees", message_id=4))
        await says(house, "No longer followed: honey bees")
        house.bot.receive(bea("/feeds", message_id=5))
        await says(house, "No feeds yet. /feeds https://… follows one")

        house.bot.receive(message(f"/feeds {origin}/page", message_id=6))
        choice = await says(house, "That page names several feeds, choose one:", 42)
        assert plain(house.bot.sent[choice]).splitlines()[1:] == [f"/feeds {origin}/all", f"/feeds {origin}/talk"]
        house.bot.receive(message("/feeds remove in-file", message_id=7))
        await says(house, "“in-file” stands in the rule file: delete its entry", 42)
        house.bot.receive(message("/feeds honey", message_id=8))
        await says(house, "“honey” is no address; /feeds https://… follows a feed", 42)


async def test_a_group_that_moves_takes_its_account_with_it(store: Store, clock: Clock) -> None:
    bot_api = BotApi()
    eve: Json = {"from": {"id": 9, "is_bot": False, "first_name": "Eve"}}
    bot_api.receive(message(chat={"id": -5, "type": "group"}, migrate_to_chat_id=-1005, **eve))
    await Desk(store, clock, bot_api, allow={-5: "bea"}).hears()
    bot_api.receive(message("https://example.com/a", chat={"id": -1005, "type": "supergroup"}, **eve))
    await Desk(store, clock, bot_api, allow={-5: "bea"}).hears()
    assert [arrival.account for arrival in await store.due(10)][-1] == "bea"


def test_a_name_that_is_nobodys_is_refused_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRIDGE_TELEGRAM_TOKEN", TOKEN)
    monkeypatch.setenv("BRIDGE_TELEGRAM_ALLOW", "42, 77=bea")
    monkeypatch.setenv("BRIDGE_LISTEN", "127.0.0.1:0")
    run = [sys.executable, "-m", "bridge", "run"]
    refused = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert "BRIDGE_TELEGRAM_ALLOW: there is no user “bea”; “pocket-bridge users add bea” makes one" in refused.stderr
    made = CliRunner().invoke(cli, ["users", "add", "bea", "--password-file", "-"], input="correct horse\n")
    assert made.exit_code == 0, made.output


async def test_whoever_the_setting_names_stays(house: House) -> None:
    with pytest.raises(ConfigError, match="BRIDGE_TELEGRAM_ALLOW names bea: take that out first"):
        await house.bridge.desk.handle("users-remove", {"name": "bea"})
