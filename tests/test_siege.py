"""Who is slow, silent or endless on purpose keeps nobody else out, and is sent away."""

from __future__ import annotations

from bridge.web.limits import MIB
from tests.siege import endless_body, slow_clients


async def test_slow_clients_of_every_kind_are_closed_while_good_ones_are_served() -> None:
    told = await slow_clients(50, pace=0.1, patience=20.0, header_seconds=1.0, body_seconds=1.0, unread_seconds=1.0)
    assert told.slow == 150
    assert told.closed_after < 15.0
    assert len(told.waited) > 20
    assert sorted(told.waited)[len(told.waited) // 2] < 0.25


async def test_without_a_limit_slow_clients_stay() -> None:
    told = await slow_clients(2, pace=0.1, patience=1.0, header_seconds=99.0, body_seconds=99.0, unread_seconds=99.0)
    assert told.closed_after == float("inf")


async def test_a_body_of_five_gigabytes_is_cut_at_the_cap_and_costs_no_memory() -> None:
    cut = await endless_body(5_000_000_000)
    assert cut.answer == b"" or cut.answer.startswith(b"HTTP/1.1 413 ")
    assert MIB < cut.sent < 32 * MIB  # what the buffers of two sockets hold comes on top
    assert cut.grown < 32 * MIB
    assert 0.0 < cut.good < 5.0
