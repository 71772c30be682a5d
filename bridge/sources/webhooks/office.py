"""What people ask about hooks: which there are, what came, how it would be read, and to read it again."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from bridge.errors import ConfigError, InvalidArrival
from bridge.link import printable, tidy
from bridge.ports import Arrival, Inbox, Key
from bridge.rules import path_of
from bridge.sources.webhooks.finder import find
from bridge.sources.webhooks.hook import Hook
from bridge.sources.webhooks.kinds import SIGNS_OF_A_KIND
from bridge.sources.webhooks.map import FACTS, leaves_of, proposal
from bridge.sources.webhooks.reading import Said, kind_of, read, said_by
from bridge.sources.webhooks.refusals import Refusals
from bridge.sources.webhooks.register import Register, as_data
from bridge.sources.webhooks.request import HookRequest, from_raw
from bridge.sources.webhooks.save_page import bookmarklet

MOST_SHOWN = 200
LONGEST_SHOWN = 120

_PLAIN_YAML = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\[\]-]*")
_NOT_IN_A_VARIABLE = re.compile(r"[^A-Z0-9]+")


class Captures(Protocol):
    async def captured(self, hook: str, *, after: int, limit: int) -> Sequence[Mapping[str, Any]]:
        """Requests that were kept, newest first: id, source, channel, received, state, reason, raw."""
        ...

    async def captured_as(self, arrival: int) -> str | None:
        """The raw text of one of them."""
        ...


class Office:
    """Answers are plain data. No answer holds a secret but the one to `add`, which is given once."""

    def __init__(self, inbox: Inbox, captures: Captures, hooks: Register, refusals: Refusals) -> None:
        self._inbox = inbox
        self._captures = captures
        self._hooks = hooks
        self._refusals = refusals

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
        """What came, newest first, also what nobody could read."""
        kept = await self._captures.captured(name, after=after, limit=limit)
        return {"captured": [_outline(request) for request in kept]}

    async def learn(self, arrival: int, name: str = "") -> dict[str, Any]:
        """A kept request, the paths that lead to what is in it, and what they make of it."""
        request = await self._request(arrival)
        said = said_by(request)
        hook = name or request.hook
        where, kind = self._proposed(request, said)
        tried = replace(request, kind=kind, where={fact: [path] for fact, path in where.items()})
        return {
            "arrival": arrival,
            "hook": hook,
            **_shown(request, said),
            "kind": kind,
            "where": where,
            "yaml": written(hook, kind, where, signed=self._hooks.get(hook)),
            **_tried(tried),
        }

    async def replay(self, arrival: int) -> int:
        """The same request once more, as the hook reads it now. Answers the number of the new arrival."""
        request = await self._request(arrival)
        if hook := self._hooks.get(request.hook):
            request = replace(request, kind=hook.kind, where=hook.where)
        source = "hook" if request.hook else "save"
        key = Key("replay", uuid.uuid4().hex, keep=0.0)
        [receipt] = await self._inbox.put([Arrival(source=source, channel=request.hook, key=key, raw=request.raw())])
        return receipt.id

    async def bookmarklet(self, origin: str) -> dict[str, Any]:
        """A bookmark that opens the page with the save button; `origin` is where browsers reach this bridge."""
        return {"bookmarklet": bookmarklet(origin)}

    async def _request(self, arrival: int) -> HookRequest:
        if raw := await self._captures.captured_as(arrival):
            return from_raw(raw)
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


def written(hook: str, kind: str, where: Mapping[str, str], *, signed: Hook | None) -> str:
    """The hook as it would stand in the rule file."""
    variable = _NOT_IN_A_VARIABLE.sub("_", f"HOOK_{hook.upper()}_SECRET")
    lines = ["hooks:", f"  - name: {_yaml(hook)}"]
    if kind != "generic":
        lines.append(f"    kind: {kind}")
    if signed and not signed.scheme:
        lines.append("    open: true")
    else:
        lines.append(f"    secret: {{env: {variable}}}")
    return "\n".join([*lines, *(f"    {fact}: {_yaml(where[fact])}" for fact in FACTS if fact in where)]) + "\n"


def _yaml(text: str) -> str:
    quoted = text.replace("'", "''")
    return text if _PLAIN_YAML.fullmatch(text) and not text.replace(".", "").isdigit() else f"'{quoted}'"


def _outline(kept: Mapping[str, Any]) -> dict[str, Any]:
    request = from_raw(kept["raw"])
    outline = {name: kept[name] for name in ("id", "received", "state", "reason")}
    return outline | {
        "hook": request.hook,
        "kind": request.kind,
        "method": request.method,
        "content_type": tidy(request.content_type),
        "bytes": len(request.body),
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
        return await outcome(await office.replay(arrival))

    return {
        "hooks": office.list,
        "hooks-add": office.add,
        "hooks-remove": office.remove,
        "hooks-captured": office.captured,
        "hooks-learn": office.learn,
        "hooks-replay": replay,
        "hooks-bookmarklet": office.bookmarklet,
    }
