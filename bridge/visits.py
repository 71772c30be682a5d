"""One look at something outside, for a command that needs no bridge: at a feed, a page, a bot, a file of links."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.declared import followers
from bridge.errors import PageError
from bridge.link import canonical
from bridge.net import Net
from bridge.page import Looked
from bridge.pages.reader import PageReader
from bridge.rules import RuleFile
from bridge.settings import Settings


def opened_list(path: Path) -> contextlib.AbstractContextManager[Any]:
    """A file of links, open: its rows are records, and faults with `part`, `line` and `reason`."""
    files = importlib.import_module("bridge.sources.files.source")
    listed: contextlib.AbstractContextManager[Any] = files.opened(path)
    return listed


@contextlib.asynccontextmanager
async def meet(settings: Settings, token: str) -> AsyncIterator[tuple[str, Any]]:
    """A bot's name, and those who write to it, as they do. Raises ConfigError for a token that is none."""
    api_module = importlib.import_module("bridge.sources.telegram.api")
    meeting = importlib.import_module("bridge.sources.telegram.meet")
    net = Net(allow_nets=settings.allow_nets)
    try:
        api = api_module.BotApi(net.trusting(settings.telegram_api), token=token, api=settings.telegram_api)
        yield await meeting.username(api), meeting.writers(api)
    finally:
        await net.close()


async def preview(settings: Settings, rule_file: RuleFile, url: str, followed: Sequence[Mapping[str, Any]] = ()) -> Any:
    """One look at a feed: its title, number of entries, sightings and notes. Raises BridgeError when it is none.

    It has the name and the tags it has in the rule file, else those among `followed`.
    """
    feeds = importlib.import_module("bridge.sources.feeds.source")
    listed = {canonical(one.feed.url): one for one in followers(rule_file)}.get(canonical(url))
    net = Net(allow_nets=settings.allow_nets)
    try:
        if listed:
            return await feeds.preview(net, url, name=listed.feed.name, tags=listed.feed.tags, secrets=listed.secrets)
        added = next((one for one in followed if canonical(one["url"]) == canonical(url)), {"name": "", "tags": ()})
        return await feeds.preview(net, url, name=added["name"], tags=added["tags"])
    finally:
        await net.close()


async def look(settings: Settings, url: str) -> Looked:
    """One look at a page."""
    net = Net(allow_nets=settings.allow_nets)
    pages = PageReader(net)
    try:
        return Looked(await pages.read(url))
    except PageError as error:
        return Looked(unread=str(error))
    finally:
        await pages.rest()
        await net.close()
