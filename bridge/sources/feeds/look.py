"""One look at an address: the feed that is there, or those a web page names. Nothing is remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from bridge.errors import InvalidArrival, SourceError
from bridge.link import Sighting
from bridge.net import Answer, Door
from bridge.sources.feeds.entry import Document, NotAFeed
from bridge.sources.feeds.poll import ACCEPT, check, moved_to, read_document
from bridge.sources.feeds.reader import Reader
from bridge.sources.feeds.reading import sighting


@dataclass(frozen=True, slots=True)
class Found:
    """A feed as it is now, at `url`, which a person or a page named. `page`: where it was named, if it was."""

    url: str
    answer: Answer
    document: Document
    page: str = ""


class Several(SourceError):  # noqa: N818 - what there are
    """A web page names more than one feed: (address, title) of each."""

    def __init__(self, feeds: Sequence[tuple[str, str]]) -> None:
        super().__init__("the page names several feeds; choose one")
        self.feeds = tuple(feeds)


async def found(net: Door, reader: Reader, url: str, *, now: float, secrets: Mapping[str, str] | None = None) -> Found:
    """The feed at `url`, or the only one that a page there names.

    Raises Several when the page names more, and FetchError or SourceError in plain words.
    """
    try:
        return await _there(net, reader, url, now, secrets)
    except NotAFeed as error:
        if not error.feeds:
            raise SourceError(f"{error}; and it names none") from None
        if len(error.feeds) > 1:
            raise Several(error.feeds) from None
        [(address, _)] = error.feeds
    there = await _there(net, reader, address, now, None)
    return Found(there.url, there.answer, there.document, url)


async def _there(net: Door, reader: Reader, url: str, now: float, secrets: Mapping[str, str] | None) -> Found:
    answer = await net.fetch(url, headers=ACCEPT, secrets=secrets)
    check(answer, now)
    document = await read_document(reader, answer)
    return Found(moved_to(answer) or url, answer, document)


class Preview(TypedDict):
    """What a feed holds now. `followed` is the name it is followed under, if it is. `entries` is how
    many there are, `notes` are those without a web address, in words."""

    title: str
    followed: str
    entries: int
    sightings: list[Sighting]
    notes: list[str]


async def preview(
    net: Door,
    url: str,
    *,
    name: str = "",
    tags: Sequence[str] = (),
    secrets: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
) -> Preview:
    """One look at a feed, in its own order. Raises FetchError or SourceError in plain words.

    `name`, `tags` and `secrets` are those it is followed with, if it is.
    """
    async with Reader() as reader:
        there = await _there(net, reader, url, clock(), secrets)
    document = there.document
    sightings, notes = [], []
    for entry in document.entries:
        try:
            seen = sighting(entry, feed=name or document.title, tags=(*tags, *entry.tags), received=clock())
            sightings.append(seen)
        except InvalidArrival as error:
            notes.append(str(error))
    entries = len(document.entries)
    return Preview(title=document.title, followed=name, entries=entries, sightings=sightings, notes=notes)
