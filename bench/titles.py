"""Titles of pages: how many are those that somebody stated, beside what libraries and the bare <title> give.

    python -m bench.titles [--packages FOLDER] [--show]

`--packages` holds trafilatura, newspaper4k, metadata_parser, readability-lxml, htmldate, extruct or some of them
(`pip install --target FOLDER …`); what is absent is skipped and said. `--show` prints the pages where bridge differs.
"""

from __future__ import annotations

import argparse
import html
import importlib
import json
import logging
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bridge.pages.document import read

CORPUS = Path(__file__).resolve().parents[1].parent / "shared" / "corpus" / "pages"
URL = "http://fakehost/test/page.html"
"""The address the stated facts were made with: it says nothing about the site."""

_WORD = re.compile(r"\w+")
_ENDS = re.compile(r"\s+[|·•»«–—―✩-]+\s+|\s*\|\s*|\s::\s")


def expectations(folder: Path) -> list[tuple[bytes, str, str]]:
    """(page, stated title, file name); pages whose stated title is empty have none."""
    rows = [json.loads(line) for line in (folder / "expectations.jsonl").read_text("utf-8").splitlines()]
    return [((folder / row["file"]).read_bytes(), row["title"] or "", row["file"]) for row in rows]


def exactly(found: str, stated: str) -> bool:
    """But for blanks."""
    return " ".join(found.split()) == " ".join(stated.split())


def alike(found: str, stated: str) -> bool:
    """But for blanks, punctuation and case, and for the name of a site that one of them has at its end."""
    one, other = _folded(found), _folded(stated)
    if one == other:
        return True
    return bool(one and other) and (one in _without_ends(stated) or other in _without_ends(found))


def _without_ends(title: str) -> set[str]:
    """The title without what stands behind each of its last two separators."""
    cuts = [match.start() for match in _ENDS.finditer(title)]
    return {_folded(title[:cut]) for cut in cuts[-2:] if len(title[:cut].split()) > 1 or cut > 12}


def _folded(title: str) -> str:
    return " ".join(_WORD.findall(title)).casefold()


def bridge_title(body: bytes) -> str:
    return read(body, content_type="text/html", url=URL).title


def bare_title(body: bytes) -> str:
    found = re.search(r"<title[^>]*>(.*?)</title>", body.decode("utf-8", "replace"), re.DOTALL | re.IGNORECASE)
    return html.unescape(found[1]).strip() if found else ""


def _trafilatura(body: bytes) -> str:
    found = importlib.import_module("trafilatura").extract_metadata(body, default_url=URL)
    return (found and found.title) or ""


def _newspaper(body: bytes) -> str:
    article = importlib.import_module("newspaper").Article(URL, fetch_images=False)
    article.download(input_html=body.decode("utf-8", "replace"))
    article.parse()
    return article.title or ""


def _readability(body: bytes) -> str:
    return str(importlib.import_module("readability").Document(body.decode("utf-8", "replace"), url=URL).short_title())


def _metadata_parser(body: bytes) -> str:
    parser = importlib.import_module("metadata_parser").MetadataParser(html=body.decode("utf-8", "replace"), url=URL)
    found = (
        parser.parsed_result.get_metadatas("title", strategy=(places := ["og", "dc", "twitter", "meta", "page"])) or {}
    )
    return next((str(found[place][0]) for place in places if found.get(place)), "")


def _extruct(body: bytes) -> str:
    """Its OpenGraph, then its JSON-LD, then the bare title."""
    extruct = importlib.import_module("extruct")
    found = extruct.extract(
        body.decode("utf-8", "replace"), base_url=URL, syntaxes=["opengraph", "json-ld"], errors="ignore"
    )
    graph = [
        value for each in found.get("opengraph", []) for key, value in each.get("properties", []) if key == "og:title"
    ]
    linked = [each["headline"] for each in found.get("json-ld", []) if isinstance(each.get("headline"), str)]
    return next(iter((*graph, *linked)), "") or bare_title(body)


WAYS: dict[str, Callable[[bytes], str]] = {
    "bridge": bridge_title,
    "bare <title>": bare_title,
    "trafilatura": _trafilatura,
    "newspaper4k": _newspaper,
    "readability-lxml": _readability,
    "metadata_parser": _metadata_parser,
    "extruct": _extruct,
}


def measure(name: str, stated: Sequence[tuple[bytes, str, str]]) -> tuple[int, int, int, float] | None:
    """Exactly equal, alike, failed, CPU milliseconds a page; None when the library is not there."""
    way, found, failed = WAYS[name], [], 0
    try:
        way(b"<title>warm</title>")
    except ImportError:
        return None
    except Exception:  # noqa: BLE001 - what a library makes of an odd page is measured below
        pass
    began = time.process_time()
    for body, _, _ in stated:
        try:
            found.append(str(way(body) or ""))
        except Exception:  # noqa: BLE001 - a library's own
            failed += 1
            found.append("")
    spent = (time.process_time() - began) / len(stated) * 1000
    pairs = [(one, title) for one, (_, title, _) in zip(found, stated, strict=True)]
    return sum(exactly(*pair) for pair in pairs), sum(alike(*pair) for pair in pairs), failed, spent


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args(arguments)
    if given.packages:
        sys.path.append(str(given.packages))
    logging.disable(logging.CRITICAL)
    stated = expectations(given.corpus)
    print(f"| {len(stated)} pages | exactly the stated title | alike | failed | CPU ms a page |")
    print("|---|---|---|---|---|")
    for name in WAYS:
        result = measure(name, stated)
        if result is None:
            print(f"{name} is not installed", file=sys.stderr)
            continue
        exact, near, failed, spent = result
        share = (f"{number} ({number / len(stated):.0%})" for number in (exact, near))
        print(f"| {name} | {' | '.join(share)} | {failed} | {spent:.1f} |")
    for body, title, file in stated if given.show else ():
        if not exactly(found := bridge_title(body), title):
            print(f"{'alike ' if alike(found, title) else 'differs'} {file}: {found!r}, stated {title!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
