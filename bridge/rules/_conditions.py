"""Readers of `if` and `unless`: every condition there is, and what each may hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, time
from functools import partial
from typing import Literal, TypeVar

from bridge.errors import InvalidArrival
from bridge.link import host
from bridge.rules._clauses import Address, All, AnyOf, Clause, Contains, Domain, Named, NoneOf, Tagged
from bridge.rules._document import Block, Items, Node
from bridge.rules._facts import FIELD, TYPES, number
from bridge.rules._faults import wrong
from bridge.rules._measures import Amount, Has, Hours, OfPage, Published, Range
from bridge.rules._parts import SOURCES, Names, feed_named, tag
from bridge.rules._patterns import LONGEST_PATTERN, Pattern, PatternFault, glob, regex
from bridge.rules._times import clock, day, duration
from bridge.rules._values import Reader, block, one_of, some, text
from bridge.rules._words import Phrase

T = TypeVar("T")

LONGEST_PHRASE = 200

PARTS = ("author", "date", "image", "note", "tag", "text", "title")

_NO_HOST = re.compile(r"[\s/:@?#*,]")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


class Conditions:
    """What may stand in a block of conditions. Blocks stand in blocks."""

    def __init__(self, names: Names) -> None:
        self._readers: dict[str, Reader[Clause]] = {
            "source": _clause(partial(_named, "source"), one_of(SOURCES, "source")),
            "feed": _clause(partial(_named, "feed"), feed_named(names)),
            "hook": _clause(partial(_named, "hook"), text),
            "chat": _clause(partial(_named, "chat"), text),
            "account": _clause(partial(_named, "account"), text),
            "domain": _clause(lambda domains: Domain(frozenset(domains)), _domain),
            "url": _clause(partial(_address, "url"), _url),
            "path": _clause(partial(_address, "path"), _path),
            "title": _clause(partial(_contains, "title"), _phrase),
            "text": _clause(partial(_contains, "text"), _phrase),
            "author": _clause(partial(_contains, "author"), _phrase),
            "tag": _clause(lambda tags: Tagged(frozenset(tags)), tag),
            "lang": _clause(partial(_of_page, "lang"), _language),
            "type": _clause(partial(_of_page, "type"), one_of(TYPES, "type")),
            "words": partial(_amount, key="words", read=_number),
            "minutes": partial(_amount, key="minutes", read=_number),
            "seen": partial(_amount, key="seen", read=_number),
            "age": partial(_amount, key="age", read=_age),
            "published": _published,
            "hour": _clause(Hours, _hours),
            "has": _clause(Has, one_of(PARTS, "part")),
            "any": lambda node, what: AnyOf(self._blocks(node, what)),
            "not": lambda node, what: NoneOf(self._blocks(node, what)),
        }

    def clauses(self, node: Node, what: str) -> tuple[Clause, ...]:
        return tuple(block(node, what, self._readers, families={FIELD: _field}).values())

    def _blocks(self, node: Node, what: str) -> tuple[All, ...]:
        return tuple(map(All, some(self.clauses)(node, what)))


def _clause(make: Callable[[tuple[T, ...]], Clause], read: Reader[T]) -> Reader[Clause]:
    values = some(read)
    return lambda node, what: make(values(node, what))


def _named(key: Literal["account", "source", "feed", "hook", "chat"], values: tuple[str, ...]) -> Named:
    return Named(key, frozenset(values))


def _of_page(key: Literal["lang", "type"], values: tuple[str, ...]) -> OfPage:
    return OfPage(key, frozenset(values))


def _contains(key: str, sought: tuple[Phrase | Pattern, ...]) -> Contains:
    phrases = tuple(each for each in sought if isinstance(each, Phrase))
    return Contains(key, phrases, tuple(each for each in sought if isinstance(each, Pattern)))


def _address(key: Literal["url", "path"], patterns: tuple[tuple[str, Pattern], ...]) -> Address:
    kinds = {kind: tuple(pattern for of, pattern in patterns if of == kind) for kind in ("glob", "regex")}
    return Address(key, kinds["glob"], kinds["regex"])


def _domain(node: Node, what: str) -> str:
    written = text(node, what)
    bare = written.partition("://")[2] or written
    bare = bare.removeprefix("*").removeprefix(".").partition("/")[0]
    try:
        name = host(f"https://{bare}")
    except InvalidArrival:
        name = ""
    if not name or _NO_HOST.search(written) or written.startswith("."):
        meant = f"Write “{name}”; sub-domains are included." if name else "Write a host such as example.com."
        raise wrong(node, f"{what} is no host: “{written}”", f"{meant} Several are a list: [a.org, b.org].")
    return name


def _url(node: Node, what: str) -> tuple[str, Pattern]:
    if isinstance(node, Block):
        return "regex", _regex(node, what)
    written = text(node, what)
    if not written.startswith(("http://", "https://", "*", "?")):
        meant = f'Begin with https:// or with a star: "*{written}"'
        raise wrong(node, f"{what} is compared with the whole address, so “{written}” finds nothing", meant)
    return "glob", _glob(node, what, written)


def _path(node: Node, what: str) -> tuple[str, Pattern]:
    if isinstance(node, Block):
        return "regex", _regex(node, what)
    written = text(node, what)
    if not written.startswith(("/", "*", "?")):
        meant = f'Begin with “/” or with a star: "/{written}", "*{written}"'
        raise wrong(node, f"{what} is compared with the whole path, so “{written}” finds nothing", meant)
    return "glob", _glob(node, what, written)


def _glob(node: Node, what: str, written: str) -> Pattern:
    if len(written) > LONGEST_PATTERN:
        raise wrong(node, f"{what} is longer than {LONGEST_PATTERN} characters", "A part of it and a star are enough.")
    return glob(written)


def _phrase(node: Node, what: str) -> Phrase | Pattern:
    if isinstance(node, Block) and not _is_template(node):
        return _regex(node, what)
    written = text(node, what)
    if len(written) > LONGEST_PHRASE:
        raise wrong(node, f"{what} is longer than {LONGEST_PHRASE} characters", "A few words of it are enough.")
    return Phrase.of(written)


def _is_template(node: Block) -> bool:
    """`{title}`: a text with braces that nobody quoted."""
    return node.braces and len(node.entries) == 1 and node.entries[0][0].value != "regex" and _no_value(node)


def _no_value(node: Block) -> bool:
    value = node.entries[0][1]
    return not isinstance(value, Block | Items) and value.nothing


def _regex(node: Node, what: str) -> Pattern:
    readers: Mapping[str, Reader[Pattern]] = {"regex": _expression}
    found: Pattern = block(node, what, readers)["regex"]
    return found


def _expression(node: Node, what: str) -> Pattern:
    written = text(node, what)
    if len(written) > LONGEST_PATTERN:
        raise wrong(node, f"{what} is longer than {LONGEST_PATTERN} characters", "Make two of it, in a list.")
    try:
        return regex(written)
    except PatternFault as fault:
        raise wrong(node, f"{what} is no regular expression: {fault.message}", fault.meant) from None


def _language(node: Node, what: str) -> str:
    written = text(node, what).lower().replace("_", "-")
    if not _LANGUAGE.fullmatch(written):
        raise wrong(node, f"{what} is no language: “{written}”", "Write its code: en, de, pt-br.")
    return written


def _field(name: str) -> Reader[Clause]:
    """Of a field of a hook: a range of numbers, or words."""
    key = f"{FIELD}{name}"
    words = _clause(partial(_contains, key), _phrase)

    def reader(node: Node, what: str) -> Clause:
        bounds = isinstance(node, Block) and {"over", "under"} & {word.value for word, _ in node.entries}
        return _amount(node, what, key, _number) if bounds else words(node, what)

    return reader


def _amount(node: Node, what: str, key: str, read: Reader[float]) -> Amount:
    if not isinstance(node, Block):
        return Amount(key, Range(exactly=read(node, what)))
    found = Range(**block(node, what, {"over": read, "under": read}))
    if found.over is not None and found.under is not None and found.over >= found.under:
        raise wrong(node, f"{what}: nothing is over {found.over:g} and under {found.under:g}", "Exchange the two.")
    return Amount(key, found)


def _number(node: Node, what: str) -> float:
    written = text(node, what)
    value = number(written)
    if value is None:
        raise wrong(node, f"{what} is no number: “{written}”", "Write {over: 8}, {under: 3} or a number.")
    return value


def _age(node: Node, what: str) -> float:
    written = text(node, what)
    seconds = duration(written)
    if seconds is None:
        raise wrong(node, f"{what} is no duration: “{written}”", "Write a number and a unit: 12h, 30d or 2w.")
    return seconds


def _published(node: Node, what: str) -> Published:
    return Published(**block(node, what, {"after": _day, "before": _day}))


def _day(node: Node, what: str) -> date:
    written = text(node, what)
    found = day(written)
    if found is None:
        raise wrong(node, f"{what} is no day: “{written}”", "Write year-month-day, as in 2026-05-01.")
    return found


def _hours(node: Node, what: str) -> tuple[time, time]:
    written = text(node, what)
    first, _, last = (part.strip() for part in written.partition("-"))
    begin, end = clock(first), clock(last)
    if begin is None or end is None or begin == end:
        raise wrong(node, f"{what} is no span of hours: “{written}”", "Write it like 9-17, 22-6 or 8:30-9:00.")
    return begin, end
