"""The index: which rules may apply to a sighting, without asking each of them.

Every rule is put under the rarest key that its conditions cannot hold without; rules that have no such key are
asked always. What is found here is then asked in earnest, so that finding too many is slow and nothing worse.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import re2

from bridge.rules._clauses import AnyOf, Clause, Key, every_clause
from bridge.rules._facts import Facts, in_utf8
from bridge.rules._measures import field_root, prefixes
from bridge.rules._patterns import OPTIONS
from bridge.rules._rule import Rule
from bridge.rules._words import runs_in

MOST_BYTES = 64 * 1024
"""Of patterns looked for at once: the engine's own memory bounds it."""

Pair = tuple[Key, str]
"""A key, and another value that must be at the same place, or ""."""

Entry = tuple[int, str]
"""The position of a rule in its file, and the other value."""


class Index:
    """Built once from the rules of a file."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        places: dict[str, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
        self._always: list[int] = []
        rarity = Counter(chain.from_iterable(_all_keys(rule.conditions) for rule in rules))
        for number, rule in enumerate(rules):
            keys = _best(rule.conditions, rarity)
            if keys is None:
                self._always.append(number)
            for (place, value), partner in dict.fromkeys(keys or ()):
                places[place][value].append((number, partner))
        self._tags = places.pop("tag", {})
        self._parts = [
            _Sieve(place, table) if place[-1] in SIEVED else _Table(_values_at(place), table)
            for place, table in places.items()
        ]

    def candidates(self, facts: Facts) -> list[int]:
        """All rules that may apply, and some others, unordered, some more than once."""
        found = list(self._always)
        for part in self._parts:
            found += part.candidates(facts)
        if self._tags:
            found += self.awaiting(facts.tags)
        return found

    def awaiting(self, tags: Iterable[str]) -> list[int]:
        """The rules that may apply because of these tags."""
        return [number for tag in tags for number, _ in self._tags.get(tag, ())]


@dataclass(frozen=True, slots=True)
class _Table:
    """Rules by exact values."""

    values: Callable[[Facts], Collection[str]]
    rules: Mapping[str, Sequence[Entry]]

    def candidates(self, facts: Facts) -> list[int]:
        rules, values = self.rules, self.values(facts)
        entries = chain.from_iterable(rules[value] for value in rules.keys() & values)
        return [number for number, partner in entries if not partner or partner in values]


class _Sieve:
    """Rules by patterns: all are looked for at once, by the letters that they cannot do without."""

    def __init__(self, place: str, rules: Mapping[str, Sequence[Entry]]) -> None:
        self._texts = partial(_texts_at, place[:-1], place[-1])
        self._filters: list[tuple[re2.Filter, list[list[int]]]] = []
        self._always: list[int] = []
        for patterns in _portions(rules):
            sources = [re2.escape(pattern) if place[-1] == LITERAL else pattern for pattern in patterns]
            numbers = [[number for number, _ in rules[pattern]] for pattern in patterns]
            try:
                self._filters.append((_filter(sources), numbers))
            except re2.error:
                # Too much for the engine to look for at once: these rules are asked always.
                self._always += chain.from_iterable(numbers)

    def candidates(self, facts: Facts) -> Iterator[int]:
        yield from self._always
        for text in self._texts(facts):
            for sieve, numbers in self._filters if text else ():
                for position in sieve.Match(text, potential=True) or ():
                    yield from numbers[position]


LITERAL = "="
SIEVED = "~*="
"""The last sign of a place that holds patterns: of written texts, of addresses in small letters, of folded texts."""


def _texts_at(key: str, kind: str, facts: Facts) -> Iterable[bytes]:
    match kind:
        case "~":
            return facts.written(key)
        case "*":
            return map(in_utf8, facts.lowered(key))
    return map(in_utf8, facts.folded(key))


def _values_at(place: str) -> Callable[[Facts], Collection[str]]:
    """What a sighting has at a place of the index."""
    match place:
        case "domain":
            return lambda facts: facts.domains
        case "source" | "feed" | "hook" | "chat":
            return lambda facts: (getattr(facts.sighting, place),)
        case "account":
            return lambda facts: (facts.occasion.account,)
        case "lang" | "type":
            return lambda facts: prefixes(getattr(facts, place))
        case "has field":
            return lambda facts: {field_root(name) for name in facts.sighting.fields}
        case "url" | "path":
            return lambda facts: {run for text in facts.lowered(place) for run in runs_in(text)}
    return lambda facts: facts.words(place)


def _best(clauses: Iterable[Clause], rarity: Mapping[Key, int]) -> list[Pair] | None:
    """The keys under which these clauses are found, all together: those of the clause with the rarest."""
    found = [keys for clause in clauses if (keys := _keys(clause, rarity)) is not None]
    return min(found, key=lambda keys: sum(rarity[key] for key, _ in keys), default=None)


def _keys(clause: Clause, rarity: Mapping[Key, int]) -> list[Pair] | None:
    if isinstance(clause, AnyOf):
        of_blocks = [_best(block.clauses, rarity) for block in clause.blocks]
        return None if None in of_blocks else [key for keys in of_blocks for key in keys or ()]
    groups = clause.keys()
    if groups is None:
        return None
    return [_rarest(group, rarity) for group in groups]


def _rarest(group: Sequence[Key], rarity: Mapping[Key, int]) -> Pair:
    if len(group) == 1:
        return group[0], ""
    # Of equally rare words the longer one stands in fewer titles.
    first, second, *_ = sorted(group, key=lambda key: (rarity[key], -len(key[1])))
    return first, second[1]


def _all_keys(clauses: Iterable[Clause]) -> Iterator[Key]:
    for clause in every_clause(clauses):
        for group in clause.keys() or ():
            yield from group


def _portions(patterns: Iterable[str]) -> Iterator[list[str]]:
    portion: list[str] = []
    size = 0
    for pattern in patterns:
        if portion and size + len(pattern) > MOST_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(pattern)
        size += len(pattern)
    yield portion


def _filter(sources: Iterable[str]) -> re2.Filter:
    sieve = re2.Filter()
    for source in sources:
        sieve.Add(source, OPTIONS)
    sieve.Compile()
    return sieve
