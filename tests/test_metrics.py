"""`/metrics`: in Prometheus' text format, with few labels, for this machine or with the owner's token."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from bridge.delivery import Dead
from bridge.ports import Gate
from bridge.store.core import Store
from bridge.upkeep.metrics import CONTENT_TYPE, FRESH_SECONDS, Metrics
from bridge.web import measures
from tests.conftest import Clock
from tests.store.filled import send, take, urls

TOKEN = "the-owners-token"
SAMPLE = re.compile(r'bridge_[a-z_]+(\{([a-z]+="[^"\\\n]*(\\.[^"\\\n]*)*",?)+\})? -?[0-9]+(\.[0-9]+)?')


def metrics(store: Store, clock: Clock) -> Metrics:
    build = {"version": "1", "sqlite": "3"}
    return Metrics(
        store.upkeep,
        store.upkeep,
        build=build,
        full=lambda: store.full,
        refused=lambda: {"(other names)": 3},
        clock=clock,
    )


async def test_it_counts_what_came_what_waits_and_what_was_tried(store: Store, clock: Clock) -> None:
    measure = metrics(store, clock)
    await take(store, *urls(3), source="hook")
    await send(store, clock, Dead("never"))
    await take(store, "nothing", source="hook", state="parked")
    await take(store, *urls(1, "b.example"))
    await store.set_gate(Gate("there", state="paused", because="a secret reason", failures=2))
    clock.move(60)
    lines = (await measure()).splitlines()
    for line in (
        'bridge_build_info{version="1",sqlite="3"} 1',
        'bridge_arrivals_received_total{source="hook"} 4',
        'bridge_arrivals_read_total{source="hook",state="parked"} 1',
        "bridge_arrivals_waiting 0",
        'bridge_webhooks_refused_total{hook="(other names)"} 3',
        'bridge_deliveries{connection="there",state="dead"} 1',
        'bridge_deliveries{connection="there",state="delivered"} 2',
        'bridge_attempts_total{connection="there",outcome="delivered"} 2',
        'bridge_oldest_delivery_age_seconds{connection="there"} 60',
        'bridge_gate_state{connection="there",state="paused"} 1',
        'bridge_gate_failures{connection="there"} 2',
        "bridge_disk_full 0",
    ):
        assert line in lines, line


async def test_every_line_is_as_prometheus_reads_it(store: Store, clock: Clock) -> None:
    await store.set_gate(Gate('odd " \\ \n name', because="x"))
    text = await metrics(store, clock)()
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line.startswith(("# HELP bridge_", "# TYPE bridge_")) or SAMPLE.fullmatch(line), line


async def test_nothing_private_is_in_it(store: Store, clock: Clock) -> None:
    await take(store, "https://private.example/secret-page", source="hook")
    text = await metrics(store, clock)()
    assert "private" not in text
    assert "secret" not in text


async def test_a_large_database_is_not_counted_for_every_question(store: Store, clock: Clock) -> None:
    measure = metrics(store, clock)
    first = await measure()
    await take(store, *urls(1))
    assert await measure() == first
    clock.move(FRESH_SECONDS)
    assert await measure() != first


async def asked(client: tuple[str, int], headers: dict[str, str]) -> httpx.Response:
    async def measure() -> str:
        return "bridge_up 1\n"

    app = Starlette(routes=[*measures.routes(measure, token=TOKEN, content_type=CONTENT_TYPE)])
    transport = httpx.ASGITransport(app, client=client)
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge") as http:
        return await http.get("/metrics", headers=headers)


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.168.1.5", {}, 401),
        ("192.168.1.5", {"Authorization": f"Bearer {TOKEN}"}, 200),
        ("192.168.1.5", {"Authorization": "Bearer wrong"}, 401),
        ("192.168.1.5", {"Authorization": "Bearer "}, 401),
        ("192.168.1.5", {"Authorization": b"Bearer w\xf6rng"}, 401),
        ("192.168.1.5", {"X-Forwarded-For": "127.0.0.1"}, 401),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 401),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 401),
        ("127.0.0.1", {"X-Forwarded-For": "1.2.3.4", "Authorization": f"Bearer {TOKEN}"}, 200),
        ("not an address", {}, 401),
    ],
)
async def test_who_may_ask(host: str, headers: dict[str, Any], status: int) -> None:
    answer = await asked((host, 1), headers)
    assert answer.status_code == status
    assert ("bridge_up" in answer.text) == (status == 200)
    if status == 200:
        assert answer.headers["content-type"] == CONTENT_TYPE


async def test_attempts_are_counted_once_from_the_start_on(store: Store, clock: Clock) -> None:
    measure = metrics(store, clock)
    for number in range(3):
        await take(store, f"https://a.example/{number}")
        await send(store, clock)
        clock.move(FRESH_SECONDS)
        line = f'bridge_attempts_total{{connection="there",outcome="delivered"}} {number + 1}'
        assert line in (await measure()).splitlines()
