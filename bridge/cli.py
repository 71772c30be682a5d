"""The command line: thin, each command a few lines over the desk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import click

from bridge import __version__, words
from bridge.errors import BridgeError, ConfigError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(click.Group):
    """Errors of ours are sentences: exit 2 for wrong use or configuration, 1 for what failed."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            _leave(str(error), 2)
        except BridgeError as error:
            _leave(str(error), 1)
        except BrokenPipeError:
            # The reader of our output has left: nobody is there to be told.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)


def _leave(message: str, code: int) -> NoReturn:
    click.echo(click.style("pocket-bridge: ", fg="red") + message, err=True)
    sys.exit(code)


def main() -> None:
    cli(prog_name="pocket-bridge")


@click.group(cls=Commands, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="pocket-bridge")
def cli() -> None:
    """Links from Telegram, feeds, webhooks and Pocket apps, through readable rules, to your reading list."""


as_json = click.option("--json", "as_json", is_flag=True, help="Print plain JSON for scripts.")


@cli.command()
def run() -> None:
    """Run everything until stopped.

    Sources, rules, sender and web server, in one process that owns the data folder. Ctrl-C or SIGTERM ends it after
    what it is doing; a second one ends it at once.
    """
    from bridge import service

    sys.exit(service.run(_settings()))


@cli.command()
@click.argument("url")
@click.option("-t", "--title", default="", help="A title; without one the list finds its own.")
@click.option("-g", "--tag", "tags", multiple=True, help="A tag; may be given several times.")
@click.option("-n", "--note", default="", help="A note to keep with the link.")
@as_json
def add(url: str, title: str, tags: tuple[str, ...], note: str, as_json: bool) -> None:  # noqa: FBT001
    """Save a link and say what became of it."""
    answer = _ask("add", {"url": url, "title": title, "tags": list(tags), "note": note})
    _show(answer, words.added, as_json=as_json)
    if answer["state"] == "parked":
        sys.exit(1)


@cli.command()
@click.argument("url")
@as_json
def why(url: str, as_json: bool) -> None:  # noqa: FBT001
    """Tell a link's whole way.

    What arrived and from where, what was read, each rule with the clause that decided, each delivery with its
    attempts and answers. Exit 1 when nothing is known of it.
    """
    answer = _ask("why", {"url": url})
    _show(answer, words.passport, as_json=as_json)
    if answer["since"] is None and not answer["refused"] and not answer["waiting"] and not answer["marked"]:
        sys.exit(1)


@cli.command(name="try")
@click.argument("what")
@as_json
def try_(what: str, as_json: bool) -> None:  # noqa: FBT001
    """Show what would happen to something. Nothing is saved.

    WHAT is an address, a text with addresses in it, or the address of a feed.
    """
    from bridge import trial

    answer = asyncio.run(trial.tried(_settings(), what))
    _show(answer, words.trial, as_json=as_json)


@cli.command()
@as_json
def check(as_json: bool) -> None:  # noqa: FBT001
    """Check settings and rule file.

    Runs the tests in the rule file too. Exit 2 when something is wrong.
    """
    from bridge import settings as variables
    from bridge import wiring

    rule_file = wiring.check(_settings())
    answer = {
        "file": rule_file.name if rule_file.text else "",
        "rules": len(rule_file.rules),
        "feeds": len(rule_file.feeds),
        "destinations": ["reading", *rule_file.destinations],
        "tests": len(rule_file.tests),
        "warnings": variables.unknown_variables(os.environ),
    }
    _show(answer, words.checked, as_json=as_json)


@cli.command()
@as_json
def status(as_json: bool) -> None:  # noqa: FBT001
    """Show what is on, what came in, what waits.

    For each connection what waits there, until when, and why.
    """
    _show(_ask("status", {}), words.status, as_json=as_json)


@cli.command()
@click.argument("connection")
@as_json
def resume(connection: str, as_json: bool) -> None:  # noqa: FBT001
    """Let a paused connection go on."""
    _show(_ask("resume", {"name": connection}), words.resumed, as_json=as_json)


@cli.command()
@click.argument("connection")
@as_json
def retry(connection: str, as_json: bool) -> None:  # noqa: FBT001
    """Send once more what was refused for good."""
    _show(_ask("retry", {"name": connection}), words.retried, as_json=as_json)


def _settings() -> Any:
    from bridge.settings import load_settings

    return load_settings()


def _ask(command: str, arguments: Mapping[str, Any]) -> Any:
    """Asks the running process, or does it here when none runs."""
    from bridge import control

    settings = _settings()
    with contextlib.suppress(ConnectionError):
        return control.ask(settings.data, command, arguments)
    with control.own(settings.data):
        return asyncio.run(_alone(settings, command, arguments))


async def _alone(settings: Any, command: str, arguments: Mapping[str, Any]) -> Any:
    from bridge.wiring import open_bridge

    async with open_bridge(settings) as bridge, bridge.working():
        return await bridge.desk.handle(command, arguments)


def _show(answer: Any, in_words: Callable[[Any], Sequence[str]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    for line in in_words(answer):
        click.echo(line)
