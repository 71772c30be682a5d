"""What starting costs and what idling takes: `python bench/start.py` (Linux, some seconds).

Start: from spawning `pocket-bridge run` on a fresh folder until /healthz answers, beside a Python that only imports the
same libraries; five rounds, one after the other, medians. Idle: the proportional memory (Pss) of the process and all its
children, five seconds later.
"""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROUNDS = 5
IDLE_SECONDS = 5.0

ALWAYS = "asyncio, json, logging, sqlite3, click, httpx, pydantic_settings, starlette.applications, tenacity, uvicorn, yaml, can_ada, python_multipart"
CASES = {
    "nothing configured": (ALWAYS, {}, ""),
    "feeds and Telegram on": (
        f"{ALWAYS}, telegram",
        {"BRIDGE_TELEGRAM_TOKEN": "1:bench", "BRIDGE_TELEGRAM_API": "http://127.0.0.1:9", "BRIDGE_TELEGRAM_ALLOW": "1"},
        "feeds:\n  - {name: bench, url: '@feed', interval: 1d}\n",
    ),
}


class Publisher(BaseHTTPRequestHandler):
    """One feed with one entry, so that the child process that reads feeds is really there."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<rss version='2.0'><channel><item><link>https://a.example/</link></item></channel></rss>")

    def log_message(self, *_: object) -> None: ...


FEED = ThreadingHTTPServer(("127.0.0.1", 0), Publisher)


def importing(libraries: str) -> float:
    began = time.perf_counter()
    # uvicorn's server and protocol are imported by `Config.load`, which a start cannot avoid.
    subprocess.run([sys.executable, "-c", f"import {libraries}, uvicorn.protocols.http.h11_impl"], check=True)
    return time.perf_counter() - began


@contextlib.contextmanager
def started(environment: dict[str, str], rules: str):
    """Yields the process and the seconds until it answered."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        Path(folder, "rules.yaml").write_text(rules.replace("@feed", f"http://127.0.0.1:{FEED.server_port}/"))
        own = {
            "BRIDGE_ALLOW_NETS": "127.0.0.1",
            "BRIDGE_DATA": f"{folder}/data",
            "BRIDGE_RULES": f"{folder}/rules.yaml",
            "BRIDGE_LOG_LEVEL": "ERROR",
        }
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "run"],
            env={**os.environ, **own, **environment, "BRIDGE_LISTEN": f"127.0.0.1:{port}"},
            stdout=subprocess.DEVNULL,
        )
        try:
            while not answers(port):
                time.sleep(0.002)
            yield process, time.perf_counter() - began
        finally:
            process.terminate()
            process.wait()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return connection.recv(12) == b"HTTP/1.1 200"
    return False


def memory(process: int) -> tuple[float, int]:
    """MB of the process and its children, and how many processes those are."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    below = [memory(int(child)) for child in children]
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return own / 1024 + sum(part for part, _ in below), 1 + sum(number for _, number in below)


def main() -> None:
    threading.Thread(target=FEED.serve_forever, daemon=True).start()
    print(f"{'':24} {'import':>8} {'start':>8} {'ratio':>6} {'idle MB':>8} {'processes':>9}")
    for name, (libraries, environment, rules) in CASES.items():
        imports, starts, idle = [], [], []
        for number in range(ROUNDS):
            imports.append(importing(libraries))
            with started(environment, rules) as (process, seconds):
                starts.append(seconds)
                if number == ROUNDS - 1:
                    time.sleep(IDLE_SECONDS)
                    idle.append(memory(process.pid))
        ratio = statistics.median(starts) / statistics.median(imports)
        seconds = f"{statistics.median(imports):7.2f}s {statistics.median(starts):7.2f}s"
        print(f"{name:24} {seconds} {ratio:6.2f} {idle[0][0]:8.0f} {idle[0][1]:9}")


if __name__ == "__main__":
    main()
