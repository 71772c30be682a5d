"""From a kept request to its links: by the hook's own paths, by its kind, or as the finder sees it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bridge.errors import InvalidArrival
from bridge.link import Sighting, printable, tidy, web_address
from bridge.ports import DAY, HOUR, Arrival, Key, Reading
from bridge.sources.webhooks.auth import SIGNED
from bridge.sources.webhooks.body import content, form, json_value
from bridge.sources.webhooks.finder import Found, described, find
from bridge.sources.webhooks.kinds import KINDS, Kind
from bridge.sources.webhooks.map import dead_ends, mapped
from bridge.sources.webhooks.request import DELIVERY_IDS, HookRequest, from_raw

MOST_LINKS = 1000
"""Links taken from one request."""

EXAMPLE = 'send JSON like {"url": "https://example.com/"}, a form with a field url, or the address as plain text'


@dataclass(frozen=True, slots=True)
class Said:
    """What a request says, as plain data. `event` is what its kind calls it, `text` what may be no form."""

    body: Any
    query: Mapping[str, Any]
    event: str
    notes: tuple[str, ...]
    text: str = ""


def said_by(request: HookRequest) -> Said:
    body = content(request.body, request.content_type)
    query = form(request.query.encode("latin-1"))
    value = _unfolded(body.value)
    event = kind_of(request).event_of(request.headers, value)
    return Said(value, query.value, event, (*body.notes, *query.notes), body.text)


def kind_of(request: HookRequest) -> Kind:
    """An arrival of a kind that is no more is read as a generic one."""
    return KINDS.get(request.kind, KINDS["generic"])


def key_of(request: HookRequest, scheme: str = "") -> Key:
    """What the request is known by. A signed one without an id stays known as long as one with: it may be a replay.

    Where the scheme signs an id and not the rest, that id is the only one: any other could be made up.
    """
    kind = KINDS["mailgun"] if scheme == "mailgun" else kind_of(request)
    ids = DELIVERY_IDS if kind is KINDS["generic"] else kind.ids
    if not kind.id_paths and "cloudevents+json" in request.content_type:
        kind = replace(kind, id_paths=("source", "id"))
    in_body = kind.id_in(said_by(request).body) if kind.id_paths else []
    return request.key_by(ids, in_body if in_body and all(in_body) else (), 7 * DAY if scheme in SIGNED else HOUR)


def read(group: Sequence[Arrival]) -> Reading:
    """The links in kept requests; none when their kind says that there is nothing to save.

    Raises InvalidArrival when there should be one and is none, and says what was there instead.
    """
    sightings: list[Sighting] = []
    notes: list[str] = []
    idle = True
    for arrival in group:
        holds = held_by(from_raw(arrival.raw))
        sightings += [_sighting(link, arrival) for link in holds.links]
        notes += holds.notes
        idle = idle and holds.idle
    if not sightings and not idle:
        raise InvalidArrival(nothing(notes))
    return Reading(sightings=sightings, notes=notes)


@dataclass(frozen=True, slots=True)
class Holds:
    """What is to be saved of a request. `idle`: its kind says that there is nothing."""

    links: Sequence[Found]
    notes: Sequence[str]
    idle: bool = False


def held_by(request: HookRequest) -> Holds:
    said, kind = said_by(request), kind_of(request)
    if kind.ignores(said.event):
        return Holds((), [f"“{tidy(said.event)[:60]}” of {request.kind} holds nothing to save"], idle=True)
    found, notes = links_in(request, said)
    links: list[Found] = []
    for link in found:
        try:
            address = web_address(link.url.replace("\0", ""))
        except InvalidArrival as refused:
            notes.append(str(refused))
        else:
            links.append(link if link.url == address else replace(link, url=address))
    return Holds(links, notes)


def nothing(notes: Sequence[str]) -> str:
    """Why no link was found, in words."""
    return "no link found: " + "; ".join(notes[:3])


def links_in(request: HookRequest, said: Said) -> tuple[Sequence[Found], list[str]]:
    """The links as they were given, each once, with remarks on how they were read."""
    first_by_url: dict[str, Found] = {}
    for link in _found(request, said):
        first_by_url.setdefault(link.url, link)
    links = list(first_by_url.values())
    remarks = list(said.notes)
    if not links:
        completed = _completed(said.body, said.query) or said.body
        remarks.append(dead_ends(completed, request.where) or _what_was_there(said.body, said.query))
    if len(links) > MOST_LINKS:
        remarks.append(f"only the first {MOST_LINKS} of {len(links)} links were taken; send the others apart")
    return links[:MOST_LINKS], remarks


def _found(request: HookRequest, said: Said) -> Sequence[Found]:
    """What the body says, and the query where the body says nothing."""
    if request.where:
        return mapped(_completed(said.body, said.query) if said.query else said.body, request.where)
    kind = kind_of(request)
    found = kind.links(said.event, said.body) or find(_completed(said.body, said.query)) or find(said.text)
    return described(found, said.query)


def _unfolded(value: Any) -> Any:
    """A form whose one field holds JSON is that JSON."""
    match value:
        case {"payload": str(text), **rest} if not rest:
            return json_value(text) or value
        case _:
            return value


def _completed(body: Any, query: Mapping[str, Any]) -> Any:
    if isinstance(body, list):
        return body or query
    filled = {name: value for name, value in body.items() if value} if isinstance(body, Mapping) else {}
    return {**query, **filled}


def _sighting(link: Found, arrival: Arrival) -> Sighting:
    return Sighting.of(
        link.url,
        source=arrival.source,
        hook=arrival.channel,
        title=link.title,
        tags=link.tags,
        note=printable(link.note),
        text=printable(link.text),
        at=arrival.received,
    )


def _what_was_there(body: Any, query: Mapping[str, Any]) -> str:
    fields = [*(body if isinstance(body, Mapping) else ()), *query]
    if fields:
        names = ", ".join(tidy(name)[:40] for name in fields[:10])
        return f"no web address in the fields {names}; {EXAMPLE}"
    return f"no web address in the body; {EXAMPLE}" if body else f"the request is empty; {EXAMPLE}"
