"""Who follows what: the file and the hand in one list, one poll for all, and the commands that people type."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigError, SourceError
from bridge.intake import Intake
from bridge.link import Sighting, canonical, tidy, tidy_tags
from bridge.net import Net
from bridge.ports import Arrival
from bridge.rules import EMPTY, Feed, Start, decide, load
from bridge.sources.feeds.doctor import Case, findings
from bridge.sources.feeds.followers import Follower
from bridge.sources.feeds.office import Office
from bridge.sources.feeds.opml import Outline, opml, outlines
from bridge.sources.feeds.pace import Limits, Progress, queued
from bridge.sources.feeds.registry import Registry
from bridge.sources.feeds.source import Feeds, read
from bridge.sources.feeds.state import FeedState
from bridge.store import migrations
from bridge.store.core import Store
from bridge.words import feeds as words
from bridge.words import links
from tests.conftest import Clock
from tests.sources.feed_site import Site, a_site, item, rss

PAGE = "<!DOCTYPE html><html><head>{}</head><body>Hello</body></html>"
LINK = '<link rel="{rel}" type="{type}" title="{title}" href="{href}">'


@dataclass
class Desk:
    """A site, a store, and an office that answers for the feeds."""

    site: Site
    store: Store
    clock: Clock
    net: Net
    in_file: Sequence[Follower] = ()
    offices: list[Office] = field(default_factory=list)

    async def open(self, *in_file: Follower) -> Feeds:
        """As a process that starts: what was added by hand is there again."""
        registry = Registry(self.store, in_file)
        await registry.restore()
        self.feeds = Feeds(self.store, self.net, registry, clock=self.clock, chance=lambda: 0.0)
        office = Office(
            self.feeds,
            self.store,
            self.store,
            self.net,
            connections=lambda: ["reading", "kobo"],
            known=self.known,
            clock=self.clock,
            file="rules.yaml",
        )
        self.offices.append(office)
        self.handle = office.commands()
        return self.feeds

    async def known(self, account: str) -> None:
        if account not in ("me", "bob"):
            raise ConfigError(f"there is no user “{account}”")

    async def ask(self, command: str, **asked: Any) -> dict[str, Any]:
        answer = await self.handle[command](**asked)
        return dict(json.loads(json.dumps(answer)))

    async def add(self, path: str = "/feed", **asked: Any) -> dict[str, Any]:
        return await self.ask("feeds-add", url=self.site.url(path), **asked)

    async def names(self, account: str = "me") -> list[str]:
        return [feed["name"] for feed in (await self.ask("feeds", account=account))["feeds"]]

    async def poll(self) -> list[str]:
        """Every feed once; how many times the site was asked for it stays to be seen."""
        return [(await self.feeds.poll(channel)).words for channel in self.feeds.registry.channels.values()]

    async def arrived(self, account: str = "me") -> list[str]:
        """Titles of everything that may be read now, oldest first."""
        return [title(one) for one in await self.arrivals(account)]

    async def arrivals(self, account: str = "me") -> list[Arrival]:
        due = sorted(await self.store.due(1000), key=lambda arrival: arrival.id)
        return [arrival for arrival in due if arrival.account == account]


def title(arrival: Arrival) -> str:
    return str(json.loads(arrival.raw)["entry"]["title"])


@pytest.fixture
async def desk(store: Store, clock: Clock) -> AsyncIterator[Desk]:
    net = Net(allow_nets=["127.0.0.0/8"])
    async with a_site() as site:
        made = Desk(site, store, clock, net)
        await made.open()
        site.put(rss(item(3), item(2), item(1)))
        yield made
        await made.feeds.close()
        await net.close()


def line(url: str, **facts: Any) -> Follower:
    return Follower(feed=Feed(url=url, **{"name": "lines", "line": 7, **facts}))


# -- adding --------------------------------------------------------------------------------------------------------


async def test_a_feed_that_is_added_begins_with_what_was_shown_and_is_asked_once(desk: Desk) -> None:
    answer = await desk.add(start="last 2", tags=["News"], name="ann")
    assert (answer["added"], answer["name"], answer["entries"], answer["takes"]) == (True, "ann", 3, 2)
    assert await desk.arrived() == ["Entry 2", "Entry 3"]
    assert len(desk.site.asked) == 1
    desk.site.put(rss(item(4), item(3)))
    await desk.poll()
    assert await desk.arrived() == ["Entry 2", "Entry 3", "Entry 4"]


async def test_the_newest_entries_are_told_and_none_where_there_are_none(desk: Desk) -> None:
    dates = [f"0{day} Nov 2026 10:00:00 GMT" for day in range(1, 6)]
    desk.site.put(rss(*(item(number, date=date) for number, date in enumerate(dates, 1))))
    looked = await desk.add(really=False)
    assert [entry["title"] for entry in looked["newest"]] == ["Entry 5", "Entry 4", "Entry 3"]
    desk.site.put(rss())
    told = click.unstyle("\n".join(words.added(await desk.add())))
    assert told.endswith("  0 entries in it now; none is saved, only what comes from now on (start: none).")


async def test_a_feed_that_is_cut_off_says_so_when_it_is_added(desk: Desk) -> None:
    desk.site.put(rss(item(2), item(1))[:60])
    assert "it is cut off: the feed is asked again soon" in click.unstyle("\n".join(words.added(await desk.add())))
    desk.site.put(rss(item(2), item(1)), path="/whole")
    assert "cut off" not in "\n".join(words.added(await desk.add("/whole")))


async def test_looking_alone_adds_nothing(desk: Desk) -> None:
    answer = await desk.add(start="all", really=False)
    assert (answer["added"], answer["takes"]) == (False, 3)
    assert await desk.names() == []
    assert await desk.arrived() == []


async def test_the_feed_a_page_names_is_found_by_its_base_and_relative_address(desk: Desk) -> None:
    link = LINK.format(rel="alternate", type="application/rss+xml", title="Posts", href="../feed")
    desk.site.put(PAGE.format('<base href="/blog/"/>' + link), path="/about/")
    answer = await desk.add("/about/")
    assert (answer["url"], answer["page"]) == (desk.site.url(), desk.site.url("/about/"))


async def test_of_several_feeds_on_a_page_none_is_followed_and_all_are_told(desk: Desk) -> None:
    links = [
        LINK.format(rel="alternate", type="application/atom+xml", title="Posts", href="/posts"),
        LINK.format(rel="ALTERNATE", type="Application/RSS+xml; charset=x", title="Comments", href="/comments"),
        LINK.format(rel="alternate", type="application/json", title="JSON", href="/wp-json/posts/1"),
        LINK.format(rel="stylesheet alternate", type="text/xml", title="Style", href="/style"),
        LINK.format(rel="alternate", type="application/feed+json", title="Bad", href="javascript:alert(1)"),
    ]
    desk.site.put(PAGE.format("".join(links)), path="/")
    answer = await desk.add("/")
    assert answer == {
        "added": False,
        "candidates": [
            {"url": desk.site.url("/posts"), "title": "Posts"},
            {"url": desk.site.url("/comments"), "title": "Comments"},
        ],
    }
    assert await desk.names() == []


async def test_a_page_without_a_feed_says_so(desk: Desk) -> None:
    desk.site.put(PAGE.format(""), path="/")
    with pytest.raises(SourceError, match="a web page, not a feed; and it names none"):
        await desk.add("/")


async def test_on_a_poll_a_page_is_an_error_and_no_other_feed_is_followed(desk: Desk) -> None:
    await desk.add(name="ann")
    link = LINK.format(rel="alternate", type="application/rss+xml", title="", href="/other")
    desk.site.put(PAGE.format(link))
    assert await desk.poll() == ["failed: the answer is a web page, not a feed"]
    assert [asked.path for asked in desk.site.asked] == ["/feed", "/feed"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"start": "everything"}, "none, last 10"),
        ({"interval": "often"}, "30m, 2h or 1d"),
        ({"to": ["kindle"]}, "there are: reading, kobo"),
        ({"account": "carol"}, "there is no user “carol”"),
        ({"url": "ftp://x.example/"}, "only http and https"),
        ({"url": "https://ann:secret@x.example/feed"}, "rule file"),
        ({"url": "https://x.example/feed", "interval": "1m"}, "not polite"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_anybody_is_asked(
    desk: Desk, asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(Exception, match=words) as caught:
        await desk.ask("feeds-add", **{"url": desk.site.url(), **asked})
    assert "secret" not in str(caught.value)
    assert desk.site.asked == []


async def test_an_address_or_name_is_followed_once_by_an_account(desk: Desk) -> None:
    await desk.add(name="ann")
    with pytest.raises(ConfigError, match="follow it already: “ann”"):
        await desk.add()
    desk.site.put(rss(item(1)), path="/other")
    with pytest.raises(ConfigError, match="choose another name"):
        await desk.add("/other", name="Ann")
    assert (await desk.add("/other"))["name"] == "news"
    assert await desk.names() == ["ann", "news"]


async def test_names_are_made_of_titles_and_of_hosts_and_never_twice(desk: Desk) -> None:
    names = [
        desk.feeds.registry.free_name("me", title, "https://www.x.example/")
        for title in ("Ann's News & more!", "Привет, мир", "  ", "…")
    ]
    assert names == ["anns-news-more", "привет-мир", "x.example", "x.example"]
    await desk.add()
    desk.site.put(rss(item(1)), path="/b")
    assert (await desk.add("/b"))["name"] == "news-2"


async def test_a_feed_that_has_moved_for_good_is_followed_where_it_is(desk: Desk) -> None:
    desk.site.put("", {"Location": "/feed"}, path="/old", status=301)
    assert (await desk.add("/old"))["url"] == desk.site.url()
    desk.site.put("", {"Location": "/feed"}, path="/today", status=302)
    with pytest.raises(ConfigError, match="choose another name"):
        await desk.add("/today", name="news")
    assert (await desk.add("/today", name="today"))["url"] == desk.site.url("/today")


# -- file and hand -------------------------------------------------------------------------------------------------


async def test_the_file_and_the_hand_are_one_list_and_the_file_wins(desk: Desk) -> None:
    await desk.add(name="by hand")
    await desk.open(line(desk.site.url(), name="in file"), line("https://b.example/", name="by hand", line=9))
    feeds = (await desk.ask("feeds"))["feeds"]
    assert [(feed["name"], feed["from"], feed.get("line")) for feed in feeds] == [
        ("in file", "file", 7),
        ("by hand", "file", 9),
    ]
    await desk.open()
    assert await desk.names() == ["by hand"]


async def test_a_name_that_the_file_takes_is_given_a_number(desk: Desk) -> None:
    await desk.add(name="lines")
    await desk.open(line("https://b.example/"))
    assert await desk.names() == ["lines", "lines-2"]


async def test_a_feed_of_the_file_is_not_removed_but_its_line_is_told(desk: Desk) -> None:
    await desk.open(line(desk.site.url()))
    with pytest.raises(ConfigError, match="line 7 of rules.yaml"):
        await desk.ask("feeds-remove", what="lines")
    assert await desk.names() == ["lines"]


async def test_a_feed_that_leaves_the_file_and_comes_back_goes_on_where_it_was(desk: Desk) -> None:
    declared = line(desk.site.url(), start=Start("all"))
    await desk.open(declared)
    await desk.poll()
    await desk.open()
    desk.site.put(rss(item(4), item(3), item(2), item(1)))
    await desk.poll()
    await desk.open(declared)
    await desk.poll()
    assert await desk.arrived() == ["Entry 1", "Entry 2", "Entry 3", "Entry 4"]


async def test_a_feed_that_is_removed_and_added_again_begins_again_and_repeats_nothing(desk: Desk) -> None:
    await desk.add(start="last 1")
    assert (await desk.ask("feeds-remove", what=desk.site.url()))["name"] == "news"
    assert await desk.names() == []
    assert await desk.poll() == []
    desk.clock.move(60)
    desk.site.put(rss(item(5), item(4), item(3)))
    await desk.add(start="last 1")
    assert await desk.arrived() == ["Entry 3", "Entry 5"]
    desk.site.put(rss(item(6), item(5), item(4), item(3)))
    await desk.poll()
    assert await desk.arrived() == ["Entry 3", "Entry 5", "Entry 6"]


async def test_a_feed_that_is_changed_goes_on_where_it_was(desk: Desk) -> None:
    await desk.add(start="all", at_once=1)
    desk.site.put(rss(item(1)), path="/other")
    await desk.add("/other", name="other")
    answer = await desk.ask(
        "feeds-change", what="news", name="ann", tags=["x"], interval="2h", at_once=9, categories=False
    )
    assert (answer["name"], answer["tags"], answer["interval"], answer["at_once"]) == ("ann", ["x"], 7200.0, 9)
    assert words.changed(answer)[0].endswith("every 2 h #x, at most 9 at once")
    desk.site.put(rss(item(4), item(3), item(2), item(1)))
    desk.clock.move(3 * 3600)
    await desk.poll()
    assert await desk.arrived() == ["Entry 1", "Entry 2", "Entry 3", "Entry 4"]
    assert {arrival.channel for arrival in await desk.arrivals()} >= {"ann"}
    with pytest.raises(ConfigError, match="choose another name"):
        await desk.ask("feeds-change", what="ann", name="Other")
    await desk.open(line(desk.site.url(), name="lines"))
    with pytest.raises(ConfigError, match="line 7 of rules.yaml"):
        await desk.ask("feeds-change", what="lines", name="x")


async def test_a_feed_that_is_not_there_is_told_with_what_was_meant(desk: Desk) -> None:
    await desk.add(name="hacker-news")
    with pytest.raises(ConfigError, match="no feed “hacker-new”; there are: hacker-news"):
        await desk.ask("feeds-remove", what="hacker-new")


async def test_a_running_source_takes_up_and_lets_go_at_once(desk: Desk) -> None:
    polled = asyncio.create_task(desk.feeds.run())
    desk.site.put("", status=404, path="/late")
    await desk.ask(
        "feeds-import", content=base64.b64encode(opml([outline(desk.site.url("/late"))], "t").encode()).decode()
    )
    async with asyncio.timeout(10):
        while not desk.site.asked:
            await asyncio.sleep(0.01)
    await desk.ask("feeds-remove", what="late")
    await asyncio.sleep(0)
    assert desk.feeds.registry.channels == {}
    polled.cancel()
    await asyncio.wait([polled])


def outline(url: str, name: str = "late") -> Outline:
    return Outline(url=url, name=name, own={})


# -- many accounts -------------------------------------------------------------------------------------------------


async def test_what_many_follow_is_asked_once_and_comes_to_each_as_each_wishes(desk: Desk) -> None:
    await desk.add(start="all", tags=["a"])
    await desk.add(account="bob", start="last 1", tags=["b"], to=["kobo"], name="his", categories=False)
    before = len(desk.site.asked)
    entry = "<item><title>Entry 4</title><link>https://news.example/4</link><category>Sky</category></item>"
    desk.site.put(rss(entry, item(3), item(2), item(1)))
    assert await desk.poll() == ["1 new of 4"]
    assert len(desk.site.asked) == before + 1
    assert await desk.arrived() == ["Entry 1", "Entry 2", "Entry 3", "Entry 4"]
    assert await desk.arrived("bob") == ["Entry 3", "Entry 4"]
    [mine] = read([(await desk.arrivals())[-1]]).sightings
    [his] = read([(await desk.arrivals("bob"))[-1]]).sightings
    assert (mine.feed, mine.tags, mine.to) == ("news", ("a", "sky"), ())
    assert (his.feed, his.tags, his.to) == ("his", ("b",), ("kobo",))


async def test_one_account_s_leaving_changes_nothing_for_the_other(desk: Desk) -> None:
    await desk.add()
    await desk.add(account="bob")
    assert await desk.names("bob") == ["news"]
    await desk.ask("feeds-remove", what="news", account="bob")
    desk.site.put(rss(item(4), item(3)))
    await desk.poll()
    assert (await desk.arrived(), await desk.arrived("bob")) == (["Entry 4"], [])


async def test_a_password_in_an_address_of_the_file_is_shown_nowhere(desk: Desk) -> None:
    url = desk.site.url().replace("http://", "http://ann:s3cret@")
    await desk.open(line(url, start=Start("last", count=2)))
    await desk.poll()
    marked = (await desk.store.passport("me", "https://news.example/1", "")).marked
    told = [await desk.ask(command) for command in ("feeds", "feeds-doctor", "feeds-export")]
    kept = [arrival.raw for arrival in await desk.arrivals()]
    assert (len(kept), len(marked)) == (2, 1)
    assert "s3cret" not in json.dumps([told, kept, marked])
    assert desk.site.url() in json.dumps(told)
    with pytest.raises(ConfigError, match="line 7"):
        await desk.ask("feeds-remove", what=desk.site.url())


async def test_with_an_account_go_its_feeds_and_what_it_has_seen(desk: Desk) -> None:
    await desk.store.accounts.add_user("bob", "x")
    await desk.add(account="bob", start="all")
    await desk.add()
    assert await desk.store.accounts.erase("bob")
    await desk.feeds.registry.restore()
    assert [follower.account for follower in desk.feeds.registry] == ["me"]
    assert await desk.arrived("bob") == []
    assert await desk.store.known(f"feed@bob:{desk.site.url()}", ["i:id-1", "l:https://news.example/1"]) == set()
    assert await desk.store.cursor(f"follow:bob:{desk.site.url()}") is None
    assert await desk.store.cursor(f"follow:me:{desk.site.url()}")


async def test_whoever_joins_later_makes_the_whole_document_come_once_more(desk: Desk) -> None:
    desk.site.put(rss(item(2), item(1)), {"ETag": '"1"'})
    await desk.open(line(desk.site.url()))
    await desk.poll()
    await desk.open(
        line(desk.site.url()), Follower(feed=Feed(url=desk.site.url(), name="x", start=Start("all")), account="bob")
    )
    await desk.poll()
    assert await desk.arrived("bob") == ["Entry 1", "Entry 2"]
    assert await desk.arrived() == []
    await desk.poll()
    assert [asked.headers.get("if-none-match") for asked in desk.site.asked] == [None, None, '"1"']


async def test_what_a_secret_opens_is_for_its_account_alone(desk: Desk) -> None:
    private = Follower(feed=Feed(url=desk.site.url(), name="paid", start=Start("all")), secrets={"x-token": "s3cret"})
    others = Follower(feed=Feed(url=desk.site.url(), name="free", start=Start("all")), account="bob")
    await desk.open(private, others)
    desk.site.put("", {"Location": desk.site.url("/there", host="localhost")}, status=302)
    desk.site.put(rss(item(9)), path="/there")
    await desk.poll()
    assert [(asked.path, asked.headers.get("x-token")) for asked in desk.site.asked] == [
        ("/feed", "s3cret"),
        ("/there", None),
        ("/feed", None),
        ("/there", None),
    ]
    assert "s3cret" not in repr(private)
    assert all("s3cret" not in arrival.raw for arrival in await desk.store.due(10))


async def test_a_feed_goes_on_that_had_begun_before_accounts_could_follow_feeds(desk: Desk, tmp_path: Path) -> None:
    old = FeedState(started=True, polled=1.0, next_poll=2.0).text
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as before:
        before.executescript((resources.files(migrations) / "0001_first.sql").read_text())
        before.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        before.execute("INSERT INTO schema_version VALUES (1)")
        before.execute("INSERT INTO progress (scope, value) VALUES (?, ?)", (f"feed:{desk.site.url()}", old))
        before.execute("INSERT INTO seen (scope, key, since) VALUES (?, 'i:id-1', 0)", (f"feed:{desk.site.url()}",))
        before.commit()
    desk.store = await Store.open(tmp_path / "old.db", desk.clock)
    await desk.open(line(desk.site.url()))
    await desk.poll()
    assert await desk.arrived() == ["Entry 2", "Entry 3"]
    await desk.store.close()


# -- never a flood -------------------------------------------------------------------------------------------------


async def test_more_than_a_poll_may_take_waits_in_order_and_none_is_lost(desk: Desk) -> None:
    await desk.add(at_once=2)
    desk.clock.move(7200)
    desk.site.put(rss(*(item(number) for number in range(9, 0, -1))))
    await desk.poll()
    assert await desk.arrived() == ["Entry 4", "Entry 5"]
    [feed] = (await desk.ask("feeds"))["feeds"]
    assert feed["waiting"] == 4
    desk.clock.move(3600)
    assert await desk.arrived() == ["Entry 4", "Entry 5", "Entry 6", "Entry 7"]
    desk.clock.move(3600)
    assert await desk.arrived() == [f"Entry {number}" for number in range(4, 10)]


async def test_a_daily_budget_keeps_the_rest_for_the_next_days(desk: Desk) -> None:
    desk.clock.now = 86_400 * 20_000.0 + 3600
    await desk.add(start="all", per_day=2, at_once=5)
    assert await desk.arrived() == ["Entry 1", "Entry 2"]
    desk.site.put(rss(item(4), item(3)))
    await desk.poll()
    assert await desk.arrived() == ["Entry 1", "Entry 2"]
    desk.clock.move(86_400)
    assert await desk.arrived() == ["Entry 1", "Entry 2", "Entry 3", "Entry 4"]


async def test_what_waits_can_be_let_in_and_goes_with_its_feed(desk: Desk) -> None:
    await desk.add(start="all", at_once=1)
    assert await desk.ask("feeds-release", what="news") == {"name": "news", "released": 2}
    assert await desk.arrived() == ["Entry 1", "Entry 2", "Entry 3"]
    desk.site.put(rss(item(6), item(5), item(4)))
    desk.clock.move(3 * 3600)
    await desk.poll()
    await desk.poll()
    answer = await desk.ask("feeds-remove", what="news")
    assert answer["given_up"] > 0
    assert "will not come" in words.removed(answer)[0]


@given(
    numbers=st.lists(st.integers(0, 30), max_size=8),
    gaps=st.lists(st.floats(0, 200_000), min_size=8, max_size=8),
    at_once=st.integers(1, 9),
    per_day=st.integers(0, 12),
)
def test_a_queue_keeps_its_order_and_its_limits(
    numbers: list[int], gaps: list[float], at_once: int, per_day: int
) -> None:
    limits = Limits(at_once=at_once, per_day=per_day, pause=3600.0)
    now, progress, dues = 1_790_000_000.0, Progress(), []
    for number, gap in zip(numbers, gaps, strict=False):
        now += gap
        found, progress = queued(progress, number, limits, now)
        assert len(found) == number
        assert all(due >= now - limits.pause for due in found)
        dues += found
    assert dues == sorted(dues)
    days = [int(due // 86_400) for due in dues]
    assert all(dues.count(due) <= at_once for due in dues)
    assert not per_day or all(days.count(day) <= per_day for day in days)


async def test_new_ids_on_known_entries_are_noticed_and_nothing_comes_twice(desk: Desk) -> None:
    await desk.add(start="all")
    renamed = [item(number, guid=f"other-{number}") for number in (3, 2, 1)]
    desk.site.put(rss(*renamed, item(4, guid="x"), item(5, guid="y")))
    await desk.poll()
    before = await desk.ask("feeds-doctor")
    many = [item(number, guid=f"third-{number}") for number in range(1, 6)]
    desk.site.put(rss(*many))
    await desk.poll()
    assert len(await desk.arrived()) == 5
    told = "\n".join(words.examined(await desk.ask("feeds-doctor"), now=desk.clock()))
    assert "gave new ids" in told
    assert "gave new ids" not in "\n".join(words.examined(before, now=desk.clock()))


# -- OPML ----------------------------------------------------------------------------------------------------------


async def bring(desk: Desk, text: str, **asked: Any) -> dict[str, Any]:
    return await desk.ask("feeds-import", content=base64.b64encode(text.encode()).decode(), **asked)


async def test_folders_and_categories_of_a_list_become_tags_and_nobody_is_asked(desk: Desk) -> None:
    text = """<opml><body><outline text="Tech"><outline text="Deep">
        <outline type="rss" text="A &amp; B" xmlUrl="https://a.example/feed" category="/News/Web,daily"/>
        </outline></outline><outline text="C" xmlUrl="https://c.example/feed"/>
        <outline text="D" xmlUrl="https://c.example/feed#again"/><outline text="bad" xmlUrl="feed:nothing"/>
        <outline text="a site" htmlUrl="https://site.example/"></outline></body></opml>"""
    answer = await bring(desk, text, tags=["mine"])
    assert [(feed["name"], feed["tags"]) for feed in answer["added"]] == [
        ("A & B", ["mine", "tech", "deep", "news", "web", "daily"]),
        ("C", ["mine"]),
    ]
    assert [row["line"] for row in answer["known"]] == [4]
    assert [row["line"] for row in answer["bad"]] == [4]
    assert desk.site.asked == []
    assert (await bring(desk, text))["added"] == []
    assert "2 were known" not in "\n".join(words.imported(await bring(desk, text)))


async def test_a_list_that_is_taken_away_comes_back_the_same(desk: Desk) -> None:
    await desk.open(line('https://f.example/<&">?a=1', name="An “odd” <name>", tags=("one", "two & three")))
    await desk.add(name="ann", tags=["two"], interval="2h", at_once=3, per_day=9, categories=False)
    told = (await desk.ask("feeds"))["feeds"]
    text = (await desk.ask("feeds-export"))["opml"]
    await bring(desk, text, account="bob")
    again = (await desk.ask("feeds", account="bob"))["feeds"]
    facts = ("name", "url", "tags", "interval", "at_once", "per_day")
    assert sorted([feed[fact] for fact in facts] for feed in again) == sorted(
        [feed[fact] for fact in facts] for feed in told
    )


words_of_people = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="/,#"), min_size=1, max_size=9
)


@given(
    st.lists(
        st.tuples(words_of_people, st.lists(words_of_people.map(str.lower), max_size=3, unique=True)),
        max_size=6,
    )
)
def test_any_words_survive_opml(feeds: list[tuple[str, list[str]]]) -> None:
    written = [
        Outline(url=f"https://{number}.example/", name=tidy(name), tags=tidy_tags(tags), own={})
        for number, (name, tags) in enumerate(feeds)
    ]
    read_again = outlines(opml(written, "all"))
    assert {(one.url, one.name, one.tags) for one in read_again} == {(one.url, one.name, one.tags) for one in written}


def test_every_list_of_the_corpus_is_read(corpus: Path) -> None:
    files = [*sorted((corpus / "feeds").rglob("*.opml")), *sorted((corpus / "feeds").rglob("*[oO]pml*.xml"))]
    found = {path.name: len(outlines(path.read_text("utf-8", "replace"))) for path in files}
    assert len(files) > 10
    print(found)
    # These hold no feed: a tree of places, one of categories, and one that says so in its name.
    assert {name for name, number in found.items() if not number} <= {
        "feedsmith-places.opml",
        "feedsmith-category.opml",
    }


# -- the doctor ----------------------------------------------------------------------------------------------------

NOW = 1_790_000_000.0
WELL = FeedState(started=True, polled=NOW - 60, last_ok=NOW - 60, next_poll=NOW + 3600, newest=NOW - 86_400)


@pytest.mark.parametrize(
    ("state", "problem", "mend"),
    [
        (WELL.failed("answered 401 (Unauthorized)", NOW, 60.0), "answered 401", "give it “auth”"),
        (WELL.failed("answered 404 (Not Found)", NOW, 60.0), "answered 404", "feeds add https://x.example/ --dry-run"),
        (WELL.failed("the answer is a web page, not a feed", NOW, 60.0), "a web page", "feeds remove 'ann'"),
        (WELL.failed("x is an address inside a private network", NOW, 60.0), "private", "BRIDGE_ALLOW_NETS"),
        (WELL.failed("answered 503 (x)", NOW, 60.0), "answered 503", "tried again by itself"),
        (WELL.failed("answered 503 (x)", NOW - 20 * 86_400, 40 * 86_400.0), "answered 503", "feeds remove 'ann'"),
        (FeedState(polled=NOW, gone=True), "gone for good", "feeds remove 'ann'"),
        (FeedState(polled=NOW - 9e5, next_poll=NOW - 8e5), "has not been asked", "pocket-bridge run"),
        (FeedState(), "was never asked yet", "pocket-bridge run"),
        (FeedState(polled=NOW, next_poll=NOW, moved="https://y.example/"), "moved for good", "nothing"),
        (FeedState(polled=NOW, next_poll=NOW, newest=NOW - 300 * 86_400), "published nothing", "if it is dead"),
        (FeedState(polled=NOW, next_poll=NOW, remark="the last document was cut off"), "cut off", "next complete"),
    ],
)
def test_what_is_wrong_is_told_with_what_mends_it(state: FeedState, problem: str, mend: str) -> None:
    follower = Follower(feed=Feed(url="https://x.example/feed", name="ann"), since=1.0)
    [found] = findings(Case(follower=follower, state=state, backlog=None, missing=(), file="rules.yaml"), NOW)
    assert problem in found.problem
    assert mend in found.mend


def test_the_site_of_a_feed_is_named_with_its_scheme_and_port_and_without_a_password() -> None:
    follower = Follower(feed=Feed(url="http://ann:secret@x.example:8080/feed", name="ann"), since=1.0)
    state = WELL.failed("answered 404 (Not Found)", NOW, 60.0)
    [found] = findings(Case(follower=follower, state=state, backlog=None, missing=(), file="rules.yaml"), NOW)
    assert "feeds add http://x.example:8080/ --dry-run" in found.mend


def test_a_feed_that_is_well_has_no_findings_and_one_of_the_file_is_mended_there() -> None:
    follower = line("https://x.example/feed")
    case = Case(follower=follower, state=WELL, backlog=None, missing=(), file="rules.yaml")
    assert findings(case, NOW) == []
    gone = Case(follower=follower, state=FeedState(polled=NOW, gone=True), backlog=None, missing=("kobo",), file="r")
    assert [found.mend for found in findings(gone, NOW)] == [
        "delete its entry, which begins in line 7 of r",
        "correct “to” in line 7 of r",
    ]


async def test_the_list_and_the_doctor_speak_in_columns_and_sentences(desk: Desk) -> None:
    await desk.add(tags=["x"])
    desk.site.put("", status=500)
    await desk.poll()
    listed = "\n".join(words.feeds(await desk.ask("feeds"), now=desk.clock()))
    assert "failing" in listed
    assert f"{desk.site.url()} #x" in listed
    assert "answered 500" in listed
    told = click.unstyle("\n".join(words.examined(await desk.ask("feeds-doctor"), now=desk.clock())))
    assert "wrong  news: answered 500" in told
    assert "0 of 1 feed are well" in told


# -- why -----------------------------------------------------------------------------------------------------------


async def passport(desk: Desk, url: str) -> str:
    found = asdict(await desk.store.passport("me", canonical(url), url))
    for sighting in found["sightings"]:
        sighting["rules"] = []
    return click.unstyle("\n".join(links.passport(found, now=desk.clock())))


async def test_one_link_in_several_feeds_is_one_link_that_names_them_all(desk: Desk) -> None:
    for path in ("/a", "/b", "/c"):
        desk.site.put(rss(item(1, guid=path)), path=path)
    await desk.add("/a", name="first", start="all", tags=["one"])
    await desk.add("/b", name="second", start="all", tags=["two"])
    await desk.add("/c", name="third")
    intake = Intake(desk.store, {"feed": read}, EMPTY)
    assert await intake.step() == 2
    told = await passport(desk, "https://news.example/1")
    assert "one link, in 2 feeds: first, second" in told
    assert f"known from feed {desk.site.url('/c')}, not saved" in told
    assert (await desk.store.counts())["deliveries"] == {"reading": {"pending": 1}}
    [delivery] = (await desk.store.passport("me", "https://news.example/1", "")).deliveries
    assert delivery["tags"] == ["one", "two"]
    assert (await desk.store.passport("bob", "https://news.example/1", "")).marked == []


async def test_why_tells_until_when_an_entry_waits(desk: Desk) -> None:
    await desk.add(start="all", at_once=1)
    assert "it waits until" in await passport(desk, "https://news.example/3")
    assert "its feed has more than it may give at once" in await passport(desk, "https://news.example/3")
    assert "not read yet" in await passport(desk, "https://news.example/1")


async def test_a_feed_s_destinations_stand_in_for_the_default_and_rules_may_say_otherwise(desk: Desk) -> None:
    text = """
destinations: {kobo: {type: pocket}, late: {type: pocket}}
rules:
  - {name: long, if: {title: Entry 2}, then: {to: late}}
"""
    await desk.add(start="all", to=["kobo"])
    await Intake(desk.store, {"feed": read}, load(text, name="rules.yaml")).step()
    assert (await desk.store.counts())["deliveries"] == {"kobo": {"pending": 2}, "late": {"pending": 1}}
    assert decide(EMPTY, Sighting.of("https://a.example/", source="feed", to=("gone",))).to == ("reading",)
