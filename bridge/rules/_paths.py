"""Paths into plain data, as a mapping names them: `data.entry.link`, `items[].url`, `"a.b"[0]`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

LONGEST = 32
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
        if not found or len(steps) == LONGEST or (not position and path.startswith(".")):
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


def walk(value: Any, steps: Sequence[Step], at: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """What stands where the steps lead, each with the positions taken in lists on the way.

    A key that meets a list goes on in each of its entries.

    >>> list(walk({"items": [{"url": "a"}, {"url": "b"}]}, ("items", None, "url")))
    [((0,), 'a'), ((1,), 'b')]
    """
    if not steps:
        yield at, value
        return
    first, rest = steps[0], steps[1:]
    match first, value:
        case str(), Mapping() if first in value:
            yield from walk(value[first], rest, at)
        case int(), list() if first < len(value):
            yield from walk(value[first], rest, at)
        case (str() | None), list():
            rest = steps if first else rest
            for number, item in enumerate(value):
                if not (first and isinstance(item, list)):
                    yield from walk(item, rest, (*at, number))


def _spelled(step: Step) -> str:
    match step:
        case None:
            return "[]"
        case int():
            return f"[{step}]"
        case _:
            return f".{step}" if _BARE.fullmatch(step) else f'."{step}"'
