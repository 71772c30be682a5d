"""Commands for hooks."""

from __future__ import annotations

import functools
import re
import sys
import time
from pathlib import Path

import click

from bridge.cli.asking import NUMBER, as_json, ask, current_settings, look, show
from bridge.errors import BridgeError, ConfigError
from bridge.words import hooks as words
from bridge.words import links


@click.group()
def hooks() -> None:
    """Addresses that services send links to: list, add, see what came, learn where the link is, replay."""


def _where_reached(_context: click.Context, _option: click.Parameter, given: str) -> str:
    scheme, _, rest = given.rstrip("/").partition("://")
    if given and (scheme.lower() not in ("http", "https") or not re.fullmatch(r"[^\s/?#@]+(/[^\s?#]*)?", rest)):
        raise click.BadParameter(f"“{given}” is not where a bridge is reached; write https://bridge.example")
    return given.rstrip("/")


origin = click.option(
    "--origin",
    default="",
    callback=_where_reached,
    help="Where others reach this bridge: https://bridge.example. Usually what BRIDGE_PUBLIC_URL says.",
)


@hooks.command(name="list")
@as_json
def hooks_list(as_json: bool) -> None:  # noqa: FBT001
    """Show every hook, its kind, its address without the token, and how it is guarded."""
    look("hooks", {}, words.hooks, as_json=as_json, of_rules=True)


@hooks.command(name="add")
@click.argument("name")
@click.option("-k", "--kind", default="generic", help="What sends there: generic, github, slack, ifttt …")
@click.option("-a", "--auth", default="", help="How it proves itself, if not as its kind does: bearer, path, basic …")
@click.option("--secret-file", default="", help="A file with the secret, when the service makes it.")
@click.option("--secret-env", default="", help="A variable with the secret, when the service makes it.")
@origin
@as_json
def hooks_add(
    *,
    name: str,
    kind: str,
    auth: str,
    secret_file: str,
    secret_env: str,
    origin: str,
    as_json: bool,
) -> None:
    """Make an address for a service and print it with its secret, once."""
    given = {"file": str(Path(secret_file).resolve())} if secret_file else {"env": secret_env} if secret_env else {}
    answer = ask("hooks-add", {"name": name, "kind": kind, "auth": auth, "secret": given})
    in_words = functools.partial(words.hook_added, as_its_kind=not auth)
    show(answer | {"url": _reached(origin) + answer["address"]}, in_words, as_json=as_json)


@hooks.command(name="remove")
@click.argument("name")
@as_json
def hooks_remove(name: str, as_json: bool) -> None:  # noqa: FBT001
    """Close an address that was made by “hooks add”."""
    show(ask("hooks-remove", {"name": name}), words.hook_removed, as_json=as_json)


@hooks.command(name="captured")
@click.argument("name", default="")
@click.option(
    "-n", "--most", "--limit", "limit", type=click.IntRange(1, 10**6), default=20, help="So many, newest first."
)
@as_json
def hooks_captured(name: str, limit: int, as_json: bool) -> None:  # noqa: FBT001
    """Show what came to a hook, or to all of them, also what could not be read."""
    look("hooks-captured", {"name": name, "limit": limit}, words.captured, as_json=as_json)


@hooks.command(name="learn")
@click.argument("name")
@click.option("--id", "arrival", type=NUMBER, default=None, help="A captured request instead of the next one.")
@click.option("--timeout", default=600.0, help="Seconds to wait for the next request.")
@as_json
def hooks_learn(name: str, arrival: int | None, timeout: float, as_json: bool) -> None:  # noqa: FBT001
    """Wait for the next request to a hook, show what is in it, propose where its link is, and try that."""
    asked = {"name": name, "arrival": arrival or _next_request(name, timeout)}
    answer = ask("hooks-learn", asked, looks=True)
    show(answer, words.learned, as_json=as_json)
    if answer["error"]:
        sys.exit(1)


@hooks.command(name="replay")
@click.argument("arrival", metavar="REQUEST", type=NUMBER)
@as_json
def hooks_replay(arrival: int, as_json: bool) -> None:  # noqa: FBT001
    """Read a captured request once more, as its hook reads it now, and save what is in it.

    REQUEST is its number, as “hooks captured” and “why” show it.
    """
    answer = ask("hooks-replay", {"arrival": arrival})
    show(answer, words.replayed, as_json=as_json)
    if not links.is_saved(answer):
        sys.exit(1)


@hooks.command(name="bookmarklet")
@origin
@as_json
def hooks_bookmarklet(origin: str, as_json: bool) -> None:  # noqa: FBT001
    """Print a bookmark that saves the page one is looking at. It holds no token."""
    answer = ask("hooks-bookmarklet", {"origin": _reached(origin)}, looks=True, of_rules=True)
    show(answer, lambda answer: [answer["bookmarklet"]], as_json=as_json)


def _reached(origin: str) -> str:
    """Where others reach this bridge. When nobody says, where it listens, and a word on that to the person."""
    settings = current_settings()
    if known := origin or settings.public_url.rstrip("/"):
        return known
    here = f"{'https' if settings.tls_cert else 'http'}://{settings.listen}"
    click.echo(words.only_here(here, on_loopback=settings.on_loopback), err=True)
    return here


def _next_request(name: str, seconds: float) -> int:
    """The number of the next request that comes to a hook; only a running process can take one."""
    from bridge import control

    data = current_settings().data
    try:
        seen = control.ask(data, "hooks-captured", {"limit": 1})["captured"]
        click.echo(f"waiting for the next request to /hooks/{name} …", err=True)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            asked = {"name": name, "after": seen[0]["id"] if seen else 0, "limit": 1000}
            if came := control.ask(data, "hooks-captured", asked)["captured"]:
                return int(came[-1]["id"])
            time.sleep(0.3)
    except ConnectionError:
        raise ConfigError(
            "no pocket-bridge is running, so nothing can come: start it, or name a captured request with --id"
        ) from None
    raise BridgeError(f"nothing came to /hooks/{name} within {seconds:g} seconds; “hooks list” tells who was refused")
