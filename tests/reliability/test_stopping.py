"""A signal ends the process in time, whoever is slow at the door; what was acknowledged is there afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bridge.web.server import listen

TOKEN = "0123456789abcdef0123456789abcdef"
AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}
SLOW = 300
LONGEST = 10.0


class Running:
    def __init__(self, folder: Path) -> None:
        with listen("127.0.0.1", 0) as free:
            self.port = free.getsockname()[1]
        self.data = folder / "data"
        environment = {
            **os.environ,
            "BRIDGE_DATA": str(self.data),
            "BRIDGE_RULES": str(folder / "rules.yaml"),
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


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    found = Running(tmp_path)
    try:
        found.wait_until_it_answers()
        yield found
    finally:
        found.http.close()
        with contextlib.suppress(ProcessLookupError):
            found.process.kill()
        found.process.wait()


def links(running: Running) -> set[str]:
    with contextlib.closing(sqlite3.connect(running.data / "bridge.db")) as connection:
        return {row[0] for row in connection.execute("SELECT url FROM item")}


def test_it_ends_in_time_with_three_hundred_slow_clients(running: Running) -> None:
    running.save("https://example.com/before")
    clients = running.slow_clients()
    try:
        # They really are held open: all of them are still connected.
        time.sleep(0.5)
        for client in clients:
            client.setblocking(False)
            with pytest.raises(BlockingIOError):
                client.recv(1)
        running.save("https://example.com/among-them")
        code, seconds = running.end()
    finally:
        for client in clients:
            client.close()
    assert (code, seconds < LONGEST) == (0, True), seconds
    assert not (running.data / "control.sock").exists()
    assert not (running.data / "bridge.db-wal").exists()
    assert links(running) == {"https://example.com/before", "https://example.com/among-them"}


def test_a_second_signal_ends_it_at_once_and_nothing_acknowledged_is_lost(running: Running) -> None:
    clients = running.slow_clients()
    running.save("https://example.com/before")
    began = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert running.process.poll() is None, "it ended at the first signal: there was nothing to wait for"
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=10) == 1
    assert time.monotonic() - began < 3
    for client in clients:
        client.close()
    with contextlib.closing(sqlite3.connect(running.data / "bridge.db")) as connection:
        assert connection.execute("SELECT count(*) FROM arrival").fetchone() == (1,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_second_process_on_the_folder_is_refused_with_what_to_do(running: Running) -> None:
    environment = {**os.environ, "BRIDGE_DATA": str(running.data), "BRIDGE_LISTEN": "127.0.0.1:0"}
    ran = subprocess.run(
        [sys.executable, "-m", "bridge", "run"], env=environment, capture_output=True, timeout=60, check=False
    )
    assert ran.returncode == 2
    assert f"another pocket-bridge (process {running.process.pid}) is running on {running.data}" in ran.stderr.decode()
    assert b"stop it, or give this one a folder of its own with BRIDGE_DATA" in ran.stderr
    running.save("https://example.com/undisturbed")
