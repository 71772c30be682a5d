"""Rules in words: what they did, what they would do, what they keep back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from bridge.words.parts import Data, columns, counted, green, how_many, moment, older_rules, quoted


def rules_listed(answer: Data) -> Sequence[str]:
    older = [click.style(line, fg="red") for line in older_rules(answer["older"])] if answer.get("older") else []
    if not answer["rules"]:
        return [*older, "there are no rules: everything is kept"]
    width = max(len(rule["name"]) for rule in answer["rules"])
    return [
        *older,
        f"{'rule':{width}}  {'24 h':>6}  {'30 d':>6}  last match",
        *(_rule_counted(rule, width) for rule in answer["rules"]),
        *(click.style(line, fg="yellow") for line in answer["warnings"]),
    ]


def _rule_counted(rule: Data, width: int) -> str:
    last = moment(rule["last"]) if rule["last"] else click.style("not in 30 days", fg="yellow")
    return f"{rule['name']:{width}}  {rule['day']:6}  {rule['month']:6}  {last}"


_EFFECTS = {
    "dropped": "would be dropped",
    "kept": "would not be dropped any more",
    "dropped_otherwise": "would be dropped by another rule",
    "held": "would be held",
    "let_go": "would not be held any more",
    "held_otherwise": "would be held by another rule",
    "to": "would go elsewhere",
    "tags": "would get other tags",
    "title": "would get another title",
    "url": "would get another address",
}


def rules_compared(answer: Data) -> Sequence[str]:
    return list(_rules_compared(answer))


def _rules_compared(answer: Data) -> Iterator[str]:
    links = how_many(answer["links"], "link")
    if not answer["differing"]:
        yield f"none of {links} would go differently" if answer["links"] else "no links came in in that time"
        return
    yield f"{answer['differing']} of {links} would go differently: {counted(answer['kinds'], _EFFECTS)}"
    for link in answer["shown"]:
        yield click.style(link["url"], bold=True) + quoted(link["title"])
        yield from (f"  {kind:8} {_listed(was)} -> {_listed(now)}" for kind, (was, now) in link["changes"].items())
    if answer["differing"] > len(answer["shown"]):
        yield f"… and {answer['differing'] - len(answer['shown'])} more"


def _listed(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) and value else f"“{value}”" if value else "nothing"


def rules_applied(answer: Data) -> Sequence[str]:
    went = "changed" if answer["done"] else "would change"
    lines = [f"{how_many(answer['links'], 'link')} looked at, {answer['changed'] or 'none'} {went}"]
    if answer["dropped"]:
        stay = "it stays where it is" if answer["dropped"] == 1 else "they stay where they are"
        lines.append(f"{how_many(answer['dropped'], 'kept link')} would be dropped now: {stay}")
    return lines


def trash(answer: Data) -> Sequence[str]:
    rows = [
        (str(link["id"]), moment(link["received"]), link["reason"], link["url"] + quoted(link["title"]))
        for link in answer["dropped"]
    ]
    empty = f"nothing in the trash has “{answer['words']}” in it" if answer["words"] else "the trash is empty"
    return columns(("sighting", "received", "dropped by", "link"), rows) or [empty]


def rescued(answer: Data) -> Sequence[str]:
    return [f"{green('kept')}: {answer['url']} goes to {', '.join(answer['to'])}"]


def held(answer: Data) -> Sequence[str]:
    rows = [
        (str(link["id"]), link["connection"], link["because"], link["url"] + quoted(link["title"]))
        for link in answer["held"]
    ]
    return columns(("delivery", "goes to", "held by", "link"), rows) or ["nothing is held"]


def released(answer: Data) -> Sequence[str]:
    return [f"{'sent' if answer['sent'] else 'given up'}: {answer['released']} of what was held"]
