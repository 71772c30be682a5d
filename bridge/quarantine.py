"""Quarantine: what was being read when the process ended is read in a child process first.

One arrival that ends whoever reads it would otherwise end every start. A child that ends over it costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import json
import logging
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from bridge import rules
from bridge.intake import Reader, read_one
from bridge.ports import Arrival, Key
from bridge.rules import Occasion, RuleFile

log = logging.getLogger(__name__)

TRIAL_SECONDS = 60.0
"""For all of them. A reader that takes longer has stopped for good."""


class Quarantine:
    """`readers`: a source's name -> the module with its `read`; `choices` what it is called with. `zone` is a name."""

    def __init__(
        self,
        readers: Mapping[str, str],
        choices: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        *,
        zone: str,
        seconds: float = TRIAL_SECONDS,
    ) -> None:
        self._readers = dict(readers)
        self._choices = {source: dict(chosen) for source, chosen in choices.items()}
        self._zone = zone
        self._seconds = seconds

    async def deadly(self, groups: Sequence[Sequence[Arrival]], rule_file: RuleFile) -> Mapping[int, str]:
        """The groups, by the id of their first arrival, over which a process ends, and how it ended."""
        found: dict[int, str] = {}
        left = list(groups)
        while left:
            try:
                begun, ending = await self._try(left, rule_file)
            except OSError as error:
                # Nobody can be asked: the line must not stop for that.
                log.warning("no child process could be started (%s): what was interrupted is read as ever", error)
                return found
            if not ending or begun is None:
                return found
            found[begun] = ending
            numbers = [group[0].id for group in left]
            left = left[numbers.index(begun) + 1 :]
        return found

    async def _try(self, groups: Sequence[Sequence[Arrival]], rule_file: RuleFile) -> tuple[int | None, str]:
        """The group that was begun last, and how the child ended; "" when it was through with all of them."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge.quarantine"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        begun: list[int] = []
        try:
            async with asyncio.timeout(self._seconds):
                await self._follow(child, self._task(groups, rule_file), begun)
                ending = "" if child.returncode == 0 else _ending(child.returncode or 0)
        except TimeoutError:
            ending = f"did not come to an end within {self._seconds:g} seconds"
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return (begun[0] if begun else None), ending

    async def _follow(self, child: asyncio.subprocess.Process, task: bytes, begun: list[int]) -> None:
        """Gives the child its task, and notes what it begins until it has ended."""
        if child.stdin is None or child.stdout is None:
            raise AssertionError
        with contextlib.suppress(ConnectionError):
            child.stdin.write(task)
            await child.stdin.drain()
        child.stdin.close()
        async for line in child.stdout:
            begun[:] = [int(line)]
        await child.wait()

    def _task(self, groups: Sequence[Sequence[Arrival]], rule_file: RuleFile) -> bytes:
        task = {
            "readers": self._readers,
            "choices": self._choices,
            "zone": self._zone,
            "rules": rule_file.text,
            "groups": [[asdict(arrival) for arrival in group] for group in groups],
        }
        return json.dumps(task).encode("ascii")


def _ending(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"


def main() -> None:
    """The child: says which group it begins, then reads it as intake would. What it makes of it is thrown away."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    task = json.load(sys.stdin)
    rule_file = rules.load(task["rules"], name="the rules")
    zone = ZoneInfo(task["zone"])
    readers: dict[str, Reader] = {}
    for plain in task["groups"]:
        group = [_arrival(each) for each in plain]
        first = group[0]
        sys.stdout.write(f"{first.id}\n")
        sys.stdout.flush()
        read = importlib.import_module(task["readers"][first.source]).read
        readers[first.source] = functools.partial(read, **task["choices"].get(first.source, {}))
        read_one(readers, group, rule_file, Occasion(account=first.account, now=first.received, zone=zone))


def _arrival(plain: Mapping[str, Any]) -> Arrival:
    return Arrival(**{**plain, "key": Key("", "")})


if __name__ == "__main__":
    main()
