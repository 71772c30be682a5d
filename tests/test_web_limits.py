"""The limits of the web server on real sockets: who is slow, silent or too many does not keep others from being heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from bridge.web.limits import HEADER_BYTES, MANY_REQUESTS, MOST_ADDRESS, Limits, Traffic
from tests.loopback import serve

GOOD = b"POST /save HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"


async def length(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


def limited(handler: Callable[[Request], Awaitable[Response]] = length, **limits: float) -> ASGIApp:
    return Limits(Starlette(routes=[Route("/save", handler, methods=["POST"])]), **limits)  # type: ignore[arg-type]


async def said(origin: str, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back until the other side closes."""
    host, _, port = origin.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    heard = asyncio.create_task(listened(reader))
    for part in parts:
        if heard.done():
            break
        writer.write(part)
        await asyncio.sleep(pause)
    async with asyncio.timeout(10):
        answer = await heard
    writer.close()
    return answer


async def listened(reader: asyncio.StreamReader) -> bytes:
    heard = bytearray()
    try:
        while part := await reader.read(65536):
            heard += part
    except ConnectionResetError:
        pass
    return bytes(heard)


async def test_a_body_that_does_not_come_is_told_so_and_the_connection_ends() -> None:
    async with serve(limited(), body_seconds=0.1) as origin:
        answer = await said(origin, b"POST /save HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na")
    assert b" 408 " in answer.splitlines()[0]
    assert b"connection: close" in answer.lower()


async def test_a_body_that_trickles_has_no_more_time_than_one_that_does_not() -> None:
    async with serve(limited(), body_seconds=0.2) as origin:
        answer = await said(
            origin, b"POST /save HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n", *[b"a"] * 50, pause=0.01
        )
    assert b" 408 " in answer.splitlines()[0]


@pytest.mark.parametrize("part", [b"", b"POST /save HT", b"POST /save HTTP/1.1\r\nHost: x\r\nX-A: b"])
async def test_a_header_that_does_not_come_ends_the_connection(part: bytes) -> None:
    async with serve(limited(), header_seconds=0.1) as origin:
        assert await said(origin, part) == b""


async def test_a_second_header_on_the_same_connection_has_no_more_time() -> None:
    async with serve(limited(), header_seconds=0.1) as origin:
        answer = await said(origin, GOOD, b"POST /save HT", pause=0.05)
    assert answer.startswith(b"HTTP/1.1 200")


async def test_silent_connections_do_not_keep_a_good_one_from_being_heard() -> None:
    async with serve(limited()) as origin:
        host, _, port = origin.removeprefix("http://").partition(":")
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(300)]
        for number, (_, writer) in enumerate(silent):
            writer.write([b"", b"GET / HT", GOOD[:-1]][number % 3])
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(f"{origin}/save", content=b"abc")
        for _, writer in silent:
            writer.close()
    assert answer.text == "3"


async def test_over_the_cap_one_is_told_when_to_come_back() -> None:
    working, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> Response:
        working.set()
        await go_on.wait()
        return PlainTextResponse("done")

    transport = httpx.ASGITransport(limited(slow, requests=1))
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge.test") as client:
        first = asyncio.create_task(client.post("/save"))
        await working.wait()
        refused = await client.post("/save")
        go_on.set()
        assert (await first).status_code == 200
        assert (await client.post("/save")).status_code == 200
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")


async def test_bodies_in_memory_are_bounded_together() -> None:
    transport = httpx.ASGITransport(limited(held=100))
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge.test") as client:
        assert (await client.post("/save", content=b"x" * 101)).status_code == 503
        assert (await client.post("/save", content=b"x" * 100)).status_code == 200
        assert (await client.post("/save", content=b"x" * 100)).status_code == 200


async def test_an_endless_address_is_refused() -> None:
    transport = httpx.ASGITransport(limited())
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge.test") as client:
        assert (await client.post("/save", params={"a": "x" * MOST_ADDRESS})).status_code == 414


async def test_too_many_connections_are_told_when_to_come_back() -> None:
    async with serve(limited(), connections=2) as origin:
        host, _, port = origin.removeprefix("http://").partition(":")
        held = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        while not (answer := await said(origin, b"")).startswith(b"HTTP/1.1 503"):
            pass
        for _, writer in held:
            writer.close()
    assert b"Retry-After: 5" in answer


# Who can wait is told when many are answered.


async def test_it_is_busy_while_many_are_answered_and_a_moment_longer() -> None:
    traffic, go_on = Traffic(), asyncio.Event()

    async def slow(_: Request) -> Response:
        await go_on.wait()
        return PlainTextResponse("done")

    app = Limits(Starlette(routes=[Route("/save", slow, methods=["POST"])]), traffic=traffic)
    async with client_at(app, "192.0.2.1") as client:
        few = [asyncio.create_task(client.post("/save")) for _ in range(MANY_REQUESTS - 1)]
        while traffic.now < len(few):
            await asyncio.sleep(0)
        seen = [traffic.busy]
        few.append(asyncio.create_task(client.post("/save")))
        while traffic.now < len(few):
            await asyncio.sleep(0)
        seen.append(traffic.busy)
        go_on.set()
        await asyncio.gather(*few)
    async with asyncio.timeout(5):
        await traffic.lull(60.0)
    assert [*seen, traffic.busy] == [False, True, False]
    assert traffic.now == 0


async def test_a_request_that_waits_for_its_own_body_takes_nobodys_place() -> None:
    app = limited(requests=1)
    receiving, go_on = asyncio.Event(), asyncio.Event()

    async def receive() -> Message:
        receiving.set()
        await go_on.wait()
        return {"type": "http.request", "body": b"ab", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    sent: list[Message] = []
    scope = {"type": "http", "method": "POST", "path": "/save", "query_string": b"", "headers": []}
    waiting = asyncio.ensure_future(app(scope, receive, send))
    await receiving.wait()
    async with client_at(app, "192.0.2.1") as client:
        assert (await client.post("/save", content=b"abc")).text == "3"
    go_on.set()
    await waiting
    assert sent[0]["status"] == 200


# Who has half has no more: others are heard.


def client_at(app: ASGIApp, peer: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(peer, 1)), base_url="http://bridge.test")


async def test_one_peer_cannot_fill_the_room_for_bodies() -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    async def half_a_body() -> AsyncIterator[bytes]:
        yield b"x" * 60
        began.set()
        await go_on.wait()
        yield b"x"

    app = limited(held=100, list_body=0)
    async with client_at(app, "192.0.2.1") as greedy, client_at(app, "192.0.2.2") as other:
        assert (await greedy.post("/save", content=half_a_body())).status_code == 503
        assert (await other.post("/save", content=b"x" * 50)).status_code == 200
        assert (await greedy.post("/save", content=b"x" * 50)).status_code == 200


async def test_one_peer_cannot_hold_all_connections() -> None:
    async with serve(limited(), connections=8) as origin:
        host, _, port = origin.removeprefix("http://").partition(":")
        held = [await asyncio.open_connection(host, int(port), local_addr=("127.0.0.2", 0)) for _ in range(8)]
        heard = await asyncio.gather(*(reader.read(12) for reader, _ in held[4:]))
        assert await said(origin, GOOD.replace(b"Host: x", b"Host: x\r\nConnection: close"))
        for _, writer in held:
            writer.close()
    assert heard == [b"HTTP/1.1 503"] * 4


# What single bytes do.


async def test_a_header_in_small_pieces_has_no_more_bytes_than_one_in_large_ones() -> None:
    async with serve(limited()) as origin:
        start = b"POST /save HTTP/1.1\r\nHost: x\r\nX-Long: "
        endless = await said(origin, start, *[b"x" * 4096] * 64, pause=0.001)
        whole = await said(origin, start + b"x" * HEADER_BYTES + b"\r\nContent-Length: 0\r\n\r\n")
    assert endless[:12] in (b"HTTP/1.1 431", b"")
    assert whole.startswith(b"HTTP/1.1 431")


async def test_requests_sent_far_ahead_of_their_answers_end_the_connection() -> None:
    async with serve(limited()) as origin:
        few = await said(origin, GOOD * 4 + GOOD.replace(b"Host: x", b"Host: x\r\nConnection: close"))
        many = await said(origin, GOOD * 5000)
    assert few.count(b"HTTP/1.1 200") == 5
    assert many.count(b"HTTP/1.1 200") < 100


async def test_a_trailer_is_no_header() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def remember(request: Request) -> Response:
        await request.body()
        seen.extend(request.scope["headers"])
        return PlainTextResponse("")

    head = b"POST /save HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serve(limited(remember)) as origin:
        await said(origin, head + b"2\r\nab\r\n", b"0\r\nAuthorization: Bearer x\r\n\r\n", pause=0.05)
    assert {name for name, _ in seen} == {b"host", b"connection", b"transfer-encoding"}


async def test_an_offer_to_speak_http_2_is_declined_by_answering() -> None:
    offer = b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
    async with serve(limited()) as origin:
        last = GOOD.replace(b"Host: x", b"Host: x\r\nConnection: close")
        answer = await said(origin, GOOD.replace(b"Host: x\r\n", offer), last, pause=0.1)
    assert answer.count(b"HTTP/1.1 200") == 2


async def test_an_answer_that_nobody_reads_ends_its_connection() -> None:
    async def endless(_: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            while True:
                yield bytes(65536)
                await asyncio.sleep(0)

        return StreamingResponse(parts())

    async with serve(limited(endless), unread_seconds=0.2) as origin:
        host, _, port = origin.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1)
        writer.write(GOOD)
        await asyncio.sleep(1.0)
        async with asyncio.timeout(10):
            assert await listened(reader)
        writer.close()


pieces = st.sampled_from(
    [
        *(
            b"GET ",
            b"POST ",
            b"/save",
            b"*",
            b"http://[",
            b" HTTP/1.1",
            b" HTTP/1.0",
            b" HTTP/9",
            b"\r\n",
            b"\n",
            b"\r",
        ),
        *(
            b"Host: x",
            b"Content-Length: 2",
            b"Content-Length: -1",
            b"Transfer-Encoding: chunked",
            b"0",
            b"ffffffffffff",
        ),
        *(
            b":",
            b" ",
            b"\0",
            b"\xff",
            b"ab",
            b"Connection: Upgrade",
            b"Upgrade: websocket",
            b"Expect: 100-continue",
            GOOD,
        ),
    ]
)


garbage = st.lists(pieces | st.binary(max_size=8), max_size=20).map(b"".join)


@settings(max_examples=15, deadline=None)
@given(st.lists(garbage, min_size=1, max_size=30))
async def test_no_bytes_make_an_error_of_ours(sent: list[bytes]) -> None:
    async with serve(limited(), header_seconds=0.05, body_seconds=0.05, idle_seconds=0.05) as origin:
        answers = await asyncio.gather(*(said(origin, each) for each in sent))
        assert await said(origin, GOOD.replace(b"Host: x", b"Host: x\r\nConnection: close"))
    assert not any(b"HTTP/1.1 5" in answer for answer in answers)
