"""The real process: what it says at the start, how it is talked to, how it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bridge.service import greeting
from bridge.settings import load_settings
from bridge.web.server import listen
from bridge.wiring import open_bridge

START_SECONDS = 30.0


class Process:
    """`pocket-bridge run` in a folder of its own, with nothing configured but the port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with listen("127.0.0.1", 0) as free:
            self.port = free.getsockname()[1]
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")},
            "BRIDGE_PAGES": "off",
            "BRIDGE_LISTEN": f"127.0.0.1:{self.port}",
            "BRIDGE_LOG_LEVEL": "DEBUG",
        }
        self.log = (folder / "log").open("w+b")
        self.process = self.command("run")

    def command(self, *arguments: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "bridge", *arguments]
        return subprocess.Popen(argv, cwd=self.folder, env=self.environment, stdout=self.log, stderr=self.log)

    def asked(self, *arguments: str) -> str:
        """What a command beside it prints."""
        argv = [sys.executable, "-m", "bridge", *arguments]
        done = subprocess.run(
            argv, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=self.log, check=False
        )
        return done.stdout.decode()

    def wait_until_it_said(self, words: str) -> None:
        until = time.monotonic() + START_SECONDS
        while words not in self.output() and time.monotonic() < until:
            time.sleep(0.05)
        assert words in self.output()

    def restarted(self) -> int | None:
        """Its exit code after a stop and a start that is refused."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        return self.command("run").wait(timeout=20)

    def output(self) -> str:
        return (self.folder / "log").read_text("utf-8")

    def wait_until_it_answers(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"http://127.0.0.1:{self.port}/readyz", trust_env=False).raise_for_status()
                return
            time.sleep(0.02)
        raise AssertionError(f"it does not answer:\n{self.output()}")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    started = Process(tmp_path)
    started.wait_until_it_answers()
    yield started
    if started.process.poll() is None:
        started.process.kill()
    started.process.wait()
    started.log.close()


def test_it_says_where_it_stands_and_never_the_token(process: Process) -> None:
    said = process.output()
    for words in (
        "listening  http://127.0.0.1:",
        "data/token",
        "webhooks",
        "pocket",
        "BRIDGE_TELEGRAM_TOKEN",
        "feeds:",
    ):
        assert words in said
    assert (process.folder / "data" / "token").read_text().strip() not in said


def test_the_line_to_paste_works_as_it_is(process: Process) -> None:
    [line] = re.findall(r"^ +(curl .+)$", process.output(), re.MULTILINE)
    answer = subprocess.run(line, shell=True, cwd=process.folder, capture_output=True, text=True, check=True)
    assert '"status":"accepted"' in answer.stdout
    why = process.command("why", "https://example.com/")
    assert why.wait() == 0
    assert "arrived from save" in process.output()


def test_a_termination_ends_it_cleanly(process: Process) -> None:
    began = time.monotonic()
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(timeout=20) == 0
    assert time.monotonic() - began < 10
    assert not (process.folder / "data" / "control.sock").exists()
    assert "Traceback" not in process.output()


def test_a_second_process_on_the_folder_is_refused_with_the_first_one_s_number(process: Process) -> None:
    process.environment["BRIDGE_LISTEN"] = "127.0.0.1:0"
    second = process.command("run")
    assert second.wait(timeout=30) == 2
    assert f"another pocket-bridge (process {process.process.pid}) is running" in process.output()


def test_secrets_do_not_reach_the_log_even_when_debugging(process: Process) -> None:
    token = (process.folder / "data" / "token").read_text().strip()
    with httpx.Client(base_url=f"http://127.0.0.1:{process.port}", trust_env=False) as client:
        client.post("/save", headers={"Authorization": f"Bearer {token}"}, data={"url": "https://example.com/"})
        client.post("/save", headers={"Authorization": "Bearer canary-wrong"}, data={"url": "https://example.com/"})
        client.get("/v3/get", params={"consumer_key": "1-x", "access_token": token})
        client.get("/v3/get", params={"consumer_key": "1-x", "access_token": "canary-wrong"})
        client.get(f"/nowhere/{token}")
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(timeout=20) == 0
    log = process.output()
    assert "arrival 1 from save" in log
    assert token not in log
    assert "canary-wrong" not in log


def test_a_destination_that_is_added_while_it_runs_is_used_within_seconds(process: Process) -> None:
    (process.folder / "secret").write_text("x")
    there = "base_url: 'http://127.0.0.1:9', consumer_key: 1-a, access_token: {file: secret}"
    (process.folder / "rules.yaml").write_text(f"destinations:\n  there: {{type: pocket, {there}}}\n")
    until = time.monotonic() + START_SECONDS
    while "“there”" in resumed(process) and time.monotonic() < until:
        time.sleep(0.1)
    assert "there was not paused" in resumed(process)
    assert process.output().count("listening  http://") == 1
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(timeout=20) == 0
    assert "Traceback" not in process.output()


def resumed(process: Process) -> str:
    argv = [sys.executable, "-m", "bridge", "resume", "there"]
    done = subprocess.run(
        argv, cwd=process.folder, env=process.environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_the_doctor_says_when_older_rules_are_in_use(process: Process) -> None:
    file = process.folder / "rules.yaml"
    until = time.monotonic() + START_SECONDS
    file.write_text("rules: [{name: a, then: {tag: b}}]\n")
    while "1 rules" not in process.output() and time.monotonic() < until:
        time.sleep(0.1)
    file.unlink()
    while "the old ones stay" not in process.output() and time.monotonic() < until:
        time.sleep(0.1)
    assert process.command("doctor").wait(timeout=30) == 1
    assert re.search(
        r"wrong older rules are in use since .*: there is no such file any more", " ".join(process.output().split())
    )


@pytest.mark.parametrize(
    ("listens", "reached", "noted"),
    [("0.0.0.0", "127.0.0.1", True), ("[::]", "[::1]", True), ("127.0.0.1", "127.0.0.1", False)],
)
async def test_who_listens_to_the_network_is_told_and_the_line_to_paste_goes_to_this_machine(
    tmp_path: Path, listens: str, reached: str, *, noted: bool
) -> None:
    (tmp_path / "data").mkdir()
    settings = load_settings(data=tmp_path / "data", rules=tmp_path / "rules.yaml", listen=f"{listens}:8080")
    async with open_bridge(settings) as bridge:
        said = "\n".join(greeting(bridge, [], 8080))
    assert f"listening  http://{listens}:8080" in said
    assert f"-d url=https://example.com/ http://{reached}:8080/save" in said
    assert ("it listens to the network, without HTTPS" in said) == noted
