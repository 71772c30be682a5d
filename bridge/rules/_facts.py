"""What clauses ask about one sighting: what came with it, and the occasion on which it came."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

import can_ada

from bridge import titles
from bridge.errors import InvalidArrival
from bridge.link import Sighting, host
from bridge.page import Looked
from bridge.rules._words import folded, words_in

WORDS_A_MINUTE = 230

FIELD = "field."
"""What the conditions on a hook's fields begin with."""

TYPES = ("article", "audio", "image", "pdf", "video")

_TYPE_OF_ENDING = {
    ".pdf": "pdf",
    **dict.fromkeys((".mp3", ".ogg", ".oga", ".opus", ".m4a", ".flac", ".wav"), "audio"),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".svg"), "image"),
    **dict.fromkeys((".mp4", ".webm", ".mkv", ".mov", ".m4v", ".ogv"), "video"),
}

_OF_PAGE = ("title", "author", "date")

_NUMBER = re.compile(r"\s*[-+]?[0-9]+(\.[0-9]+)?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What is known of a sighting besides what its arrival said. Zero, None and empty texts are unknown: a clause
    that asks for them does not hold.

    `now` is when it came in (epoch, UTC), `seen` counts earlier sightings of the same link; `lang`, `type`, `words`,
    `image`, `title`, `author` and `published` tell of the page, where it was read; `unread` says why it was not, and
    is empty where nobody looked. Hours and days are those of `zone`.
    """

    account: str = ""
    now: float = 0.0
    seen: int | None = None
    lang: str = ""
    type: str = ""
    words: int | None = None
    image: bool | None = None
    title: str = ""
    author: str = ""
    published: float = 0.0
    unread: str = ""
    zone: tzinfo = UTC

    def informed(self, looked: Looked | None) -> Occasion:
        """The same, now that somebody looked at the page."""
        if looked is None:
            return self
        page = looked.page
        if page is None:
            return replace(self, unread=looked.unread)
        told = {
            name: getattr(page, name) for name in ("lang", "type", "words", "image", "title", "author", "published")
        }
        return replace(self, unread="", **told)


NOT_YET = Looked(unread="it waits for its page")
"""Nobody has looked yet, but somebody may."""

NOWHERE = Occasion()
"""Nothing is known besides the sighting."""


class Facts:
    """What clauses ask about one sighting. Worked out when first asked for; `tags` grow with the rules."""

    def __init__(self, sighting: Sighting, occasion: Occasion = NOWHERE) -> None:
        self.sighting = sighting
        self.occasion = occasion
        self.tags = dict.fromkeys(sighting.tags)
        self._folded: dict[str, tuple[str, ...]] = {}
        self._words: dict[str, set[str]] = {}
        self._written: dict[str, tuple[bytes, ...]] = {}

    @cached_property
    def domains(self) -> tuple[str, ...]:
        """The host and every domain above it: `a.example.org`, `example.org`, `org`. Empty for no web address."""
        try:
            labels = host(self.sighting.url).split(".")
        except InvalidArrival:
            return ()
        return tuple(".".join(labels[start:]) for start in range(len(labels)))

    def folded(self, key: str) -> tuple[str, ...]:
        """Texts as phrases are compared with them, none empty. Apart, so that no phrase is found across ends."""
        found = self._folded.get(key)
        if found is None:
            seen = self.sighting
            # The title is compared under two keys, and folded once.
            known, texts = (self.folded("title"), (seen.text, seen.note)) if key == "text" else ((), self._texts(key))
            found = self._folded[key] = known + tuple(text for text in map(folded, texts) if text)
        return found

    def words(self, key: str) -> set[str]:
        """The words of these texts."""
        found = self._words.get(key)
        if found is None:
            found = set().union(*map(words_in, self.folded(key)))
            self._words[key] = found
        return found

    def lowered(self, key: str) -> tuple[str, ...]:
        """An address in small letters, as patterns are compared with it."""
        return tuple(text.lower() for text in self._texts(key))

    def written(self, key: str) -> tuple[bytes, ...]:
        """Texts as regular expressions see them: as they came, in UTF-8."""
        found = self._written.get(key)
        if found is None:
            found = self._written[key] = tuple(map(in_utf8, self._texts(key)))
        return found

    def _texts(self, key: str) -> tuple[str, ...]:
        seen = self.sighting
        match key:
            case "text":
                return (self.title, seen.text, seen.note)
            case "title" | "author":
                return (getattr(self, key),)
            case "url":
                return (seen.url,)
            case "path":
                return self.path
        return self.field(key.removeprefix(FIELD))

    @cached_property
    def title(self) -> str:
        """As it came; where that is no title, as the page says."""
        came, told = self.sighting.title, self.occasion.title
        return told if told and self._untitled else came

    @property
    def author(self) -> str:
        return self.sighting.author or self.occasion.author

    @cached_property
    def at(self) -> float:
        """When it was published."""
        return self.sighting.at or self.occasion.published

    @cached_property
    def _untitled(self) -> bool:
        return not self.sighting.title or bool(titles.fault(self.sighting.title, self.sighting.url))

    def is_open(self, key: str) -> bool:
        """Whether only the page could tell: it was not read, and nothing else says so."""
        if not self.occasion.unread:
            return False
        match key:
            case "title" | "text":
                return self._untitled
            case "author":
                return not self.sighting.author
            case "published" | "age" | "date":
                return not self.sighting.at
            case "lang" | "type":
                return not getattr(self, key)
            case "words" | "minutes" | "image":
                return True
        return False

    def unknown(self, key: str) -> str:
        """That it is unknown, and why: “minutes is unknown (the page could not be read: status 500)”."""
        why = f" (the page could not be read: {self.occasion.unread})" if self.is_open(key) else ""
        return f"{key.replace('.', ' ', 1)} is unknown{why}"

    @cached_property
    def path(self) -> tuple[str, ...]:
        """The part of the address behind the host and before “?”; empty for no address."""
        try:
            return (unquote(can_ada.parse(self.sighting.url).pathname),)
        except (ValueError, TypeError):
            return ()

    @cached_property
    def lang(self) -> str:
        return self.occasion.lang.lower().replace("_", "-")

    @cached_property
    def type(self) -> str:
        """What the page says it is; else what the ending of its path says."""
        ending = PurePosixPath("".join(self.path).lower()).suffix
        return self.occasion.type or _TYPE_OF_ENDING.get(ending, "")

    @property
    def minutes(self) -> int | None:
        """How long reading takes, begun minutes counted whole."""
        words = self.occasion.words
        return None if words is None else math.ceil(words / WORDS_A_MINUTE)

    @property
    def age(self) -> float | None:
        """Seconds between its publication and its coming in."""
        at, now = self.at, self.occasion.now
        return now - at if at and now else None

    @cached_property
    def local(self) -> datetime | None:
        """When it came in, on the clocks of the zone."""
        return clock_time(self.occasion.now, self.occasion.zone)

    @cached_property
    def published(self) -> datetime | None:
        return clock_time(self.at, self.occasion.zone)

    def has(self, part: str) -> bool | None:
        """None: nobody knows, because the page was not read."""
        match part:
            case "date":
                found = bool(self.at)
            case "image":
                return self.occasion.image
            case "tag":
                found = bool(self.tags)
            case "title" | "author":
                found = bool(getattr(self, part))
            case _:
                found = bool(getattr(self.sighting, part))
        return None if not found and part in _OF_PAGE and self.is_open(part) else found

    def field(self, name: str) -> tuple[str, ...]:
        """A hook's field as texts, one for each item of a list; empty when there is none. `a.b` is b within a."""
        return tuple(_texts(_within(self.sighting.fields, name)))


def clock_time(seconds: float, zone: tzinfo) -> datetime | None:
    """The local time; None for no time, and for one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, zone) if seconds else None
    except (OverflowError, ValueError, OSError):
        return None


def number(text: str) -> float | None:
    return float(text) if len(text) < 40 and _NUMBER.fullmatch(text) else None


def in_utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _within(fields: Mapping[str, Any], name: str) -> object:
    if name in fields:
        return fields[name]
    first, dot, rest = name.partition(".")
    inner = fields.get(first)
    return _within(inner, rest) if dot and isinstance(inner, Mapping) else None


def _texts(value: object) -> Iterator[str]:
    match value:
        case bool():
            yield "true" if value else "false"
        case str() | int() | float():
            yield str(value)
        case Sequence():
            for each in value:
                if isinstance(each, str | int | float):
                    yield from _texts(each)
