"""A loaded rule file: what each of its sections says, checked, with every name in it resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bridge.errors import ConfigError
from bridge.link import Sighting
from bridge.rules._clauses import Clause, Facts
from bridge.rules._document import parse, place_of
from bridge.rules._faults import config_error, wrong
from bridge.rules._title import Template

READING = "reading"
"""The destination that is always there: the embedded list."""

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Start:
    """What the first reading of a feed takes: nothing, the newest `count`, all `since` (epoch, UTC), or all."""

    kind: Literal["none", "last", "since", "all"] = "none"
    count: int = 0
    since: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed to read every `interval` seconds; what comes through it bears its tags."""

    url: str
    name: str
    tags: tuple[str, ...] = ()
    start: Start = Start()
    interval: float = HOUR


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


@dataclass(frozen=True, slots=True)
class Defaults:
    to: tuple[str, ...] = (READING,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """What a rule does. `drop` is None, or the reason, which may be empty."""

    tag: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()
    title: Template | None = None
    to: tuple[str, ...] = ()
    drop: str | None = None
    stop: bool = False

    @property
    def ends(self) -> bool:
        return self.stop or self.drop is not None

    def words(self, facts: Facts) -> str:
        """What it does to this sighting: “tag paper; to research”."""
        parts = {
            "tag": ", ".join(self.tag),
            "untag": ", ".join(self.untag),
            "title": f"“{self.title.render(facts)}”" if self.title else "",
            "to": ", ".join(self.to),
            "drop": f"({self.drop})" if self.drop else "",
        }
        told = [f"{verb} {words}" for verb, words in parts.items() if words]
        bare = [verb for verb, given in (("drop", self.drop == ""), ("stop", self.stop)) if given]
        return "; ".join(told + bare)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Applies when every clause of `conditions` holds and none of `exceptions`."""

    name: str
    conditions: tuple[Clause, ...] = ()
    exceptions: tuple[Clause, ...] = ()
    then: Then

    def applies(self, facts: Facts) -> bool:
        for clause in self.conditions:
            if not clause.holds(facts):
                return False
        return not any(clause.holds(facts) for clause in self.exceptions)

    def because(self, facts: Facts) -> str:
        """The clauses that decide whether it applies, in words."""
        for clause in self.conditions:
            if not clause.holds(facts):
                return clause.instead(facts)
        for clause in self.exceptions:
            if clause.holds(facts):
                return f"unless: {clause.because(facts)}"
        held = ", ".join(clause.because(facts) for clause in self.conditions) or "it has no condition"
        excepted = ", ".join(clause.denied() for clause in self.exceptions)
        return f"{held}; unless: {excepted}" if excepted else held


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a test wants of a decision; None: it does not say. Names and tags in any order."""

    rules: tuple[str, ...] | None = None
    tag: tuple[str, ...] | None = None
    to: tuple[str, ...] | None = None
    title: str | None = None
    dropped_by: str | None = None


@dataclass(frozen=True, slots=True)
class Test:
    """An example in the file, at `line` (counted from 1)."""

    __test__ = False

    line: int
    item: Sighting
    expect: Expect


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """A rule file that can be used as it stands.

    `destinations`: name -> its options as plain data, `type` among them, not looked into; a secret in them is
    `{"env": NAME}` or `{"file": PATH}`. `hash` tells one text from another.
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

    def problem(self, path: Sequence[str | int], message: str, meant: str = "") -> ConfigError:
        """The error for a place in this file that somebody else found wrong: `("destinations", "pocket", "tokne")`.

        Points to the key; where the path leads nowhere, to the deepest part of it that is there.
        """
        place = place_of(parse(self.text), path)
        return config_error(self.name, self.text, wrong(place, message, meant).faults)
