"""What a person is told about their message, as Telegram's HTML. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.ports import Report, Verdict
from bridge.sources.telegram.answers import answer
from bridge.sources.telegram.text import LONGEST_LINE, day, fit, name, said, short, tags


def words(report: Report) -> str:
    """The whole answer to one message; "" when there is nothing to say."""
    match report.state:
        case "parked":
            return said("This message could not be read", report.reason)
        case "command":
            return fit([text for given in report.answers if (text := answer(given))])
        case "empty":
            return short(report.reason, LONGEST_LINE)
        case _:
            notes = [short(report.reason, LONGEST_LINE)] if report.reason and report.verdicts else []
            return fit([*map(_line, report.verdicts), *notes])


def _line(verdict: Verdict) -> str:
    if verdict.state == "dropped" and not verdict.deliveries:
        return f"{said('Dropped by', verdict.reason, joint=' ')}: {name(verdict.title, verdict.url)}"
    places = verdict.deliveries.items()
    saved = [place for place, (state, because) in places if state == "delivered" and because != "already"]
    already = [place for place, (state, because) in places if state == "delivered" and because == "already"]
    if verdict.state == "duplicate":
        head = [_again(verdict, known_there=bool(saved or already))]
    else:
        head = [*_at("Saved to", saved), *_at("Already in", already)]
    open_ = [_owed(place, *fate) for place, fate in sorted(places) if fate[0] != "delivered"]
    fates = fit(head + open_ or ["Taken in"], "; ", LONGEST_LINE)
    return f"{fates[:1].upper()}{fates[1:]}: {name(verdict.title, verdict.url)}{tags(verdict.tags)}"


def _at(verb: str, places: Iterable[str]) -> list[str]:
    named = ", ".join(sorted(places))
    return [said(verb, named, joint=" ")] if named else []


def _again(verdict: Verdict, *, known_there: bool) -> str:
    head = f"{'Already saved' if known_there else 'Already taken in'} on {day(verdict.since)}"
    match len(verdict.tags):
        case 0:
            return head
        case 1:
            return f"{head}, 1 tag added"
        case many:
            return f"{head}, {many} tags added"


def _owed(place: str, state: str, because: str) -> str:
    place = short(place)
    match state:
        case "pending" | "leased":
            return said(f"waiting for {place}", because if because != "new" else "")
        case "held":
            return said(f"held back from {place}", because)
        case "unknown":
            return said(f"it is not known whether {place} has it", because)
        case "cancelled" if because == "taken back":
            return f"taken back from {place}"
        case "cancelled":
            return said(f"no longer meant for {place}", because)
        case "dead" if because.startswith("given up"):
            return said(f"not saved to {place}", because)
        case "dead":
            return said(f"refused by {place}", because)
        case _:
            return said(f"{short(state)} at {place}", because)
