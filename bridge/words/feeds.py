"""Feeds in words: the list, what adding one does, what is wrong with which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import click

from bridge.words.parts import Data, columns, day, green, hashtags, how_many, moment, red

_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))

NONE = "no feeds yet; follow one: pocket-bridge feeds add URL"


def number(feeds: int) -> str:
    return how_many(feeds, "feed")


def feeds(answer: Data, *, now: float) -> Sequence[str]:
    return list(_feeds(answer, now)) if answer["feeds"] else [NONE]


def _feeds(answer: Data, now: float) -> Iterator[str]:
    rows = [
        (
            feed["name"],
            feed["state"],
            _ago(feed["last_poll"], now),
            _ahead(feed["next_poll"], now),
            _span(feed["interval"]),
            _often(feed["rhythm"]),
            str(feed["waiting"] or ""),
            f"{feed['file']}:{feed['line']}" if feed["from"] == "file" else "added",
        )
        for feed in answer["feeds"]
    ]
    head = ("name", "state", "last poll", "next poll", "every", "publishes", "waiting", "from")
    table = columns(head, rows)
    yield table[0]
    for line, feed in zip(table[1:], answer["feeds"], strict=True):
        yield line
        yield f"  {feed['url']}{hashtags(feed['tags'])}{_to(feed)}"
        if feed["error"]:
            yield f"  {red(feed['error'])}{_since(feed['failing_since'])}"


def _to(feed: Data) -> str:
    return f"  to {', '.join(feed['to'])}" if feed["to"] else ""


def _since(when: float | None) -> str:
    return f", since {moment(when)}" if when else ""


def added(answer: Data) -> Sequence[str]:
    return list(_candidates(answer) if "candidates" in answer else _added(answer))


def _candidates(answer: Data) -> Iterator[str]:
    yield "nothing is followed yet: the page names several feeds. Choose one:"
    for feed in answer["candidates"]:
        yield f"  pocket-bridge feeds add '{feed['url']}'{_called(feed['title'])}"


def _called(title: str) -> str:
    return click.style(f"   # {title}", dim=True) if title else ""


def _added(answer: Data) -> Iterator[str]:
    title = f" “{answer['title']}”" if answer["title"] else ""
    verb = green("followed") if answer["added"] else "would be followed"
    yield f"{verb}: {answer['name']}{title}, {answer['url']}, every {_span(answer['interval'])}"
    if answer["page"]:
        yield f"  the page {answer['page']} names it"
    there = f"  {how_many(answer['entries'], 'entry', 'entries')} in it now"
    if answer["cut_off"]:
        yield f"{there}, and {red('it is cut off')}: the feed is asked again soon for a whole one to begin with"
        return
    if not answer["takes"]:
        newest = " The newest:" if answer["newest"] else ""
        yield f"{there}; none is saved, only what comes from now on (start: {answer['start']}).{newest}"
        yield from _entries(answer["newest"])
        return
    yield f"{there}; the first reading takes {answer['takes']} (start: {answer['start']}):"
    yield from _entries(answer["shown"])
    if answer["takes"] > len(answer["shown"]):
        yield f"    … and {answer['takes'] - len(answer['shown'])} older ones"


def _entries(entries: Sequence[Data]) -> Iterator[str]:
    for entry in entries:
        when = f"{datetime.fromtimestamp(entry['published']).astimezone():%Y-%m-%d}  " if entry["published"] else ""
        yield f"    {when}{entry['title'] or entry['url'] or 'an entry without title and address'}"


def changed(answer: Data) -> Sequence[str]:
    limits = [f"{answer[key]} {words}" for key, words in (("at_once", "at once"), ("per_day", "a day")) if answer[key]]
    most = f", at most {' and '.join(limits)}" if limits else ""
    wishes = f"every {_span(answer['interval'])}{hashtags(answer['tags'])}{_to(answer)}{most}"
    return [f"{green('changed')}: {answer['name']}, {answer['url']}, {wishes}"]


def removed(answer: Data) -> Sequence[str]:
    given_up = answer["given_up"]
    waited = f"; {how_many(given_up, 'entry', 'entries')} that waited will not come" if given_up else ""
    return [f"{answer['name']} is not followed any more ({answer['url']}){waited}"]


def released(answer: Data) -> Sequence[str]:
    return [f"{answer['name']}: {how_many(answer['released'], 'entry comes', 'entries come')} now"]


def imported(answer: Data) -> Sequence[str]:
    return list(_imported(answer))


def _imported(answer: Data) -> Iterator[str]:
    verb = green("followed") if answer["really"] else "would be followed"
    for feed in answer["added"]:
        yield f"{verb}: {feed['name']}{hashtags(feed['tags'])}  {feed['url']}"
    for row in answer["bad"]:
        yield f"line {row['line']}: {red('not taken')}: {row['reason']}"
    known = f", {len(answer['known'])} were known" if answer["known"] else ""
    bad = f", {len(answer['bad'])} not taken" if answer["bad"] else ""
    yield f"{number(len(answer['added']))} {'added' if answer['really'] else 'would be added'}{known}{bad}"


def examined(answer: Data, *, now: float) -> Sequence[str]:
    return list(_examined(answer, now)) if answer["feeds"] else [NONE]


def _examined(answer: Data, now: float) -> Iterator[str]:
    well = 0
    for feed in answer["feeds"]:
        well += not any(finding["bad"] for finding in feed["findings"])
        for finding in feed["findings"]:
            mark = red("wrong") if finding["bad"] else "note "
            since = f", since {day(finding['since'])} ({_ago(finding['since'], now)})" if finding["since"] else ""
            yield f"{mark}  {feed['name']}: {finding['problem']}{since}"
            yield f"       {finding['mend']}"
    yield f"{well} of {number(len(answer['feeds']))} {'is' if well == 1 else 'are'} well"


def _ago(when: float | None, now: float) -> str:
    return f"{_span(max(0.0, now - when))} ago" if when else "never"


def _ahead(when: float | None, now: float) -> str:
    if when is None:
        return "-"
    return f"in {_span(when - now)}" if when - now >= 1 else "now"


def _often(rhythm: float | None) -> str:
    return f"every {_span(rhythm)}" if rhythm else ""


def _span(seconds: float) -> str:
    """About how long, in one unit: the largest of which there are two."""
    for unit, size in _UNITS:
        if seconds >= 2 * size or unit == "s" or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return ""
