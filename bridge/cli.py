"""The command line: thin, each command a few lines over the desk."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

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
    # The log is the running process's, which opens one; a command says what happened in its answer.
    logging.getLogger().addHandler(logging.NullHandler())
    cli(prog_name="pocket-bridge")


@click.group(cls=Commands, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="pocket-bridge")
def cli() -> None:
    """Links from Telegram, feeds, webhooks and Pocket apps, through readable rules, to your reading list."""


@cli.command()
def init() -> None:
    """Set up Telegram: ask for the bot's token and learn who you are.

    @BotFather gives the token. You write to your bot, and your id goes onto the list of those who may save links. Both
    are written to .env in this folder.
    """
    from bridge import first_start

    settings = _settings()
    token = click.prompt("The bot's token, from @BotFather (it is not shown)", hide_input=True).strip()
    asked = first_start.introduce(settings, token, say=click.echo, is_it_you=click.confirm)
    number = asyncio.run(asked)
    if not click.confirm(f"Write the token and your id to {first_start.ENV}?", default=True):
        return
    allowed = sorted({*settings.telegram_allow, number})
    first_start.keep(first_start.ENV, {first_start.TOKEN: token, first_start.ALLOW: ",".join(map(str, allowed))})
    click.echo(f"{first_start.ENV} is written. pocket-bridge run saves what you write to the bot from now on.")


# A host with a dot, not an address of mail, and no scheme in front.
_BARE_ADDRESS = re.compile(r"[^\s/:@?#.][^\s/:@?#]*\.[^\s/:@?#.\d][^\s/:@?#.]*(:\d+)?([/?#]\S*)?")


def _typed(what: str) -> str:
    """What a person typed; an address may lack its scheme."""
    return f"https://{what.strip()}" if _BARE_ADDRESS.fullmatch(what.strip()) else what


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
    answer = _ask("add", {"url": _typed(url), "title": title, "tags": list(tags), "note": note})
    _show(answer, words.added, as_json=as_json)
    if not words.is_saved(answer):
        sys.exit(1)


@cli.command()
@click.argument("url")
@as_json
def why(url: str, as_json: bool) -> None:  # noqa: FBT001
    """Tell a link's whole way.

    What arrived and from where, what was read, each rule with the clause that decided, each delivery with its
    attempts and answers. Exit 1 when nothing is known of it.
    """
    answer = _look("why", {"url": _typed(url)}, functools.partial(words.passport, now=time.time()), as_json=as_json)
    if answer["since"] is None and not any(answer.get(part) for part in ("refused", "waiting", "marked", "item")):
        sys.exit(1)


@cli.command(name="try")
@click.argument("what")
@as_json
def try_(what: str, as_json: bool) -> None:  # noqa: FBT001
    """Show what would happen to something. Nothing is saved.

    WHAT is an address, a text with addresses in it, or the address of a feed.
    """
    from bridge import trial

    answer = asyncio.run(trial.tried(_settings(), _typed(what)))
    _show(answer, words.trial, as_json=as_json)


@cli.command()
@as_json
def check(as_json: bool) -> None:  # noqa: FBT001
    """Check settings and rule file.

    Runs the tests in the rule file too. Exit 2 when something is wrong.
    """
    from bridge import settings as variables
    from bridge import wiring

    settings = _settings()
    rule_file = wiring.check(settings)
    answer = {
        "file": str(settings.rules) if settings.rules.exists() else "",
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
    _look("status", {}, words.status, as_json=as_json)


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


@cli.command(name="import")
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
    with _conversation() as ask, _progress() as progress:
        answer = moving.bring(ask, file, way, progress)
    _show(answer, words.imported, as_json=as_json)
    if answer["bad"]:
        sys.exit(1)


@cli.command()
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
    with _conversation() as ask:
        answer = moving.take_away(ask, file, kind or moving.kind_of(file), force=force)
    _show(answer, words.exported, as_json=False, err=True)


@cli.group()
def hooks() -> None:
    """Addresses that services send links to: list, add, see what came, learn where the link is, replay."""


origin = click.option("--origin", default="", help="Where others reach this bridge: https://bridge.example.")


@hooks.command(name="list")
@as_json
def hooks_list(as_json: bool) -> None:  # noqa: FBT001
    """Show every hook, its kind, its address without the token, and how it is guarded."""
    _show(_ask("hooks", {}), words.hooks, as_json=as_json)


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
    answer = _ask("hooks-add", {"name": name, "kind": kind, "auth": auth, "secret": given})
    _show(answer | {"url": _origin(origin) + answer["address"]}, words.hook_added, as_json=as_json)


@hooks.command(name="remove")
@click.argument("name")
@as_json
def hooks_remove(name: str, as_json: bool) -> None:  # noqa: FBT001
    """Close an address that was made by “hooks add”."""
    _show(_ask("hooks-remove", {"name": name}), words.hook_removed, as_json=as_json)


@hooks.command(name="captured")
@click.argument("name", default="")
@click.option("-n", "--limit", default=20, help="How many, newest first.")
@as_json
def hooks_captured(name: str, limit: int, as_json: bool) -> None:  # noqa: FBT001
    """Show what came to a hook, or to all of them, also what could not be read."""
    _look("hooks-captured", {"name": name, "limit": limit}, words.captured, as_json=as_json)


@hooks.command(name="learn")
@click.argument("name")
@click.option("--id", "arrival", type=int, default=0, help="A captured request instead of the next one.")
@click.option("--timeout", default=600.0, help="Seconds to wait for the next request.")
@as_json
def hooks_learn(name: str, arrival: int, timeout: float, as_json: bool) -> None:  # noqa: FBT001
    """Wait for the next request to a hook, show what is in it, propose where its link is, and try that."""
    answer = _ask("hooks-learn", {"name": name, "arrival": arrival or _next_request(name, timeout)})
    _show(answer, words.learned, as_json=as_json)
    if answer["error"]:
        sys.exit(1)


@hooks.command(name="replay")
@click.argument("arrival", type=int)
@as_json
def hooks_replay(arrival: int, as_json: bool) -> None:  # noqa: FBT001
    """Read a captured request once more, as its hook reads it now, and save what is in it."""
    answer = _ask("hooks-replay", {"arrival": arrival})
    _show(answer, words.added, as_json=as_json)
    if not words.is_saved(answer):
        sys.exit(1)


@hooks.command(name="bookmarklet")
@origin
@as_json
def hooks_bookmarklet(origin: str, as_json: bool) -> None:  # noqa: FBT001
    """Print a bookmark that saves the page one is looking at. It holds no token."""
    answer = _ask("hooks-bookmarklet", {"origin": _origin(origin)})
    _show(answer, lambda answer: [answer["bookmarklet"]], as_json=as_json)


def _origin(given: str) -> str:
    return given.rstrip("/") or f"http://{_settings().listen}"


def _next_request(name: str, seconds: float) -> int:
    """The number of the next request that comes to a hook; only a running process can take one."""
    from bridge import control

    data = _settings().data
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
    raise BridgeError(f"nothing came to /hooks/{name} within {seconds:g} seconds; did its sender get a 401?")


@cli.group()
def login() -> None:
    """Sign in at a service and keep its token."""


@login.command(name="pocket")
@click.argument("base_url", metavar="URL")
@click.option("-n", "--name", default="pocket", help="The destination's name; usual: pocket.")
@click.option("-k", "--key", "consumer_key", default="", help="Your consumer key at that server.")
def login_pocket(base_url: str, name: str, consumer_key: str) -> None:
    """Sign in at a Pocket-compatible server at URL.

    Opens its page, waits until you have approved, keeps the token in a file of the data folder that only you can
    read, and prints what to write into the rule file.
    """
    import webbrowser

    from bridge import login

    person = login.Person(tell=lambda line: click.echo(line, err=True), show=webbrowser.open, enter=login.enter)
    asked = {"base_url": base_url.rstrip("/"), "consumer_key": consumer_key or login.KEY, "name": name}
    came = asyncio.run(login.sign_in(_settings().data, person, **asked))
    click.echo(f"signed in as {came.username or 'you'}; the token is in {came.file}. For the rule file:", err=True)
    click.echo(came.destination)


@cli.group()
def users() -> None:
    """People with a list of their own, and the tokens of their applications."""


password_file = click.option(
    "--password-file", type=click.Path(), default="", help="Read the password from a file; “-” is standard input."
)


@users.command(name="list")
@as_json
def users_list(as_json: bool) -> None:  # noqa: FBT001
    """Show who has a list."""
    _show(_ask("users", {}), words.users, as_json=as_json)


@users.command(name="add")
@click.argument("name")
@password_file
@as_json
def users_add(name: str, password_file: str, as_json: bool) -> None:  # noqa: FBT001
    """Make a user; asks for the password. “me” gives the owner one, besides the owner's token."""
    _show(_ask("users-add", {"name": name, "password": _password(password_file)}), words.user_added, as_json=as_json)


@users.command(name="passwd")
@click.argument("name")
@password_file
@as_json
def users_passwd(name: str, password_file: str, as_json: bool) -> None:  # noqa: FBT001
    """Give a user another password. Tokens stay valid."""
    answer = _ask("users-passwd", {"name": name, "password": _password(password_file)})
    _show(answer, words.password_changed, as_json=as_json)


@users.command(name="remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def users_remove(*, name: str, yes: bool, as_json: bool) -> None:
    """Remove a user and everything that is theirs: list, links, tokens."""
    if not yes:
        click.confirm(f"Delete {name} with the whole list? There is no way back", abort=True, err=True)
    _show(_ask("users-remove", {"name": name}), words.user_removed, as_json=as_json)


@users.command(name="tokens")
@click.argument("name")
@as_json
def users_tokens(name: str, as_json: bool) -> None:  # noqa: FBT001
    """Show which applications hold a token of a user."""
    _show(_ask("users-tokens", {"name": name}), words.tokens, as_json=as_json)


@users.command(name="token")
@click.argument("name")
@click.option("--app", "consumer_key", default="", help="Only for this consumer key.")
@as_json
def users_token(name: str, consumer_key: str, as_json: bool) -> None:  # noqa: FBT001
    """Make a token for a client that cannot sign in, and print it, this once."""
    _show(_ask("users-token", {"name": name, "consumer_key": consumer_key}), words.token_made, as_json=as_json)


@users.command(name="revoke")
@click.argument("token_id", metavar="NUMBER", type=int)
@as_json
def users_revoke(token_id: int, as_json: bool) -> None:  # noqa: FBT001
    """End a token, by its number in “users tokens”."""
    _show(_ask("users-revoke", {"token_id": token_id}), words.token_revoked, as_json=as_json)


def _password(file: str) -> str:
    if not file:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    try:
        with click.open_file(file, encoding="utf-8") as opened:
            return str(opened.read()).strip("\r\n")
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{file} cannot be read ({type(error).__name__})") from None


@cli.group()
def apps() -> None:
    """Applications that may use the Pocket API, and what each may do.

    Where BRIDGE_APPS is “open”, others are taken, too, and may do everything.
    """


@apps.command(name="list")
@as_json
def apps_list(as_json: bool) -> None:  # noqa: FBT001
    """Show the applications that were added."""
    _show(_ask("apps", {}), words.apps, as_json=as_json)


@apps.command(name="add")
@click.argument("consumer_key")
@click.option("-n", "--name", default="", help="What people read when they are asked to approve.")
@click.option("-p", "--permissions", default="amd", help="Any of a (add), m (modify), d (read); usual: amd.")
@as_json
def apps_add(consumer_key: str, name: str, permissions: str, as_json: bool) -> None:  # noqa: FBT001
    """Take an application by its consumer key, or change what it may do."""
    asked = {"consumer_key": consumer_key, "name": name, "permissions": permissions}
    _show(_ask("apps-add", asked), words.app_added, as_json=as_json)


@apps.command(name="remove")
@click.argument("consumer_key")
@as_json
def apps_remove(consumer_key: str, as_json: bool) -> None:  # noqa: FBT001
    """Remove an application and end its tokens."""
    _show(_ask("apps-remove", {"consumer_key": consumer_key}), words.app_removed, as_json=as_json)


@cli.group(name="rules")
def rules_() -> None:
    """What rules did and do: list, explain, diff, apply, schema."""


@rules_.command(name="list")
@as_json
def rules_list(as_json: bool) -> None:  # noqa: FBT001
    """Show each rule with its matches, and what is suspicious.

    Matches in 24 hours and in 30 days; rules that never match, that another one shadows, that undo each other.
    """
    _look("rules_list", {}, words.rules_listed, as_json=as_json)


@rules_.command(name="explain")
@click.argument("what")
@as_json
def rules_explain(what: str, as_json: bool) -> None:  # noqa: FBT001
    """Show what the rules of now make of a link, and which clause decides.

    WHAT is the address of a link that came in, the number of one in the trash, or a text with addresses.
    """
    _show(_ask("rules_explain", {"what": _typed(what)}), words.trial, as_json=as_json)


@rules_.command(name="diff")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--days", default=30.0, show_default=True, help="How far back to look.")
@as_json
def rules_diff(file: TextIO, days: float, as_json: bool) -> None:  # noqa: FBT001
    """Show what FILE would have done differently with the links that came in. Nothing is changed."""
    answer = _ask("rules_diff", {"text": file.read(), "name": file.name, "days": days})
    _show(answer, words.rules_compared, as_json=as_json)


@rules_.command(name="apply")
@click.option("--since", "days", default=30.0, show_default=True, help="Days back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def rules_apply(days: float, *, yes: bool, as_json: bool) -> None:
    """Apply the rules of now to the links that came in before.

    New destinations and tags; nothing that was sent is taken back. Shows a summary and asks first.
    """
    since = time.time() - days * 86400
    summary = _ask("rules_apply", {"since": since, "really": False})
    if not yes:
        _show(summary, words.rules_applied, as_json=False, err=True)
        click.confirm("Do it?", abort=True, err=True)
    _show(_ask("rules_apply", {"since": since, "really": True}), words.rules_applied, as_json=as_json)


@rules_.command(name="schema")
def rules_schema() -> None:
    """Print the JSON Schema of the rule file, for editors."""
    from bridge.rules import schema

    click.echo(json.dumps(schema(), ensure_ascii=False, indent=2))


@cli.group()
def trash() -> None:
    """Links that rules dropped: list, rescue."""


@trash.command(name="list")
@click.argument("words_", metavar="[WORDS]", default="")
@as_json
def trash_list(words_: str, as_json: bool) -> None:  # noqa: FBT001
    """Show dropped links with the rule that dropped them, newest first; WORDS in address, title or rule."""
    _look("trash_list", {"words": words_}, words.trash, as_json=as_json)


@trash.command(name="rescue")
@click.argument("number", type=int)
@as_json
def trash_rescue(number: int, as_json: bool) -> None:  # noqa: FBT001
    """Keep a dropped link after all."""
    _show(_ask("trash_rescue", {"number": number}), words.rescued, as_json=as_json)


@cli.group()
def held() -> None:
    """Links that wait for review: list, send, give up."""


@held.command(name="list")
@as_json
def held_list(as_json: bool) -> None:  # noqa: FBT001
    """Show what waits, and which rule holds it."""
    _look("held_list", {}, words.held, as_json=as_json)


@held.command(name="send")
@click.argument("numbers", type=int, nargs=-1)
@as_json
def held_send(numbers: tuple[int, ...], as_json: bool) -> None:  # noqa: FBT001
    """Let links go; without a number, all of them."""
    _release(numbers, send=True, as_json=as_json)


@held.command(name="give-up")
@click.argument("numbers", type=int, nargs=-1, required=True)
@as_json
def held_give_up(numbers: tuple[int, ...], as_json: bool) -> None:  # noqa: FBT001
    """Do not send these."""
    _release(numbers, send=False, as_json=as_json)


def _release(numbers: tuple[int, ...], *, send: bool, as_json: bool) -> None:
    answer = _ask("held_release", {"numbers": numbers, "send": send})
    _show(answer, words.released, as_json=as_json)
    if missing := len(set(numbers)) - answer["released"] if numbers else 0:
        raise BridgeError(f"{missing} of these numbers {'is' if missing == 1 else 'are'} not held; see: held list")


def _settings() -> Any:
    from bridge.settings import load_settings

    return load_settings()


def _look(
    command: str, arguments: Mapping[str, Any], in_words: Callable[[Any], Sequence[str]], *, as_json: bool
) -> Any:
    """Asks and shows what is there; people are told when nothing is at work on it."""
    answer = _ask(command, arguments, tell_idle=not as_json)
    _show(answer, in_words, as_json=as_json)
    return answer


def _ask(command: str, arguments: Mapping[str, Any], *, tell_idle: bool = False) -> Any:
    """Asks the running process, or does it here when none runs."""
    from bridge import control

    settings = _settings()
    with contextlib.suppress(ConnectionError):
        return control.ask(settings.data, command, arguments)
    if tell_idle:
        click.echo(f"(pocket-bridge is not running; this is what lies in {settings.data})", err=True)
    with control.own(settings.data):
        return asyncio.run(_alone(settings, command, arguments))


@contextlib.contextmanager
def _conversation() -> Iterator[Callable[[str, Mapping[str, Any]], Any]]:
    """Asks one thing after another: the running process, or a bridge that lives as long as this when none runs."""
    from bridge import control

    settings = _settings()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(control.own(settings.data))
        except control.Running:
            yield functools.partial(_of_running, settings.data)
            return
        runner = stack.enter_context(asyncio.Runner())
        house = contextlib.AsyncExitStack()
        stack.callback(lambda: runner.run(house.aclose()))
        desk = runner.run(_opened(house, settings))
        yield lambda command, arguments: runner.run(desk.handle(command, arguments))


async def _opened(house: contextlib.AsyncExitStack, settings: Any) -> Any:
    from bridge.wiring import open_bridge

    bridge = await house.enter_async_context(open_bridge(settings))
    await house.enter_async_context(bridge.working())
    return bridge.desk


def _of_running(data: Path, command: str, arguments: Mapping[str, Any]) -> Any:
    from bridge import control

    try:
        return control.ask(data, command, arguments)
    except OSError:
        raise BridgeError("the running pocket-bridge stopped; run this once more, nothing is added twice") from None


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


async def _alone(settings: Any, command: str, arguments: Mapping[str, Any]) -> Any:
    from bridge.wiring import open_bridge

    async with open_bridge(settings) as bridge, bridge.working():
        return await bridge.desk.handle(command, arguments)


def _show(answer: Any, in_words: Callable[[Any], Sequence[str]], *, as_json: bool, err: bool = False) -> None:
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    for line in in_words(answer):
        click.echo(line, err=err)
