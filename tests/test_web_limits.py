"""The limits of the web server on real sockets: who is slow, silent or too many does not keep others from being heard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bridge.web.limits import MOST_ADDRESS, Limits
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
