"""The real process over a folder of its own, and people at its doors."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from bridge.web.server import listen

TOKEN = "0123456789abcdef0123456789abcdef"
AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}
SLOW = 300


class Running:
    def __init__(self, folder: Path) -> None:
        with listen("127.0.0.1", 0) as free:
            self.port = free.getsockname()[1]
        self.data = folder / "data"
        (folder / "rules.yaml").touch()
        environment = {
            **os.environ,
            "BRIDGE_DATA": str(self.data),
            "BRIDGE_RULES": str(folder / "rules.yaml"),
            "BRIDGE_PAGES": "off",
            "BRIDGE_LISTEN": f"127.0.0.1:{self.port}",
            "BRIDGE_TOKEN": TOKEN,
            "BRIDGE_LOG_LEVEL": "WARNING",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "run"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=20)

    def kill(self) -> None:
        self.http.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def wait_until_it_answers(self) -> None:
        for _ in range(600):
            with contextlib.suppress(httpx.HTTPError):
                self.http.get("/healthz")
                return
            time.sleep(0.05)
        raise AssertionError("it did not start")

    def save(self, url: str) -> None:
        self.http.post("/save", json={"url": url}, headers=AUTHORIZATION).raise_for_status()

    def slow_clients(self) -> list[socket.socket]:
        """A third sends half a header, a third half a body, a third nothing."""
        head = f"POST /save HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
        body = head + b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"
        clients = []
        for number in range(SLOW):
            client = socket.create_connection(("127.0.0.1", self.port))
            if sent := (head, body, b"")[number % 3]:
                client.sendall(sent)
            clients.append(client)
        return clients

    def end(self) -> tuple[int, float]:
        """How it ended after a SIGTERM, and after how many seconds."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        return code, time.monotonic() - began
