"""The process in words: what is on, what waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from bridge.words.operations import held_up, no_destination
from bridge.words.parts import STATES, Data, beside, counted, green, how_many, moment, older_rules, red


def checked(answer: Data) -> Sequence[str]:
    name = answer["file"] or "there is no rule file: every link goes to “reading”"
    counts = (
        f"{how_many(answer['rules'], 'rule')}, {how_many(answer['feeds'], 'feed')}, "
        f"{how_many(answer['tests'], 'test')}, "
        f"destinations: {', '.join(answer['destinations'])}"
    )
    return [f"{green('ok')}  {name}", f"    {counts}", *(click.style(line, fg="yellow") for line in answer["warnings"])]


def status(answer: Data) -> Sequence[str]:
    return list(_status(answer))


def _status(answer: Data) -> Iterator[str]:
    for source in answer["sources"]:
        yield f"{green('on ') if source['on'] else 'off'}  {source['name']}"
        for line in source["words"]:
            yield from beside("", line, 4)
    names = [connection["name"] for connection in answer["connections"]]
    width = max(map(len, [*names, *answer["without_connection"], "arrivals"])) + 2
    first = "" if answer["arrivals"] else "; pocket-bridge add URL saves a first link"
    yield from beside("arrivals", counted(answer["arrivals"]) + first, width)
    yield from beside("links", counted(answer["sightings"]), width)
    if answer.get("waiting_for_pages"):
        number = answer["waiting_for_pages"]
        yield from beside(
            "pages", how_many(number, "arrival waits for its page", "arrivals wait for their pages"), width
        )
    for connection in answer["connections"]:
        yield from beside(connection["name"], counted(connection["deliveries"], STATES), width)
        for words in (*held_up(connection, answer.get("now", 0.0)), *_refused(connection)):
            yield from beside("", words, width)
    if answer["rules"].get("older"):
        first, *more = older_rules(answer["rules"]["older"])
        yield f"{'rules':{width}} {red(first)}"
        yield from (f"{'':{width}} {line}" for line in more)
    limits = [_budget(budget) for budget in answer["budgets"]]
    for budget, words in zip(answer["budgets"], limits, strict=True):
        whose = f" ({', '.join(budget['connections'])})" if limits.count(words) > 1 else ""
        yield from beside("limit", words + whose, width)
    for name, states in answer["without_connection"].items():
        yield from beside(name, counted(states, STATES), width)
        yield from beside("", no_destination(name), width)


def _refused(connection: Data) -> Iterator[str]:
    if connection["deliveries"].get("dead"):
        yield f"-> pocket-bridge dead {connection['name']} tells why"


def _budget(budget: Data) -> str:
    """The digest of a credential tells people nothing: whom it holds for, and where, does."""
    kind, _, where = budget["scope"].partition(":")
    whose = {"user": "your account", "key": "the application"}.get(kind, "everybody")
    left = f"{budget['left']} of {budget['limit']} calls left" if budget["limit"] else "its limit is not known"
    resets = f", all of them again at {moment(budget['resets'])}" if budget["resets"] else ""
    blocked = f"; none before {moment(budget['blocked'])}" if budget["blocked"] else ""
    return f"{left} for {whose} at {where.rpartition('/')[0] or where}{resets}{blocked}"


def resumed(answer: Data) -> Sequence[str]:
    name, until = answer["connection"], answer.get("until")
    waits = f"waits until {moment(until)}: {answer['because']}" if until else ""
    match answer["was"]:
        case "paused":
            return [f"{name} was paused and goes on", *([f"{name} {waits}"] if waits else [])]
        case "failing":
            return [f"{name} {waits}" if waits else f"{name} waited after failures and is tried now"]
        case "limited":
            return [f"{name} was not paused; it {waits}"]
    return [f"{name} was not paused, and nothing keeps it from sending"]


def retried(answer: Data) -> Sequence[str]:
    are = "is" if answer["retried"] == 1 else "are"
    return [f"{answer['connection']}: {how_many(answer['retried'], 'link')} {are} sent once more"]
