"""Many feeds: what is held in memory for each of ten thousand, and that it says the same as if all were held."""

from __future__ import annotations

import gc
import tracemalloc
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from bridge.ports import Subscription
from bridge.rules import Feed
from bridge.sources.feeds.followers import Channels, Follower, Places, Row, follower_of, options
from bridge.sources.feeds.registry import Registry
from bridge.store.core import Store

MANY = 4000
MOST_BYTES = 400
"""Of a feed in memory before it is planned, its address and its name with them."""


async def test_a_feed_that_is_followed_takes_a_few_hundred_bytes(store: Store) -> None:
    await store.subscribe(
        [
            Subscription(account="me", url=f"https://site{n}.example/feed.xml", name=f"site-{n}", options="{}")
            for n in range(MANY)
        ]
    )
    registry = Registry(store)
    tracemalloc.start()
    try:
        await registry.restore()
        held = _traced()
        made = list(registry)
        control = _traced()
    finally:
        tracemalloc.stop()
    assert len(registry.channels) == len(made) == MANY
    assert held < MANY * MOST_BYTES
    assert control > MANY * MOST_BYTES  # what it was when each was made beforehand


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


sites = st.sampled_from(["https://a.example/", "https://b.example/", "https://c.example/"])
accounts = st.sampled_from(["me", "bob"])
by_hand = st.builds(
    Subscription, account=accounts, url=sites, name=st.just("n"), options=st.just("{}"), since=st.just(5.0)
)
in_file = st.builds(
    Follower,
    feed=st.builds(Feed, url=sites, name=st.just("n")),
    account=accounts,
    secrets=st.sampled_from([{}, {"X-Key": "k"}]),
)


@given(rows=st.lists(st.one_of(by_hand, in_file), max_size=8))
def test_channels_made_when_asked_for_are_those_of_a_plain_dictionary(rows: list[Row]) -> None:
    plain: defaultdict[str, list[Follower]] = defaultdict(list)
    for row in rows:
        plain[follower_of(row).channel].append(follower_of(row))
    channels = Channels(rows)
    assert list(channels) == list(plain)
    assert len(channels) == len(plain)
    assert {scope: list(channel.followers) for scope, channel in channels.items()} == plain
    assert "feed:https://d.example/" not in channels
    assert channels.get("feed:https://d.example/") is None


@given(texts=st.lists(st.sampled_from("abc")), wanted=st.sampled_from("abcd"))
def test_every_place_of_a_text_is_found_in_its_order(texts: list[str], wanted: str) -> None:
    assert list(Places(texts)(wanted)) == [place for place, text in enumerate(texts) if text == wanted]


def test_what_a_feed_was_followed_with_is_what_is_read_again() -> None:
    feed = Feed(url="https://a.example/", name="a", tags=("x",), interval=7200.0, to=("list",), per_day=3)
    kept = Subscription(account="bob", url=feed.url, name=feed.name, options=options(feed), since=9.0)
    assert follower_of(kept) == Follower(feed=feed, account="bob", since=9.0)
