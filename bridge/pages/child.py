"""The child process that takes pages apart."""

from __future__ import annotations

from typing import Any

from bridge.child import serve
from bridge.pages.document import read

MOST_MEMORY = 384 * 1024 * 1024
MOST_CPU_SECONDS = 5


def _answer(header: dict[str, Any], body: bytes) -> dict[str, Any]:
    return read(body, content_type=header["content_type"], url=header["url"]).to_wire()


if __name__ == "__main__":
    serve(_answer, memory=MOST_MEMORY, cpu_seconds=MOST_CPU_SECONDS)
