"""What a feed may send to flood, to stop or to reach something it should not: each costs one poll of itself."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from bridge.errors import SourceError
from bridge.intake import Intake
from bridge.net import Net
from bridge.rules import EMPTY, Feed, Start
from bridge.sources.feeds.followers import Follower
from bridge.sources.feeds.reader import Reader
from bridge.sources.feeds.registry import Registry
from bridge.sources.feeds.source import POLLS, Feeds, read
from bridge.sources.feeds.state import FeedState
from bridge.store.core import Store
from tests.conftest import Clock
from tests.sources.feed_site import NOTHING, Site, a_site, item, rss

MIB = 1024 * 1024
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {name} "{f"&{before};" * 12}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><rss version='2.0'><channel><title>&i;</title><item><title>&i;</title></item></channel></rss>"
)
MANY = "<rss version='2.0'><channel>" + "<item><guid>{}</guid></item>" * 100_000 + "</channel></rss>"


@dataclass
class World:
    """A site that is up to no good, one that is not, and a source that polls both."""

    bad: Site
    good: Site
    store: Store
    clock: Clock

    async def poll(self, *paths: str, start: str = "all") -> None:
        """Until the good feed and each of the bad site's was asked."""
        kind = Start("all") if start == "all" else Start("none")
        bad = [
            Feed(url=self.bad.url(path, host=f"h{number}.example"), name=path, start=kind)
            for number, path in enumerate(paths)
        ]
        feeds = [*bad, Feed(url=self.good.url(host="good.example"), name="good", start=Start("all"))]
        net = Net(allow_nets=["127.0.0.0/8"], resolve=loopback)
        registry = Registry(self.store, [Follower(feed=feed) for feed in feeds])
        self.source = Feeds(self.store, net, registry, clock=self.clock, chance=lambda: 0.0)
        self.running = asyncio.create_task(self.source.run())

    async def stop(self) -> None:
        self.running.cancel()
        await asyncio.wait([self.running])

    async def state(self, path: str, number: int = 0) -> FeedState:
        url = self.bad.url(path, host=f"h{number}.example")
        return FeedState.of(await self.store.cursor(f"feed:{url}"))

    async def titles(self) -> list[str]:
        return [json.loads(one.raw)["entry"]["title"] for one in await self.store.due(1000)]

    async def until_good(self) -> None:
        async with asyncio.timeout(15):
            while "Entry 1" not in await self.titles():
                await asyncio.sleep(0.02)

    async def until_asked(self, path: str) -> FeedState:
        async with asyncio.timeout(60):
            while not (state := await self.state(path)).polled:
                await asyncio.sleep(0.05)
        return state


async def loopback(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.fixture
async def world(store: Store, clock: Clock) -> AsyncIterator[World]:
    async with a_site() as bad, a_site() as good:
        good.put(rss(item(1)))
        made = World(bad, good, store, clock)
        yield made
        await made.stop()


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        ("<!DOCTYPE html><html><body>Log in</body></html>", NOTHING, "a web page, not a feed"),
        ("", NOTHING, "the answer is empty"),
        (rss(item(7))[:-40], NOTHING, "cut off"),
        (b" " * (50 * MIB), NOTHING, "larger than"),
        (gzip.compress(b" " * (50 * MIB)), {"Content-Encoding": "gzip"}, "larger than"),
        (gzip.compress(gzip.compress(b" " * (50 * MIB))), {"Content-Encoding": "gzip, gzip"}, "packed as"),
        (MANY, NOTHING, "more than 10,000 entries"),
        (
            '{"version": "https://jsonfeed.org/version/1.1", "items": [' + "1," * 10_001 + "1]}",
            NOTHING,
            "more than 10,000",
        ),
        (b"\x00" * 4096, NOTHING, "not a feed|empty"),
    ],
    ids="page empty cut-off large bomb two-layers many many-json zeros".split(),
)
async def test_what_no_feed_should_send_costs_one_poll_of_it_and_no_other(
    world: World, body: str | bytes, headers: Mapping[str, str], words: str
) -> None:
    world.bad.put(body, headers)
    await world.poll("/feed")
    await world.until_good()
    state = await world.until_asked("/feed")
    assert state.failures == 1
    assert any(word in state.last_error for word in words.split("|")), state.last_error
    assert await world.titles() == ["Entry 1"]


async def test_entities_that_grow_without_end_are_not_expanded(world: World) -> None:
    world.bad.put(LAUGHS)
    await world.poll("/feed")
    await world.until_good()
    await world.until_asked("/feed")
    assert all(len(title) < 20 for title in await world.titles())


async def test_a_circle_of_redirects_and_one_into_the_house_are_errors(world: World) -> None:
    world.bad.put("", {"Location": "/b"}, path="/a", status=302)
    world.bad.put("", {"Location": "/a"}, path="/b", status=302)
    world.bad.put("", {"Location": "http://169.254.169.254/latest/meta-data/"}, path="/in", status=302)
    await world.poll("/a", "/in")
    await world.until_good()
    assert "redirects" in (await world.until_asked("/a")).last_error
    async with asyncio.timeout(15):
        while not (state := await world.state("/in", 1)).polled:
            await asyncio.sleep(0.02)
    assert "private network" in state.last_error or "169.254.169.254" in state.last_error


async def test_servers_that_hold_their_answers_hold_no_more_than_their_own_places(world: World) -> None:
    """A byte a second comes to the same: both are cut at the deadline of a fetch."""
    world.bad.open.clear()
    await world.poll(*(f"/{number}" for number in range(POLLS - 1)))
    await world.until_good()
    assert world.bad.waiting == POLLS - 1
    world.good.put(rss(item(2), item(1)))
    world.clock.move(4000)
    world.source.look_again(list(world.source.registry.channels))
    async with asyncio.timeout(15):
        while "Entry 2" not in await world.titles():
            await asyncio.sleep(0.02)
    assert world.bad.waiting == POLLS - 1


async def test_a_document_that_takes_long_to_read_delays_no_other(world: World) -> None:
    world.bad.put("<rss version='2.0'><channel>" + "<a>" * 400_000)
    await world.poll("/feed")
    while not world.bad.asked:
        await asyncio.sleep(0.01)
    await world.until_good()
    assert not (await world.state("/feed")).polled


async def test_entries_that_share_one_id_or_have_none_are_told_apart(world: World) -> None:
    shared = [item(number, guid="same") for number in (23, 22, 21)]
    without = [item(number, guid="") for number in (33, 32, 31)]
    world.bad.put(rss(*shared), path="/shared")
    world.bad.put(rss(*without), path="/without")
    await world.poll("/shared", "/without")
    await world.until_good()
    await world.until_asked("/shared")
    async with asyncio.timeout(15):
        while not (await world.state("/without", 1)).polled:
            await asyncio.sleep(0.02)
    assert sorted(await world.titles()) == sorted(["Entry 1", *(f"Entry {n}" for n in (21, 22, 23, 31, 32, 33))])


async def test_a_link_that_is_a_script_is_parked_with_its_reason(world: World) -> None:
    script = "<item><title>Click</title><link>javascript:alert(1)</link><guid>data:text/html,x</guid></item>"
    world.bad.put(rss(script))
    await world.poll("/feed")
    await world.until_good()
    await world.until_asked("/feed")
    await Intake(world.store, {"feed": read}, EMPTY).step()
    counts = await world.store.counts()
    assert counts["arrivals"] == {"parked": 1, "read": 1}
    assert counts["deliveries"] == {"reading": {"pending": 1}}


# -- the child -----------------------------------------------------------------------------------------------------


async def test_a_document_that_needs_too_much_memory_ends_its_child_and_the_next_is_read() -> None:
    async with Reader(deadline=60.0) as reader:
        with pytest.raises(SourceError, match="could not be read"):
            await reader.read(b'{"items": [], "x": [' + b"{}," * (20 * MIB) + b"0]}")
        assert len((await reader.read(rss(item(1)).encode())).entries) == 1


async def test_a_child_that_only_computes_is_ended_by_its_own_limit() -> None:
    busy = "from bridge.child import serve\nserve(lambda *_: [0 for _ in iter(int, 1)], memory=2**30, cpu_seconds=1)"
    async with Reader(deadline=60.0, command=[sys.executable, "-W", "ignore", "-c", busy]) as reader:
        with pytest.raises(SourceError, match=f"could not be read: exit -{signal.SIGXCPU}"):
            await reader.read(b"x")


async def test_children_are_gone_when_nothing_is_read_for_a_while() -> None:
    async with Reader(idle=0.05) as reader:
        await reader.read(rss(item(1)).encode())
        [child] = reader._free
        async with asyncio.timeout(10):
            await child.wait()
        assert len((await reader.read(rss(item(1)).encode())).entries) == 1
