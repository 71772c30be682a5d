"""Links in markup, well-formed or not: bookmarks (Netscape's format), Pocket's `ril_export.html`, OPML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import TextIO

from bridge.errors import InvalidArrival
from bridge.link import LONGEST_TITLE
from bridge.reading_list import ARCHIVED, UNREAD
from bridge.record import Record, moment
from bridge.sources.files.fault import Fault

CHUNK = 64 * 1024
LONGEST_TAG = 1024 * 1024
"""Characters without an end of tag or text; beyond it this is no markup."""

_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())
_SECTIONS = frozenset(("dl", "ul", "ol"))
_ARCHIVES = frozenset(("read archive", "archive", "archived"))


def bookmarks(text: TextIO) -> Iterator[Record | Fault]:
    """Every `<a href>`, archived when it stands below a heading that says so. Folders do not become tags."""
    return _read(_Bookmarks(), text)


def outlines(text: TextIO) -> Iterator[Record | Fault]:
    """Every `<outline>` with an address, as a link: of a feed its site. Feeds are not followed by this."""
    return _read(_Outlines(), text)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Record | Fault] = []

    def take(self) -> list[Record | Fault]:
        taken, self.found = self.found, []
        return taken

    def keep(self, line: int, url: str, title: str, tags: str, added: str | None, *, archived: bool = False) -> None:
        time = moment(added)
        status, read = (ARCHIVED, time) if archived else (UNREAD, 0)
        title = "" if title.strip() == url.strip() else title
        try:
            found = Record.of(
                url, title=title, tags=tags.replace("|", ",").split(","), status=status, time_added=time, time_read=read
            )
        except InvalidArrival as error:
            self.found.append(Fault(line, str(error)))
            return
        self.found.append(found)


def _read(reader: _Reader, text: TextIO) -> Iterator[Record | Fault]:
    for chunk in iter(lambda: text.read(CHUNK), ""):
        reader.feed(chunk)
        yield from reader.take()
        if len(reader.rawdata) > LONGEST_TAG:
            yield Fault(reader.getpos()[0], "what follows is not markup: the rest is not read")
            return
    reader.close()
    yield from reader.take()


class _Outlines(_Reader):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = _said(attrs)
        url = said.get("htmlurl") or said.get("url") or said.get("xmlurl")
        if tag == "outline" and url:
            title = said.get("title") or said.get("text", "")
            self.keep(self.getpos()[0], url, title, said.get("category", ""), said.get("created"))


class _Bookmarks(_Reader):
    def __init__(self) -> None:
        super().__init__()
        self._sections: list[str] = []
        self._heading = ""
        self._link: tuple[int, Mapping[str, str]] | None = None
        self._words: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" or tag in _HEADINGS:
            self._finish()
            self._words = []
        if tag == "a":
            self._link = self.getpos()[0], _said(attrs)
        elif tag in _SECTIONS:
            self._sections.append(self._heading)
            self._heading = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._finish()
        elif tag in _HEADINGS and self._words is not None:
            self._heading, self._words = self._text(), None
        elif tag in _SECTIONS and self._sections:
            self._sections.pop()

    def handle_data(self, data: str) -> None:
        if self._words is not None and len(self._words) < LONGEST_TITLE:
            self._words.append(data[: 4 * LONGEST_TITLE])

    def close(self) -> None:
        super().close()
        self._finish()

    def _text(self) -> str:
        return "".join(self._words or ()).strip()

    def _finish(self) -> None:
        """The link that is open ends here, closed or not."""
        if self._link is not None:
            line, said = self._link
            added = said.get("add_date") or said.get("time_added")
            archived = any(name.lower() in _ARCHIVES for name in self._sections)
            if "href" in said:
                self.keep(line, said["href"], self._text(), said.get("tags", ""), added, archived=archived)
        self._link = self._words = None


def _said(attrs: list[tuple[str, str | None]]) -> dict[str, str]:
    return {name: value for name, value in attrs if value is not None}
