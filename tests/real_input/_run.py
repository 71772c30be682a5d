"""One run: everything given at once, waited for, and compared."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bridge.link import canonical
from tests.bot_api import BotApi
from tests.loopback import serve
from tests.real_input import _feeds, _telegram, _webhooks
from tests.real_input._case import Difference
from tests.real_input._process import Running, running
from tests.real_input._report import Result

PATIENCE = 900.0

_LOOK = 0.5


async def run(corpus: Path, folder: Path, *, every: int = 1) -> Result:
    """`folder` is the process' own. `every`: so many'th feed document."""
    bot = BotApi(second=0.05)
    updates = _telegram.updates(corpus / "telegram")
    delivered = _telegram.deliver(updates, bot)
    documents = _feeds.documents(corpus / "feeds", every=every)
    async with serve(bot) as bot_origin, _feeds.serving(documents) as served:
        rules = _feeds.rules(served)
        allow = _telegram.allowed(updates)
        began = time.monotonic()
        async with running(folder, rules=rules, telegram_api=bot_origin, allow=allow) as bridge:
            requests = await _webhooks.deliver(corpus / "webhooks", bridge.origin)
            waiting = await _drained(bridge, bot, len(served))
            seconds = time.monotonic() - began
            listed = Counter(canonical(url) for url in await bridge.listed())
            arrived = bridge.arrived()
            states = (await bridge.status())["arrivals"]
            with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
                feeds = await asyncio.to_thread(_feeds.door, served, bridge, arrived, executor)
            doors = [feeds, _telegram.door(delivered, bot, arrived), _webhooks.door(requests, arrived)]
    for door in doors:
        door.compare(listed)
    doors[-1].differences += _webhooks.wrong_answers(requests)
    explained = {canonical(link) for one in arrived for link in one.links}
    return Result(
        doors=doors,
        listed=listed,
        strangers=sorted(listed.keys() - explained),
        states=states,
        waiting=waiting,
        seconds=seconds,
        peaks=bridge.peaks,
        log=bridge.log(),
    )


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
