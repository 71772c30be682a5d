"""The reader of feed documents at arm's length: in a child process, where a hostile one costs a deadline at most."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.child import IDLE, Child, python
from bridge.errors import SourceError
from bridge.sources.feeds.entry import Document, NotAFeed

DEADLINE = 20.0
COMMAND = python("bridge.sources.feeds.child")


class Reader(Child):
    """Two documents at the same time: one that takes long delays one other, not all."""

    def __init__(self, *, deadline: float = DEADLINE, command: Sequence[str] = COMMAND, idle: float = IDLE) -> None:
        super().__init__(command, what="document", deadline=deadline, failure=SourceError, most=2, idle=idle)

    async def read(self, body: bytes, *, charset: str = "", url: str = "") -> Document:
        """The document in `body`. Raises NotAFeed when it is none, and SourceError when reading it took too
        long or killed the child; the next document is read by a new one."""
        answer = await self.ask({"charset": charset, "url": url}, body)
        if "problem" in answer:
            raise NotAFeed(answer["problem"], [(address, title) for address, title in answer["feeds"]])
        return Document.from_wire(answer["document"])
