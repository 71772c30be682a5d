"""What is in a feed document, by other means than the bridge's: stated by its rows, or read by feedparser alone or json.

A relative link is joined to the address the document was served at. Where its rows name a base, the base's origin in a
stated link is replaced by the one it was served at, unless the document itself writes the link out.
"""

from __future__ import annotations

import contextlib
import html
import io
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urljoin, urlsplit

import feedparser

from tests.real_input._feed_site import Served

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """One entry as the second reader has it, with the `link` that is expected of it; all links are absolute.

    `written`: the link as the second reader gave it. `alternates`: the first is the one meant for people.
    `site`: the whole feed's address.
    """

    link: str
    written: str
    id: str = ""
    alternates: tuple[str, ...] = ()
    enclosures: tuple[str, ...] = ()
    original: str = ""
    site: str = ""
    words: str = ""
    stated: bool = False

    @property
    def kin(self) -> tuple[str, ...]:
        return (self.original, *self.alternates, *self.enclosures, self.id)


def second_reading(document: Served) -> list[Stated]:
    """The document's entries, by reading it with other means than the bridge does."""
    body = document.path.read_bytes()
    reader = _json_entries if document.path.suffix == ".json" else _xml_entries
    entries = list(reader(body, document.url))
    for row in document.rows:
        if row.get("link"):
            entries += [Stated(link="", written="")] * (row["entry_index"] + 1 - len(entries))
            link = _joined(document.url, _at_home(row["link"], document, body))
            entries[row["entry_index"]] = replace(entries[row["entry_index"]], link=link, stated=True)
    return entries


def _at_home(link: str, document: Served, body: bytes) -> str:
    if not document.base or is_written_out(link, body):
        return link
    base, url = urlsplit(document.base), urlsplit(document.url)
    return link.replace(f"{base.scheme}://{base.netloc}", f"{url.scheme}://{url.netloc}", 1)


def is_written_out(link: str, body: bytes) -> bool:
    """The document has the whole link, and not only in a comment."""
    return link in html.unescape(_COMMENT.sub("", body.decode("utf-8", "replace"))).replace("\\/", "/")


def _xml_entries(body: bytes, url: str) -> Iterator[Stated]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = feedparser.parse(io.BytesIO(body))
    for entry in found.entries:
        links = [link for link in entry.get("links", ()) if link.get("href")]
        alternates = sorted((one for one in links if one.get("rel") == "alternate"), key=_is_for_machines)
        yield Stated(
            link=_joined(url, entry.get("link") or ""),
            written=entry.get("link") or "",
            id=entry.get("id") or "",
            alternates=tuple(_joined(url, one["href"]) for one in alternates),
            enclosures=tuple(_joined(url, one["href"]) for one in links if one.get("rel") == "enclosure"),
            original=entry.get("feedburner_origlink") or "",
            site=found.feed.get("link") or "",
            words=f"{entry.get('title')} {entry.get('summary')}",
        )


def _is_for_machines(link: Mapping[str, str]) -> bool:
    return link.get("type") not in ("text/html", "application/xhtml+xml")


def _json_entries(body: bytes, url: str) -> Iterator[Stated]:
    try:
        found = json.loads(body.decode("utf-8-sig", "replace"))
    except ValueError:
        return
    items = found.get("items", ()) if isinstance(found, dict) else ()
    for item in filter(_is_object, items):
        links = [link for link in (item.get("url"), item.get("external_url")) if isinstance(link, str) and link]
        attached = item.get("attachments")
        attachments = [one.get("url") for one in filter(_is_object, attached if isinstance(attached, list) else ())]
        yield Stated(
            link=_joined(url, links[0]) if links else "",
            written=links[0] if links else "",
            id=str(item.get("id", "")),
            alternates=tuple(_joined(url, link) for link in links),
            enclosures=tuple(_joined(url, link) for link in attachments if isinstance(link, str)),
            site=str(found.get("home_page_url") or ""),
            words=json.dumps(item),
        )


def _is_object(node: object) -> bool:
    return isinstance(node, dict)


def _joined(url: str, link: str) -> str:
    link = link.strip()
    if not link or _SCHEME.match(link):
        return link
    with contextlib.suppress(ValueError):
        return urljoin(url, link)
    return ""
