"""Intake: arrivals by the hundred -> sightings -> rules -> deliveries.

Reading and deciding are pure; one unit commits what came of it.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo

from bridge import rules
from bridge.errors import InvalidArrival, StoreError
from bridge.link import Sighting
from bridge.needs import IN_LINE_SECONDS, NO_PATIENCE, NOTHING, Need, Patience, needed
from bridge.page import Looked
from bridge.ports import OWNER, Arrival, Inbox, KnownPages, Read, Reading
from bridge.ports.keeping import Underway
from bridge.rules import Decision, Occasion, PageRules, RuleFile
from bridge.suspects import Suspects, Trial

Reader = Callable[[Sequence[Arrival]], Reading]

MOST_ARRIVALS = 300
"""Arrivals in one unit."""
FEW_ARRIVALS = 50
"""The same while others wait for the interpreter and for the database."""

log = logging.getLogger(__name__)


class Intake:
    """`readers`: a source's name -> its pure `read`. `rule_file` may be exchanged while it runs.

    `underway` and `trial`: what was being read when the last process ended is tried elsewhere first.
    `busy`: whether others wait; then it takes a few at a time.
    """

    def __init__(
        self,
        inbox: Inbox,
        readers: Mapping[str, Reader],
        rule_file: RuleFile,
        *,
        zone: tzinfo = UTC,
        underway: Underway | None = None,
        trial: Trial | None = None,
        pages: KnownPages | None = None,
        patience: Patience = NO_PATIENCE,
        clock: Callable[[], float] = time.time,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._inbox = inbox
        self._readers = readers
        self._zone = zone
        self._suspects = Suspects(underway, trial) if underway and trial else None
        self._pages = pages
        self._patience = patience
        self._clock = clock
        self._page_rules = PageRules(rule_file)
        self._busy = busy
        self.rule_file = rule_file

    async def wait(self) -> None:
        await self._inbox.wait_for_arrivals()

    async def step(self) -> int:
        """Takes in what is due now; answers how many arrivals that was."""
        due = await self._inbox.due(FEW_ARRIVALS if self._busy() else MOST_ARRIVALS)
        if due:
            rule_file = self.rule_file
            deadly: Mapping[int, str] = {}
            if self._suspects:
                due, deadly = await self._suspects.begin(_groups(due), rule_file)
            harmless = [arrival for arrival in due if arrival.id not in deadly]
            reads = await asyncio.to_thread(self._read_all, harmless, rule_file)
            needs = await asyncio.to_thread(self._needs, reads, rule_file)
            reads = [await self._known(read, need, rule_file) for read, need in zip(reads, needs, strict=True)]
            reads += [Read(arrival, "parked", deadly[arrival.id]) for arrival in due if arrival.id in deadly]
            await self._take(_together(reads), rule_file.hash)
            if self._suspects:
                self._suspects.taken(due)
        return len(due)

    async def _take(self, reads: Sequence[Read], rule_set: str) -> None:
        """What cannot be written down is one arrival's trouble: the others are taken, each by itself."""
        try:
            await self._inbox.take(reads, rule_set)
        except StoreError:
            raise
        except Exception as error:
            if len(reads) > 1:
                for read in reads:
                    await self._take([read], rule_set)
                return
            log.exception("arrival %d could not be taken in", reads[0].arrival.id)
            await self._inbox.take([_parked(reads[0].arrival, error)], rule_set)
        for read in reads:
            _log(read)

    def _needs(self, reads: Sequence[Read], rule_file: RuleFile) -> list[Need]:
        if self._pages is None or self._patience.looks == "off":
            return [NOTHING] * len(reads)
        if self._page_rules.rule_file is not rule_file:
            self._page_rules = PageRules(rule_file)
        return [needed(read.decided, self._page_rules, self._occasion(read.arrival), self._patience) for read in reads]

    async def _known(self, read: Read, need: Need, rule_file: RuleFile) -> Read:
        """Decided once more, now that more is known: of pages, and how often each link was seen before. Or it waits."""
        arrival = read.arrival
        looked = await self._looked(need, finally_=arrival.waited)
        missing = {address: url for address, url in need.first.items() if address not in looked}
        if missing and not arrival.waited:
            return Read(arrival, "waits", pages=missing, until=self._clock() + IN_LINE_SECONDS)
        seen = await self._seen(read) if "seen" in rule_file.asks else {}
        if not looked and not seen:
            return replace(read, pages=need.late)
        decided = [
            (sighting, _decide(rule_file, sighting, occasion.informed(looked.get(sighting.canonical))))
            for sighting, _ in read.decided
            for occasion in [self._occasion(arrival, seen.get(sighting.canonical))]
        ]
        return replace(read, decided=decided, pages=need.late, looked=looked)

    async def _looked(self, need: Need, *, finally_: bool) -> Mapping[str, Looked]:
        if self._pages is None or not need:
            return {}
        return await self._pages.looked([*need.first, *need.late], finally_=finally_)

    async def _seen(self, read: Read) -> Mapping[str, int]:
        return await self._inbox.seen(read.arrival.account, [sighting.canonical for sighting, _ in read.decided])

    def _occasion(self, arrival: Arrival, seen: int | None = None) -> Occasion:
        return Occasion(account=arrival.account, now=arrival.received, seen=seen, zone=self._zone)

    def _read_all(self, due: Sequence[Arrival], rule_file: RuleFile) -> list[Read]:
        reads: list[Read] = []
        for group in _groups(due):
            reads.extend(self._read_group(group, rule_file))
            time.sleep(0)  # the interpreter is one: whoever waits for it goes first
        return reads

    def _read_group(self, group: Sequence[Arrival], rule_file: RuleFile) -> list[Read]:
        """What a group says is written down with its first arrival; the others are read with it."""
        first, *others = group
        found = read_one(self._readers, group, rule_file, self._occasion(first))
        if others and found.state == "parked":
            # One bad member must not take the others with it.
            return [read_one(self._readers, [each], rule_file, self._occasion(each)) for each in group]
        return [found, *(Read(arrival, "read", f"together with {first.id}") for arrival in others)]


def _together(reads: Sequence[Read]) -> list[Read]:
    """What is read with an arrival that waits for a page, waits with it."""
    until = {f"together with {read.arrival.id}": read.until for read in reads if read.state == "waits"}
    return [Read(read.arrival, "waits", until=until[read.reason]) if read.reason in until else read for read in reads]


def read_one(readers: Mapping[str, Reader], group: Sequence[Arrival], rule_file: RuleFile, occasion: Occasion) -> Read:
    """Reads a group and decides each of its links. Whatever is wrong with it parks it and nothing else."""
    first = group[0]
    try:
        reading = readers[first.source](group)
        decided = [(sighting, _decide(rule_file, sighting, occasion)) for sighting in reading.sightings]
    except InvalidArrival as error:
        return Read(first, "parked", str(error))
    except Exception as error:
        # A reader's bug costs one arrival, which is kept and can be replayed: it must never stop the line.
        log.exception("arrival %d of %s could not be read", first.id, first.source)
        return _parked(first, error)
    state = "read" if decided else "command" if reading.requests else "empty"
    said = [request.name for request in reading.requests] if state == "command" else reading.notes
    return Read(first, state, "; ".join(said), decided, reading.requests)


def _parked(arrival: Arrival, error: Exception) -> Read:
    return Read(arrival, "parked", f"could not be read: {type(error).__name__} (this is a bug in bridge)")


def _decide(rule_file: RuleFile, sighting: Sighting, occasion: Occasion) -> Decision:
    """What the rules say; where it goes is its sender's choice, if they named connections that there are."""
    decision = rules.decide(rule_file, sighting, occasion)
    named = sighting.fields.get("chosen")
    names = named if isinstance(named, list | tuple) else ()
    # Connections are the owner's: others choose between what the rules say and their own list.
    theirs = rule_file.destinations if occasion.account == OWNER else ()
    known = tuple(name for name in names if name in (rules.READING, *theirs))
    return replace(decision, to=known) if known and not decision.dropped_by else decision


def _groups(due: Sequence[Arrival]) -> list[list[Arrival]]:
    ordered = sorted(due, key=lambda arrival: (arrival.group, arrival.id))
    grouped = itertools.groupby(ordered, key=lambda arrival: arrival.group or arrival.id)
    return sorted((list(group) for _, group in grouped), key=lambda group: group[0].id)


def _log(read: Read) -> None:
    if not read.decided:
        reason = read.reason or ("for its page" if read.state == "waits" else "")
        log.info("arrival %d from %s: %s %s", read.arrival.id, read.arrival.source, read.state, reason)
    for sighting, decision in read.decided:
        went = f"dropped by {decision.dropped_by}" if decision.dropped_by else f"to {', '.join(decision.to)}"
        log.info("arrival %d from %s: %s %s", read.arrival.id, read.arrival.source, sighting.canonical, went)
