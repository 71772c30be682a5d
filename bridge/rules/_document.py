"""The text of a rule file as nodes that know their place. The YAML of plain data: no anchors, aliases or tags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from bridge.rules._faults import Place, Spot, Wrong, spot_in, wrong
from bridge.rules._syntax import syntax_fault

MOST_BYTES = 1024 * 1024
DEEPEST = 32

# yaml's stubs know less of its events than there is.
_Event = Any

# The C parser is about ten times as fast; a PyYAML built without libyaml lacks it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# A leading zero is part of an id, not of a number; 300 digits are no number anybody means.
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,299})")
_FRACTION = re.compile(r"[-+]?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?")


@dataclass(slots=True)
class Scalar:
    line: int
    column: int
    value: str
    plain: bool

    @property
    def nothing(self) -> bool:
        return self.plain and self.value in _NOTHING


@dataclass(slots=True)
class Items:
    line: int
    column: int
    nodes: list[Node]


@dataclass(slots=True)
class Block:
    line: int
    column: int
    entries: list[tuple[Scalar, Node]]
    braces: bool

    def get(self, key: str) -> Node | None:
        return next((value for known, value in self.entries if known.value == key), None)


Node = Scalar | Items | Block


def readable(text: str | bytes) -> str:
    """The text of a file, without a byte order mark; raises Wrong when it is too large or no text."""
    if len(text) > MOST_BYTES:
        raise _too_large(len(text))
    if isinstance(text, bytes):
        text = _decoded(text)
    text = text.removeprefix("\ufeff")
    if found := _UNREADABLE.search(text):
        place = spot_in(text, found.start())
        code = f"U+{ord(found.group()):04X}"
        raise wrong(place, f"the character {code} cannot stand in a rule file", "Delete it, or retype the line.")
    if (size := len(text.encode())) > MOST_BYTES:
        raise _too_large(size)
    return text


def parse(text: str) -> Node | None:
    """The one document in a readable text, None when there is nothing in it; raises Wrong."""
    events = yaml.parse(text, Loader=_Loader)
    try:
        return _document(events)
    except yaml.MarkedYAMLError as error:
        raise syntax_fault(error, text) from None


def place_of(root: Node | None, path: Sequence[str | int]) -> Place:
    """Where `path` leads: the key of a block, the item of a list; the deepest place there is."""
    place: Place = root or Spot()
    node = root
    for step in path:
        match node:
            case Block():
                found = next(((key, value) for key, value in node.entries if key.value == step), None)
                if found is None:
                    return place
                place, node = found
            case Items() if isinstance(step, int) and step < len(node.nodes):
                place = node = node.nodes[step]
            case _:
                return place
    return place


def plain(node: Node) -> object:
    """The node as plain Python data, by the core types of YAML 1.2 (so `no`, `on` and dates are texts)."""
    match node:
        case Block():
            return {key.value: plain(value) for key, value in node.entries}
        case Items():
            return [plain(each) for each in node.nodes]
        case Scalar(plain=False):
            return node.value
        case Scalar():
            return _typed(node.value)


def _typed(value: str) -> object:
    if value in _NOTHING:
        return None
    if value in _TRUTH:
        return _TRUTH[value]
    if _WHOLE.fullmatch(value):
        return int(value)
    return float(value) if _FRACTION.fullmatch(value) else value


def _document(events: Iterator[_Event]) -> Node | None:
    next(events)
    first = next(events)
    if isinstance(first, yaml.StreamEndEvent):
        return None
    root = _node(next(events), events, 1)
    next(events)
    rest = next(events)
    if not isinstance(rest, yaml.StreamEndEvent):
        raise wrong(_at(rest), "a second document begins here", "Delete the line “---”: a rule file is one document.")
    return None if isinstance(root, Scalar) and root.nothing else root


def _node(event: _Event, events: Iterator[_Event], depth: int) -> Node:
    _refuse_machinery(event)
    mark = event.start_mark
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    if depth > DEEPEST:
        raise wrong(_at(event), f"this is nested more than {DEEPEST} deep", "Rules need five levels: close a bracket.")
    if isinstance(event, yaml.SequenceStartEvent):
        nodes: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            nodes.append(_node(event, events, depth + 1))
        return Items(mark.line, mark.column, nodes)
    return Block(mark.line, mark.column, _entries(events, depth + 1), bool(event.flow_style))


def _entries(events: Iterator[_Event], depth: int) -> list[tuple[Scalar, Node]]:
    lines: dict[str, int] = {}
    entries: list[tuple[Scalar, Node]] = []
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        key = _node(event, events, depth)
        if not isinstance(key, Scalar):
            raise wrong(key, "a key must be a word", "A text with braces or brackets needs quotes.")
        if key.value in lines:
            raise wrong(key, f"“{key.value}” is written twice", _merge_with(lines[key.value]))
        lines[key.value] = key.line
        entries.append((key, _node(next(events), events, depth)))
    return entries


def _merge_with(line: int) -> str:
    return f"It stands in line {line + 1} already, and only one of them could count: make them one."


def _scalar(event: _Event) -> Scalar:
    if event.style == '"' and _CONTROL.search(event.value):
        raise wrong(_at(event), "this text holds a control character", "Take the \\ escape out.")
    mark = event.start_mark
    return Scalar(mark.line, mark.column, event.value, not event.style)


def _refuse_machinery(event: _Event) -> None:
    if isinstance(event, yaml.AliasEvent):
        raise wrong(_at(event), f"*{event.anchor} is a YAML alias, which rule files do not have", 'Quote it: "*…".')
    if event.anchor is not None:
        raise wrong(_at(event), f"&{event.anchor} is a YAML anchor, which rule files do not have", 'Quote it: "&…".')
    if event.tag is not None:
        raise wrong(_at(event), "this is a YAML type tag, which rule files do not have", 'Quote it: "!…".')


def _at(event: _Event) -> Spot:
    return Spot(event.start_mark.line, event.start_mark.column)


def _decoded(text: bytes) -> str:
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise wrong(Spot(), "the file is saved as UTF-16", "Save it again with the encoding UTF-8.")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        before = text[: error.start].decode("utf-8")
        place = spot_in(before, len(before))
        raise wrong(place, "this is not UTF-8", "Save the file again with the encoding UTF-8.") from None


def _too_large(size: int) -> Wrong:
    return wrong(
        Spot(),
        f"the file is {size / 2**20:.1f} MiB large; {MOST_BYTES // 2**20} MiB is the most",
        "Put many domains or words into the list of one rule instead of one rule each.",
    )
