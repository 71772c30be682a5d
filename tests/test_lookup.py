"""Pages that decisions need: looked at once, in the meantime waited for, and never a reason to lose or to hold a link."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge import rules
from bridge.errors import PageError
from bridge.intake import Intake
from bridge.link import Sighting
from bridge.lookup import LATER, SOON, Lookup, next_look
from bridge.needs import IN_LINE_SECONDS, Patience
from bridge.page import Page
from bridge.ports import OWNER, Arrival, Key, Reading, WantedPage
from bridge.store.core import Store
from tests.conftest import Clock

LONG = "rules:\n  - name: long\n    if: {minutes: {over: 8}}\n    then: {tag: long}\n"


def read(group: Any) -> Reading:
    """Raw text is an address, and a title behind a bar."""
    urls = [arrival.raw.split("|") for arrival in group]
    return Reading([Sighting.of(url, source="save", title="".join(title)) for url, *title in urls])


class Site:
    """Pages as they are read; an exception is raised."""

    def __init__(self, **pages: Page | Exception) -> None:
        self.pages = {f"https://{name.replace('_', '.')}/": page for name, page in pages.items()}
        self.asked: list[str] = []
        self.resting = 0

    async def read(self, url: str) -> Page:
        self.asked.append(url)
        found = self.pages.get(url, PageError("the site answers with status 404", lasting=True))
        if isinstance(found, Exception):
            raise found
        return found

    async def rest(self) -> None:
        self.resting += 1


class Line:
    """Intake and look-ups over a real store, stepped by hand."""

    def __init__(self, store: Store, clock: Clock, site: Site, text: str = "", **patience: Any) -> None:
        self.store = store
        self.clock = clock
        wanted = Patience(**{"looks": "on", "seconds": 20.0, **patience})
        rule_file = rules.load(text, name="rules.yaml")
        self.intake = Intake(store, {"save": read}, rule_file, pages=store, patience=wanted, clock=clock)
        self.lookup = Lookup(store, site, clock=clock, patience=wanted.seconds, retitling=wanted.retitling)

    async def put(self, *raw: str) -> None:
        known = sum((await self.store.counts(""))["arrivals"].values())
        keys = (Key("t", f"{known + number}") for number in range(len(raw)))
        await self.store.put([Arrival(source="save", key=key, raw=each) for key, each in zip(keys, raw, strict=True)])

    async def settle(self) -> None:
        """Until nothing is due any more."""
        while await self.intake.step() or await self.lookup.step():
            continue

    async def sighting(self, url: str) -> dict[str, Any]:
        [found] = (await self.store.passport(OWNER, url, url)).sightings
        return found

    async def delivery(self, url: str) -> dict[str, Any]:
        [found] = (await self.store.passport(OWNER, url, url)).deliveries
        return found


async def test_a_link_without_a_title_waits_for_its_page_and_gets_the_pages_title(store: Store, clock: Clock) -> None:
    line = Line(store, clock, site := Site(a_example=Page(title="A page")))
    await line.put("https://a.example/")
    await line.intake.step()
    [waiting] = (await store.passport(OWNER, "https://a.example/", "https://a.example/")).waiting
    assert waiting["reason"] == "waits for its page"
    assert (await store.counts(""))["waiting_for_pages"] == 1
    await line.settle()
    assert (await line.delivery("https://a.example/"))["title"] == "A page"
    assert site.asked == ["https://a.example/"]


async def test_a_title_that_came_with_the_link_is_kept_and_no_page_is_asked(store: Store, clock: Clock) -> None:
    line = Line(store, clock, site := Site(a_example=Page(title="A page")))
    await line.put("https://a.example/|What I call it")
    await line.settle()
    assert (await line.delivery("https://a.example/"))["title"] == "What I call it"
    assert site.asked == []


async def test_a_page_is_looked_at_once_however_often_its_link_comes(store: Store, clock: Clock) -> None:
    line = Line(store, clock, site := Site(a_example=Page(title="A page")))
    for _ in range(3):
        await line.put("https://a.example/", "https://a.example/?utm_source=x")
        await line.settle()
    assert site.asked == ["https://a.example/"]


async def test_what_the_page_says_decides_and_is_told_with_the_decision(store: Store, clock: Clock) -> None:
    line = Line(store, clock, Site(a_example=Page(title="A page", words=9 * 230)), LONG)
    await line.put("https://a.example/|Named")
    await line.settle()
    sighting = await line.sighting("https://a.example/")
    assert (sighting["matched"], sighting["page"]["words"]) == (["long"], 9 * 230)
    assert (await line.delivery("https://a.example/"))["tags"] == ["long"]


async def test_a_page_that_cannot_be_read_leaves_its_facts_unknown_and_the_link_goes_on(
    store: Store, clock: Clock
) -> None:
    line = Line(store, clock, site := Site(a_example=PageError("the site answers with status 500")), LONG)
    await line.put("https://a.example/|Named")
    for seconds in SOON:
        await line.settle()
        assert not (await store.passport(OWNER, "https://a.example/", "")).sightings
        clock.move(seconds)
    await line.settle()
    assert len(site.asked) == 1 + len(SOON)
    sighting = await line.sighting("https://a.example/")
    assert sighting["page"] == {"unread": "the site answers with status 500"}
    assert (await line.delivery("https://a.example/"))["state"] == "pending"


async def test_a_page_that_is_gone_is_not_asked_for_twice(store: Store, clock: Clock) -> None:
    line = Line(store, clock, site := Site(), LONG)
    await line.put("https://a.example/|Named")
    await line.settle()
    await line.put("https://a.example/|Named")
    await line.settle()
    assert len(site.asked) == 1
    assert len((await store.passport(OWNER, "https://a.example/", "")).sightings) == 2


async def test_a_dropped_link_has_no_page_looked_at_unless_the_drop_depends_on_it(store: Store, clock: Clock) -> None:
    drop = "rules:\n  - name: no\n    if: {domain: a.example}\n    then: {drop: noise}\n"
    line = Line(store, clock, site := Site(), drop + LONG.removeprefix("rules:\n"))
    await line.put("https://a.example/")
    await line.settle()
    assert (await line.sighting("https://a.example/"))["state"] == "dropped"
    assert site.asked == []
    unless = drop.replace("    then:", "    unless: {minutes: {over: 8}}\n    then:")
    line = Line(store, clock, site := Site(a_example=Page(title="Long", words=4000)), unless)
    await line.put("https://a.example/")
    await line.settle()
    states = [sighting["state"] for sighting in (await store.passport(OWNER, "https://a.example/", "")).sightings]
    assert states == ["dropped", "kept"]


async def test_others_are_decided_while_one_waits(store: Store, clock: Clock) -> None:
    line = Line(store, clock, Site())
    await line.put("https://slow.example/", "https://b.example/|Named")
    await line.intake.step()
    assert (await line.delivery("https://b.example/"))["state"] == "pending"
    assert not (await store.passport(OWNER, "https://slow.example/", "")).deliveries


async def test_no_link_is_held_for_ever_by_a_page_whose_turn_never_comes(store: Store, clock: Clock) -> None:
    line = Line(store, clock, Site(), LONG)
    await line.put("https://a.example/|Named")
    assert await line.intake.step() == 1
    clock.move(IN_LINE_SECONDS - 1)
    assert await line.intake.step() == 0
    clock.move(2)
    assert await line.intake.step() == 1
    assert (await line.sighting("https://a.example/"))["page"] == {"unread": "no answer came in time"}


async def test_a_link_goes_at_once_where_its_title_may_come_later(store: Store, clock: Clock) -> None:
    line = Line(store, clock, Site(a_example=Page(title="A page")), retitling=frozenset({"reading"}))
    await line.put("https://a.example/")
    await line.intake.step()
    assert (await line.delivery("https://a.example/"))["title"] == ""
    await line.settle()
    assert (await line.delivery("https://a.example/"))["title"] == "A page"
    assert (await line.sighting("https://a.example/"))["title"] == "A page"


async def test_a_title_is_looked_for_again_later_and_in_the_end_not_any_more(store: Store, clock: Clock) -> None:
    wall = PageError("there is a check for robots in its place")
    line = Line(store, clock, site := Site(a_example=wall), retitling=frozenset({"reading"}))
    await line.put("https://a.example/")
    for seconds in (*SOON, *LATER, 30 * 86400.0):
        await line.settle()
        clock.move(seconds + 20)
    await line.settle()
    tries = len(site.asked)
    assert 1 + len(LATER) <= tries <= 1 + len(SOON) + len(LATER)
    site.pages["https://a.example/"] = Page(title="A page")
    clock.move(30 * 86400.0)
    await line.settle()
    assert len(site.asked) == tries


async def test_a_pages_own_address_leads_to_its_link_later(store: Store, clock: Clock) -> None:
    page = Page(title="A page", canonical="https://a.example/2026/a-page")
    line = Line(store, clock, Site(a_example=page))
    await line.put("https://a.example/")
    await line.settle()
    await line.put("https://a.example/2026/a-page|Again")
    await line.settle()
    passport = await store.passport(OWNER, "https://a.example/2026/a-page", "")
    assert passport.canonical == "https://a.example/"
    assert [sighting["state"] for sighting in passport.sightings] == ["kept", "duplicate"]
    assert passport.others == ["https://a.example/2026/a-page"]


async def test_a_pages_own_address_never_merges_two_links(store: Store, clock: Clock) -> None:
    line = Line(store, clock, Site(a_example=Page(title="A page", canonical="https://b.example/")))
    await line.put("https://b.example/|There before")
    await line.settle()
    await line.put("https://a.example/")
    await line.settle()
    for url in ("https://a.example/", "https://b.example/"):
        assert [each["state"] for each in (await store.passport(OWNER, url, "")).sightings] == ["kept"]


async def test_what_is_read_together_waits_together(store: Store, clock: Clock) -> None:
    line = Line(store, clock, Site(a_example=Page(title="A"), b_example=Page(title="B")))
    urls = ("https://a.example/", "https://b.example/")
    await store.put([Arrival(source="save", key=Key("t", url), raw=url, group="album") for url in urls])
    await line.settle()
    assert [(await line.delivery(url))["title"] for url in urls] == ["A", "B"]
    assert (await store.counts(""))["arrivals"] == {"read": 2}


async def test_a_bug_in_reading_a_page_costs_that_page(
    store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    line = Line(store, clock, Site(a_example=ZeroDivisionError()))
    await line.put("https://a.example/")
    await line.settle()
    assert "ZeroDivisionError" in (await line.sighting("https://a.example/"))["page"]["unread"]
    assert "could not be read" in caplog.text


async def test_one_host_is_asked_by_one_worker_at_a_time(store: Store, clock: Clock) -> None:
    running, most = 0, 0
    gate = asyncio.Event()

    class Slow(Site):
        async def read(self, url: str) -> Page:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await gate.wait()
            running -= 1
            return await super().read(url)

    line = Line(store, clock, Slow(a_example=Page(title="A"), b_example=Page(title="B")))
    await line.put("https://a.example/x", "https://a.example/y", "https://b.example/")
    await line.intake.step()
    steps = [asyncio.create_task(line.lookup.step()) for _ in range(3)]
    async with asyncio.timeout(10):
        while running < 2 or not any(step.done() for step in steps):
            await asyncio.sleep(0)
    assert most == 2
    gate.set()
    assert sorted(await asyncio.gather(*steps)) == [0, 1, 1]


async def test_switched_off_nobody_waits(store: Store, clock: Clock) -> None:
    on = Line(store, clock, Site(), LONG)
    await on.put("https://a.example/|Named")
    await on.intake.step()
    off = Line(store, clock, site := Site(), LONG, looks="off")
    await store.stop_waiting()
    await off.intake.step()
    await off.put("https://b.example/")
    await off.intake.step()
    for url in ("https://a.example/", "https://b.example/"):
        assert (await off.delivery(url))["state"] == "pending"
    assert site.asked == []


async def test_only_rules_may_ask_when_the_setting_says_so(store: Store, clock: Clock) -> None:
    line = Line(store, clock, site := Site(a_example=Page(title="A page")), looks="rules")
    await line.put("https://a.example/")
    await line.settle()
    assert site.asked == []


@pytest.mark.parametrize("tries", range(8))
def test_waiting_for_a_page_ends(tries: int) -> None:
    page = WantedPage("a", "a", "a", tries, began=100.0, titled=False)
    again, waited_for = next_look(page, PageError("down"), now=119.0, patience=20.0)
    assert (again, waited_for) == (None, False)
    again, waited_for = next_look(page, PageError("down", retry_after=3600.0), now=101.0, patience=20.0)
    assert not waited_for


def test_a_page_that_asks_for_time_gets_it() -> None:
    page = WantedPage("a", "a", "a", 0, began=100.0, titled=False)
    assert next_look(page, PageError("down", retry_after=7.0), now=101.0, patience=20.0) == (108.0, True)
