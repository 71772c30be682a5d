"""The desk: what a person can ask or do. The command line, the bot and the dashboard all come here."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Any

from bridge import rules
from bridge.budget import used_up_until
from bridge.errors import ConfigError, InvalidArrival
from bridge.link import Sighting, canonical, web_address
from bridge.page import Looked
from bridge.ports import OWNER, Arrival, Described, Inbox, Key, Ledger, Reading, Report, Source
from bridge.ports.keeping import WAITING, Queues
from bridge.rules import Occasion, RuleFile

ANSWER_SECONDS = 10.0
"""How long `add` waits for the outcome before it says that the link waits."""


def read(group: Sequence[Arrival]) -> Reading:
    """An `add` from the command line: its raw text is our own JSON."""
    raw = json.loads(group[0].raw)
    sighting = Sighting.of(
        raw["url"],
        source="cli",
        title=raw.get("title", ""),
        tags=raw.get("tags", ()),
        note=raw.get("note", ""),
        at=group[0].received,
    )
    return Reading([sighting])


class Desk:
    """Answers are plain data (what `--json` prints). `scopes`: whom the limits of each connection hold for."""

    def __init__(
        self,
        inbox: Inbox,
        ledger: Ledger,
        *,
        rule_file: Callable[[], RuleFile],
        connections: Callable[[], Sequence[str]],
        sources: Mapping[str, Source],
        off: Mapping[str, str],
        clock: Callable[[], float],
        zone: tzinfo = UTC,
        queues: Queues | None = None,
        older: Callable[[], Mapping[str, Any] | None] = lambda: None,
        scopes: Mapping[str, Sequence[str]] = MappingProxyType({}),
        sign_ins: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._scopes = scopes
        self._sign_ins = sign_ins
        self._inbox = inbox
        self._ledger = ledger
        self._rule_file = rule_file
        self._connections = connections
        self._sources = sources
        self._off = off
        self._clock = clock
        self._zone = zone
        self._queues = queues
        self._older = older
        self._commands: dict[str, Callable[..., Awaitable[Any]]] = {
            "add": self.add,
            "why": self.why,
            "status": self.status,
            "resume": self.resume,
            "retry": self.retry,
        }

    def learn(self, commands: Mapping[str, Callable[..., Awaitable[Any]]]) -> None:
        """Commands that a source brings with it."""
        self._commands |= commands

    async def handle(self, command: str, arguments: Mapping[str, Any]) -> Any:
        """A command by its name, as it comes over the socket."""
        if command not in self._commands:
            raise ConfigError(f"the running pocket-bridge does not know “{command}”: is it an older version?")
        return await self._commands[command](**arguments)

    async def add(self, url: str, title: str = "", tags: Sequence[str] = (), note: str = "") -> dict[str, Any]:
        """Saves a link by hand and waits a moment for what becomes of it. Raises InvalidArrival for no address."""
        web_address(url)
        raw = json.dumps({"url": url, "title": title, "tags": list(tags), "note": note}, ensure_ascii=False)
        arrival = Arrival(source="cli", key=Key("cli", uuid.uuid4().hex, keep=0.0), raw=raw)
        [receipt] = await self._inbox.put([arrival])
        return await self.outcome(receipt.id)

    async def outcome(self, arrival: int) -> dict[str, Any]:
        """What became of an arrival, as soon as nothing more will change by itself, or after a while as it stands."""
        report = await self._outcome(arrival)
        return {"arrival": arrival, "settled": report.settled, **_told(report)}

    async def _outcome(self, arrival: int) -> Report:
        until = time.monotonic() + ANSWER_SECONDS
        while True:
            report = await self._ledger.report(arrival, "")
            if report is None:
                raise InvalidArrival("the arrival is gone")
            if (report.state != "new" and await self._is_over(report)) or time.monotonic() > until:
                return replace(report, settled=report.settled and report.state != "new")
            await asyncio.sleep(0.02)

    async def _is_over(self, report: Report) -> bool:
        """Nothing more will change by itself, or not while somebody waits for the answer."""
        later = self._clock() + ANSWER_SECONDS
        if report.settled or (report.next_due or 0.0) > later:
            return True
        states = {name: state for verdict in report.verdicts for name, (state, _) in verdict.deliveries.items()}
        waiting = [name for name, state in states.items() if state in WAITING]
        if not waiting or any(states[name] != "pending" or not self._scopes.get(name) for name in waiting):
            return False
        budgets = await self._ledger.budgets()
        return all(used_up_until(budgets, self._scopes[name], self._clock()) > later for name in waiting)

    async def why(self, url: str, account: str = OWNER) -> dict[str, Any]:
        """The passport of a link: arrivals, what was read, each rule with its clause, deliveries, attempts."""
        passport = asdict(await self._ledger.passport(account, canonical(web_address(url)), url.strip()))
        for number, sighting in enumerate(passport["sightings"]):
            sighting["rules"] = await self._explained(sighting, account, seen=number)
        return passport | {"purged": _purged(passport)}

    async def _explained(self, sighting: Mapping[str, Any], account: str, *, seen: int) -> list[dict[str, Any]]:
        text = await self._ledger.rule_set(sighting["rule_set"])
        if text is None:
            return []
        rule_file = rules.load(text, name="the rules of that time")
        occasion = Occasion(account=account, now=sighting["received"], seen=seen, zone=self._zone)
        looked = Looked.from_wire(sighting["page"]) if sighting["page"] else None
        traces = rules.explain(rule_file, Sighting.from_facts(sighting["facts"]), occasion.informed(looked))
        return [asdict(trace) for trace in traces]

    async def standing(self, account: str) -> dict[str, Any]:
        """What came in for one account, and what waits for it where. Nothing of anybody else's."""
        counts = await self._ledger.counts(account)
        gates = [await self._ledger.gate(name) for name in counts["deliveries"]]
        return {
            "sources": [],
            "arrivals": counts["arrivals"],
            "connections": [
                {
                    "name": gate.connection,
                    "state": gate.state,
                    "because": gate.because,
                    "deliveries": counts["deliveries"][gate.connection],
                }
                for gate in gates
            ],
        }

    async def status(self) -> dict[str, Any]:
        """Sources, what came in, what waits at each connection and why."""
        counts = await self._ledger.counts()
        gates = [await self._ledger.gate(name) for name in self._connections()]
        lines = {line.connection: line for line in await self._queues.lines()} if self._queues else {}
        now, budgets = self._clock(), [dict(budget) for budget in await self._ledger.budgets()]
        connections = [
            {
                "name": gate.connection,
                "state": gate.state,
                "because": gate.because,
                "not_before": gate.not_before,
                "failures": gate.failures,
                "sign_in": self._sign_ins.get(gate.connection, ""),
                "limited": used_up_until(budgets, self._scopes.get(gate.connection, ()), now),
                "deliveries": counts["deliveries"].get(gate.connection, {}),
                "done": line.done_at(now, gate.not_before)
                if (line := lines.get(gate.connection)) and gate.works
                else None,
            }
            for gate in gates
        ]
        known = {gate.connection for gate in gates}
        # What was delivered to a destination that is gone concerns nobody any more.
        orphans = {
            name: {state: number for state, number in states.items() if state in (*WAITING, "dead")}
            for name, states in counts["deliveries"].items()
            if name not in known and any(states.get(state) for state in (*WAITING, "dead"))
        }
        return {
            "sources": await self.sources(),
            "arrivals": counts["arrivals"],
            "sightings": counts["sightings"],
            "waiting_for_pages": counts["waiting_for_pages"],
            "connections": connections,
            "without_connection": orphans,
            "budgets": [
                told | {"connections": whose} for told in budgets if (whose := self._limited_by(told["scope"]))
            ],
            "now": now,
            "rules": {"file": self._rule_file().name, "hash": self._rule_file().hash, "older": self._older()},
        }

    async def sources(self) -> list[dict[str, Any]]:
        """Those that are on, with their condition in lines, and those that are off, with what would turn them on."""
        on = [
            {"name": name, "on": True, "words": list(await source.condition()) if isinstance(source, Described) else []}
            for name, source in self._sources.items()
        ]
        return [*on, *({"name": name, "on": False, "words": [words]} for name, words in self._off.items())]

    def _limited_by(self, scope: str) -> list[str]:
        """The connections that a limit holds for; none where it is of a credential that is gone."""
        return [name for name, scopes in self._scopes.items() if scope in scopes]

    async def resume(self, name: str) -> dict[str, Any]:
        """A paused connection goes on, one that waits after failures tries at once. A limit of the service stays.

        `was`: paused, failing, limited (`until` when, `because`), or active.
        """
        self._known(name)
        gate, now = await self._ledger.gate(name), self._clock()
        until = used_up_until(await self._ledger.budgets(), self._scopes.get(name, ()), now)
        if gate.works:
            until = max(until, gate.not_before)
            return {"connection": name, "was": "limited" if until > now else "active"} | _limit(
                until, now, gate.because
            )
        # What failed is not forgotten: one link is tried, not a whole batch, and it is not told to be over.
        tried = replace(gate, not_before=0.0)
        going = replace(tried, state="active", because="", failures=0) if gate.state == "paused" else tried
        await self._ledger.set_gate(going)
        return {"connection": name, "was": gate.state if gate.state == "paused" else "failing"} | _limit(until, now)

    async def retry(self, name: str) -> dict[str, Any]:
        """What a service refused for good is sent once more."""
        self._known(name)
        return {"connection": name, "retried": await self._ledger.retry(name)}

    def _known(self, name: str) -> None:
        if name not in self._connections():
            raise ConfigError(f"there is no connection “{name}”; there are: {', '.join(self._connections())}")


def _limit(until: float, now: float, because: str = "") -> dict[str, Any]:
    return {"until": until, "because": because or "its limit is used up"} if until > now else {}


def _purged(passport: Mapping[str, Any]) -> bool:
    """Whether the link came earlier than what is kept of it tells."""
    first = [sighting["received"] for sighting in passport["sightings"][:1]]
    return passport["since"] is not None and (not first or first[0] > passport["since"])


def _told(report: Report) -> dict[str, Any]:
    return {
        "state": report.state,
        "reason": report.reason,
        "links": [{**asdict(verdict), "deliveries": dict(verdict.deliveries)} for verdict in report.verdicts],
    }
