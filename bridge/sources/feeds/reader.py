"""The reader of feed documents at arm's length: in a child process, where a hostile one costs a deadline at most."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from bridge.child import Child, python
from bridge.errors import SourceError
from bridge.sources.feeds.entry import Document, NotAFeed

DEADLINE = 20.0
COMMAND = python("bridge.sources.feeds.child")


class Reads(Protocol):
    """Whoever reads documents."""

    async def read(self, body: bytes, *, charset: str = "", url: str = "") -> Document:
        """The document in `body`. Raises NotAFeed when it is none, and SourceError when it cannot be read."""
        ...

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Reader(Child):
    """Two documents at the same time: one that takes long delays one other, not all."""

    def __init__(self, *, deadline: float = DEADLINE, command: Sequence[str] = COMMAND) -> None:
        super().__init__(command, what="document", deadline=deadline, failure=SourceError, most=2)

    async def read(self, body: bytes, *, charset: str = "", url: str = "") -> Document:
        """The document in `body`. Raises NotAFeed when it is none, and SourceError when reading it took too
        long or killed the child; the next document is read by a new one."""
        answer = await self.ask({"charset": charset, "url": url}, body)
        if "problem" in answer:
            raise NotAFeed(answer["problem"], [(address, title) for address, title in answer["feeds"]])
        return Document.from_wire(answer["document"])


class Readers:
    """As many readers as documents come at once, up to the processors. One is kept for the next document; the others
    end when nobody waits any more."""

    def __init__(self, make: Callable[[], Reader] = Reader, *, most: int = min(2, os.cpu_count() or 1)) -> None:
        self._make = make
        self._free: list[Reader] = []
        self._places = asyncio.Semaphore(most)
        self._wanted = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def read(self, body: bytes, *, charset: str = "", url: str = "") -> Document:
        self._wanted += 1
        try:
            async with self._places:
                return await self._read(body, charset, url)
        finally:
            self._wanted -= 1

    async def _read(self, body: bytes, charset: str, url: str) -> Document:
        reader = self._free.pop() if self._free else self._make()
        try:
            return await reader.read(body, charset=charset, url=url)
        finally:
            # One of those that want something is this one; the others may be at work.
            if self._free and self._wanted <= len(self._free) + 1:
                await reader.close()
            else:
                self._free.append(reader)

    async def close(self) -> None:
        """Ends the children, and waits until they are gone."""
        free, self._free = self._free, []
        for reader in free:
            await reader.close()
