"""A loaded rule file: what each of its sections says, checked, with every name in it resolved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Literal

from bridge.errors import ConfigError
from bridge.link import Sighting
from bridge.rules._clauses import every_clause
from bridge.rules._document import parse, place_of
from bridge.rules._facts import FIELD, NOWHERE, Occasion
from bridge.rules._faults import config_error, wrong
from bridge.rules._index import Index
from bridge.rules._measures import Amount, Has, OfPage
from bridge.rules._rule import Rule
from bridge.rules._upkeep import Keep, Notify

READING = "reading"
"""The destination that is always there: the embedded list."""

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Start:
    """What the first reading of a feed takes: nothing, the newest `count`, all `since` (epoch, UTC), or all."""

    kind: Literal["none", "last", "since", "all"] = "none"
    count: int = 0
    since: float = 0.0

    @property
    def words(self) -> str:
        """As it is written in the file."""
        day = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%d")
        return {"last": f"last {self.count}", "since": f"since {day}"}.get(self.kind, self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed to read every `interval` seconds; what comes through it bears its tags and goes to `to`.

    `categories`: whether those of an entry become tags. `at_once` and `per_day`: most entries taken at one poll and
    in one day, 0 where nothing is said. `user`, `password` and `headers` open a private feed; each secret is
    `{"env": NAME}` or `{"file": PATH}`. `line` is where it stands in the file, counted from 1.
    """

    url: str
    name: str
    tags: tuple[str, ...] = ()
    start: Start = Start()
    interval: float = HOUR
    to: tuple[str, ...] = ()
    categories: bool = True
    at_once: int = 0
    per_day: int = 0
    user: str = ""
    password: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    line: int = field(default=0, compare=False)
    rules: tuple[Rule, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An address for one service. `auth` and `header` are empty where the kind's own are meant.

    `secret`: where to find it, `{"env": NAME}` or `{"file": PATH}`; several while one replaces another. The others
    are paths to the address and its facts; empty: its kind knows.
    """

    name: str
    kind: str = "generic"
    auth: str = ""
    header: str = ""
    secret: tuple[Mapping[str, str], ...] = ()
    open: bool = False
    methods: tuple[str, ...] = ()
    url: tuple[str, ...] = ()
    title: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    note: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Defaults:
    to: tuple[str, ...] = (READING,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a test wants of a decision; None: it does not say. Names and tags in any order."""

    rules: tuple[str, ...] | None = None
    tag: tuple[str, ...] | None = None
    to: tuple[str, ...] | None = None
    title: str | None = None
    dropped_by: str | None = None
    url: str | None = None
    note: str | None = None
    notify: str | None = None
    held_by: str | None = None
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class Test:
    """An example in the file, at `line` (counted from 1)."""

    __test__ = False

    line: int
    item: Sighting
    expect: Expect
    occasion: Occasion = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """A rule file that can be used as it stands.

    `destinations`: name -> its options as plain data, `type` among them, not looked into; a secret in them is
    `{"env": NAME}` or `{"file": PATH}`. `hash` tells one text from another. `asks` are the conditions on facts that
    come with no arrival: seen, lang, type, words, minutes, image.
    """

    name: str
    text: str
    hash: str
    feeds: tuple[Feed, ...] = ()
    hooks: tuple[Hook, ...] = ()
    destinations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    defaults: Defaults = Defaults()
    rules: tuple[Rule, ...] = ()
    tests: tuple[Test, ...] = ()
    keep: Keep = field(default_factory=Keep)
    notify: Notify = field(default_factory=Notify)
    index: Index = field(init=False, repr=False, compare=False)

    asks: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", Index(self.rules))
        object.__setattr__(self, "asks", frozenset(_asked(self.rules)))

    def place(self, path: Sequence[str | int]) -> str:
        """Where that stands, as FILE:LINE."""
        return f"{self.name}:{place_of(parse(self.text), path).line + 1}"

    def problem(self, path: Sequence[str | int], message: str, meant: str = "") -> ConfigError:
        """The error for a place in this file that somebody else found wrong: `("destinations", "pocket", "tokne")`.

        Points to the key; where the path leads nowhere, to the deepest part of it that is there.
        """
        place = place_of(parse(self.text), path)
        return config_error(self.name, self.text, wrong(place, message, meant).faults)


def _asked(rules: Iterable[Rule]) -> Iterator[str]:
    for clause in every_clause(chain.from_iterable((*rule.conditions, *rule.exceptions) for rule in rules)):
        match clause:
            case Amount(key) | OfPage(key) if not key.startswith(FIELD):
                yield key
            case Has(parts) if "image" in parts:
                yield "image"
