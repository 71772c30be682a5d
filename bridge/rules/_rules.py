"""The section `rules`: every condition and verb there is, and what each may hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import translate
from functools import partial
from typing import Any, Literal, TypeVar

from bridge.errors import InvalidArrival
from bridge.link import host, tidy
from bridge.rules._clauses import Clause, Contains, Domain, Glob, Named, Tagged, Url
from bridge.rules._document import Node
from bridge.rules._faults import wrong
from bridge.rules._file import Rule, Then
from bridge.rules._parts import SOURCES, Names, called, name, tag, tags, targets, unique
from bridge.rules._title import Template, TemplateFault
from bridge.rules._values import Reader, a_list, block, each, one_of, some, text, truth
from bridge.rules._words import Phrase

T = TypeVar("T")

LONGEST_PHRASE = 200

_NO_HOST = re.compile(r"[\s/:@?#*,]")


def rules(node: Node, what: str, names: Names) -> tuple[Rule, ...]:
    conditions = partial(_clauses, readers=_conditions(names))
    readers: dict[str, Reader[Any]] = {
        "name": name,
        "if": conditions,
        "unless": conditions,
        "then": partial(_then, readers=_verbs(names)),
    }
    nodes = a_list(node, what)
    read = each(nodes, partial(_rule, readers=readers), what)
    unique(nodes, [rule.name for rule in read], "name", "another rule is called “{}” already")
    return read


def _rule(node: Node, _what: str, readers: Mapping[str, Reader[Any]]) -> Rule:
    read = block(node, called("rule", node), readers, required=("name", "then"))
    return Rule(
        name=read["name"], conditions=read.get("if", ()), exceptions=read.get("unless", ()), then=read["then"]
    )


def _clauses(node: Node, what: str, readers: Mapping[str, Reader[Clause]]) -> tuple[Clause, ...]:
    return tuple(block(node, what, readers).values())


def _conditions(names: Names) -> dict[str, Reader[Clause]]:
    return {
        "source": _clause(partial(_named, "source"), one_of(SOURCES, "source")),
        "feed": _clause(partial(_named, "feed"), one_of(names.feeds, "feed", rank=1)),
        "hook": _clause(partial(_named, "hook"), text),
        "chat": _clause(partial(_named, "chat"), text),
        "domain": _clause(lambda domains: Domain(frozenset(domains)), _domain),
        "url": _clause(Url, _glob),
        "title": _clause(partial(Contains, "title"), _phrase),
        "text": _clause(partial(Contains, "text"), _phrase),
        "tag": _clause(lambda tags: Tagged(frozenset(tags)), tag),
    }


def _clause(make: Callable[[tuple[T, ...]], Clause], read: Reader[T]) -> Reader[Clause]:
    values = some(read)
    return lambda node, what: make(values(node, what))


def _named(key: Literal["source", "feed", "hook", "chat"], values: tuple[str, ...]) -> Named:
    return Named(key, frozenset(values))


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


def _glob(node: Node, what: str) -> Glob:
    written = text(node, what)
    if not written.startswith(("http://", "https://", "*", "?")):
        meant = f'Begin with https:// or with a star: "*{written}"'
        raise wrong(node, f"{what} is compared with the whole address, so “{written}” finds nothing", meant)
    return Glob(written, re.compile(translate(written.replace("[", "[[]")), re.IGNORECASE))


def _phrase(node: Node, what: str) -> Phrase:
    written = text(node, what)
    if len(written) > LONGEST_PHRASE:
        raise wrong(
            node, f"{what} is longer than {LONGEST_PHRASE} characters", "A few words of it are enough."
        )
    return Phrase.of(written)


def _then(node: Node, what: str, readers: Mapping[str, Reader[Any]]) -> Then:
    verbs = block(node, what, readers)
    if "drop" in verbs and "to" in verbs:
        raise wrong(
            node, f"{what} has both “drop” and “to”", "What is dropped goes nowhere: remove one of them."
        )
    return Then(**verbs)


def _verbs(names: Names) -> dict[str, Reader[Any]]:
    return {
        "tag": tags,
        "untag": tags,
        "title": _template,
        "to": targets(names),
        "drop": _reason,
        "stop": truth,
    }


def _template(node: Node, what: str) -> Template:
    try:
        return Template.of(text(node, what))
    except TemplateFault as fault:
        raise wrong(node, f"{what}: {fault.message}", fault.meant) from None


def _reason(node: Node, what: str) -> str:
    written = tidy(text(node, what))
    match written.lower():
        case "true":
            return ""
        case "false" | "no" | "off" | "yes" | "on":
            meant = "Write the reason, or true; remove the line if the rule should not drop."
            raise wrong(node, f"{what} takes a reason or true, not “{written}”", meant)
    return written
