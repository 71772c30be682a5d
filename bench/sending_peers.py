"""Queue libraries on PostgreSQL, draining jobs that do nothing: run by bench/sending.py with a Python that has them.

PYTHON bench/sending_peers.py procrastinate|pgqueuer NUMBER DSN
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

URLS = "https://example.com/articles/{}"


async def procrastinate(number: int, dsn: str) -> float:
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=dsn))

    @app.task(name="send")
    async def send(url: str) -> None: ...

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await send.batch_defer_async(*({"url": URLS.format(n)} for n in range(number)))
        began = time.perf_counter()
        await app.run_worker_async(wait=False, concurrency=50, listen_notify=False, install_signal_handlers=False)
        return time.perf_counter() - began


async def pgqueuer(number: int, dsn: str) -> float:
    import asyncpg
    from pgqueuer import AsyncpgDriver, PgQueuer, Queries
    from pgqueuer.types import QueueExecutionMode

    connection = await asyncpg.connect(dsn)
    driver = AsyncpgDriver(connection)
    queries = Queries(driver)
    await queries.install()
    queue = PgQueuer(driver)
    done = 0

    @queue.entrypoint("send")
    async def send(job: object) -> None:
        nonlocal done
        done += 1

    await queries.enqueue(["send"] * number, [URLS.format(n).encode() for n in range(number)], [0] * number)
    began = time.perf_counter()
    await queue.qm.run(batch_size=100, mode=QueueExecutionMode.drain)
    took = time.perf_counter() - began
    if done != number:
        raise SystemExit(f"{done} of {number} jobs were done")
    return took


if __name__ == "__main__":
    name, count, where = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    seconds = asyncio.run({"procrastinate": procrastinate, "pgqueuer": pgqueuer}[name](count, where))
    print(json.dumps({"jobs": count, "seconds": seconds}))
