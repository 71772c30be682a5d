"""Feeds end to end: a real site on loopback, the real door out, the real store, the real child process."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import FetchError, InvalidArrival, SourceError, StoreError
from bridge.net import Net
from bridge.ports import Arrival, Key, ManyCursors, Receipt
from bridge.rules import Feed, Start
from bridge.sources.feeds.followers import Follower
from bridge.sources.feeds.reader import Reader
from bridge.sources.feeds.registry import Registry
from bridge.sources.feeds.source import Feeds, preview, read
from bridge.sources.feeds.state import FeedState, describe
from bridge.store.core import Store
from tests.conftest import Clock
from tests.sources.feed_site import NOTHING, Site, a_site, item, rss

ALL = Start("all")


@dataclass
class World:
    """One site, one store, and a source that polls the one for the other."""

    site: Site
    store: Store
    clock: Clock
    net: Net
    reader: Reader = field(default_factory=Reader)

    def feed(self, path: str = "/feed", *, start: Start = ALL, **facts: Any) -> Feed:
        return Feed(url=self.site.url(path), name="news", start=start, **facts)

    def source(self, *feeds: Feed, inbox: ManyCursors | None = None) -> Feeds:
        return Feeds(
            inbox or self.store,
            self.net,
            Registry(self.store, [Follower(feed=feed) for feed in feeds]),
            clock=self.clock,
            chance=lambda: 0.5,
            sleep=self.sleep,
            reader=self.reader,
        )

    async def sleep(self, seconds: float) -> None:
        self.clock.move(seconds)
        await asyncio.sleep(0)

    async def poll(self, feed: Feed) -> str:
        return await poll(self.source(feed))

    async def published(self, feed: Feed, *items: str, headers: Mapping[str, str] = NOTHING) -> list[str]:
        """The titles that arrive when the feed has these items, oldest first."""
        self.site.put(rss(*items), headers)
        await self.poll(feed)
        return await self.arrived()

    async def arrived(self) -> list[str]:
        """Titles of what arrived since the last look."""
        arrivals = await self.store.due(1000)
        self.taken = getattr(self, "taken", 0)
        new = sorted((arrival for arrival in arrivals if arrival.id > self.taken), key=lambda arrival: arrival.id)
        self.taken = max((arrival.id for arrival in new), default=self.taken)
        return [json.loads(arrival.raw)["entry"]["title"] for arrival in new]

    async def state(self, feed: Feed) -> FeedState:
        return FeedState.of(await self.store.cursor(f"feed:{feed.url}"))

    async def words(self, feed: Feed) -> str:
        return describe(await self.store.cursor(f"feed:{feed.url}"), now=self.clock())


async def poll(source: Feeds) -> str:
    """One poll of its only feed."""
    [channel] = source.registry.channels.values()
    return (await source.poll(channel)).words


@pytest.fixture
async def world(store: Store, clock: Clock) -> AsyncIterator[World]:
    net = Net(allow_nets=["127.0.0.0/8"])
    async with a_site() as site:
        made = World(site, store, clock, net)
        yield made
        await made.reader.close()
        await net.close()


# -- the first poll ------------------------------------------------------------------------------------------------


async def test_a_new_feed_remembers_what_is_there_and_saves_what_comes_later(world: World) -> None:
    feed = world.feed(start=Start("none"))
    assert await world.published(feed, item(2), item(1)) == []
    assert await world.published(feed, item(3), item(2), item(1)) == ["Entry 3"]


async def test_the_newest_few_can_be_taken_at_the_start_and_the_oldest_of_them_comes_first(
    world: World,
) -> None:
    feed = world.feed(start=Start("last", count=2))
    assert await world.published(feed, item(3), item(2), item(1)) == ["Entry 2", "Entry 3"]
    assert await world.published(feed, item(3), item(2), item(1)) == []


async def test_a_start_by_date_takes_what_is_younger_and_nothing_undated(world: World) -> None:
    feed = world.feed(start=Start("since", since=1_700_000_000.0))
    young, old = formatdate(1_700_000_001.0, usegmt=True), formatdate(1_699_999_999.0, usegmt=True)
    items = (item(1, date=old), item(2, date=young), item(3))
    assert await world.published(feed, *items) == ["Entry 2"]
    assert await world.published(feed, *items) == []


async def test_everything_can_be_taken_at_the_start(world: World) -> None:
    assert await world.published(world.feed(), item(3), item(2), item(1)) == ["Entry 1", "Entry 2", "Entry 3"]


async def test_the_first_entry_of_a_feed_that_began_empty_is_saved(world: World) -> None:
    feed = world.feed(start=Start("none"))
    assert await world.published(feed) == []
    assert await world.published(feed, item(1)) == ["Entry 1"]


async def test_a_feed_does_not_begin_with_half_a_document(world: World) -> None:
    feed = world.feed(start=Start("none"))
    whole = rss(item(2), item(1))
    world.site.put(whole[: whole.index("<item><title>Entry 1")])
    assert "cut off" in await world.poll(feed)
    assert await world.published(feed, item(2), item(1)) == []


async def test_a_feed_that_never_is_whole_begins_in_the_end(world: World) -> None:
    feed = world.feed(start=Start("none"))
    world.site.put("<rss version='2.0'><channel>" + item(1))
    for _ in range(4):
        await world.poll(feed)
    world.site.put("<rss version='2.0'><channel>" + item(2) + item(1))
    assert await world.poll(feed) == "1 new of 2"


# -- identity ------------------------------------------------------------------------------------------------------


async def test_an_entry_whose_id_or_address_changes_is_not_new(world: World) -> None:
    feed = world.feed()
    await world.published(feed, item(1), item(2))
    changed = (item(1, guid="other"), item(2, link="https://news.example/moved"))
    assert await world.published(feed, *changed) == []
    assert await world.published(feed, item(9, guid="other", link="https://news.example/again")) == []


async def test_an_id_on_several_entries_identifies_none_of_them(world: World) -> None:
    feed = world.feed()
    assert await world.published(feed, item(2, guid="same"), item(1, guid="same")) == ["Entry 1", "Entry 2"]
    assert await world.published(feed, item(3, guid="same")) == ["Entry 3"]
    assert await world.published(feed, item(4, guid="same")) == ["Entry 4"]


async def test_an_entry_listed_twice_arrives_once(world: World) -> None:
    assert await world.published(world.feed(), item(1), item(1, link="https://news.example/1?utm_source=feed")) == [
        "Entry 1"
    ]


async def test_an_entry_dated_back_or_not_at_all_is_new_when_it_was_not_there(world: World) -> None:
    feed = world.feed()
    await world.published(feed, item(1, date=formatdate(1_700_000_000.0, usegmt=True)))
    later = (item(2, date="Mon, 01 Jan 1990 00:00:00 GMT"), item(3))
    assert sorted(await world.published(feed, *later)) == ["Entry 2", "Entry 3"]


async def test_what_left_the_feed_long_ago_and_comes_back_is_known(world: World) -> None:
    feed = world.feed()
    await world.published(feed, item(1))
    world.clock.move(400 * 86400)
    await world.published(feed, item(2))
    assert await world.published(feed, item(1), item(2)) == []


# -- manners -------------------------------------------------------------------------------------------------------


async def test_validators_go_back_byte_for_byte_to_the_address_that_gave_them(world: World) -> None:
    feed = world.feed()
    await world.published(
        feed, item(1), headers={"ETag": 'W/"a-gzip"', "Last-Modified": "Sat, 01 Jan 2022 00:00:00 GMT"}
    )
    before = await world.state(feed)
    assert await world.poll(feed) == "nothing new"
    assert world.site.asked[-1].headers["if-none-match"] == 'W/"a-gzip"'
    assert world.site.asked[-1].headers["if-modified-since"] == "Sat, 01 Jan 2022 00:00:00 GMT"
    assert await world.state(feed) == before


async def test_a_redirected_feed_gets_no_foreign_validators_and_its_move_is_told(world: World) -> None:
    feed = world.feed("/old")
    world.site.put("", {"Location": "/new"}, path="/old", status=301)
    world.site.put(rss(item(1)), {"ETag": '"n"'}, path="/new")
    assert await world.poll(feed) == "1 new of 1"
    assert await world.poll(feed) == "nothing new"
    assert [asked.headers.get("if-none-match") for asked in world.site.asked] == [None] * 4
    assert f"moved for good: write {world.site.url('/new')}" in await world.words(feed)


async def test_the_same_bytes_are_not_read_again(world: World) -> None:
    feed = world.feed()
    await world.published(feed, item(1), headers={"ETag": '"1"'})
    world.site.put(rss(item(1)), {"ETag": '"2"'})
    world.reader = Reader(command=[sys.executable, "-c", "raise SystemExit('nobody asked me')"])
    assert await world.poll(feed) == "nothing new"
    assert (await world.state(feed)).etag == '"2"'


async def test_the_next_poll_is_as_far_as_the_user_or_the_publisher_wishes(world: World) -> None:
    feed = world.feed(interval=3600.0)
    for headers, ttl, expected in [
        ({}, "", 3600.0),
        ({"Cache-Control": "public, max-age=7200"}, "", 7200.0),
        ({"Expires": formatdate(world.clock() + 10_800, usegmt=True)}, "", 10_800.0),
        ({"Expires": "0"}, "", 3600.0),
        ({}, "300", 18_000.0),
        ({"Cache-Control": "max-age=31536000"}, "", 86_400.0),
    ]:
        world.site.put(rss(item(len(ttl)), item(int(expected)), ttl=ttl), headers)
        await world.poll(feed)
        pause = (await world.state(feed)).next_poll - world.clock()
        assert pause == pytest.approx(expected * 1.05)
        assert await world.poll(feed) == "nothing new"
        assert (await world.state(feed)).next_poll - world.clock() == pytest.approx(pause)


async def test_a_busy_server_is_left_alone_as_long_as_it_asks(world: World) -> None:
    for wish in ("40000", formatdate(world.clock() + 40_000, usegmt=True)):
        feed = world.feed()
        world.site.put("", {"Retry-After": wish}, status=429)
        await world.poll(feed)
        assert (await world.state(feed)).next_poll - world.clock() == pytest.approx(40_000)


# -- trouble -------------------------------------------------------------------------------------------------------


async def test_a_feed_that_fails_is_asked_less_and_less_and_told_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bridge.sources.feeds.poll")
    feed = world.feed()
    world.site.put("", status=503)
    waits = []
    for _ in range(9):
        assert await world.poll(feed) == "failed: answered 503 (Service Unavailable)"
        waits.append((await world.state(feed)).next_poll - world.clock())
    assert waits == sorted(waits)
    assert waits[0] > 300
    assert waits[-1] > 3600
    assert "failed 9 times in a row: answered 503" in await world.words(feed)
    world.site.put(rss(item(1)))
    assert await world.poll(feed) == "1 new of 1"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<!DOCTYPE html><html><body>Please log in</body></html>", "a web page, not a feed"),
        (b"", "the answer is empty"),
        (b"hello", "not a feed"),
        (b'{"version": "https://jsonfeed.org/version/1.1"}', "no JSON Feed"),
        (b'{"items": [', "cannot be read"),
        (b"/etc/passwd", "not a feed"),
    ],
)
async def test_what_is_no_feed_is_a_failed_poll_and_changes_nothing_else(
    world: World, body: bytes, reason: str
) -> None:
    feed = world.feed()
    await world.published(feed, item(1), headers={"ETag": '"1"'})
    world.site.put(body, {"ETag": '"2"'})
    assert reason in await world.poll(feed)
    state = await world.state(feed)
    assert (state.etag, state.started, state.failures) == ('"1"', True, 1)
    assert await world.published(feed, item(2), item(1)) == ["Entry 2"]


async def test_an_address_where_nobody_answers_is_a_failed_poll(world: World) -> None:
    feed = Feed(url="http://127.0.0.1:1/feed", name="nobody")
    assert (await world.poll(feed)).startswith("failed: ")


async def test_of_a_cut_off_document_the_whole_entries_are_taken_and_the_rest_comes_later(
    world: World,
) -> None:
    feed = world.feed()
    await world.published(feed, item(1), headers={"ETag": '"1"'})
    whole = rss(item(2), item(3), item(1))
    world.site.put(whole[: whole.index("example/3") + 8], {"ETag": '"2"'})
    assert await world.poll(feed) == "1 new of 1"
    assert await world.arrived() == ["Entry 2"]
    assert "cut off" in await world.words(feed)
    world.site.put(whole, {"ETag": '"2"'})
    assert await world.poll(feed) == "1 new of 3"
    assert await world.arrived() == ["Entry 3"]


async def test_a_feed_that_is_gone_is_not_asked_again(world: World) -> None:
    feed = world.feed()
    world.site.put("", status=410)
    running = asyncio.create_task(world.source(feed).run())
    await until(lambda: is_gone(world, feed))
    world.clock.move(90 * 86400)
    for _ in range(20):
        await asyncio.sleep(0)
    await cancelled(running)
    assert len(world.site.asked) == 1
    assert "gone for good" in await world.words(feed)
    await cancelled(asyncio.create_task(world.source(feed).run()))
    assert len(world.site.asked) == 1


class Breaking(Store):
    """A store whose disk fails at the first unit."""

    broken = True

    async def put(self, arrivals: Sequence[Arrival], **more: Any) -> Sequence[Receipt]:
        if self.broken:
            raise StoreError("the disk is full")
        return await super().put(arrivals, **more)


async def test_when_the_store_fails_nothing_has_moved(world: World) -> None:
    feed, inbox = world.feed(), Breaking(world.store._database, world.clock)
    world.site.put(rss(item(1)), {"ETag": '"1"'})
    source = world.source(feed, inbox=inbox)
    with pytest.raises(StoreError, match="the disk is full"):
        await source.run()
    assert await world.store.cursor(f"feed:{feed.url}") is None
    inbox.broken = False
    assert await poll(source) == "1 new of 1"
    assert "if-none-match" not in world.site.asked[-1].headers


async def test_two_pollers_of_one_feed_save_its_entries_once(world: World) -> None:
    feed = world.feed()
    await world.published(feed, item(1))
    world.site.put(rss(item(2), item(1)))
    said = await asyncio.gather(world.poll(feed), world.poll(feed))
    assert sorted(said) == ["1 new of 2", "somebody else polled it at the same time"]
    assert await world.arrived() == ["Entry 2"]


# -- the loop ------------------------------------------------------------------------------------------------------


async def cancelled(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0)


async def asked(site: Site, times: int) -> None:
    async def often_enough() -> bool:
        return len(site.asked) >= times

    await until(often_enough)


async def is_gone(world: World, feed: Feed) -> bool:
    return (await world.state(feed)).gone


async def is_started(world: World, feed: Feed) -> bool:
    return (await world.state(feed)).started


async def test_a_running_source_polls_when_it_is_due_and_a_restart_polls_nothing_early(world: World) -> None:
    feed = world.feed(interval=3600.0)
    world.site.put(rss(item(1)))
    begun = world.clock()
    running = asyncio.create_task(world.source(feed).run())
    await asked(world.site, 3)
    await cancelled(running)
    due = (await world.state(feed)).next_poll
    assert due >= begun + 2 * 3600
    world.clock.now = due - 1
    still = asyncio.Event()

    async def never(_: float) -> None:
        still.set()
        await asyncio.Event().wait()

    before = len(world.site.asked)
    world.sleep = never  # type: ignore[method-assign,assignment]
    source = world.source(feed)
    running = asyncio.create_task(source.run())
    await still.wait()
    await cancelled(running)
    assert len(world.site.asked) == before


async def test_a_clock_that_was_set_back_stops_no_feed(world: World) -> None:
    feed = world.feed()
    world.site.put(rss(item(1)))
    await world.poll(feed)
    world.clock.move(-3 * 86400)
    assert (await world.state(feed)).wait(world.clock()) == 0


async def test_one_host_is_asked_by_one_poll_at_a_time_and_delays_no_other(world: World) -> None:
    async with a_site() as slow, a_site() as quick:
        slow.open.clear()
        slow_feeds = [Feed(url=slow.url(f"/{n}"), name=f"slow {n}", start=ALL) for n in range(6)]
        # Another name is another host to us, wherever it leads.
        quick_feed = Feed(url=quick.url("/feed", host="quick.example"), name="quick", start=ALL)
        quick.put(rss(item(1)))
        world.net = Net(allow_nets=["127.0.0.0/8"], resolve=_loopback)
        running = asyncio.create_task(world.source(*slow_feeds, quick_feed).run())
        await asked(slow, 1)
        await asked(quick, 1)
        await cancelled(running)
        assert slow.most_waiting == 1
        await world.net.close()


async def test_only_some_feeds_are_polled_at_once(world: World) -> None:
    world.site.open.clear()
    feeds = [Feed(url=world.site.url(f"/{n}", host=f"host-{n}.example"), name=str(n), start=ALL) for n in range(12)]
    world.net = Net(allow_nets=["127.0.0.0/8"], resolve=_loopback)
    running = asyncio.create_task(world.source(*feeds).run())
    await asked(world.site, 8)
    for _ in range(100):
        await asyncio.sleep(0)
    assert world.site.waiting == 8
    await cancelled(running)
    await world.net.close()


async def _loopback(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def test_the_child_is_started_with_the_first_document_and_ends_with_the_source(world: World) -> None:
    feed = world.feed()
    world.site.put("", status=500)
    running = asyncio.create_task(world.source(feed).run())
    await asked(world.site, 1)
    assert process_of(world.reader) is None
    world.site.put(rss(item(1)))
    await until(lambda: is_started(world, feed))
    child = process_of(world.reader)
    assert child is not None
    assert child.returncode is None
    await cancelled(running)
    assert child.returncode is not None


# -- the child -----------------------------------------------------------------------------------------------------

DEEP = b"<rss version='2.0'><channel>" + b"<a>" * 300_000


async def test_a_document_that_takes_too_long_is_given_up_and_the_next_one_is_read() -> None:
    async with Reader(deadline=1.0) as reader:
        with pytest.raises(SourceError, match="within 1 seconds"):
            await reader.read(DEEP)
        assert len((await reader.read(rss(item(1)).encode())).entries) == 1


async def test_a_poll_that_is_cancelled_leaves_no_half_answer_behind() -> None:
    async with Reader() as reader:
        await reader.read(rss(item(1)).encode())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(DEEP)
        assert len((await reader.read(rss(item(1), item(2)).encode())).entries) == 2


async def test_a_child_that_dies_is_one_failed_document_with_its_last_words() -> None:
    dying = [sys.executable, "-c", "import sys; sys.stdin.buffer.read(4); raise MemoryError('no more')"]
    async with Reader(command=dying) as reader:
        for _ in range(2):
            with pytest.raises(SourceError, match="could not be read: MemoryError: no more"):
                await reader.read(b"x")


async def test_the_child_inherits_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_TOKEN", "secret")
    telling = [sys.executable, "-c", "import os; raise SystemExit(' '.join(os.environ))"]
    async with Reader(command=telling) as reader:
        with pytest.raises(SourceError) as caught:
            await reader.read(b"x")
    assert "PYTHONPATH" in str(caught.value)
    assert "BRIDGE_TOKEN" not in str(caught.value)


def process_of(reader: Reader) -> asyncio.subprocess.Process | None:
    """The child that waits for the next document."""
    return reader._free[-1] if reader._free else None


def resident_kib(process: int) -> int:
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        pytest.skip("no /proc here")
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS:"))


async def test_an_idle_child_is_small_and_none_stays_after_a_large_document() -> None:
    async with Reader() as reader:
        await reader.read(rss(*map(item, range(100))).encode())
        child = process_of(reader)
        assert child is not None
        assert resident_kib(child.pid) < 45 * 1024
        await reader.read(rss(*map(item, range(5000))).encode())
        assert process_of(reader) is None


# -- reading -------------------------------------------------------------------------------------------------------


def arrival(received: float = 1_790_000_000.0, **entry: Any) -> Arrival:
    plain = {
        "id": "",
        "link": "",
        "title": "",
        "tags": [],
        "author": "",
        "published": 0.0,
        "summary": "",
        "comments": "",
    }
    raw = {"feed": "news", "url": "https://news.example/feed", "tags": ["paper"], "entry": plain | entry}
    return Arrival(source="feed", key=Key("", ""), raw=json.dumps(raw), received=received)


def test_an_arrival_is_read_as_one_sighting_with_the_tags_of_feed_and_entry() -> None:
    facts: dict[str, Any] = {
        "title": "A",
        "tags": ["Science"],
        "author": "Ann",
        "summary": "Words",
        "published": 1_780_000_000.0,
    }
    (sighting,) = read([arrival(link="https://news.example/1", **facts)]).sightings
    assert (sighting.url, sighting.source, sighting.feed) == ("https://news.example/1", "feed", "news")
    assert (sighting.title, sighting.tags, sighting.author) == ("A", ("paper", "science"), "Ann")
    assert (sighting.text, sighting.at) == ("Words", 1_780_000_000.0)


@pytest.mark.parametrize("published", [0.0, -5.0, 1_790_000_000.0 + 3 * 86400])
def test_a_date_that_cannot_be_is_replaced_by_the_arrival_s(published: float) -> None:
    (sighting,) = read([arrival(link="https://news.example/1", published=published)]).sightings
    assert sighting.at == 1_790_000_000.0


def test_an_entry_without_a_web_address_says_so() -> None:
    with pytest.raises(InvalidArrival, match="the entry “A” names no web address"):
        read([arrival(title="A", id="tag:1")])


async def test_an_entry_without_a_web_address_arrives_once_and_can_be_parked(world: World) -> None:
    feed = world.feed()
    assert await world.published(feed, item(1, link="", guid="")) == ["Entry 1"]
    assert await world.published(feed, item(1, link="", guid=""), item(2)) == ["Entry 2"]


async def test_what_arrives_is_what_is_read(world: World) -> None:
    feed = Feed(url=world.site.url(), name="news", tags=("paper",), start=ALL)
    await world.published(feed, item(1))
    (sighting,) = read(await world.store.due(10)).sightings
    assert (sighting.url, sighting.tags) == ("https://news.example/1", ("paper",))


async def test_a_feed_can_be_looked_at_without_remembering_it(world: World) -> None:
    world.site.put(rss(item(2), item(1, link="", guid="x")))
    seen = await preview(world.net, world.site.url(), tags=["paper"], clock=world.clock)
    assert (seen["title"], seen["entries"]) == ("News", 2)
    assert [(found.url, found.feed, found.tags) for found in seen["sightings"]] == [
        ("https://news.example/2", "News", ("paper",))
    ]
    assert seen["notes"] == ["the entry “Entry 1” names no web address"]
    with pytest.raises(SourceError, match="answered 404"):
        await preview(world.net, world.site.url("/none"))
    with pytest.raises(FetchError):
        await preview(world.net, "ftp://news.example/feed")


def test_a_condition_is_told_in_words() -> None:
    now = 1_790_000_000.0
    good = FeedState(started=True, polled=now, last_ok=now, next_poll=now + 3600)
    assert describe(None, now=now) == "not polled yet"
    assert describe(good.text, now=now) == "good on 2026-09-21 14:13 UTC; next poll in 60 min"
    failing = good.failed("answered 404 (Not Found)", now, 3 * 3600.0)
    assert describe(failing.text, now=now) == (
        "failed 1 time in a row: answered 404 (Not Found); last good on 2026-09-21 14:13 UTC; next poll in 3 h"
    )
    assert (
        describe(FeedState().failed("x", now, 0.0).text, now=now)
        == "failed 1 time in a row: x; never good; next poll now"
    )


def test_a_cursor_of_a_later_version_is_understood_as_far_as_possible() -> None:
    assert FeedState.of('{"etag": "1", "colour": "of a later version"}') == FeedState(etag="1")
    assert [FeedState.of(state.text) for state in (FeedState(), FeedState(failures=2))] == [
        FeedState(),
        FeedState(failures=2),
    ]
