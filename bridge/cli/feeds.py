"""Commands for feeds."""

from __future__ import annotations

import base64
import functools
import sys
import time
from pathlib import Path

import click

from bridge.cli.asking import as_json, ask, look, show, tell_until_it_runs, typed_address
from bridge.errors import ConfigError
from bridge.words import feeds as words

MOST_BYTES = 2 * 1024 * 1024

whose = click.option("-u", "--user", "account", default="me", help="Whose; usual: yours.")
tag = click.option("-g", "--tag", "tags", multiple=True, help="A tag for every link; may be given several times.")
start = click.option("-s", "--start", default="", help="What the first reading takes: none, last 5, since DAY, all.")
dry_run = click.option("-n", "--dry-run", is_flag=True, help="Only show what would happen.")


@click.group()
def feeds() -> None:
    """Feeds that are followed: add, list, remove, OPML in and out, and what is wrong with which."""


@feeds.command(name="list")
@whose
@as_json
def feeds_list(account: str, as_json: bool) -> None:  # noqa: FBT001
    """Show every feed: when it was last asked and is next, how often it publishes, and what is wrong."""
    in_words = functools.partial(words.feeds, now=time.time())
    look("feeds", {"account": account}, in_words, as_json=as_json, of_rules=True)


@feeds.command(name="add")
@click.argument("url")
@click.option("-m", "--name", default="", help="What rules and reports call it; usual: made of its title.")
@tag
@start
@click.option("-i", "--interval", default="", help="How often to look: 30m, 2h, 1d; usual: 1h.")
@click.option("-t", "--to", multiple=True, help="A destination for its links; may be given several times.")
@click.option("--at-once", type=click.IntRange(1, 10**6), default=None, help="Most entries taken at one poll.")
@click.option("--per-day", type=click.IntRange(1, 10**6), default=None, help="Most entries taken in a day.")
@click.option("--no-categories", is_flag=True, help="Make no tags of its categories.")
@dry_run
@whose
@as_json
def feeds_add(
    *,
    url: str,
    name: str,
    tags: tuple[str, ...],
    start: str,
    interval: str,
    to: tuple[str, ...],
    at_once: int | None,
    per_day: int | None,
    no_categories: bool,
    dry_run: bool,
    account: str,
    as_json: bool,
) -> None:
    """Follow the feed at URL, or the one that a web page there names.

    Shows what was found and what the first reading takes. When a page names several, they are listed, and none is
    followed: exit 1.
    """
    asked = {
        "url": typed_address(url),
        "account": account,
        "name": name,
        "tags": list(tags),
        "start": start,
        "interval": interval,
        "to": list(to),
        "at_once": at_once or 0,
        "per_day": per_day or 0,
        "categories": not no_categories,
        "really": not dry_run,
    }
    answer = ask("feeds-add", asked, looks=dry_run, of_rules=dry_run)
    show(answer, words.added, as_json=as_json)
    if answer["added"] and not as_json:
        tell_until_it_runs("what was found is read, and the feed asked again,")
    if "candidates" in answer:
        sys.exit(1)


@feeds.command(name="change")
@click.argument("what", metavar="NAME|URL")
@click.option("-m", "--name", default=None, help="Another name.")
@click.option("-g", "--tag", "tags", multiple=True, help="Other tags for every link, instead of those it has.")
@click.option("-i", "--interval", default=None, help="How often to look: 30m, 2h, 1d.")
@click.option("-t", "--to", multiple=True, help="Other destinations, instead of those it has.")
@click.option("--at-once", type=click.IntRange(0, 10**6), default=None, help="Most entries at one poll; 0: as usual.")
@click.option("--per-day", type=click.IntRange(0, 10**6), default=None, help="Most entries in a day; 0: no limit.")
@click.option("--categories/--no-categories", default=None, help="Whether its categories become tags.")
@whose
@as_json
def feeds_change(*, what: str, tags: tuple[str, ...], to: tuple[str, ...], as_json: bool, **wishes: object) -> None:
    """Change the name or the wishes of a feed that was added by hand. It goes on where it was."""
    asked = {"what": typed_address(what), **wishes}
    named = {key: list(values) for key, values in (("tags", tags), ("to", to)) if values}
    if not named and all(wish is None for key, wish in wishes.items() if key != "account"):
        raise ConfigError("say what to change; “pocket-bridge feeds change --help” shows what can be")
    show(ask("feeds-change", asked | named), words.changed, as_json=as_json)


@feeds.command(name="remove")
@click.argument("what", metavar="NAME|URL")
@whose
@as_json
def feeds_remove(what: str, account: str, as_json: bool) -> None:  # noqa: FBT001
    """Follow a feed no longer. One of the rule file is not touched: the line to delete is told."""
    show(ask("feeds-remove", {"what": typed_address(what), "account": account}), words.removed, as_json=as_json)


@feeds.command(name="release")
@click.argument("what", metavar="NAME|URL")
@whose
@as_json
def feeds_release(what: str, account: str, as_json: bool) -> None:  # noqa: FBT001
    """Let in at once what waits for a later poll or day because a feed had too much."""
    show(ask("feeds-release", {"what": typed_address(what), "account": account}), words.released, as_json=as_json)


@feeds.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@tag
@start
@dry_run
@whose
@as_json
def feeds_import(*, file: Path, tags: tuple[str, ...], start: str, dry_run: bool, account: str, as_json: bool) -> None:
    """Follow every feed of an OPML file; folders and categories become tags.

    What is followed already stays as it is. “-” is standard input. Exit 1 when a line was bad.
    """
    content = base64.b64encode(_content(file)).decode("ascii")
    asked = {"content": content, "account": account, "start": start, "tags": list(tags), "really": not dry_run}
    answer = ask("feeds-import", asked, looks=dry_run, of_rules=dry_run)
    show(answer, words.imported, as_json=as_json)
    if answer["added"] and not dry_run and not as_json:
        tell_until_it_runs("these feeds are read")
    if answer["bad"]:
        sys.exit(1)


def _content(file: Path) -> bytes:
    try:
        content = sys.stdin.buffer.read(MOST_BYTES + 1) if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{file} is larger than 2 MiB: no list of feeds is; split it")
    return content


@feeds.command(name="export")
@click.argument("file", type=click.Path(path_type=Path), default="-")
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@whose
def feeds_export(file: Path, force: bool, account: str) -> None:  # noqa: FBT001
    """Write all feeds as OPML, which other readers take. FILE is standard output when it is not named."""
    answer = ask("feeds-export", {"account": account}, looks=True, of_rules=True)
    if str(file) == "-":
        click.echo(answer["opml"], nl=False)
        return
    try:
        with file.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(answer["opml"])
    except FileExistsError:
        raise ConfigError(f"{file} exists already; --force replaces it") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from None
    click.echo(f"{words.number(answer['feeds'])} in {file}", err=True)


@feeds.command(name="doctor")
@whose
@as_json
def feeds_doctor(account: str, as_json: bool) -> None:  # noqa: FBT001
    """Tell for each feed what is wrong since when, and what mends it. Exit 1 when something is wrong."""
    answer = look(
        "feeds-doctor", {"account": account}, functools.partial(words.examined, now=time.time()), as_json=as_json
    )
    if any(finding["bad"] for feed in answer["feeds"] for finding in feed["findings"]):
        sys.exit(1)
