"""The template of a rewritten title: text, fields and filters from a closed list. Nothing in it can be run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bridge.link import tidy
from bridge.rules._facts import Facts

FIELDS: dict[str, Callable[[Facts], str]] = {
    "title": lambda facts: facts.title,
    "feed": lambda facts: facts.sighting.feed,
    "hook": lambda facts: facts.sighting.hook,
    "domain": lambda facts: facts.domains[0] if facts.domains else "",
    "source": lambda facts: facts.sighting.source,
    "author": lambda facts: facts.author,
}

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|([^{}]+)|[{}]")
_MAX = re.compile(r"max:([1-9][0-9]{0,3})")

Filter = Callable[[str], str]


class TemplateFault(Exception):  # noqa: N818 - never leaves this folder
    """What is wrong with a template, and what would be right."""

    def __init__(self, message: str, meant: str) -> None:
        super().__init__(message)
        self.message = message
        self.meant = meant


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    filters: tuple[Filter, ...]

    def render(self, facts: Facts) -> str:
        value = FIELDS[self.name](facts)
        for apply in self.filters:
            value = apply(value)
        return value


@dataclass(frozen=True, slots=True)
class Template:
    parts: tuple[str | Field, ...]

    @classmethod
    def of(cls, written: str) -> Template:
        """Raises TemplateFault."""
        return cls(tuple(_part(match) for match in _PART.finditer(written)))

    def fields(self) -> set[str]:
        """The names of the fields in it."""
        return {part.name for part in self.parts if isinstance(part, Field)}

    def render(self, facts: Facts) -> str:
        """The title, in one line; empty when the fields it names are."""
        return tidy("".join(part if isinstance(part, str) else part.render(facts) for part in self.parts))


def _part(match: re.Match[str]) -> str | Field:
    found = match.group()
    if match.group(1) is not None:
        return _field(match.group(1))
    if found in ("{", "}"):
        raise TemplateFault(
            f"a single “{found}”", f"Write a field as {{title}}; for the sign itself write “{found * 2}”."
        )
    return found[0] if found in ("{{", "}}") else found


def _field(written: str) -> Field:
    name, *filters = (part.strip() for part in written.split("|"))
    if name not in FIELDS:
        known = ", ".join(f"{{{field}}}" for field in FIELDS)
        raise TemplateFault(f"there is no field {{{name}}}", f"Known here: {known}.")
    return Field(name, tuple(_filter(each) for each in filters))


def _filter(written: str) -> Filter:
    match written:
        case "lower":
            return str.lower
        case "upper":
            return str.upper
    if not (number := _MAX.fullmatch(written)):
        raise TemplateFault(f"there is no filter |{written}", "Known here: |max:80, |lower, |upper.")
    return partial(shortened, longest=int(number.group(1)))


def shortened(text: str, longest: int) -> str:
    """At most `longest` characters, the last one “…” when some had to go.

    >>> shortened("A long title", 8), shortened("Short", 8)
    ('A long…', 'Short')
    """
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
