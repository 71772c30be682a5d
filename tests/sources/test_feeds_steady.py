"""Feeds that run for a long time: what is due is asked, what is unchanged is written down some at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import pytest

from bridge.net import Net
from bridge.ports import Cursor
from bridge.rules import Feed
from bridge.sources.feeds.moves import Moves, States
from bridge.sources.feeds.schedule import Schedule
from bridge.sources.feeds.source import Feeds, Follower, Registry
from bridge.sources.feeds.state import FeedState
from bridge.store.core import Store
from tests.conftest import Clock
from tests.sources.feed_site import a_site, item, rss
from tests.sources.test_feeds import ALL, World, cancelled, until

HOUR = 3600.0


@pytest.fixture
async def world(store: Store, clock: Clock) -> AsyncIterator[World]:
    net = Net(allow_nets=["127.0.0.0/8"])
    async with a_site() as site:
        made = World(site, store, clock, net)
        yield made
        await made.reader.close()
        await net.close()


class Counting(Store):
    """A store that counts what it was asked."""

    reads = 0
    commits = 0

    async def cursors(self, scopes: Sequence[str]) -> Mapping[str, str]:
        self.reads += 1
        return await super().cursors(scopes)

    async def move(self, moves: Sequence[tuple[Cursor, str | None]]) -> AbstractSet[str]:
        self.commits += 1
        return await super().move(moves)


async def a_run(world: World, store: Store, *feeds: Feed) -> int:
    """Polls what is due now, while no time passes. Answers how many requests that were."""

    async def sleep(_: float) -> None:
        await asyncio.Event().wait()

    registry = Registry(world.store, [Follower(feed=feed) for feed in feeds])
    source = Feeds(store, world.net, registry, clock=world.clock, chance=lambda: 0.5, sleep=sleep, reader=world.reader)
    before = len(world.site.asked)
    running = asyncio.create_task(source.run())

    async def idle() -> bool:
        schedule = source._schedule
        planned = len(schedule.names) == len(feeds)
        busy = schedule._running or schedule._lines or schedule.wait(world.clock()) == 0
        return planned and not busy

    await until(idle)
    await cancelled(running)
    return len(world.site.asked) - before


async def test_many_unchanged_feeds_cost_few_reads_and_few_commits(world: World, store: Store) -> None:
    feeds = [Feed(url=world.site.url(f"/{n}"), name=f"f{n}", start=ALL) for n in range(100)]
    for n in range(100):
        world.site.put(rss(item(n)), {"ETag": f'"{n}"'}, path=f"/{n}")
    counting = Counting(store._database, world.clock)
    for _ in range(2):
        counting.reads = counting.commits = 0
        world.clock.move(2 * HOUR)
        assert await a_run(world, counting, *feeds) == 100
    assert counting.reads <= 5
    assert counting.commits <= 5
    states = [FeedState.of(text) for text in (await store.cursors([f"feed:{feed.url}" for feed in feeds])).values()]
    assert len(states) == 100
    assert all(state.polled == world.clock() for state in states)


async def test_what_was_asked_before_a_stop_is_not_asked_again_after_it(world: World) -> None:
    feed = world.feed()
    world.site.put(rss(item(1)), {"ETag": '"1"'})
    for _ in range(3):
        world.clock.move(2 * HOUR)
        assert await a_run(world, world.store, feed) == 1
        assert await a_run(world, world.store, feed) == 0


async def test_what_somebody_else_changed_meanwhile_is_not_written_over(store: Store) -> None:
    await store.put([], cursor=Cursor("feed:a", "old"))
    moves = Moves(store)
    moves.add(Cursor("feed:a", "mine"), "old")
    await store.put([], cursor=Cursor("feed:a", "theirs"))
    assert set(await moves.write()) == {"feed:a"}
    assert await store.cursor("feed:a") == "theirs"


async def test_a_state_moves_on_from_the_one_that_still_waits_to_be_written(store: Store) -> None:
    await store.put([], cursor=Cursor("feed:a", "1"))
    moves = Moves(store)
    states = States(store, moves)
    assert await states.take("feed:a", lambda _: []) == "1"
    moves.add(Cursor("feed:a", "2"), "1")
    assert await states.take("feed:a", lambda _: []) == "2"
    moves.add(Cursor("feed:a", "3"), "2")
    assert set(await moves.write()) == set()
    assert await store.cursor("feed:a") == "3"


async def test_states_read_ahead_are_forgotten_when_somebody_changes_them(store: Store) -> None:
    for name in "ab":
        await store.put([], cursor=Cursor(name, "old"))
    states = States(store, Moves(store))
    assert await states.take("a", lambda _: ["b"]) == "old"
    await store.put([], cursor=Cursor("b", "new"))
    assert await states.take("b", lambda _: []) == "old"
    await states.take("a", lambda _: ["b"])
    states.forget(["b"])
    assert await states.take("b", lambda _: []) == "new"


def test_those_that_come_next_are_the_first_of_every_line() -> None:
    schedule = Schedule(1)
    for number in range(6):
        schedule.plan(f"a{number}", "a.example", 0.0)
        schedule.plan(f"b{number}", "b.example", 0.0)
    assert schedule.start(1.0) == ["a0"]
    assert schedule.next(4) == ["a1", "b0", "a2", "b1"]


# -- one that takes its time ------------------------------------------------------------------------------------------


async def test_a_server_that_sends_a_byte_now_and_then_holds_its_own_place_and_no_other(world: World) -> None:
    dripped = 0
    talks: list[asyncio.Task[None]] = []

    async def drip(writer: asyncio.StreamWriter) -> None:
        nonlocal dripped
        try:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n<rss>")
            while True:
                await asyncio.sleep(0.01)
                writer.write(b" ")
                dripped += 1
        finally:
            writer.close()

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    server = await asyncio.start_server(
        lambda _, writer: talks.append(asyncio.create_task(drip(writer))), "127.0.0.1", 0
    )
    slow = Feed(url=f"http://slow.example:{server.sockets[0].getsockname()[1]}/", name="slow", start=ALL)
    quick = [Feed(url=world.site.url(f"/{n}", host=f"{n}.example"), name=f"q{n}", start=ALL) for n in range(10)]
    for n in range(10):
        world.site.put(rss(item(n)), path=f"/{n}")
    world.net = Net(allow_nets=["127.0.0.0/8"], resolve=resolve)

    async def sleep(_: float) -> None:
        await asyncio.Event().wait()

    registry = Registry(world.store, [Follower(feed=feed) for feed in [slow, *quick]])
    source = Feeds(
        world.store, world.net, registry, clock=world.clock, chance=lambda: 0.5, sleep=sleep, reader=world.reader
    )
    running = asyncio.create_task(source.run())

    async with asyncio.timeout(15):  # while the slow one has 20 seconds
        while len(await world.store.due(100)) < len(quick):
            await asyncio.sleep(0.02)
    assert list(source._schedule._running.values()) == ["slow.example"]
    assert dripped
    await cancelled(running)
    for task in talks:
        task.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
    server.close()
    await world.net.close()


async def test_of_many_feeds_only_those_that_fail_are_told_one_by_one(world: World, store: Store) -> None:
    feeds = [Feed(url=f"https://{n}.example/", name=f"f{n}") for n in range(12)]
    bad = FeedState(polled=world.clock(), failures=9, last_error="answered 404").text
    await store.put([], cursor=Cursor("feed:https://11.example/", bad))
    source = world.source(*feeds)
    first, *others = await source.condition()
    assert first.startswith("12 feeds, 1 of them in trouble")
    assert [line.partition(":")[0] for line in others] == ["f11"]
    assert ["f11" in str(one) for one in await source.troubles()] == [True]
    assert len(await world.source(*feeds[:10]).condition()) == 10
