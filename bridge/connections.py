"""The connections of a rule file, opened: the embedded list and what the file names, each with its gate."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import httpx
from starlette.types import ASGIApp

from bridge.declared import connect, fingerprint, plug
from bridge.destinations._lists import Lists
from bridge.net import Net
from bridge.ports import OWNER, Destination
from bridge.rules import READING, RuleFile
from bridge.store.core import Store


async def opened_connections(
    store: Store, net: Net, rule_file: RuleFile, *, reading_list: ASGIApp, inner: str
) -> Sequence[Destination]:
    """The embedded list, which is served by `reading_list` to who knows `inner`, and every destination of the file.
    Raises ConfigError at the place in the file that is wrong."""
    found = [_embedded(reading_list, inner), *(connect(rule_file, name, net) for name in rule_file.destinations)]
    for connection in found:
        await _open_gate(store, connection, rule_file)
    return found


def scopes_of(connections: Sequence[Destination]) -> Mapping[str, Sequence[str]]:
    """Whom the limits of each connection hold for."""
    return {connection.name: connection.traits.scopes for connection in connections}


def sign_ins_of(rule_file: RuleFile) -> Mapping[str, str]:
    """For each destination that knows one: how a person gets a new credential for it, in words."""
    found = {name: getattr(plug(rule_file, name), "sign_in", None) for name in rule_file.destinations}
    return {name: told(name, rule_file.destinations[name]) for name, told in found.items() if told}


def _embedded(app: ASGIApp, inner: str) -> Destination:
    """The embedded list is a Pocket server like any other, reached over ASGI by the same client."""
    pocket = importlib.import_module("bridge.destinations.pocket")

    def of(account: str) -> Destination:
        options = pocket.Options(
            base_url="http://reading.list",
            consumer_key="1-bridge",
            access_token=f"{inner}/{account}",
            batch=100,
            retitles=True,
        )
        destination: Destination = pocket.connect(options, name=READING, transport=httpx.ASGITransport(app))
        return destination

    # Its own limits do not hold for itself.
    return Lists(READING, replace(of(OWNER).traits, scopes=()), of)


async def _open_gate(store: Store, connection: Destination, rule_file: RuleFile) -> None:
    """Leases of a process that is gone are due again; a new credential opens a gate that was paused."""
    name = connection.name
    await store.expire(name, idempotent=connection.traits.add_is_idempotent)
    gate = await store.gate(name)
    credential = fingerprint(rule_file, name)
    if gate.credential == credential:
        return
    opened = replace(gate, state="active", because="", not_before=0.0, failures=0, credential=credential)
    await store.set_gate(opened)
