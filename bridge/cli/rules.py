"""Commands for rules and what they keep back."""

from __future__ import annotations

import json
import time
from typing import BinaryIO

import click

from bridge.cli.asking import NUMBER, as_json, ask, look, show, typed_address
from bridge.errors import BridgeError, ConfigError
from bridge.words import links
from bridge.words import rules as words

MOST_DAYS = 36500


def _days(_context: click.Context, _option: click.Parameter, given: float) -> float:
    if not 0 < given <= MOST_DAYS:  # nan is neither
        raise click.BadParameter(f"{given:g} days cannot be looked back; write 30, or 0.5 for twelve hours")
    return given


@click.group(name="rules")
def rules_() -> None:
    """What rules did and do: list, explain, diff, apply, schema."""


@rules_.command(name="list")
@as_json
def rules_list(as_json: bool) -> None:  # noqa: FBT001
    """Show each rule with its matches, and what is suspicious.

    Matches in 24 hours and in 30 days; rules that never match, that another one shadows, that undo each other.
    """
    look("rules_list", {}, words.rules_listed, as_json=as_json, of_rules=True)


@rules_.command(name="explain")
@click.argument("what")
@as_json
def rules_explain(what: str, as_json: bool) -> None:  # noqa: FBT001
    """Show what the rules of now make of a link, and which clause decides.

    WHAT is the address of a link that came in, the number of its sighting (“why” and the trash show it), or a text
    with addresses.
    """
    look("rules_explain", {"what": typed_address(what)}, links.trial, as_json=as_json, of_rules=True)


@rules_.command(name="diff")
@click.argument("file", type=click.File("rb"))
@click.option("--days", default=30.0, show_default=True, callback=_days, help="How far back to look.")
@as_json
def rules_diff(file: BinaryIO, days: float, as_json: bool) -> None:  # noqa: FBT001
    """Show what FILE would have done differently with the links that came in. Nothing is changed."""
    try:
        text = file.read().decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{file.name} is no text in UTF-8, so it is no rule file") from None
    asked = {"text": text, "name": file.name, "days": days}
    look("rules_diff", asked, words.rules_compared, as_json=as_json, of_rules=True)


@rules_.command(name="apply")
@click.option("--since", "days", default=30.0, show_default=True, callback=_days, help="Days back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def rules_apply(days: float, *, yes: bool, as_json: bool) -> None:
    """Apply the rules of now to the links that came in before.

    New destinations and tags; nothing that was sent is taken back. Shows a summary and asks first.
    """
    since = time.time() - days * 86400
    if not yes:
        summary = ask("rules_apply", {"since": since, "really": False}, looks=True)
        if not summary["changed"]:
            show(summary, words.rules_applied, as_json=as_json)
            return
        show(summary, words.rules_applied, as_json=False, err=True)
        click.confirm("Do it?", abort=True, err=True)
    show(ask("rules_apply", {"since": since, "really": True}), words.rules_applied, as_json=as_json)


@rules_.command(name="schema")
def rules_schema() -> None:
    """Print the JSON Schema of the rule file, for editors."""
    from bridge.rules import schema

    click.echo(json.dumps(schema(), ensure_ascii=False, indent=2))


@click.group()
def trash() -> None:
    """Links that rules dropped: list, rescue."""


@trash.command(name="list")
@click.argument("words_", metavar="[WORDS]", default="")
@as_json
def trash_list(words_: str, as_json: bool) -> None:  # noqa: FBT001
    """Show dropped links with the rule that dropped them, newest first; WORDS in address, title or rule."""
    look("trash_list", {"words": words_}, words.trash, as_json=as_json)


@trash.command(name="rescue")
@click.argument("number", type=NUMBER)
@as_json
def trash_rescue(number: int, as_json: bool) -> None:  # noqa: FBT001
    """Keep a dropped link after all."""
    show(ask("trash_rescue", {"number": number}), words.rescued, as_json=as_json)


@click.group()
def held() -> None:
    """Links that wait for review: list, send, give up."""


@held.command(name="list")
@as_json
def held_list(as_json: bool) -> None:  # noqa: FBT001
    """Show what waits, and which rule holds it."""
    look("held_list", {}, words.held, as_json=as_json)


@held.command(name="send")
@click.argument("numbers", type=NUMBER, nargs=-1)
@as_json
def held_send(numbers: tuple[int, ...], as_json: bool) -> None:  # noqa: FBT001
    """Let links go; without a number, all of them."""
    _release(numbers, send=True, as_json=as_json)


@held.command(name="give-up")
@click.argument("numbers", type=NUMBER, nargs=-1, required=True)
@as_json
def held_give_up(numbers: tuple[int, ...], as_json: bool) -> None:  # noqa: FBT001
    """Do not send these."""
    _release(numbers, send=False, as_json=as_json)


def _release(numbers: tuple[int, ...], *, send: bool, as_json: bool) -> None:
    answer = ask("held_release", {"numbers": numbers, "send": send})
    if answer["released"] or not numbers or as_json:
        show(answer, words.released, as_json=as_json)
    if missing := len(set(numbers)) - answer["released"] if numbers else 0:
        raise BridgeError(f"{missing} of these numbers {'is' if missing == 1 else 'are'} not held; see: held list")
