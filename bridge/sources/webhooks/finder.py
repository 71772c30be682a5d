"""The links in data of unknown shape, each with the title, tags and note that stand beside it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from bridge.link import LONGEST_TEXT, MOST_TAGS
from bridge.scan import web_addresses
from bridge.sources.webhooks.body import json_value

DEEPEST = 64
"""Levels of lists and objects that are looked into."""

# Keys are compared folded: `html_url`, `htmlUrl` and `html-url` are one. Where `html_url` stands, `url` is an API's.
_URL = ("url", "urls", "links")
_ADDRESS = (
    "htmlurl weburl html url link href uri canonical canonicalurl value1 sourceurl externalurl permalink "
    "originalurl pageurl articleurl alternate urls links"
).split()
_NESTED = (
    "data body payload entry item items entries bookmark bookmarks "
    "objectattributes object release issue pullrequest article post status"
).split()
_RANKS = {key: rank for rank, key in enumerate((*_ADDRESS, *_NESTED))}

_TITLE = "title fullname name subject value2 tagname".split()
_TAGS = "tags tag labels categories value3".split()
_NOTE = "note notes excerpt description comment selection summary".split()
_TEXT = "text message content strippedtext".split()
_TEXT_RANKS = {key: rank for rank, key in enumerate(_TEXT)} | dict.fromkeys(_TITLE, len(_TEXT) + 1)
_TAG_NAMES = ("name", "label", "title", "term")

# An address under such a word is a picture, a machine's door or a place to answer; nobody meant to save it.
_NOT_MEANT = frozenset(
    "avatar gravatar icon favicon image img picture photo logo thumb thumbnail hook webhook api callback response "
    "endpoint schema dataschema unsubscribe attachment enclosure asset".split()
)
# What stands under these tells who or where, not what.
_BYSTANDERS = frozenset(
    "author user sender owner actor account assignee reviewer creator organization feed from".split()
)

_LONGEST_KNOWN = 32
_NO_LETTER = re.compile(r"[\W_]")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
_WEB = re.compile(r"https?://", re.IGNORECASE)
_NOTHING_BUT_AN_ADDRESS = re.compile(r"\s*https?://\S+\s*\Z", re.IGNORECASE)
_COMMA_BETWEEN_ADDRESSES = re.compile(r",(?=https?://)", re.IGNORECASE)
_BETWEEN_TAGS = re.compile(r"[,\n]|\s(?=#)")


@dataclass(frozen=True, slots=True)
class Found:
    """An address as it was given, not yet checked, and the words that came with it."""

    url: str
    title: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    text: str = ""


def find(value: Any) -> list[Found]:
    """The links `value` was made to carry; if there are none, those its texts mention.

    In an object the first place that gives links is the only one: a field for addresses (a `url` that is none counts
    too: it is what the sender meant), an object or list inside, any other field that is nothing but an address.
    Every entry of a list is taken.

    >>> find({"item": {"url": "https://example.com/a", "name": "A"}, "tags": "x, y"})
    [Found(url='https://example.com/a', title='A', tags=('x', 'y'), note='', text='')]
    >>> [found.url for found in find({"title": "T", "text": "read https://example.com/b"})]
    ['https://example.com/b']
    """
    return _carried(value, DEEPEST) or _mentioned(value, DEEPEST)


def carried(value: Any) -> list[Found]:
    """The links in a value that somebody says holds them: what is no address is found too, as it stands there."""
    return _claimed(value, DEEPEST)


def described(found: Sequence[Found], fields: Any) -> list[Found]:
    """`found` with what `fields` say where they say nothing themselves. Several share the tags and no more."""
    if not isinstance(fields, dict) or not fields:
        return list(found)
    by_key = {_folded(key): value for key, value in fields.items()}
    tags = _tags(by_key)
    if len(found) != 1:
        return [Found(link.url, link.title, link.tags or tags, link.note, link.text) for link in found]
    [link] = found
    title = _first(by_key, _TITLE)
    return [
        Found(
            link.url,
            title=link.title or ("" if _NOTHING_BUT_AN_ADDRESS.match(title) else title),
            tags=link.tags or tags,
            note=link.note or _first(by_key, _NOTE),
            text=link.text or _first(by_key, _TEXT),
        )
    ]


def _carried(value: Any, depth: int) -> list[Found]:
    match value:
        case str() if _NOTHING_BUT_AN_ADDRESS.match(value):
            return [Found(value.strip())]
        case list() if depth:
            return [found for item in value if _may_hold(item) for found in _carried(item, depth - 1)]
        case dict() if depth:
            return _carried_by_object(value, depth)
        case _:
            return []


def _carried_by_object(fields: Mapping[str, Any], depth: int) -> list[Found]:
    for key in sorted(fields, key=lambda key: _rank(key, fields[key])):
        if found := _carried_by_field(key, fields[key], depth - 1):
            return _described_here(found, key, fields)
    return []


def _rank(key: str, value: Any) -> int:
    return _RANKS.get(_folded(key), len(_RANKS) + (not isinstance(value, str)))


def _carried_by_field(key: str, value: Any, depth: int) -> list[Found]:
    folded = _folded(key)
    if folded in _URL:
        return _claimed(value, depth)
    if folded in _NESTED and isinstance(value, str):
        return _carried(json_value(value) or value, depth)
    if folded not in _RANKS and (_is_beside_the_point(key, value) or folded in (*_TITLE, *_TAGS, *_NOTE)):
        return []
    return _carried(value, depth)


def _claimed(value: Any, depth: int) -> list[Found]:
    match value:
        case str():
            return _claimed_text(value.strip())
        case list():
            return [
                found
                for item in value
                for found in (_claimed_text(item.strip()) if isinstance(item, str) else _carried(item, depth - 1))
            ]
        case _:
            return _carried(value, depth)


def _claimed_text(text: str) -> list[Found]:
    if text.count("://") == 1 and _WEB.match(text) and "\n" not in text:
        return [Found(text)]
    urls = web_addresses(_COMMA_BETWEEN_ADDRESSES.sub(" ", text))
    if not urls or (len(urls) == 1 and _WEB.match(text) and "\n" not in text):
        return [Found(text)] if text else []
    return [Found(url) for url in urls]


def _mentioned(value: Any, depth: int) -> list[Found]:
    match value:
        case str():
            return _mentioned_by_text(value)
        case list() if depth:
            return [found for item in value if _may_hold(item) for found in _mentioned(item, depth - 1)]
        case dict() if depth:
            return _mentioned_by_object(value, depth)
        case _:
            return []


def _mentioned_by_object(fields: Mapping[str, Any], depth: int) -> list[Found]:
    for key in sorted(fields, key=lambda key: _TEXT_RANKS.get(_folded(key), len(_TEXT))):
        if _is_beside_the_point(key, fields[key]):
            continue
        if found := _mentioned(fields[key], depth - 1):
            return _described_here(found, key, fields)
    return []


def _mentioned_by_text(text: str) -> list[Found]:
    found: list[Found] = []
    heading = ""
    if "://" not in text:
        return found
    for line in text.splitlines():
        urls = web_addresses(line)
        if not urls:
            heading = heading or line.strip()
            continue
        title = heading if line.strip() == urls[0] else ""
        found += [Found(url, title) for url in urls]
        heading = ""
    alone = len(found) == 1 and found[0].url != text.strip()
    return [replace(found[0], text=text[:LONGEST_TEXT])] if alone else found


def _described_here(found: Sequence[Found], key: str, fields: Mapping[str, Any]) -> list[Found]:
    if isinstance(fields[key], str) and _folded(key) not in _NESTED:
        return described(found, fields)
    # What contains a link is often an event: its name is not the link's.
    own = ("title", *_TAGS, *_NOTE)
    return described(found, {name: value for name, value in fields.items() if _folded(name) in own})


def _is_beside_the_point(key: str, value: Any) -> bool:
    words = {word.lower().removesuffix("s") for word in _WORD.findall(key)}
    is_prose = isinstance(value, str) and not _NOTHING_BUT_AN_ADDRESS.match(value)
    return bool(words & _NOT_MEANT) or (not is_prose and bool(words & _BYSTANDERS))


def _may_hold(item: Any) -> bool:
    return not isinstance(item, str) or "://" in item


def _first(by_key: Mapping[str, Any], keys: Iterable[str]) -> str:
    for key in keys:
        if key in by_key and isinstance(value := by_key[key], str) and (text := value.strip()):
            return text[:LONGEST_TEXT]
    return ""


def _tags(by_key: Mapping[str, Any]) -> tuple[str, ...]:
    for key in _TAGS:
        if key in by_key and (tags := tuple(tag_names(by_key[key]))):
            return tags[:MOST_TAGS]
    return ()


def tag_names(value: Any) -> Iterable[str]:
    """The tags in a text with commas or `#`, a list of texts or of objects with names."""
    if isinstance(value, str) and value.startswith("["):
        value = json_value(value) or value
    match value:
        case str():
            return (tag.strip() for tag in _BETWEEN_TAGS.split(value) if tag.strip())
        case list():
            names = [
                _first({_folded(key): name for key, name in tag.items()}, _TAG_NAMES) if isinstance(tag, dict) else tag
                for tag in value
            ]
            return [name.strip() for name in names if isinstance(name, str) and name.strip()]
        case _:
            return ()


def _folded(key: str) -> str:
    return _known_fold(key) if len(key) <= _LONGEST_KNOWN else _NO_LETTER.sub("", key).lower()


@lru_cache(maxsize=2048)
def _known_fold(key: str) -> str:
    return _NO_LETTER.sub("", key).lower()
