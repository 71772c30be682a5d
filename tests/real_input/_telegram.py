"""All updates of the corpus through a Bot API server, and what they should lead to.

Scenarios and tdlib's rows state their links. Of the samples, found in other libraries' tests, a second reader says
them: the entities, buttons and preview of a message, or the public post it was forwarded from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bot_api import BotApi
from tests.real_input._case import Case, Difference, Door, Wanted, canonicals
from tests.real_input._process import Arrived

Json = dict[str, Any]

SPEAKING = ("message", "edited_message", "channel_post", "edited_channel_post")
"""The updates a bridge asks for."""

_GUEST = "guest_message"
_PRESS = "callback_query"

ANN = 42
USERNAME = "MyBridgeBot"
CHANNEL = -1001234567890

_FILE = re.compile(r"[\w.-]+\.(?:md|mov|py|rs|sh|zip)", re.IGNORECASE)

# No id at all, accounts that speak for many, and those the scenarios call strangers.
_NEVER = frozenset({0, 1087968824, 136817688, 777000, 666, 9, -1001555666777})


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One update. `links`: each a choice of spellings."""

    name: str
    update: Any
    links: Sequence[Sequence[str]]
    stated: bool


def updates(folder: Path) -> list[Given]:
    return [*_scenarios(folder), *_tdlib(folder), *_samples(folder)]


def allowed(given: Iterable[Given]) -> frozenset[int]:
    """For BRIDGE_TELEGRAM_ALLOW: Ann and her channel, and everybody in the samples who is nobody's stranger."""
    people = {ANN, CHANNEL}
    for one in given:
        message = message_of(one.update)
        if one.name.startswith("tg"):
            people |= {id_ for key in ("from", "chat", "sender_chat") if (id_ := _id(message.get(key))) is not None}
    return frozenset(people - _NEVER)


def deliver(given: Iterable[Given], bot: BotApi) -> dict[int, Given]:
    """By the id under which each takes its place in the queue."""
    delivered = {}
    for one in given:
        update = dict(one.update)
        number = bot.receive_raw(update)
        update["update_id"] = number
        delivered[number] = one
    return delivered


def is_for_us(update: Json, allow: frozenset[int]) -> bool:
    """Somebody allowed wrote it, to this bot or to nobody in particular; what cannot be told is kept.

    Telegram would not send a guest's message, for it is not asked for; this Bot API server does.
    """
    if not any(kind in update for kind in (*SPEAKING, _GUEST)):
        return False
    message = update.get(_GUEST) or message_of(update)
    chat = message.get("chat", {})
    behind = ("from",) if chat.get("type") == "private" else ("from", "sender_chat", "chat")
    people = [_id(message.get(key)) for key in behind]
    if not (allow.intersection(people) or people == [None] or _id(chat) is None):
        return False
    addressed = re.match(r"/\w+@(\w+)", str(message.get("text", "")))
    return addressed is None or addressed[1] == USERNAME


def door(delivered: Mapping[int, Given], bot: BotApi, arrived: Iterable[Arrived], allow: frozenset[int]) -> Door:
    arrivals = [one for one in arrived if one.source == "telegram"]
    result = Door("telegram", f"{len(delivered)} updates")
    for one in arrivals:
        result.found.setdefault(delivered[one.raw["update_id"]].name, []).extend(one.links)
    for given in delivered.values():
        result.cases.append(_case(given, result))
        kept, meant = given.name in result.found, is_for_us(given.update, allow)
        if kept != meant and _PRESS not in given.update:  # a press brings no link, whatever becomes of it
            words = {True: "an update that is kept", False: "an update that is not kept"}
            result.differences.append(Difference(given.name, "other", words[meant], words[kept], ""))
    result.balance.update(
        {
            "confirmed at the Bot API": len(bot.confirmed),
            "arrivals of telegram": len(arrivals),
            "confirmed and not kept (not asked for, or not for us)": len(delivered) - len(arrivals),
        }
    )
    return result


def _case(given: Given, result: Door) -> Case:
    wanted = [link for one in given.links if (link := Wanted.any_of(one, stated=given.stated))]
    result.notes["entities that are no web address"] += len(given.links) - len(wanted)
    return Case(name=given.name, wanted=wanted, explain=lambda wanted, _: _reason(given, wanted))


def message_of(update: Any) -> Json:
    found: Json = next((update[kind] for kind in SPEAKING if kind in update), {})
    return found


def _id(holder: Any) -> int | None:
    found = holder.get("id") if isinstance(holder, dict) else None
    return found if isinstance(found, int) else None


def _rows(file: Path) -> Iterator[Json]:
    return map(json.loads, file.read_text("utf-8").splitlines())


def _scenarios(folder: Path) -> Iterator[Given]:
    for row in _rows(folder / "scenarios.jsonl"):
        links = [link.split("|") for link in row["expected_urls"]]
        yield Given(name=f"scenario {row['id']}", update=row["update"], links=links, stated=True)


def _tdlib(folder: Path) -> Iterator[Given]:
    for number, row in enumerate(_rows(folder / "tdlib_url_updates.jsonl"), 10_000):
        links = [_spellings(text) for text in row["expected_entity_texts"]]
        # Many of them say to be the same message: its edits, as which they would be read together.
        message = row["update"]["message"] | {"message_id": number}
        yield Given(name=row["id"], update=row["update"] | {"message": message}, links=links, stated=True)


def _samples(folder: Path) -> Iterator[Given]:
    for row in _rows(folder / "samples.jsonl"):
        update = {"message": row["json"]} if row["kind"] == "message" else row["json"]
        if row["kind"] in ("message", "update"):
            yield Given(name=row["id"], update=update, links=list(_links(message_of(update))), stated=False)


def _spellings(text: str) -> list[str]:
    return [text] if "://" in text else [f"https://{text}", f"http://{text}"]


def _links(message: Json) -> Iterator[list[str]]:
    marked = list(_marked(message))
    marked += [[button["url"]] for row in _keyboard(message) for button in row if "url" in button]
    preview = message.get("link_preview_options", {}).get("url")
    marked += [[preview]] if preview else []
    if not any(map(canonicals, marked)):
        marked += _post(message.get("forward_origin", {}))
    yield from marked


def _marked(message: Json) -> Iterator[list[str]]:
    for text, entities in (("text", "entities"), ("caption", "caption_entities")):
        units = str(message.get(text, "")).encode("utf-16-le")
        for entity in message.get(entities, ()):
            start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
            if entity["type"] == "text_link":
                yield [entity["url"]]
            elif entity["type"] == "url" and end <= len(units):
                yield _spellings(units[start:end].decode("utf-16-le", "replace"))


def _keyboard(message: Json) -> list[list[Json]]:
    rows: list[list[Json]] = message.get("reply_markup", {}).get("inline_keyboard", [])
    return rows


def _post(origin: Json) -> list[list[str]]:
    name = origin.get("chat", {}).get("username")
    return [[f"https://t.me/{name}/{origin['message_id']}"]] if origin.get("type") == "channel" and name else []


def _reason(given: Given, wanted: str) -> str:
    words = wanted.removeprefix("https://").partition(" | ")[0]
    if _FILE.fullmatch(words):
        return "looks like a file name rather than a host"
    if " | " in wanted and "@" in words:
        return "a name before a host and no scheme: more likely a mail address"
    twin = wanted.replace("http://", "https://", 1)
    if any(twin in spellings for spellings in given.links):
        return "named twice in one message, with http and https: taken once"
    return ""
