"""From the text of a rule file to a RuleFile: its sections, checked in the light of each other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from bridge.link import tidy
from bridge.rules._clauses import Named
from bridge.rules._document import Block, Items, Node, Scalar, parse, plain, readable
from bridge.rules._faults import Wrong, config_error, wrong
from bridge.rules._feeds import feeds
from bridge.rules._file import READING, Defaults, RuleFile
from bridge.rules._hooks import hooks
from bridge.rules._parts import Names, entry_of, keys_of, targets
from bridge.rules._rule import Rule
from bridge.rules._rules import rules
from bridge.rules._tests import tests
from bridge.rules._upkeep import keep, notify
from bridge.rules._values import Reader, block, each, text

_CARRYING: Mapping[Literal["feed", "hook"], str] = {"feed": "feeds", "hook": "hooks"}
"""A condition -> the section whose entries carry rules under it."""

_DESTINATION = re.compile(r"\w[\w.-]{0,49}")


def load(text: str | bytes, *, name: str) -> RuleFile:
    """The rule file with this text; `name` is what its errors begin with. Raises ConfigError with the faults,
    at most five, each with line, column, the line itself and what would be right."""
    try:
        written = readable(text)
        sections = _sections(parse(written))
    except Wrong as error:
        shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        raise config_error(name, shown.removeprefix("\ufeff"), error.faults) from None
    digest = hashlib.sha256(written.encode()).hexdigest()[:16]
    return RuleFile(name=name, text=written, hash=digest, **sections)


def _sections(root: Node | None) -> dict[str, Any]:
    if root is None:
        return {}
    names = Names(
        feeds=set(_names_in(root, "feeds")),
        destinations={READING, *keys_of(entry_of(root, "destinations"))},
        rules={*_names_in(root, "rules"), *_scoped_names(root)},
    )
    readers: dict[str, Reader[Any]] = {
        "feeds": partial(feeds, names=names),
        "hooks": partial(hooks, names=names),
        "destinations": _destinations,
        "defaults": partial(_defaults, names=names),
        "rules": partial(rules, names=names),
        "tests": partial(tests, names=names),
        "keep": keep,
        "notify": notify,
    }
    if isinstance(root, Items):
        raise wrong(root, "the file begins with a list", "Begin with a section: “rules:”, and the list below it.")
    sections = block(root, "", readers)
    sections["rules"] = (*_scoped(sections), *sections.get("rules", ()))
    return sections


def _scoped(sections: Mapping[str, Any]) -> Iterator[Rule]:
    """The rules that feeds and hooks carry, each for its own links alone, called “lwn: no ads”."""
    for key, section in _CARRYING.items():
        for carrier in sections.get(section, ()):
            here = Named(key, frozenset([carrier.name]))
            for rule in carrier.rules:
                yield replace(rule, name=f"{carrier.name}: {rule.name}", conditions=(here, *rule.conditions))


def _scoped_names(root: Node) -> Iterator[str]:
    for section in _CARRYING.values():
        carriers = entry_of(root, section)
        for carrier in carriers.nodes if isinstance(carriers, Items) else ():
            name = entry_of(carrier, "name")
            if isinstance(name, Scalar):
                yield from (f"{tidy(name.value)}: {own}" for own in _names_in(carrier, "rules"))


def _names_in(root: Node, section: str) -> Iterator[str]:
    """The names in a list of named things, as far as they can be read."""
    entries = entry_of(root, section)
    for entry in entries.nodes if isinstance(entries, Items) else ():
        name = entry_of(entry, "name")
        if isinstance(name, Scalar):
            yield tidy(name.value)


def _destinations(node: Node, what: str) -> Mapping[str, Mapping[str, Any]]:
    entries = node.entries if isinstance(node, Block) else []
    each([key for key, _ in entries], _destination_name, what)
    return block(node, what, dict.fromkeys((key.value for key, _ in entries), _destination))


def _destination_name(node: Node, what: str) -> str:
    name = text(node, f"a name in {what}")
    if name == READING:
        raise wrong(node, f"“{READING}” is bridge's own list and always there", "Choose another name.")
    if not _DESTINATION.fullmatch(name):
        raise wrong(node, f"“{name}” is no name for a destination", "Use letters, digits, “-” and “_”: my-pocket.")
    return name


def _destination(node: Node, what: str) -> Mapping[str, Any]:
    options: dict[str, Reader[Any]] = dict.fromkeys(keys_of(node), _option)
    return block(node, what, options | {"type": text}, required=("type",))


def _option(node: Node, _what: str) -> object:
    return plain(node)


def _defaults(node: Node, what: str, names: Names) -> Defaults:
    return Defaults(**block(node, what, {"to": targets(names)}))
