"""The feeds that a web page names in its head. Pure; run in the child process, for the page is a stranger's."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from urllib.parse import urljoin

MOST_MARKUP = 512 * 1024
MOST_FEEDS = 30

_TYPES = frozenset(
    (
        "application/rss+xml application/atom+xml application/feed+json application/rdf+xml"
        " text/xml application/xml text/rss+xml"
    ).split()
)


def feeds_of(page: str, url: str) -> list[tuple[str, str]]:
    """(address, title) of each feed, in the page's order; relative ones are joined to its `<base>` or to `url`."""
    links = _Links(url)
    links.feed(page[:MOST_MARKUP])
    return list(links.found.items())[:MOST_FEEDS]


class _Links(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, str] = {}
        self._base = url
        self._based = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value.strip() for name, value in attrs if value}
        if tag == "base" and "href" in said and not self._based:
            self._base, self._based = _joined(self._base, said["href"]), True
        if tag == "link" and _is_feed(said) and (address := _joined(self._base, said["href"])):
            self.found.setdefault(address, " ".join(said.get("title", "").split())[:200])


def _is_feed(said: Mapping[str, str]) -> bool:
    rels = said.get("rel", "").lower().split()
    kind = said.get("type", "").partition(";")[0].strip().lower()
    if not said.get("href") or "stylesheet" in rels or not {"alternate", "feed"} & set(rels):
        return False
    # The same type is that of many an API, so the words must say that this is a feed.
    json_feed = kind == "application/json" and "feed" in (said["href"] + said.get("title", "")).lower()
    return kind in _TYPES or json_feed or ("feed" in rels and not kind)


def _joined(base: str, href: str) -> str:
    try:
        address = urljoin(base, href)
    except ValueError:
        return ""
    return address if address.lower().startswith(("http://", "https://")) else ""
