"""How far our reading of feed documents agrees with what other projects' tests state about theirs.

    python -m tests.sources.feed_corpus ../shared/corpus/feeds

Prints the tables of docs/feed-corpus.md: every document read, every stated fact, every difference with its reason.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.errors import SourceError
from bridge.sources.feeds.document import parse
from bridge.sources.feeds.entry import Document, Entry
from bridge.sources.feeds.text import plain

FACTS = ("link", "title", "id", "comments")


@dataclass(frozen=True, slots=True)
class Compared:
    """One stated fact. `verdict`: same, ours (a decision of ours, with `reason`), or wrong."""

    file: str
    entry: int
    fact: str
    wanted: str
    found: str | None
    verdict: str
    reason: str
    baseline: bool


# What no fact in the document would tell.
_EXPLAINED = {
    (
        "fastfeedparser/malformed_rss_namespaced.xml",
        "",
    ): "broken declaration, undeclared prefixes: a failed poll that says so",
    ("feedjira/AmazonWebServicesBlog.xml", "title"): "the stated title stands nowhere in the file: a slip of that test",
}


def compared(folder: Path) -> Iterator[Compared]:
    documents: dict[tuple[str, str], tuple[Document, str]] = {}
    for line in (folder / "expectations.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        source = (row["file"], row.get("base_url", ""))
        if source not in documents:
            documents[source] = _document(folder / source[0], source[1])
        yield from _compared(row, *documents[source])


def _document(path: Path, url: str) -> tuple[Document, str]:
    body = path.read_bytes()
    try:
        return parse(body, url=url), body.decode("utf-8", "replace")
    except SourceError:
        return Document(entries=()), ""


def _compared(row: dict[str, Any], document: Document, text: str) -> Iterator[Compared]:
    if "entry_count" in row:
        same = len(document.entries) == row["entry_count"]
        before = row["feedparser6014_entries"] == row["entry_count"]
        stated, counted = str(row["entry_count"]), str(len(document.entries))
        yield Compared(row["file"], 0, "count", stated, counted, "same" if same else "wrong", "", before)
        return
    number = row["entry_index"]
    entry = document.entries[number] if number < len(document.entries) else None
    for fact in FACTS:
        if fact in row:
            found = getattr(entry, fact) if entry else None
            verdict, reason = _verdict(row, fact, entry, text)
            reason = _EXPLAINED.get((row["file"], fact)) or _EXPLAINED.get((row["file"], "")) or reason
            yield Compared(row["file"], number, fact, row[fact], found, verdict, reason, _baseline(row, fact))


def _baseline(row: dict[str, Any], fact: str) -> bool:
    baseline = row["feedparser6014"]
    return isinstance(baseline, dict) and baseline.get(fact, "same") == "same"


def _verdict(row: dict[str, Any], fact: str, entry: Entry | None, text: str) -> tuple[str, str]:
    if entry is None:
        return "wrong", "the entry is missing"
    wanted, found = row[fact], getattr(entry, fact)
    if wanted == found:
        return "same", ""
    reason = _decision(fact, wanted, found, entry, text)
    return ("ours", reason) if reason else ("wrong", "")


def _decision(fact: str, wanted: str, found: str, entry: Entry, text: str) -> str:
    match fact:
        case "title" if " ".join(wanted.split()) == found:
            return "runs of blanks are one blank"
        case "title" if " ".join(plain(wanted).split()) == found:
            return "titles are plain text"
        case "title" if not found:
            return "no title stays no title"
        case "link" if f"<feedburner:origLink>{found}" in text:
            return "the original address, not FeedBurner's"
        case "link" if found == entry.id:
            return "the entry's identifier before the site's address"
        case "link" if not found and not wanted.startswith("http"):
            return "only http and https are links"
        case "link" if not found:
            return "never the site's address"
        case "link" if found.rsplit("/", 1)[1] == wanted.rsplit("/", 1)[1]:
            return "joined to the feed's address, not the site's"
        case "id" if found and wanted.endswith(found):
            return "ids stay as they are written"
        case "id" if not found:
            return "no id stays no id"
        case _:
            return ""


def agreement(folder: Path) -> tuple[Counter[tuple[str, str]], Counter[str], list[Compared]]:
    """Per fact and verdict how many; per fact how many feedparser 6.0.14 alone has right; and all that differ."""
    counts: Counter[tuple[str, str]] = Counter()
    baseline: Counter[str] = Counter()
    differing = []
    for one in compared(folder):
        counts[one.fact, one.verdict] += 1
        baseline[one.fact] += one.baseline
        if one.verdict != "same":
            differing.append(one)
    return counts, baseline, differing


@dataclass(frozen=True, slots=True)
class Walk:
    """Every document of the corpus, read: how many are feeds, how many are not and why, and what is in them."""

    files: int
    refused: Counter[str]
    incomplete: int
    entries: int
    linked: int


def walk(folder: Path) -> Walk:
    refused: Counter[str] = Counter()
    incomplete = entries = linked = 0
    paths = sorted(path for path in folder.glob("*/**/*") if path.is_file())
    for path in paths:
        try:
            document = parse(path.read_bytes(), url="https://feed.example/feed")
        except SourceError as error:
            refused[str(error)] += 1
            continue
        incomplete += not document.complete
        entries += len(document.entries)
        linked += sum(bool(entry.link) for entry in document.entries)
    return Walk(len(paths), refused, incomplete, entries, linked)


def walked(found: Walk) -> list[str]:
    """As a table of Markdown."""
    taken = found.files - found.refused.total()
    rows = [
        ("files", found.files),
        ("read as feeds", taken),
        ("of them cut off: their whole entries are taken", found.incomplete),
        *((f"refused: {reason}", number) for reason, number in found.refused.most_common()),
        ("entries", found.entries),
        ("entries with a web address", found.linked),
    ]
    return ["| | |", "|---|---|", *(f"| {words} | {number:,} |" for words, number in rows)]


def stated(folder: Path) -> list[str]:
    """What was stated and what of it differs, each difference with its reason, as tables of Markdown."""
    counts, baseline, differing = agreement(folder)
    lines = [
        "| fact | stated | right | another, by decision | wrong | missing | feedparser alone right |",
        "|---|---|---|---|---|---|---|",
    ]
    for fact in (*FACTS, "count"):
        missing = sum(one.fact == fact and one.verdict == "wrong" and not one.found for one in differing)
        same, ours, wrong = (counts[fact, verdict] for verdict in ("same", "ours", "wrong"))
        name = "number of entries" if fact == "count" else fact
        row = (name, same + ours + wrong, same, ours, wrong - missing, missing, baseline[fact])
        lines.append(f"| {' | '.join(map(str, row))} |")
    lines += [
        "",
        "| file, entry | fact | stated | read | why |",
        "|---|---|---|---|---|",
        *map(_row, _ordered(differing)),
    ]
    return lines


def _ordered(differing: list[Compared]) -> list[Compared]:
    return sorted(
        differing, key=lambda one: (one.verdict != "wrong", FACTS.index(one.fact), one.reason, one.file, one.entry)
    )


def _row(one: Compared) -> str:
    cells = (
        f"{one.file} #{one.entry}",
        one.fact,
        _cell(one.wanted),
        _cell(one.found or ""),
        one.reason or "not explained",
    )
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    shown = " ".join(text.split()).replace("`", "'").replace("|", "/")
    return f"`{shown[:90]}{'…' if len(shown) > 90 else ''}`" if shown else "—"


def main(folder: Path) -> None:
    print("\n".join([*walked(walk(folder)), "", *stated(folder)]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
