"""Readers: functions that turn a node into a value, or raise Wrong with what would be right. Built from each other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, TypeVar

from bridge.rules._document import Block, Items, Node, Scalar
from bridge.rules._faults import Fault, Wrong, wrong

T = TypeVar("T")

Reader = Callable[[Node, str], T]
"""Called with the node and with what it is, in words: “title” in rule “papers”."""

LONGEST_TEXT = 8192

ENOUGH_FAULTS = 20
"""Looking for more would only take time: fewer are told."""

MOST_COMPARED = 1000
"""Names a wrong one is compared with: that takes long."""

# Words that people coming from other tools try first.
_MEANT = {
    "action": "then",
    "actions": "then",
    "condition": "if",
    "conditions": "if",
    "contains": "text",
    "delete": "drop",
    "destination": "to",
    "discard": "drop",
    "do": "then",
    "dropped": "dropped_by",
    "except": "unless",
    "exclude": "unless",
    "feedurl": "url",
    "hashtag": "tag",
    "host": "domain",
    "link": "url",
    "list": "to",
    "match": "if",
    "not": "unless",
    "rewrite": "title",
    "route": "to",
    "send": "to",
    "set": "then",
    "site": "domain",
    "skip": "drop",
    "subject": "title",
    "webhook": "hook",
    "when": "if",
    "where": "if",
}


Families = Mapping[str, Callable[[str], Reader[Any]]]
"""The beginning of some keys -> what makes a reader for the rest of one: `field.` and `points`."""


def block(
    node: Node,
    what: str,
    readers: Mapping[str, Reader[Any]],
    required: Collection[str] = (),
    families: Families = MappingProxyType({}),
) -> dict[str, Any]:
    """The values of a block's keys; every fault in it at once. `what` is empty for the file itself."""
    if not isinstance(node, Block):
        raise _no_block(node, what or "the rule file")
    if not node.entries:
        raise wrong(node, f"{what or 'the rule file'} is empty", f"Write one of these into it: {', '.join(readers)}.")
    within = f" in {what}" if what else ""
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for word, value in node.entries:
        try:
            values[word.value] = _reader(readers, families, word, within)(value, f"“{word.value}”{within}")
        except Wrong as error:
            faults += error.faults
        if len(faults) >= ENOUGH_FAULTS:
            break
    for key in required:
        if node.get(key) is None:
            faults += _missing(node, what, key).faults
    if faults:
        raise Wrong(faults)
    return values


def each(nodes: Sequence[Node], read: Reader[T], what: str) -> tuple[T, ...]:
    """All of a list's values; every fault in it at once."""
    values: list[T] = []
    faults: list[Fault] = []
    for node in nodes:
        try:
            values.append(read(node, what))
        except Wrong as error:
            faults += error.faults
        if len(faults) >= ENOUGH_FAULTS:
            break
    if faults:
        raise Wrong(faults)
    return tuple(values)


def some(read: Reader[T]) -> Reader[tuple[T, ...]]:
    """One value, or a list of values with at least one in it."""

    def reader(node: Node, what: str) -> tuple[T, ...]:
        if not isinstance(node, Items):
            return (read(node, what),)
        if not node.nodes:
            raise wrong(node, f"{what} is an empty list", "Write something between the brackets, or remove the line.")
        return each(node.nodes, read, what)

    return reader


def any_number(read: Reader[T]) -> Reader[tuple[T, ...]]:
    """One value, or a list of values that may be empty."""
    at_least_one = some(read)

    def reader(node: Node, what: str) -> tuple[T, ...]:
        return () if isinstance(node, Items) and not node.nodes else at_least_one(node, what)

    return reader


def a_list(node: Node, what: str) -> Sequence[Node]:
    if isinstance(node, Items):
        return node.nodes
    if isinstance(node, Scalar) and node.nothing:
        raise _empty(node, what)
    raise wrong(node, f"{what} must be a list", "Begin each entry with “- ” on a line of its own.")


def text(node: Node, what: str) -> str:
    """What is written, as it is written: `no`, `2024` and `12:30` are texts here."""
    if isinstance(node, Block) and node.braces:
        raise wrong(node, f"{what} is a text with braces, which must be quoted", 'Quote it: "{feed}: {title}"')
    if not isinstance(node, Scalar):
        found = "a list" if isinstance(node, Items) else "a block of keys"
        raise wrong(node, f"{what} must be a text, not {found}", "Write it in one line behind the colon, in quotes.")
    value = node.value.strip()
    if node.nothing or not value:
        raise _empty(node, what)
    if len(value) > LONGEST_TEXT:
        raise wrong(node, f"{what} is longer than {LONGEST_TEXT} characters", "Shorten it.")
    return value


def one_of(known: Collection[str], noun: str, *, rank: int = 0) -> Reader[str]:
    """A text that must be one of `known`. `noun` says what those are: “feed”."""

    def reader(node: Node, what: str) -> str:
        value = text(node, what)
        if value not in known:
            raise wrong(node, f"{what}: there is no {noun} “{value}”", suggestion(value, known), rank=rank)
        return value

    return reader


def truth(node: Node, what: str) -> bool:
    value = text(node, what)
    if value.lower() != "true":
        raise wrong(node, f"{what} can only be true, not “{value}”", "Write “true”, or remove the line.")
    return True


def yes_or_no(node: Node, what: str) -> bool:
    value = text(node, what).lower()
    if value not in ("true", "false"):
        raise wrong(node, f"{what} can be true or false, not “{value}”", "Write “true” or “false”.")
    return value == "true"


def suggestion(word: str, known: Collection[str]) -> str:
    """What was meant by a word that is not known."""
    listed = f"Known here: {', '.join(sorted(known)[:30])}." if known else "None is known here yet."
    meant = {word: word for word in known} | {word: key for word, key in _MEANT.items() if key in known}
    close = get_close_matches(word[:60].lower(), meant if len(meant) < MOST_COMPARED else (), 1)
    return f"Did you mean “{meant[close[0]]}”? {listed}" if close else listed


def _reader(readers: Mapping[str, Reader[Any]], families: Families, key: Scalar, within: str) -> Reader[Any]:
    if reader := readers.get(key.value):
        return reader
    for beginning, make in families.items():
        if rest := key.value.removeprefix(beginning).strip() if key.value.startswith(beginning) else "":
            return make(rest)
    word, colon, value = key.value.partition(":")
    if colon and word in readers:
        raise wrong(key, f"“{key.value}”{within} is one word", f"Write a blank behind the colon: “{word}: {value}”.")
    raise wrong(
        key,
        f"unknown key “{key.value}”{within}",
        suggestion(key.value, [*readers, *(f"{beginning}NAME" for beginning in families)]),
    )


def _missing(node: Node, what: str, key: str) -> Wrong:
    return wrong(node, f"{what} has no “{key}”", f"Add a line “{key}: …” in the column of this one.")


def _no_block(node: Node, what: str) -> Wrong:
    if isinstance(node, Scalar) and node.nothing:
        return _empty(node, what)
    found = "a list" if isinstance(node, Items) else "a text"
    meant = "Write “key: value” in lines of their own below it, or in braces: {key: value}."
    return wrong(node, f"{what} must be a block of keys, not {found}", meant)


def _empty(node: Node, what: str) -> Wrong:
    return wrong(
        node,
        f"{what} is empty",
        "Write its value, indented if it is on lines below, or remove the line. (“#” begins a comment: quote “#tag”.)",
    )
