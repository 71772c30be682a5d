"""The section `tests`: links as they might come in, and what must become of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bridge.link import Sighting
from bridge.rules._document import Node
from bridge.rules._facts import FIELD, TYPES, WORDS_A_MINUTE, Occasion, number
from bridge.rules._faults import wrong
from bridge.rules._file import Expect, Test
from bridge.rules._parts import SOURCES, Names, address, tag, tags
from bridge.rules._times import duration
from bridge.rules._values import Reader, a_list, any_number, block, each, one_of, some, text

_OCCASION = ("account", "lang", "type", "words", "seen")


def tests(node: Node, what: str, names: Names) -> tuple[Test, ...]:
    readers: dict[str, Reader[Any]] = {"item": _item, "expect": partial(_expect, names=names)}
    return each(a_list(node, what), partial(_test, readers=readers), what)


def _test(node: Node, _what: str, readers: Mapping[str, Reader[Any]]) -> Test:
    read = block(node, "a test", readers, required=("item", "expect"))
    item, occasion = read["item"]
    return Test(node.line + 1, item, read["expect"], occasion)


def _item(node: Node, what: str) -> tuple[Sighting, Occasion]:
    texts = dict.fromkeys(("title", "text", "note", "author", "feed", "hook", "chat", "account", "lang"), text)
    readers: dict[str, Reader[Any]] = {
        "url": address,
        "source": one_of(SOURCES, "source"),
        "tag": tags,
        "type": one_of(TYPES, "type"),
        "published": _moment,
        "arrived": _moment,
        **dict.fromkeys(("words", "minutes", "seen"), _count),
    }
    facts = block(node, what, readers | texts, required=("url",), families={FIELD: lambda _name: some(text)})
    occasion = _occasion(facts)
    fields = {key.removeprefix(FIELD): facts.pop(key) for key in list(facts) if key.startswith(FIELD)}
    source = facts.pop("source", None) or _source_of(facts)
    at, given = facts.pop("published", 0.0), facts.pop("tag", ())
    return Sighting.of(facts.pop("url"), source=source, tags=given, at=at, fields=fields, **facts), occasion


def _occasion(facts: dict[str, Any]) -> Occasion:
    """Takes what tells of the occasion out of the facts of an item. Its clocks are those of the test: no zone."""
    known = {key: facts.pop(key) for key in _OCCASION if key in facts}
    if "minutes" in facts:
        known.setdefault("words", facts.pop("minutes") * WORDS_A_MINUTE)
    return Occasion(now=facts.pop("arrived", 0.0), **known)


def _moment(node: Node, what: str) -> float:
    written = text(node, what)
    try:
        return datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp()
    except ValueError:
        meant = "Write a day, and a time if it matters: 2026-05-01 or 2026-05-01 20:15."
        raise wrong(node, f"{what} is no moment: “{written}”", meant) from None


def _count(node: Node, what: str) -> int:
    written = text(node, what)
    value = number(written)
    if value is None or value < 0 or value != int(value):
        raise wrong(node, f"{what} is no whole number: “{written}”", "Write a number such as 8.")
    return int(value)


def _source_of(facts: Collection[str]) -> str:
    for fact, source in (("feed", "feed"), ("hook", "hook"), ("chat", "telegram")):
        if fact in facts:
            return source
    return "save"


def _expect(node: Node, what: str, names: Names) -> Expect:
    rule = one_of(names.rules, "rule", rank=1)
    readers: dict[str, Reader[Any]] = {
        "rules": any_number(rule),
        "tag": any_number(tag),
        "to": any_number(one_of(names.destinations, "destination", rank=1)),
        "title": text,
        "note": text,
        "notify": text,
        "url": address,
        "dropped_by": rule,
        "held_by": rule,
        "delay": _delay,
    }
    return Expect(**block(node, what, readers))


def _delay(node: Node, what: str) -> float:
    written = text(node, what)
    seconds = duration(written)
    if seconds is None:
        raise wrong(node, f"{what} is no duration: “{written}”", "Write a number and a unit: 30m, 2h or 1d.")
    return seconds
