"""The herald: tells the owner what is wrong and what rules want told. Late rather than never, and in nobody's way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Protocol

from bridge.delivery import backoff
from bridge.errors import BridgeError, SourceError
from bridge.ports import DAY
from bridge.ports.keeping import Notice, Notices

MOST_NOTICES = 50
LONGEST_WORDS = 3500
LONGEST_WAIT = 3600.0
GIVEN_UP_AFTER = 3 * DAY

log = logging.getLogger(__name__)


class Channel(Protocol):
    """One way to the owner."""

    async def tell(self, words: str) -> None:
        """Raises BridgeError when it could not be told; a SourceError may say when to come again."""
        ...


class Herald:
    """`channels`: name -> the way that has it. What waits for the same way is told together."""

    def __init__(
        self,
        notices: Notices,
        channels: Mapping[str, Channel],
        *,
        clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._notices = notices
        self._channels = channels
        self._clock = clock
        self._chance = chance

    async def wait(self) -> None:
        await self._notices.wait_for_notices()

    async def step(self) -> int:
        """Tells what is due; answers how many notices that was."""
        due = await self._notices.due_notices(MOST_NOTICES)
        for name, waiting in groupby(sorted(due, key=lambda notice: (notice.channel, notice.id)), lambda n: n.channel):
            for some in _together(list(waiting)):
                if not await self._tell(name, some):
                    break
        return len(due)

    async def _tell(self, name: str, notices: Sequence[Notice]) -> bool:
        channel = self._channels.get(name)
        now = self._clock()
        old = [notice for notice in notices if channel is None or now - notice.since > GIVEN_UP_AFTER]
        for notice in old:
            log.warning("“%s” was not told by %s: %s", notice.words, name, "too late" if channel else "it is off now")
            await self._notices.told(notice)
        left = [notice for notice in notices if notice not in old]
        if not left or channel is None:
            return True
        try:
            await channel.tell("\n\n".join(notice.words for notice in left))
        except BridgeError as error:
            await self._put_off(name, left[0], error)
            return False
        except Exception:
            log.exception("%s could not be told in a way that it should", name)
            await self._put_off(name, left[0], BridgeError("this is a bug in bridge"))
            return False
        for notice in left:
            await self._notices.told(notice)
        return True

    async def _put_off(self, name: str, notice: Notice, error: BridgeError) -> None:
        asked = error.retry_after if isinstance(error, SourceError) else None
        wait = asked if asked is not None else min(10.0 + backoff(notice.failures, self._chance()), LONGEST_WAIT)
        log.warning("the owner could not be told by %s: %s; again in %.0f s", name, error, wait)
        await self._notices.tell_later(notice, self._clock() + wait)


def _together(notices: Sequence[Notice]) -> Iterator[Sequence[Notice]]:
    """As many in one message as it takes."""
    some: list[Notice] = []
    for notice in notices:
        if some and sum(len(each.words) + 2 for each in some) + len(notice.words) > LONGEST_WORDS:
            yield some
            some = []
        some.append(notice)
    if some:
        yield some
