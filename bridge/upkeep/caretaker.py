"""The caretaker: what waits where and until when, what was refused, whether the books balance, and what is decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from bridge.budget import used_up_until
from bridge.errors import ConfigError
from bridge.ports import Gate, Ledger
from bridge.ports.keeping import Balance, Books, Queues

MOST_LISTED = 1000

Plain = dict[str, Any]


class Copies(Protocol):
    async def copy(self, path: Path, *, force: bool = False) -> Mapping[str, Any]:
        """A consistent copy of everything in one file, checked; raises BridgeError when there is none.

        Without `force` a file that is there already is refused.
        """
        ...


class Caretaker:
    """Answers are plain data (what `--json` prints). `scopes`: whom the limits of each connection hold for;
    `sign_ins`: how a person gets a new credential for it."""

    def __init__(
        self,
        queues: Queues,
        books: Books,
        ledger: Ledger,
        copies: Copies,
        *,
        connections: Callable[[], Sequence[str]],
        clock: Callable[[], float],
        scopes: Mapping[str, Sequence[str]] = MappingProxyType({}),
        sign_ins: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._sign_ins = sign_ins
        self._scopes = scopes
        self._queues = queues
        self._books = books
        self._ledger = ledger
        self._copies = copies
        self._connections = connections
        self._clock = clock

    def commands(self) -> Mapping[str, Callable[..., Awaitable[Any]]]:
        """What the desk learns from it."""
        return {
            "queue": self.queue,
            "queue_cancel": self.cancel,
            "queue_move": self.move,
            "dead": self.dead,
            "again": self.again,
            "audit": self.audit,
            "backup": self.backup,
        }

    async def queue(self, connection: str = "", most: int = 50) -> Plain:
        """Each connection with what waits there, until when and why; and the links that wait, next first."""
        if connection:
            await self._known(connection)
        known = {line.connection: line for line in await self._queues.lines()}
        names = [connection] if connection else list(dict.fromkeys([*self._connections(), *known]))
        gates = [await self._ledger.gate(name) for name in names]
        now, budgets = self._clock(), await self._ledger.budgets()
        return {
            "connections": [
                {
                    **_gate(gate),
                    "sign_in": self._sign_ins.get(gate.connection, ""),
                    "limited": used_up_until(budgets, self._scopes.get(gate.connection, ()), now),
                    "there": gate.connection in self._connections(),
                    "states": dict(line.states) if (line := known.get(gate.connection)) else {},
                    "oldest": line.oldest if line else None,
                    "next": max(line.next_due, gate.not_before) if line and line.next_due is not None else None,
                    "done": line.done_at(now, gate.not_before) if line and gate.works else None,
                }
                for gate in gates
            ],
            "links": list(await self._queues.waiting(connection, min(most, MOST_LISTED))),
            "now": now,
        }

    async def dead(self, connection: str = "", most: int = 200) -> Plain:
        """What was refused for good, or is unknown, with the reason; newest first."""
        if connection:
            await self._known(connection)
        return {"links": list(await self._queues.dead(connection, min(most, MOST_LISTED)))}

    async def again(self, numbers: Sequence[int]) -> Plain:
        """Single links that were refused are sent once more."""
        connections = await self._queues.again(numbers)
        return {"retried": len(connections), "asked": len(set(numbers)), "connections": Counter(connections)}

    async def cancel(self, connection: str = "", numbers: Sequence[int] = ()) -> Plain:
        """What waits at a connection, or single links by number, will not be sent."""
        if connection:
            await self._known(connection)
        gone = bool(connection) and connection not in self._connections()
        cancelled = await self._queues.give_up(connection=connection, numbers=numbers, all_states=gone)
        return {"connection": connection, "cancelled": cancelled, "asked": len(set(numbers))}

    async def move(self, connection: str, to: str) -> Plain:
        """What waits at a connection is sent to another one instead."""
        await self._known(connection)
        if to not in self._connections():
            raise ConfigError(f"there is no connection “{to}”; there are: {', '.join(self._connections())}")
        if to == connection:
            raise ConfigError("it waits there already; name another connection")
        gone = connection not in self._connections()
        return {"connection": connection, "to": to, "moved": await self._queues.move(connection, to, all_states=gone)}

    async def audit(self) -> Plain:
        """Whether everything that came is accounted for, by source and by day."""
        found = await self._books.audit()
        return {
            "balances": found.balances,
            "arrivals": [_balance(balance) for balance in found.arrivals],
            "sightings": [_balance(balance) for balance in found.sightings],
        }

    async def backup(self, file: str, *, force: bool = False) -> Plain:
        """A copy of the database, made and checked while everything runs; `force` replaces what is there."""
        path = Path(file)
        if not path.is_absolute():
            raise ConfigError("a backup needs a whole path")
        if not path.parent.is_dir():
            raise ConfigError(f"there is no folder {path.parent}")
        return dict(await self._copies.copy(path, force=force))

    async def _known(self, connection: str) -> None:
        """One that is declared, or one that is not any more and still has links."""
        if connection in self._connections():
            return
        names = {*self._connections(), *(line.connection for line in await self._queues.lines())}
        if connection not in names:
            raise ConfigError(f"there is no connection “{connection}”; there are: {', '.join(sorted(names))}")


def _gate(gate: Gate) -> Plain:
    found = asdict(gate)
    return {
        "name": found.pop("connection"),
        **{name: found[name] for name in ("state", "because", "not_before", "failures")},
    }


def _balance(balance: Balance) -> Plain:
    return {
        "day": balance.day,
        "source": balance.source,
        "counted": balance.counted,
        "became": dict(balance.became),
        "missing": balance.missing,
    }
