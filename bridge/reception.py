"""The desk with everything that it learned: what a person can ask of a bridge or have done."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.connections import scopes_of, sign_ins_of
from bridge.desk import Desk
from bridge.net import Net
from bridge.ports import Destination, Source
from bridge.reload import Reload
from bridge.rulebook import Rulebook
from bridge.rules import RuleFile
from bridge.settings import Settings
from bridge.sources.feeds.office import Office as FeedOffice
from bridge.sources.feeds.source import Feeds
from bridge.sources.webhooks.source import Office, Webhooks, commands
from bridge.store.core import Store
from bridge.transfer import Transfer
from bridge.upkeep.caretaker import Caretaker
from bridge.upkeep.watch import Watch
from bridge.users import Users
from bridge.variables import PREFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """The desk, and those of its trades that work by themselves, too."""

    desk: Desk
    users: Users
    watch: Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What is open and can be asked about. `off`: sources that are not, with what would turn them on; `channels`: the
    ways to tell the owner what is wrong; `rule_file`: the one in use now."""

    sources: Mapping[str, Source]
    off: Mapping[str, str]
    webhooks: Webhooks
    feeds: Feeds
    connections: Sequence[Destination]
    channels: Collection[str]
    reload: Reload
    rule_file: Callable[[], RuleFile]

    def names(self) -> list[str]:
        """Of the connections."""
        return [connection.name for connection in self.connections]

    def older(self) -> Mapping[str, Any] | None:
        return self.reload.older


def reception(settings: Settings, store: Store, net: Net, opened: Opened) -> Reception:
    """A desk that knows every command."""
    desk = _desk(settings, store, opened)
    users, watch = _users(settings, store), _watch(settings, store, opened)
    trades = (
        _of_people(users, opened.feeds),
        _hooks(settings, store, opened.webhooks, desk),
        _feeds(settings, store, net, opened, users).commands(),
        Transfer(store, store, store, reading_list=store, connections=opened.names).commands(),
        _caretaker(store, opened).commands(),
        watch.commands(),
        _rulebook(settings, store, opened).commands(),
    )
    for learned in trades:
        desk.learn(learned)
    return Reception(desk=desk, users=users, watch=watch)


def _desk(settings: Settings, store: Store, opened: Opened) -> Desk:
    return Desk(
        store,
        store,
        rule_file=opened.rule_file,
        connections=opened.names,
        sources=opened.sources,
        off=opened.off,
        clock=time.time,
        zone=settings.zone,
        queues=store.upkeep,
        older=opened.older,
        scopes=scopes_of(opened.connections),
        sign_ins=sign_ins_of(opened.rule_file()),
    )


def _users(settings: Settings, store: Store) -> Users:
    named = dict.fromkeys(filter(None, settings.telegram_allow.values()), f"{PREFIX}TELEGRAM_ALLOW")
    return Users(store.accounts, named)


def _hooks(settings: Settings, store: Store, webhooks: Webhooks, desk: Desk) -> Mapping[str, Callable[..., Any]]:
    office = Office(store, store, webhooks.hooks, webhooks.refusals, settings.data.absolute())
    return commands(office, desk.outcome)


def _of_people(users: Users, feeds: Feeds) -> Mapping[str, Callable[..., Any]]:
    async def erase(name: str) -> Any:
        """With a person go the feeds that only they followed."""
        answer = await users.remove(name)
        await feeds.registry.restore()
        return answer

    return {**users.commands(), "users-remove": erase}


def _feeds(settings: Settings, store: Store, net: Net, opened: Opened, users: Users) -> FeedOffice:
    return FeedOffice(
        opened.feeds,
        store,
        store,
        net,
        connections=opened.names,
        known=users.known,
        clock=time.time,
        file=str(settings.rules),
    )


def _caretaker(store: Store, opened: Opened) -> Caretaker:
    return Caretaker(
        store.upkeep,
        store.upkeep,
        store,
        store.upkeep,
        connections=opened.names,
        clock=time.time,
        scopes=scopes_of(opened.connections),
        sign_ins=sign_ins_of(opened.rule_file()),
    )


def _watch(settings: Settings, store: Store, opened: Opened) -> Watch:
    return Watch(
        store.upkeep,
        store.upkeep,
        store.upkeep,
        store,
        sources=opened.sources,
        connections=opened.names,
        channels=lambda: list(opened.channels),
        rule_file=opened.rule_file,
        data=settings.data,
        full=lambda: store.full,
        clock=time.time,
        sign_ins=sign_ins_of(opened.rule_file()),
    )


def _rulebook(settings: Settings, store: Store, opened: Opened) -> Rulebook:
    return Rulebook(
        store,
        store,
        rule_file=opened.rule_file,
        feeds=lambda: {follower.feed.name for follower in opened.feeds.registry},
        clock=time.time,
        zone=settings.zone,
        older=opened.older,
    )
