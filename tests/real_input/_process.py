"""A bridge of its own in a folder of its own: started, watched, and read without touching what it owns."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bridge.pocket.client import Pocket
from bridge.web.server import listen
from tests.bot_api import TOKEN

OWNER_TOKEN = "0123456789abcdef0123456789abcdef"

_LOOK = 0.5
_CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Arrived:
    """One arrival as the database has it, with the links read from it."""

    source: str
    channel: str
    raw: Any
    state: str
    reason: str
    links: tuple[str, ...]


@dataclass
class Running:
    """A process at work. `peaks`: the most memory it and its child had, in kB."""

    process: asyncio.subprocess.Process
    folder: Path
    environment: dict[str, str]
    origin: str
    peaks: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Raises when the process is gone."""
        if self.process.returncode is not None:
            raise RuntimeError(f"pocket-bridge ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        self._measure("bridge", self.process.pid)
        for child in _children(self.process.pid):
            self._measure("reader of feeds", child)

    def _measure(self, name: str, number: int) -> None:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{number}/status").read_text("ascii", "replace")
            peak = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
            self.peaks[name] = max(self.peaks.get(name, 0), peak)

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    async def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        asking = await asyncio.create_subprocess_exec(
            *_COMMAND, "status", "--json", env=self.environment, cwd=self.folder, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await asking.communicate()
        answer: dict[str, Any] = json.loads(said)
        return answer

    async def listed(self) -> list[str]:
        """The addresses on the embedded list, as any Pocket client sees them."""
        async with Pocket("1-real-input", OWNER_TOKEN, base_url=self.origin) as pocket:
            return [item.given_url async for item in pocket.items(state="all", sort="oldest")]

    def waiting(self) -> dict[str, int]:
        """What is not done yet, by where it waits."""
        counted = {
            "arrivals to be read": "SELECT count(*) FROM arrival WHERE state = 'new'",
            "deliveries": "SELECT count(*) FROM delivery WHERE state IN ('pending', 'leased', 'unknown', 'held')",
            "reports": f"SELECT count(*) FROM report WHERE due <= {time.time()}",
        }
        with self._database() as database:
            return {name: database.execute(sql).fetchone()[0] for name, sql in counted.items()}

    def feed_states(self) -> dict[str, dict[str, Any]]:
        with self._database() as database:
            rows = database.execute("SELECT scope, value FROM progress WHERE scope LIKE 'feed:%'").fetchall()
        return {scope.removeprefix("feed:"): json.loads(value) for scope, value in rows}

    def arrived(self) -> list[Arrived]:
        with self._database() as database:
            links: dict[int, list[str]] = {}
            for arrival, facts in database.execute("SELECT arrival, facts FROM sighting ORDER BY id"):
                links.setdefault(arrival, []).append(json.loads(facts)["url"])
            rows = database.execute("SELECT id, source, channel, raw, state, reason FROM arrival").fetchall()
        return [
            Arrived(source, channel, json.loads(raw), state, reason, tuple(links.get(number, ())))
            for number, source, channel, raw, state, reason in rows
        ]

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        path = self.folder / "data" / "bridge.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            yield connection


_COMMAND = (sys.executable, "-m", "bridge")


@contextlib.asynccontextmanager
async def running(folder: Path, *, rules: str, telegram_api: str, allow: Iterable[int]) -> AsyncIterator[Running]:
    """Ends with the block. Yields when the process answers."""
    (folder / "rules.yaml").write_text(rules, "utf-8")
    with listen("127.0.0.1", 0) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")},
        "PYTHONPATH": str(_CHECKOUT),
        "BRIDGE_DATA": str(folder / "data"),
        "BRIDGE_RULES": str(folder / "rules.yaml"),
        "BRIDGE_LISTEN": address,
        "BRIDGE_TOKEN": OWNER_TOKEN,
        "BRIDGE_TELEGRAM_TOKEN": TOKEN,
        "BRIDGE_TELEGRAM_API": telegram_api,
        "BRIDGE_TELEGRAM_ALLOW": ",".join(map(str, sorted(allow))),
        "BRIDGE_ALLOW_NETS": "127.0.0.0/8",
        "BRIDGE_FEED_AT_ONCE": "100000",
        "BRIDGE_PAGES": "off",
        "BRIDGE_LIMIT_USER": "1000000",
        "BRIDGE_LIMIT_KEY": "1000000",
        "BRIDGE_LOG_LEVEL": "WARNING",
    }
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, "run", env=environment, cwd=folder, stdout=log, stderr=log
        )
    try:
        bridge = Running(process, folder, environment, f"http://{address}")
        await _until_it_answers(bridge)
        yield bridge
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _until_it_answers(bridge: Running) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            bridge.look()
            with contextlib.suppress(httpx.HTTPError):
                await client.get(f"{bridge.origin}/healthz")
                return
            await asyncio.sleep(_LOOK / 10)


def _children(number: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{number}/task/{number}/children").read_text("ascii").split()]
    return []
