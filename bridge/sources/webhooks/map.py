"""Where in a request the link and its facts stand: followed when it is known, proposed when it is not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bridge.link import tidy
from bridge.rules import LONGEST_PATH, path_of, steps_of, walk
from bridge.sources.webhooks.finder import DEEPEST, Found, carried, find, tag_names

FACTS = ("url", "title", "tags", "note")

Where = Mapping[str, Sequence[str]]
"""A fact -> paths to it, the first that leads to something counts."""

MOST_LEAVES = 20_000
_NOTHING: tuple[Any, ...] = ("", None, [], {})


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A value and the positions in lists that led to it."""

    at: tuple[int, ...]
    value: Any


def mapped(value: Any, where: Where) -> list[Found]:
    """The links at the paths of `url`, each with the facts that stand beside it in the same entries of lists.

    Without a path for `url` the finder looks for links; the other paths add to them.

    >>> value = {"items": [{"l": "https://a.example/", "t": "A"}, {"l": "https://b.example/", "t": "B"}]}
    >>> [(link.url, link.title) for link in mapped(value, {"url": ["items[].l"], "title": ["items[].t"]})]
    [('https://a.example/', 'A'), ('https://b.example/', 'B')]
    """
    if not where.get("url"):
        return [_with_facts(link, value, where, ()) for link in find(value)]
    leaves = _by_entry(value, where["url"])
    return [_with_facts(link, value, where, leaf.at) for leaf in leaves for link in carried(leaf.value)]


def dead_ends(value: Any, where: Where) -> str:
    """In words: where the path of `url` ends, and what is there instead."""
    for path in where.get("url", ()):
        steps = steps_of(path)
        for length in range(len(steps) - 1, -1, -1):
            found = next(walk(value, steps[:length]), None)
            if found is not None:
                there = path_of(steps[:length]) or "the request"
                return f"“{path}” leads nowhere: {there} holds {_contents(found[1])}"
    return ""


def proposal(value: Any, found: Sequence[Found]) -> dict[str, str]:
    """Paths that lead to what was found: fact -> path. Empty when it does not stand anywhere by itself."""
    if not found:
        return {}
    first = found[0]
    wanted = {"url": first.url, "title": first.title, "note": first.note}
    proposed: dict[str, str] = {}
    reachable = ((steps, leaf) for steps, leaf in leaves_of(value) if 0 < len(steps) <= LONGEST_PATH)
    for steps, leaf in reachable:
        if any(tidy(step) != step for step in steps if step):
            continue  # a key nobody could copy from a terminal
        for fact, text in wanted.items():
            if text and fact not in proposed and isinstance(leaf, str) and _says(leaf, text, fact):
                proposed[fact] = path_of(steps)
        if first.tags and "tags" not in proposed and tuple(tag_names(leaf)) == first.tags:
            proposed["tags"] = path_of(steps)
    return {fact: proposed[fact] for fact in FACTS if fact in proposed}


def leaves_of(value: Any) -> Iterator[tuple[tuple[str | None, ...], Any]]:
    """Every value inside, lists and objects too, with the steps to it; entries of lists share theirs."""
    waiting: list[tuple[tuple[str | None, ...], Any]] = [((), value)]
    for _ in range(MOST_LEAVES):
        if not waiting:
            return
        steps, here = waiting.pop()
        yield steps, here
        if len(steps) >= DEEPEST:
            continue
        match here:
            case Mapping():
                inner = [((*steps, key), item) for key, item in here.items() if key and '"' not in key]
            case list():
                inner = [((*steps, None), item) for item in here]
            case _:
                inner = []
        waiting += reversed(inner)


def _with_facts(link: Found, value: Any, where: Where, at: tuple[int, ...]) -> Found:
    title, note = (_text(value, where.get(fact, ()), at) for fact in ("title", "note"))
    tags = tuple(tag for leaf in _beside(value, where.get("tags", ()), at) for tag in _tags(leaf))
    return replace(link, title=title or link.title, note=note or link.note, tags=tags or link.tags)


def _by_entry(value: Any, paths: Sequence[str]) -> list[_Leaf]:
    """Of each entry what the first path has that has something there, in order."""
    found: dict[tuple[int, ...], _Leaf] = {}
    above: set[tuple[int, ...]] = set()
    for path in paths:
        leaves = [_Leaf(at, leaf) for at, leaf in walk(value, steps_of(path)) if leaf not in _NOTHING]
        new = [leaf for leaf in leaves if leaf.at not in above and not _above(leaf.at) & found.keys()]
        found |= {leaf.at: leaf for leaf in new}
        above |= {upper for leaf in new for upper in _above(leaf.at)}
    return sorted(found.values(), key=lambda leaf: leaf.at)


def _above(at: tuple[int, ...]) -> set[tuple[int, ...]]:
    """The place itself and all that contain it."""
    return {at[:length] for length in range(len(at) + 1)}


def _beside(value: Any, paths: Sequence[str], at: tuple[int, ...]) -> list[Any]:
    for path in paths:
        if leaves := [leaf for _, leaf in walk(value, steps_of(path), within=at) if leaf not in _NOTHING]:
            return leaves
    return []


def _text(value: Any, paths: Sequence[str], at: tuple[int, ...]) -> str:
    return next((leaf.strip() for leaf in _beside(value, paths, at) if isinstance(leaf, str)), "")


def _tags(leaf: Any) -> Iterable[str]:
    return leaf if isinstance(leaf, Mapping) else tag_names(leaf)


def _says(leaf: str, text: str, fact: str) -> bool:
    return text in leaf if fact == "url" else leaf.strip() == text


def _contents(value: Any) -> str:
    match value:
        case Mapping():
            return ", ".join(tidy(str(key))[:40] for key in list(value)[:10]) or "nothing"
        case list():
            return f"a list of {len(value)}"
        case _:
            return "a text" if value else "nothing"
