"""Readers of what several sections have: names, tags, addresses, references to each other."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from bridge.errors import InvalidArrival
from bridge.link import tidy, tidy_tags, web_address
from bridge.rules._document import Block, Node, Scalar, plain
from bridge.rules._faults import Fault, Wrong, wrong
from bridge.rules._values import Reader, one_of, some, text

SOURCES = ("telegram", "feed", "hook", "pocket", "file", "save", "cli")

LONGEST_NAME = 100

_HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class Names:
    """What can be referred to. Taken before anything is checked: a fault in a rule does not hide its name."""

    feeds: Collection[str]
    destinations: Collection[str]
    rules: Collection[str]


def name(node: Node, what: str) -> str:
    name = tidy(text(node, what))
    if len(name) > LONGEST_NAME:
        raise wrong(node, f"{what} is longer than {LONGEST_NAME} characters", "Two or three words are enough.")
    return name


def tag(node: Node, what: str) -> str:
    written = text(node, what)
    tags = tidy_tags([written])
    if not tags or "," in written:
        raise wrong(node, f"{what} is no tag: “{written}”", "Several tags are a list: [one, two].")
    return tags[0]


tags = some(tag)


def address(node: Node, what: str) -> str:
    try:
        return web_address(text(node, what))
    except InvalidArrival as error:
        raise wrong(node, f"{what}: {error}", "Write a whole address, as in https://example.com/page.") from None


def header_name(node: Node, what: str) -> str:
    name = text(node, what)
    if not _HEADER.fullmatch(name):
        raise wrong(node, f"{what} is not the name of a header: “{name}”", "Write it like X-Signature.")
    return name.lower()


def secret(node: Node, what: str) -> Mapping[str, str]:
    match plain(node):
        case {"env": str(variable), **rest} if not rest:
            return {"env": variable}
        case {"file": str(file), **rest} if not rest:
            return {"file": file}
    raise wrong(
        node, f"{what} says where the secret is, not what it is", "Write {env: NAME} or {file: PATH} in its place."
    )


def feed_named(names: Names) -> Reader[str]:
    """The name of a feed. One that stands nowhere in the file may have been added by hand, unless it looks like a
    slip of the pen."""
    known = one_of(names.feeds, "feed", rank=1)

    def reader(node: Node, what: str) -> str:
        value = text(node, what)
        near = value in names.feeds or get_close_matches(value, names.feeds, 1, 0.8)
        return known(node, what) if near else value

    return reader


def targets(names: Names) -> Reader[tuple[str, ...]]:
    return some(one_of(names.destinations, "destination", rank=1))


def called(noun: str, node: Node) -> str:
    name = entry_of(node, "name")
    return f"{noun} “{tidy(name.value)}”" if isinstance(name, Scalar) and name.value else f"a {noun}"


def entry_of(node: Node, key: str) -> Node | None:
    return node.get(key) if isinstance(node, Block) else None


def keys_of(node: Node | None) -> list[str]:
    return [key.value for key, _ in node.entries] if isinstance(node, Block) else []


def unique(nodes: Sequence[Node], values: Sequence[str], key: str, message: str) -> None:
    """Raises for every value that stands in the list a second time, at its `key`."""
    seen: set[str] = set()
    faults: list[Fault] = []
    for node, value in zip(nodes, values, strict=True):
        if value in seen:
            faults += wrong(entry_of(node, key) or node, message.format(value), "Each may stand here once.").faults
        seen.add(value)
    if faults:
        raise Wrong(faults)
