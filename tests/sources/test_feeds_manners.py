"""How a publisher is treated: asked where it wants, when it wants, and no more often. Time moves only by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.net import Net
from bridge.ports import DAY, HOUR
from bridge.rules import Feed
from bridge.sources.feeds.document import parse
from bridge.sources.feeds.source import Feeds, Follower, Registry
from bridge.sources.feeds.state import MOVED_FOR, MOVES, FeedState
from bridge.sources.feeds.wishes import LONGEST_SKIP, allowed_from, hub_of, skipped
from bridge.store.core import Store
from tests.conftest import Clock
from tests.sources.feed_site import NOTHING, a_site, item, rss
from tests.sources.test_feeds import World

MIDNIGHT = 20_000 * DAY  # a Friday


@pytest.fixture
async def world(store: Store, clock: Clock) -> AsyncIterator[World]:
    net = Net(allow_nets=["127.0.0.0/8"])
    async with a_site() as site:
        made = World(site, store, clock, net)
        yield made
        await made.reader.close()
        await net.close()


# -- moves ------------------------------------------------------------------------------------------------------------


async def a_move(world: World, *, status: int, polls: int, every: float = DAY) -> Feed:
    """A feed whose old address leads to a new one, polled a few times."""
    feed = world.feed("/old")
    world.site.put("", {"Location": "/new"}, path="/old", status=status)
    world.site.put(rss(item(1)), {"ETag": '"n"'}, path="/new")
    for _ in range(polls):
        await world.poll(feed)
        world.clock.move(every)
    return feed


def paths(world: World, since: int = 0) -> list[str]:
    return [asked.path for asked in world.site.asked[since:]]


@pytest.mark.parametrize("status", [301, 308])
async def test_a_move_for_good_is_believed_when_it_has_repeated(world: World, status: int) -> None:
    feed = await a_move(world, status=status, polls=MOVES)
    assert paths(world) == ["/old", "/new"] * MOVES
    assert (await world.state(feed)).home == world.site.url("/new")
    assert await world.poll(feed) == "nothing new"
    assert paths(world, 2 * MOVES) == ["/new"]
    assert world.site.asked[-1].headers["if-none-match"] == '"n"'
    assert f"moved for good: write {world.site.url('/new')}" in await world.words(feed)


async def test_many_redirects_in_a_short_time_are_no_move(world: World) -> None:
    feed = await a_move(world, status=301, polls=10, every=HOUR)
    assert 10 * HOUR < MOVED_FOR
    assert (await world.state(feed)).home == ""
    assert paths(world) == ["/old", "/new"] * 10


@pytest.mark.parametrize("status", [302, 303, 307])
async def test_a_redirect_for_now_is_followed_and_never_believed(world: World, status: int) -> None:
    feed = await a_move(world, status=status, polls=10)
    state = await world.state(feed)
    assert (state.home, state.moved) == ("", "")
    assert paths(world) == ["/old", "/new"] * 10


async def test_a_redirect_that_goes_away_was_none(world: World) -> None:
    feed = await a_move(world, status=301, polls=MOVES - 1)
    world.site.put(rss(item(1)), path="/old")
    await world.poll(feed)
    state = await world.state(feed)
    assert (state.moved, state.moves) == ("", 0)


async def test_a_feed_that_fails_where_it_moved_to_is_asked_for_at_its_old_address(world: World) -> None:
    feed = await a_move(world, status=301, polls=MOVES)
    world.site.put("", path="/new", status=410)
    world.site.put(rss(item(2), item(1)), path="/old")
    asked = len(world.site.asked)
    for _ in range(MOVES):
        assert (await world.poll(feed)).startswith("failed: answered 410")
    assert not (await world.state(feed)).gone
    assert await world.poll(feed) == "1 new of 2"
    assert paths(world, asked) == ["/new"] * MOVES + ["/old"]


async def test_the_secrets_of_a_private_feed_stay_with_the_address_they_were_given_for(world: World) -> None:
    feed = world.feed("/old")
    world.site.put("", {"Location": "/new"}, path="/old", status=301)
    world.site.put(rss(item(1)), path="/new")
    follower = Follower(feed=feed, secrets={"Authorization": "Basic x"})
    source = Feeds(
        world.store,
        world.net,
        Registry(world.store, [follower]),
        clock=world.clock,
        chance=lambda: 0.5,
        reader=world.reader,
    )
    [channel] = source.registry.channels.values()
    for _ in range(MOVES + 2):
        await source.poll(channel)
        world.clock.move(DAY)
    assert paths(world) == ["/old", "/new"] * (MOVES + 2)


# -- when it need not be asked ----------------------------------------------------------------------------------------


async def next_poll(world: World, *, channel: str = "", headers: Mapping[str, str] = NOTHING) -> float:
    """When a feed with these wishes is asked again, after a poll at three in the night on a Friday."""
    world.clock.now = MIDNIGHT + 3 * HOUR
    feed = world.feed(interval=HOUR)
    world.site.put(rss(channel, item(1)), headers)
    await world.poll(feed)
    return (await world.state(feed)).next_poll - MIDNIGHT


async def test_skipped_hours_are_waited_out(world: World) -> None:
    hours = "".join(f"<hour>{hour}</hour>" for hour in (3, 4, 5, 6))
    due = await next_poll(world, channel=f"<skipHours>{hours}</skipHours>")
    assert 7 * HOUR <= due < 7 * HOUR + 600


async def test_skipped_days_are_waited_out(world: World) -> None:
    due = await next_poll(world, channel="<skipDays><day>Friday</day><day>Saturday</day></skipDays>")
    assert 2 * DAY <= due < 2 * DAY + 600


@pytest.mark.parametrize(
    ("period", "frequency", "expected"),
    [("hourly", "1", HOUR), ("daily", "2", 12 * HOUR), ("daily", "1", DAY), ("yearly", "1", DAY), ("always", "", HOUR)],
)
async def test_the_period_a_feed_states_is_kept_up_to_a_day(
    world: World, period: str, frequency: str, expected: float
) -> None:
    space = "xmlns:sy='http://purl.org/rss/1.0/modules/syndication/'"
    said = f"<sy:updatePeriod {space}>{period}</sy:updatePeriod>"
    said += f"<sy:updateFrequency {space}>{frequency}</sy:updateFrequency>" if frequency else ""
    assert await next_poll(world, channel=said) == pytest.approx(3 * HOUR + expected * 1.05)


async def test_the_longest_of_several_wishes_counts(world: World) -> None:
    due = await next_poll(world, channel="<ttl>120</ttl>", headers={"Cache-Control": "max-age=18000"})
    assert due == pytest.approx(3 * HOUR + 18_000 * 1.05)


@given(
    moment=st.floats(min_value=0, max_value=4e9),
    hours=st.sets(st.integers(0, 23)),
    days=st.sets(st.integers(0, 6)),
)
def test_a_skipped_hour_is_left_for_the_first_one_that_is_not_or_the_wish_is_ignored(
    moment: float, hours: set[int], days: set[int]
) -> None:
    later = allowed_from(moment, hours, days)
    assert moment <= later < moment + LONGEST_SKIP + DAY
    if later != moment:
        assert int(later // HOUR) % 24 not in hours
        assert (int(later // DAY) + 3) % 7 not in days


@given(st.text(max_size=300))
def test_any_text_has_some_skipped_hours_or_none(text: str) -> None:
    hours, days = skipped(f"<skipHours><hour>{text}</hour></skipHours><skipDays><day>{text}</day></skipDays>")
    assert set(hours) <= set(range(24))
    assert set(days) <= set(range(7))


def test_wishes_of_a_document_survive_the_way_from_the_child() -> None:
    document = parse(rss("<skipHours><hour>4</hour></skipHours>", item(1)).encode())
    assert type(document).from_wire(document.to_wire()) == document
    state = FeedState(skip_hours=(4, 5), skip_days=(6,), hub="https://hub.example/")
    assert FeedState.of(state.text) == state


# -- hubs in a header -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "hub", "topic"),
    [
        ("", "", ""),
        ('<https://h.example/>; rel="hub"', "https://h.example/", ""),
        ("<https://h.example/>;rel=hub,</f>;rel=self", "https://h.example/", "https://a.example/f"),
        ('<https://1.example/>; rel="hub", <https://2.example/>; rel="hub"', "https://1.example/", ""),
        ('<https://h.example/a,b;c>; title="x, y"; rel="other hub"', "https://h.example/a,b;c", ""),
        ("<javascript:x>; rel=hub", "", ""),
        ("<https://h.example/>; rel=stylesheet", "", ""),
        ("<https://h.example/", "", ""),
    ],
)
def test_a_hub_is_read_from_the_link_header(header: str, hub: str, topic: str) -> None:
    assert hub_of(header, "https://a.example/feed") == (hub, topic)


@given(st.text(max_size=500))
def test_no_link_header_is_too_odd(header: str) -> None:
    for address in hub_of(header, "https://a.example/feed"):
        assert not address or address.lower().startswith(("http://", "https://"))
