"""Intake: arrivals by the hundred -> sightings -> rules -> deliveries.

Reading and deciding are pure; one unit commits what came of it.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence

from bridge import rules
from bridge.errors import InvalidArrival
from bridge.ports import Arrival, Inbox, Read, Reading
from bridge.rules import RuleFile

Reader = Callable[[Sequence[Arrival]], Reading]

MOST_ARRIVALS = 300
"""Arrivals in one unit."""

log = logging.getLogger(__name__)


class Intake:
    """`readers`: a source's name -> its pure `read`. `rule_file` may be exchanged while it runs."""

    def __init__(self, inbox: Inbox, readers: Mapping[str, Reader], rule_file: RuleFile) -> None:
        self._inbox = inbox
        self._readers = readers
        self.rule_file = rule_file

    async def wait(self) -> None:
        await self._inbox.wait_for_arrivals()

    async def step(self) -> int:
        """Takes in what is due now; answers how many arrivals that was."""
        due = await self._inbox.due(MOST_ARRIVALS)
        if due:
            rule_file = self.rule_file
            reads = await asyncio.to_thread(self._read_all, due, rule_file)
            await self._inbox.take(reads, rule_file.hash)
            for read in reads:
                _log(read)
        return len(due)

    def _read_all(self, due: Sequence[Arrival], rule_file: RuleFile) -> list[Read]:
        reads: list[Read] = []
        for group in _groups(due):
            reads.extend(self._read_group(group, rule_file))
        return reads

    def _read_group(self, group: Sequence[Arrival], rule_file: RuleFile) -> list[Read]:
        """What a group says is written down with its first arrival; the others are read with it."""
        first, *others = group
        found = read_one(self._readers, group, rule_file)
        return [found, *(Read(arrival, "read", f"together with {first.id}") for arrival in others)]


def read_one(readers: Mapping[str, Reader], group: Sequence[Arrival], rule_file: RuleFile) -> Read:
    """Reads a group and decides each of its links. Whatever is wrong with it parks it and nothing else."""
    first = group[0]
    try:
        reading = readers[first.source](group)
    except InvalidArrival as error:
        return Read(first, "parked", str(error))
    except Exception as error:
        # A reader's bug costs one arrival, which is kept and can be replayed: it must never stop the line.
        log.exception("arrival %d of %s could not be read", first.id, first.source)
        return Read(first, "parked", f"could not be read: {type(error).__name__} (this is a bug in bridge)")
    decided = [(sighting, rules.decide(rule_file, sighting)) for sighting in reading.sightings]
    state = "read" if decided else "command" if reading.requests else "empty"
    said = [request.name for request in reading.requests] if state == "command" else reading.notes
    return Read(first, state, "; ".join(said), decided)


def _groups(due: Sequence[Arrival]) -> list[list[Arrival]]:
    ordered = sorted(due, key=lambda arrival: (arrival.group, arrival.id))
    grouped = itertools.groupby(ordered, key=lambda arrival: arrival.group or arrival.id)
    return sorted((list(group) for _, group in grouped), key=lambda group: group[0].id)


def _log(read: Read) -> None:
    if not read.decided:
        log.info("arrival %d from %s: %s %s", read.arrival.id, read.arrival.source, read.state, read.reason)
    for sighting, decision in read.decided:
        went = f"dropped by {decision.dropped_by}" if decision.dropped_by else f"to {', '.join(decision.to)}"
        log.info("arrival %d from %s: %s %s", read.arrival.id, read.arrival.source, sighting.canonical, went)
