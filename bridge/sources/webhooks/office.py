"""What people ask about hooks: which there are, what came, how it would be read, and to read it again."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from bridge.errors import ConfigError, InvalidArrival
from bridge.link import printable, tidy
from bridge.ports import Arrival, Inbox, Key
from bridge.rules import path_of
from bridge.sources.webhooks.auth import HEADERS
from bridge.sources.webhooks.finder import Found, find
from bridge.sources.webhooks.hook import Hook
from bridge.sources.webhooks.kinds import KINDS, SIGNS_OF_A_KIND, Kind
from bridge.sources.webhooks.map import FACTS, leaves_of, proposal
from bridge.sources.webhooks.reading import Said, held_by, kind_of, read, said_by
from bridge.sources.webhooks.refusals import Refusals
from bridge.sources.webhooks.register import Register, as_data
from bridge.sources.webhooks.request import HookRequest, from_raw
from bridge.sources.webhooks.save_page import bookmarklet

MOST_SHOWN = 200
LONGEST_SHOWN = 120

_PLAIN_YAML = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./\[\]-]*")


class Captures(Protocol):
    async def captured(self, hook: str, *, after: int, limit: int) -> Sequence[Mapping[str, Any]]:
        """Requests that were kept, newest first: id, source, channel, received, state, reason, raw."""
        ...

    async def how_many_captured(self, hook: str) -> int: ...

    async def captured_as(self, arrival: int) -> Mapping[str, Any] | None:
        """One of them, by its number."""
        ...


class Office:
    """Answers are plain data. No answer holds a secret but the one to `add`, which is given once.

    `folder`: where a secret may be kept in a file that the rule file names.
    """

    def __init__(self, inbox: Inbox, captures: Captures, hooks: Register, refusals: Refusals, folder: Path) -> None:
        self._inbox = inbox
        self._captures = captures
        self._hooks = hooks
        self._refusals = refusals
        self._folder = folder

    async def list(self) -> dict[str, Any]:
        """Every hook, without its secret; and who was not let in since the start, by the name that was asked for."""
        hooks = [as_data(hook, in_file=self._hooks.is_in_file(name)) for name, hook in self._hooks.items()]
        return {"hooks": hooks, "refused": list(self._refusals)}

    async def add(self, name: str, kind: str, auth: str, secret: Mapping[str, str]) -> dict[str, Any]:
        """Makes an address; see Register.add."""
        hook = await self._hooks.add(name, kind, auth, secret)
        made = "" if secret else hook.secrets[0].decode()
        return {**as_data(hook, in_file=False), "address": hook.address(), "secret": made}

    async def remove(self, name: str) -> dict[str, Any]:
        await self._hooks.remove(name)
        return {"removed": name}

    async def captured(self, name: str = "", after: int = 0, limit: int = 20) -> dict[str, Any]:
        """What came, newest first, also what nobody could read; and how many more did."""
        kept = await self._captures.captured(name, after=after, limit=limit)
        outlines = await asyncio.to_thread(lambda: [_outline(one, from_raw(one["raw"])) for one in kept])
        more = await self._captures.how_many_captured(name) - len(kept) if len(kept) == limit and not after else 0
        return {"captured": outlines, "more": more}

    async def learn(self, arrival: int, name: str = "") -> dict[str, Any]:
        """A kept request, the paths that lead to what is in it, and what they make of it.

        `needed`: whether the hook does not read it like that as it is. `hook_from`: where the hook stands, "" nowhere.
        `secret_file`: where its secret is to be put first.
        """
        kept, request = await self._request(arrival)
        if name and name != request.hook:
            raise ConfigError(_of_another(arrival, request.hook, name))
        said = said_by(request)
        where, kind = self._proposed(request, said)
        tried = _tried(replace(request, kind=kind, where={fact: [path] for fact, path in where.items()}))
        hook = self._hooks.get(request.hook)
        known, secret = await self._hooks.reference(request.hook), await self._secret(request.hook)
        came = [link.url for link in held_by(request).links]
        return {
            "arrival": arrival,
            "hook": request.hook,
            **_shown(request, said),
            "kind": kind,
            "where": where,
            "yaml": written(request.hook, kind, where, hook=hook, secret=secret),
            "hook_from": self._stands(request.hook),
            "secret_file": "" if secret is None or secret == known else secret["file"],
            "needed": bool(where) or hook is None or hook.kind != kind,
            "saved": kept["state"] in ("new", "read") and came == [link["url"] for link in tried["links"]],
            **tried,
        }

    async def _secret(self, name: str) -> Mapping[str, str] | None:
        """What the rule file should say of the secret; None where it says it already."""
        if self._hooks.is_in_file(name):
            return None
        return await self._hooks.reference(name) or {"file": str(self._folder / f"{name}.secret")}

    def _stands(self, name: str) -> str:
        if name not in self._hooks:
            return ""
        return "rule file" if self._hooks.is_in_file(name) else "command line"

    async def replay(self, arrival: int) -> tuple[int, dict[str, Any]]:
        """The same request once more, as the hook reads it now. Answers the number of the new arrival, and what it is
        that is read."""
        kept, request = await self._request(arrival)
        if hook := self._hooks.get(request.hook):
            request = replace(request, kind=hook.kind, where=hook.where)
        source = "hook" if request.hook else "save"
        key = Key("replay", uuid.uuid4().hex, keep=0.0)
        raw = replace(request, again=arrival).raw()
        [receipt] = await self._inbox.put([Arrival(source=source, channel=request.hook, key=key, raw=raw)])
        return receipt.id, _outline(kept, request)

    async def bookmarklet(self, origin: str) -> dict[str, Any]:
        """A bookmark that opens the page with the save button; `origin` is where browsers reach this bridge."""
        return {"bookmarklet": bookmarklet(origin)}

    async def _request(self, arrival: int) -> tuple[Mapping[str, Any], HookRequest]:
        if kept := await self._captures.captured_as(arrival):
            return kept, from_raw(kept["raw"])
        raise ConfigError(f"no request with number {arrival} came to a hook; “pocket-bridge hooks captured” lists them")

    def _proposed(self, request: HookRequest, said: Said) -> tuple[dict[str, str], str]:
        """A kind that knows the sender needs no paths; else those to what the finder sees."""
        sign = next((SIGNS_OF_A_KIND[header] for header in SIGNS_OF_A_KIND if header in request.headers), "")
        kind = sign or request.kind
        known = replace(request, kind=kind, where={})
        traits = kind_of(known)
        event = traits.event_of(known.headers, said.body)
        if kind != "generic" and (traits.ignores(event) or traits.links(event, said.body)):
            return {}, kind
        return proposal(said.body, find(said.body)), kind


def written(
    name: str, kind: str, where: Mapping[str, str], *, hook: Hook | None, secret: Mapping[str, str] | None
) -> str:
    """The hook as it would stand in the rule file: as `hook` is guarded now, if there is one."""
    lines = ["hooks:", f"  - name: {_yaml(name)}"]
    if kind != "generic":
        lines.append(f"    kind: {kind}")
    if hook:
        lines += [f"    {line}" for line in _guards(hook, KINDS[kind])]
    if secret and (hook is None or hook.scheme):
        [(where_from, what)] = secret.items()
        lines.append(f"    secret: {{{where_from}: {_yaml(what)}}}")
    return "\n".join([*lines, *(f"    {fact}: {_yaml(where[fact])}" for fact in FACTS if fact in where)]) + "\n"


def _guards(hook: Hook, kind: Kind) -> Iterable[str]:
    """How it is guarded, where that is not what its kind does."""
    usual = kind.header if hook.scheme == kind.auth else HEADERS.get(hook.scheme, "")
    if not hook.scheme:
        yield "open: true"
    elif hook.scheme != kind.auth or hook.header != usual:
        yield f"auth: {hook.scheme}"
    if hook.header != usual:
        yield f"header: {hook.header}"
    if hook.methods != kind.methods:
        yield f"methods: [{', '.join(sorted(hook.methods))}]"


def _of_another(arrival: int, hook: str, asked: str) -> str:
    if not hook:
        return f"request {arrival} came to /save, which takes no mapping, and not to hook “{asked}”"
    command = f"pocket-bridge hooks learn {hook} --id {arrival}"
    return f"request {arrival} came to hook “{hook}”, not to “{asked}”: {command}"


def _yaml(text: str) -> str:
    quoted = text.replace("'", "''")
    return text if _PLAIN_YAML.fullmatch(text) and not text.replace(".", "").isdigit() else f"'{quoted}'"


def _outline(kept: Mapping[str, Any], request: HookRequest) -> dict[str, Any]:
    links = held_by(request).links if kept["state"] != "parked" else ()
    first = links[0] if links else Found("")
    outline = {name: kept[name] for name in ("id", "received", "state", "reason")}
    return outline | {
        "hook": request.hook,
        "kind": request.kind,
        "method": request.method,
        "content_type": tidy(request.content_type),
        "bytes": len(request.body),
        "again": request.again,
        "links": len(links),
        "link": printable(first.url),
        "title": tidy(first.title),
    }


def _shown(request: HookRequest, said: Said) -> dict[str, Any]:
    leaves = ((tidy(path_of(steps)), leaf) for steps, leaf in leaves_of(said.body) if isinstance(leaf, str) and leaf)
    fields = [[path, tidy(leaf)[:LONGEST_SHOWN]] for path, leaf in _first(leaves, MOST_SHOWN)]
    return {
        "method": request.method,
        "content_type": tidy(request.content_type),
        "query": {tidy(name): _tidied(value) for name, value in said.query.items()},
        "event": tidy(said.event),
        "fields": fields,
        "notes": list(said.notes),
    }


def _tidied(value: str | list[str]) -> str | list[str]:
    return tidy(value) if isinstance(value, str) else [tidy(one) for one in value]


def _first(pairs: Iterable[tuple[str, str]], most: int) -> Iterable[tuple[str, str]]:
    return (pair for pair, _ in zip(pairs, range(most), strict=False))


def _tried(request: HookRequest) -> dict[str, Any]:
    arrival = Arrival(source="hook", channel=request.hook, key=Key("", ""), raw=request.raw())
    try:
        reading = read([arrival])
    except InvalidArrival as nothing:
        return {"links": [], "error": str(nothing)}
    links = [{fact: getattr(link, fact) for fact in FACTS} | {"url": printable(link.url)} for link in reading.sightings]
    return {"links": links, "error": "; ".join(reading.notes) if not links else ""}


Commands = Mapping[str, Callable[..., Awaitable[Any]]]


def commands(office: Office, outcome: Callable[[int], Awaitable[Any]]) -> Commands:
    """The office's commands by the names they have at the desk. `outcome`: waits for what becomes of an arrival."""

    async def replay(arrival: int) -> Any:
        number, replayed = await office.replay(arrival)
        return {**await outcome(number), "replayed": replayed}

    return {
        "hooks": office.list,
        "hooks-add": office.add,
        "hooks-remove": office.remove,
        "hooks-captured": office.captured,
        "hooks-learn": office.learn,
        "hooks-replay": replay,
        "hooks-bookmarklet": office.bookmarklet,
    }
