"""Web addresses in free text: where each begins, and where a reader would say it ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

_INVISIBLE = "\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_QUOTES = '"`“”„«»\\\\'
_CJK_PUNCTUATION = "\u3000-\u3004\u3008-\u301f\uff01\uff08\uff09\uff0c\uff0e\uff1a-\uff1f\uff3b\uff3d\uff5b-\uff65"

_START = re.compile(r"https?://(?=[\w\[]|[^\x00-\x7f])", re.IGNORECASE)
_RUN = re.compile(
    rf"https?://[^\s<>\x00-\x1f\x7f{_QUOTES}{_INVISIBLE}{_CJK_PUNCTUATION}]+",
    re.IGNORECASE,
)
_BRACKET = re.compile(r"[()\[\]{}]")
_OPENING = {")": "(", "]": "[", "}": "{"}
_TRAILING = ".,:;!?'*…’‘([{"


def web_addresses(text: str) -> list[str]:
    """The http(s) addresses in `text`, each once, in the order they come. Takes time linear in its length.

    Sentence punctuation after an address is not part of it, nor is a bracket that was opened before it.

    >>> web_addresses("See (https://example.com/a_(b)), or https://example.com/?q=1. Bye")
    ['https://example.com/a_(b)', 'https://example.com/?q=1']
    >>> web_addresses("[title](https://example.com/a)and <https://example.com/b>")
    ['https://example.com/a', 'https://example.com/b']
    >>> web_addresses("看https://example.com/a。好")
    ['https://example.com/a']
    """
    found = (url for run in _RUN.finditer(text) for url in _in_run(run.group()))
    return list(dict.fromkeys(found))


def _in_run(run: str) -> Iterator[str]:
    position = 0
    while start := _START.search(run, position):
        end = _balanced_end(run, start.end())
        url = run[start.start() : end].rstrip(_TRAILING)
        if _START.match(url):
            yield url
        position = end


def _balanced_end(run: str, start: int) -> int:
    opened = dict.fromkeys("([{", 0)
    for bracket in _BRACKET.finditer(run, start):
        match _OPENING.get(bracket.group()):
            case None:
                opened[bracket.group()] += 1
            case opening if opened[opening]:
                opened[opening] -= 1
            case _:
                return bracket.start()
    return len(run)
