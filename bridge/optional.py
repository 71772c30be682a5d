"""Plugs that are on only where settings or the rule file say so. They are heavy: each is imported when it is."""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from bridge.declared import notify_address
from bridge.intake import Reader
from bridge.lookup import Lookup
from bridge.needs import Patience
from bridge.net import Net
from bridge.pages.reader import PageReader
from bridge.ports import Source
from bridge.rules import RuleFile
from bridge.settings import Settings
from bridge.sources.feeds.source import Hubs
from bridge.store.core import Store
from bridge.tokens import hook_key
from bridge.upkeep.herald import Channel

READERS = {
    "cli": "bridge.desk",
    "feed": "bridge.sources.feeds.source",
    "file": "bridge.sources.files.source",
    "hook": "bridge.sources.webhooks.source",
    "pocket": "bridge.sources.pocket_api.source",
    "save": "bridge.sources.webhooks.source",
    "telegram": "bridge.sources.telegram.source",
}


class Readers(Mapping[str, Reader]):
    """A source's name -> its pure `read`, imported when the first of its arrivals is read.

    `choices`: what settings say about how a source is to be read.
    """

    def __init__(self, choices: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> None:
        self._choices = choices

    def __getitem__(self, source: str) -> Reader:
        reader: Reader = importlib.import_module(READERS[source]).read
        return functools.partial(reader, **self._choices[source]) if source in self._choices else reader

    def __iter__(self) -> Iterator[str]:
        return iter(READERS)

    def __len__(self) -> int:
        return len(READERS)


def optional_sources(
    settings: Settings, rule_file: RuleFile, net: Net, store: Store
) -> tuple[dict[str, Source], dict[str, str]]:
    """Their modules are heavy, so each is imported only when it is on."""
    on: dict[str, Source] = {}
    off: dict[str, str] = {}
    if token := settings.telegram_token.get_secret_value():
        telegram = importlib.import_module("bridge.sources.telegram.source")
        door = net.trusting(settings.telegram_api)
        on["telegram"] = telegram.Telegram(
            store,
            door,
            token=token,
            api=settings.telegram_api.rstrip("/"),
            allow=settings.telegram_allow,
            clock=time.time,
            public_url=settings.public_url,
            answer=settings.telegram_answer,
            others=tuple(rule_file.destinations),
        )
    else:
        off["telegram"] = "set BRIDGE_TELEGRAM_TOKEN and BRIDGE_TELEGRAM_ALLOW"
    return on, off


async def lookups(store: Store, net: Net, patience: Patience) -> Mapping[str, Callable[[], Awaitable[None]]]:
    """What looks at pages. Heavy modules are loaded in the child process that reads them."""
    if patience.looks == "off":
        await store.stop_waiting()
        return {}
    lookup = Lookup(store, PageReader(net), clock=time.time, patience=patience.seconds, retitling=patience.retitling)
    return {"pages": lookup.run}


def channels(settings: Settings, rule_file: RuleFile, net: Net) -> dict[str, Channel]:
    """The ways to tell the owner what is wrong, by their names."""
    notify, found = rule_file.notify, dict[str, Channel]()
    if (token := settings.telegram_token.get_secret_value()) and notify.telegram:
        api_module = importlib.import_module("bridge.sources.telegram.api")
        chat = importlib.import_module("bridge.sources.telegram.notices").Chat
        api = api_module.BotApi(net.trusting(settings.telegram_api), token=token, api=settings.telegram_api)
        people = sorted(number for number, account in settings.telegram_allow.items() if number > 0 and not account)
        chats = people if isinstance(notify.telegram, bool) else notify.telegram
        found |= {f"telegram {number}": chat(api, number) for number in chats}
    if url := notify_address(rule_file):
        post = importlib.import_module("bridge.sources.webhooks.notices").Post
        found["webhook"] = post(net.trusting(url), url)
    return found


def hubs(settings: Settings, net: Net, store: Store) -> Hubs | None:
    """They need an address of ours that the internet reaches, and a key to know their answers by."""
    key = hook_key(settings)
    if not settings.public_url or not key:
        return None
    return Hubs(store, net, public_url=settings.public_url, key=key, clock=time.time)
