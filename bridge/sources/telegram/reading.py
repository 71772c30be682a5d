"""What a Telegram message says: the links to save, and what it asks for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from bridge.errors import InvalidArrival
from bridge.link import Sighting, canonical, tidy, web_address
from bridge.ports import Arrival, Reading, Request
from bridge.sources.telegram import keys
from bridge.sources.telegram.addresses import Schemeless, page_address
from bridge.sources.telegram.links import Contents, Mention, chosen, contents, public_post, quoted
from bridge.sources.telegram.update import PRESS, Json, chat_of, command, identity, kind, loads, message_in

NO_LINK = "No link found in this message"
"""The first note of a message that a person wrote and that holds nothing to save."""

COPY = "the copy that a discussion group gets of its channel's post"

COMMANDS = {
    "start": "how to begin",
    "help": "what I understand",
    "why": "why a link went where it went",
    "last": "the last links",
    "tag": "add tags to a link",
    "to": "send a link to another connection",
    "undo": "take a link back",
    "feeds": "the feeds you follow; with an address one more",
    "status": "what is on and what waits",
    "save": "save the links of the message you answer",
}
"""What the bot understands, as its menu shows it."""

_REQUESTS = COMMANDS.keys() - {"save"}
_ABOUT_A_MESSAGE = frozenset({"why", "tag", "to", "undo"})
_SHORTEST_TITLE = 20

# A message with none of these says what happened in the chat (a new title, a new member), not what somebody wrote.
_WRITTEN = frozenset(
    "animation audio caption checklist contact document game location photo poll rich_message sticker story text "
    "venue video video_note voice web_app_data".split()
)


def read(group: Sequence[Arrival], *, schemeless: Schemeless = "sense") -> Reading:
    """The links and requests of some arrivals, in their order. Raises InvalidArrival for a broken update.

    A link is taken once for all of them, whatever its scheme, under the form that was named first, with all tags.
    """
    readings = [_read(arrival, schemeless) for arrival in group]
    sightings = _united(sighting for reading in readings for sighting in reading.sightings)
    notes = dict.fromkeys(note for reading in readings for note in reading.notes)
    return Reading(
        sightings=sightings,
        requests=[request for reading in readings for request in reading.requests],
        notes=[note for note in notes if note != NO_LINK or not sightings],
    )


def _united(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Each link once. An album's words stand on one of its pictures; an edit adds tags."""
    united: dict[str, Sighting] = {}
    for sighting in sightings:
        known = united.setdefault(_spelling(sighting.url), sighting)
        if known is not sighting:
            tags = tuple(dict.fromkeys((*known.tags, *sighting.tags)))
            changed = replace(known, tags=tags, title=known.title or sighting.title, note=known.note or sighting.note)
            united[_spelling(sighting.url)] = changed
    return list(united.values())


def _spelling(url: str) -> str:
    return canonical(url).partition("://")[2]


def _read(arrival: Arrival, schemeless: Schemeless) -> Reading:
    update = loads(arrival.raw)
    message = message_in(update)
    if message is None:
        return Reading()
    if kind(update) == PRESS:
        return Reading(requests=[keys.request(update[PRESS])])
    if message.get("is_automatic_forward") is True:
        return Reading(notes=[COPY])
    name, _, argument = command(message)
    said = _said(message, name)
    if name in _REQUESTS and not (name == "tag" and said.mentions):
        # An edited command is not a second one.
        asked = [_request(arrival, message, name, argument)] if kind(update) == "message" else []
        return Reading(requests=asked)
    return _links(message, said, schemeless)


def _request(arrival: Arrival, message: Json, name: str, argument: str) -> Request:
    answered = message.get("reply_to_message")
    if name not in _ABOUT_A_MESSAGE or not isinstance(answered, dict):
        return Request(name, argument)
    bot_id = arrival.group.partition(":")[2].partition(":")[0]
    match answered:
        case {"from": {"id": int(sender)}, "message_id": int(number)} if str(sender) == bot_id:
            return Request(name, argument, keys.about(answered) or f"@{chat_of(message)}:{number}")
        case _:
            return Request(name, argument, identity(bot_id, {"chat": message["chat"], **answered}))


def _links(message: Json, said: Contents, schemeless: Schemeless) -> Reading:
    pages, notes = _pages(said.mentions, schemeless)
    post = public_post(message)
    if not pages and post is not None:
        pages, _ = _pages([post], schemeless)
    if not pages and _is_written(message):
        notes.insert(0, NO_LINK)
    facts = _facts(message) | {"tags": said.tags, "text": said.text, "note": said.comment}
    facts["fields"] = _fields(said, post)
    sightings = [Sighting.of(url, source="telegram", title=_title(label, pages), **facts) for url, label in pages]
    return Reading(sightings=sightings, notes=notes)


def _fields(said: Contents, post: Mention | None) -> dict[str, Any]:
    """Where it was forwarded from, and the connections its sender named."""
    names = chosen(said.text)
    return ({"post": post.address} if post else {}) | ({"chosen": names} if names else {})


def _said(message: Json, command_name: str) -> Contents:
    """The message's own contents, or with /save those of the message it answers; the words around stay its own."""
    said = contents(message)
    if command_name == "tag":
        words = [word for word in said.comment.replace(",", " ").split() if not word.startswith("@")]
        return replace(said, tags=[*words, *said.tags], comment="")
    if command_name != "save" or said.mentions:
        return said
    before = quoted(message)
    return replace(before, tags=[*said.tags, *before.tags], comment=said.comment)


def _pages(mentions: Iterable[Mention], schemeless: Schemeless) -> tuple[list[tuple[str, str]], list[str]]:
    """Addresses with their labels, each once, and why the others are none."""
    pages: dict[str, tuple[str, str]] = {}
    notes: dict[str, None] = {}
    for mention in mentions:
        try:
            url = web_address(page_address(mention.address, schemeless))
            pages.setdefault(_spelling(url), (url, mention.label))
        except InvalidArrival as error:
            notes[str(error)] = None
    return list(pages.values()), list(notes)


def _title(label: str, pages: Sequence[object]) -> str:
    """The label of a hidden link, if it can be a title: it stands alone, and is no "this" or "read more"."""
    label = tidy(label)
    return label if len(pages) == 1 and len(label) >= _SHORTEST_TITLE and "://" not in label else ""


def _facts(message: Json) -> dict[str, Any]:
    date = message.get("date")
    return {
        "chat": str(chat_of(message)),
        "author": _author(message),
        "at": float(date) if isinstance(date, int) and 0 <= date < 2**40 else 0.0,
    }


def _author(message: Json) -> str:
    match message:
        case {"from": {"first_name": str(name)}} | {"author_signature": str(name)} | {"chat": {"title": str(name)}}:
            return tidy(name)
        case _:
            return ""


def _is_written(message: Json) -> bool:
    if "media_group_id" in message and "caption" not in message:
        return False  # one picture of an album: the words stand on another
    return not _WRITTEN.isdisjoint(message)
