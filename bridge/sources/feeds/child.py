"""The child process that reads feed documents."""

from __future__ import annotations

from typing import Any

from bridge.child import serve
from bridge.errors import SourceError
from bridge.sources.feeds.discovery import feeds_of
from bridge.sources.feeds.document import parse
from bridge.sources.feeds.text import decode

MOST_MEMORY = 512 * 1024 * 1024
MOST_CPU_SECONDS = 30


def _answer(header: dict[str, Any], body: bytes) -> dict[str, Any]:
    try:
        return {"document": parse(body, charset=header["charset"], url=header["url"]).to_wire()}
    except SourceError as error:
        named = feeds_of(decode(body, header["charset"]), header["url"])
        return {"problem": str(error), "feeds": named}


if __name__ == "__main__":
    serve(_answer, memory=MOST_MEMORY, cpu_seconds=MOST_CPU_SECONDS)
