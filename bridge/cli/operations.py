"""Commands for looking after it: what waits, what was refused, the books, backups, what is wrong."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import click

from bridge.cli.asking import as_json, ask, current_settings, look, show
from bridge.errors import BridgeError, ConfigError
from bridge.words import operations as words
from bridge.words import running

most = click.option("--most", default=50, show_default=True, type=click.IntRange(1, 1000), help="Links to show.")
without_asking = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group(invoke_without_command=True)
@click.option("--to", "connection", default="", metavar="NAME", help="Only what goes to this connection.")
@most
@as_json
@click.pass_context
def queue(context: click.Context, connection: str, most: int, as_json: bool) -> None:  # noqa: FBT001
    """Show what waits where, until when and why.

    `queue cancel` gives it up, `queue move` sends it elsewhere.
    """
    if context.invoked_subcommand is None:
        look("queue", {"connection": connection, "most": most}, words.queue, as_json=as_json)


@queue.command(name="cancel")
@click.argument("what", nargs=-1, required=True, metavar="NAME|NUMBER...")
@without_asking
@as_json
def queue_cancel(what: tuple[str, ...], *, yes: bool, as_json: bool) -> None:
    """Do not send what waits: all of a connection, or single links by number.

    NAME may be a destination that is not in the rule file any more.
    """
    connection, numbers = _meant(what)
    if connection and not yes:
        show(ask("queue", {"connection": connection, "most": 10}, looks=True), words.queue, as_json=False, err=True)
        click.confirm(f"Give up all that waits for {connection}?", abort=True, err=True)
    answer = ask("queue_cancel", {"connection": connection, "numbers": numbers})
    if answer["cancelled"] or not numbers or as_json:
        show(answer, words.cancelled, as_json=as_json)
    _all_found(numbers, answer["cancelled"], "does not wait", "do not wait", "queue")


@queue.command(name="move")
@click.argument("connection", metavar="FROM")
@click.argument("to")
@without_asking
@as_json
def queue_move(connection: str, to: str, *, yes: bool, as_json: bool) -> None:
    """Send what waits for one connection to another one instead, with its tags.

    FROM may be a destination that is not in the rule file any more.
    """
    if not yes:
        show(ask("queue", {"connection": connection, "most": 10}, looks=True), words.queue, as_json=False, err=True)
        click.confirm(f"Send all that waits for {connection} to {to}?", abort=True, err=True)
    show(ask("queue_move", {"connection": connection, "to": to}), words.moved, as_json=as_json)


@click.command()
@click.argument("connection", default="")
@most
@as_json
def dead(connection: str, most: int, as_json: bool) -> None:  # noqa: FBT001
    """Show links that were refused for good, with the reason; newest first."""
    look("dead", {"connection": connection, "most": most}, words.dead, as_json=as_json)


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="NAME|NUMBER...")
@as_json
def retry(what: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001
    """Send once more what was refused for good.

    All of a connection, or single links by the numbers that `dead` shows.
    """
    connection, numbers = _meant(what)
    if connection:
        show(ask("retry", {"name": connection}), running.retried, as_json=as_json)
        return
    answer = ask("again", {"numbers": numbers})
    if answer["retried"] or as_json:
        show(answer, words.retried, as_json=as_json)
    _all_found(numbers, answer["retried"], "was not refused", "were not refused", "dead")


def _meant(what: tuple[str, ...]) -> tuple[str, list[int]]:
    """One connection's name, or numbers."""
    numbers = [int(word) for word in what if word.isdecimal() and len(word) < 19]
    if numbers and len(numbers) == len(what):
        return "", numbers
    if len(what) > 1:
        raise ConfigError("name one connection, or numbers; not both")
    return what[0], []


def _all_found(numbers: list[int], found: int, one: str, many: str, see: str) -> None:
    if missing := len(set(numbers)) - found if numbers else 0:
        raise BridgeError(f"{missing} of these numbers {one if missing == 1 else many}; see: {see}")


@click.command()
@click.option("--by-day", is_flag=True, help="A line for each day.")
@as_json
def audit(as_json: bool, *, by_day: bool) -> None:  # noqa: FBT001
    """Check that everything that came is accounted for. Exit 1 when it is not.

    By source and by day: arrivals are read, empty, commands or parked; their links are delivered, known already,
    dropped, held, waiting, unknown, refused or cancelled.
    """
    answer = look("audit", {}, functools.partial(words.audited, by_day=by_day), as_json=as_json)
    if not answer["balances"]:
        sys.exit(1)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@as_json
def backup(*, file: Path, force: bool, as_json: bool) -> None:
    """Write a copy of the database to FILE, while everything runs.

    It is consistent and checked, and holds no token and no key. FILE lies outside the data folder.
    """
    from bridge import restoring

    answer = ask("backup", {"file": str(file.absolute()), "force": force}, looks=True)
    show(answer | {"beside": restoring.beside(current_settings())}, words.backed_up, as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
def restore(file: Path, as_json: bool) -> None:  # noqa: FBT001
    """Go back to a backup. Stop pocket-bridge first.

    FILE is checked before anything is touched; what is there now is kept aside.
    """
    from bridge import restoring

    show(restoring.restore(current_settings(), file), words.restored, as_json=as_json)


@click.command()
@as_json
def doctor(as_json: bool) -> None:  # noqa: FBT001
    """Look for what is wrong, and say what mends it. Exit 1 when something is.

    SQLite, the database, the disk, permissions, the clock, settings, rules, connections, feeds.
    """
    from bridge import checkup

    answer = checkup.examine()
    show(answer, words.examined, as_json=as_json)
    if any(finding["level"] == "wrong" for finding in answer["findings"]):
        sys.exit(1)
