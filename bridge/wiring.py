"""The one place that wires: settings -> a running Bridge."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from bridge import __version__, control
from bridge.clerk import Clerk
from bridge.connections import opened_connections
from bridge.declared import followers, hooks, tested_rules
from bridge.desk import Desk
from bridge.intake import Intake
from bridge.needs import Patience
from bridge.net import Net
from bridge.optional import READERS, Readers, channels, hubs, lookups, optional_sources
from bridge.ports import Destination, Source
from bridge.ports import Reporter as Teller
from bridge.quarantine import Quarantine
from bridge.reception import Opened, reception
from bridge.reload import RELOAD_SECONDS, Reload
from bridge.reporter import Reporter
from bridge.rules import RuleFile
from bridge.sender import Sender
from bridge.settings import Settings
from bridge.sources.feeds.source import Feeds, Registry
from bridge.sources.pocket_api.source import PocketApi
from bridge.sources.webhooks.source import SCOPE as HOOKS
from bridge.sources.webhooks.source import Webhooks, orphans_in, without_key
from bridge.store import backup
from bridge.store.core import Store
from bridge.supervisor import Periodic, Supervisor, Worker
from bridge.tokens import hook_key, new_hook_key, owner_token, token_stands
from bridge.upkeep import metrics
from bridge.upkeep.herald import Herald
from bridge.upkeep.timekeeper import CLOCK_SECONDS, Timekeeper
from bridge.upkeep.watch import WATCH_SECONDS
from bridge.users import Users
from bridge.web import measures
from bridge.web.limits import Traffic
from bridge.web.server import application

DATABASE = "bridge.db"

FORGET_SECONDS = 3600.0
PURGE_SECONDS = 6 * 3600.0


@dataclass(slots=True, kw_only=True)
class Bridge:
    """Everything, wired, nothing started."""

    settings: Settings
    store: Store
    desk: Desk
    users: Users
    app: ASGIApp
    traffic: Traffic
    sources: Mapping[str, Source]
    workers: Mapping[str, Worker]
    lookups: Mapping[str, Callable[[], Awaitable[None]]]
    intake: Intake
    reload: Reload

    def supervisor(self) -> Supervisor:
        """For sources, workers and the socket that commands come over. It stops when the rule file names other
        destinations: `reload.next` is that file then, and all is to be wired anew."""
        running = {name: source.run for name, source in self.sources.items()}
        sources = {**running, **self.lookups, "control": self._serve_commands}
        supervisor = Supervisor(sources, self.workers, give_way=self.traffic.lull)
        self.reload.wire_anew = supervisor.stop
        return supervisor

    async def _serve_commands(self) -> None:
        await control.serve(self.settings.data, self.desk.handle)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The workers alone, for a command that runs while no process does."""
        supervisor = Supervisor(self.lookups, self.workers)
        running = asyncio.create_task(supervisor.run())
        try:
            yield
        finally:
            supervisor.stop()
            await running


@contextlib.asynccontextmanager
async def open_bridge(
    settings: Settings, rule_file: RuleFile | None = None, *, looks: bool = False
) -> AsyncIterator[Bridge]:
    """Wires everything on the data folder, which the caller owns. Raises ConfigError before anything has started.

    `rule_file`: where the caller has read it already. `looks`: for a command that only looks; no token, key or
    ballast is made.
    """
    rule_file = rule_file or tested_rules(settings)
    async with contextlib.AsyncExitStack() as stack:
        net = Net(allow_nets=settings.allow_nets)
        stack.push_async_callback(net.close)
        store = await Store.open(settings.data / DATABASE, time.time, looks=looks)
        stack.push_async_callback(store.close)
        await store.keep_rule_set(rule_file.hash, rule_file.text)
        bridge = await _wire(settings, rule_file, net, store, stack, looks=looks)
        yield bridge


async def _wire(
    settings: Settings,
    rule_file: RuleFile,
    net: Net,
    store: Store,
    stack: contextlib.AsyncExitStack,
    *,
    looks: bool,
) -> Bridge:
    owner, inner = owner_token(settings, looks=looks), secrets.token_hex(16)
    reading_list = _reading_list(settings, store, owner, inner)
    webhooks = await _webhooks(settings, rule_file, store, owner, looks=looks)
    feeds = await _feeds(settings, rule_file, net, store)
    stack.push_async_callback(feeds.close)
    sources: dict[str, Source] = {webhooks.name: webhooks, reading_list.name: reading_list, feeds.name: feeds}
    more, off = optional_sources(settings, rule_file, net, store)
    sources |= more
    tellers = {name: source for name, source in sources.items() if isinstance(source, Teller)}
    store.report_for(tellers.keys())
    store.keep_back(settings.reserve / 100)

    inside = application([reading_list.routes], ready=list)
    connections = await opened_connections(store, net, rule_file, reading_list=inside, inner=inner)
    await store.clock_was_set_back()
    told_by = channels(settings, rule_file, net)
    store.tell_by(list(told_by))
    options = {"telegram": {"schemeless": settings.telegram_schemeless}}
    retitling = {connection.name for connection in connections if connection.traits.can_update_title}
    patience = Patience(settings.pages, settings.page_wait, retitling)
    traffic = Traffic()
    intake = Intake(
        store,
        Readers(options),
        rule_file,
        zone=settings.zone,
        pages=store,
        patience=patience,
        underway=store.upkeep,
        trial=Quarantine(READERS, options, zone=settings.tz),
        busy=lambda: traffic.busy,
    )
    reload = Reload(settings, store, intake, webhooks, feeds.registry, clock=time.time)
    workers: dict[str, Worker] = {
        "intake": intake,
        **_senders(settings, store, connections),
        "reporter": Reporter(store, tellers, clock=time.time, chance=random.random),
        "rules": Periodic(reload, RELOAD_SECONDS),
        "housekeeping": Periodic(store.forget, FORGET_SECONDS),
        "retention": Periodic(lambda: store.upkeep.purge(intake.rule_file.keep), PURGE_SECONDS, first=FORGET_SECONDS),
        "clock": Periodic(Timekeeper(store, clock=time.time), CLOCK_SECONDS),
        "herald": Herald(store.upkeep, told_by, clock=time.time, chance=random.random),
    }

    opened = Opened(
        sources=sources,
        off=off,
        webhooks=webhooks,
        feeds=feeds,
        connections=connections,
        channels=told_by,
        reload=reload,
        rule_file=lambda: intake.rule_file,
    )
    front = reception(settings, store, net, opened)
    workers["watch"] = Periodic(front.watch, WATCH_SECONDS)
    workers["clerk"] = Clerk(store, front.desk, store, connections=opened.names, clock=time.time)
    faces = [*(source.routes for source in sources.values()), _measures(store, owner, webhooks.refusals.counts)]
    return Bridge(
        settings=settings,
        store=store,
        desk=front.desk,
        users=front.users,
        app=application(faces, ready=lambda: _missing(store), traffic=traffic),
        traffic=traffic,
        sources=sources,
        workers=workers,
        lookups=await lookups(store, net, patience),
        intake=intake,
        reload=reload,
    )


def _reading_list(settings: Settings, store: Store, owner: str, inner: str) -> PocketApi:
    return PocketApi(
        store,
        store.accounts,
        owner=owner,
        inner=inner,
        clock=time.time,
        apps=settings.apps_taken,
        auto_approve=settings.auto_approve,
        signup=settings.signup,
        secure=settings.tls_cert is not None,
        user_calls=settings.limit_user,
        key_calls=settings.limit_key,
    )


async def _webhooks(settings: Settings, rule_file: RuleFile, store: Store, owner: str, *, looks: bool) -> Webhooks:
    webhooks = Webhooks(
        store,
        token=owner,
        clock=time.time,
        key=hook_key(settings),
        new_key=partial(new_hook_key, settings),
        whereabouts=token_stands(settings),
    )
    webhooks.hooks.declare(hooks(rule_file))
    await webhooks.hooks.restore()
    if not looks:
        await webhooks.hooks.own()
    return webhooks


def hooks_without_key(settings: Settings, file: Path) -> str:
    """Which hooks of a backup stay closed in the data folder, and what opens them; "" for none."""
    return without_key(orphans_in(backup.cursor(file, HOOKS), hook_key(settings)))


async def _feeds(settings: Settings, rule_file: RuleFile, net: Net, store: Store) -> Feeds:
    feeds = Feeds(
        store,
        net,
        Registry(store, followers(rule_file)),
        clock=time.time,
        chance=random.random,
        at_once=settings.feed_at_once,
        hubs=hubs(settings, net, store),
    )
    await feeds.registry.restore()
    return feeds


def _senders(settings: Settings, store: Store, connections: Sequence[Destination]) -> dict[str, Worker]:
    return {
        f"sender of {connection.name}": Sender(
            store, connection, clock=time.time, chance=random.random, gather=settings.batch_wait
        )
        for connection in connections
    }


def _measures(store: Store, owner: str, refused: Callable[[], Mapping[str, int]]) -> Sequence[BaseRoute]:
    measured = metrics.Metrics(
        store.upkeep,
        store.upkeep,
        build={"version": __version__, "sqlite": sqlite3.sqlite_version},
        full=lambda: store.full,
        refused=refused,
        clock=time.time,
    )
    return measures.routes(measured, token=owner, content_type=metrics.CONTENT_TYPE)


def _missing(store: Store) -> list[str]:
    if not store.alive:
        return ["nothing can be written to the database any more: see the log, and restart"]
    return ["the disk is full: nothing new is taken until there is room"] if store.full else []
