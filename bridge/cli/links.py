"""Commands for links: save, ask why, try, bring and take away."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from bridge.cli.asking import as_json, ask, conversation, current_settings, look, show, typed_address
from bridge.errors import ConfigError, InvalidArrival
from bridge.link import web_address
from bridge.scan import web_addresses
from bridge.words import links as words


@click.command()
@click.argument("url")
@click.option("-t", "--title", default="", help="A title; without one the list finds its own.")
@click.option("-g", "--tag", "tags", multiple=True, help="A tag; may be given several times.")
@click.option("-n", "--note", default="", help="A note to keep with the link.")
@as_json
def add(url: str, title: str, tags: tuple[str, ...], note: str, as_json: bool) -> None:  # noqa: FBT001
    """Save a link and say what became of it."""
    if len(url.split()) > 1 and len(found := web_addresses(url)) > 1:
        raise ConfigError(f"these are {len(found)} addresses: add one at a time, or bring a file with “import”")
    _refuse_no_address(typed_address(url))
    answer = ask("add", {"url": typed_address(url), "title": title, "tags": list(tags), "note": note})
    show(answer, words.added, as_json=as_json)
    if not words.is_saved(answer):
        sys.exit(1)


def _refuse_no_address(what: str) -> None:
    try:
        web_address(what)
    except InvalidArrival as error:
        raise ConfigError(str(error)) from None


@click.command()
@click.argument("url")
@as_json
def why(url: str, as_json: bool) -> None:  # noqa: FBT001
    """Tell a link's whole way.

    What arrived and from where, what was read, each rule with the clause that decided, each delivery with its
    attempts and answers. Exit 1 when nothing is known of it.
    """
    answer = look(
        "why", {"url": typed_address(url)}, functools.partial(words.passport, now=time.time()), as_json=as_json
    )
    if answer["since"] is None and not any(answer.get(part) for part in ("refused", "waiting", "marked", "item")):
        sys.exit(1)


@click.command(name="list")
@click.option("--most", default=20, show_default=True, type=click.IntRange(1, 1000), help="Links to show.")
@click.option("-g", "--tag", default="", help="Only those with this tag.")
@as_json
def list_(*, most: int, tag: str, as_json: bool) -> None:
    """Show what is on bridge's own reading list, newest first.

    Links, not the texts behind them: any Pocket client shows them, too, and `export` takes them away.
    """
    look("list", {"most": most, "tag": tag}, words.listed, as_json=as_json)


@click.command(name="try")
@click.argument("what")
@as_json
def try_(what: str, as_json: bool) -> None:  # noqa: FBT001
    """Show what would happen to something. Nothing is saved.

    WHAT is an address, a text with addresses in it, or the address of a feed.
    """
    from bridge import trial

    followed = _followed()
    answer = asyncio.run(trial.tried(current_settings(), typed_address(what), followed=followed))
    show(answer, words.trial, as_json=as_json)


def _followed() -> Sequence[Mapping[str, Any]]:
    """The feeds that are followed; nothing is made where no bridge ever was."""
    from bridge.wiring import DATABASE

    if not (current_settings().data / DATABASE).exists():
        return []
    feeds: Sequence[Mapping[str, Any]] = ask("feeds", {}, looks=True)["feeds"]
    return feeds


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", default="", metavar="NAME", help="Send everything to this connection instead of keeping it.")
@click.option("--keep", is_flag=True, help="With --to: put it on the list, too.")
@click.option("--rules", is_flag=True, help="Let the rules decide on every link, as if each had just come.")
@as_json
def import_(*, file: Path, to: str, keep: bool, rules: bool, as_json: bool) -> None:
    """Bring a list: put what is in FILE on the reading list.

    FILE is a ZIP or CSV from Pocket, ril_export.html, a CSV from Instapaper, bookmarks (HTML), OPML, an export of our
    own, or a text file with one address a line. Time added, tags, title and archived state are kept; what is on the
    list already gets the tags and keeps the rest. Running it twice adds nothing. Exit 1 when a row was bad.
    """
    from bridge import moving

    if rules and (to or keep):
        raise ConfigError("--rules lets the rules decide where links go: it cannot be used with --to or --keep")
    way = {"to": to, "keep": keep or not to, "rules": rules}
    with conversation() as ask, _progress() as progress:
        answer = moving.bring(ask, file, way, progress)
    show(answer, words.imported, as_json=as_json)
    if answer["bad"]:
        sys.exit(1)


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "-f", "--format", "kind", type=click.Choice(["zip", "html", "json"]), help="Usual: what FILE's name says, else zip."
)
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
def export(*, file: Path | None, kind: str | None, force: bool) -> None:
    """Take the reading list away: Pocket's ZIP of CSVs, bookmarks (HTML), or JSON, which alone holds everything.

    FILE is pocket-bridge.zip (or .html, .json) when it is not named; “-” is standard output.
    """
    from bridge import moving

    file = file or Path(f"pocket-bridge.{kind or 'zip'}")
    with conversation(looks=True) as ask:
        answer = moving.take_away(ask, file, kind or moving.kind_of(file), force=force)
    show(answer, words.exported, as_json=False, err=True)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; elsewhere a line for every tenth that is done."""
    if not sys.stderr.isatty():
        told = 0

        def tell(done: int, size: int) -> None:
            nonlocal told
            if (tenth := 10 * done // max(size, 1)) > told:
                told = tenth
                click.echo(f"{10 * tenth} % read", err=True)

        yield tell
        return
    with click.progressbar(length=1, label="importing", file=sys.stderr) as bar:

        def move(done: int, size: int) -> None:
            bar.length = max(size, 1)
            bar.update(done - bar.pos)

        yield move
