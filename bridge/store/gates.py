"""The outbox's units of work on gates."""

from __future__ import annotations

from bridge.gate import Gate
from bridge.store.sqlite import Tx

_GATE = ("connection", "state", "because", "not_before", "failures", "credential", "batch")


def find_gate(tx: Tx, connection: str) -> Gate:
    row = tx.execute(f"SELECT {', '.join(_GATE)} FROM gate WHERE connection = ?", (connection,)).fetchone()
    return Gate(connection) if row is None else Gate(*row)


def set_gate(tx: Tx, gate: Gate) -> None:
    tx.execute(
        f"INSERT INTO gate ({', '.join(_GATE)}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (connection) DO UPDATE SET"
        f" {', '.join(f'{name} = excluded.{name}' for name in _GATE[1:])}",
        tuple(getattr(gate, name) for name in _GATE),
    )
