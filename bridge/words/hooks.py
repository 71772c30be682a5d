"""Hooks in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.words import links
from bridge.words.parts import Data, beside, columns, green, hashtags, moment, quoted, red, wrapped


def hooks(answer: Data) -> Sequence[str]:
    if not answer["hooks"]:
        return ["no hooks yet; with the owner's token any name is one: POST /hooks/NAME", *_refused(answer)]
    rows = [
        (
            hook["name"],
            hook["kind"],
            hook["auth"],
            ",".join(hook["methods"]),
            hook["address"],
            hook["from"],
            _where(hook),
        )
        for hook in answer["hooks"]
    ]
    return [*columns(("name", "kind", "proof", "methods", "address", "from", "paths"), rows), *_refused(answer)]


def _refused(answer: Data) -> Iterator[str]:
    """Who was not let in since the start."""
    width = max((len(refused["name"]) for refused in answer["refused"]), default=0) + 1
    for refused in answer["refused"]:
        told = f"refused {refused['number']}, last at {moment(refused['last'])}: {refused['why']}"
        yield from beside(refused["name"], told, width)


def _where(hook: Data) -> str:
    return ", ".join(f"{fact}: {paths[0]}" for fact, paths in hook["where"].items())


_ENTER = {
    "github": "Settings → Webhooks: Payload URL = address, Content type = application/json, Secret = secret",
    "gitlab": "Settings → Webhooks: URL = address, Secret token = secret",
    "gitea": "Settings → Webhooks: Target URL = address, POST content type = application/json, Secret = secret",
    "bitbucket": "Repository settings → Webhooks: URL = address, Secret = secret",
    "slack": "Event Subscriptions (or a slash command): Request URL = address",
    "discord": "Webhooks: Endpoint URL = address",
    "miniflux": "Settings → Integrations → Webhook: Webhook URL = address",
    "karakeep": "Settings → Webhooks: URL = address, Auth token = secret",
    "standard-webhooks": "the endpoint's URL = address",
    "ifttt": "“Make a web request”: URL = address, Method = POST, Content type = application/json; no header",
    "mailgun": 'a route with the action forward("ADDRESS")',
    "postmark": "inbound webhook = address with the secret in it: https://USER:PASSWORD@…",
    "inoreader": "a rule's webhook = address; the secret is in it",
    "mastodon": "Administration → Webhooks: Endpoint URL = address",
    "readwise": "Webhook: URL = address",
}
_ENTER_BY_PROOF = {
    "bearer": "where it sends from: URL = address, and the header",
    "path": "where it sends from: URL = address; the secret is in it",
    "basic": "where it sends from: URL = address, user and password = secret, before and after the colon",
    "header": "where it sends from: URL = address, header {header} = secret",
}


def only_here(address: str, *, on_loopback: bool) -> str:
    """That nobody said where others reach this bridge."""
    reach = "services on the internet cannot reach it" if on_loopback else "is that where others reach it?"
    return f"({address} is where it listens: {reach}; BRIDGE_PUBLIC_URL or --origin tells the public address)"


def hook_added(answer: Data, *, as_its_kind: bool = True) -> Sequence[str]:
    """`as_its_kind`: nobody chose another way to prove a request."""
    lines = [f"{green('added')}: {answer['name']} ({answer['kind']}, {answer['auth']})", f"  address  {answer['url']}"]
    if answer["secret"] and answer["secret"] not in answer["url"]:
        lines.append(f"  secret   {answer['secret']}")
    if answer["auth"] == "bearer":
        lines.append(f"  header   Authorization: Bearer {answer['secret'] or 'SECRET'}")
    lines += beside("  enter", _enter(answer, as_its_kind=as_its_kind), 10)
    return [*lines, f"Send something there, then: pocket-bridge hooks captured {answer['name']}"]


def _enter(answer: Data, *, as_its_kind: bool) -> str:
    """What is to be entered where the requests come from."""
    here = "where it sends from: URL = address"
    signed = f"{here}, secret = secret; its signature comes in {{header}}" if answer["header"] else here
    of_kind = _ENTER.get(answer["kind"]) if as_its_kind else None
    words = of_kind or _ENTER_BY_PROOF.get(answer["auth"], signed)
    return words.format(header=answer["header"])


def hook_removed(answer: Data) -> Sequence[str]:
    return [f"{answer['removed']} is closed"]


_LONGEST_NAME = 24


def captured(answer: Data) -> Sequence[str]:
    return list(_captured(answer)) or ["nothing came yet"]


def _captured(answer: Data) -> Iterator[str]:
    """A row for each request, and below it what is in it, or why nothing."""
    head = ("request", "received", "hook", "method", "bytes", "state")
    first, *rows = columns(head, [_row(request) for request in answer["captured"]]) or [""]
    if rows:
        yield first
    for row, request in zip(rows, answer["captured"], strict=True):
        yield row
        for line in _holds(request):
            yield f"{'':8} {line}"
    if answer["more"]:
        shows = min(len(answer["captured"]) + answer["more"], 1000)
        yield f"… and {answer['more']} more; --most {shows} shows more"


def _row(request: Data) -> tuple[str, ...]:
    name = request["hook"] or "(save)"
    return (
        str(request["id"]),
        moment(request["received"]),
        name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…",
        request["method"],
        str(request["bytes"]),
        request["state"],
    )


def _holds(request: Data) -> Iterator[str]:
    if request["again"]:
        yield f"request {request['again']} once more"
    if request["link"]:
        more = f"  and {request['links'] - 1} more" if request["links"] > 1 else ""
        yield f"{request['link']}{more}"
        yield from _lines(quoted(request["title"]).strip())
    else:
        # What would be right is told to who sends, and would be told here in every row.
        yield from _lines(request["reason"].partition("; send JSON like")[0])


def _lines(text: str) -> Sequence[str]:
    return [line.lstrip() for line in beside("", text, 8)] if text else []


def replayed(answer: Data) -> Sequence[str]:
    request = answer["replayed"]
    where = f"hook {request['hook']}" if request["hook"] else "/save"
    what = f": {request['link']}" if request["link"] else ""
    told = f"request {request['id']}, which came to {where} at {moment(request['received'])}{what}"
    return [told, *links.added(answer)]


def learned(answer: Data) -> Sequence[str]:
    return list(_learned(answer))


def _learned(answer: Data) -> Iterator[str]:
    event = f", event {answer['event']}" if answer["event"] else ""
    yield f"request {answer['arrival']}: {answer['method']} {answer['content_type'] or 'no content type'}{event}"
    yield from (f"  {path} = {text}" for path, text in answer["fields"])
    yield from (f"  ?{name} = {value}" for name, value in answer["query"].items())
    yield from (f"  ({note})" for note in answer["notes"])
    yield ""
    yield from wrapped(_how_set(answer))
    if answer["needed"]:
        yield ""
        yield answer["yaml"].rstrip()
    yield ""
    for link in answer["links"]:
        note = f"  ({link['note']})" if link["note"] else ""
        yield f"{green('gives')}: {link['url']}{quoted(link['title'])}{hashtags(link['tags'])}{note}"
    yield from wrapped(_and_now(answer))


def _and_now(answer: Data) -> str:
    if answer["error"]:
        return f"{red('gives nothing')}: {answer['error']}"
    if answer["saved"]:
        return "It was saved as it came."
    once = " once that is in the rule file" if answer["needed"] else ""
    return f"To save it{once}: pocket-bridge hooks replay {answer['arrival']}"


def _how_set(answer: Data) -> str:
    """Where a mapping is set, and what is to be done about the secret."""
    name, secret = answer["hook"], answer["secret_file"]
    if not answer["needed"] and answer["error"]:
        return "Nothing is proposed: no place in it holds a link."
    if not answer["needed"]:
        return f"Hook {name} reads it as it is; nothing needs to be set."
    lead = "It is read as it is; a mapping only fixes where the link stands. " if answer["saved"] else ""
    if answer["hook_from"] == "rule file":
        return f"{lead}Hook {name} stands in the rule file; its secret there stays as it is. It gets:"
    paste = "Paste this into the rule file, which wins over the hook that was added:"
    if answer["hook_from"] and not secret:
        return f"{lead}A mapping is set in the rule file. {paste}"
    if answer["hook_from"]:
        return (
            f"{lead}A mapping is set in the rule file. First put the secret that “hooks add” printed into the file "
            f"{secret} (if it is lost: “hooks remove {name}”, and a new one there and where the requests come from). "
            f"{paste}"
        )
    return (
        f"{lead}It came with the owner's token. A mapping is set in the rule file, where it has a secret of its own: "
        f"first put one into the file {secret}, and enter the same where the requests come from. Then paste:"
    )
