"""A feed document: its bytes read into entries. RSS, Atom and RDF through feedparser, JSON Feed by ourselves. Pure.

Which address an entry means, what its title says and how it is identified is decided here and nowhere else.
This is imported by the child process that reads feeds, so it imports little.
"""

from __future__ import annotations

import calendar
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import feedparser
import feedparser.mixin

from bridge.errors import SourceError
from bridge.sources.feeds.entry import Document, Entry
from bridge.sources.feeds.text import decode, plain
from bridge.sources.feeds.wishes import MINUTE, period, skipped

LONGEST_LINK = 8192
LONGEST_TITLE = 1000
LONGEST_SUMMARY = 2000
MOST_TAGS = 100
MOST_ENTRIES = 10_000
"""A document with more is refused: to remember a part of it would make the rest look new one day."""

_TOO_MANY = f"the document holds more than {MOST_ENTRIES:,} entries: no feed is so long"

_DECLARATION = re.compile(r"\s*<\?xml\b[^>]{0,300}\?>")
_ILLEGAL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF))

# Everything a strict parser would stumble over and that can mean only one thing; CDATA and comments stay as they are.
_REPAIRABLE = re.compile(
    r"(?s)(?P<fine><!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|&[A-Za-z_][\w.-]{0,40};)"
    r"|(?P<reference>&#(?P<number>[0-9]{1,7}|[xX][0-9A-Fa-f]{1,6});)"
    r"|(?P<bare>&)"
    r"|(?P<empty><link\s*/>|<link>\s*</link>)"
)

_CLOSED = re.compile(r"(?i)</(?:[\w-]+:)?(?:rss|feed|rdf|channel)\s*>")
_OPENING = re.compile(r"(?i)<(?:[\w-]+:)?(?:item|entry)[\s>]")
_CLOSING = re.compile(r"(?i)</(?:[\w-]+:)?(?:item|entry)\s*>")
_PAGE = re.compile(r"(?i)\s*(?:<\?xml[^>]*>|<!--.{0,2000}?-->|\s)*<(?:!doctype\s+html|html)\b", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HTML_TYPES = ("text/html", "application/xhtml+xml")

# An id is compared, never followed: joined to an xml:base it would change whenever the feed moves. There is no
# public switch for it.
feedparser.mixin._FeedParserMixin.can_be_relative_uri = (  # noqa: SLF001
    feedparser.mixin._FeedParserMixin.can_be_relative_uri - {"id"}  # noqa: SLF001
)


def parse(body: bytes, *, charset: str = "", url: str = "") -> Document:
    """The document in `body`, which came from `url` as `charset`. Raises SourceError when it is no feed."""
    text = decode(body, charset)
    if not text.strip():
        raise SourceError("the answer is empty")
    if _PAGE.match(text):
        raise SourceError("the answer is a web page, not a feed")
    if text.lstrip().startswith("{"):
        return _json_feed(text, url)
    if any(number >= MOST_ENTRIES for number, _ in enumerate(_OPENING.finditer(text))):
        raise SourceError(_TOO_MANY)
    return _xml_feed(text, url)


def _xml_feed(text: str, url: str) -> Document:
    repaired = _repaired(text)
    # Always from a stream: given bytes, feedparser opens a file or an address of that name. Never with a base: it
    # would rewrite the ids.
    found = feedparser.parse(
        io.BytesIO(repaired.encode("utf-8", "replace")), resolve_relative_uris=False, sanitize_html=False
    )
    if not found.get("version") and not found.entries:
        raise SourceError("the answer is not a feed: neither RSS, Atom nor JSON Feed")
    if found.bozo and not found.entries and _OPENING.search(repaired):
        raise SourceError("the document has entries that cannot be read: its XML is broken")
    complete = not found.bozo or _CLOSED.search(repaired, max(0, len(repaired) - 4096)) is not None
    entries = found.entries if complete or not _ends_inside_an_entry(repaired) else found.entries[:-1]
    hours, days = skipped(repaired)
    return Document(
        entries=tuple(_xml_entry(entry, url) for entry in entries),
        complete=complete,
        title=_line(_title(found.feed)),
        ttl=max(_number(found.feed.get("ttl")) * MINUTE, period(found.feed)),
        skip_hours=hours,
        skip_days=days,
        hub=_linked(found.feed, "hub", url),
        topic=_linked(found.feed, "self", url),
    )


def _linked(feed: Any, rel: str, url: str) -> str:
    links = (link for link in feed.get("links", ()) if isinstance(link, Mapping) and link.get("rel") == rel)
    return _first_address((link.get("href") for link in links), url)


def _repaired(text: str) -> str:
    body = _DECLARATION.sub("", text, count=1).lstrip().translate(_ILLEGAL)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _REPAIRABLE.sub(_repair, body)


def _repair(match: re.Match[str]) -> str:
    match match.lastgroup:
        case "bare":
            return "&amp;"
        case "empty":
            return ""
        case "number" | "reference":
            return match[0] if _is_character(match["number"]) else ""
        case _:
            return match[0]


def _is_character(number: str) -> bool:
    code = int(number[1:], 16) if number[0] in "xX" else int(number)
    return code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000


def _ends_inside_an_entry(text: str) -> bool:
    # Its link may be cut in the middle, which would be another address.
    opened = max((match.start() for match in _OPENING.finditer(text)), default=-1)
    closed = max((match.start() for match in _CLOSING.finditer(text)), default=-1)
    return opened > closed


def _xml_entry(entry: Any, url: str) -> Entry:
    identifier = _text(entry.get("id")).strip()
    return Entry(
        id=identifier,
        link=_first_address(_candidates(entry, identifier), url),
        title=_line(_title(entry)),
        tags=_tags(tag.get("label") or tag.get("term") for tag in entry.get("tags", ())),
        author=_line(_text(entry.get("author"))),
        published=_published(entry),
        summary=_line(plain(_summary(entry)), LONGEST_SUMMARY),
        comments=_first_address(_comments(entry), url),
    )


def _candidates(entry: Any, identifier: str) -> Iterator[Any]:
    """Addresses the entry may mean, best first. The site's own address is none of them."""
    yield entry.get("feedburner_origlink")
    links = [link for link in entry.get("links", ()) if isinstance(link, Mapping)]
    alternates = [link for link in links if link.get("rel") == "alternate"]
    yield from (link.get("href") for link in alternates if link.get("type") in _HTML_TYPES)
    yield from (link.get("href") for link in alternates)
    # Absent in RDF, where the identifier is the address; an Atom id may be one. A path that is called a permalink is
    # meant from the site's root.
    if entry.get("guidislink", True) and _is_web(identifier):
        yield identifier
    if entry.get("guidislink", False) and identifier.startswith("/"):
        yield identifier
    yield from (link.get("href") for link in links if link.get("rel") == "enclosure")


def _comments(entry: Any) -> Iterator[Any]:
    yield entry.get("comments")
    links = (link for link in entry.get("links", ()) if isinstance(link, Mapping))
    yield from (link.get("href") for link in links if link.get("rel") == "replies" and link.get("type") in _HTML_TYPES)


def _title(holder: Any) -> str:
    title, detail = _text(holder.get("title")), holder.get("title_detail")
    return plain(title) if isinstance(detail, Mapping) and detail.get("type") in _HTML_TYPES else title


def _summary(entry: Any) -> str:
    contents = (content.get("value") for content in entry.get("content", ()) if isinstance(content, Mapping))
    return next(filter(None, (_text(value) for value in (entry.get("summary"), *contents))), "")


def _published(entry: Any) -> float:
    for name in ("published_parsed", "created_parsed", "updated_parsed"):
        # feedparser's own look-up answers another date where there is none, and warns.
        if moment := dict.get(entry, name):
            return float(max(0, calendar.timegm(moment)))
    return 0.0


def _json_feed(text: str, url: str) -> Document:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise SourceError("the answer is not a feed: it looks like JSON and cannot be read as such") from None
    items = found.get("items") if isinstance(found, Mapping) else None
    if not isinstance(items, list):
        raise SourceError("the answer is JSON, but no JSON Feed: it has no list of “items”")
    if len(items) > MOST_ENTRIES:
        raise SourceError(_TOO_MANY)
    entries = (_json_entry(item, url) for item in items if isinstance(item, Mapping))
    hubs = found.get("hubs")
    named = (hub.get("url") for hub in hubs if _is_websub(hub)) if isinstance(hubs, list) else ()
    return Document(
        entries=tuple(entries),
        title=_line(_text(found.get("title"))),
        hub=_first_address(named, url),
        topic=_first_address([found.get("feed_url")], url),
    )


def _is_websub(hub: object) -> bool:
    return isinstance(hub, Mapping) and _text(hub.get("type")).lower() == "websub"


def _json_entry(item: Mapping[str, Any], url: str) -> Entry:
    attachments = item.get("attachments")
    enclosures = attachments if isinstance(attachments, list) else []
    candidates = (item.get("url"), item.get("external_url"), *(_member(found, "url") for found in enclosures))
    tags = item.get("tags")
    return Entry(
        id=_text(item.get("id")).strip(),
        link=_first_address(candidates, url),
        title=_line(_text(item.get("title"))),
        tags=_tags(tags if isinstance(tags, list) else ()),
        author=_line(_json_author(item)),
        published=_moment(_text(item.get("date_published")) or _text(item.get("date_modified"))),
        summary=_line(_json_summary(item), LONGEST_SUMMARY),
    )


def _json_author(item: Mapping[str, Any]) -> str:
    authors = item.get("authors")
    several = authors if isinstance(authors, list) else []
    names = (_text(_member(author, "name")) for author in (*several, item.get("author")))
    return next(filter(None, names), "")


def _json_summary(item: Mapping[str, Any]) -> str:
    return _text(item.get("summary")) or _text(item.get("content_text")) or plain(_text(item.get("content_html")))


def _member(holder: object, name: str) -> object:
    return holder.get(name) if isinstance(holder, Mapping) else None


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
    except (ValueError, OverflowError):
        return 0.0


def _first_address(candidates: Iterable[Any], base: str) -> str:
    texts = (_text(candidate) for candidate in candidates if isinstance(candidate, str))
    return next(filter(None, (_address(text, base) for text in texts)), "")


def _address(link: str, base: str) -> str:
    """`link` as an absolute http(s) address; empty when it is none and cannot become one."""
    link = link.strip()
    if not link or len(link) > LONGEST_LINK or link.startswith("#"):
        return ""
    if _SCHEME.match(link):
        return link if _is_web(link) else ""
    if any(character.isspace() for character in link):
        return ""
    try:
        joined = urljoin(base, link)
    except ValueError:
        return ""
    return joined if _is_web(joined) else ""


def _is_web(link: str) -> bool:
    return link[:8].lower().startswith(("http://", "https://"))


def _tags(terms: Iterable[Any]) -> tuple[str, ...]:
    # Some publishers categorise by address (a schema's, a taxonomy's): no words of theirs.
    lines = (_line(_text(term), 100) for term in terms)
    return tuple(dict.fromkeys(line for line in lines if line and not _is_web(line)))[:MOST_TAGS]


def _number(value: Any) -> float:
    try:
        return max(0.0, float(_text(value)))
    except ValueError:
        return 0.0


def _line(text: str, longest: int = LONGEST_TITLE) -> str:
    return " ".join(text[: 4 * longest].split())[:longest].strip()


def _text(value: object) -> str:
    """A string or a number as text that a database and a terminal take; anything else is nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).translate(_ILLEGAL).encode("utf-8", "replace").decode("utf-8")
