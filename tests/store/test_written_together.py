"""Units that take one item each, from many who wait, are one; what fails costs its own item and no other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge.ports import Arrival, Key
from bridge.store.core import Store
from bridge.store.sqlite import Database, Tx


async def test_who_waits_for_the_same_unit_is_served_by_one_call(tmp_path: Path) -> None:
    calls: list[list[int]] = []

    def unit(_: Tx, items: Sequence[int]) -> list[int]:
        calls.append(list(items))
        return [item * 10 for item in items]

    database = Database(tmp_path / "x.db")
    answers = await asyncio.gather(*(database.write_one(unit, number) for number in range(50)))
    await database.close()
    assert answers == [number * 10 for number in range(50)]
    assert [item for call in calls for item in call] == list(range(50))
    assert len(calls) < 50


async def test_an_item_that_fails_all_fails_alone(tmp_path: Path) -> None:
    def unit(tx: Tx, items: Sequence[int]) -> list[int]:
        for item in items:
            tx.execute("INSERT INTO t VALUES (?)", (item,))
            if item == 7:
                raise ValueError(item)
        return list(items)

    database = Database(tmp_path / "x.db")
    await database.write(lambda tx: tx.execute("CREATE TABLE t (n)"))
    each = (database.write_one(unit, number) for number in range(20))
    answers = await asyncio.gather(*each, return_exceptions=True)
    stored = await database.read(lambda tx: [row[0] for row in tx.execute("SELECT n FROM t ORDER BY n").fetchall()])
    await database.close()
    assert [answer for answer in answers if not isinstance(answer, ValueError)] == stored
    assert stored == [number for number in range(20) if number != 7]


@pytest.mark.parametrize("times", [1, 3])
async def test_the_same_delivery_many_times_at_once_is_one_arrival(store: Store, times: int) -> None:
    arrival = Arrival(source="hook", channel="h", key=Key("hook:h", "x", 60.0), raw="{}")
    receipts = await asyncio.gather(*(store.put([arrival]) for _ in range(times)))
    assert sum(receipt.new for [receipt] in receipts) == 1
    assert len({receipt.id for [receipt] in receipts}) == 1
