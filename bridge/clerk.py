"""The clerk: carries out what people ask of a bot, once and in order, and writes down the answer they are told."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from bridge.desk import Desk
from bridge.errors import BridgeError, InvalidArrival, StoreError
from bridge.link import tidy_tags
from bridge.ports import OWNER, Errand, Errands, ReadingList
from bridge.reading_list import Query
from bridge.rules import READING

MOST_ERRANDS = 20
MOST_WHYS = 3
LAST = 5
BUSY_SECONDS = 2.0
MOST_WAITS = 90
"""Times an errand waits for a link that is being sent at the moment: longer than any lease."""

NOTHING_MEANT = "there is no message with a link that this could be about; answer the message you mean"

log = logging.getLogger(__name__)

Plain = dict[str, Any]


class Clerk:
    """`connections`: names that a link can be sent to. An errand that changes links is carried out once."""

    def __init__(
        self,
        errands: Errands,
        desk: Desk,
        reading_list: ReadingList,
        *,
        connections: Callable[[], Sequence[str]],
        clock: Callable[[], float],
    ) -> None:
        self._errands = errands
        self._desk = desk
        self._list = reading_list
        self._connections = connections
        self._clock = clock
        self._trades: dict[str, Callable[[Errand], Awaitable[Plain | None]]] = {
            "start": self._nothing,
            "help": self._nothing,
            "why": self._why,
            "last": self._last,
            "tags": self._tags,
            "tag": self._tag,
            "undo": self._undo,
            "to": self._to,
            "back": self._back,
            "feeds": self._feeds,
            "status": self._status,
        }

    async def wait(self) -> None:
        await self._errands.wait_for_errands()

    async def step(self) -> int:
        """Carries out what is due; answers how many errands that was."""
        due = await self._errands.due_errands(MOST_ERRANDS)
        for errand in due:
            answer = await self._answer(errand)
            if answer is None:
                await self._errands.put_off(errand, self._clock() + BUSY_SECONDS)
            else:
                await self._errands.answer(errand, answer)
        return len(due)

    async def _answer(self, errand: Errand) -> Plain | None:
        """None: it is to be put off."""
        try:
            return await self._trades.get(errand.name, self._unknown)(errand)
        except StoreError:
            raise
        except BridgeError as error:
            return {"error": str(error)}
        except Exception as error:
            # A bug costs one errand and is told: it must never stop the others.
            log.exception("“%s” could not be carried out", errand.name)
            return {"error": f"it could not be done: {type(error).__name__} (this is a bug in bridge)"}

    async def _nothing(self, _: Errand) -> Plain:
        return {}

    async def _unknown(self, errand: Errand) -> Plain:
        raise InvalidArrival(f"nobody here knows how to do “{errand.name}”")

    async def _why(self, errand: Errand) -> Plain:
        urls = [errand.argument] if errand.argument else await self._errands.links_of(_meant(errand).about)
        links = [await self._desk.why(url, errand.account) for url in urls[:MOST_WHYS]]
        return {"links": links, "more": len(urls[MOST_WHYS:])}

    async def _last(self, errand: Errand) -> Plain:
        return {"links": list(await self._errands.last(errand.account, LAST))}

    async def _tags(self, errand: Errand) -> Plain:
        page = await self._list.find(errand.account, Query(count=0, total=False, taglist=True))
        return {"tags": list(page.taglist)}

    async def _tag(self, errand: Errand) -> Plain:
        tags = tidy_tags(errand.argument.replace(",", " ").split())
        if not tags:
            raise InvalidArrival("name the tags: /tag python later")
        return dict(await self._errands.tag(_meant(errand), tags))

    async def _back(self, errand: Errand) -> Plain:
        """The answer shows its own buttons again."""
        return dict(await self._errands.show_again(_meant(errand)))

    async def _undo(self, errand: Errand) -> Plain | None:
        answer = await self._errands.take_back(_meant(errand), patient=errand.failures < MOST_WAITS)
        return None if answer is None else dict(answer)

    async def _to(self, errand: Errand) -> Plain:
        # Connections are the owner's, with the owner's credentials: others have their own list.
        names = list(self._connections()) if errand.account == OWNER else [READING]
        if not errand.argument:
            return {"connections": names}
        if errand.argument not in names:
            raise InvalidArrival(f"there is no connection “{errand.argument}”; there are: {', '.join(names)}")
        return dict(await self._errands.want_also(_meant(errand), errand.argument))

    async def _feeds(self, errand: Errand) -> Plain:
        """/feeds lists, /feeds URL name #tag follows, /feeds remove NAME ends it."""
        what, _, more = errand.argument.partition(" ")
        whose = {"account": errand.account}
        if what.lower() in ("remove", "delete"):
            return dict(await self._desk.handle("feeds-remove", {"what": more.strip(), **whose}))
        if not what:
            return dict(await self._desk.handle("feeds", whose))
        words = more.split()
        name = " ".join(word for word in words if not word.startswith("#"))
        asked = {"url": _address(what), "name": name, "tags": [word for word in words if word.startswith("#")]}
        return dict(await self._desk.handle("feeds-add", asked | whose))

    async def _status(self, errand: Errand) -> Plain:
        mine = errand.account == OWNER
        return await (self._desk.status() if mine else self._desk.standing(errand.account))


def _address(what: str) -> str:
    """As a person types it, perhaps without its scheme. Raises InvalidArrival."""
    if "://" not in what and "." not in what:
        raise InvalidArrival(
            f"“{what[:60]}” is no address; /feeds https://… follows a feed, /feeds remove NAME ends it"
        )
    return what if "://" in what else f"https://{what}"


def _meant(errand: Errand) -> Errand:
    """The errand, if it is about something."""
    if not errand.about:
        raise InvalidArrival(NOTHING_MEANT)
    return errand
