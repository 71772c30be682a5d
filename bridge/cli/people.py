"""Commands for people and applications: users, apps, signing in elsewhere."""

from __future__ import annotations

import asyncio

import click

from bridge import CONSUMER_KEY
from bridge.cli.asking import NUMBER, as_json, ask, current_settings, look, show
from bridge.errors import ConfigError
from bridge.words import people as words


@click.group()
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
    asked = {"base_url": base_url.rstrip("/"), "consumer_key": consumer_key or CONSUMER_KEY, "name": name}
    came = asyncio.run(login.sign_in(current_settings().data, person, **asked))
    click.echo(f"signed in as {came.username or 'you'}; the token is in {came.file}. For the rule file:", err=True)
    click.echo(came.destination)


@click.group()
def users() -> None:
    """People with a list of their own, and the tokens of their applications."""


password_file = click.option(
    "--password-file", type=click.Path(), default="", help="Read the password from a file; “-” is standard input."
)


@users.command(name="list")
@as_json
def users_list(as_json: bool) -> None:  # noqa: FBT001
    """Show who has a list."""
    look("users", {}, words.users, as_json=as_json)


@users.command(name="add")
@click.argument("name")
@password_file
@as_json
def users_add(name: str, password_file: str, as_json: bool) -> None:  # noqa: FBT001
    """Make a user; asks for the password. “me” gives the owner one, besides the owner's token."""
    show(ask("users-add", {"name": name, "password": _password(password_file)}), words.user_added, as_json=as_json)


@users.command(name="passwd")
@click.argument("name")
@password_file
@as_json
def users_passwd(name: str, password_file: str, as_json: bool) -> None:  # noqa: FBT001
    """Give a user another password. Tokens stay valid."""
    answer = ask("users-passwd", {"name": name, "password": _password(password_file)})
    show(answer, words.password_changed, as_json=as_json)


@users.command(name="remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def users_remove(*, name: str, yes: bool, as_json: bool) -> None:
    """Remove a user and everything that is theirs: list, links, tokens."""
    if not yes:
        click.confirm(f"Delete {name} with the whole list? There is no way back", abort=True, err=True)
    show(ask("users-remove", {"name": name}), words.user_removed, as_json=as_json)


@users.command(name="tokens")
@click.argument("name")
@as_json
def users_tokens(name: str, as_json: bool) -> None:  # noqa: FBT001
    """Show which applications hold a token of a user."""
    look("users-tokens", {"name": name}, words.tokens, as_json=as_json)


@users.command(name="token")
@click.argument("name")
@click.option("--app", "consumer_key", default="", help="Only for this consumer key.")
@as_json
def users_token(name: str, consumer_key: str, as_json: bool) -> None:  # noqa: FBT001
    """Make a token for a client that cannot sign in, and print it, this once."""
    show(ask("users-token", {"name": name, "consumer_key": consumer_key}), words.token_made, as_json=as_json)


@users.command(name="revoke")
@click.argument("token_id", metavar="NUMBER", type=NUMBER)
@as_json
def users_revoke(token_id: int, as_json: bool) -> None:  # noqa: FBT001
    """End a token, by its number in “users tokens”."""
    show(ask("users-revoke", {"token_id": token_id}), words.token_revoked, as_json=as_json)


def _password(file: str) -> str:
    if not file:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    try:
        with click.open_file(file, encoding="utf-8") as opened:
            return str(opened.read()).strip("\r\n")
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{file} cannot be read ({type(error).__name__})") from None


@click.group()
def apps() -> None:
    """Applications that may use the Pocket API, and what each may do.

    Where BRIDGE_APPS is “open”, others are taken, too, and may do everything.
    """


@apps.command(name="list")
@as_json
def apps_list(as_json: bool) -> None:  # noqa: FBT001
    """Show the applications that were added."""
    look("apps", {}, words.apps, as_json=as_json)


@apps.command(name="add")
@click.argument("consumer_key")
@click.option("-n", "--name", default="", help="What people read when they are asked to approve.")
@click.option("-p", "--permissions", default="amd", help="Any of a (add), m (modify), d (read); usual: amd.")
@as_json
def apps_add(consumer_key: str, name: str, permissions: str, as_json: bool) -> None:  # noqa: FBT001
    """Take an application by its consumer key, or change what it may do."""
    asked = {"consumer_key": consumer_key, "name": name, "permissions": permissions}
    show(ask("apps-add", asked), words.app_added, as_json=as_json)


@apps.command(name="remove")
@click.argument("consumer_key")
@as_json
def apps_remove(consumer_key: str, as_json: bool) -> None:  # noqa: FBT001
    """Remove an application and end its tokens."""
    show(ask("apps-remove", {"consumer_key": consumer_key}), words.app_removed, as_json=as_json)
