"""The process in words: what is on, what waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from bridge.words.operations import no_destination
from bridge.words.parts import STATES, Data, counted, green, how_many, moment, older_rules, red


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
        yield from (f"     {line}" for line in source["words"])
    yield f"arrivals   {counted(answer['arrivals'])}"
    yield f"links      {counted(answer['sightings'])}"
    if answer.get("waiting_for_pages"):
        number = answer["waiting_for_pages"]
        yield f"pages      {how_many(number, 'arrival waits for its page', 'arrivals wait for their pages')}"
    for connection in answer["connections"]:
        yield f"{connection['name']:10} {counted(connection['deliveries'], STATES)}"
        if connection["state"] == "paused":
            yield f"{'':10} {red('paused')}: {connection['because']}; pocket-bridge resume {connection['name']}"
        elif connection["because"]:
            yield f"{'':10} waits until {moment(connection['not_before'])}: {connection['because']}"
        if connection["done"]:
            yield f"{'':10} done about {moment(connection['done'])}, at the pace of the last hour"
    if answer["rules"].get("older"):
        first, *more = older_rules(answer["rules"]["older"])
        yield f"rules      {red(first)}"
        yield from (f"{'':10} {line}" for line in more)
    for budget in answer["budgets"]:
        yield f"budget     {_budget(budget)}"
    for name, states in answer["without_connection"].items():
        yield f"{name:10} {counted(states, STATES)}"
        yield f"{'':10} {no_destination(name)}"


def _budget(budget: Data) -> str:
    """The digest of a credential tells people nothing: whom it holds for, and where, does."""
    kind, _, where = budget["scope"].partition(":")
    left = f"{budget['left']} of {budget['limit']} calls left" if budget["limit"] else "its limit is not known"
    resets = f", all of them again at {moment(budget['resets'])}" if budget["resets"] else ""
    blocked = f"; none before {moment(budget['blocked'])}" if budget["blocked"] else ""
    return f"{kind} at {where.rpartition('/')[0] or where}: {left}{resets}{blocked}"


def resumed(answer: Data) -> Sequence[str]:
    was = "was paused and goes on" if answer["was"] == "paused" else "was not paused"
    return [f"{answer['connection']} {was}"]


def retried(answer: Data) -> Sequence[str]:
    are = "is" if answer["retried"] == 1 else "are"
    return [f"{answer['connection']}: {how_many(answer['retried'], 'link')} {are} sent once more"]
