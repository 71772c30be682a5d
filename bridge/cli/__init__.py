"""The command line: thin, each command a few lines over the desk."""

from __future__ import annotations

import errno
import logging
import os
import sys
from typing import Any, NoReturn

import click

from bridge import __version__
from bridge.cli import feeds, hooks, links, operations, people, rules, running
from bridge.errors import BridgeError, ConfigError
from bridge.values import shown

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
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            _leave(f"{shown(error.filename)} is no name of a file: it is too long", 2)


def _leave(message: str, code: int) -> NoReturn:
    # A message may quote what a terminal would take amiss.
    plain = "".join(sign if sign.isprintable() or sign in "\n\t" else "�" for sign in message)
    click.echo(click.style("pocket-bridge: ", fg="red") + plain, err=True)
    sys.exit(code)


def main() -> None:
    # The log is the running process's, which opens one; a command says what happened in its answer.
    logging.getLogger().addHandler(logging.NullHandler())
    cli(prog_name="pocket-bridge")


@click.group(cls=Commands, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="pocket-bridge")
def cli() -> None:
    """Links from Telegram, feeds, webhooks and Pocket apps, through readable rules, to your reading list."""


COMMANDS = (
    (running.run, running.init, running.check, running.status, running.resume),
    (operations.queue, operations.dead, operations.retry, operations.audit),
    (operations.doctor, operations.backup, operations.restore),
    (links.add, links.list_, links.why, links.try_, links.import_, links.export),
    (feeds.feeds,),
    (hooks.hooks,),
    (people.login, people.users, people.apps),
    (rules.rules_, rules.trash, rules.held),
)

for _command in (command for group in COMMANDS for command in group):
    cli.add_command(_command)
