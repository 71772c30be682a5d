"""A page's bytes -> what the page says about itself. Pure; runs in the child, which bounds its time and memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

from lxml import etree

from bridge import titles
from bridge.errors import InvalidArrival
from bridge.link import LONGEST_URL, canonical, host, web_address
from bridge.page import Page
from bridge.pages.encoding import decoded
from bridge.titles import Candidate

MOST_METAS = 400
MOST_DATA = 40
LONGEST_DATA = 256 * 1024
LONGEST_AUTHOR = 200

_ARTICLES = re.compile(r"(?!Article$).*(Article|Posting|Report|Review|Answer|QAPage)$|Article$|Recipe$|HowTo$")
_VIDEOS = ("VideoObject", "Movie", "TVEpisode", "Clip")
_AUDIOS = ("AudioObject", "PodcastEpisode", "MusicRecording", "RadioEpisode")
_IGNORED = frozenset(
    "script style noscript template svg nav header footer aside form button select option iframe figure".split()
)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af]")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
CJK_SIGNS_A_WORD = 2.2
"""Read in the time of one word: some five hundred signs a minute, where 230 words are."""

Node = Any


@dataclass(slots=True)
class _Head:
    """What a page says in its head, first things first."""

    metas: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    data: list[Mapping[str, Any]] = field(default_factory=list)
    base: str = ""

    def first(self, *names: str) -> str:
        return next((self.metas[name] for name in names if self.metas.get(name)), "")


def read(body: bytes, *, content_type: str = "", url: str) -> Page:
    """What the page at `url` says. Anything but HTML has no more than a type."""
    kind = content_type.partition(";")[0].strip().lower()
    if found := _type_of_content(kind, body):
        return Page(type=found)
    root = _parsed(decoded(body, content_type))
    if root is None:
        return Page()
    return _page(root, url)


def _type_of_content(kind: str, body: bytes) -> str:
    if kind == "application/pdf" or body.startswith(b"%PDF-"):
        return "pdf"
    family = kind.partition("/")[0]
    return family if family in ("audio", "image", "video") else ""


def _parsed(text: str) -> Node | None:
    parser = etree.HTMLParser(encoding="utf-8", recover=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(text.replace("\0", "").encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _page(root: Node, url: str) -> Page:
    head = _head(root)
    site = titles.clean(head.first("og:site_name", "application-name", "twitter:app:name:iphone"))
    offered = list(_candidates(root, head))
    barred = next(
        (
            found
            for each in offered
            if each.place in ("title", "og:title")
            if (found := titles.wall(each.text, url, site))
        ),
        "",
    )
    if barred:
        return Page(wall=barred)
    return Page(
        title=titles.best(offered, url=url, site=site),
        canonical=_canonical(head, url),
        lang=_lang(root, head),
        type=_type(head),
        words=_words(root),
        author=_author(head),
        published=_published(root, head),
        image=bool(head.first("og:image", "og:image:url", "twitter:image", "twitter:image:src"))
        or root.find(".//img") is not None,
    )


def _head(root: Node) -> _Head:
    head = _Head()
    for number, meta in enumerate(root.iter("meta")):
        if number >= MOST_METAS:
            break
        for (
            name
        ) in f"{meta.get('property') or ''} {meta.get('name') or ''} {meta.get('itemprop') or ''}".lower().split():
            head.metas.setdefault(name, (meta.get("content") or "").strip())
    for link in root.iter("link"):
        for rel in (link.get("rel") or "").lower().split():
            head.links.setdefault(rel, (link.get("href") or "").strip())
    base = root.find(".//base[@href]")
    head.base = "" if base is None else str(base.get("href"))
    head.data = list(_data(root))
    return head


def _data(root: Node) -> Iterator[Mapping[str, Any]]:
    """JSON-LD: the things a page describes, those that describe a page of their own first."""
    found: list[Mapping[str, Any]] = []
    for number, script in enumerate(root.iter("script")):
        if number > 500 or len(found) >= MOST_DATA:
            break
        text = script.text or ""
        if (script.get("type") or "").lower().startswith("application/ld+json") and len(text) <= LONGEST_DATA:
            found += _things(_json(text))
    yield from sorted(found[:MOST_DATA], key=lambda thing: not _is_article(thing))


def _json(text: str) -> object:
    try:
        return json.loads(text.strip().removesuffix(";"), strict=False)
    except (ValueError, RecursionError):
        return None


def _things(value: object, depth: int = 0) -> list[Mapping[str, Any]]:
    if isinstance(value, list) and depth < 3:
        return [thing for each in value[:MOST_DATA] for thing in _things(each, depth + 1)]
    if not isinstance(value, Mapping):
        return []
    return [value, *_things(value.get("@graph"), depth + 1), *_things(value.get("mainEntity"), depth + 1)]


def _kinds(thing: Mapping[str, Any]) -> list[str]:
    kind = thing.get("@type")
    return [each for each in (kind if isinstance(kind, list) else [kind]) if isinstance(each, str)]


def _is_article(thing: Mapping[str, Any]) -> bool:
    return any(_ARTICLES.match(kind) for kind in _kinds(thing))


def _candidates(root: Node, head: _Head) -> Iterator[Candidate]:
    for thing in head.data:
        yield from (Candidate("headline", text) for text in _said(thing, "headline"))
        if _is_article(thing) or set(_kinds(thing)) & {*_VIDEOS, *_AUDIOS, "WebPage", "Product"}:
            yield from (Candidate("name", text) for text in _said(thing, "name"))
    places = {
        "citation": ("citation_title",),
        "dc:title": ("dc:title", "dc.title", "dcterms:title", "dcterms.title", "dcterm:title"),
        "og:title": ("og:title",),
        "meta": ("title", "parsely-title", "weibo:article:title", "sailthru.title"),
        "twitter:title": ("twitter:title",),
    }
    yield from (Candidate(place, head.first(*names)) for place, names in places.items() if head.first(*names))
    title = root.find(".//head/title")
    title = root.find(".//title") if title is None else title
    if title is not None:
        yield Candidate("title", _text(title))
    headings = [Candidate("h1", _text(heading)) for heading in _some(root.iter("h1"), 3)]
    yield from headings[:1] if len(headings) < 3 else ()


def _said(thing: Mapping[str, Any], name: str) -> list[str]:
    value = thing.get(name)
    return [value] if isinstance(value, str) and value.strip() else []


def _text(node: Node) -> str:
    return "".join(_some(node.itertext(), 200))[:4000]


def _some(found: Iterable[Any], most: int) -> Iterator[Any]:
    return (each for _, each in zip(range(most), found, strict=False))


def _canonical(head: _Head, url: str) -> str:
    """The address the page gives itself, if it is one of the same site and can be this very page."""
    for written in (head.links.get("canonical", ""), head.first("og:url")):
        if written and (address := _of_same_page(written, url, head.base)):
            return address
    return ""


def _of_same_page(written: str, url: str, base: str) -> str:
    try:
        address = web_address(urljoin(urljoin(url, base), written))
        same = _site(address) == _site(url)
        front = _is_front(address) and not _is_front(url)
        return address if same and not front and len(address) <= LONGEST_URL and canonical(address) else ""
    except (InvalidArrival, ValueError):
        return ""


def _site(url: str) -> str:
    return re.sub(r"^(www|m|mobile|amp)\.", "", host(url))


def _is_front(url: str) -> bool:
    return canonical(url).partition("://")[2].partition("/")[2] == ""


def _lang(root: Node, head: _Head) -> str:
    stated = [root.get("lang"), root.get("{http://www.w3.org/XML/1998/namespace}lang"), root.get("xml:lang")]
    stated += [head.first("content-language", "og:locale", "language", "dc.language", "dc:language", "inlanguage")]
    stated += [_equivalent(root, "content-language")]
    stated += [text for thing in head.data for text in _said(thing, "inLanguage")]
    for text in stated:
        language = (text or "").split(",")[0].strip().lower().replace("_", "-")
        if _LANGUAGE.fullmatch(language):
            return language
    return ""


def _equivalent(root: Node, name: str) -> str:
    for meta in _some(root.iter("meta"), MOST_METAS):
        if (meta.get("http-equiv") or "").lower() == name:
            return str(meta.get("content") or "")
    return ""


def _type(head: _Head) -> str:
    stated = head.first("og:type").lower()
    for prefix, kind in (("article", "article"), ("blog", "article"), ("video", "video"), ("music", "audio")):
        if stated.startswith(prefix):
            return kind
    kinds = {kind for thing in head.data[:5] for kind in _kinds(thing)}
    if any(map(_ARTICLES.match, kinds)):
        return "article"
    return "video" if kinds & set(_VIDEOS) else "audio" if kinds & set(_AUDIOS) else ""


def _author(head: _Head) -> str:
    named = [_names(thing.get("author") or thing.get("creator")) for thing in head.data]
    named += [head.first(name) for name in ("author", "article:author", "parsely-author", "sailthru.author")]
    named += [head.first("dc.creator", "dc:creator", "dcterms.creator", "dcterms:creator", "citation_author")]
    for name in named:
        told = titles.clean(name)[:LONGEST_AUTHOR].strip()
        if told and not told.startswith(("http://", "https://", "@")):
            return re.sub(r"^by\s+", "", told, flags=re.IGNORECASE)
    return ""


def _names(value: object) -> str:
    match value:
        case str():
            return value
        case Mapping():
            return _names(value.get("name") or "")
        case list():
            return ", ".join(dict.fromkeys(name for each in value[:5] if (name := _names(each))))
    return ""


def _published(root: Node, head: _Head) -> float:
    stated = [head.first("article:published_time", "og:published_time", "datepublished", "parsely-pub-date")]
    stated += [text for thing in head.data for text in _said(thing, "datePublished")]
    names = (
        "date",
        "dc.date",
        "dc.date.issued",
        "dcterms.created",
        "dcterms.date",
        "citation_publication_date",
        "pubdate",
    )
    stated += [head.first(*names, "publish-date", "sailthru.date")]
    stated += [str(time.get("datetime")) for time in root.iter("time") if "pubdate" in time.attrib][:1]
    return next((moment for text in stated if (moment := _moment(text))), 0.0)


def _moment(text: str) -> float:
    """Seconds since the epoch; zero for no time. A day without an hour is its beginning in UTC."""
    text = text.strip().replace("/", "-")[:40]
    if not text:
        return 0.0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return 0.0
    try:
        return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), 0.0)
    except (OverflowError, OSError, ValueError):
        return 0.0


def _words(root: Node) -> int | None:
    """The words somebody reads: of the main part, where one is marked, without what stands around it."""
    body = root.find(".//body")
    marked = [found for path in (".//article", ".//main") if (found := root.findall(path))]
    parts = max(marked[0], key=lambda part: sum(map(len, part.itertext()))) if marked else body
    whole = parts if parts is not None else root
    text = " ".join(_read(whole))
    if len(text) < 200 and body is not None and whole is not body:
        text = " ".join(_read(body))
    signs = len(_CJK.findall(text))
    words = len(_WORD.findall(_CJK.sub(" ", text))) + round(signs / CJK_SIGNS_A_WORD)
    return words or None


def _read(node: Node) -> Iterator[str]:
    """Texts below a node in order, without a call for each level: pages are nested as deep as they like."""
    waiting: list[tuple[Node, bool]] = [(node, False)]
    while waiting:
        each, left = waiting.pop()
        if left:
            yield each.tail or ""
            continue
        if isinstance(each.tag, str) and each.tag not in _IGNORED:
            yield each.text or ""
            for child in reversed(each):
                waiting += [(child, True), (child, False)]
