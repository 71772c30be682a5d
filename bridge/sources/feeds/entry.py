"""What a feed document says: its entries, and how they travel from the child process that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bridge.errors import SourceError


class NotAFeed(SourceError):  # noqa: N818 - what it is
    """What was read is no feed. `feeds`: those that it names, when it is a web page: (address, title)."""

    def __init__(self, reason: str, feeds: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(reason)
        self.feeds = tuple(feeds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as the document has it. `id` is raw; `link` is absolute http(s), or empty when there is none.

    `published` is in seconds since the epoch, 0 when unknown; it is the document's claim and may be anything.
    """

    id: str = ""
    link: str = ""
    title: str = ""
    tags: tuple[str, ...] = ()
    author: str = ""
    published: float = 0.0
    summary: str = ""
    comments: str = ""

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Entry:
        return cls(**wire | {"tags": tuple(wire["tags"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """`entries` in the document's order. Not `complete`: it was cut off, and the entries are those before the cut.

    `ttl`: seconds the publisher asks to wait between two polls, 0 when it does not say; `skip_hours` (0 to 23, GMT) and
    `skip_days` (0 is Monday) are when it need not be asked. `hub` tells of news at once, under the address `topic`.
    """

    entries: tuple[Entry, ...]
    complete: bool = True
    title: str = ""
    ttl: float = 0.0
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()
    hub: str = ""
    topic: str = ""

    def to_wire(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Document:
        lists = {name: tuple(wire[name]) for name in ("skip_hours", "skip_days")}
        return cls(**wire | lists | {"entries": tuple(Entry.from_wire(entry) for entry in wire["entries"])})
