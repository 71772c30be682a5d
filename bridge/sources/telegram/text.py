"""Pieces of text as Telegram's HTML: escaped, of one line, within their limits. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from bridge.link import tidy

LONGEST_MESSAGE = 4096
"""UTF-16 units of one message. Telegram counts them without the marks; counting with them is on the safe side."""

LONGEST_LINE = 900
_LONGEST_NAME = 120
_LONGEST_ADDRESS = 300
_LONGEST_REASON = 200
_LONGEST_TAG = 40
_MOST_TAGS = 5


def name(title: str, url: str) -> str:
    """A title that leads to its page."""
    address = escape(url)
    words = short(title or url)
    return f'<a href="{address}">{words}</a>' if _length(address) <= _LONGEST_ADDRESS else words


def tags(names: Sequence[str]) -> str:
    shown = "".join(f" #{short(tag.replace(' ', '_'), _LONGEST_TAG)}" for tag in names[:_MOST_TAGS])
    return shown + (" …" if names[_MOST_TAGS:] else "")


def said(what: str, reason: str, *, joint: str = ": ") -> str:
    return f"{what}{joint}{short(reason, _LONGEST_REASON)}" if reason else what


def day(seconds: float) -> str:
    when = datetime.fromtimestamp(seconds, UTC)
    return f"{when.day} {when:%B %Y}"


def short(text: str, longest: int = _LONGEST_NAME) -> str:
    """One line of plain text, escaped."""
    text = tidy(text)
    return escape(text if len(text) <= longest else f"{text[: longest - 1]}…")


def fit(pieces: Sequence[str], joint: str = "\n", limit: int = LONGEST_MESSAGE) -> str:
    """The pieces, as many as there is room for, and how many more there are."""
    whole = joint.join(pieces)
    if _length(whole) <= limit:
        return whole
    kept = len(pieces) - 1
    while kept and _length(_cut(pieces, kept, joint)) > limit:
        kept -= 1
    return _cut(pieces, kept, joint)


def _cut(pieces: Sequence[str], kept: int, joint: str) -> str:
    return joint.join([*pieces[:kept], f"… and {len(pieces) - kept} more"])


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
