"""When which feed is polled: what is due stands in line for its host, and a host is asked by one poll at a time."""

from __future__ import annotations

import heapq
import itertools
import sys
from collections import deque
from collections.abc import Collection


class Schedule:
    """`most`: polls at the same time. A line that waits for its host holds nobody else's place."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._due: list[tuple[float, int, str, str]] = []
        self._numbers = itertools.count()
        self._planned: dict[str, int] = {}
        self._lines: dict[str, deque[str]] = {}
        self._free: deque[str] = deque()
        self._running: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._planned

    def plan(self, name: str, host: str, due: float) -> None:
        """The next poll; one that was planned before is forgotten."""
        number = next(self._numbers)
        self._planned[name] = number
        heapq.heappush(self._due, (due, number, name, sys.intern(host)))

    def forget(self, names: Collection[str]) -> None:
        for name in names:
            self._planned.pop(name, None)

    @property
    def names(self) -> Collection[str]:
        return self._planned.keys()

    def start(self, now: float) -> list[str]:
        """Those to be polled from now on, each until `done`."""
        self._line_up(now)
        begun: list[str] = []
        while self._free and len(self._running) < self._most:
            host = self._free.popleft()
            name = self._next(host)
            if name:
                self._running[name] = host
                begun.append(name)
        return begun

    def done(self, name: str) -> None:
        host = self._running.pop(name)
        if host in self._lines:
            self._free.append(host)

    def next(self, most: int) -> list[str]:
        """Those that stand in line and will be started soon, the first of every line first."""
        lines = self._lines.values()
        depth = max(map(len, lines), default=0)
        standing = (line[place] for place in range(min(depth, most)) for line in lines if place < len(line))
        return list(itertools.islice(standing, most))

    def wait(self, now: float) -> float:
        """Seconds until something may be started that is not in line yet."""
        return max(0.0, self._due[0][0] - now) if self._due else float("inf")

    def _line_up(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, number, name, host = heapq.heappop(self._due)
            if self._planned.get(name) != number:
                continue
            if host not in self._lines:
                self._lines[host] = deque()
                if host not in self._running.values():
                    self._free.append(host)
            self._lines[host].append(name)

    def _next(self, host: str) -> str:
        """The first in a host's line that is still wanted."""
        line = self._lines[host]
        found = ""
        while line and not found:
            name = line.popleft()
            found = name if name in self._planned else ""
        if not line:
            del self._lines[host]
        return found
