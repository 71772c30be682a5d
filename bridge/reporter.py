"""The reporter: tells people what became of what they sent. None of it ever touches a save."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from bridge.delivery import backoff
from bridge.errors import SourceError
from bridge.ports import Reporter as Teller
from bridge.ports import Reports

MOST_REPORTS = 20
MOST_FAILURES = 8
LONGEST_WAIT = 3600.0

log = logging.getLogger(__name__)


class Reporter:
    """`tellers`: a source's name -> the source that can talk back."""

    def __init__(
        self,
        reports: Reports,
        tellers: Mapping[str, Teller],
        *,
        clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._reports = reports
        self._tellers = tellers
        self._clock = clock
        self._chance = chance

    async def wait(self) -> None:
        await self._reports.wait_for_reports()

    async def step(self) -> int:
        """Tells what is due; answers how many reports that was."""
        due = await self._reports.due_reports(MOST_REPORTS)
        for arrival, due_was, failures, reference in due:
            await self._tell(arrival, due_was, failures, reference)
        return len(due)

    async def _tell(self, arrival: int, due_was: float, failures: int, reference: str) -> None:
        report = await self._reports.report(arrival, reference)
        teller = self._tellers.get(report.arrival.source) if report else None
        if report is None or teller is None:
            await self._reports.drop_report(arrival)
            return
        try:
            told_as = await teller.report(report)
        except SourceError as error:
            await self._failed(arrival, failures, error)
            return
        except Exception:
            # A teller's bug costs one answer, not everybody's.
            log.exception("the answer about arrival %d failed", arrival)
            await self._failed(arrival, failures, SourceError("this is a bug in bridge"))
            return
        await self._reports.told(arrival, told_as, due_was=due_was, settled=report.settled)

    async def _failed(self, arrival: int, failures: int, error: SourceError) -> None:
        if error.retry_after is not None:
            # It was asked to wait, which is no failure: limits put answers off and lose none.
            log.debug("the answer about arrival %d waits %.0f s: %s", arrival, error.retry_after, error)
            await self._reports.tell_later(arrival, self._clock() + error.retry_after, failed=False)
            return
        if failures + 1 >= MOST_FAILURES:
            log.warning("the answer about arrival %d could not be given and is dropped: %s", arrival, error)
            await self._reports.drop_report(arrival)
            return
        wait = min(backoff(failures, self._chance()), LONGEST_WAIT)
        log.info("the answer about arrival %d waits %.0f s: %s", arrival, wait, error)
        await self._reports.tell_later(arrival, self._clock() + wait)
