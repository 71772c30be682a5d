"""The child process that reads feed documents: one after the other, from pipe to pipe, within limits of its own.

    request   4 bytes length, JSON {"charset", "url"}; 4 bytes length, the body
    answer    4 bytes length, JSON {"document"} or {"problem", "feeds"}

Whatever else goes wrong in a document ends the process; its last line on stderr says why.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any, BinaryIO

from bridge.errors import SourceError
from bridge.sources.feeds.discovery import feeds_of
from bridge.sources.feeds.document import parse
from bridge.sources.feeds.text import decode

MOST_MEMORY = 512 * 1024 * 1024
MOST_CPU_SECONDS = 30
"""For one document. The parent's deadline comes first; this one also holds when there is no parent any more."""


def main() -> None:
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while header := _frame(requests):
        _limit_cpu()
        answer = _answer(json.loads(header), _frame(requests))
        wire = json.dumps(answer).encode("ascii")
        answers.write(len(wire).to_bytes(4, "big") + wire)
        answers.flush()


def _answer(header: dict[str, str], body: bytes) -> dict[str, Any]:
    try:
        return {"document": parse(body, charset=header["charset"], url=header["url"]).to_wire()}
    except SourceError as error:
        named = feeds_of(decode(body, header["charset"]), header["url"])
        return {"problem": str(error), "feeds": named}


def _frame(stream: BinaryIO) -> bytes:
    return stream.read(int.from_bytes(stream.read(4), "big"))


def _limit_cpu() -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(usage.ru_utime + usage.ru_stime) + MOST_CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


if __name__ == "__main__":
    main()
