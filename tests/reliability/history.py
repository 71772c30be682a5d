"""The record of a run, and what must be true of it.

    {"t": 12.3, "proc": 4711, "op": "save", "id": "https://…", "phase": "ok"}

`phase` is invoke, ok, fail or info: info means that nobody can know whether it was done (the answer was lost). Lines
of several processes lie in one file; a process that is killed leaves at most its last line unfinished.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bridge.delivery import LEASE_SECONDS

Event = Mapping[str, Any]


class History:
    """Writes a run down, line by line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def __call__(self, op: str, id_: str | int, phase: str, **more: object) -> None:
        event = {"t": time.time(), "proc": "outside", "op": op, "id": id_, "phase": phase, **more}
        self._file.write(json.dumps(event) + "\n")

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> Iterator[Event]:
    """What was written down, in the order of its lines. What a kill cut off is left out."""
    for line in path.read_text("utf-8", "replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def acknowledged(events: Iterable[Event], *ops: str) -> set[str]:
    return {event["id"] for event in events if event["op"] in ops and event["phase"] == "ok"}


def lost(acknowledged: Collection[str], stored: Collection[str]) -> set[str]:
    """What was acknowledged and is not there."""
    return set(acknowledged) - set(stored)


def doubled(effects: Iterable[str]) -> dict[str, int]:
    """What took effect more than once, and how often."""
    return {name: number for name, number in Counter(effects).items() if number > 1}


def overlapping(events: Iterable[Event], *, seconds: float = LEASE_SECONDS) -> list[str]:
    """Leases granted while another holder still had theirs: neither settled, nor run out, nor dead.

    Of a process that was followed by another, nothing lives on.
    """
    held: dict[int, Event] = {}
    faults: list[str] = []
    for event in events:
        number = event["id"]
        if event["op"] == "lease":
            before = held.get(number)
            if before and before["proc"] == event["proc"] and event["t"] < before["t"] + seconds:
                faults.append(f"delivery {number}: {event['lease']} while {before['lease']} held it")
            held[number] = event
        elif event["op"] == "settle" and number in held and held[number]["lease"] == event["lease"]:
            del held[number]
    return faults


def settled_twice(events: Iterable[Event]) -> list[str]:
    """Leases under which a delivery was settled more than once."""
    under: defaultdict[tuple[int, str], int] = defaultdict(int)
    for event in events:
        if event["op"] == "settle":
            under[event["id"], event["lease"]] += 1
    return [f"delivery {number} under {lease}: {times} times" for (number, lease), times in under.items() if times > 1]
