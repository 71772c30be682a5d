"""Pages read in earnest: over HTTP, in the child process, in a whole bridge; and pages that do all they can to harm."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bridge import control
from bridge.errors import PageError
from bridge.net import Net
from bridge.pages.reader import MOST_BYTES, PageReader
from bridge.settings import load_settings
from bridge.trial import tried
from bridge.wiring import Bridge, open_bridge

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
PAGE = b"<!doctype html><html lang='en-GB'><head><title>A page</title></head><body><p>Words</p></body></html>"


def whole(body: bytes, head: bytes = HEAD) -> Answering:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    return answer


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"\r\n" + PAGE)
    while True:
        writer.write(b"<p>more and more</p>" * 1000)
        await writer.drain()


async def a_byte_a_second(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"\r\n")
    for byte in PAGE:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(1)


async def in_circles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    path = (await reader.readline()).split()[1].decode()
    writer.write(f"HTTP/1.1 302 Found\r\nLocation: {path}x\r\nContent-Length: 0\r\n\r\n".encode())


async def ten_gigabytes(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """In gzip, as long as anybody reads it."""
    writer.write(HEAD + b"Content-Encoding: gzip\r\n\r\n")
    packed = gzip.compress(b"<p>" + b"a" * 10_000_000)
    for _round in range(1000):
        writer.write(packed)
        await writer.drain()


async def dying(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 100000\r\n\r\n" + PAGE)
    await writer.drain()
    writer.transport.abort()


async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


@contextlib.asynccontextmanager
async def site(answer: Answering) -> AsyncIterator[tuple[str, list[int]]]:
    """A server whose every connection is answered like this. Its origin, and a number for each connection."""
    calls: list[int] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(len(calls))
        with contextlib.suppress(OSError, asyncio.CancelledError, ValueError):
            await answer(reader, writer)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", calls
    finally:
        server.close()


@contextlib.asynccontextmanager
async def reader(*, allow: str = "127.0.0.0/8", fetch_seconds: float = 10.0) -> AsyncIterator[PageReader]:
    net = Net(allow_nets=[allow] if allow else [])
    pages = PageReader(net, fetch_seconds=fetch_seconds)
    try:
        yield pages
    finally:
        await pages.rest()
        await net.close()


async def test_a_page_is_fetched_and_read() -> None:
    async with site(whole(PAGE)) as (origin, _), reader() as pages:
        page = await pages.read(f"{origin}/a")
        assert (page.title, page.lang, page.words) == ("A page", "en-gb", 1)


async def test_of_an_endless_page_the_beginning_is_enough() -> None:
    async with site(endless) as (origin, _), reader() as pages:
        page = await pages.read(f"{origin}/")
        assert page.title == "A page"
        assert page.words
        assert page.words < MOST_BYTES


async def test_ten_gigabytes_in_gzip_cost_a_megabyte() -> None:
    async with site(ten_gigabytes) as (origin, _), reader() as pages:
        assert not (await pages.read(f"{origin}/")).title


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (a_byte_a_second, "no complete answer within 1 seconds"),
        (silent, "no complete answer within 1 seconds"),
        (in_circles, "more than 5 redirects"),
        (dying, "broke off|cut off"),
        (whole(b"", b"HTTP/1.1 503 Busy\r\n"), "status 503"),
        (whole(PAGE.replace(b"A page", b"Just a moment...")), "a check for robots"),
        (whole(PAGE.replace(b"A page", b"Attention Required! | Cloudflare")), "a check for robots"),
    ],
)
async def test_a_page_that_cannot_be_read_says_why_and_may_be_tried_again(answer: Answering, reason: str) -> None:
    async with site(answer) as (origin, calls), reader(fetch_seconds=1.0) as pages:
        with pytest.raises(PageError, match=reason) as caught:
            await pages.read(f"{origin}/")
        assert not caught.value.lasting
        assert calls


async def test_a_page_inside_ones_own_network_is_not_fetched() -> None:
    async with site(whole(PAGE)) as (origin, calls), reader(allow="") as pages:
        with pytest.raises(PageError, match="inside a private network") as caught:
            await pages.read(f"{origin}/")
        assert caught.value.lasting
        assert not calls


async def test_a_page_that_is_gone_is_gone_and_a_busy_one_says_when() -> None:
    gone, busy = b"HTTP/1.1 404 Not Found\r\n", b"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\n"
    async with site(whole(b"", gone)) as (origin, _), reader() as pages:
        with pytest.raises(PageError, match="404") as caught:
            await pages.read(f"{origin}/")
        assert caught.value.lasting
    async with site(whole(b"", busy)) as (origin, _), reader() as pages:
        with pytest.raises(PageError, match="429") as caught:
            await pages.read(f"{origin}/")
        assert caught.value.retry_after == 7.0


HOSTILE = {
    "many attributes": b"<a " + b" ".join(b"a%d=1" % number for number in range(90_000)) + b">",
    "deep": b"<div>" * 200_000,
    "deep lists": b"<ul><li>" * 100_000,
    "unclosed tags": b"<a " * 300_000,
    "unclosed comments": b"<!--" * 250_000,
    "formatting": b"<b><i><u>" * 100_000 + b"<p>" * 1000,
    "a title of a megabyte": b"<title>" + b"word " * 200_000 + b"</title>",
    "a title of entities": b"<title>" + b"&amp;" * 200_000 + b"</title>",
    "headings": b"<h1>A</h1>" * 90_000,
    "metas": b"<meta property='og:title' content='A'>" * 25_000,
    "deep data": b"<script type='application/ld+json'>" + b"[" * 200_000 + b"</script>",
    "much data": b"<script type='application/ld+json'>[{}]</script>" * 20_000,
    "a table": b"<table><tr><td>" * 60_000,
    "nul": b"\0" * 1_000_000,
    "cdata": b"<![CDATA[" * 100_000,
    "a number too large": b"<script type='application/ld+json'>" + b"9" * 200_000 + b"</script>",
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_page_costs_its_deadline_at_most_and_the_next_page_is_read(name: str) -> None:
    body = HOSTILE[name][: MOST_BYTES - len(PAGE)]
    async with site(whole(body + PAGE)) as (hostile, _), site(whole(PAGE)) as (good, _), reader() as pages:
        began = time.monotonic()
        with contextlib.suppress(PageError):
            page = await pages.read(f"{hostile}/")
            assert len(page.title) <= 1000
        assert time.monotonic() - began < 8
        assert (await pages.read(f"{good}/")).title == "A page"


# -- a whole bridge ------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def a_bridge(folder: Path, rules: str = "", **more: object) -> AsyncIterator[Bridge]:
    (folder / "rules.yaml").write_text(rules)
    settings = load_settings(
        data=folder / "data", rules=folder / "rules.yaml", pages="on", allow_nets="127.0.0.0/8", **more
    )
    with control.own(settings.data):
        async with open_bridge(settings) as bridge:
            supervisor = bridge.supervisor()
            working = asyncio.create_task(supervisor.run())
            try:
                yield bridge
            finally:
                supervisor.stop()
                await working


async def passport_when(bridge: Bridge, url: str, state: Callable[[dict[str, object]], bool]) -> dict[str, object]:
    async with asyncio.timeout(20):
        while not state(passport := dict(await bridge.desk.handle("why", {"url": url}))):
            await asyncio.sleep(0.02)
    return passport


def delivered(passport: dict[str, object]) -> bool:
    deliveries = passport["deliveries"]
    return isinstance(deliveries, list) and [delivery["state"] for delivery in deliveries] == ["delivered"]


async def test_a_title_follows_its_link_to_the_list(tmp_path: Path) -> None:
    from bridge.reading_list import Query  # noqa: PLC0415

    ready = asyncio.Event()

    async def slow(reader_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ready.wait()
        await whole(PAGE)(reader_, writer)

    async with site(slow) as (origin, _), a_bridge(tmp_path) as bridge:
        url = f"{origin}/a"
        answer = await bridge.desk.handle("add", {"url": url})
        assert answer["settled"]
        [item] = (await bridge.store.find("me", Query())).items
        assert item.title == ""
        ready.set()

        async def titled() -> bool:
            return [found.title for found in (await bridge.store.find("me", Query())).items] == ["A page"]

        async with asyncio.timeout(10):
            while not await titled():
                await asyncio.sleep(0.02)
        passport = await passport_when(bridge, url, delivered)
        assert [sighting["title"] for sighting in passport["sightings"]] == ["A page"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("answer", [endless, a_byte_a_second, in_circles, ten_gigabytes, dying, silent])
async def test_others_are_decided_and_delivered_while_a_page_harms(tmp_path: Path, answer: Answering) -> None:
    rules = "rules:\n  - name: long\n    if: {minutes: {over: 8}}\n    then: {tag: long}\n"
    async with site(answer) as (bad, calls), site(whole(PAGE)) as (good, _), a_bridge(tmp_path, rules) as bridge:
        waiting = asyncio.create_task(bridge.desk.handle("add", {"url": f"{bad}/slow", "title": "Slow"}))
        async with asyncio.timeout(10):
            while not calls:
                await asyncio.sleep(0.01)
        passport = await passport_when(bridge, f"{bad}/slow", lambda _: True)
        assert passport["waiting"] or passport["sightings"]
        await bridge.desk.handle("add", {"url": f"{good}/a", "title": "Good"})
        assert delivered(await passport_when(bridge, f"{good}/a", delivered))
        waiting.cancel()


async def test_a_link_goes_on_without_a_page_that_cannot_be_read_and_why_says_so(tmp_path: Path) -> None:
    rules = "rules:\n  - name: long\n    if: {minutes: {over: 8}}\n    then: {tag: long}\n"
    async with (
        site(whole(b"", b"HTTP/1.1 500 No\r\n")) as (origin, calls),
        a_bridge(tmp_path, rules, page_wait=3) as bridge,
    ):
        await bridge.desk.handle("add", {"url": f"{origin}/a", "title": "Named"})
        passport = await passport_when(bridge, f"{origin}/a", delivered)
        [sighting] = passport["sightings"]  # type: ignore[misc]
        [rule] = sighting["rules"]  # type: ignore[has-type]
        reason = "the site answers with status 500"
        assert rule["because"] == f"minutes is unknown (the page could not be read: {reason})"
        assert len(calls) == 2


async def test_a_trial_looks_at_the_page_where_a_decision_needs_it(tmp_path: Path) -> None:
    rules = "rules:\n  - name: english\n    if: {lang: en}\n    then: {tag: en}\n"
    (tmp_path / "rules.yaml").write_text(rules)
    settings = load_settings(
        data=tmp_path / "data", rules=tmp_path / "rules.yaml", pages="on", allow_nets="127.0.0.0/8"
    )
    async with site(whole(PAGE)) as (origin, _):
        [link] = (await tried(settings, f"read this: {origin}/a"))["links"]
        assert (link["decision"]["title"], link["decision"]["tags"]) == ("A page", ("en",))
    off = load_settings(data=tmp_path / "data", rules=tmp_path / "rules.yaml", pages="off")
    async with site(whole(PAGE)) as (origin, calls):
        [link] = (await tried(off, f"read this: {origin}/a"))["links"]
        assert (link["page"], calls) == (None, [])
