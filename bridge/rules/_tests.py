"""The section `tests`: links as they might come in, and what must become of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from bridge.link import Sighting
from bridge.rules._document import Node
from bridge.rules._file import Expect, Test
from bridge.rules._parts import SOURCES, Names, address, tag, tags
from bridge.rules._values import Reader, a_list, any_number, block, each, one_of, text


def tests(node: Node, what: str, names: Names) -> tuple[Test, ...]:
    readers: dict[str, Reader[Any]] = {"item": _item, "expect": partial(_expect, names=names)}
    return each(a_list(node, what), partial(_test, readers=readers), what)


def _test(node: Node, _what: str, readers: Mapping[str, Reader[Any]]) -> Test:
    return Test(node.line + 1, **block(node, "a test", readers, required=("item", "expect")))


def _item(node: Node, what: str) -> Sighting:
    texts = dict.fromkeys(("title", "text", "note", "author", "feed", "hook", "chat"), text)
    readers: dict[str, Reader[Any]] = {"url": address, "source": one_of(SOURCES, "source"), "tag": tags}
    facts = block(node, what, readers | texts, required=("url",))
    source = facts.pop("source", None) or _source_of(facts)
    return Sighting.of(facts.pop("url"), source=source, tags=facts.pop("tag", ()), **facts)


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
        "dropped_by": rule,
    }
    return Expect(**block(node, what, readers))
