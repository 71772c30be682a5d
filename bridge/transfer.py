"""Bring a list, look at it, take it away: what the process that owns it does, some records at a time."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bridge.errors import ConfigError
from bridge.ports import DAY, OWNER, Arrival, Inbox, Kept, Key, Ledger, ReadingList, Shelf
from bridge.reading_list import ARCHIVED, Item, Query, Status
from bridge.record import Record

REMEMBERED = 7 * DAY
"""How long a row that went through the rules is known, so that an import that broke off can be run again."""

RULES_SECONDS = 10.0
"""How long some rows may wait for the rules before the next ones come."""

Commands = Mapping[str, Callable[..., Awaitable[Any]]]


class Transfer:
    """Answers are plain data. Each call is short, so that whatever else happens goes on between two of them."""

    def __init__(
        self,
        shelf: Shelf,
        inbox: Inbox,
        ledger: Ledger,
        *,
        reading_list: ReadingList,
        connections: Callable[[], Sequence[str]],
    ) -> None:
        self._list = reading_list
        self._shelf = shelf
        self._inbox = inbox
        self._ledger = ledger
        self._connections = connections

    def commands(self) -> Commands:
        return {"import": self.bring, "export": self.page, "list": self.newest}

    async def bring(
        self, records: Sequence[Mapping[str, Any]], *, name: str, to: str = "", keep: bool = True, rules: bool = False
    ) -> dict[str, int]:
        """Some rows of the file `name`: through the rules, or kept on the list, sent to a connection, or both."""
        brought = [Record.from_plain(raw) for raw in records]
        if to and to not in self._connections():
            raise ConfigError(f"there is no connection “{to}”; there are: {', '.join(self._connections())}")
        if rules:
            return {"judged": await self._judge(brought, name)}
        if to:
            await self._shelf.send(OWNER, to, brought, name)
        kept = await self._shelf.keep(OWNER, brought) if keep else Kept()
        return {**asdict(kept), "sent": len(brought) if to else 0}

    async def _judge(self, records: Sequence[Record], name: str) -> int:
        receipts = await self._inbox.put([_arrival(record, name) for record in records])
        if new := [receipt.id for receipt in receipts if receipt.new]:
            await self._read(new[-1])
        return len(new)

    async def _read(self, arrival: int) -> None:
        """Waits for the rules: what somebody saves by hand meanwhile finds no more than these few rows before it."""
        until = time.monotonic() + RULES_SECONDS
        while time.monotonic() < until:
            report = await self._ledger.report(arrival, "")
            if report is None or report.state != "new":
                return
            await asyncio.sleep(0.02)

    async def page(self, *, after: int, limit: int, status: Status | None = None) -> list[tuple[int, dict[str, Any]]]:
        """What is on the list by id, from the first one greater than `after`."""
        found = await self._shelf.records(OWNER, after=after, limit=limit, status=status)
        return [(id_, record.plain()) for id_, record in found]

    async def newest(self, *, most: int, tag: str = "") -> dict[str, Any]:
        """What is on the owner's list, newest first, and how much that is in all."""
        found = await self._list.find(OWNER, Query(count=most, tag=tag))
        return {"items": [_shown(item) for item in found.items], "total": found.total, "tag": tag}


def _shown(item: Item) -> dict[str, Any]:
    shown = {name: getattr(item, name) for name in ("url", "title", "tags", "favorite")}
    return shown | {"archived": item.status == ARCHIVED, "added": item.time_added}


def _arrival(record: Record, name: str) -> Arrival:
    raw = json.dumps([record.plain()], ensure_ascii=False)
    key = Key("file", hashlib.sha256(raw.encode()).hexdigest(), REMEMBERED)
    return Arrival(source="file", channel=name, key=key, raw=raw)
