"""What came of the feed documents, and why it is not always what others say is in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from tests.real_input._case import Case, Difference, Door, Wanted, canonicals
from tests.real_input._feed_site import Served
from tests.real_input._process import Arrived, Running
from tests.real_input._second_reader import Stated, is_written_out, second_reading

_END = re.compile(r"</(?:[\w-]+:)?(?:rss|feed|rdf|channel)\s*>", re.IGNORECASE)

_LAST_LINK = "the alternate of two links written as text, as the document's own test says; feedparser keeps the last"

# What no fact that the second reader sees would tell.
_DECIDED = {
    "entry_link_no_href_link_priority.xml": _LAST_LINK,
    "entry_link_rel_enclosure_no_href.xml": _LAST_LINK,
    "malformed_rss_namespaced.xml": "broken declarations and undeclared prefixes: not taken for a feed, and its state says so",
}


def door(found: Sequence[Served], bridge: Running, arrived: Iterable[Arrived], executor: Executor) -> Door:
    """What came of the documents, beside what was expected of them."""
    result = Door("feeds", f"{len({one.path for one in found})} documents at {len(found)} addresses")
    arrivals = [one for one in arrived if one.source == "feed"]
    for one in arrivals:
        result.found.setdefault(one.channel, []).extend(one.links)
    numbers, states = Counter(one.channel for one in arrivals), bridge.feed_states()
    for document, entries in zip(found, executor.map(second_reading, found, chunksize=16), strict=True):
        _add(result, document, entries, numbers[document.name], states.get(document.url, {}))
    result.balance["arrivals of feeds"] = len(arrivals)
    return result


def _add(result: Door, document: Served, entries: Sequence[Stated], arrivals: int, state: Mapping[str, Any]) -> None:
    different = len(set(map(_identity, entries)))
    result.cases.append(_case(document, entries))
    result.notes[f"documents {_condition(state)}"] += 1
    result.notes["entries without a web address"] += sum(not canonicals([entry.link]) for entry in entries)
    result.balance["entries, counted by the second reader or stated"] += len(entries)
    result.balance["of them repeat another's address, or identifier and words"] += len(entries) - different
    if different != arrivals:
        result.differences.append(_miscounted(document, different, arrivals, state))


def _identity(entry: Stated) -> object:
    return canonicals([entry.link]) or (entry.id, entry.words)


def _condition(state: Mapping[str, Any]) -> str:
    if state.get("last_error"):
        return f"not taken: {state['last_error']}"
    return f"taken, with the remark: {state['remark']}" if state.get("remark") else "taken"


def _miscounted(document: Served, entries: int, arrivals: int, state: Mapping[str, Any]) -> Difference:
    cut_off = not _END.search(document.path.read_bytes().decode("utf-8", "replace"))
    reason = _DECIDED.get(document.path.name, "")
    if state.get("last_error") and cut_off and not arrivals:
        reason = "the entries of a cut off document: it is asked for again before it is begun"
    return Difference(document.name, "other", f"{entries} entries", f"{arrivals} arrivals", reason)


def _case(document: Served, entries: Sequence[Stated]) -> Case:
    links = [Wanted.any_of([entry.link], stated=entry.stated, kin=entry.kin) for entry in entries]
    return Case(
        name=document.name,
        wanted=[link for link in links if link],
        explain=lambda wanted, found: _reason(document, entries, wanted, found),
    )


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
    if any(found in canonicals(entry.alternates) for entry in without):
        return "an alternate that is no HTML, of an entry that has no other"
    return ""


def _reason_of_another(document: Served, entry: Stated, found: str) -> str:
    if found and found in canonicals([entry.original]):
        return "the original address, not FeedBurner's"
    if found and found in canonicals(entry.alternates[:1]):
        return "the first alternate for people, where feedparser keeps the last link"
    if canonicals([entry.link]) == canonicals([entry.site]):
        return "the site's own address is not the entry's"
    body = document.path.read_bytes()
    if entry.written == entry.id and not is_written_out(entry.link, body):
        return "an identifier that is no whole address is none, and not joined into one"
    return ""
