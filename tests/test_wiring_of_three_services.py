"""Three services wired to one bridge, as a person does it: what is typed, what the service sends, what is in the list.

A release on GitHub, an applet of IFTTT, an entry saved in Miniflux. Everything between them and the list is real.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.house import House, a_house

# What is typed: one line a service that makes its secret or lets one choose it; where it is, never what it is.
RULES = """
hooks:
  - {{name: releases, kind: github, secret: {{file: {secret}}}}}
  - {{name: reader, kind: miniflux, secret: {{file: {secret}}}}}
rules:
  - name: releases
    if: {{hook: releases}}
    then: {{tag: release}}
"""
SECRET = b"second's secret"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path, rules=RULES, feeds={}) as house:
        yield house


def signed(body: bytes) -> str:
    return hmac.new(SECRET, body, "sha256").hexdigest()


async def test_a_release_on_github(house: House) -> None:
    # GitHub, Settings, Webhooks, Add: payload URL …/hooks/releases, content type JSON, the secret, “Releases”.
    # It pings at once, and is answered.
    ping = b'{"zen": "Design for failure."}'
    greeting = {"X-GitHub-Event": "ping", "X-Hub-Signature-256": f"sha256={signed(ping)}"}
    assert (await house.http.post("/hooks/releases", content=ping, headers=greeting)).status_code == 200

    page = "https://github.example/ann/tool/releases/tag/v1.0"
    release = {"url": "https://api.github.example/1", "html_url": page, "name": "Tool 1.0", "tag_name": "v1.0"}
    body = json.dumps({"action": "published", "release": release}).encode()
    headers = {
        "X-GitHub-Event": "release",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": f"sha256={signed(body)}",
        "Content-Type": "application/json",
    }
    answer = await house.http.post("/hooks/releases", content=body, headers=headers)
    assert answer.status_code == 202

    item = await house.item(page)
    assert (item["given_title"], set(item["tags"])) == ("Tool 1.0", {"release"})

    # “Redeliver” on GitHub's page does nothing; a forged one is not let in.
    assert (await house.http.post("/hooks/releases", content=body, headers=headers)).json()["status"] == "known"
    forged = await house.http.post("/hooks/releases", content=body.replace(b"tool", b"fool"), headers=headers)
    assert forged.status_code == 401


async def test_an_applet_of_ifttt(house: House) -> None:
    # pocket-bridge hooks add to-read --kind ifttt
    asked = {"name": "to-read", "kind": "ifttt", "auth": "", "secret": {}}
    added = await house.bridge.desk.handle("hooks-add", asked)
    assert added["address"].startswith("/trigger/to-read/with/key/")

    # The program that called maker.ifttt.com calls this address instead, and nothing else of it changes.
    values = {"value1": "https://news.example/story", "value2": "A story", "value3": "news, later"}
    answer = await house.http.post(added["address"], json=values)
    assert (answer.status_code, answer.text) == (200, "Congratulations! You've fired the to-read event")

    item = await house.item("https://news.example/story")
    assert (item["given_title"], set(item["tags"])) == ("A story", {"news", "later"})


async def test_an_entry_saved_in_miniflux(house: House) -> None:
    # Miniflux, Settings, Integrations, Webhook: URL …/hooks/reader; the secret it shows goes into the file.
    feed = {"site_url": "https://blog.example/", "feed_url": "https://blog.example/feed.xml", "title": "A blog"}
    entry = {"id": 1, "title": "An essay", "url": "https://blog.example/essay", "tags": ["Essays"], "feed": feed}
    body = json.dumps({"event_type": "save_entry", "entry": entry}).encode()
    headers = {"X-Miniflux-Signature": signed(body), "X-Miniflux-Event-Type": "save_entry"}
    assert (await house.http.post("/hooks/reader", content=body, headers=headers)).status_code == 202

    item = await house.item("https://blog.example/essay")
    assert (item["given_title"], set(item["tags"])) == ("An essay", {"essays"})
    passport = await house.why("https://blog.example/essay")
    assert [(sighting["source"], sighting["channel"]) for sighting in passport["sightings"]] == [("hook", "reader")]


async def test_a_service_nobody_knows_is_learned(house: House) -> None:
    # With the owner's token any name is a hook: send something, look what came, paste what is proposed.
    odd = {"event": "bought", "thing": {"page": {"adr": "https://shop.example/milk"}, "caption": "Milk"}}
    answer = await house.http.post("/hooks/shop", json=odd, headers=house.owner)
    [request] = (await house.bridge.desk.handle("hooks-captured", {"name": "shop"}))["captured"]
    assert request["id"] == answer.json()["id"]
    learned = await house.bridge.desk.handle("hooks-learn", {"arrival": request["id"]})
    assert "url: thing.page.adr" in learned["yaml"]
    replayed = await house.bridge.desk.handle("hooks-replay", {"arrival": request["id"]})
    assert [link["url"] for link in replayed["links"]] == ["https://shop.example/milk"]
