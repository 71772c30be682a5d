"""Paths into plain data, as a mapping names them: `data.entry.link`, `items[].url`, `"a.b"[0]`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

LONGEST_PATH = 32
"""Steps in a path."""

Step = str | int | None
"""A key, a position, or every entry of a list."""

_STEP = re.compile(r'\.?(?:"([^"]+)"|([^\s."\[\]]+))|\[([0-9]{0,5})\]')
_BARE = re.compile(r'[^\s."\[\]]+')


@lru_cache(maxsize=1024)
def steps_of(path: str) -> tuple[Step, ...]:
    """Raises ValueError when it is no path.

    >>> steps_of('items[].links[0]."href.x"')
    ('items', None, 'links', 0, 'href.x')
    """
    steps: list[Step] = []
    position = 0
    while position < len(path):
        found = _STEP.match(path, position)
        if not found or len(steps) == LONGEST_PATH or (not position and path.startswith(".")):
            raise ValueError(path)
        quoted, bare, index = found.groups()
        steps.append(quoted or bare or (int(index) if index else None))
        position = found.end()
    if not steps:
        raise ValueError(path)
    return tuple(steps)


def path_of(steps: Sequence[Step]) -> str:
    """The path with these steps.

    >>> path_of(["data", None, "a.b"])
    'data[]."a.b"'
    """
    return "".join(_spelled(step) for step in steps).removeprefix(".")


def walk(
    value: Any, steps: Sequence[Step], *, within: tuple[int, ...] = (), at: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], Any]]:
    """What stands where the steps lead, each with the positions taken in lists on the way.

    A key that meets a list goes on in each of its entries. `within` names the first of those positions: only what
    stands beside something that was found there.

    >>> value = {"items": [{"url": "a", "tags": ["x"]}, {"url": "b", "tags": ["y", "z"]}]}
    >>> list(walk(value, ("items", None, "url")))
    [((0,), 'a'), ((1,), 'b')]
    >>> [found for _, found in walk(value, ("items", None, "tags", None), within=(1,))]
    ['y', 'z']
    """
    if not steps:
        yield at, value
        return
    first, rest = steps[0], steps[1:]
    match first, value:
        case str(), Mapping() if first in value:
            yield from walk(value[first], rest, within=within, at=at)
        case int(), list() if first < len(value):
            yield from walk(value[first], rest, within=within, at=at)
        case None, list():
            for number in _entries(value, within[len(at) :]):
                yield from walk(value[number], rest, within=within, at=(*at, number))
        case str(), list() if not any(isinstance(item, list) for item in value):
            yield from walk(value, (None, *steps), within=within, at=at)


def _entries(items: Sequence[Any], within: tuple[int, ...]) -> Iterable[int]:
    everywhere = range(len(items))
    return (number for number in within[:1] if number in everywhere) if within else everywhere


def _spelled(step: Step) -> str:
    match step:
        case None:
            return "[]"
        case int():
            return f"[{step}]"
        case _:
            return f".{step}" if _BARE.fullmatch(step) else f'."{step}"'
