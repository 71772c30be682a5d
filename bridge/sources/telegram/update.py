"""One Telegram update: what it holds, who sent it, and whether it is meant for this bot. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from bridge.errors import InvalidArrival

Json = dict[str, Any]

PRESS = "callback_query"

ASKED_FOR = ("message", "edited_message", "channel_post", "edited_channel_post", PRESS)
"""The kinds of update we ask Telegram for."""

_READABLE = (*ASKED_FOR, "guest_message")

# Accounts that speak for many: an anonymous admin, a channel in its group, "Telegram" itself.
_SHARED_ACCOUNTS = frozenset({1087968824, 136817688, 777000})

_COMMAND = re.compile(r"/(?P<name>\w+)(?:@(?P<bot>\w+))?(?:\s(?P<argument>.*))?", re.DOTALL)


def update_id(element: object) -> int | None:
    """The id of one element of an answer; None when the element is no update at all."""
    number = element.get("update_id") if isinstance(element, dict) else None
    return number if type(number) is int else None


def loads(raw: str) -> Json:
    """The update an arrival holds. Raises InvalidArrival."""
    try:
        update = json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidArrival("the update is not JSON") from None
    return understood(update)


def understood(element: object) -> Json:
    """The element as an update. Raises InvalidArrival."""
    if not isinstance(element, dict) or update_id(element) is None:
        raise InvalidArrival("the update has no update_id")
    return element


def kind(update: Json) -> str:
    """Which of the readable kinds this update is, "" for any other."""
    for name in _READABLE:
        if name in update:
            return name
    return ""


def message_in(update: Json) -> Json | None:
    """The message of an update, None for kinds that hold none. Raises InvalidArrival when it is broken.

    Of a press it is the message the button stands under, as if who pressed it had written it, without any words.
    """
    name = kind(update)
    if not name:
        return None
    found = update[name]
    if not isinstance(found, dict):
        raise InvalidArrival(f"its {name} is not an object")
    message: Json = _pressed(found) if name == PRESS else found
    _number(message, "message_id", f"its {name} has no message_id")
    chat_of(message)
    return message


def _pressed(press: Json) -> Json:
    under = press.get("message")
    if not isinstance(under, dict):
        raise InvalidArrival("the message of this button is gone")
    return {"message_id": under.get("message_id"), "chat": under.get("chat"), "from": press.get("from")}


def identity(bot_id: str, message: Json) -> str:
    """What a message shares with its later edits, and with the other messages of its album."""
    album = message.get("media_group_id")
    own = f"album-{album}" if isinstance(album, str) else str(message.get("message_id"))
    return f"telegram:{bot_id}:{chat_of(message)}:{own}"


def chat_of(message: Json) -> int:
    """The id of the message's chat. Raises InvalidArrival where message_in() has not looked."""
    return _number(message.get("chat"), "id", "its chat has no id")


def is_private(message: Json) -> bool:
    return bool(message["chat"].get("type") == "private")


def senders(message: Json) -> tuple[int, ...]:
    """The ids that vouch for a message, the most personal first: an allow-list may name any of them.

    In a private chat only the person counts. Accounts that speak for many never do. Raises InvalidArrival.
    """
    people = () if message.get("from") is None else (_number(message["from"], "id", "its sender has no id"),)
    if is_private(message):
        if not people:
            raise InvalidArrival("a private message without a sender")
        return people
    behalf = message.get("sender_chat")
    channels = [] if behalf is None else [_number(behalf, "id", "its sender_chat has no id")]
    return tuple(dict.fromkeys(id_ for id_ in (*people, *channels, chat_of(message)) if id_ not in _SHARED_ACCOUNTS))


def command(message: Json) -> tuple[str, str, str]:
    """`/name@bot argument` at the very beginning, as (name, bot, argument); empty texts where there is none.

    >>> command({"text": "/save@MyBot https://example.com"})
    ('save', 'MyBot', 'https://example.com')
    >>> command({"text": "/ is a slash"})
    ('', '', '')
    """
    text = message.get("text")
    parts = _COMMAND.fullmatch(text) if isinstance(text, str) and text.startswith("/") else None
    if parts is None:
        return "", "", ""
    return parts["name"].lower(), parts["bot"] or "", (parts["argument"] or "").strip()


def _number(holder: object, name: str, fault: str) -> int:
    value = holder.get(name) if isinstance(holder, dict) else None
    if type(value) is not int:
        raise InvalidArrival(fault)
    return value
