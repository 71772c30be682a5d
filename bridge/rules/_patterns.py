"""Patterns: globs and regular expressions, run by an engine whose time grows with the text and with nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import re2

LONGEST_PATTERN = 500

# The engine's own \w knows ASCII alone.
_WORD = r"\p{L}\p{M}\p{N}_"
_OUTSIDE = {r"\w": f"[{_WORD}]", r"\W": f"[^{_WORD}]"}
_INSIDE = {r"\w": _WORD}
_PIECE = re.compile(r"\\Q.*?(?:\\E|$)|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|\\.", re.DOTALL)
_ESCAPE = re.compile(r"\\.", re.DOTALL)

_LOOKING_AROUND = re.compile(r"\(\?<?[=!]")

_WILDCARDS = {"*": ".*", "?": "."}


OPTIONS = re2.Options()
OPTIONS.log_errors = False


class PatternFault(Exception):  # noqa: N818 - never leaves this folder
    """What is wrong with a pattern, and what would be right."""

    def __init__(self, message: str, meant: str) -> None:
        super().__init__(message)
        self.message = message
        self.meant = meant


@dataclass(frozen=True, slots=True)
class Pattern:
    """`shown` as it was written; `source` in the engine's own language, compiled."""

    shown: str
    source: str
    compiled: Any = field(compare=False)

    def within(self, texts: tuple[bytes, ...]) -> bool:
        """Is it found in one of them? In a text that is empty nothing is."""
        return any(text and self.compiled.search(text) for text in texts)


def glob(written: str) -> Pattern:
    """Fits a whole text: `*` is any run of characters, `?` is one; upper and lower case are the same.

    >>> glob("*.PDF").within((b"a.pdf",)), glob("a.pdf").within((b"aa.pdf",))
    (True, False)
    """
    # Small letters on both sides, not (?i): that takes ſ for s, which the index does not.
    signs = "".join(_WILDCARDS.get(sign) or re2.escape(sign) for sign in written.lower())
    source = rf"(?s)\A{signs}\z"
    return Pattern(written, source, re2.compile(source, OPTIONS))


def regex(written: str) -> Pattern:
    r"""Found anywhere in a text; upper and lower case are the same, `\w` knows all scripts. Raises PatternFault.

    >>> regex(r"\bdeals?\b").within((b"Best DEAL ever",))
    True
    """
    source = "(?i)" + _PIECE.sub(_piece, written)
    try:
        return Pattern(written, source, re2.compile(source, OPTIONS))
    except re2.error as error:
        raise PatternFault(_told(error), _meant(written)) from None


def _piece(match: re.Match[str]) -> str:
    piece = match.group()
    if piece.startswith("["):
        return _ESCAPE.sub(lambda escape: _INSIDE.get(escape.group(), escape.group()), piece)
    return _OUTSIDE.get(piece, piece)


def _told(error: Exception) -> str:
    told = error.args[0] if error.args else "it cannot be read"
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)


def _meant(written: str) -> str:
    if _LOOKING_AROUND.search(written):
        return "There is no looking ahead or behind, which can take for ever: use “unless” or “not” for exceptions."
    if re.search(r"\\[1-9]", written):
        return "There are no references to earlier groups, which can take for ever."
    return "Before a sign that is meant itself, as in C\\+\\+ or \\(, write a “\\”; put the whole in single quotes."
