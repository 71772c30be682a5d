"""What a Telegram message says: the links to save, and the commands. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bridge.errors import InvalidArrival
from bridge.link import Sighting, canonical, tidy, web_address
from bridge.ports import Arrival, Reading, Request
from bridge.sources._telegram_links import Contents, Mention, contents, page_address, public_post
from bridge.sources._telegram_update import Json, chat_of, command, loads, message_in

NO_LINK = "No link found in this message"
"""The first note of a message that a person wrote and that holds nothing to save."""

_REQUESTS = ("start", "help")
_SHORTEST_TITLE = 20

# A message with none of these says what happened in the chat (a new title, a new member), not what somebody wrote.
_WRITTEN = frozenset(
    "animation audio caption checklist contact document game location photo poll rich_message sticker story text "
    "venue video video_note voice web_app_data".split()
)


def read(group: Sequence[Arrival]) -> Reading:
    """The links and requests of some arrivals, in their order. Raises InvalidArrival for a broken update.

    A link is taken once per message, whatever its scheme, under the form that was named first.
    """
    readings = [_read(arrival) for arrival in group]
    return Reading(
        sightings=[sighting for reading in readings for sighting in reading.sightings],
        requests=[request for reading in readings for request in reading.requests],
        notes=[note for reading in readings for note in reading.notes],
    )


def _read(arrival: Arrival) -> Reading:
    message = message_in(loads(arrival.raw))
    # The copy a discussion group gets of its channel's post is not a second post.
    if message is None or message.get("is_automatic_forward") is True:
        return Reading()
    name, _, argument = command(message)
    requests = [Request(name, argument)] if name in _REQUESTS else []
    said = _said(message, name)
    pages, notes = _pages(said.mentions)
    if not pages and (post := public_post(message)) is not None:
        pages, _ = _pages([post])
    if not (pages or requests) and _is_written(message):
        notes.insert(0, NO_LINK)
    facts = _facts(message)
    sightings = [
        Sighting.of(
            url, source="telegram", title=_title(label, pages), tags=said.tags, text=said.text, **facts
        )
        for url, label in pages
    ]
    return Reading(sightings=sightings, requests=requests, notes=notes)


def _said(message: Json, command_name: str) -> Contents:
    """The message's own contents, or those of the message it answers with /save."""
    said = contents(message)
    answered = message.get("reply_to_message")
    if command_name != "save" or said.mentions or not isinstance(answered, dict):
        return said
    before = contents(answered)
    return Contents(text=before.text, mentions=before.mentions, tags=[*said.tags, *before.tags])


def _pages(mentions: Iterable[Mention]) -> tuple[list[tuple[str, str]], list[str]]:
    """Addresses with their labels, each once, and why the others are none."""
    pages: dict[str, tuple[str, str]] = {}
    notes: dict[str, None] = {}
    for mention in mentions:
        try:
            url = web_address(page_address(mention.address))
            pages.setdefault(canonical(url).partition("://")[2], (url, mention.label))
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
        case (
            {"from": {"first_name": str(name)}}
            | {"author_signature": str(name)}
            | {"chat": {"title": str(name)}}
        ):
            return tidy(name)
        case _:
            return ""


def _is_written(message: Json) -> bool:
    if "media_group_id" in message and "caption" not in message:
        return False  # one picture of an album: the words stand on another
    return not _WRITTEN.isdisjoint(message)
