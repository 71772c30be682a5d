"""The section `hooks`."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from bridge.rules._document import Node, place_of
from bridge.rules._faults import wrong
from bridge.rules._file import Hook
from bridge.rules._parts import Names, called, header_name, secret, unique
from bridge.rules._paths import steps_of
from bridge.rules._rule import Rule
from bridge.rules._rules import rules
from bridge.rules._values import Reader, a_list, block, each, one_of, some, text, truth

KINDS = (
    "generic github gitlab gitea bitbucket slack discord miniflux karakeep standard-webhooks cloudevents ifttt zapier "
    "mailgun postmark inoreader mastodon readwise"
).split()
"""The names of the kinds; what they are stands beside the door."""

SCHEMES = (
    "bearer path basic header hmac-sha1 hmac-sha256 hmac-sha512 standard-webhooks slack ed25519 mailgun body-secret"
).split()
"""The names of the ways a request can prove where it is from."""

METHODS = ("GET", "POST", "PUT")

HOOK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_WITH_HEADER = ("header", "hmac-sha1", "hmac-sha256", "hmac-sha512")


def hooks(node: Node, what: str, names: Names) -> tuple[Hook, ...]:
    nodes = a_list(node, what)
    read = each(nodes, partial(_hook, own_rules=partial(rules, names=names)), what)
    unique(nodes, [hook.name for hook in read], "name", "another hook is called “{}” already")
    return read


def _hook(node: Node, _what: str, own_rules: Reader[tuple[Rule, ...]]) -> Hook:
    readers: dict[str, Reader[Any]] = {
        "name": _name,
        "kind": one_of(KINDS, "kind of hook"),
        "auth": one_of(SCHEMES, "way to authenticate"),
        "header": header_name,
        "secret": some(secret),
        "open": truth,
        "methods": some(one_of(METHODS, "method")),
        "rules": own_rules,
        **dict.fromkeys(("url", "title", "tags", "note"), some(_path)),
    }
    what = called("hook", node)
    hook = Hook(**block(node, what, readers, required=("name",)))
    _agree(node, hook, what)
    return hook


def _agree(node: Node, hook: Hook, what: str) -> None:
    if not hook.secret and not hook.open:
        meant = "Add “secret: {env: NAME}” or “secret: {file: PATH}”, or “open: true” if anybody may save."
        raise wrong(node, f"{what} has no “secret”: anybody could save links through it", meant)
    if hook.open and (hook.secret or hook.auth):
        raise wrong(place_of(node, ["open"]), f"{what} is open and asks for a secret", "Remove one of the two.")
    if hook.auth == "header" and not hook.header:
        raise wrong(place_of(node, ["auth"]), f"{what} does not say which header", "Add “header: X-Its-Name”.")
    if hook.header and hook.auth not in _WITH_HEADER:
        meant = f"“header” goes with “auth”: {', '.join(_WITH_HEADER)}."
        raise wrong(place_of(node, ["header"]), f"{what} reads no header of its own", meant)


def _name(node: Node, what: str) -> str:
    name = text(node, what)
    if not HOOK_NAME.fullmatch(name):
        meant = "Its name is part of an address: at most 64 of A-Z a-z 0-9 . _ -, a letter or digit first."
        raise wrong(node, f"{what} cannot be “{name}”", meant)
    return name


def _path(node: Node, what: str) -> str:
    path = text(node, what)
    try:
        steps_of(path)
    except ValueError:
        meant = "Write the keys from outside to inside: data.entry.link; every entry of a list: items[].url."
        raise wrong(node, f"{what} is no path: “{path}”", meant) from None
    return path
