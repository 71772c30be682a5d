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

from bridge import calls, delivery, gate
from bridge.cli import main as pocket_bridge
from tests.reliability import control, points


@dataclass(frozen=True, slots=True)
class Life:
    """One life of the process. `trap`: at which passage of which point it ends; `without`: a protection that is off;
    `journal`: a file in which it writes down its leases; `hurried`: it waits a fiftieth after failures."""

    environment: Mapping[str, str]
    log: str
    trap: points.Trap | None = None
    without: str = ""
    journal: str = ""
    hurried: bool = False

    def line(self) -> bytes:
        trap = [self.trap.point, self.trap.passage, self.trap.note] if self.trap else None
        written: dict[str, Any] = {"environment": dict(self.environment), "log": self.log, "trap": trap}
        written |= {"without": self.without, "journal": self.journal, "hurried": self.hurried}
        return json.dumps(written).encode() + b"\n"


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
    os.chdir(Path(order["log"]).parent)  # a `.env` where this was started is not meant
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((nothing, log, log)):
        os.dup2(file, number)
    if order["hurried"]:
        _hurry()
    if order["without"]:
        control.switch_off(order["without"])
    trap = points.Trap(*order["trap"]) if order["trap"] else None
    points.prepare(trap, Path(order["journal"]) if order["journal"] else None)
    sys.argv = ["pocket-bridge", "run"]
    pocket_bridge()
    sys.exit(0)


def _hurry() -> None:
    """How long the waits are is proven elsewhere, in virtual time."""
    vars(delivery)["_BASE_SECONDS"] /= 50.0
    for module in (gate, calls):
        vars(module)["SOON"] /= 50.0


if __name__ == "__main__":
    main()
