"""Named points at which the real process can be made to end itself, hard; and a journal of its leases.

The program knows nothing of this: its own functions are wrapped before it starts. A point that nothing passes any more
is found out, because every run must have ended at each of them.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DOORS = ("feed", "pocket", "save", "telegram")

POINTS = (
    *(f"{door}: written, not committed" for door in DOORS),
    *(f"{door}: committed, not acknowledged" for door in DOORS),
    "save: acknowledged",
    "pocket: acknowledged",
    "writer: committed, nobody told",
    "intake: read, not written",
    "intake: written, not committed",
    "intake: committed",
    "sender: lease written, not committed",
    "sender: leased, not sent",
    "list: changed, not committed",
    "sender: sent, not settled",
    "sender: settled, not committed",
    "sender: settled, not reported",
    "reporter: told, not written down",
    "reporter: written, not committed",
    "start: leases taken back, not committed",
)

REQUEST_POINTS = (
    "telegram: written, not committed",
    "telegram: committed, not acknowledged",
    "intake: read, not written",
    "intake: written, not committed",
    "intake: committed",
    "clerk: found, not carried out",
    "clerk: carried out, not committed",
    "clerk: carried out, nobody told",
    "clerk: answered, not committed",
    "clerk: answered, nobody told",
    "reporter: told, not written down",
    "reporter: written, not committed",
)
"""What somebody asks of the bot passes each of these."""

_MODULES = (
    "bridge.service",
    "bridge.cli",
    "bridge.desk",
    "bridge.destinations.pocket",
    "bridge.sources.feeds.source",
    "bridge.sources.pocket_api.source",
    "bridge.sources.telegram.source",
    "bridge.sources.webhooks.source",
    "bridge.wiring",
)


def import_everything() -> None:
    for name in _MODULES:
        importlib.import_module(name)


@dataclass(slots=True)
class Trap:
    """Ends the process at the n-th passage of one point, and leaves a note that it did."""

    point: str
    passage: int
    note: str
    _passed: int = field(default=0, init=False)

    def __call__(self, *points: str) -> None:
        if self.point not in points:
            return
        self._passed += 1
        if self._passed == self.passage:
            Path(self.note).write_text(self.point, "utf-8")
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Journal:
    """Lines of a history, written so that a kill cuts off none but the last."""

    file: int

    def __call__(self, **event: object) -> None:
        line = json.dumps({"t": time.time(), "proc": os.getpid(), **event}) + "\n"
        os.write(self.file, line.encode())


def prepare(trap: Trap | None, journal: Path | None) -> None:
    """Wraps the program's own functions. `trap` is asked at every passage of a point."""
    if trap:
        _set(trap)
    if journal:
        _keep(Journal(os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)))


def _set(trap: Trap) -> None:
    core = importlib.import_module("bridge.store.core")
    store, database = core.Store, core.Database

    # In the unit: its SQL has run, the transaction is open.
    _after(core.inbox, "put", lambda call, _: trap(*(f"{door}: written, not committed" for door in _doors(call))))
    _after(core.inbox, "take", lambda *_: trap("intake: written, not committed"))
    for lease in ("lease", "lease_ahead"):
        _after(core.leases, lease, lambda _, leased: trap(*["sender: lease written, not committed"] * bool(leased)))
    _after(core.settling, "settle", lambda *_: trap("sender: settled, not committed"))
    _after(core.leases, "expire", lambda *_: trap("start: leases taken back, not committed"))
    _after(core.reading_list, "apply", lambda *_: trap("list: changed, not committed"))
    _after(core.reports, "told", lambda *_: trap("reporter: written, not committed"))

    _after(core.requests, "answer", lambda *_: trap("clerk: answered, not committed"))
    for trade in ("tag", "want_also", "take_back"):
        _after(core.requests, trade, lambda *_: trap("clerk: carried out, not committed"))

    # After the commit: on the writer's thread, then where somebody waited for it.
    _after(database, "_commit", lambda *_: trap("writer: committed, nobody told"))
    for method in ("put", "apply"):
        _after(store, method, lambda call, _: trap(*(f"{door}: committed, not acknowledged" for door in _doors(call))))
    _before(store, "take", lambda _: trap("intake: read, not written"))
    _after(store, "take", lambda *_: trap("intake: committed"))
    for lease in ("lease", "lease_ahead"):
        _after(store, lease, lambda _, leased: trap(*["sender: leased, not sent"] * bool(leased)))
    _before(store, "settle", lambda call: trap(*["sender: sent, not settled"] * bool(call["settled"])))
    _after(store, "settle", lambda *_: trap("sender: settled, not reported"))
    _after(store, "due_errands", lambda _, due: trap(*["clerk: found, not carried out"] * bool(due)))
    for trade in ("tag", "want_also", "take_back"):
        _after(store, trade, lambda *_: trap("clerk: carried out, nobody told"))
    _after(store, "answer", lambda *_: trap("clerk: answered, nobody told"))
    _before(store, "told", lambda _: trap("reporter: told, not written down"))

    wiring = importlib.import_module("bridge.wiring")
    application = wiring.application
    vars(wiring)["application"] = lambda *given, **named: _Answers(application(*given, **named), trap)


def _doors(call: Mapping[str, Any]) -> list[str]:
    """The doors of the arrivals that a call is about; a unit of several arrivals passes once."""
    sources = {arrival.source for arrival in call["arrivals"]}
    return [door for door in DOORS if door in sources]


@dataclass(frozen=True, slots=True)
class _Answers:
    """The application, and a point behind each 2xx that has left."""

    app: ASGIApp
    trap: Trap

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        door = "save" if path == "/save" else "pocket" if path in ("/v3/add", "/v3/send") else ""
        inner = scope.get("headers") and any(value == b"reading.list" for _, value in scope["headers"])
        status = 0

        async def sent(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body") and 200 <= status < 300:
                await asyncio.sleep(0)  # an answer leaves at the end of the loop's turn
                self.trap(f"{door}: acknowledged")

        await self.app(scope, receive, sent if door and not inner else send)


def _keep(journal: Journal) -> None:
    """Who holds which delivery: what was leased, and what was settled under which lease."""
    store = importlib.import_module("bridge.store.core").Store

    def leased(call: Mapping[str, Any], found: Sequence[Any]) -> None:
        for delivery in found:
            journal(op="lease", phase="ok", id=delivery.id, lease=delivery.lease, where=call["terms"].connection)

    def settled(call: Mapping[str, Any], _: object) -> None:
        for delivery, settlement in call["settled"]:
            journal(op="settle", phase="ok", id=delivery.id, lease=delivery.lease, state=settlement.state)

    def leased_ahead(call: Mapping[str, Any], found: Sequence[Sequence[Any]]) -> None:
        leased(call, list(itertools.chain.from_iterable(found)))

    def put_back(call: Mapping[str, Any], _: object) -> None:
        for delivery in call["deliveries"]:
            journal(op="settle", phase="ok", id=delivery.id, lease=delivery.lease, state="pending")

    for method in ("lease", "lease_unknown"):
        _after(store, method, leased)
    _after(store, "lease_ahead", leased_ahead)
    _after(store, "settle", settled)
    _after(store, "put_back", put_back)


Seen = Callable[[Mapping[str, Any], Any], object]


def _after(owner: Any, name: str, see: Seen) -> None:
    """`see` is given the call's arguments by name, and what it answered."""
    _wrap(owner, name, lambda _: None, see)


def _before(owner: Any, name: str, see: Callable[[Mapping[str, Any]], object]) -> None:
    _wrap(owner, name, see, lambda *_: None)


def _wrap(owner: Any, name: str, before: Callable[[Mapping[str, Any]], object], after: Seen) -> None:
    original = getattr(owner, name)
    signature = inspect.signature(original)

    def arguments(given: Sequence[Any], named: Mapping[str, Any]) -> Mapping[str, Any]:
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        return bound.arguments

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def wrapped_async(*given: Any, **named: Any) -> Any:
            call = arguments(given, named)
            before(call)
            answer = await original(*given, **named)
            after(call, answer)
            return answer

        setattr(owner, name, wrapped_async)
        return

    @functools.wraps(original)
    def wrapped(*given: Any, **named: Any) -> Any:
        call = arguments(given, named)
        before(call)
        answer = original(*given, **named)
        after(call, answer)
        return answer

    setattr(owner, name, wrapped)
