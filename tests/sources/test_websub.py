"""Hubs: asked for news, asked back by them, believed when signed; polls are the net below. A real hub on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bridge import control
from bridge.errors import StoreError
from bridge.net import Net
from bridge.ports import DAY, HOUR, Arrival, Cursor, Key, Receipt
from bridge.rules import Feed, Start
from bridge.settings import load_settings
from bridge.sources.feeds.push import MOST_BODY
from bridge.sources.feeds.reader import Reader
from bridge.sources.feeds.source import Feeds, Follower, Hubs, Registry
from bridge.sources.feeds.state import FeedState, describe
from bridge.sources.feeds.websub import LEASE, Hook, signed
from bridge.store.core import Store
from bridge.wiring import open_bridge
from tests.conftest import Clock
from tests.loopback import serve
from tests.sources.feed_site import Site, a_site, item, rss

PUBLIC = "https://bridge.example"
KEY = b"a key in the data folder"


@dataclass
class Hub:
    """`asks_back`: whether it asks before it answers; `lease`: for how long it gives its word."""

    asked: list[dict[str, str]] = field(default_factory=list)
    asks_back: bool = True
    lease: float = LEASE
    status: int = 202
    client: httpx.AsyncClient | None = None
    answers: list[httpx.Response] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.asked.append(form)
        if self.asks_back and self.status < 300:
            self.answers.append(await self.ask_back(form["hub.mode"], form["hub.topic"]))
        return PlainTextResponse("", self.status)

    async def ask_back(self, mode: str, topic: str, **more: str) -> httpx.Response:
        assert self.client is not None
        asked = {
            "hub.mode": mode,
            "hub.topic": topic,
            "hub.challenge": "ch4llenge",
            "hub.lease_seconds": f"{self.lease:.0f}",
        }
        return await self.client.get(self.callback, params=asked | more)

    async def bring(self, body: bytes, *, secret: str | None = None, method: str = "sha256") -> httpx.Response:
        assert self.client is not None
        named = secret if secret is not None else self.asked[-1].get("hub.secret", "")
        signature = hmac.new(named.encode(), body, method).hexdigest() if method else ""
        headers = {"X-Hub-Signature": f"{method}={signature}"} if method else {}
        return await self.client.post(self.callback, content=body, headers=headers)

    @property
    def callback(self) -> str:
        return self.asked[-1]["hub.callback"].removeprefix(PUBLIC)


@dataclass
class World:
    site: Site
    hub: Hub
    store: Store
    clock: Clock
    net: Net
    hub_url: str
    feeds: Feeds

    @property
    def feed(self) -> Feed:
        return next(iter(self.feeds.registry)).feed

    async def poll(self) -> str:
        [channel] = self.feeds.registry.channels.values()
        return (await self.feeds.poll(channel)).words

    def publish(self, *items: str, topic: str = "") -> None:
        atom = "http://www.w3.org/2005/Atom"
        links = f"<atom:link xmlns:atom='{atom}' rel='hub' href='{self.hub_url}'/>"
        links += f"<atom:link xmlns:atom='{atom}' rel='self' href='{topic or self.site.url()}'/>"
        self.site.put(rss(links, *items))

    async def arrived(self) -> list[str]:
        return [json.loads(arrival.raw)["entry"]["title"] for arrival in await self.store.due(100)]

    async def state(self) -> FeedState:
        return FeedState.of(await self.store.cursor(f"feed:{self.feed.url}"))

    async def hook(self) -> Hook:
        name = self.hub.callback.rpartition("/")[2]
        return Hook.of(await self.store.cursor(f"websub:{name}"))


@pytest.fixture
async def world(store: Store, clock: Clock) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(a_site())
        hub = Hub()
        hub_url = await stack.enter_async_context(serve(Starlette(routes=[Route("/", hub.take, methods=["POST"])])))
        net = Net(allow_nets=["127.0.0.0/8"])
        stack.push_async_callback(net.close)
        reader = await stack.enter_async_context(Reader())
        feed = Feed(url=site.url(), name="news", start=Start("none"))
        made = World(site, hub, store, clock, net, f"{hub_url}/", source(store, net, clock, reader, feed))
        transport = httpx.ASGITransport(app=Starlette(routes=list(made.feeds.routes)))
        hub.client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=PUBLIC))
        yield made


def source(store: Store, net: Net, clock: Clock, reader: Reader, *feeds: Feed) -> Feeds:
    return Feeds(
        store,
        net,
        Registry(store, [Follower(feed=feed) for feed in feeds]),
        clock=clock,
        chance=lambda: 0.0,
        reader=reader,
        hubs=Hubs(store, net, public_url=PUBLIC, key=KEY, clock=clock),
    )


async def subscribed(world: World) -> World:
    """As it is once the hub has given its word."""
    world.publish(item(1))
    await world.poll()
    assert [form["hub.mode"] for form in world.hub.asked] == ["subscribe"]
    return world


# -- asking, and being asked back -------------------------------------------------------------------------------------


async def test_a_hub_is_asked_with_a_secret_and_asks_back(world: World) -> None:
    await subscribed(world)
    [form] = world.hub.asked
    assert form["hub.topic"] == world.site.url()
    assert form["hub.callback"].startswith(f"{PUBLIC}/websub/")
    assert 32 <= len(form["hub.secret"]) < 200
    [answer] = world.hub.answers
    assert (answer.status_code, answer.text) == (200, "ch4llenge")
    assert (await world.hook()).until == world.clock() + LEASE
    kept = await world.store._database.read(lambda tx: tx.execute("SELECT value FROM progress").fetchall())
    assert form["hub.secret"] not in str(kept)


async def test_a_hub_in_the_links_of_the_answer_comes_first(world: World) -> None:
    links = f'<{world.hub_url}>; rel="hub", <https://news.example/topic>; rel="self"'
    world.site.put(rss(item(1)), {"Link": links})
    await world.poll()
    assert [form["hub.topic"] for form in world.hub.asked] == ["https://news.example/topic"]


async def test_without_a_public_address_no_hub_is_asked(world: World) -> None:
    world.feeds.poller._hubs = None
    world.publish(item(1))
    await world.poll()
    assert world.hub.asked == []


@pytest.mark.parametrize(
    ("mode", "topic"),
    [("subscribe", "https://other.example/"), ("unsubscribe", ""), ("", ""), ("subscribe", ""), ("publish", "")],
)
async def test_what_nobody_asked_for_is_not_confirmed(world: World, mode: str, topic: str) -> None:
    await subscribed(world)
    before = await world.hook()
    answer = await world.hub.ask_back(mode, topic or world.site.url())
    assert answer.status_code == 404
    assert "ch4llenge" not in answer.text
    assert await world.hook() == before


async def test_an_address_that_was_never_given_away_is_unknown(world: World) -> None:
    await subscribed(world)
    assert world.hub.client is not None
    for name in ("0" * 32, "x", "0" * 5000):
        asked = {"hub.mode": "subscribe", "hub.topic": world.site.url(), "hub.challenge": "c"}
        assert (await world.hub.client.get(f"/websub/{name}", params=asked)).status_code == 404
        assert (await world.hub.client.post(f"/websub/{name}", content=b"x")).status_code == 404


async def test_a_hub_that_refuses_is_left_alone_for_a_day(world: World) -> None:
    world.hub.status = 500
    world.publish(item(1))
    for _ in range(3):
        await world.poll()
    assert len(world.hub.asked) == 1
    assert "500" in (await world.hook()).error
    assert (await world.state()).failures == 0
    world.clock.move(DAY)
    world.hub.status = 202
    await world.poll()
    assert (await world.hook()).until > world.clock()


async def test_a_hub_that_never_asks_back_leaves_polling_as_it_was(world: World) -> None:
    world.hub.asks_back = False
    await subscribed(world)
    assert (await world.state()).next_poll == world.clock() + HOUR


# -- deliveries -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["sha1", "sha256", "sha384", "sha512"])
async def test_a_signed_delivery_is_saved_and_not_again_by_a_poll(world: World, method: str) -> None:
    await subscribed(world)
    assert (await world.hub.bring(rss(item(2)).encode(), method=method)).status_code == 202
    assert await world.arrived() == ["Entry 2"]
    assert (await world.hub.bring(rss(item(2)).encode(), method=method)).status_code == 202
    world.publish(item(2), item(1))
    assert await world.poll() == "0 new of 2"
    assert await world.arrived() == ["Entry 2"]


async def test_a_delivery_is_only_a_part_of_the_feed(world: World) -> None:
    world.publish(item(1), item(2))
    await world.poll()
    before = await world.state()
    await world.hub.bring(rss(item(3)).encode())
    assert await world.state() == before
    world.publish(item(4), item(3), item(2), item(1))
    assert await world.poll() == "1 new of 4"
    assert await world.arrived() == ["Entry 3", "Entry 4"]


@pytest.mark.parametrize(
    ("secret", "method"), [("wrong", "sha256"), ("", "sha256"), (None, ""), (None, "md5")], ids=str
)
async def test_a_delivery_without_a_good_signature_is_answered_and_ignored(
    world: World, secret: str | None, method: str
) -> None:
    await subscribed(world)
    answer = await world.hub.bring(rss(item(2)).encode(), secret=secret, method=method)
    assert answer.status_code == 202
    assert await world.arrived() == []


async def test_a_delivery_that_is_no_feed_is_answered_and_ignored(world: World) -> None:
    await subscribed(world)
    for body in (b"", b"<html></html>", b"hello"):
        assert (await world.hub.bring(body)).status_code == 202
    assert await world.arrived() == []


async def test_a_delivery_that_is_too_large_is_refused_before_it_is_read(world: World) -> None:
    await subscribed(world)
    assert (await world.hub.bring(b"x" * (MOST_BODY + 1))).status_code == 413


class Full(Store):
    """A store whose disk is full."""

    async def put(
        self,
        arrivals: Sequence[Arrival],
        *,
        seen: Sequence[Key] = (),
        cursor: Cursor | None = None,
        expect: str | None = None,
    ) -> Sequence[Receipt]:
        raise StoreError("the disk is full")


async def test_a_delivery_that_cannot_be_stored_is_to_be_brought_again(world: World) -> None:
    await subscribed(world)
    world.feeds.poller._inbox = Full(world.store._database, world.clock)
    answer = await world.hub.bring(rss(item(2)).encode())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    world.feeds.poller._inbox = world.store
    assert (await world.hub.bring(rss(item(2)).encode())).status_code == 202
    assert await world.arrived() == ["Entry 2"]


async def test_a_delivery_for_a_feed_that_has_not_begun_does_not_begin_it(world: World) -> None:
    await subscribed(world)
    await world.store._database.write(
        lambda tx: tx.execute("DELETE FROM progress WHERE scope LIKE 'follow:%'").rowcount
    )
    world.feeds.poller._begun.clear()
    await world.hub.bring(rss(item(2)).encode())
    assert await world.arrived() == []


# -- the lease, and the end -------------------------------------------------------------------------------------------


async def test_a_feed_whose_hub_tells_is_polled_once_a_day(world: World) -> None:
    await subscribed(world)
    assert (await world.state()).next_poll == world.clock() + DAY
    kept = await world.store.cursor(f"feed:{world.feed.url}")
    assert describe(kept, now=world.clock()).endswith("its hub tells of news, next poll in 24 h")


async def test_a_lease_is_renewed_before_it_ends_and_polls_come_in_time_for_it(world: World) -> None:
    world.hub.lease = 12 * HOUR
    await subscribed(world)
    for renewals in range(2, 6):
        state, hook = await world.state(), await world.hook()
        assert world.clock() < state.next_poll < hook.until
        world.clock.now = state.next_poll
        await world.poll()
        assert len(world.hub.asked) == renewals
        assert (await world.hook()).until == world.clock() + world.hub.lease


async def test_a_hub_that_says_no_later_is_believed_and_polls_take_over(world: World) -> None:
    await subscribed(world)
    await world.hub.ask_back("denied", world.site.url(), **{"hub.reason": "too many"})
    hook = await world.hook()
    assert (hook.until, hook.error) == (0.0, "too many")
    await world.poll()
    state = await world.state()
    assert (state.next_poll, state.told) == (world.clock() + HOUR, 0.0)


async def test_another_hub_is_asked_when_the_feed_names_another(world: World) -> None:
    await subscribed(world)
    world.publish(item(1), topic="https://news.example/moved")
    world.clock.move(DAY)
    await world.poll()
    assert [form["hub.topic"] for form in world.hub.asked] == [world.site.url(), "https://news.example/moved"]


async def test_a_feed_that_nobody_follows_any_more_is_given_back(world: World) -> None:
    await subscribed(world)

    async def sleep(_: float) -> None:
        await asyncio.Event().wait()

    world.feeds._sleep = sleep
    running = asyncio.create_task(world.feeds.run())
    async with asyncio.timeout(10):
        while not world.feeds._schedule.names:
            await asyncio.sleep(0)
        world.feeds.registry.declare([])
        while len(world.hub.asked) < 2 or (await world.hook()).until:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    assert world.hub.asked[-1]["hub.mode"] == "unsubscribe"
    assert (await world.hub.bring(rss(item(2)).encode(), secret="x")).status_code == 410


async def test_what_is_agreed_with_a_hub_survives_a_restart(world: World) -> None:
    await subscribed(world)
    async with Reader() as reader:
        again = source(world.store, world.net, world.clock, reader, world.feed)
        [channel] = again.registry.channels.values()
        await again.poll(channel)
        transport = httpx.ASGITransport(app=Starlette(routes=list(again.routes)))
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as world.hub.client:
            await world.hub.bring(rss(item(2)).encode())
    assert len(world.hub.asked) == 1
    assert await world.arrived() == ["Entry 2"]


async def test_hubs_find_the_way_to_a_bridge_that_the_internet_reaches(tmp_path: Path) -> None:
    said = {}
    for name, public_url in (("open", PUBLIC), ("closed", "")):
        settings = load_settings(data=tmp_path / name, rules=tmp_path / "none.yaml", public_url=public_url)
        with control.own(settings.data):
            async with open_bridge(settings) as bridge:
                transport = httpx.ASGITransport(app=bridge.app)
                async with httpx.AsyncClient(transport=transport, base_url="http://b.example") as client:
                    said[name] = (await client.post(f"/websub/{'0' * 32}", content=b"x")).text
    assert said["open"] == "nobody asked for this\n"
    assert "nobody asked" not in said["closed"]


# -- signatures -------------------------------------------------------------------------------------------------------


@given(secret=st.text(st.characters(codec="utf-8"), min_size=1), body=st.binary())
def test_only_the_whole_signature_of_the_whole_body_is_one(secret: str, body: bytes) -> None:
    right = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert signed(secret, f"sha256={right}", body)
    assert signed(secret, f" SHA256={right.upper()} ", body)
    for wrong in (f"sha256={right[:-1]}", f"sha512={right}", f"sha256={right}0", right, "sha256=", "=", f"md5={right}"):
        assert not signed(secret, wrong, body)
    assert not signed(secret, f"sha256={right}", body + b"x")
    assert not signed(secret + "x", f"sha256={right}", body)


@given(header=st.text(), body=st.binary())
def test_no_header_that_somebody_makes_up_is_a_signature(header: str, body: bytes) -> None:
    assert not signed("a secret", header, body)
    assert not signed("a secret", f"sha256={header}", body)
