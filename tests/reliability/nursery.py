"""Starts the real process in a tenth of the time: it is forked from one that has imported everything already.

    python -m tests.reliability.nursery        # a line of JSON is a life to begin; answers its pid, then how it ended
    python -m tests.reliability.nursery LINE   # lives this one life itself

Everything else is as with `pocket-bridge run`: a process of its own, that can be killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bridge.cli import main as pocket_bridge
from tests.reliability import control, points


@dataclass(frozen=True, slots=True)
class Life:
    """One life of the process. `trap`: at which passage of which point it ends; `without`: a protection that is off;
    `journal`: a file in which it writes down its leases."""

    environment: Mapping[str, str]
    log: str
    trap: points.Trap | None = None
    without: str = ""
    journal: str = ""

    def line(self) -> bytes:
        trap = [self.trap.point, self.trap.passage, self.trap.note] if self.trap else None
        written = {"environment": dict(self.environment), "log": self.log, "trap": trap}
        return json.dumps(written | {"without": self.without, "journal": self.journal}).encode() + b"\n"


@dataclass(slots=True)
class Process:
    """A process that was born; the next is born only when this one has ended."""

    pid: int
    returncode: int | None = None

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def _send(self, number: int) -> None:
        # Until the nursery has said that it ended, its pid cannot be another's: nobody has waited for it.
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Nursery:
    """Where processes are born, one at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def begin(self, life: Life) -> Process:
        assert self._process.stdin is not None
        self._process.stdin.write(life.line())
        await self._process.stdin.drain()
        return Process(await self._said())

    async def ended(self, process: Process) -> int:
        """Waits for its end: the exit code, or minus the signal."""
        if process.returncode is None:
            process.returncode = await self._said()
        return process.returncode

    async def _said(self) -> int:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, "the nursery itself has ended"
        return int(line)


@contextlib.asynccontextmanager
async def a_nursery() -> AsyncIterator[Nursery]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __spec__.name, stdin=pipe, stdout=pipe)
    try:
        yield Nursery(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def main() -> None:
    if len(sys.argv) > 1:
        _live(json.loads(sys.argv[1]))
    points.import_everything()
    gc.freeze()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _live(json.loads(line))
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _live(order: Mapping[str, Any]) -> NoReturn:
    os.environ.clear()
    os.environ.update(order["environment"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((nothing, log, log)):
        os.dup2(file, number)
    live(points.Trap(*order["trap"]) if order["trap"] else None, order["without"], order["journal"])


def live(trap: points.Trap | None, without: str = "", journal: str = "") -> NoReturn:
    """`pocket-bridge run`, prepared."""
    if without:
        control.switch_off(without)
    if trap or journal:
        points.prepare(trap, Path(journal) if journal else None)
    sys.argv = ["pocket-bridge", "run"]
    pocket_bridge()
    sys.exit(0)


if __name__ == "__main__":
    main()
