"""Where an address can stand in a Telegram message, and which of them are pages to save. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from telegram import Chat, Message, MessageEntity

from bridge.link import printable, tidy
from bridge.scan import web_addresses
from bridge.sources.telegram.addresses import is_web
from bridge.sources.telegram.update import Json

_ENTITY_TEXTS = (("text", "entities"), ("caption", "caption_entities"))
_OF_INTEREST = (MessageEntity.URL, MessageEntity.TEXT_LINK, MessageEntity.HASHTAG)
_COMMAND = re.compile(r"\A/\w+(@\w+)?")
_CHOICE = re.compile(r"(?<!\S)!(\w[\w-]*)(?!\S)")
_POLL_TEXTS = ("question", "description", "explanation")

_WORDED = (
    "label",
    "summary",
    "text",
    "expression",
    "alternative_text",
    "blocks",
    "items",
    "cells",
    "caption",
    "credit",
)
_BLOCKS = frozenset({"paragraph", "heading", "pre", "footer", "blockquote", "pullquote", "list", "table", "details"})

# What a message needs to have before its entities can be read.
_NO_DATE = datetime.fromtimestamp(0, UTC)
_NO_CHAT = Chat(0, Chat.PRIVATE)


@dataclass(frozen=True, slots=True)
class Mention:
    """An address as a message names it. `label` is the text a reader sees instead of it."""

    address: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a message says which matters here. `comment` is its text without links, hashtags and commands."""

    text: str
    mentions: Sequence[Mention]
    tags: Sequence[str]
    comment: str = ""


def contents(message: Json) -> Contents:
    """Text, addresses and hashtags of a message, in the order of reading; what is broken in it is left out."""
    texts = list(_texts(message))
    rich = list(_objects(message.get("rich_message")))
    marked = [marked for text, entities in texts for marked in _marked(text, entities)]
    return Contents(
        text=printable(texts[0][0] if texts else plain(message.get("rich_message"))),
        mentions=[
            *(
                Mention(entity.url or words, words if entity.url else "")
                for entity, words in marked
                if _is_link(entity)
            ),
            *(Mention(part["url"], plain(part.get("text"))) for part in rich if _is_rich(part, "url", "url")),
            *_buttons(message.get("reply_markup")),
            *_web_app(message.get("web_app_data")),
            *_beside_a_poll(message.get("poll")),
            *_preview(message.get("link_preview_options")),
        ],
        tags=[
            *(_hashtag(words) for entity, words in marked if entity.type == MessageEntity.HASHTAG),
            *(_hashtag(part["hashtag"]) for part in rich if _is_rich(part, "hashtag", "hashtag")),
        ],
        comment=_comment(*texts[0]) if texts and "forward_origin" not in message else "",
    )


def quoted(message: Json) -> Contents:
    """What stands in the message that this one answers, in this chat or in another: in the part it quotes, if there
    is an address in that."""
    answered, elsewhere = _object(message.get("reply_to_message")), _object(message.get("external_reply"))
    quote = _object(message.get("quote"))
    part = _part(answered, quote)
    if part.mentions:
        return part
    said, post = contents(answered), public_post(answered) or public_post(_as_forwarded(elsewhere))
    # Of a message in another chat Telegram shows no text but the quote, and no address in it is marked.
    words = quote.get("text") if elsewhere else ""
    named = [Mention(address) for address in web_addresses(words if isinstance(words, str) else "")]
    mentions = [*said.mentions, *named, *contents(elsewhere).mentions]
    return Contents(said.text, mentions or ([post] if post else []), said.tags)


def _part(answered: Json, quote: Json) -> Contents:
    """The part of a message that was quoted, with its own addresses."""
    match quote:
        case {"text": str(words), "position": int(begin)}:
            end = begin + len(words.encode("utf-16-le", "surrogatepass")) // 2
        case _:
            return Contents("", (), ())
    for text, entities in list(_texts(answered))[:1]:
        inside = [found for found in entities if _is_inside(found, begin, end)]
        return contents({"text": text, "entities": inside})
    return Contents("", (), ())


def _is_inside(data: Json, begin: int, end: int) -> bool:
    match data:
        case {"offset": int(offset), "length": int(length)}:
            return begin <= offset and offset + length <= end
        case _:
            return False


def chosen(text: str) -> list[str]:
    """The connections that `!name` asks for.

    >>> chosen("!kobo https://example.com/!x so good!")
    ['kobo']
    """
    return _CHOICE.findall(text)


def _as_forwarded(elsewhere: Json) -> Json:
    return {"forward_origin": elsewhere.get("origin")}


def _comment(text: str, entities: Iterable[Json]) -> str:
    """A person's own words about the links."""
    units = bytearray(text.encode("utf-16-le"))
    for entity, words in _marked(text, entities):
        if entity.type != MessageEntity.TEXT_LINK:
            start = 2 * entity.offset
            units[start : start + len(words.encode("utf-16-le"))] = " ".encode("utf-16-le") * entity.length
    rest = _COMMAND.sub("", units.decode("utf-16-le", "replace"))
    return tidy(_CHOICE.sub(" ", rest))


def public_post(message: Json) -> Mention | None:
    """The public post a message was forwarded from: what to save when it holds no link of its own."""
    match message.get("forward_origin"):
        case {"type": "channel", "chat": {"username": str(name)}, "message_id": int(number)} if name:
            return Mention(f"https://t.me/{name}/{number}")
        case _:
            return None


def plain(rich: object) -> str:
    """The words of a rich message, a line for each of its blocks. By a stack: its depth is the sender's choice."""
    words: list[str] = []
    waiting = [rich]
    while waiting:
        match waiting.pop():
            case str(text):
                words.append(text)
            case list(parts):
                waiting.extend(reversed(parts))
            case dict(part):
                waiting.extend(part[name] for name in reversed(_WORDED) if name in part)
                words.append(_joint(part))
    return "".join(words).strip()


def _joint(part: Json) -> str:
    match part.get("type"):
        case str(name) if name in _BLOCKS:
            return "\n"
        case None:  # a cell, an item, a caption
            return " "
        case _:
            return ""


def _texts(message: Json) -> Iterator[tuple[str, list[Any]]]:
    poll, checklist, game = (_object(message.get(name)) for name in ("poll", "checklist", "game"))
    tasks = _object(message.get("checklist_tasks_added"))
    named = [(message, text, entities) for text, entities in _ENTITY_TEXTS]
    named += [(poll, name, f"{name}_entities") for name in _POLL_TEXTS]
    named += [(option, "text", "text_entities") for option in _objects_in(poll.get("options"))]
    named += [(checklist, "title", "title_entities")]
    added = [*_objects_in(checklist.get("tasks")), *_objects_in(tasks.get("tasks"))]
    named += [(task, "text", "text_entities") for task in added]
    named += [(game, "text", "text_entities")]
    named += [(_object(message.get(name)), "text", "entities") for name in ("gift", "gift_upgrade_sent")]
    named += [(_object(message.get("poll_option_added")), "option_text", "option_text_entities")]
    for holder, text, entities in named:
        if isinstance(holder.get(text), str):
            yield _without_lone_surrogates(holder[text]), _objects_in(holder.get(entities))


def _marked(text: str, entities: Iterable[Json]) -> Iterator[tuple[MessageEntity, str]]:
    known = [entity for data in entities if (entity := _entity(data)) is not None]
    if not known:
        return
    units = len(text.encode("utf-16-le")) // 2
    message = Message(0, _NO_DATE, _NO_CHAT, text=text)
    for entity in known:
        if entity.offset + entity.length > units:
            continue
        try:
            yield entity, message.parse_entity(entity)
        except UnicodeDecodeError:  # it begins or ends inside a character
            continue


def _entity(data: Json) -> MessageEntity | None:
    match data:
        case {"type": str(name), "offset": int(offset), "length": int(length)} if (
            name in _OF_INTEREST and offset >= 0 and length > 0
        ):
            url = data.get("url")
            return MessageEntity(name, offset, length, url=url if isinstance(url, str) else None)
        case _:
            return None


def _is_link(entity: MessageEntity) -> bool:
    return entity.type == MessageEntity.URL or (entity.type == MessageEntity.TEXT_LINK and bool(entity.url))


def _is_rich(part: Json, name: str, value: str) -> bool:
    return part.get("type") == name and isinstance(part.get(value), str)


def _hashtag(text: str) -> str:
    # "#tag@channel" is the tag as that channel uses it.
    return text.lstrip("#").partition("@")[0]


def _buttons(markup: object) -> Iterator[Mention]:
    rows = _object(markup).get("inline_keyboard")
    for row in rows if isinstance(rows, list) else []:
        for button in _objects_in(row):
            if isinstance(button.get("url"), str) and is_web(button["url"]):
                yield Mention(button["url"])


def _web_app(data: object) -> Iterator[Mention]:
    try:
        said = json.loads(str(_object(data).get("data")))
    except (ValueError, RecursionError):
        return
    if isinstance(url := _object(said).get("url"), str):
        yield Mention(url)


def _beside_a_poll(poll: object) -> Iterator[Mention]:
    """What stands beside a poll, its explanation and its options as media can be a link."""
    holders = [_object(poll), *_objects_in(_object(poll).get("options"))]
    for media in (holder.get(name) for holder in holders for name in ("media", "explanation_media")):
        yield from _preview(_object(media).get("link"))


def _preview(options: object) -> Iterator[Mention]:
    if isinstance(url := _object(options).get("url"), str):
        yield Mention(url)


def _objects(node: object) -> Iterator[Json]:
    """Every object of a rich message, in reading order. By a stack: its depth is the sender's choice."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
        waiting.extend(reversed(_children(node)))


def _children(node: object) -> list[Any]:
    match node:
        case dict():
            return [child for child in node.values() if isinstance(child, dict | list)]
        case list():
            return node
        case _:
            return []


def _object(node: object) -> Json:
    return node if isinstance(node, dict) else {}


def _objects_in(node: object) -> list[Json]:
    return [child for child in node if isinstance(child, dict)] if isinstance(node, list) else []


def _without_lone_surrogates(text: str) -> str:
    # One unit for one unit, so that the offsets of entities stay right.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
