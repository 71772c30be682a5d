"""What clauses ask about one sighting: what came with it, and the occasion on which it came."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

import can_ada

from bridge.errors import InvalidArrival
from bridge.link import Sighting, host
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

_NUMBER = re.compile(r"\s*[-+]?[0-9]+(\.[0-9]+)?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What is known of a sighting besides what its arrival said. Zero, None and empty texts are unknown: a clause
    that asks for them does not hold.

    `now` is when it came in (epoch, UTC), `seen` counts earlier sightings of the same link; `lang`, `type`,
    `words` and `image` tell of the page, where it was read. Hours and days are those of `zone`.
    """

    account: str = ""
    now: float = 0.0
    seen: int | None = None
    lang: str = ""
    type: str = ""
    words: int | None = None
    image: bool | None = None
    zone: tzinfo = UTC


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
                return (seen.title, seen.text, seen.note)
            case "title" | "author" | "url":
                return (getattr(seen, key),)
            case "path":
                return self.path
        return self.field(key.removeprefix(FIELD))

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
        at, now = self.sighting.at, self.occasion.now
        return now - at if at and now else None

    @cached_property
    def local(self) -> datetime | None:
        """When it came in, on the clocks of the zone."""
        return clock_time(self.occasion.now, self.occasion.zone)

    @cached_property
    def published(self) -> datetime | None:
        return clock_time(self.sighting.at, self.occasion.zone)

    def has(self, part: str) -> bool | None:
        """None: nobody knows, because the page was not read."""
        match part:
            case "date":
                return bool(self.sighting.at)
            case "image":
                return self.occasion.image
            case "tag":
                return bool(self.tags)
        return bool(getattr(self.sighting, part))

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
