"""Every document of the corpus, served as a feed of its own, and what others say its entries link to.

A row of `expectations.jsonl` states an entry's link. Where there is none, a second reader says it: feedparser alone,
given the bytes as they are, or json. A relative link is expected to be joined to the address it was served at; the
documents whose rows name a base are served under the base's path, and the base's origin in a stated link is replaced
by the one it was served at, unless the document itself writes the link out.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import io
import json
import re
import socket
import warnings
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import feedparser
from starlette.types import Receive, Scope, Send

from bridge.web.server import Server, listen
from tests.real_input._case import Case, Difference, Door, Wanted, canonicals
from tests.real_input._process import Arrived, Running

HOSTS = 8
"""One host is never asked twice at the same time, so the documents lie on several."""

_TYPES = {
    ".rss": "application/rss+xml",
    ".atom": "application/atom+xml",
    ".json": "application/feed+json",
    ".html": "text/html",
    ".opml": "text/x-opml",
}
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_END = re.compile(r"</(?:[\w-]+:)?(?:rss|feed|rdf|channel)\s*>", re.IGNORECASE)


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
    stated: bool = False

    @property
    def kin(self) -> tuple[str, ...]:
        return (self.original, *self.alternates, *self.enclosures, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One document. `rows` are those of the expectations that speak of it under this `base`."""

    name: str
    path: Path
    base: str
    rows: tuple[Mapping[str, Any], ...]
    url: str = ""

    @property
    def content_type(self) -> str:
        return _TYPES.get(self.path.suffix, "application/xml")


def documents(folder: Path, *, every: int = 1) -> list[Served]:
    """Every `every`th file, once for each base its expectations name."""
    rows: dict[str, dict[str, list[Any]]] = {}
    for line in (folder / "expectations.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        rows.setdefault(row["file"], {}).setdefault(row.get("base_url", ""), []).append(row)
    files = sorted(path for path in folder.glob("*/**/*") if path.is_file())[::every]
    found = [
        (path, base, tuple(about))
        for path in files
        for base, about in rows.get(str(path.relative_to(folder)), {"": []}).items()
    ]
    return [
        Served(name=f"{number:04} {str(path.relative_to(folder))[-90:]}", path=path, base=base, rows=about)
        for number, (path, base, about) in enumerate(found)
    ]


@contextlib.asynccontextmanager
async def serving(found: Iterable[Served]) -> AsyncIterator[list[Served]]:
    """Serves them all on loopback; yields them with their addresses."""
    with contextlib.ExitStack() as sockets:
        hosts = [sockets.enter_context(listen(f"127.0.0.{number + 2}", 0)) for number in range(HOSTS)]
        listeners = list(hosts)
        placed: dict[str, Served] = {}
        for number, document in enumerate(found):
            listener = hosts[number % HOSTS]
            path = f"/{number}/{quote(document.path.name)}"
            if document.base:
                listener = sockets.enter_context(listen(f"127.0.0.{number % HOSTS + 2}", 0))
                listeners.append(listener)
                path = urlsplit(document.base).path or "/"
            url = _origin(listener) + path
            placed[url] = replace(document, url=url)
        server = Server(_Site(placed))
        working = asyncio.create_task(server.serve(listeners))
        try:
            yield list(placed.values())
        finally:
            server.should_exit = True
            await working


def _origin(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"http://{host}:{port}"


class _Site:
    def __init__(self, documents: Mapping[str, Served]) -> None:
        self._documents = documents

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        document = self._documents.get(f"http://{host}{scope['raw_path'].decode('latin-1')}")
        body = document.path.read_bytes() if document else b""
        headers = [(b"content-type", document.content_type.encode())] if document else []
        await send({"type": "http.response.start", "status": 200 if document else 404, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def rules(found: Iterable[Served]) -> str:
    """The rule file's section."""
    feeds = (f"  - {{name: {json.dumps(one.name)}, url: {json.dumps(one.url)}, start: all, interval: 1d}}\n" for one in found)
    return "feeds:\n" + "".join(feeds)


def door(found: Sequence[Served], bridge: Running, arrived: Iterable[Arrived], executor: Executor) -> Door:
    """What came of the documents, beside what was expected of them."""
    states = bridge.feed_states()
    arrivals = [one for one in arrived if one.source == "feed"]
    result = Door("feeds", f"{len({one.path for one in found})} documents at {len(found)} addresses")
    for one in arrivals:
        result.found.setdefault(one.channel, []).extend(one.links)
    for document, entries in zip(found, executor.map(second_reading, found, chunksize=16), strict=True):
        state = states.get(document.url, {})
        result.cases += _cases(document, entries, state, result)
        result.balance["entries counted by the second reader"] = (
            result.balance.get("entries counted by the second reader", 0) + len(entries)
        )
        result.notes[f"documents {_condition(state)}"] += 1
        if entries and state.get("last_error"):
            result.differences.append(_refused(document, len(entries), state["last_error"]))
    result.balance["arrivals of feeds"] = len(arrivals)
    return result


def _condition(state: Mapping[str, Any]) -> str:
    if state.get("last_error"):
        return f"not taken: {state['last_error']}"
    return f"taken, with the remark: {state['remark']}" if state.get("remark") else "taken"


def _refused(document: Served, entries: int, error: str) -> Difference:
    cut_off = not _END.search(document.path.read_bytes().decode("utf-8", "replace"))
    reason = "a document that is cut off is asked for again before it is begun" if cut_off else ""
    return Difference(document.name, "missing", f"{entries} entries", error, reason)


def _cases(document: Served, entries: Sequence[Stated], state: Mapping[str, Any], result: Door) -> Iterator[Case]:
    wanted = []
    for entry in entries:
        link = Wanted.any_of([entry.link], entry.kin)
        wanted += [link] if link else []
        if not link:
            result.notes["entries without a web address, by the second reader or as stated"] += 1
        result.notes["links stated by the document's own tests"] += bool(link) and entry.stated

    def explain(wanted: str, found: str) -> str:
        return _reason(document, entries, wanted, found)

    yield Case(name=document.name, wanted=wanted, stated=any(entry.stated for entry in entries), explain=explain)


def second_reading(document: Served) -> list[Stated]:
    """The document's entries, by reading it with other means than the bridge does."""
    body = document.path.read_bytes()
    reader = _json_entries if document.path.suffix == ".json" else _xml_entries
    entries = list(reader(body, document.url))
    for row in document.rows:
        if row.get("link") and row.get("entry_index", len(entries)) < len(entries):
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


def _reason(document: Served, entries: Sequence[Stated], wanted: str, found: str) -> str:
    """Decided by the bridge, each by what the second reader sees in the document."""
    if document.path.name in _DECIDED:
        return _DECIDED[document.path.name]
    if not wanted:
        return _reason_of_more(entries, found)
    entry = next(entry for entry in entries if entry.link == wanted)
    return _reason_of_another(document, entry, found)


def _reason_of_more(entries: Sequence[Stated], found: str) -> str:
    without = [entry for entry in entries if not canonicals([entry.link])]
    if any(found in canonicals(entry.enclosures) for entry in without):
        return "the enclosure of an entry that has no other address"
    if any(found in canonicals([entry.id]) for entry in without):
        return "the address that identifies an entry (rdf:about), which has no other"
    return ""


def _reason_of_another(document: Served, entry: Stated, found: str) -> str:
    if found and found in canonicals([entry.original]):
        return "the original address, not FeedBurner's"
    if found and found in canonicals(entry.alternates[:1]):
        return "the first alternate for people, where feedparser keeps the last link"
    if canonicals([entry.link]) == canonicals([entry.site]):
        return "the site's own address is not the entry's"
    if entry.written == entry.id and not is_written_out(_joined("", entry.link), document.path.read_bytes()):
        return "an identifier that is no whole address is none, and not joined into one"
    return ""


_DECIDED: dict[str, str] = {}
