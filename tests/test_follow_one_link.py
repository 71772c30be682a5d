"""Follow one link: from a message, a feed, a webhook and an app to the list, through every room, with nothing faked.

Read this first. The order of the house is the order of this file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge import control
from bridge.settings import load_settings
from bridge.wiring import Bridge, open_bridge
from tests.bot_api import TOKEN, BotApi
from tests.loopback import serve

ANN = 42
OWNER_TOKEN = "a-token-that-only-the-owner-has"

RULES = """
feeds:
  - name: example
    url: {feed}/feed
    tags: [news]
    start: all
    interval: 1s

destinations:
  second:
    type: pocket
    base_url: {second}
    consumer_key: 1-second
    access_token: {{file: {secret}}}

rules:
  - name: python
    if: {{domain: python.example}}
    then: {{tag: python, to: [reading, second]}}
  - name: no-ads
    if: {{title: sponsored}}
    then: {{drop: advertising}}
"""

FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Example</title>
<item><title>A story</title><link>https://news.example/story</link><guid>1</guid></item>
<item><title>Sponsored: buy</title><link>https://shop.example/buy</link><guid>2</guid></item>
</channel></rss>"""


class Second:
    """Another Pocket-compatible server: takes every action, and remembers."""

    def __init__(self) -> None:
        self.actions: list[dict[str, Any]] = []
        self.app = Starlette(routes=[Route("/v3/send", self._send, methods=["POST"])])

    async def _send(self, request: Request) -> Response:
        actions = (await request.json())["actions"]
        self.actions += actions
        results = [{"item_id": str(900 + number)} for number, _ in enumerate(actions)]
        body = {"status": 1, "action_results": results, "action_errors": [None] * len(actions)}
        return Response(json.dumps(body), media_type="application/json", headers={"X-Source": "Pocket"})


class House:
    """A whole bridge at work, and the world around it."""

    def __init__(self, bridge: Bridge, origin: str, bot: BotApi, second: Second) -> None:
        self.bridge = bridge
        self.bot = bot
        self.second = second
        self.http = httpx.AsyncClient(base_url=origin, trust_env=False, timeout=10)
        self.owner = {"Authorization": f"Bearer {OWNER_TOKEN}"}

    async def items(self) -> dict[str, dict[str, Any]]:
        """The embedded list, as any Pocket client sees it: address -> item."""
        asked = {"consumer_key": "1-reader", "access_token": OWNER_TOKEN, "state": "all", "detailType": "complete"}
        answer = await self.http.post("/v3/get", json=asked)
        return {item["given_url"]: item for item in answer.json()["list"].values()}

    async def item(self, url: str) -> dict[str, Any]:
        await eventually(lambda: self._has(url))
        return (await self.items())[url]

    async def _has(self, url: str) -> bool:
        return url in await self.items()

    async def why(self, url: str) -> dict[str, Any]:
        answer = await self.bridge.desk.handle("why", {"url": url})
        return dict(answer)


async def eventually(true: Callable[[], Awaitable[bool]]) -> None:
    """Waits for something that other tasks bring about."""
    async with asyncio.timeout(10):
        while not await true():
            await asyncio.sleep(0.01)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    bot, second = BotApi(second=0.01), Second()

    async def feed(_: Request) -> Response:
        return Response(FEED, media_type="application/rss+xml")

    async with contextlib.AsyncExitStack() as stack:
        bot_origin = await stack.enter_async_context(serve(bot))
        feed_origin = await stack.enter_async_context(serve(Starlette(routes=[Route("/feed", feed)])))
        second_origin = await stack.enter_async_context(serve(second.app))
        (tmp_path / "secret").write_text("second's secret")
        rules = RULES.format(feed=feed_origin, second=second_origin, secret=tmp_path / "secret")
        (tmp_path / "rules.yaml").write_text(rules)
        settings = load_settings(
            data=tmp_path / "data",
            rules=tmp_path / "rules.yaml",
            token=OWNER_TOKEN,
            telegram_token=TOKEN,
            telegram_api=bot_origin,
            telegram_allow=str(ANN),
            allow_nets="127.0.0.0/8",
        )
        stack.enter_context(control.own(settings.data))
        bridge = await stack.enter_async_context(open_bridge(settings))
        origin = await stack.enter_async_context(serve(bridge.app))
        supervisor = bridge.supervisor()
        working = asyncio.create_task(supervisor.run())
        house = House(bridge, origin, bot, second)
        yield house
        supervisor.stop()
        await working
        await house.http.aclose()


def message(text: str, *, sender: int = ANN) -> dict[str, Any]:
    start = len(text[: text.index("https://")].encode("utf-16-le")) // 2
    length = len(text[text.index("https://") :].split(maxsplit=1)[0])
    person = {"id": sender, "is_bot": False, "first_name": "Ann"}
    entities: list[dict[str, Any]] = [{"type": "url", "offset": start, "length": length}]
    if "#" in text:
        at = len(text[: text.index("#")].encode("utf-16-le")) // 2
        entities.append({"type": "hashtag", "offset": at, "length": len(text[text.index("#") :].split(maxsplit=1)[0])})
    chat = {"id": sender, "type": "private", "first_name": "Ann"}
    return {"message_id": 7, "date": 1_790_000_000, "chat": chat, "from": person, "text": text, "entities": entities}


async def test_a_message_becomes_an_item_and_its_sender_is_told_what_really_happened(house: House) -> None:
    house.bot.receive(message("👍 https://python.example/pep #later"))

    item = await house.item("https://python.example/pep")
    assert set(item["tags"]) == {"later", "python"}

    async def told() -> bool:
        return any("Saved" in call["text"] for call in house.bot.asked("sendMessage"))

    await eventually(told)
    assert house.bot.pending == []


async def test_a_rule_sends_it_to_a_second_service_too(house: House) -> None:
    house.bot.receive(message("https://python.example/pep"))
    await house.item("https://python.example/pep")

    async def arrived() -> bool:
        return bool(house.second.actions)

    await eventually(arrived)
    [action] = house.second.actions
    assert (action["action"], action["url"]) == ("add", "https://python.example/pep")


async def test_a_feed_entry_becomes_an_item_and_an_unwanted_one_is_dropped_with_a_reason(house: House) -> None:
    item = await house.item("https://news.example/story")
    assert (item["given_title"], set(item["tags"])) == ("A story", {"news"})

    async def dropped() -> bool:
        return bool((await house.why("https://shop.example/buy"))["sightings"])

    await eventually(dropped)
    [sighting] = (await house.why("https://shop.example/buy"))["sightings"]
    assert (sighting["state"], sighting["reason"]) == ("dropped", "rule no-ads (advertising)")
    assert "https://shop.example/buy" not in await house.items()


async def test_a_webhook_is_acknowledged_and_becomes_an_item(house: House) -> None:
    answer = await house.http.post(
        "/hooks/zapier",
        json={"url": "https://hook.example/a", "title": "From a hook", "tags": "a,b"},
        headers=house.owner,
    )
    assert answer.status_code == 202
    item = await house.item("https://hook.example/a")
    assert (item["given_title"], set(item["tags"])) == ("From a hook", {"a", "b"})


async def test_an_app_that_speaks_the_pocket_api_has_its_link_at_once_and_rules_tag_it(house: House) -> None:
    added = {"url": "https://python.example/app", "consumer_key": "1-app", "access_token": OWNER_TOKEN}
    answer = await house.http.post("/v3/add", json=added)
    assert answer.status_code == 200
    assert "https://python.example/app" in await house.items()

    async def tagged() -> bool:
        return "python" in (await house.items())["https://python.example/app"].get("tags", {})

    await eventually(tagged)


async def test_the_same_link_from_everywhere_is_one_item_with_all_its_tags(house: House) -> None:
    await house.item("https://news.example/story")
    house.bot.receive(message("https://news.example/story?utm_source=telegram #chat"))
    await house.http.post("/save", data={"url": "https://news.example/story#top", "tags": "web"}, headers=house.owner)

    async def united() -> bool:
        items = [item for url, item in (await house.items()).items() if "news.example/story" in url]
        return [set(item["tags"]) for item in items] == [{"news", "chat", "web"}]

    await eventually(united)
    passport = await house.why("https://news.example/story")
    assert {sighting["source"] for sighting in passport["sightings"]} == {"feed", "telegram", "save"}
    assert [delivery["connection"] for delivery in passport["deliveries"]] == ["reading"]


async def test_a_stranger_is_not_heard(house: House) -> None:
    house.bot.receive(message("https://stranger.example/", sender=666))
    house.bot.receive(message("https://friend.example/"))
    await house.item("https://friend.example/")
    assert "https://stranger.example/" not in await house.items()
    assert (await house.why("https://stranger.example/"))["since"] is None


async def test_why_tells_the_whole_way(house: House) -> None:
    await house.http.post("/save", data={"url": "https://python.example/x"}, headers=house.owner)
    await house.item("https://python.example/x")

    async def delivered() -> bool:
        passport = await house.why("https://python.example/x")
        return [delivery["state"] for delivery in passport["deliveries"]] == ["delivered", "delivered"]

    await eventually(delivered)
    passport = await house.why("https://python.example/x")
    [sighting] = passport["sightings"]
    assert (sighting["source"], sighting["matched"]) == ("save", ["python"])
    assert [(trace["rule"], trace["applies"]) for trace in sighting["rules"]] == [("python", True), ("no-ads", False)]
    assert "python.example" in sighting["rules"][0]["because"]
    for delivery in passport["deliveries"]:
        assert [attempt["outcome"] for attempt in delivery["tries"]] == ["delivered"]
        assert delivery["remote_id"]
