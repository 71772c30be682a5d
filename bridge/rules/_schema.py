"""The JSON Schema of a rule file, for editors that complete and check while one types.

It is generous where the loader is strict: what the schema refuses the loader refuses too, not the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.rules._conditions import PARTS
from bridge.rules._facts import TYPES
from bridge.rules._hooks import KINDS, METHODS, SCHEMES
from bridge.rules._parts import SOURCES
from bridge.rules._upkeep import TROUBLES

Schema = Mapping[str, Any]

_TEXT: Schema = {"type": ["string", "number", "boolean"]}
_TRUE: Schema = {"const": True}
_NUMBER: Schema = {"type": ["number", "string"]}
_DURATION: Schema = {"type": "string", "pattern": "^[1-9][0-9]* ?[smhdw]$"}


def _some(values: Schema) -> Schema:
    return {"anyOf": [values, {"type": "array", "items": values}]}


def _one_of(values: Sequence[str]) -> Schema:
    return {"enum": list(values)}


def _told(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def _block(properties: Schema, *, required: Sequence[str] = (), families: Schema | None = None) -> Schema:
    block: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        block["required"] = list(required)
    if families:
        block["patternProperties"] = families
    return block


_REGEX = _block({"regex": _TEXT}, required=["regex"])
_WORDS = _some({"anyOf": [_TEXT, _REGEX]})
_AMOUNT: Schema = {"anyOf": [_NUMBER, _block({"over": _NUMBER, "under": _NUMBER})]}
_AGE: Schema = {"anyOf": [_DURATION, _block({"over": _DURATION, "under": _DURATION})]}
_FIELD: Schema = {"anyOf": [_AMOUNT, _WORDS]}
_BLOCKS = _some({"$ref": "#/$defs/conditions"})
_ONE_SECRET: Schema = {"anyOf": [_block({"env": _TEXT}, required=["env"]), _block({"file": _TEXT}, required=["file"])]}
_SECRET = _some(_ONE_SECRET)

_CONDITIONS = _block(
    {
        "source": _told(_some(_one_of(SOURCES)), "How it came in."),
        "feed": _told(_some(_TEXT), "The name of a feed from above."),
        "hook": _told(_some(_TEXT), "The name of a webhook."),
        "chat": _told(_some(_TEXT), "The number of a Telegram chat."),
        "account": _told(_some(_TEXT), "For whom it came."),
        "domain": _told(_some(_TEXT), "The host; sub-domains are included."),
        "url": _told(_WORDS, "The whole address: * is anything, ? one character."),
        "path": _told(_WORDS, "The address between host and ?: * is anything, ? one character."),
        "title": _told(_WORDS, "Words in the title."),
        "text": _told(_WORDS, "Words in the message, the note or the title."),
        "author": _told(_WORDS, "Words in the author's name."),
        "tag": _told(_some(_TEXT), "A tag from its source or from a rule above."),
        "lang": _told(_some(_TEXT), "The page's language: en is en-GB too."),
        "type": _told(_some(_one_of(TYPES)), "What it is."),
        "words": _told(_AMOUNT, "Words on the page."),
        "minutes": _told(_AMOUNT, "Minutes of reading."),
        "seen": _told(_AMOUNT, "How often it came before."),
        "age": _told(_AGE, "Time between its publication and its coming in."),
        "published": _told(_block({"after": _TEXT, "before": _TEXT}), "Days, as 2026-05-01."),
        "hour": _told(_some(_TEXT), "Hours in which it came in: 9-17."),
        "has": _told(_some(_one_of(PARTS)), "What is there."),
        "any": _told(_BLOCKS, "One of these blocks is enough."),
        "not": _told(_BLOCKS, "What must not hold."),
    },
    families={"^field\\..": _told(_FIELD, "A field that a webhook brought.")},
)

_THEN = _block(
    {
        "tag": _told(_some(_TEXT), "Tags to add."),
        "untag": _told(_some(_TEXT), "Tags to take away."),
        "title": _told(_TEXT, 'A template: "{feed}: {title|max:80}".'),
        "note": _told(_TEXT, "A template, kept with the link."),
        "notify": _told(_TEXT, "A template that you are told, or true."),
        "url": _told(_block({"host": _TEXT, "strip": _some(_TEXT)}), "The address to send instead."),
        "to": _told(_some(_TEXT), "Destinations, instead of the default."),
        "also": _told(_some(_TEXT), "Destinations besides."),
        "drop": _told(_TEXT, "Keep it nowhere; the reason, or true."),
        "hold": _told(_TEXT, "Wait until it is let go; the reason, or review."),
        "delay": _told({"type": "string"}, "30m, 2h, 1d, or until 20:00."),
        "limit": _told({"type": "string", "pattern": "^[0-9]+ ?/ ?(hour|day|week)$"}, "New links of this rule: 5/day."),
        "overflow": _told({"type": "string", "pattern": "^(wait|hold|drop|digest .+)$"}, "What is over the limit."),
        "stop": _told(_TRUE, "Read no further rules for this link."),
    }
)

_RULE = _block(
    {
        "name": _TEXT,
        "if": _told({"$ref": "#/$defs/conditions"}, "All of these must hold."),
        "unless": _told({"$ref": "#/$defs/conditions"}, "Exceptions: one is enough."),
        "then": _THEN,
    },
    required=["name", "then"],
)

_ITEM = _block(
    {
        "url": _TEXT,
        "source": _one_of(SOURCES),
        "tag": _some(_TEXT),
        "type": _one_of(TYPES),
        **dict.fromkeys(("title", "text", "note", "author", "feed", "hook", "chat", "account", "lang"), _TEXT),
        **dict.fromkeys(("published", "arrived"), _TEXT),
        **dict.fromkeys(("words", "minutes", "seen"), _NUMBER),
    },
    required=["url"],
    families={"^field\\..": _some(_TEXT)},
)

_EXPECT = _block(
    {
        **dict.fromkeys(("rules", "tag", "to"), _some(_TEXT)),
        **dict.fromkeys(("title", "note", "notify", "url", "dropped_by", "held_by"), _TEXT),
        "delay": _DURATION,
    }
)

_FEED = _block(
    {
        "name": _TEXT,
        "url": _TEXT,
        "tags": _some(_TEXT),
        "start": _told({"type": "string"}, "none, last 10, since 2026-05-01, or all."),
        "interval": _DURATION,
        "to": _told(_some(_TEXT), "Destinations, instead of the default."),
        "categories": _told({"type": ["boolean", "string"]}, "false: those of an entry do not become tags."),
        "at_once": _told(_NUMBER, "Most entries taken at one poll; the others follow."),
        "per_day": _told(_NUMBER, "Most entries taken in one day; the others follow."),
        "auth": _told(_block({"user": _TEXT, "password": _ONE_SECRET}, required=["user", "password"]), "Basic auth."),
        "headers": _told({"type": "object", "additionalProperties": _ONE_SECRET}, "Secret headers."),
        "rules": {"type": "array", "items": _RULE},
    },
    required=["name", "url"],
)

_HOOK = _block(
    {
        "name": _TEXT,
        "kind": _one_of(KINDS),
        "auth": _one_of(SCHEMES),
        "header": _TEXT,
        "secret": _SECRET,
        "open": _TRUE,
        "methods": _some(_one_of(METHODS)),
        "rules": {"type": "array", "items": _RULE},
        **dict.fromkeys(("url", "title", "tags", "note"), _some(_TEXT)),
    },
    required=["name"],
)

_KEEP = _block(
    {
        "arrivals": _told(_DURATION, "Raw texts that were read. Usually 90d."),
        "captures": _told(_DURATION, "Requests that could not be read. Usually 30d."),
        "attempts": _told(_DURATION, "Attempts to send. Usually 90d."),
        "facts": _told(_DURATION, "What links came with, and what rules made of it: at least 30d, usually 365d."),
        "trash": _told(_DURATION, "Dropped links: at least 30d, usually 90d."),
    }
)

_CHAT: Schema = {"type": "integer"}

_NOTIFY = _block(
    {
        "telegram": _told({"anyOf": [{"type": "boolean"}, _some(_CHAT)]}, "The bot's people, or these chats."),
        "webhook": _told({"anyOf": [_TEXT, _block({"env": _TEXT, "file": _TEXT})]}, "An address that gets a POST."),
        "about": _told(_some(_one_of(TROUBLES)), "Kinds of trouble; usually all."),
    }
)

_DESTINATION: Schema = {"type": "object", "properties": {"type": _TEXT}, "required": ["type"]}


def schema() -> dict[str, Any]:
    """The schema as plain data."""
    sections = {
        "feeds": {"type": "array", "items": _FEED},
        "hooks": {"type": "array", "items": _HOOK},
        "destinations": {"type": "object", "additionalProperties": _DESTINATION},
        "defaults": _block({"to": _some(_TEXT)}),
        "rules": {"type": "array", "items": _RULE},
        "tests": {"type": "array", "items": _block({"item": _ITEM, "expect": _EXPECT}, required=["item", "expect"])},
        "keep": _told(_KEEP, "How long what happened is kept."),
        "notify": _told(_NOTIFY, "Who is told when something is wrong, or when a rule says notify."),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The rule file of pocket-bridge",
        **_block(sections),
        "$defs": {"conditions": _CONDITIONS},
    }
