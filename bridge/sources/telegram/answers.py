"""Answers to what a person asked the bot, as Telegram's HTML. Pure: plain data of the desk in, text out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import unescape
from typing import Any

from bridge.ports import Answered
from bridge.sources.telegram.text import LONGEST_LINE, day, fit, name, said, short, tags

_FEEDS = "/feeds https://… follows one, /feeds remove NAME ends it"

HELP = (
    "Send me a message with links, or forward one: I save the links.\n"
    "#hashtags become tags, your other words a note, !name sends to that connection.\n"
    "My answer to your message says what became of its links. As an answer to a message: /save, /tag python later, "
    "/why, /undo, /to name. At any time: /last, /feeds, /status. /feeds https://… follows a feed."
)

LONGEST_TOAST = 200

Data = Mapping[str, Any]

_STATES = {"pending": "waiting", "leased": "being sent", "dead": "refused", "cancelled": "taken back"}


def answer(given: Answered) -> str:
    """The answer to one request; "" for one that needs no words."""
    if error := given.answer.get("error"):
        return _sentence(short(error, LONGEST_LINE))
    return _WORDS[given.name](given.answer) if given.name in _WORDS else ""


def toast(given: Answered) -> str:
    """The few words that pop up over a button that was pressed: plain text, no HTML."""
    match given.answer, given.name:
        case {"error": str(error)}, _:
            words = _sentence(short(error, LONGEST_LINE))
        case {"links": list(links)}, "undo":
            words = "\n".join(dict.fromkeys(map(_fate, links)))
        case {"added": list()}, _:
            words = _tagged(given.answer)
        case {"connection": str()}, _:
            words = _sent_to(given.answer)
        case _:
            words = ""
    return unescape(words)[:LONGEST_TOAST]


def _help(_: Data) -> str:
    return HELP


def _why(data: Data) -> str:
    more = [f"… and {data['more']} more links: name one, /why https://…"] if data["more"] else []
    return fit(["\n".join(_passport(link)) for link in data["links"]] + more, "\n\n")


def _passport(link: Data) -> Iterator[str]:
    yield f"<b>{short(link['canonical'], 300)}</b>"
    if link["since"] is None:
        yield "was never saved"
    for sighting in link["sightings"]:
        yield f"{day(sighting['received'])}: from {short(_origin(sighting))}, {_ruled(sighting)}"
    for delivery in link["deliveries"]:
        remote = f" as {short(delivery['remote_id'])}" if delivery["remote_id"] else ""
        because = delivery["because"] if delivery["state"] not in ("delivered", "cancelled") else ""
        state = _STATES.get(delivery["state"], delivery["state"])
        yield said(f"→ {short(delivery['connection'])}: {state}{remote}", because) + tags(delivery["tags"])


def _origin(sighting: Data) -> str:
    return f"{sighting['source']} {sighting['channel']}".strip()


def _ruled(sighting: Data) -> str:
    matched = ", ".join(sighting["matched"])
    rules = f"rules {short(matched)}" if matched else "no rule applied"
    match sighting["state"]:
        case "dropped":
            return f"dropped by {short(sighting['reason'])}"
        case "duplicate":
            return "known already" + (f", tags added:{tags(sighting['tags'])}" if sighting["tags"] else "")
        case _:
            return f"kept, {rules}"


def _last(data: Data) -> str:
    lines = [f"{day(link['at'])}: {name(link['title'], link['url'])}{tags(link['tags'])}" for link in data["links"]]
    return fit(lines) or "Nothing was saved yet"


def _tagged(data: Data) -> str:
    added = data["added"]
    match len(added):
        case 0:
            return "No new tag: it has them already"
        case 1:
            return f"1 tag added:{tags(added)}"
        case many:
            return f"{many} tags added:{tags(added)}"


def _undone(data: Data) -> str:
    return fit([f"{_fate(link)}: {name(link['title'], link['url'])}" for link in data["links"]])


def _fate(link: Data) -> str:
    if link["state"] == "dropped":
        return "Nothing to take back, it was dropped"
    if link["state"] == "duplicate":
        return f"Stays, it was saved before, on {day(link['since'])}"
    if link.get("again"):
        return "Stays, it was sent again since"
    back = f"Taken back from {short(', '.join(link['back']))}" if link["back"] else ""
    stays = "; ".join(_stays(place, state) for place, state in link["stays"].items())
    busy = f"being sent to {short(', '.join(link['busy']))}, ask again" if link["busy"] else ""
    return _sentence("; ".join(part for part in (back, stays, busy) if part) or "Nothing to take back")


def _stays(place: str, state: str) -> str:
    if state == "unknown":
        return f"it is not known whether {short(place)} has it"
    return f"stays in {short(place)}, where only you can remove it"


def _sent_to(data: Data) -> str:
    place = short(data["connection"])
    return f"On its way to {place}" if data["links"] else f"It is meant for {place} already"


def _to(data: Data) -> str:
    return (
        _sent_to(data)
        if "connection" in data
        else f"Connections: {short(', '.join(data['connections']), LONGEST_LINE)}"
    )


def _feeds(data: Data) -> str:
    if "candidates" in data:
        found = [f"/feeds {short(feed['url'], LONGEST_LINE)}" for feed in data["candidates"]]
        return fit(["That page names several feeds, choose one:", *found])
    if "given_up" in data:
        return f"No longer followed: {name(data['name'], data['url'])}"
    if "added" in data:
        takes = data["takes"] or "none"
        there = f"{data['entries']} in it now, {takes} of them saved; what comes from now on is"
        return f"Following {name(data['name'], data['url'])}: {there}"
    return fit([*map(_feed, data["feeds"]), _FEEDS if data["feeds"] else f"No feeds yet. {_FEEDS}"])


def _feed(feed: Data) -> str:
    written = f" (line {feed['line']} of the rule file)" if feed.get("from") == "file" else ""
    return said(f"{name(feed['name'], feed['url'])}{tags(feed.get('tags', ()))}{written}", feed.get("words", ""))


def _status(data: Data) -> str:
    on = ", ".join(source["name"] for source in data["sources"] if source["on"])
    lines = [f"On: {short(on)}"] if on else []
    lines.append(f"Arrivals: {_counts(data['arrivals'])}")
    lines += [_connection(connection) for connection in data["connections"]]
    return fit(lines)


def _connection(connection: Data) -> str:
    line = f"{short(connection['name'])}: {_counts(connection['deliveries'])}"
    return said(f"{line}; {'paused' if connection['state'] == 'paused' else 'active'}", connection["because"])


def _counts(counts: Mapping[str, int]) -> str:
    return (
        short(", ".join(f"{number} {_STATES.get(state, state)}" for state, number in counts.items())) or "nothing yet"
    )


def _tags(data: Data) -> str:
    return "Answer the message with /tag and the tags" if not data["tags"] else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


_WORDS: Mapping[str, Callable[[Data], str]] = {
    "start": _help,
    "help": _help,
    "why": _why,
    "last": _last,
    "tags": _tags,
    "tag": _tagged,
    "undo": _undone,
    "to": _to,
    "feeds": _feeds,
    "status": _status,
}
