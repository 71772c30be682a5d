"""Every way out of the house against a canary that sits on this machine: whatever spelling, nobody reaches it.

To the canary lead all of this machine's addresses: 127.0.0.0/8, ::1, and those of its network cards.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from bridge.delivery import Delivery
from bridge.destinations import pocket
from bridge.errors import BridgeError, FetchError, InvalidArrival
from bridge.net import Net, is_private
from bridge.pages.reader import PageReader
from bridge.rules import Feed, Start
from bridge.sources.feeds.look import found, preview
from bridge.sources.feeds.reader import Reader
from bridge.sources.feeds.source import Feeds, Follower, Hubs, Registry
from bridge.sources.telegram.api import BotApi
from bridge.sources.webhooks.notices import Post
from bridge.store.core import Store
from tests.conftest import Clock
from tests.sources.feed_site import Site, item, rss

# {port} is the canary's, {card} the address of a network card.
HOSTS = (
    "127.0.0.1 127.0.0.53 127.1 127.0.1 127.255.255.254 localhost LOCALHOST localhost. LocalHost. 2130706433 0x7f000001 "
    "0x7f.1 0x7F.0x0.0x0.0x1 0177.0.0.1 0177.1 017700000001 00000177.0.0.1 0 0.0 0.0.0.0 0x0 127.0.0.1. 1%32%37.0.0.1 "
    "%31%32%37.0.0.1 127%2e0%2e0%2e1 127。0。0。1 127．0．0．1 ①②⑦.0.0.1 １２７.0.0.1 ⑯⑨.254.⑯⑨.254 169.254.169.254 "
    "[::1] [::] [0:0:0:0:0:0:0:1] [0000::0001] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:0:127.0.0.1] [::127.0.0.1] "
    "[::7f00:1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1] [2002:7f00:1::] [2002:7f00:1::1] "
    "[2001:0:7f00:1::] [fe80::1] [fec0::1] [fc00::1] [ff02::1] 100.64.0.1 192.0.0.1 198.18.0.1 224.0.0.1 240.0.0.1 "
    "255.255.255.255 {card} [::ffff:{card}] loop.example mixed.example flips.example card.example six.example "
    "mapped.example nat64.example lоcalhost"
).split()
WRITTEN = [
    *(f"http://{host}:{{port}}/" for host in HOSTS),
    "http://public.example@127.0.0.1:{port}/",
    "http://public.example:80@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@public.example/",
    "http://public.example\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@public.example/",
    "http://127.0.0.1:{port}?@public.example/",
    "http:127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}\\",
    "HTTP://127.0.0.1:{port}/",
    " http://127.0.0.1:{port}/ ",
    "ht\ttp://127.0.0.1:{port}/",
    "http://127.0.0.1\n:{port}/",
    "http://127.0.0.1:{port}/\r\nHost: public.example",
    "http://127.0.0.1\0:{port}/",
    "https://127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET",
    "dict://127.0.0.1:{port}/d",
    "ws://127.0.0.1:{port}/",
    "unix:/127.0.0.1:{port}",
    "jar:http://127.0.0.1:{port}/!/",
    "view-source:http://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
]
NAMES = {
    "loop.example": ["127.0.0.1"],
    "mixed.example": ["8.8.8.8", "127.0.0.1"],
    "six.example": ["::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::7f00:1"],
}


class Canary:
    def __init__(self, card: str) -> None:
        self.card = card
        self.port = 0
        self.hits = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        with contextlib.suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsing")
            await writer.drain()
        writer.close()

    def forms(self) -> list[str]:
        return [form.format(port=self.port, card=self.card) for form in WRITTEN]

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Names of ours; all others as this machine knows them, if it does."""
        if host == "flips.example":  # public for whoever looks first
            self.flipped = not getattr(self, "flipped", False)
            return ["8.8.8.8"] if self.flipped and self.first_look_lies else ["127.0.0.1"]
        if host == "card.example":
            return [self.card]
        if host.endswith(".example"):
            return NAMES.get(host, [])
        loop = asyncio.get_running_loop()
        entries = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [str(entry[4][0]) for entry in entries]

    first_look_lies = False


def own_address() -> str:
    """That of a network card; of a second one on loopback where there is none."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("8.8.8.8", 53))  # sends nothing
        return str(probe.getsockname()[0])
    return "127.0.0.9"


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    card = own_address()
    bird = Canary(card if is_private(card) else "127.0.0.9")
    server = await asyncio.start_server(bird, "0.0.0.0", 0)
    bird.port = server.sockets[0].getsockname()[1]
    try:
        six = await asyncio.start_server(bird, "::1", bird.port)
    except OSError:
        six = None  # a machine without IPv6
    yield bird
    server.close()
    if six is not None:
        six.close()


@dataclass
class House:
    """`site` is the one place that may be reached: it publishes what leads to the canary."""

    net: Net
    store: Store
    clock: Clock
    site: Site
    reader: Reader
    canary: Canary

    @property
    def origin(self) -> str:
        return self.site.url("", host="127.0.0.2")

    def feeds(self, url: str) -> Feeds:
        return Feeds(
            self.store,
            self.net,
            Registry(self.store, [Follower(feed=Feed(url=url, name="f", start=Start("all")))]),
            clock=self.clock,
            chance=lambda: 0.0,
            reader=self.reader,
            hubs=Hubs(self.store, self.net, public_url="https://b.example", key=b"k", clock=self.clock),
        )

    async def poll(self, url: str) -> None:
        feeds = self.feeds(url)
        [channel] = feeds.registry.channels.values()
        await feeds.poll(channel)


async def a_site_of_ours() -> tuple[Site, asyncio.Server]:
    site = Site()
    server = await asyncio.start_server(site.answer, "127.0.0.2", 0)
    site.port = server.sockets[0].getsockname()[1]
    return site, server


@pytest.fixture
async def house(store: Store, clock: Clock, canary: Canary) -> AsyncIterator[House]:
    site, server = await a_site_of_ours()
    net = Net(allow_nets=["127.0.0.2/32"], resolve=canary.resolve)
    async with Reader() as reader:
        yield House(net, store, clock, site, reader, canary)
    await net.close()
    server.close()


def header(url: str) -> str:
    """As a header can hold it."""
    return "".join(character for character in url if character not in "\r\n\0").encode().decode("latin-1")


# -- the ways -----------------------------------------------------------------------------------------------------------


async def fetched(house: House, url: str) -> None:
    with pytest.raises(FetchError):
        await house.net.fetch(url, deadline=5)


async def as_feed(house: House, url: str) -> None:
    with contextlib.suppress(InvalidArrival):  # what is no address at all is nobody's feed
        await house.poll(url)


async def tried(house: House, url: str) -> None:
    with contextlib.suppress(BridgeError):
        await preview(house.net, url)


async def behind_a_redirect(house: House, url: str) -> None:
    for status in (301, 302, 303, 307, 308):
        house.site.put("", {"Location": header(url)}, status=status)
        with contextlib.suppress(BridgeError):
            await house.net.fetch(f"{house.origin}/feed", deadline=5)


async def named_by_a_page(house: House, url: str) -> None:
    link = f"<link rel=alternate type='application/rss+xml' href='{html.escape(url)}'>"
    house.site.put(f"<!doctype html><html><head>{link}</head></html>")
    with contextlib.suppress(BridgeError):
        await found(house.net, house.reader, f"{house.origin}/feed", now=0.0)


async def as_page(house: House, url: str) -> None:
    pages = PageReader(house.net)
    with contextlib.suppress(BridgeError):
        await pages.read(url)
    await pages.rest()


async def as_hub(house: House, url: str) -> None:
    atom = "http://www.w3.org/2005/Atom"
    written = html.escape("".join(character for character in url if character != "\0"))
    house.site.put(
        rss(f"<a:link xmlns:a='{atom}' rel='hub' href='{written}'/>", item(1)), {"Link": f"<{header(url)}>; rel=hub"}
    )
    await house.poll(f"{house.origin}/feed")
    house.clock.move(2 * 86400)


WAYS: list[Callable[[House, str], Awaitable[None]]] = [
    fetched,
    as_feed,
    tried,
    behind_a_redirect,
    named_by_a_page,
    as_page,
    as_hub,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_no_address_that_others_write_leads_into_the_house(
    house: House, way: Callable[[House, str], Awaitable[None]]
) -> None:
    forms = house.canary.forms()
    assert len(set(forms)) >= 60
    for form in forms:
        await way(house, form)
        assert house.canary.hits == 0, f"{form!r} was reached"
    if way not in (fetched, as_feed, tried, as_page):
        assert len(house.site.asked) >= len(forms)  # the way was really gone


async def test_a_name_that_is_public_when_asked_first_is_not_asked_twice(house: House) -> None:
    house.canary.first_look_lies = True
    for _ in range(3):
        with contextlib.suppress(FetchError):
            await house.net.fetch(f"http://flips.example:{house.canary.port}/", deadline=0.3)
    assert house.canary.hits == 0


async def test_the_canary_sings_when_nothing_is_forbidden(canary: Canary) -> None:
    net = Net(allow_nets=["0.0.0.0/0", "::/0"], resolve=canary.resolve)

    async def attempt(form: str) -> bool:
        with contextlib.suppress(FetchError):
            return (await net.fetch(form, deadline=1.0)).body == b"sing"
        return False

    heard = await asyncio.gather(*(attempt(form) for form in canary.forms()))
    await net.close()
    assert sum(heard) >= 30
    assert canary.hits >= 30


def test_the_loop_of_the_real_process_dials_what_was_checked_too() -> None:
    async def hits(*allowed: str) -> int:
        bird = Canary("127.0.0.9")
        server = await asyncio.start_server(bird, "0.0.0.0", 0)
        bird.port = server.sockets[0].getsockname()[1]
        net = Net(allow_nets=allowed, resolve=bird.resolve)
        for form in bird.forms():
            with contextlib.suppress(FetchError):
                await net.fetch(form, deadline=0.5)
        await net.close()
        server.close()
        return bird.hits

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(hits()) == 0
        assert runner.run(hits("127.0.0.0/8")) >= 20


# -- where an operator wrote the address: it may be private, and leads nowhere else ----------------------------------


async def through_the_bot_api(house: House, origin: str) -> None:
    api = BotApi(house.net.trusting(origin), token="1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", api=origin)
    with contextlib.suppress(BridgeError):
        await api.call("getMe")


async def through_the_owners_webhook(house: House, origin: str) -> None:
    with contextlib.suppress(BridgeError):
        await Post(house.net.trusting(origin), f"{origin}/notices").tell("hello")


async def through_a_destination(house: House, origin: str) -> None:
    options = pocket.Options.model_validate({"base_url": origin, "consumer_key": "k", "access_token": "t"})
    there = pocket.connect(options, name="there", transport=house.net.transport(origin), sleep=_at_once, deadline=5)
    with contextlib.suppress(BridgeError):
        await there.send([LINK])
    await there.close()


LINK = Delivery(
    id=1,
    url="https://a.example/",
    title="",
    tags=(),
    new_tags=(),
    added=False,
    at=0.0,
    attempts=0,
    lease="x",
)


async def _at_once(_: float) -> None: ...


@pytest.mark.parametrize(
    "way", [through_the_bot_api, through_the_owners_webhook, through_a_destination], ids=lambda way: way.__name__
)
async def test_a_redirect_off_an_address_of_the_operator_is_never_followed(
    house: House, way: Callable[[House, str], Awaitable[None]]
) -> None:
    net = Net(resolve=house.canary.resolve)
    house.net, allowed = net, house.net
    page = f"http://127.0.0.1:{house.canary.port}/"
    for status in (301, 302, 303, 307, 308):
        for path in ("/notices", "/v3/send", "/bot1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/getMe"):
            house.site.put("", {"Location": page}, path=path, status=status)
        before = len(house.site.asked)
        await way(house, house.origin)
        assert len(house.site.asked) > before
    assert house.canary.hits == 0
    await net.close()
    await allowed.close()


async def test_the_door_to_an_address_of_the_operator_leads_to_no_other(house: House) -> None:
    door = house.net.trusting(house.origin)
    for form in house.canary.forms():
        with pytest.raises(FetchError):
            await door.fetch(form, deadline=5)
    assert house.canary.hits == 0


def test_every_module_that_fetches_is_on_the_list_above() -> None:
    """Whoever adds a way out adds it here."""
    package = Path(__file__).resolve().parents[1] / "bridge"
    fetching = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if path.parent.name != "net"
        and (".fetch(" in path.read_text("utf-8") or ".transport(" in path.read_text("utf-8"))
    }
    assert fetching == {
        "declared.py",  # destinations
        "login.py",  # signing in at one of them
        "pages/reader.py",
        "sources/feeds/look.py",
        "sources/feeds/poll.py",
        "sources/feeds/websub.py",
        "sources/telegram/api.py",
        "sources/webhooks/notices.py",
    }
