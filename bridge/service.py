"""The process: owns the data folder, listens, says where it stands, works until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import uvloop

from bridge import __version__, control, logs
from bridge.declared import tested_rules
from bridge.remarks import remarks
from bridge.rules import RuleFile
from bridge.settings import Settings, doubts
from bridge.supervisor import Supervisor
from bridge.tokens import TOKEN, owner_token
from bridge.web.server import Server, check_certificate, listen
from bridge.wiring import DATABASE, Bridge, open_bridge

END_SECONDS = 9.0
"""From the first signal to the end, at most. A service manager's patience is ten seconds and more."""


def run(settings: Settings) -> int:
    """Returns the exit code. Raises ConfigError while nothing has started."""
    rule_file = tested_rules(settings)
    if settings.tls_cert and settings.tls_key:
        check_certificate(settings.tls_cert, settings.tls_key)
    with control.own(settings.data), listen(settings.host, settings.port) as listener:
        logs.start(settings.log_level, [owner_token(settings), settings.telegram_token.get_secret_value()])
        collect_seldom()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(settings, rule_file, listener))


def collect_seldom() -> None:
    """What was loaded is never garbage, and what comes is looked through for garbage in larger pieces.

    Nearly all of it goes without being looked for. Otherwise some dozens of requests at once, each of many small
    objects, make Python look through all memory again and again, and everything waits for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


async def _serve(settings: Settings, rule_file: RuleFile | None, listener: socket.socket) -> int:
    ending = Ending()
    ending.listen()
    while rule_file and not ending.begun:
        # Who connects between two rounds waits at the listening socket, which stays open.
        with listener.dup() as ours:
            rule_file = await _work(settings, rule_file, ours, ending)
    return 0


async def _work(settings: Settings, rule_file: RuleFile, listener: socket.socket, ending: Ending) -> RuleFile | None:
    """Works until it is told to stop, or until there is a rule file with other destinations: answers it."""
    async with open_bridge(settings, rule_file) as bridge:
        await bridge.users.check()
        server = Server(bridge.app, cert=settings.tls_cert, key=settings.tls_key)
        serving = asyncio.create_task(server.serve([listener]))
        supervisor = bridge.supervisor()
        if ending.stops(supervisor):
            for line in greeting(bridge, await bridge.desk.sources(), listener.getsockname()[1]):
                click.echo(line)
        working = asyncio.create_task(supervisor.run())
        await supervisor.stopped()
        # At the same time: who is slow at the door must not keep what is under way from its end, nor the other way.
        server.should_exit = True
        await asyncio.gather(working, serving)
    return bridge.reload.next


class Ending:
    """The first signal drains, the second ends at once."""

    def __init__(self) -> None:
        self.begun = False
        self._supervisor: Supervisor | None = None

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)

    def stops(self, supervisor: Supervisor) -> bool:
        """From now on a signal stops this one. Answers whether it is the first."""
        first, self._supervisor = self._supervisor is None, supervisor
        if self.begun:
            supervisor.stop()
        return first

    def _signalled(self) -> None:
        if self.begun:
            os._exit(1)
        self.begun = True
        # What was acknowledged is durable, so whatever does not come to an end (a look-up in a thread) may be left.
        overdue = threading.Timer(END_SECONDS, os._exit, (0,))
        overdue.daemon = True
        overdue.start()
        if self._supervisor:
            self._supervisor.stop()


def greeting(bridge: Bridge, sources: Sequence[Mapping[str, Any]], port: int) -> Iterator[str]:
    """What a person must know to go on, in a few lines. Holds no secret."""
    settings, rule_file = bridge.settings, bridge.intake.rule_file
    scheme = "https" if settings.tls_cert else "http"
    address, here = f"{scheme}://{_spelt(settings.host)}:{port}", f"{scheme}://{_reached(settings.host)}:{port}"
    in_variable = bool(settings.token.get_secret_value())
    token = settings.data / TOKEN
    yield click.style(f"pocket-bridge {__version__}", bold=True)
    yield f"  listening  {address}  (Pocket API, webhooks, /healthz, /readyz)"
    yield f"  token      {'the one in BRIDGE_TOKEN' if in_variable else token}"
    yield f"  data       {settings.data / DATABASE}"
    yield f"  rules      {_rules(rule_file)}"
    for source in sources:
        mark = click.style("on ", fg="green") if source["on"] else "off"
        first = f": {source['words'][0]}" if source["words"] else ""
        more = f" (and {len(source['words']) - 1} more)" if len(source["words"]) > 1 else ""
        yield f"  {mark}        {source['name']}{first}{more}"
    if not settings.on_loopback:
        words = "it listens to the network" + ("" if settings.tls_cert else ", without HTTPS: put a proxy in front")
        yield click.style(f"  note       {words}", fg="yellow")
    for line in (*doubts(), *remarks(rule_file)):
        yield click.style(f"  note       {line}", fg="yellow")
    shown = "$BRIDGE_TOKEN" if in_variable else f"$(cat '{token}')"
    yield "Save a first link:"
    yield f'  curl -H "Authorization: Bearer {shown}" -d url=https://example.com/ {here}/save'


def _spelt(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _reached(host: str) -> str:
    """By what this machine reaches it: every address is none to go to."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, _spelt(host))  # noqa: S104 - it is what is replaced


def _rules(rule_file: RuleFile) -> str:
    if not rule_file.text:
        return f"no {rule_file.name} yet: every link goes to “reading”, the embedded list"
    return f"{rule_file.name} ({_number(len(rule_file.rules), 'rule')})"


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
