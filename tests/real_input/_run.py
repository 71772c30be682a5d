"""One run: everything given at once, waited for, and compared."""

from __future__ import annotations

import asyncio
import multiprocessing
import re
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bridge.link import canonical
from tests.bot_api import BotApi
from tests.loopback import serve
from tests.real_input import _feed_site, _feeds, _telegram, _webhooks
from tests.real_input._case import Door, canonicals
from tests.real_input._process import Arrived, Running, running
from tests.real_input._report import Result

PATIENCE = 900.0

_LOOK = 0.5


async def run(corpus: Path, folder: Path, *, every: int = 1) -> Result:
    """`folder` is the process' own. `every`: so many'th feed document."""
    bot = BotApi(second=0.05)
    updates = _telegram.updates(corpus / "telegram")
    allow = _telegram.allowed(updates)
    delivered = _telegram.deliver(updates, bot)
    documents = _feed_site.documents(corpus / "feeds", every=every)
    async with serve(bot) as bot_origin, _feed_site.serving(documents) as served:
        began = time.monotonic()
        rules = _feed_site.rules(served) + _webhooks.rules(corpus, folder)
        async with running(folder, rules=rules, telegram_api=bot_origin, allow=allow) as bridge:
            requests = await _webhooks.deliver(corpus, bridge.origin)
            waiting = await _drained(bridge, bot, len(served))
            seconds = time.monotonic() - began
            listed = Counter(canonical(url) for url in await bridge.listed())
            states = (await bridge.status())["arrivals"]
    arrived = bridge.arrived()
    doors = [
        await _read_again(served, bridge, arrived),
        _telegram.door(delivered, bot, arrived, allow),
        _webhooks.door(requests, arrived),
    ]
    for door in doors:
        door.compare(listed)
    return Result(
        doors=doors,
        parked=Counter((one.source, _kind(one.reason)) for one in arrived if one.state == "parked"),
        listed=listed,
        strangers=sorted(listed.keys() - canonicals(link for one in arrived for link in one.links)),
        states=states,
        waiting=waiting,
        seconds=seconds,
        peaks=bridge.peaks,
        complaints=[line for line in bridge.log().splitlines() if _is_complaint(line)],
    )


async def _read_again(served: Sequence[_feed_site.Served], bridge: Running, arrived: Sequence[Arrived]) -> Door:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
        return await asyncio.to_thread(_feeds.door, served, bridge, arrived, executor)


def _is_complaint(line: str) -> bool:
    logged = line.startswith("Traceback") or any(f" {level} " in line for level in ("WARNING", "ERROR", "CRITICAL"))
    return logged and not re.search(r" feed .* fails: ", line)


def _kind(reason: str) -> str:
    """The reason without what it quotes."""
    return re.sub(r"“[^”]*”", "“…”", reason)[:100]


async def _drained(bridge: Running, bot: BotApi, feeds: int) -> dict[str, int]:
    """Waits until nothing waits any more; answers what does after all."""
    until = time.monotonic() + PATIENCE
    while True:
        bridge.look()
        waiting = bridge.waiting()
        waiting["feeds never polled"] = feeds - sum("polled" in state for state in bridge.feed_states().values())
        waiting["updates"] = len(bot.pending)
        if not any(waiting.values()) or time.monotonic() > until:
            return waiting
        await asyncio.sleep(_LOOK)
