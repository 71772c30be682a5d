"""The reader of feed documents at arm's length: a child process, so that a hostile one costs a deadline and no more."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bridge.errors import SourceError
from bridge.sources.feeds.entry import Document, NotAFeed

DEADLINE = 20.0
LARGE = 512 * 1024
"""A document of more bytes leaves so much memory behind that the next one is given a new child."""

COMMAND = (sys.executable, "-W", "ignore", "-m", "bridge.sources.feeds.child")

# The child reads what strangers wrote: it gets no secret of ours to lose.
_ENVIRONMENT = ("LANG", "LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")


class Reader:
    """Started with the first document, kept for the next, replaced when it died. One document at a time."""

    def __init__(self, *, deadline: float = DEADLINE, command: Sequence[str] = COMMAND) -> None:
        self._deadline = deadline
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def read(self, body: bytes, *, charset: str = "", url: str = "") -> Document:
        """The document in `body`. Raises NotAFeed when it is none, and SourceError when reading it took too
        long or killed the child; the next document is read by a new one."""
        request = _framed(json.dumps({"charset": charset, "url": url}).encode()) + _framed(body)
        async with self._turn:
            answer = await self._ask(request)
        if "problem" in answer:
            raise NotAFeed(answer["problem"], [(address, title) for address, title in answer["feeds"]])
        return Document.from_wire(answer["document"])

    async def close(self) -> None:
        """Ends the child, if there is one, and waits until it is gone."""
        process, self._process = self._process, None
        if process is not None:
            await _ended(process)

    async def _ask(self, request: bytes) -> dict[str, Any]:
        process = await self._started()
        async with AsyncExitStack() as unless_kept:
            # Also when we are cancelled: a child in the middle of an answer cannot be asked again.
            unless_kept.push_async_callback(self.close)
            try:
                async with asyncio.timeout(self._deadline):
                    answer = await _exchange(process, request)
            except TimeoutError:
                raise SourceError(f"the document could not be read within {self._deadline:g} seconds") from None
            except (asyncio.IncompleteReadError, ConnectionError):
                raise SourceError(f"the document could not be read: {await _ended(process)}") from None
            if len(request) <= LARGE:
                unless_kept.pop_all()
        return answer

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is not None:
            await self.close()
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=_environment(),
                cwd="/",
            )
        return self._process


async def _ended(process: asyncio.subprocess.Process) -> str:
    """Makes sure of its end. Answers its last words."""
    if process.returncode is None:
        process.kill()
    _, said = await process.communicate()
    lines = said.decode("utf-8", "replace").splitlines()
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), f"exit {process.returncode}")


async def _exchange(process: asyncio.subprocess.Process, request: bytes) -> dict[str, Any]:
    if process.stdin is None or process.stdout is None:
        raise ConnectionError
    process.stdin.write(request)
    await process.stdin.drain()
    size = int.from_bytes(await process.stdout.readexactly(4), "big")
    answer: dict[str, Any] = json.loads(await process.stdout.readexactly(size))
    return answer


def _framed(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)}
