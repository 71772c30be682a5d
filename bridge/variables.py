"""Variables as they are set: in the environment, in `.env`, and in the files that others of them name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from bridge.errors import ConfigError

PREFIX = "BRIDGE_"
ENV = ".env"


def variable(field: str, more: str = "") -> str:
    """The variable of a setting; `more` is “_FILE” for the one that names a file with its value."""
    return f"{PREFIX}{field.upper()}{more}"


def given() -> Mapping[str, str]:
    """The variables that are set: in the environment, else in `.env`."""
    return {name: value for name, value in {**dotenv_values(ENV), **os.environ}.items() if value is not None}


def content(field: str, path: str) -> str:
    """What is in the file that a setting's variable names, without the blanks around it."""
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise ConfigError(f"{variable(field, '_FILE')}: {path} cannot be read ({reason})") from None


def unread_lines() -> Iterator[str]:
    """A sentence for each line of `.env` that sets nothing. It may hold a secret, so it is not repeated."""
    if not Path(ENV).is_file():
        return
    with Path(ENV).open(encoding="utf-8") as file:
        for line in parse_stream(file):
            if line.error or (line.key and line.value is None):
                yield f"{ENV}, line {line.original.line}, means nothing; write it like {PREFIX}TZ=Europe/Berlin"
