"""The log: one line for people on a terminal, JSON otherwise; control characters escaped, secrets struck out."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

# Line breaks, too: what a stranger named must not begin a line of its own. A traceback keeps those it has.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

# They log addresses, and an address of the Bot API holds the bot's token.
_TALKATIVE = ("httpx", "httpcore", "telegram", "uvicorn", "python_multipart")


def start(level: str, secrets: Iterable[str]) -> None:
    """Sends every log line to stderr, as `level` and above."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter([secret for secret in secrets if secret], human=sys.stderr.isatty()))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


class Formatter(logging.Formatter):
    """`secrets` never appear in what it makes, wherever they came from."""

    def __init__(self, secrets: Iterable[str], *, human: bool) -> None:
        super().__init__()
        self._secrets = [re.escape(secret) for secret in secrets]
        self._hide = re.compile("|".join(self._secrets)) if self._secrets else None
        self._human = human

    def format(self, record: logging.LogRecord) -> str:
        text = self._plain(record.getMessage())
        if record.exc_info:
            lines = self.formatException(record.exc_info).split("\n")
            text = "\n".join([text, *(self._plain(line) for line in lines)])
        return self._line(record, text) if self._human else self._json(record, text)

    def _plain(self, text: str) -> str:
        struck = self._hide.sub("…", text) if self._hide else text
        return _CONTROL.sub(lambda found: repr(found[0])[1:-1], struck)

    def _line(self, record: logging.LogRecord, text: str) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        mark = "" if record.levelno < logging.WARNING else f"{record.levelname} "
        return f"{time}  {mark}{text}"

    def _json(self, record: logging.LogRecord, text: str) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"time": time, "level": record.levelname, "logger": record.name, "message": text}
        return json.dumps(fields, ensure_ascii=False)
