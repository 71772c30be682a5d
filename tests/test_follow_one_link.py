"""Follow one link: from a message, a feed, a webhook and an app to the list, through every room, with nothing faked.

Read this first. The order of the house is the order of this file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.responses import Response

from tests.house import OWNER_TOKEN, House, a_house, eventually, message

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


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    feed = Response(FEED, media_type="application/rss+xml")
    async with a_house(tmp_path, rules=RULES, feeds={"feed": feed}) as opened:
        yield opened


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
