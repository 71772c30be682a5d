"""What a person is told about their message, as Telegram's HTML. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from bridge.link import tidy
from bridge.ports import Report, Verdict

LONGEST_MESSAGE = 4096
"""UTF-16 units of one message. Telegram counts them without the marks; counting with them is on the safe side."""

HELP = (
    "Send me a message with links, or forward one: I save the links.\n"
    "#hashtags in the message become tags. /save as an answer to a message saves the links of that message.\n"
    "My answer to your message says what became of them."
)

_LONGEST_LINE = 900
_LONGEST_NAME = 120
_LONGEST_ADDRESS = 300
_LONGEST_REASON = 200
_LONGEST_TAG = 40


def words(report: Report) -> str:
    """The whole answer to one message; "" when there is nothing to say."""
    match report.state:
        case "parked":
            return _said("This message could not be read", report.reason)
        case "command":
            return HELP
        case "empty":
            return _short(report.reason, _LONGEST_LINE)
        case _:
            notes = [_short(report.reason, _LONGEST_REASON)] if report.reason and report.verdicts else []
            return _fit([*map(_line, report.verdicts), *notes], "\n", LONGEST_MESSAGE)


def _line(verdict: Verdict) -> str:
    if verdict.state == "dropped":
        return f"{_said('Dropped by', verdict.reason, joint=' ')}: {_name(verdict)}"
    places = verdict.deliveries.items()
    saved = [place for place, (state, because) in places if state == "delivered" and because != "already"]
    already = [place for place, (state, because) in places if state == "delivered" and because == "already"]
    if verdict.state == "duplicate":
        head = [_again(verdict, known_there=bool(saved or already))]
    else:
        head = [*_at("Saved to", saved), *_at("Already in", already)]
    open_ = [_owed(place, *fate) for place, fate in sorted(places) if fate[0] != "delivered"]
    fates = _fit(head + open_ or ["Taken in"], "; ", _LONGEST_LINE)
    return f"{fates[:1].upper()}{fates[1:]}: {_name(verdict)}{_tags(verdict.tags)}"


def _at(verb: str, places: Iterable[str]) -> list[str]:
    named = ", ".join(sorted(places))
    return [f"{verb} {_short(named, _LONGEST_REASON)}"] if named else []


def _again(verdict: Verdict, *, known_there: bool) -> str:
    day = datetime.fromtimestamp(verdict.since, UTC)
    head = f"{'Already saved' if known_there else 'Already taken in'} on {day.day} {day:%B %Y}"
    match len(verdict.tags):
        case 0:
            return head
        case 1:
            return f"{head}, 1 tag added"
        case many:
            return f"{head}, {many} tags added"


def _owed(place: str, state: str, because: str) -> str:
    place = _short(place, _LONGEST_NAME)
    match state:
        case "pending" | "leased":
            return _said(f"waiting for {place}", because)
        case "held":
            return _said(f"held back from {place}", because)
        case "unknown":
            return _said(f"it is not known whether {place} has it", because)
        case "cancelled":
            return _said(f"no longer meant for {place}", because)
        case "dead" if because.startswith("given up"):
            return _said(f"not saved to {place}", because)
        case "dead":
            return _said(f"refused by {place}", because)
        case _:
            return _said(f"{_short(state, _LONGEST_NAME)} at {place}", because)


def _name(verdict: Verdict) -> str:
    address = escape(verdict.url)
    name = _short(verdict.title or verdict.url, _LONGEST_NAME)
    return f'<a href="{address}">{name}</a>' if _length(address) <= _LONGEST_ADDRESS else name


def _tags(tags: Sequence[str]) -> str:
    return "".join(f" #{_short(tag.replace(' ', '_'), _LONGEST_TAG)}" for tag in tags[:5]) + (
        " …" if tags[5:] else ""
    )


def _said(what: str, reason: str, *, joint: str = ": ") -> str:
    return f"{what}{joint}{_short(reason, _LONGEST_REASON)}" if reason else what


def _short(text: str, longest: int) -> str:
    """One line of plain text, escaped."""
    text = tidy(text)
    return escape(text if len(text) <= longest else f"{text[: longest - 1]}…")


def _fit(pieces: Sequence[str], joint: str, limit: int) -> str:
    """The pieces, as many as there is room for, and how many more there are."""
    whole = joint.join(pieces)
    if _length(whole) <= limit:
        return whole
    kept = len(pieces) - 1
    while kept and _length(_cut(pieces, kept, joint)) > limit:
        kept -= 1
    return _cut(pieces, kept, joint)


def _cut(pieces: Sequence[str], kept: int, joint: str) -> str:
    return joint.join([*pieces[:kept], f"… and {len(pieces) - kept} more"])


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
