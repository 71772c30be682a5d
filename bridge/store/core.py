"""The store: the ports over the units of work, and the bells that wake whoever waits for them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bridge.delivery import Delivery, Settlement
from bridge.errors import Full, Unusable
from bridge.page import Looked
from bridge.page import Page as WebPage
from bridge.ports import (
    Arrival,
    Backlog,
    Call,
    Cursor,
    Errand,
    Gate,
    Kept,
    Key,
    Passport,
    Read,
    Receipt,
    Report,
    Seen,
    Subscription,
    Terms,
    WantedPage,
)
from bridge.reading_list import Action, Page, Query, Result, Status
from bridge.record import Record
from bridge.rules import Decision
from bridge.store import (
    budgets,
    captures,
    gates,
    inbox,
    leases,
    links,
    lookups,
    outbox,
    passport,
    reading_list,
    records,
    reports,
    requests,
    search,
    settling,
    sightings,
    soundness,
    subscriptions,
    timing,
)
from bridge.store.accounts import Accounts
from bridge.store.bell import IDLE_SECONDS, Bell
from bridge.store.migrations import migrate
from bridge.store.pages import Mark, Marks
from bridge.store.sqlite import Database, Tx
from bridge.store.upkeep import Upkeep

FULL_SECONDS = 1.0
"""Between two looks whether there is room on the disk again."""


class Store:
    """Implements ports.Inbox, ports.Outbox and ports.ReadingList, and answers what people ask.

    Every method that writes is one unit: when it returns, it is durable; when it raises StoreError, nothing was
    written.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self.accounts = Accounts(database, clock)
        self.upkeep = Upkeep(database, clock, self._ring_senders)
        self._database = database
        self._marks = Marks()
        self._clock = clock
        self._arrived = Bell()
        self._wanted: dict[str, Bell] = {}
        self._reportable = Bell()
        self._asked = Bell()
        self._pages = Bell()
        self._reporting: AbstractSet[str] = frozenset()
        self._reserve = 0.0
        self._telling: Sequence[str] = ()

    @classmethod
    async def open(cls, path: Path, clock: Callable[[], float], *, looks: bool = False) -> Store:
        """Opens or makes the database; `looks`: and nothing beside it. Raises Unusable with what to do when it cannot
        be worked with as it is."""
        database = await asyncio.to_thread(Database, path, looks=looks)
        try:
            await database.write(migrate)
            await database.write(search.prepare)
            while await database.write(links.renew):
                continue
            database.undo_in_memory()
            store = cls(database, clock)
            await store.upkeep.start()
        except BaseException as error:
            await database.close()
            damaged = isinstance(error.__cause__, sqlite3.DatabaseError) and not isinstance(error, Full)
            if damaged or isinstance(error, UnicodeDecodeError):
                raise Unusable(f"{path} cannot be used: {error}. {soundness.advice(path)}") from error
            raise
        return store

    @property
    def alive(self) -> bool:
        """False when nothing can be written any more."""
        return self._database.alive

    @property
    def full(self) -> bool:
        """True while there is no room on the disk: nothing new is taken."""
        return self._database.full

    async def _has_room(self) -> bool:
        """While there is none, it answers slowly: whoever asks has nothing else to do."""
        if not self._database.full:
            return True
        try:
            await self._database.write(lambda _: None, grows=True)
        except Full:
            await asyncio.sleep(FULL_SECONDS)
            return False
        return True

    async def close(self) -> None:
        await self._database.close()

    def keep_back(self, share: float) -> None:
        """The share of every limit that is kept for what a person sends by hand."""
        self._reserve = share

    def report_for(self, sources: AbstractSet[str]) -> None:
        """The sources whose arrivals get a report from now on."""
        self._reporting = sources

    def tell_by(self, channels: Sequence[str]) -> None:
        """The ways by which the owner is told what rules want told from now on."""
        self._telling = channels

    # -- the inbox -----------------------------------------------------------------------------------------------

    async def put(
        self,
        arrivals: Sequence[Arrival],
        *,
        seen: Sequence[Key] = (),
        cursor: Cursor | None = None,
        expect: str | None = None,
    ) -> Sequence[Receipt]:
        now = self._clock()
        if seen or cursor:
            receipts = await self._database.write(
                lambda tx: inbox.put(tx, arrivals, seen=seen, cursor=cursor, expect=expect, now=now), grows=True
            )
        else:
            receipts = await self._database.write_one(inbox.put_each, (arrivals, now), grows=True)
        self._arrived.ring()
        return receipts

    async def move(self, moves: Sequence[tuple[Cursor, str | None]]) -> AbstractSet[str]:
        return await self._database.write(lambda tx: inbox.move(tx, moves))

    async def known(self, scope: str, values: Sequence[str]) -> AbstractSet[str]:
        now = self._clock()
        return await self._database.read(lambda tx: inbox.known(tx, scope, values, now))

    async def seen(self, account: str, links: Sequence[str]) -> Mapping[str, int]:
        return await self._database.read(lambda tx: inbox.seen(tx, account, links))

    async def cursor(self, scope: str) -> str | None:
        return await self._database.read(lambda tx: inbox.progress(tx, scope))

    async def cursors(self, scopes: Sequence[str]) -> Mapping[str, str]:
        return await self._database.read(lambda tx: inbox.cursors(tx, scopes))

    async def due(self, limit: int) -> Sequence[Arrival]:
        if not await self._has_room():
            return []
        now = self._clock()
        now = self._clock()
        return await self._database.read(lambda tx: inbox.due(tx, limit, now))

    async def take(self, reads: Sequence[Read], rule_set: str) -> None:
        now = self._clock()
        await self._database.write(
            lambda tx: inbox.take(
                tx, reads, rule_set=rule_set, reporting=self._reporting, now=now, telling=self._telling
            ),
            grows=True,
        )
        self.upkeep.noticed.ring()
        for bell in (*self._wanted.values(), self._reportable, self._asked, self._pages):
            bell.ring()

    async def looked(self, addresses: Sequence[str], *, finally_: bool) -> Mapping[str, Looked]:
        now = self._clock()
        return await self._database.read(lambda tx: lookups.looked(tx, addresses, now, finally_=finally_))

    async def wait_for_arrivals(self) -> None:
        await self._sleep(self._arrived, self._database.read(inbox.next_due))

    async def keep_rule_set(self, hash_: str, text: str) -> None:
        now = self._clock()
        await self._database.write(lambda tx: inbox.keep_rule_set(tx, hash_, text, now))

    async def forget(self) -> int:
        """Drops some keys and pages whose time is over; answers how many."""
        now = self._clock()
        return await self._database.write(lambda tx: inbox.forget(tx, now) + lookups.forget(tx, now))

    # -- pages ---------------------------------------------------------------------------------------------------

    async def next_page(self, busy: AbstractSet[str]) -> WantedPage | None:
        now = self._clock()
        return await self._database.read(lambda tx: lookups.next_page(tx, busy, now))

    async def page_read(self, address: str, page: WebPage, *, retitling: AbstractSet[str]) -> None:
        now = self._clock()
        await self._database.write(lambda tx: lookups.read(tx, address, page, retitling=retitling, now=now))
        self._ring_for_deliveries()
        self._arrived.ring()

    async def page_unread(self, page: WantedPage, reason: str, *, again: float | None, waited_for: bool) -> None:
        now = self._clock()
        await self._database.write(
            lambda tx: lookups.unread(tx, page, reason, again=again, waited_for=waited_for, now=now)
        )
        self._arrived.ring()

    async def wait_for_pages(self) -> None:
        await self._sleep(self._pages, self._database.read(lookups.next_due))

    async def stop_waiting(self) -> int:
        """Nobody looks at pages any more: whoever waits for one goes on without it. Answers how many."""
        now = self._clock()
        return await self._database.write(lambda tx: lookups.stop_waiting(tx, now))

    # -- the outbox ----------------------------------------------------------------------------------------------

    async def lease(self, terms: Terms) -> Sequence[Delivery]:
        if not await self._has_room():
            return []  # what is sent must be written down
        now = self._clock()
        return await self._database.write(lambda tx: leases.lease(tx, terms, reserve=self._reserve, now=now))

    async def lease_ahead(self, terms: Terms, calls: int) -> Sequence[Sequence[Delivery]]:
        if not await self._has_room():
            return []
        now = self._clock()
        return await self._database.write(lambda tx: leases.lease_ahead(tx, terms, calls, now=now))

    async def put_back(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            now = self._clock()
            await self._database.write(lambda tx: leases.put_back(tx, deliveries, now=now))

    async def lease_unknown(self, terms: Terms) -> Sequence[Delivery]:
        if not await self._has_room():
            return []
        now = self._clock()
        return await self._database.write(lambda tx: leases.lease_unknown(tx, terms, reserve=self._reserve, now=now))

    async def settle(self, settled: Sequence[tuple[Delivery, Settlement]], *, call: Call | None = None) -> int:
        now = self._clock()
        held = await self._database.write(lambda tx: settling.settle(tx, settled, call=call, now=now))
        self._reportable.ring()
        return held

    async def may_call(self, terms: Terms) -> bool:
        now = self._clock()
        return await self._database.write(lambda tx: budgets.may_call(tx, terms.scopes, now=now))

    async def budgets(self) -> Sequence[Mapping[str, Any]]:
        now = self._clock()
        return await self._database.read(lambda tx: budgets.budgets(tx, now))

    async def expire(self, connection: str, *, idempotent: bool) -> int:
        """At the start of the only process: every lease is from a process that is gone."""
        now = self._clock()
        return await self._database.write(
            lambda tx: leases.expire(tx, connection, idempotent=idempotent, before=float("inf"), now=now)
        )

    async def gate(self, connection: str) -> Gate:
        return await self._database.read(lambda tx: gates.find_gate(tx, connection))

    async def set_gate(self, gate: Gate) -> None:
        await self._database.write(lambda tx: gates.set_gate(tx, gate))
        self._bell(gate.connection).ring()

    async def retry(self, connection: str) -> int:
        now = self._clock()
        number = await self._database.write(lambda tx: outbox.retry(tx, connection, now))
        self._bell(connection).ring()
        return number

    async def next_due(self, terms: Terms) -> float | None:
        """When there may be something to do for a connection; None: not before something is wanted."""
        now = self._clock()
        return await self._database.read(lambda tx: leases.next_due(tx, terms, reserve=self._reserve, now=now))

    async def wait_for_deliveries(self, terms: Terms) -> None:
        await self._sleep(self._bell(terms.connection), self.next_due(terms))

    async def clock_was_set_back(self, by: float = 0.0) -> int:
        """What was written under a later time waits as long as it was meant to, from now on. Without `by`: if the
        newest entry is of a time that is still to come."""
        now = self._clock()

        def unit(tx: Tx) -> int:
            ahead = by or timing.ahead(tx, now)
            return timing.set_back(tx, now, ahead) if by or ahead > timing.NOTICED else 0

        changed = await self._database.write(unit)
        for bell in (self._arrived, self._asked):
            bell.ring()
        self._ring_senders("")
        return changed

    def _ring_senders(self, connection: str) -> None:
        for bell in [self._bell(connection)] if connection else self._wanted.values():
            bell.ring()
        self._reportable.ring()

    def _bell(self, connection: str) -> Bell:
        return self._wanted.setdefault(connection, Bell())

    # -- the embedded list ---------------------------------------------------------------------------------------

    async def apply(
        self, account: str, actions: Sequence[Action], *, arrivals: Sequence[Arrival] = ()
    ) -> Sequence[Result]:
        now = self._clock()

        def unit(tx: Any) -> Sequence[Result]:
            results = reading_list.apply(tx, account, actions, int(now))
            inbox.put(tx, arrivals, seen=(), cursor=None, expect=None, now=now)
            return results

        results = await self._database.write(unit, grows=True)
        if arrivals:
            self._arrived.ring()
        return results

    async def find(self, account: str, query: Query) -> Page:
        return await self._database.read(lambda tx: self._page(tx, account, query))

    def _page(self, tx: Tx, account: str, query: Query) -> Page:
        revision = reading_list.revision(tx, account)
        marked = self._marks.before(account, query, revision) if query.offset else None
        page, end = reading_list.find_after(tx, account, query, query.after or marked)
        if end is not None and query.count is not None and not query.after:
            self._marks.remember(account, query, query.offset + len(page.items), Mark(revision, end))
        return replace(page, end=end or ())

    async def keep(self, account: str, found: Sequence[Record]) -> Kept:
        now = int(self._clock())
        return await self._database.write(lambda tx: records.keep(tx, account, found, now), grows=True)

    async def send(self, account: str, connection: str, found: Sequence[Record], channel: str) -> None:
        now = self._clock()
        await self._database.write(lambda tx: records.send(tx, account, connection, found, channel=channel, now=now))
        self._bell(connection).ring()

    async def records(
        self, account: str, *, after: int, limit: int, status: Status | None = None
    ) -> Sequence[tuple[int, Record]]:
        return await self._database.read(lambda tx: records.page(tx, account, after, limit, status))

    # -- feeds that accounts follow ------------------------------------------------------------------------------

    async def subscriptions(self) -> Sequence[Subscription]:
        return await self._database.read(subscriptions.every)

    async def subscriptions_mark(self) -> int:
        return await self._database.read(subscriptions.mark)

    async def subscribe(self, new: Sequence[Subscription]) -> None:
        now = self._clock()
        await self._database.write(lambda tx: subscriptions.add(tx, new, now))

    async def resubscribe(self, changed: Subscription) -> None:
        await self._database.write(lambda tx: subscriptions.change(tx, changed))

    async def unsubscribe(self, account: str, url: str) -> int | None:
        now = self._clock()
        return await self._database.write(lambda tx: subscriptions.remove(tx, account, url, now))

    async def backlogs(self) -> Sequence[Backlog]:
        now = self._clock()
        return await self._database.read(lambda tx: subscriptions.backlogs(tx, now))

    async def hurry(self, account: str, name: str) -> int:
        now = self._clock()
        number = await self._database.write(lambda tx: subscriptions.hurry(tx, account, name, now))
        self._arrived.ring()
        return number

    # -- reports -------------------------------------------------------------------------------------------------

    async def due_reports(self, limit: int) -> Sequence[tuple[int, float, int, str]]:
        now = self._clock()
        return await self._database.read(lambda tx: reports.due(tx, limit, now))

    async def report(self, arrival: int, reference: str) -> Report | None:
        return await self._database.read(lambda tx: passport.report(tx, arrival, reference))

    async def told(self, arrival: int, reference: str, *, due_was: float, settled: bool) -> None:
        await self._database.write(lambda tx: reports.told(tx, arrival, reference, due_was=due_was, settled=settled))

    async def tell_later(self, arrival: int, due_at: float, *, failed: bool = True) -> None:
        await self._database.write(lambda tx: reports.later(tx, arrival, due_at, failed=failed))

    async def drop_report(self, arrival: int) -> None:
        await self._database.write(lambda tx: reports.drop(tx, arrival))

    async def wait_for_reports(self) -> None:
        await self._sleep(self._reportable, self._database.read(reports.next_due))

    # -- requests ------------------------------------------------------------------------------------------------

    async def due_errands(self, limit: int) -> Sequence[Errand]:
        now = self._clock()
        return await self._database.read(lambda tx: requests.due(tx, limit, now))

    async def answer(self, errand: Errand, answer: Mapping[str, Any]) -> None:
        now = self._clock()
        await self._database.write(lambda tx: requests.answer(tx, errand, answer, now))
        self._reportable.ring()

    async def put_off(self, errand: Errand, due_at: float) -> None:
        await self._database.write(lambda tx: requests.put_off(tx, errand, due_at))

    async def wait_for_errands(self) -> None:
        await self._sleep(self._asked, self._database.read(requests.next_due))

    async def links_of(self, arrival: int) -> Sequence[str]:
        return await self._database.read(lambda tx: requests.links_of(tx, arrival))

    async def take_back(self, errand: Errand, *, patient: bool) -> Mapping[str, Any] | None:
        return await self._carry_out(errand, requests.take_back, patient=patient)

    async def tag(self, errand: Errand, tags: Sequence[str]) -> Mapping[str, Any]:
        return await self._carry_out(errand, partial(requests.tag, tags=tags)) or {}

    async def want_also(self, errand: Errand, connection: str) -> Mapping[str, Any]:
        return await self._carry_out(errand, partial(requests.want_also, connection=connection)) or {}

    async def show_again(self, errand: Errand) -> Mapping[str, Any]:
        return await self._carry_out(errand, requests.show_again) or {}

    async def _carry_out(
        self, errand: Errand, trade: requests.Trade, *, patient: bool = False
    ) -> Mapping[str, Any] | None:
        now = self._clock()
        answer = await self._database.write(lambda tx: requests.carry_out(tx, errand, trade, now, patient=patient))
        self._reportable.ring()
        self._wake_senders()
        return answer

    async def last(self, account: str, limit: int) -> Sequence[Mapping[str, Any]]:
        return await self._database.read(lambda tx: requests.last(tx, account, limit))

    def _wake_senders(self) -> None:
        for bell in self._wanted.values():
            bell.ring()

    # -- what was taken in ----------------------------------------------------------------------------------------

    async def sightings(self, since: float, below: int | None, limit: int, *, state: str = "") -> Sequence[Seen]:
        return await self._database.read(lambda tx: sightings.sightings(tx, since, below, limit, state))

    async def sighting(self, number: int) -> Seen | None:
        return await self._database.read(lambda tx: sightings.sighting(tx, number))

    async def held(self) -> Sequence[Mapping[str, Any]]:
        return await self._database.read(sightings.held)

    async def rescue(self, seen: Seen, decision: Decision) -> bool:
        now = self._clock()
        done = await self._database.write(lambda tx: sightings.rescue(tx, seen, decision, now))
        self._ring_for_deliveries()
        return done

    async def decide_anew(self, decided: Sequence[tuple[Seen, Decision]], *, really: bool = True) -> AbstractSet[int]:
        now = self._clock()
        apply = sightings.apply if really else sightings.rehearse
        changed = await self._database.write(lambda tx: apply(tx, decided, now))
        if really:
            self._ring_for_deliveries()
        return changed

    async def release(self, numbers: Sequence[int], *, send: bool) -> int:
        now = self._clock()
        released = await self._database.write(lambda tx: sightings.release(tx, numbers, send=send, now=now))
        self._ring_for_deliveries()
        return released

    def _ring_for_deliveries(self) -> None:
        for bell in (*self._wanted.values(), self._reportable):
            bell.ring()

    # -- what people ask -----------------------------------------------------------------------------------------

    async def passport(self, account: str, canonical: str, given: str) -> Passport:
        return await self._database.read(lambda tx: passport.passport(tx, account, canonical, given))

    async def captured(self, hook: str, *, after: int, limit: int) -> Sequence[Mapping[str, Any]]:
        return await self._database.read(lambda tx: captures.captured(tx, hook, after=after, limit=limit))

    async def how_many_captured(self, hook: str) -> int:
        return await self._database.read(lambda tx: captures.how_many(tx, hook))

    async def captured_as(self, arrival: int) -> Mapping[str, Any] | None:
        return await self._database.read(lambda tx: captures.captured_as(tx, arrival))

    async def counts(self, account: str = "") -> dict[str, Any]:
        return await self._database.aside(lambda tx: passport.counts(tx, account))

    async def rule_set(self, hash_: str) -> str | None:
        return await self._database.read(lambda tx: passport.rule_set(tx, hash_))

    async def _sleep(self, bell: Bell, next_due: Awaitable[float | None]) -> None:
        due = await next_due
        seconds = IDLE_SECONDS if due is None else min(due - self._clock(), IDLE_SECONDS)
        await bell.wait(seconds)
