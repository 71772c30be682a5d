"""OPML: the lists of feeds that readers exchange. Folders and categories are tags. Pure.

Read by a parser that forgives: most of these files are not quite XML.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

from bridge.link import tidy, tidy_tags

MOST_OUTLINES = 20_000

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0" xmlns:bridge="urn:pocket-bridge:feeds">'
_OWN = "bridge:"
_SPACES = str.maketrans(dict.fromkeys(map(chr, (*range(9), 11, 12, *range(14, 32))), " "))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One feed of a list. `own` are wishes that only our own lists hold, as a person writes them; `line` from 1."""

    url: str
    name: str = ""
    tags: tuple[str, ...] = ()
    own: Mapping[str, str]
    line: int = 0


def outlines(text: str) -> Sequence[Outline]:
    """Every outline with the address of a feed, in their order; the folders it stands in come before its categories."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.found[:MOST_OUTLINES]


def opml(feeds: Iterable[Outline], title: str) -> str:
    """A list that readers take: each feed in the folder of its first tag, all its tags as categories."""
    folders: dict[str, list[Outline]] = {}
    for feed in feeds:
        folders.setdefault(feed.tags[0] if feed.tags else "", []).append(feed)
    lines = [_HEAD, f"  <head><title>{_quoted(title)[1:-1]}</title></head>", "  <body>"]
    for folder, inside in folders.items():
        if folder:
            lines += [f"    <outline text={_quoted(folder)} title={_quoted(folder)}>"]
        lines += [f"    {'  ' if folder else ''}{_outline(feed)}" for feed in inside]
        lines += ["    </outline>"] * bool(folder)
    return "\n".join([*lines, "  </body>", "</opml>", ""])


def _outline(feed: Outline) -> str:
    said = {"type": "rss", "text": feed.name, "title": feed.name, "xmlUrl": feed.url}
    if feed.tags:
        said["category"] = ",".join(feed.tags)
    said |= {_OWN + key: value for key, value in feed.own.items()}
    return f"<outline {' '.join(f'{name}={_quoted(value)}' for name, value in said.items())}/>"


def _quoted(text: str) -> str:
    escaped = html.escape(text.translate(_SPACES)).replace("\n", " ")
    return f'"{escaped}"'


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Outline] = []
        self._folders: list[str] = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._keep(tag, attrs)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "outline":
            # A feed may have outlines below it, too; they are not in a folder of its name.
            self._folders.append("" if self._keep(tag, attrs) else _name(_said(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag == "outline" and self._folders:
            self._folders.pop()

    def _keep(self, tag: str, attrs: list[tuple[str, str | None]]) -> bool:
        said = _said(attrs)
        is_feed = said.get("type", "").lower() in ("rss", "atom", "feed")
        url = said.get("xmlurl") or (said.get("url", "") if is_feed else "")
        if tag != "outline" or not url.strip():
            return False
        own = {name.removeprefix(_OWN): value for name, value in said.items() if name.startswith(_OWN)}
        tags = tidy_tags((*filter(None, self._folders), *_categories(said.get("category", ""))))
        line = self.getpos()[0]
        self.found.append(Outline(url=url.strip(), name=_name(said), tags=tags, own=own, line=line))
        return True


def _said(attrs: list[tuple[str, str | None]]) -> dict[str, str]:
    return {name.lower(): value for name, value in attrs if value is not None}


def _name(said: Mapping[str, str]) -> str:
    return tidy(said.get("text") or said.get("title", ""))


def _categories(written: str) -> Iterator[str]:
    """`/Boston/Weather,work` are three words."""
    for category in written.split(","):
        yield from category.strip().strip("/").split("/") if category.strip().startswith("/") else (category,)
