"""Buttons under an answer, and what a press of one asks for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bridge.errors import InvalidArrival
from bridge.ports import Report, Request
from bridge.sources.telegram.update import Json

_MOST_BYTES = 64  # of what a button carries
_MOST_CHOICES = 8
_ROW = 4

_DATA = re.compile(r"(?P<name>undo|tags|tag|to|why|back):(?P<about>[0-9]{1,18})(?::(?P<argument>.+))?", re.DOTALL)


def request(press: Json) -> Request:
    """What a press asks for. Raises InvalidArrival for a button that is none of ours."""
    data = press.get("data")
    found = _DATA.fullmatch(data) if isinstance(data, str) else None
    if found is None:
        raise InvalidArrival("this button was not made by this bot")
    return Request(found["name"], found["argument"] or "", f"#{found['about']}")


def about(message: Json) -> str:
    """The arrival an answer of ours is about, as its buttons say; "" when it has none."""
    match message.get("reply_markup"):
        case {"inline_keyboard": [[{"callback_data": str(data)}, *_], *_]} if found := _DATA.fullmatch(data):
            return f"#{found['about']}"
        case _:
            return ""


def actions(report: Report, others: Sequence[str]) -> InlineKeyboardMarkup | None:
    """What can be done about a message's links. `others`: connections besides the embedded list."""
    if not report.verdicts:
        return None
    number = report.arrival.id
    states = {state for verdict in report.verdicts for state, _ in verdict.deliveries.values()}
    owned = any(verdict.state == "kept" for verdict in report.verdicts) and states != {"cancelled"}
    words = {"undo": "Undo" if owned else "", "tags": "Tags", "to": "Send to…" if others else "", "why": "Why"}
    row = [_button(label, f"{name}:{number}") for name, label in words.items() if label]
    return InlineKeyboardMarkup([row])


def choices(name: str, number: int, values: Iterable[str]) -> InlineKeyboardMarkup:
    """A button for each value that fits into one, and one that leads back."""
    fitting = list(_fitting(name, number, values))[:_MOST_CHOICES]
    rows = [fitting[start : start + _ROW] for start in range(0, len(fitting), _ROW)]
    return InlineKeyboardMarkup([*rows, [_button("« Back", f"back:{number}")]])


def _fitting(name: str, number: int, values: Iterable[str]) -> Iterator[InlineKeyboardButton]:
    for value in values:
        data = f"{name}:{number}:{value}"
        if len(data.encode()) <= _MOST_BYTES:
            yield _button(value, data)


def _button(label: str, data: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(label, callback_data=data)
