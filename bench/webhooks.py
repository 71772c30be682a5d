"""How fast the webhook door acknowledges, beside the same door storing nothing and beside other programs.

    python -m bench.webhooks [--seconds 5] [--rounds 3] [--only floor,store,…] [--node-red COMMAND] [--n8n COMMAND]

Needs `wrk`; Debian's `webhook`, Node-RED and n8n take part where they are installed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop
from starlette.types import Receive, Scope, Send

from bridge.ports import Arrival, Cursor, Key, Receipt
from bridge.service import collect_seldom
from bridge.sources.webhooks.source import Webhooks
from bridge.store.core import Store
from bridge.web.server import Server, application, listen

TOKEN = "bench-token"
CONNECTIONS = 64
ROOT = Path(__file__).resolve().parents[1]

# Every request is another one: a repeat is known and would not be stored.
SCRIPT = """
local made = 0
local run = os.time() .. "-" .. tostring({}):sub(8)
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %s"
function request()
  made = made + 1
  return wrk.format(nil, "%s", nil, string.format(
    '{"url": "https://example.com/%%s/%%d", "title": "A page of the usual length of a title", "tags": ["one", "two"]}',
    run, made))
end
function done(summary, latency)
  io.write(string.format('RESULT {"requests": %%d, "seconds": %%f, "p50": %%f, "p99": %%f, "errors": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Result:
    rate: float
    p50: float
    p99: float
    errors: int
    requests: int
    cpu: float


class Nowhere:
    """An inbox that keeps nothing: the floor."""

    def __init__(self) -> None:
        self._last = 0

    async def put(
        self,
        arrivals: Sequence[Arrival],
        *,
        seen: Sequence[Key] = (),
        cursor: Cursor | None = None,
        expect: str | None = None,
    ) -> Sequence[Receipt]:
        del seen, cursor, expect
        self._last += len(arrivals)
        return [Receipt(self._last, new=True) for _ in arrivals]


# -- servers ----------------------------------------------------------------------------------------------------------


async def _serve(kind: str, folder: Path, port: int) -> None:
    """The door alone, over nothing or over the real store; or the server alone."""
    if kind == "uvicorn":
        with listen("127.0.0.1", port) as listener:
            await Server(_answer_only).serve([listener])
        return
    store = await Store.open(folder / "bridge.db", time.time) if kind == "store" else None
    door = Webhooks(store or Nowhere(), token=TOKEN, clock=time.time)  # type: ignore[arg-type]
    with listen("127.0.0.1", port) as listener:
        await Server(application([door.routes], ready=list)).serve([listener])


async def _answer_only(_: Scope, receive: Receive, send: Send) -> None:
    """What an application does at the least: it reads the body and answers."""
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@dataclass(frozen=True, slots=True)
class Running:
    """A server: where hooks are taken, and its process."""

    path: str
    pid: int

    def cpu(self) -> float:
        """Seconds it has worked, with the children it has waited for."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _process(
    command: Sequence[str], port: int, environment: dict[str, str], folder: Path, path: str, *, patience: float = 30
) -> Iterator[Running]:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, env=os.environ | environment, cwd=ROOT, stdout=log, stderr=log)
        try:
            _until_listening(port, patience)
            yield Running(path, process.pid)
        finally:
            process.terminate()
            process.wait(20)


def _until_listening(port: int, patience: float) -> None:
    until = time.monotonic() + patience
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit("the server does not listen; see its log")


@contextlib.contextmanager
def _door(kind: str, folder: Path, port: int) -> Iterator[Running]:
    command = [sys.executable, "-m", "bench.webhooks", "--serve", kind, "--folder", str(folder), "--port", str(port)]
    with _process(command, port, {}, folder, "/hooks/bench") as running:
        yield running


@contextlib.contextmanager
def _bridge(folder: Path, port: int, rules: str = "") -> Iterator[Running]:
    """The whole program: rules are applied and links sent on while requests come."""
    (folder / "rules.yaml").write_text(rules)
    environment = {
        "BRIDGE_DATA": str(folder / "data"),
        "BRIDGE_RULES": str(folder / "rules.yaml"),
        "BRIDGE_LISTEN": f"127.0.0.1:{port}",
        "BRIDGE_TOKEN": TOKEN,
        "BRIDGE_LOG_LEVEL": "WARNING",
        "BRIDGE_PAGES": "off",
    }
    with _process([sys.executable, "-m", "bridge", "run"], port, environment, folder, "/hooks/bench") as running:
        yield running


@contextlib.contextmanager
def _black_holed(folder: Path, port: int) -> Iterator[Running]:
    """Everything goes to a service that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        rules = (
            "destinations:\n  hole:\n    type: pocket\n"
            f"    base_url: http://127.0.0.1:{hole.getsockname()[1]}\n    consumer_key: k\n    access_token: t\n"
            "defaults:\n  to: hole\n"
        )
        with _bridge(folder, port, rules) as running:
            yield running


@contextlib.contextmanager
def _debian_webhook(folder: Path, port: int) -> Iterator[Running]:
    """Debian's webhook, running a shell that appends what came and syncs it."""
    script = folder / "append.sh"
    script.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$1" | dd of={folder}/taken oflag=append conv=notrunc,fdatasync status=none\n'
    )
    script.chmod(0o755)
    hook = {
        "id": "bench",
        "execute-command": str(script),
        "include-command-output-in-response": True,
        "pass-arguments-to-command": [{"source": "entire-payload"}],
    }
    (folder / "hooks.json").write_text(json.dumps([hook]))
    command = ["webhook", "-hooks", str(folder / "hooks.json"), "-ip", "127.0.0.1", "-port", str(port)]
    with _process(command, port, {}, folder, "/hooks/bench") as running:
        yield running


@contextlib.contextmanager
def _node_red(folder: Path, port: int) -> Iterator[Running]:
    """Node-RED: http in -> append to a file (no sync) -> http response."""
    flow = [
        {"id": "t", "type": "tab", "label": "bench"},
        {"id": "a", "z": "t", "type": "http in", "url": "/bench", "method": "post", "wires": [["b"]]},
        {"id": "b", "z": "t", "type": "file", "filename": str(folder / "taken"), "filenameType": "str",
         "appendNewline": True, "overwriteFile": "false", "wires": [["c"]]},
        {"id": "c", "z": "t", "type": "http response", "statusCode": "200", "wires": []},
    ]  # fmt: skip
    (folder / "flows.json").write_text(json.dumps(flow))
    command = [*NODE_RED, "--userDir", str(folder), "--port", str(port), str(folder / "flows.json")]
    with _process(command, port, {}, folder, "/bench") as running:
        _until_answering(f"http://127.0.0.1:{port}/bench")
        yield running


@contextlib.contextmanager
def _n8n(folder: Path, port: int) -> Iterator[Running]:
    """n8n as it comes: a webhook that answers at once, and whose execution is kept."""
    node = {
        "parameters": {"httpMethod": "POST", "path": "bench", "responseMode": "onReceived", "options": {}},
        "id": "n1", "name": "Webhook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0],
        "webhookId": "bench",
    }  # fmt: skip
    flow = {"id": "bench0001", "name": "bench", "active": True, "nodes": [node], "connections": {}, "settings": {}}
    (folder / "flow.json").write_text(json.dumps([flow]))
    environment = {
        "N8N_USER_FOLDER": str(folder),
        "N8N_PORT": str(port),
        "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_DIAGNOSTICS_ENABLED": "false",
        "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
        "N8N_TEMPLATES_ENABLED": "false",
    }
    for words in (
        ["import:workflow", f"--input={folder / 'flow.json'}"],
        ["update:workflow", "--all", "--active=true"],
    ):
        subprocess.run([*N8N, *words], env=os.environ | environment, check=True, capture_output=True, timeout=180)
    with _process([*N8N, "start"], port, environment, folder, "/webhook/bench", patience=120) as running:
        _until_answering(f"http://127.0.0.1:{port}/webhook/bench")
        yield running


def _until_answering(url: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(urllib.request.Request(url, b"{}", {"Content-Type": "application/json"}), timeout=2)
            return
        time.sleep(0.2)


NODE_RED = ["node-red"]
N8N = ["n8n"]
Peer = Callable[[Path, int], contextlib.AbstractContextManager["Running"]]
FLOOR = "floor"
PEERS: dict[str, Peer] = {
    "uvicorn": lambda folder, port: _door("uvicorn", folder, port),
    FLOOR: lambda folder, port: _door("floor", folder, port),
    "store": lambda folder, port: _door("store", folder, port),
    "bridge": _bridge,
    "black-holed": _black_holed,
    "debian-webhook": _debian_webhook,
    "node-red": _node_red,
    "n8n": _n8n,
}


TARGETS = (
    ("the door, storing, to the same storing nothing: requests/s", "store", FLOOR, "rate", "at least 0.6"),
    ("its p99 to that one's", "store", FLOOR, "p99", "at most 3"),
    ("the whole program to the door storing nothing: requests/s", "bridge", FLOOR, "rate", "at least 0.6"),
    ("its p99 to that one's", "bridge", FLOOR, "p99", "at most 3"),
    ("all destinations black-holed, to the whole program: requests/s", "black-holed", "bridge", "rate", "about 1"),
    ("its p99 to that one's", "black-holed", "bridge", "p99", "about 1"),
    ("to Debian's webhook appending with fdatasync: requests/s", "store", "debian-webhook", "rate", "at least 5"),
    ("the same, the whole program", "bridge", "debian-webhook", "rate", "at least 5"),
    ("to Node-RED appending without a sync: requests/s", "store", "node-red", "rate", "at least 2"),
    ("the same, the whole program", "bridge", "node-red", "rate", "at least 2"),
    ("to n8n answering at once: requests/s", "store", "n8n", "rate", "at least 100"),
)
"""Words, ours, theirs, what is compared, what is promised."""


# -- measuring --------------------------------------------------------------------------------------------------------


def _measure(peer: Peer, seconds: float) -> Result:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder, port = Path(name), _free_port()
        with peer(folder, port) as running:
            _wrk(folder, port, running, min(1.0, seconds))
            result = _wrk(folder, port, running, seconds)
        for database in folder.rglob("bridge.db"):
            _all_there(database, result)
    return result


def _wrk(folder: Path, port: int, running: Running, seconds: float) -> Result:
    script = folder / "unique.lua"
    script.write_text(SCRIPT % (TOKEN, running.path))
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", str(script)]
    before = running.cpu()
    said = subprocess.run([*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\{.*\})", said)
    if found is None:
        raise SystemExit(said)
    told = json.loads(found[1])
    rate = told["requests"] / told["seconds"]
    cpu = (running.cpu() - before) / max(told["requests"], 1)
    return Result(rate, told["p50"], told["p99"], told["errors"], told["requests"], cpu)


def _all_there(database: Path, result: Result) -> None:
    """What was acknowledged is in the file, or the figure is worth nothing."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        [rows] = connection.execute("SELECT count(*) FROM arrival").fetchone()
    if rows < result.requests - result.errors:
        raise SystemExit(f"{result.requests - result.errors} requests were acknowledged, {rows} were stored")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _table(results: dict[str, list[Result]]) -> Iterator[str]:
    yield "| | requests/s min/med/max | p50 ms | p99 ms | CPU µs each | errors | rate / floor | p99 / floor's |"
    yield "|---|---|---|---|---|---|---|---|"
    floor = results.get(FLOOR, [])
    for name, rounds in results.items():
        rates = [one.rate for one in rounds]
        ratio = _ratio([one.rate for one in rounds], [one.rate for one in floor])
        tail = _ratio([one.p99 for one in rounds], [one.p99 for one in floor])
        yield (
            f"| {name} | {min(rates):.0f} / {statistics.median(rates):.0f} / {max(rates):.0f} "
            f"| {statistics.median(one.p50 for one in rounds):.1f} | {statistics.median(one.p99 for one in rounds):.1f} "
            f"| {statistics.median(one.cpu for one in rounds) * 1e6:.0f} "
            f"| {sum(one.errors for one in rounds)} | {ratio} | {tail} |"
        )


def _targets(results: dict[str, list[Result]]) -> Iterator[str]:
    """What is promised beside what was measured, paired by round."""
    yield "| | promised | this run min/med/max |"
    yield "|---|---|---|"
    for words, ours, theirs, what, promised in TARGETS:
        if results.get(ours) and results.get(theirs):
            pair = ([getattr(one, what) for one in results[name]] for name in (ours, theirs))
            yield f"| {words} | {promised} | {_ratio(*pair)} |"


def _ratio(ours: Sequence[float], floors: Sequence[float]) -> str:
    """Paired by round: the machine changes between rounds more than between neighbours."""
    pairs = [one / floor for one, floor in zip(ours, floors, strict=False)]
    return f"{min(pairs):.2f} / {statistics.median(pairs):.2f} / {max(pairs):.2f}" if pairs else ""


def _take_part(names: Sequence[str]) -> Iterator[str]:
    needs = {"debian-webhook": "webhook", "node-red": NODE_RED[0], "n8n": N8N[0]}
    for name in names:
        if name in needs and not shutil.which(needs[name]):
            print(f"{name}: {needs[name]} is not installed", file=sys.stderr)
        else:
            yield name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(PEERS))
    parser.add_argument("--node-red", default="")
    parser.add_argument("--n8n", default="")
    parser.add_argument("--serve")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--port", type=int)
    given = parser.parse_args()
    if given.serve:
        collect_seldom()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(given.serve, given.folder, given.port))
        return
    NODE_RED[:] = given.node_red.split() or NODE_RED
    N8N[:] = given.n8n.split() or N8N
    names = list(_take_part(given.only.split(",")))
    results: dict[str, list[Result]] = {name: [] for name in names}
    for _ in range(given.rounds):
        for name in names:
            results[name].append(_measure(PEERS[name], given.seconds))
    print("\n".join([*_table(results), "", *_targets(results)]))


if __name__ == "__main__":
    main()
