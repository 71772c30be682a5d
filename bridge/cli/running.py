"""Commands for the process: run it, set it up, check it, see how it stands."""

from __future__ import annotations

import asyncio
import sys

import click

from bridge.cli.asking import as_json, ask, current_settings, look, show
from bridge.words import running as words


@click.command()
def init() -> None:
    """Set up Telegram: ask for the bot's token and learn who you are.

    @BotFather gives the token. You write to your bot, and your id goes onto the list of those who may save links. Both
    are written to .env in this folder.
    """
    from bridge import first_start

    settings = current_settings()
    token = click.prompt("The bot's token, from @BotFather (it is not shown)", hide_input=True).strip()
    asked = first_start.introduce(settings, token, say=click.echo, is_it_you=click.confirm)
    number = asyncio.run(asked)
    if not click.confirm(f"Write the token and your id to {first_start.ENV}?", default=True):
        return
    allowed = first_start.on_the_list(settings.telegram_allow, number)
    first_start.keep(first_start.ENV, {first_start.TOKEN: token, first_start.ALLOW: allowed})
    click.echo(f"{first_start.ENV} is written. pocket-bridge run saves what you write to the bot from now on.")


@click.command()
def run() -> None:
    """Run everything until stopped.

    Sources, rules, sender and web server, in one process that owns the data folder. Ctrl-C or SIGTERM ends it after
    what it is doing; a second one ends it at once.
    """
    from bridge import service

    sys.exit(service.run(current_settings()))


@click.command()
@as_json
def check(as_json: bool) -> None:  # noqa: FBT001
    """Check settings and rule file.

    Runs the tests in the rule file too. Exit 2 when something is wrong.
    """
    from bridge import control, declared
    from bridge import settings as variables
    from bridge.remarks import remarks

    settings = current_settings()
    rule_file = declared.check(settings)
    control.check(settings.data)
    answer = {
        "file": str(settings.rules) if settings.rules.exists() else "",
        "rules": len(rule_file.rules),
        "feeds": len(rule_file.feeds),
        "destinations": ["reading", *rule_file.destinations],
        "tests": len(rule_file.tests),
        "warnings": [*variables.doubts(), *remarks(rule_file)],
    }
    show(answer, words.checked, as_json=as_json)


@click.command()
@as_json
def status(as_json: bool) -> None:  # noqa: FBT001
    """Show what is on, what came in, what waits.

    For each connection what waits there, until when, and why.
    """
    look("status", {}, words.status, as_json=as_json)


@click.command()
@click.argument("connection")
@as_json
def resume(connection: str, as_json: bool) -> None:  # noqa: FBT001
    """Let a paused connection go on, and one that waits after failures try now.

    A limit of the service stays; it says until when.
    """
    show(ask("resume", {"name": connection}), words.resumed, as_json=as_json)
