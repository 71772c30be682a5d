"""A signal ends the process in time, whoever is slow at the door; what was acknowledged is there afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.running import Running

LONGEST = 10.0


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    found = Running(tmp_path)
    try:
        found.wait_until_it_answers()
        yield found
    finally:
        found.kill()


def stored(running: Running) -> list[str]:
    """What was acknowledged; whether it was read already, the next start sees to."""
    with contextlib.closing(sqlite3.connect(running.data / "bridge.db")) as connection:
        return [row[0] for row in connection.execute("SELECT raw FROM arrival ORDER BY id")]


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
    before, among_them = stored(running)
    assert "https://example.com/before" in before
    assert "https://example.com/among-them" in among_them


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
