"""What is wrong with a value that a person wrote, and what would be right, in words.

Settings and the options of destinations are told alike.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

LONGEST_SHOWN = 60

OURS = "ours"
"""The type of a problem whose message is our own sentence."""


def shown(value: object) -> str:
    """As it was written, in quotes, on one line that is not too long."""
    text = "".join(sign if sign.isprintable() else "�" for sign in str(value)[: LONGEST_SHOWN + 1])
    return f"“{text[:LONGEST_SHOWN]}{'…' if len(text) > LONGEST_SHOWN else ''}”"


def amiss(problem: Mapping[str, Any], field: FieldInfo | None) -> str:
    """One of pydantic's problems with a field: what was given, and what it should be. No secret is repeated."""
    message = str(problem["msg"])
    kind = _kind(field.annotation) if field else None
    if problem["type"] in (OURS, "value_error") or field is None or kind is None:
        return message.removeprefix("Value error, ")
    if kind is SecretStr:
        return "it is no text: put it in quotes"
    return f"{shown(problem['input'])} is {_not_wanted(problem['input'], kind, field)}"


def _kind(annotation: Any) -> Any:
    """The one type that is wanted, or None where it is more than that."""
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        return _kind(kinds[0]) if len(kinds) == 1 else None
    known = annotation in (bool, int, float, str, SecretStr) or get_origin(annotation) is Literal
    return annotation if known else None


def _not_wanted(given: object, kind: Any, field: FieldInfo) -> str:
    if kind is bool:
        return "neither 1 (yes) nor 0 (no)"
    if kind is str:
        return "no text: put it in quotes"
    if get_origin(kind) is Literal:
        return _none_of(str(given), [str(choice) for choice in get_args(kind) if choice])
    return f"no {'whole number' if kind is int else 'number'}{_within(field)}"


def _none_of(given: str, choices: Sequence[str]) -> str:
    listed = f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]
    close = difflib.get_close_matches(given.strip().lower(), choices, 1)
    return f"not {listed}" + (f"; did you mean {close[0]}?" if close else "")


def _within(field: FieldInfo) -> str:
    bounds = {name: getattr(bound, name) for bound in field.metadata for name in ("ge", "le") if hasattr(bound, name)}
    match bounds:
        case {"ge": least, "le": most}:
            return f" from {least:g} to {most:.0f}"
        case {"ge": least}:
            return f" of {least:g} or more"
        case {"le": most}:
            return f" of {most:.0f} or less"
    return ""
