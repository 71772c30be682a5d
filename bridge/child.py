"""Work at arm's length: a child process reads what strangers wrote; a hostile text costs a deadline and no more.

    request   4 bytes length, a JSON header; 4 bytes length, the body
    answer    4 bytes length, JSON

Whatever else goes wrong in the child ends it; its last line on stderr says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from bridge.errors import BridgeError

LARGE = 512 * 1024
"""A request of more bytes leaves so much memory behind that the next one is given a new child."""

IDLE = 60.0
"""Seconds without a request after which no child is kept: it holds some forty megabytes."""

DYING_SECONDS = 1.0
"""How long a child whose pipe is closed may take to be gone."""

# The child reads what strangers wrote: it gets no secret of ours to lose.
_ENVIRONMENT = ("LANG", "LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")


def python(module: str) -> tuple[str, ...]:
    """The command that runs a module of ours as a child."""
    return (sys.executable, "-W", "ignore", "-m", module)


class Child:
    """Started with the first request, kept for the next, replaced when it died, gone after `idle` seconds without one.

    One request at a time; while it is read, another child is started for the next, up to `most`. `what` names what is
    read, in the sentences of `failure`, which is raised for everything that goes wrong.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        what: str,
        deadline: float,
        failure: Callable[[str], BridgeError],
        most: int = 1,
        idle: float = IDLE,
    ) -> None:
        self._command = command
        self._what = what
        self._deadline = deadline
        self._failure = failure
        self._idle = idle
        self._turn = asyncio.Semaphore(most)
        self._free: list[asyncio.subprocess.Process] = []
        self._retiring: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def ask(self, header: Mapping[str, Any], body: bytes) -> dict[str, Any]:
        """The child's answer. Raises when it took too long or died; the next request is read by a new one."""
        request = _framed(json.dumps(header).encode()) + _framed(body)
        async with self._turn:
            return await self._ask(request)

    async def close(self) -> None:
        """Ends those that wait for a request, and waits until they are gone."""
        self._stay()
        free, self._free = self._free, []
        for process in free:
            await _ended(process)

    async def _ask(self, request: bytes) -> dict[str, Any]:
        process = await self._started()
        async with AsyncExitStack() as unless_kept:
            # Also when we are cancelled: a child in the middle of an answer cannot be asked again.
            unless_kept.push_async_callback(_ended, process)
            try:
                async with asyncio.timeout(self._deadline):
                    answer = await _exchange(process, request)
            except TimeoutError:
                raise self._failure(f"the {self._what} could not be read within {self._deadline:g} seconds") from None
            except (asyncio.IncompleteReadError, ConnectionError):
                raise self._failure(f"the {self._what} could not be read: {await _end_of(process)}") from None
            if len(request) <= LARGE:
                unless_kept.pop_all()
                self._keep(process)
        return answer

    def _keep(self, process: asyncio.subprocess.Process) -> None:
        self._free.append(process)
        self._stay()
        self._retiring = asyncio.get_running_loop().call_later(self._idle, self._retire)

    def _stay(self) -> None:
        if self._retiring is not None:
            self._retiring.cancel()
            self._retiring = None

    def _retire(self) -> None:
        """Who has nothing more to read ends by itself."""
        free, self._free = self._free, []
        for process in free:
            if process.stdin is not None:
                process.stdin.close()

    async def _started(self) -> asyncio.subprocess.Process:
        while self._free:
            process = self._free.pop()
            if process.returncode is None:
                return process
            await _ended(process)
        return await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            cwd="/",
        )


async def _end_of(process: asyncio.subprocess.Process) -> str:
    """The last words of one whose pipe is closed. Killing it at once would take its own end from who waits for it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DYING_SECONDS):
            await process.wait()
    return await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> str:
    """Makes sure of its end. Answers its last words."""
    if process.returncode is None:
        process.kill()
    _, said = await process.communicate()
    lines = said.decode("utf-8", "replace").splitlines()
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), f"exit {process.returncode}")


async def _exchange(process: asyncio.subprocess.Process, request: bytes) -> dict[str, Any]:
    if process.stdin is None or process.stdout is None:
        raise ConnectionError
    process.stdin.write(request)
    await process.stdin.drain()
    size = int.from_bytes(await process.stdout.readexactly(4), "big")
    answer: dict[str, Any] = json.loads(await process.stdout.readexactly(size))
    return answer


def _framed(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)}


def serve(answer: Callable[[dict[str, Any], bytes], dict[str, Any]], *, memory: int, cpu_seconds: int) -> None:
    """The child's side: answers one request after the other, within limits of its own, until the pipe is closed.

    `cpu_seconds` are for one request. The parent's deadline comes first; this one also holds when there is no parent
    any more.
    """
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while header := _frame(requests):
        _limit_cpu(cpu_seconds)
        wire = json.dumps(answer(json.loads(header), _frame(requests))).encode("ascii")
        answers.write(len(wire).to_bytes(4, "big") + wire)
        answers.flush()


def _frame(stream: BinaryIO) -> bytes:
    return stream.read(int.from_bytes(stream.read(4), "big"))


def _limit_cpu(seconds: int) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(usage.ru_utime + usage.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
