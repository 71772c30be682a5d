"""Clauses: the conditions of a rule. Each is data, tells whether it holds, and says why in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from bridge.rules._facts import FIELD, Facts, in_utf8
from bridge.rules._patterns import Pattern
from bridge.rules._words import Phrase, stretches, words_in

Key = tuple[str, str]
"""Where the index looks, and what for: ("domain", "arxiv.org")."""

Keys = tuple[tuple[Key, ...], ...]
"""A clause can hold only if all keys of one of these groups are among the facts."""


class Clause(Protocol):
    """A new kind of condition is a class with these five."""

    def holds(self, facts: Facts) -> bool | None:
        """None: it asks for a fact that is unknown, which counts as no, in `not` too."""
        ...

    def because(self, facts: Facts) -> str:
        """Why it holds: “title contains “sponsored””."""
        ...

    def instead(self, facts: Facts) -> str:
        """The fact for which it does not hold: “domain is shop.example”."""
        ...

    def denied(self) -> str:
        """That it does not hold: “feed is not lwn”."""
        ...

    def keys(self) -> Keys | None:
        """None: there is nothing to look it up by."""
        ...


@dataclass(frozen=True, slots=True)
class Named:
    """The account, source, feed, hook or chat is one of these, by its exact name."""

    key: Literal["account", "source", "feed", "hook", "chat"]
    values: frozenset[str]

    def holds(self, facts: Facts) -> bool:
        return self._name(facts) in self.values

    def because(self, facts: Facts) -> str:
        return f"{self.key} is {self._name(facts)}"

    def instead(self, facts: Facts) -> str:
        name = self._name(facts)
        return f"{self.key} is {name}, not {listed(self.values)}" if name else f"it came through no {self.key}"

    def denied(self) -> str:
        return f"{self.key} is not {listed(self.values)}"

    def keys(self) -> Keys:
        return alternatives(self.key, self.values)

    def _name(self, facts: Facts) -> str:
        name: str = getattr(facts.occasion if self.key == "account" else facts.sighting, self.key)
        return name


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
        if not facts.domains:
            return "the address has no domain"
        return f"domain is {facts.domains[0]}, not {listed(self.values)}"

    def denied(self) -> str:
        return f"domain is not {listed(self.values)}"

    def keys(self) -> Keys:
        return alternatives("domain", self.values)


@dataclass(frozen=True, slots=True)
class Address:
    """The whole address as it came, or its path, fits one of these patterns."""

    key: Literal["url", "path"]
    globs: tuple[Pattern, ...]
    regexes: tuple[Pattern, ...] = ()

    def holds(self, facts: Facts) -> bool:
        return self._found(facts) is not None

    def because(self, facts: Facts) -> str:
        found = self._found(facts)
        return f"{self.key} is like {found.shown if found else ''}"

    def instead(self, _facts: Facts) -> str:
        return self.denied()

    def denied(self) -> str:
        return f"{self.key} is not like {listed(pattern.shown for pattern in (*self.globs, *self.regexes))}"

    def keys(self) -> Keys:
        stretched = tuple(self._stretches(pattern) for pattern in self.globs)
        return stretched + alternatives(f"{self.key}~", (pattern.source for pattern in self.regexes))

    def _stretches(self, pattern: Pattern) -> tuple[Key, ...]:
        whole = tuple((self.key, stretch) for stretch in stretches(pattern.shown))
        return whole or ((f"{self.key}*", pattern.source),)

    def _found(self, facts: Facts) -> Pattern | None:
        lowered = tuple(map(in_utf8, facts.lowered(self.key))) if self.globs else ()
        for pattern in self.globs:
            if pattern.within(lowered):
                return pattern
        return next((pattern for pattern in self.regexes if pattern.within(facts.written(self.key))), None)


@dataclass(frozen=True, slots=True)
class Contains:
    """One of the phrases, or a regular expression, is found in these words; `key` says in which."""

    key: str
    phrases: tuple[Phrase, ...]
    regexes: tuple[Pattern, ...] = ()

    def holds(self, facts: Facts) -> bool | None:
        if self._found(facts) is not None:
            return True
        nothing = self.key.startswith(FIELD) and not facts.folded(self.key)
        return None if nothing or facts.is_open(self.key) else False

    def because(self, facts: Facts) -> str:
        found = self._found(facts)
        verb = "matches" if isinstance(found, Pattern) else "contains"
        return f"{self._name} {verb} “{found.shown if found else ''}”"

    def instead(self, facts: Facts) -> str:
        if facts.is_open(self.key):
            return facts.unknown(self.key)
        if any(facts.folded(self.key)):
            return self.denied()
        return facts.unknown(self.key) if self.key.startswith(FIELD) else f"there is no {self.key}"

    def denied(self) -> str:
        told = (("contain", self.phrases), ("match", self.regexes))
        parts = (f"{verb} {listed(f'“{each.shown}”' for each in sought)}" for verb, sought in told if sought)
        return f"{self._name} does not {' or '.join(parts)}"

    def keys(self) -> Keys:
        by_word = tuple(self._words(phrase) for phrase in self.phrases)
        return by_word + alternatives(f"{self.key}~", (pattern.source for pattern in self.regexes))

    @property
    def _name(self) -> str:
        return self.key.replace(".", " ", 1)

    def _words(self, phrase: Phrase) -> tuple[Key, ...]:
        whole = tuple((self.key, word) for word in words_in(phrase.text))
        return whole or ((f"{self.key}=", phrase.text),)

    def _found(self, facts: Facts) -> Phrase | Pattern | None:
        texts = facts.folded(self.key)
        for phrase in self.phrases:
            for text in texts:
                # The first part of it is the faster one.
                if phrase.text in text and phrase.within(text):
                    return phrase
        for pattern in self.regexes:
            if pattern.within(facts.written(self.key)):
                return pattern
        return None


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

    def keys(self) -> Keys:
        return alternatives("tag", self.tags)


@dataclass(frozen=True, slots=True)
class All:
    """Every clause of a block holds."""

    clauses: tuple[Clause, ...]

    def holds(self, facts: Facts) -> bool | None:
        known = True
        for clause in self.clauses:
            answer = clause.holds(facts)
            if answer is False:
                return False
            known = known and answer is not None
        return True if known else None

    def because(self, facts: Facts) -> str:
        return ", ".join(clause.because(facts) for clause in self.clauses)

    def instead(self, facts: Facts) -> str:
        """The clause that decides: one that is known not to hold rather than one that is unknown."""
        answers = {clause.holds(facts): clause for clause in reversed(self.clauses)}
        return answers[False if False in answers else None].instead(facts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of these blocks holds."""

    blocks: tuple[All, ...]

    def holds(self, facts: Facts) -> bool | None:
        answers = [block.holds(facts) for block in self.blocks]
        return True if True in answers else None if None in answers else False

    def because(self, facts: Facts) -> str:
        return next(block.because(facts) for block in self.blocks if block.holds(facts))

    def instead(self, facts: Facts) -> str:
        return f"any: {'; '.join(block.instead(facts) for block in self.blocks)}"

    def denied(self) -> str:
        return "none of “any” holds"

    def keys(self) -> Keys | None:
        # Looked into by the index, which knows the best clause of each block.
        return None


@dataclass(frozen=True, slots=True)
class NoneOf:
    """None of these blocks holds, and that is known."""

    blocks: tuple[All, ...]

    def holds(self, facts: Facts) -> bool | None:
        answers = [block.holds(facts) for block in self.blocks]
        return False if True in answers else None if None in answers else True

    def because(self, facts: Facts) -> str:
        return "; ".join(block.instead(facts) for block in self.blocks)

    def instead(self, facts: Facts) -> str:
        found = next((block for block in self.blocks if block.holds(facts)), None)
        if found:
            return f"“not” excludes it: {found.because(facts)}"
        return next(block.instead(facts) for block in self.blocks if block.holds(facts) is None)

    def denied(self) -> str:
        return "what “not” excludes is there"

    def keys(self) -> Keys | None:
        return None


def alternatives(place: str, values: Iterable[str]) -> Keys:
    return tuple(((place, value),) for value in values)


def every_clause(clauses: Iterable[Clause]) -> Iterator[Clause]:
    """These and all that stand inside them."""
    for clause in clauses:
        yield clause
        if isinstance(clause, AnyOf | NoneOf):
            for block in clause.blocks:
                yield from every_clause(block.clauses)


def listed(values: Iterable[str]) -> str:
    """A few of the values in words: `a, b or c`, `a, b, c or 97 others`."""
    shown = sorted(values)
    if len(shown) > 4:
        shown = [*shown[:3], f"{len(shown) - 3} others"]
    return " or ".join(part for part in (", ".join(shown[:-1]), shown[-1]) if part)
