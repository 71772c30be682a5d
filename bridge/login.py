"""Sign in at a Pocket-compatible server by hand: a page to approve on, a wait, the token in a file of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shlex
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from bridge.errors import BridgeError, ConfigError
from bridge.net import Net
from bridge.pocket import ConsumerKeyError, NotApprovedError, Pocket, PocketError
from bridge.rules import READING

PATIENCE = 900.0
"""Seconds a person has to approve."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_DONE = b"Done. You can close this page and go back to the terminal.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who sits there: is told lines, is shown a page, presses Enter."""

    tell: Callable[[str], None]
    show: Callable[[str], object]
    enter: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Login:
    """What came of it. `destination` is YAML for the rule file; the token stands in `file` only."""

    username: str
    file: Path
    destination: str


async def sign_in(data: Path, person: Person, *, base_url: str, consumer_key: str, name: str) -> Login:
    """Raises BridgeError when it was refused, took too long, or the server is none. The token is never shown."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"“{name[:40]}” is no destination's name: letters a to z, digits, - and _")
    if not base_url.startswith(("http://", "https://")):
        raise ConfigError(f"“{base_url[:80]}” is no server's address: it begins with http:// or https://")
    net = Net()
    try:
        async with Pocket(consumer_key, base_url=base_url, transport=net.transport(base_url)) as pocket:
            username, token = await asyncio.wait_for(_approved(pocket, person), PATIENCE)
    except PocketError as error:
        who = f"{base_url} answered: " if error.status else ""  # else the error names it
        raise BridgeError(f"{who}{error}{_of_key(error, consumer_key)}") from error
    except TimeoutError:
        raise BridgeError(f"nobody approved within {PATIENCE / 60:.0f} minutes; begin again") from None
    finally:
        await net.close()
    file = _keep(data, f"{name}.token", token)
    return Login(username, file, _destination(name, base_url, consumer_key, file))


def _of_key(error: PocketError, key: str) -> str:
    """What to do where a server takes only the applications it lists."""
    if not isinstance(error, ConsumerKeyError):
        return ""
    return (
        f". The key “{key}” was sent. If that server is a pocket-bridge, take it there with: "
        f"pocket-bridge apps add {shlex.quote(key)}; else give the key that you have there with --key"
    )


async def _approved(pocket: Pocket, person: Person) -> tuple[str, str]:
    async with _way_back() as (address, came_back):
        token = await pocket.request_token(address)
        page = pocket.authorize_url(token.code, address)
        person.tell("Sign in and approve on this page; press Enter here if it does not lead back by itself:")
        person.tell(f"  {page}")
        await asyncio.to_thread(person.show, page)
        while True:
            by_itself = await _first(came_back.wait(), person.enter())
            try:
                access = await pocket.authorize(token.code)
            except NotApprovedError:
                if by_itself:
                    raise BridgeError("the sign-in was refused on the page; nothing was stored") from None
                person.tell("It is not approved yet. Approve on the page, then press Enter.")
            else:
                return access.username, access.access_token


async def _first(expected: Awaitable[object], other: Awaitable[object]) -> bool:
    """Waits for either; whether it was the first."""
    tasks = [asyncio.ensure_future(expected), asyncio.ensure_future(other)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0] in done
    finally:
        for task in tasks:
            task.cancel()


@contextlib.asynccontextmanager
async def _way_back() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """An address on this machine that a browser can be sent back to, and whether it came."""
    came, path = asyncio.Event(), f"/{secrets.token_hex(8)}"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ValueError, asyncio.IncompleteReadError):
            line = await reader.readline()
            known = line.split(b" ")[1:2] == [path.encode()]
            body, status = (_DONE, b"200 OK") if known else (b"", b"404 Not Found")
            head = b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            writer.write(head % (status, len(body)) + body)
            await writer.drain()
            if known:
                came.set()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=8192)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{path}", came


def _keep(data: Path, name: str, token: str) -> Path:
    """Written aside and renamed, readable by its owner only; an older token there is replaced."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        file, aside = data / name, data / f"{name}.new"
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
            opened.write(token + "\n")
        aside.replace(file)
    except OSError as error:
        raise BridgeError(f"the token cannot be stored in {data}: {error.strerror}") from None
    return file.absolute()


def _destination(name: str, base_url: str, consumer_key: str, token: Path) -> str:
    """With a default by which links go there: alone, nothing would."""
    options = {
        "type": "pocket",
        "base_url": base_url,
        "consumer_key": consumer_key,
        "access_token": {"file": str(token)},
    }
    file = {"destinations": {name: options}, "defaults": {"to": [READING, name]}}
    written: str = yaml.safe_dump(file, sort_keys=False, allow_unicode=True)
    return written.rstrip()


async def enter() -> None:
    """Returns when a line comes on standard input; never at its end: nobody is there to press a key."""
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        if sys.stdin.readline():
            with contextlib.suppress(RuntimeError):  # the loop is over
                loop.call_soon_threadsafe(pressed.set)

    # A thread that waits for a key cannot be ended: it must not keep the process.
    threading.Thread(target=read, name="enter", daemon=True).start()
    await pressed.wait()
