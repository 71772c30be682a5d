"""The only door out, against real servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from bridge.errors import FetchError
from bridge.net import Door, HttpRequest, Net, Reply, Target, is_private
from tests.loopback import serve

PRIVATE = (
    "0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 "
    "192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 "
    "255.255.255.255 :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:0:7f00:1 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 "
    "2001:db8::1 2002:7f00:1:: 3fff::1 fc00::1 fd12::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1"
).split()
PUBLIC = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "::ffff:8.8.8.8"]

# Ways to write an address of one's own machine.
SPELLINGS = (
    "127.0.0.1 localhost 2130706433 0x7f000001 0x7f.1 0177.0.0.1 017700000001 127.1 0 0.0.0.0 [::1] [::] "
    "[::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:0:0:1] 127。0。0。1 ①②⑦.0.0.1 LOCALHOST localhost."
).split()


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_a_private_network_is_private(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_not(address: str) -> None:
    assert not is_private(address)


class Canary:
    """A listener that counts who connects: a guard must be judged by what reaches it."""

    def __init__(self) -> None:
        self.hits = 0
        self.port = 0

    async def __call__(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    bird = Canary()
    server = await asyncio.start_server(bird, "127.0.0.1", 0)
    bird.port = server.sockets[0].getsockname()[1]
    yield bird
    server.close()


@contextlib.asynccontextmanager
async def opened(net: Net) -> AsyncIterator[Net]:
    try:
        yield net
    finally:
        await net.close()


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_reaches_this_machine(canary: Canary, spelling: str) -> None:
    async with opened(Net()) as net:
        with pytest.raises(FetchError):
            await net.fetch(f"http://{spelling}:{canary.port}/")
    assert canary.hits == 0


async def test_the_canary_sings_when_the_guard_is_off(canary: Canary) -> None:
    async with opened(Net(allow_nets=["127.0.0.0/8"])) as net:
        answer = await net.fetch(f"http://127.1:{canary.port}/")
    assert (canary.hits, answer.body) == (1, b"hi")


async def test_a_name_that_changes_its_mind_is_dialled_as_it_was_checked(canary: Canary) -> None:
    answers = iter([["8.8.8.8", "127.0.0.1"], ["127.0.0.1"]])

    async def resolve(_host: str, _port: int) -> list[str]:
        return next(answers)

    async with opened(Net(resolve=resolve)) as net:
        for _ in range(2):
            with pytest.raises(FetchError, match="private network"):
                await net.fetch(f"http://rebind.example:{canary.port}/", deadline=5)
    assert canary.hits == 0


async def test_a_redirect_into_a_private_network_is_refused(canary: Canary) -> None:
    async def lead_away(_: Request) -> Response:
        return RedirectResponse(f"http://127.0.0.2:{canary.port}/", 302)

    async with serve(Starlette(routes=[Route("/", lead_away)])) as origin, opened(Net(allow_nets=["127.0.0.1"])) as net:
        with pytest.raises(FetchError, match="private network"):
            await net.fetch(f"{origin}/")
    assert canary.hits == 0


async def test_a_trusted_origin_may_be_private_and_nothing_else(canary: Canary) -> None:
    async with opened(Net()) as net:
        door = net.trusting(f"http://127.0.0.1:{canary.port}")
        assert (await door.fetch(f"http://127.0.0.1:{canary.port}/x")).status == 200
        with pytest.raises(FetchError):
            await door.fetch("http://127.0.0.1:1/")
        with pytest.raises(FetchError):
            await net.fetch(f"http://127.0.0.1:{canary.port}/x")
    assert canary.hits == 1


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.com/", "gopher://x/", "unix:/run/x", "", "x", "http://"]
)
async def test_only_web_addresses_are_fetched(url: str) -> None:
    async with opened(Net()) as net:
        with pytest.raises(FetchError):
            await net.fetch(url)


async def echo(request: Request) -> Response:
    return JSONResponse(dict(request.headers), headers={"x-twice": "1"})


async def moved(request: Request) -> Response:
    return RedirectResponse(request.query_params["to"], int(request.query_params.get("status", "302")))


async def packed(request: Request) -> Response:
    size = int(request.query_params["size"])
    cut = int(request.query_params.get("cut", "0"))
    body = gzip.compress(b"0" * size)
    return Response(body[: len(body) - cut], headers={"content-encoding": "gzip"})


async def foreign(_: Request) -> Response:
    return Response(b"x", headers={"content-encoding": "br"})


async def large(_: Request) -> Response:
    return PlainTextResponse("0" * 3_000_000)


async def endless(request: Request) -> Response:
    return RedirectResponse(str(request.url), 302)


APP = Starlette(
    routes=[
        Route("/echo", echo),
        Route("/moved", moved),
        Route("/packed", packed),
        Route("/foreign", foreign),
        Route("/large", large),
        Route("/endless", endless),
    ]
)


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    async with serve(APP) as url:
        yield url


@pytest.fixture
async def net() -> AsyncIterator[Net]:
    async with opened(Net(allow_nets=["127.0.0.0/8"])) as door:
        yield door


async def test_nothing_that_may_be_a_secret_travels_to_another_origin(origin: str, net: Net) -> None:
    async with serve(APP) as other:
        headers = {"Authorization": "Bearer x", "If-None-Match": '"e"', "X-Mine": "1", "Accept": "text/x"}
        answer = await net.fetch(f"{origin}/moved?to={other}/echo", headers=headers)
    assert b"authorization" not in answer.body
    assert b"if-none-match" not in answer.body
    assert b"x-mine" not in answer.body
    assert b"text/x" in answer.body
    assert answer.url == f"{other}/echo"
    assert answer.hops == ((302, f"{other}/echo"),)


async def test_validators_do_not_travel_at_all(origin: str, net: Net) -> None:
    headers = {"Authorization": "Bearer x", "If-None-Match": '"e"'}
    answer = await net.fetch(f"{origin}/moved?to=/echo", headers=headers)
    assert b"authorization" in answer.body
    assert b"if-none-match" not in answer.body


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/endless", "more than 5 redirects"),
        ("/large", "larger than 1000000 bytes"),
        ("/packed?size=100000000", "larger than 1000000 bytes"),
        ("/packed?size=1000&cut=4", "cut off"),
        ("/foreign", "packed as “br”"),
        ("/moved?to=file:///etc/passwd", "only http and https"),
        ("/moved?to=http://%5B", "no web address|not a web address"),
        ("/moved?to=http://%5B::1", "no web address|not a web address"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_a_clear_sentence(origin: str, net: Net, path: str, words: str) -> None:
    with pytest.raises(FetchError, match=words):
        await net.fetch(f"{origin}{path}", most_bytes=1_000_000)


async def test_a_packed_answer_is_unpacked(origin: str, net: Net) -> None:
    assert (await net.fetch(f"{origin}/packed?size=1000")).body == b"0" * 1000


async def test_a_server_that_says_nothing_is_left_at_the_deadline(net: Net) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(FetchError, match=r"within 0\.2 seconds"):
        await net.fetch(f"http://127.0.0.1:{port}/", deadline=0.2)
    server.close()


async def test_a_refused_connection_is_known_not_to_have_been_sent(net: Net) -> None:
    with pytest.raises(FetchError) as refused:
        await net.fetch("http://127.0.0.1:1/")
    assert refused.value.sent is False


async def test_proxy_variables_are_ignored(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with opened(Net(allow_nets=["127.0.0.0/8"])) as net:
        assert (await net.fetch(f"{origin}/echo")).status == 200


# -- what a hostile server may do -------------------------------------------------------------------------------------


class Script:
    """A server that answers connection after connection with what it was given, byte for byte, and counts."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self.answers.pop(0) if self.answers else b""
                writer.write(answer.removesuffix(CLOSE))
                await writer.drain()
                if not answer or answer.endswith(CLOSE):
                    break


CLOSE = b"<close>"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """Yields the address; in the end nobody is left who waits for a client."""
    talks: list[asyncio.Task[None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    def begun(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.create_task(talk(reader, writer)))

    server = await asyncio.start_server(begun, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


@contextlib.asynccontextmanager
async def scripted(*answers: bytes) -> AsyncIterator[Script]:
    script = Script(*answers)
    async with listening(script) as script.url:
        yield script


def _gzip_answer(body: bytes, encoding: str = "gzip") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", "header is too large|not HTTP as it should be"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 20_000 + b"\r\n", "header is too large|not HTTP as it should be"),
        (b"HTTP/1.1 103 Early Hints\r\nX: aaaa\r\n\r\n" * 3000, "header is too large"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "not HTTP as it should be"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf" + CLOSE, "cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe" + CLOSE, "cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not HTTP as it should be"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "not HTTP as it should be"),
        (_gzip_answer(gzip.compress(b"0" * 5_000_000)), "more than 200 times its size"),
        (_gzip_answer(gzip.compress(gzip.compress(b"x")), "gzip, gzip"), "packed as “gzip, gzip”"),
        (_gzip_answer(b"no gzip at all"), "compression is damaged"),
        (b"", "closed the connection"),
    ],
)
async def test_what_a_hostile_server_sends_is_a_clear_sentence(net: Net, answer: bytes, words: str) -> None:
    async with scripted(answer) as server:
        with pytest.raises(FetchError, match=words) as failure:
            await net.fetch(server.url, deadline=10)
        assert server.requests
        assert failure.value.sent


async def test_a_server_that_sends_a_byte_a_second_is_cut_at_the_deadline(net: Net) -> None:
    sent = 0

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                sent += 1
                await asyncio.sleep(0.02)

    async with listening(drip) as url:
        with pytest.raises(FetchError, match=r"within 0\.3 seconds"):
            await net.fetch(url, deadline=0.3)
    assert sent > 1


async def test_every_member_of_a_gzip_counts_and_what_is_no_member_is_padding(net: Net) -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two") + b"\0\0"
    async with scripted(_gzip_answer(packed)) as server:
        assert (await net.fetch(server.url)).body == b"one two"


# -- connections ------------------------------------------------------------------------------------------------------


async def test_a_connection_is_used_again(net: Net) -> None:
    async with scripted(OK, OK, OK) as server:
        for _ in range(3):
            assert (await net.fetch(server.url)).body == b"hi"
        assert server.connections == 1


async def test_a_connection_that_closed_meanwhile_costs_a_reader_nothing(net: Net) -> None:
    async with scripted(OK, b"", OK) as server:
        await net.fetch(server.url)
        assert (await net.fetch(server.url)).body == b"hi"
        assert server.connections == 2


async def test_what_may_have_been_taken_is_not_sent_twice(net: Net) -> None:
    async with scripted(OK, b"", OK) as server:
        await net.fetch(server.url)
        with pytest.raises(FetchError, match="closed the connection") as failure:
            await net.fetch(server.url, method="POST", content=b"x")
        assert failure.value.sent
        assert len(server.requests) == 2


async def test_what_comes_after_an_answer_is_not_taken_for_the_next(net: Net) -> None:
    async with scripted(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", OK) as server:
        await net.fetch(server.url)
        assert (await net.fetch(server.url)).body == b"hi"
        assert server.connections == 2


async def test_a_name_and_a_password_in_an_address_are_sent_there_and_nowhere_else(net: Net) -> None:
    async with scripted(OK) as other, scripted(b"") as first:
        away = f"HTTP/1.1 302 Found\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n"
        first.answers = [away.encode()]
        await net.fetch(first.url.replace("//", "//ann:p%40ss@"))
        assert b"authorization: Basic YW5uOnBAc3M=\r\n" in first.requests[0]
        assert b"ann" not in first.requests[0].split(b"\r\n")[0]
        assert b"authorization" not in other.requests[0].lower()


@pytest.mark.parametrize("header", ["a\r\nX-Forged: 1", "a\nb", "a\0b", "…"])
async def test_a_header_cannot_write_another_one(net: Net, header: str) -> None:
    async with scripted(OK) as server:
        with pytest.raises(FetchError, match="characters that none may hold"):
            await net.fetch(server.url, headers={"X-Mine": header})
        assert server.requests == []


async def test_a_header_goes_back_byte_for_byte(net: Net) -> None:
    odd = b'"\xe9\xff"'
    answer = b"HTTP/1.1 200 OK\r\nETag: " + odd + b"\r\nContent-Length: 0\r\n\r\n"
    async with scripted(answer, OK) as server:
        etag = (await net.fetch(server.url)).headers["etag"]
        await net.fetch(server.url, headers={"If-None-Match": etag})
        assert b"if-none-match: " + odd + b"\r\n" in server.requests[1]


# -- redirects into private networks ----------------------------------------------------------------------------------


class Public:
    """A way that calls everything it reaches public, and leads on once."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.allowed: list[bool] = []

    async def ask(self, request: HttpRequest, *, most_bytes: int, private_too: bool = True) -> tuple[Reply, bool]:
        self.allowed.append(private_too)
        return Reply(302, [(b"location", self.location.encode())], b""), False


async def test_an_allowed_network_is_for_those_who_name_it_and_not_for_redirects_from_outside(canary: Canary) -> None:
    way = Public("http://127.0.0.1/")
    with pytest.raises(FetchError, match="redirects"):
        await Door(way, follows=True).fetch("http://public.example/")
    assert way.allowed == [True, False, False, False, False, False]

    url = f"http://127.0.0.1:{canary.port}/"
    async with opened(Net(allow_nets=["127.0.0.0/8"])) as net:
        asked = HttpRequest.of("GET", Target.of(url), [])
        with pytest.raises(FetchError, match="private network"):
            await net._way.ask(asked, most_bytes=100, private_too=False)
        assert canary.hits == 0
        await net.fetch(url)
        assert canary.hits == 1


@pytest.mark.parametrize("path", ["/large", "/packed?size=3000000"])
async def test_of_an_answer_that_is_too_large_the_beginning_can_be_enough(origin: str, net: Net, path: str) -> None:
    answer = await net.fetch(f"{origin}{path}", most_bytes=1000, cut=True)
    assert (answer.status, answer.body) == (200, b"0" * 1000)


@pytest.mark.parametrize(
    ("answer", "method", "status", "body", "connections"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end" + CLOSE, "GET", 200, b"until the end", 2),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "GET", 200, b"hi", 2),
        (b"HTTP/1.0 200 OK\r\n\r\nold" + CLOSE, "GET", 200, b"old", 2),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi" + CLOSE, "GET", 200, b"hi", 2),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", 204, b"", 1),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", "GET", 304, b"", 1),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", "HEAD", 200, b"", 2),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK, "GET", 200, b"hi", 1),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n4;x=y\r\n two\r\n0\r\nX: y\r\n\r\n",
            "GET",
            200,
            b"one two",
            1,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "POST", 200, b"", 1),
    ],
)
async def test_an_answer_ends_where_it_says_or_with_its_connection(
    net: Net, answer: bytes, method: str, status: int, body: bytes, connections: int
) -> None:
    async with scripted(answer, OK) as server:
        found = await net.fetch(server.url, method=method)
        assert (found.status, found.body) == (status, body)
        assert "link" not in found.headers
        assert (await net.fetch(server.url)).body == b"hi"
        assert server.connections == connections


# -- for client libraries ---------------------------------------------------------------------------------------------


async def test_a_client_library_gets_an_unpacked_answer_and_says_who_it_is(net: Net) -> None:
    async with scripted(_gzip_answer(gzip.compress(b"hi"))) as server:
        async with httpx.AsyncClient(transport=net.transport(server.url), headers={"User-Agent": "mine"}) as client:
            answer = await client.post(server.url + "v3/add?x=1", content=b"{}")
        assert (answer.status_code, answer.text) == (200, "hi")
        assert "content-encoding" not in answer.headers
        head = server.requests[0].lower()
        assert head.startswith(b"post /v3/add?x=1 http/1.1\r\n")
        assert (head.count(b"host:"), head.count(b"content-length: 2\r\n"), head.count(b"accept-encoding:")) == (
            1,
            1,
            1,
        )
        assert b"user-agent: mine\r\n" in head


async def test_a_client_library_is_told_what_may_have_been_sent(net: Net) -> None:
    bomb = _gzip_answer(gzip.compress(b"0" * 5_000_000))
    async with scripted(bomb, b"") as server, httpx.AsyncClient(transport=net.transport(server.url)) as client:
        for _ in range(2):  # a bomb, and no answer
            with pytest.raises(httpx.ReadError):
                await client.post(server.url, content=b"{}")
        with pytest.raises(httpx.ConnectError, match="refused"):
            await client.get("http://127.0.0.1:1/")
    async with opened(Net()) as strict, httpx.AsyncClient(transport=strict.transport("https://list.example")) as client:
        with pytest.raises(httpx.ConnectError, match="private network"):
            await client.get("http://127.0.0.1:1/")


async def test_a_client_library_waits_no_longer_than_it_said(net: Net) -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(silent) as url, httpx.AsyncClient(transport=net.transport(url), timeout=0.2) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(url)
