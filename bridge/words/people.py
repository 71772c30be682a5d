"""Users, their tokens, and applications in words."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.words.parts import Data, columns, day, green, how_many, moment


def users(answer: Data) -> Sequence[str]:
    return [_user(user) for user in answer["users"]]


def _user(user: Data) -> str:
    notes = ["the owner"] * user["owner"] + [how_many(user["tokens"], "token")] * bool(user["tokens"])
    since = f"since {day(user['since'])}" if user["since"] else "no password"
    return f"{user['name']:20}  {', '.join([since, *notes])}"


def user_added(answer: Data) -> Sequence[str]:
    return [f"{green('added')}: {answer['name']} can sign in and has an empty list"]


def password_changed(answer: Data) -> Sequence[str]:
    return [f"{answer['name']} has a new password; {how_many(answer['tokens'], 'token stays', 'tokens stay')} valid"]


def user_removed(answer: Data) -> Sequence[str]:
    return [f"{answer['name']} is gone, and everything that was theirs"]


def tokens(answer: Data) -> Sequence[str]:
    return [_token(token) for token in answer["tokens"]] or [f"no application holds a token of {answer['name']}"]


def _token(token: Data) -> str:
    return f"{token['id']:4}  {token['consumer_key'] or 'any application':40}  since {moment(token['since'])}"


def token_made(answer: Data) -> Sequence[str]:
    return [answer["access_token"]]


def token_revoked(answer: Data) -> Sequence[str]:
    return [f"token {answer['id']} is not taken any more"]


def apps(answer: Data) -> Sequence[str]:
    rows = [(app["consumer_key"], app["permissions"], app["name"]) for app in answer["apps"]]
    return columns(("consumer key", "may", "name"), rows) or ["no application was added"]


def app_added(answer: Data) -> Sequence[str]:
    named = f" ({answer['name']})" if answer["name"] else ""
    return [f"{green('taken')}: {answer['consumer_key']}{named}, permissions {answer['permissions']}"]


def app_removed(answer: Data) -> Sequence[str]:
    return [f"{answer['consumer_key']} is removed, its tokens are not taken any more"]
