"""What of a document is new: how entries are known again, in which order they come, and what a first poll takes. Pure.

An entry is known when any of its keys is: its raw id, its address, or, lacking both, its words. So a change of ids
or a move from http to https floods nobody. Dates order entries; whether one is new they never decide.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bridge.errors import InvalidArrival
from bridge.link import canonical
from bridge.rules import Start
from bridge.sources.feeds.entry import Entry

EVERYTHING = Start(kind="all")

_LONGEST_ID = 1000
_RECENT = 20


@dataclass(frozen=True, slots=True)
class News:
    """`fresh`: entries to take, oldest first, each with its keys. `seen`: further keys to remember with them.

    `renamed`: how many entries are known by their address and came under an id that is not.
    """

    fresh: tuple[tuple[Entry, tuple[str, ...]], ...]
    seen: tuple[str, ...]
    renamed: int = 0


NOTHING = News((), ())


def questions(entries: Iterable[Entry]) -> list[str]:
    """The keys `news` must know about."""
    return list(dict.fromkeys(key for entry in entries for key in _all_keys(entry)))


def news(entries: Sequence[Entry], known: AbstractSet[str], start: Start = EVERYTHING) -> News:
    """`known`: those of `questions(entries)` that are remembered. `start`: what is taken of the unknown ones."""
    marks = _marks_of_shared_ids(entries)
    shared = known | marks
    remembered = set(known)
    unknown: list[tuple[Entry, tuple[str, ...]]] = []
    seen = sorted(marks - known)
    renamed = 0
    for entry in _oldest_first(entries):
        keys = _keys(entry, shared)
        if remembered.isdisjoint(keys):
            unknown.append((entry, keys))
        else:
            learned = [key for key in keys if key not in remembered]
            renamed += any(key.startswith("i:") for key in learned)
            seen += learned
        remembered.update(keys)
    fresh = _taken(unknown, start)
    taken = {keys for _, keys in fresh}
    seen += [key for _, keys in unknown if keys not in taken for key in keys]
    return News(tuple(fresh), tuple(seen), renamed)


def rhythm(entries: Iterable[Entry], now: float) -> tuple[float, float]:
    """When the newest entry was published and how many seconds usually lie between two, as far as dates tell."""
    dates = sorted({entry.published for entry in entries if 0 < entry.published <= now}, reverse=True)[:_RECENT]
    if not dates:
        return 0.0, 0.0
    return dates[0], (dates[0] - dates[-1]) / (len(dates) - 1) if len(dates) > 2 else 0.0


def _taken(unknown: list[tuple[Entry, tuple[str, ...]]], start: Start) -> Sequence[tuple[Entry, tuple[str, ...]]]:
    match start.kind:
        case "all":
            return unknown
        case "last":
            return unknown[max(0, len(unknown) - start.count) :]
        case "since":
            # Without a date nothing says that it is so young.
            return [found for found in unknown if found[0].published >= max(start.since, 1.0)]
        case _:
            return []


def _keys(entry: Entry, shared: AbstractSet[str]) -> tuple[str, ...]:
    identifier, address, words, mark = _all_keys(entry)
    keys = (address, "" if mark in shared else identifier)
    return tuple(filter(None, keys)) or (words,)


def _all_keys(entry: Entry) -> tuple[str, str, str, str]:
    """By id, by address, by words; and the mark that says: this id stands on several entries, it identifies none."""
    identifier = entry.id if len(entry.id) <= _LONGEST_ID else _fingerprint(entry.id)
    return (
        f"i:{identifier}" if identifier else "",
        _address_key(entry.link),
        f"h:{_fingerprint(entry.title, entry.summary)}",
        f"s:{identifier}",
    )


def _address_key(link: str) -> str:
    try:
        return f"l:{canonical(link)}" if link else ""
    except InvalidArrival:
        return ""


def _marks_of_shared_ids(entries: Iterable[Entry]) -> set[str]:
    named: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        _, address, words, mark = _all_keys(entry)
        named[mark].add(address or words)
    return {mark for mark, entries_named in named.items() if mark != "s:" and len(entries_named) > 1}


def _oldest_first(entries: Sequence[Entry]) -> list[Entry]:
    backwards = list(reversed(entries))  # most publishers put the newest first
    if all(entry.published for entry in entries):
        backwards.sort(key=lambda entry: entry.published)
    return backwards


def _fingerprint(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "replace")).hexdigest()
