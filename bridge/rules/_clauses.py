"""Clauses: the conditions of a rule. Each is data, tells whether it holds, and says why in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from bridge.errors import InvalidArrival
from bridge.link import Sighting, host
from bridge.rules._words import Phrase, folded


class Facts:
    """What clauses ask about one sighting. Worked out when first asked for; `tags` grow with the rules."""

    def __init__(self, sighting: Sighting) -> None:
        self.sighting = sighting
        self.tags = dict.fromkeys(sighting.tags)

    @cached_property
    def domains(self) -> tuple[str, ...]:
        """The host and every domain above it: `a.example.org`, `example.org`, `org`. Empty for no web address."""
        try:
            labels = host(self.sighting.url).split(".")
        except InvalidArrival:
            return ()
        return tuple(".".join(labels[start:]) for start in range(len(labels)))

    @cached_property
    def title(self) -> tuple[str, ...]:
        return (folded(self.sighting.title),)

    @cached_property
    def text(self) -> tuple[str, ...]:
        """All words that came with the link. Apart, so that no phrase is found across their ends."""
        return (*self.title, folded(self.sighting.text), folded(self.sighting.note))


class Clause(Protocol):
    """A new kind of condition is a class with these four."""

    def holds(self, facts: Facts) -> bool: ...

    def because(self, facts: Facts) -> str:
        """Why it holds: “title contains “sponsored””."""
        ...

    def instead(self, facts: Facts) -> str:
        """The fact for which it does not hold: “domain is shop.example”."""
        ...

    def denied(self) -> str:
        """That it does not hold: “feed is not lwn”."""
        ...


@dataclass(frozen=True, slots=True)
class Named:
    """The source, feed, hook or chat is one of these, by its exact name."""

    key: Literal["source", "feed", "hook", "chat"]
    values: frozenset[str]

    def holds(self, facts: Facts) -> bool:
        return getattr(facts.sighting, self.key) in self.values

    def because(self, facts: Facts) -> str:
        return f"{self.key} is {getattr(facts.sighting, self.key)}"

    def instead(self, facts: Facts) -> str:
        name = getattr(facts.sighting, self.key)
        return f"{self.key} is {name}" if name else f"it came through no {self.key}"

    def denied(self) -> str:
        return f"{self.key} is not {listed(self.values)}"


@dataclass(frozen=True, slots=True)
class Domain:
    """The host is one of these or below one, by whole labels."""

    values: frozenset[str]

    def holds(self, facts: Facts) -> bool:
        return not self.values.isdisjoint(facts.domains)

    def because(self, facts: Facts) -> str:
        found = next(domain for domain in facts.domains if domain in self.values)
        name = facts.domains[0]
        return f"domain is {name}" if name == found else f"domain is {name}, below {found}"

    def instead(self, facts: Facts) -> str:
        return f"domain is {facts.domains[0]}" if facts.domains else "the address has no domain"

    def denied(self) -> str:
        return f"domain is not {listed(self.values)}"


@dataclass(frozen=True, slots=True)
class Glob:
    written: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Url:
    """The whole address as it came fits one of these patterns."""

    globs: tuple[Glob, ...]

    def holds(self, facts: Facts) -> bool:
        return any(glob.pattern.match(facts.sighting.url) for glob in self.globs)

    def because(self, facts: Facts) -> str:
        found = next(glob for glob in self.globs if glob.pattern.match(facts.sighting.url))
        return f"url is like {found.written}"

    def instead(self, _facts: Facts) -> str:
        return self.denied()

    def denied(self) -> str:
        return f"url is not like {listed(glob.written for glob in self.globs)}"


@dataclass(frozen=True, slots=True)
class Contains:
    """One of the phrases stands in the title, or in any of the words that came with the link."""

    key: Literal["title", "text"]
    phrases: tuple[Phrase, ...]

    def holds(self, facts: Facts) -> bool:
        return self._found(facts) is not None

    def because(self, facts: Facts) -> str:
        found = self._found(facts)
        return f"{self.key} contains “{found.shown if found else ''}”"

    def instead(self, facts: Facts) -> str:
        nothing = not any(getattr(facts, self.key))
        return f"there is no {self.key}" if nothing else self.denied()

    def denied(self) -> str:
        return f"{self.key} does not contain {listed(f'“{phrase.shown}”' for phrase in self.phrases)}"

    def _found(self, facts: Facts) -> Phrase | None:
        texts = getattr(facts, self.key)
        return next((phrase for phrase in self.phrases for text in texts if phrase.within(text)), None)


@dataclass(frozen=True, slots=True)
class Tagged:
    """It has one of these tags, from its source or from a rule above."""

    tags: frozenset[str]

    def holds(self, facts: Facts) -> bool:
        return not self.tags.isdisjoint(facts.tags)

    def because(self, facts: Facts) -> str:
        return f"tag {next(tag for tag in facts.tags if tag in self.tags)} is present"

    def instead(self, _facts: Facts) -> str:
        return self.denied()

    def denied(self) -> str:
        return f"tag {listed(self.tags)} is absent"


def listed(values: Iterable[str]) -> str:
    """A few of the values in words: `a, b or c`, `a, b, c or 97 others`."""
    shown = sorted(values)
    if len(shown) > 4:
        shown = [*shown[:3], f"{len(shown) - 3} others"]
    return " or ".join(part for part in (", ".join(shown[:-1]), shown[-1]) if part)
