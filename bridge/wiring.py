"""The one place that wires: settings -> a running Bridge.

A destination of `type: x` is bridge.destinations.x; a dotted type is somebody's own module.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import hashlib
import importlib
import json
import logging
import os
import pkgutil
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from pydantic import ValidationError
from starlette.types import ASGIApp

from bridge import control, destinations, rules
from bridge.clerk import Clerk
from bridge.desk import Desk
from bridge.destinations._lists import Lists
from bridge.errors import ConfigError
from bridge.intake import Intake, Reader
from bridge.link import canonical
from bridge.net import Net
from bridge.ports import OWNER, Destination, Source
from bridge.ports import Reporter as Teller
from bridge.reporter import Reporter
from bridge.rulebook import Rulebook
from bridge.rules import RuleFile
from bridge.sender import Sender
from bridge.settings import Settings
from bridge.sources.pocket_api import PocketApi
from bridge.sources.webhooks import Hook, Office, Webhooks, commands
from bridge.store.core import Store
from bridge.supervisor import Periodic, Supervisor, Worker
from bridge.transfer import Transfer
from bridge.users import Users
from bridge.web.server import application, check_certificate

DATABASE = "bridge.db"
TOKEN = "token"  # noqa: S105 - a file's name
HOOK_KEY = "hooks.key"
READING = "reading"
RELOAD_SECONDS = 2.0
FORGET_SECONDS = 3600.0

READERS = {
    "cli": "bridge.desk",
    "feed": "bridge.sources.feeds",
    "file": "bridge.sources.files",
    "hook": "bridge.sources.webhooks",
    "pocket": "bridge.sources.pocket_api",
    "save": "bridge.sources.webhooks",
    "telegram": "bridge.sources.telegram",
}

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Bridge:
    """Everything, wired, nothing started."""

    settings: Settings
    store: Store
    desk: Desk
    app: ASGIApp
    sources: Mapping[str, Source]
    workers: Mapping[str, Worker]
    intake: Intake
    reload: Reload

    def supervisor(self) -> Supervisor:
        """For sources, workers and the socket that commands come over. It stops when the rule file names other feeds
        or destinations: `reload.next` is that file then, and all is to be wired anew."""
        running = {name: source.run for name, source in self.sources.items()}
        supervisor = Supervisor({**running, "control": self._serve_commands}, self.workers)
        self.reload.wire_anew = supervisor.stop
        return supervisor

    async def _serve_commands(self) -> None:
        await control.serve(self.settings.data, self.desk.handle)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The workers alone, for a command that runs while no process does."""
        supervisor = Supervisor({}, self.workers)
        running = asyncio.create_task(supervisor.run())
        try:
            yield
        finally:
            supervisor.stop()
            await running


class Readers(Mapping[str, Reader]):
    """A source's name -> its pure `read`, imported when the first of its arrivals is read."""

    def __getitem__(self, source: str) -> Reader:
        reader: Reader = importlib.import_module(READERS[source]).read
        return reader

    def __iter__(self) -> Iterator[str]:
        return iter(READERS)

    def __len__(self) -> int:
        return len(READERS)


def load_rules(settings: Settings) -> RuleFile:
    """The rule file, or an empty one when there is none. Raises ConfigError with place and meaning."""
    try:
        content = settings.rules.read_bytes()
    except FileNotFoundError:
        return rules.EMPTY
    except OSError as error:
        raise ConfigError(f"{settings.rules} cannot be read: {error.strerror}") from None
    return rules.load(content, name=str(settings.rules))


def check(settings: Settings) -> RuleFile:
    """As much as can be known without starting: rule file, its tests, and every destination's options."""
    rule_file = tested_rules(settings)
    if settings.tls_cert and settings.tls_key:
        check_certificate(settings.tls_cert, settings.tls_key)
    net = Net()
    for name in rule_file.destinations:
        connect(rule_file, name, net)
    hooks(rule_file)
    return rule_file


def tested_rules(settings: Settings) -> RuleFile:
    """As `load_rules`, and the tests in the file come true."""
    rule_file = load_rules(settings)
    if failures := rules.failures(rule_file):
        raise ConfigError("\n".join(failures))
    return rule_file


def owner_token(settings: Settings) -> str:
    """BRIDGE_TOKEN, or the one in DATA/token, made at the first start and readable by its owner only."""
    if given := settings.token.get_secret_value():
        return given
    return _kept_token(settings.data / TOKEN)


def hook_key(settings: Settings) -> bytes:
    """What the secrets of hooks that are added by hand are made from; the database holds none of them."""
    return _kept_token(settings.data / HOOK_KEY).encode()


def _kept_token(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        if kept := path.read_text("ascii").strip():
            return kept
    token = secrets.token_hex(16)
    # Written aside and renamed: a crash must not leave an empty token.
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(token + "\n")
    aside.replace(path)
    return token


@contextlib.asynccontextmanager
async def open_bridge(settings: Settings, rule_file: RuleFile | None = None) -> AsyncIterator[Bridge]:
    """Wires everything on the data folder, which the caller owns. Raises ConfigError before anything has started.

    `rule_file`: where the caller has read it already.
    """
    rule_file = rule_file or tested_rules(settings)
    async with contextlib.AsyncExitStack() as stack:
        net = Net(allow_nets=settings.allow_nets)
        stack.push_async_callback(net.close)
        store = await Store.open(settings.data / DATABASE, time.time)
        stack.push_async_callback(store.close)
        await store.keep_rule_set(rule_file.hash, rule_file.text)
        bridge = await _wire(settings, rule_file, net, store)
        yield bridge


async def _wire(settings: Settings, rule_file: RuleFile, net: Net, store: Store) -> Bridge:
    owner, inner = owner_token(settings), secrets.token_hex(16)
    reading_list = PocketApi(
        store,
        store.accounts,
        owner=owner,
        inner=inner,
        clock=time.time,
        apps=settings.apps_taken,
        auto_approve=settings.auto_approve,
        signup=settings.signup,
        secure=settings.tls_cert is not None,
        user_calls=settings.limit_user,
        key_calls=settings.limit_key,
    )
    webhooks = Webhooks(store, token=owner, clock=time.time, key=hook_key(settings))
    webhooks.hooks.declare(hooks(rule_file))
    await webhooks.hooks.restore()
    sources: dict[str, Source] = {webhooks.name: webhooks, reading_list.name: reading_list}
    more, off = _optional_sources(settings, rule_file, net, store)
    sources |= more
    tellers = {name: source for name, source in sources.items() if isinstance(source, Teller)}
    store.report_for(tellers.keys())

    connections = [_embedded(reading_list, inner), *(connect(rule_file, name, net) for name in rule_file.destinations)]
    for connection in connections:
        await _open_gate(store, connection, rule_file)
    intake = Intake(store, Readers(), rule_file, zone=settings.zone)
    reload = Reload(settings, store, intake, webhooks)
    workers: dict[str, Worker] = {
        "intake": intake,
        **{
            f"sender of {connection.name}": Sender(store, connection, clock=time.time, chance=random.random)
            for connection in connections
        },
        "reporter": Reporter(store, tellers, clock=time.time, chance=random.random),
        "rules": Periodic(reload, RELOAD_SECONDS),
        "housekeeping": Periodic(store.forget, FORGET_SECONDS),
    }
    desk = Desk(
        store,
        store,
        rule_file=lambda: intake.rule_file,
        connections=lambda: [connection.name for connection in connections],
        sources=sources,
        off=off,
        clock=time.time,
        zone=settings.zone,
    )
    desk.learn(Users(store.accounts).commands())
    desk.learn(commands(Office(store, store, webhooks.hooks), desk.outcome))
    transfer = Transfer(store, store, store, connections=lambda: [connection.name for connection in connections])
    desk.learn(transfer.commands())
    rulebook = Rulebook(store, store, rule_file=lambda: intake.rule_file, clock=time.time, zone=settings.zone)
    desk.learn(rulebook.commands())
    workers["clerk"] = Clerk(
        store,
        desk,
        store,
        connections=lambda: [connection.name for connection in connections],
        rule_file=lambda: intake.rule_file,
        clock=time.time,
    )
    return Bridge(
        settings=settings,
        store=store,
        desk=desk,
        app=application([source.routes for source in sources.values()], ready=lambda: _missing(store)),
        sources=sources,
        workers=workers,
        intake=intake,
        reload=reload,
    )


def _missing(store: Store) -> list[str]:
    return [] if store.alive else ["nothing can be written to the database any more: see the log, and restart"]


def _optional_sources(
    settings: Settings, rule_file: RuleFile, net: Net, store: Store
) -> tuple[dict[str, Source], dict[str, str]]:
    """Their modules are heavy, so each is imported only when it is on."""
    on: dict[str, Source] = {}
    off: dict[str, str] = {}
    if rule_file.feeds:
        feeds = importlib.import_module("bridge.sources.feeds")
        on["feeds"] = feeds.Feeds(store, net, rule_file.feeds, clock=time.time, chance=random.random)
    else:
        off["feeds"] = f"list them under “feeds:” in {settings.rules}"
    if token := settings.telegram_token.get_secret_value():
        telegram = importlib.import_module("bridge.sources.telegram")
        door = net.trusting(settings.telegram_api)
        on["telegram"] = telegram.Telegram(
            store,
            door,
            token=token,
            api=settings.telegram_api.rstrip("/"),
            allow=settings.telegram_allow,
            clock=time.time,
            public_url=settings.public_url,
            answer=settings.telegram_answer,
            others=tuple(rule_file.destinations),
        )
    else:
        off["telegram"] = "set BRIDGE_TELEGRAM_TOKEN and BRIDGE_TELEGRAM_ALLOW"
    return on, off


def opened_list(path: Path) -> contextlib.AbstractContextManager[Any]:
    """A file of links, open: its rows are records, and faults with `part`, `line` and `reason`."""
    files = importlib.import_module("bridge.sources.files")
    listed: contextlib.AbstractContextManager[Any] = files.opened(path)
    return listed


@contextlib.asynccontextmanager
async def meet(settings: Settings, token: str) -> AsyncIterator[tuple[str, Any]]:
    """A bot's name, and those who write to it, as they do. Raises ConfigError for a token that is none."""
    api_module = importlib.import_module("bridge.sources._telegram_api")
    meeting = importlib.import_module("bridge.sources._telegram_meet")
    net = Net(allow_nets=settings.allow_nets)
    try:
        api = api_module.BotApi(net.trusting(settings.telegram_api), token=token, api=settings.telegram_api)
        yield await meeting.username(api), meeting.writers(api)
    finally:
        await net.close()


async def preview(settings: Settings, rule_file: RuleFile, url: str) -> Any:
    """One look at a feed: its title, number of entries, sightings and notes. Raises BridgeError when it is none."""
    feeds = importlib.import_module("bridge.sources.feeds")
    listed = {canonical(feed.url): feed for feed in rule_file.feeds}.get(canonical(url))
    net = Net(allow_nets=settings.allow_nets)
    try:
        if listed:
            return await feeds.preview(net, url, name=listed.name, tags=listed.tags)
        return await feeds.preview(net, url)
    finally:
        await net.close()


def _embedded(reading_list: PocketApi, inner: str) -> Destination:
    """The embedded list is a Pocket server like any other, reached over ASGI by the same client."""
    pocket = importlib.import_module("bridge.destinations.pocket")
    app = application([reading_list.routes], ready=list)

    def of(account: str) -> Destination:
        options = pocket.Options(
            base_url="http://reading.list", consumer_key="1-bridge", access_token=f"{inner}/{account}", batch=100
        )
        destination: Destination = pocket.connect(options, name=READING, transport=httpx.ASGITransport(app))
        return destination

    return Lists(READING, of(OWNER).traits, of)


def connect(rule_file: RuleFile, name: str, net: Net) -> Destination:
    """The destination `name` of the rule file. Raises ConfigError at the place in the file that is wrong."""
    written = dict(rule_file.destinations[name])
    module = _plug(rule_file, name, str(written.get("type", "")))
    options = _options(rule_file, name, module.Options, _revealed(rule_file, name, written))
    destination: Destination = module.connect(options, name=name, transport=net.transport(str(options.base_url)))
    return destination


def hooks(rule_file: RuleFile) -> list[Hook]:
    """The hooks of the rule file with their secrets. Raises ConfigError at the place in the file that is wrong."""
    return [_hook(rule_file, number) for number in range(len(rule_file.hooks))]


def _hook(rule_file: RuleFile, number: int) -> Hook:
    path, written = ("hooks", number, "secret"), rule_file.hooks[number]
    found = [str(_secret(rule_file, path, reference)).encode() for reference in written.secret]
    try:
        return Hook.of(written, found)
    except ConfigError as error:
        raise rule_file.problem(path, str(error)) from None


def _plug(rule_file: RuleFile, name: str, kind: str) -> Any:
    known = sorted(module.name for module in pkgutil.iter_modules(destinations.__path__) if module.name[0] != "_")
    path = ("destinations", name, "type")
    if kind in known:
        return importlib.import_module(f"bridge.destinations.{kind}")
    if "." in kind:
        try:
            return importlib.import_module(kind)
        except ModuleNotFoundError:
            raise rule_file.problem(path, f"there is no module “{kind}”") from None
    close = difflib.get_close_matches(kind, known, 1)
    meant = close[0] if close else f"one of: {', '.join(known)}"
    raise rule_file.problem(path, f"there is no destination of type “{kind}”", meant)


def _options(rule_file: RuleFile, name: str, model: Any, written: Mapping[str, Any]) -> Any:
    try:
        return model.model_validate(written)
    except ValidationError as error:
        problem = error.errors()[0]
        key = str(problem["loc"][0]) if problem["loc"] else ""
        if problem["type"] == "extra_forbidden":
            close = difflib.get_close_matches(key, list(model.model_fields), 1)
            words = f"unknown key “{key}” in destination “{name}”"
            raise rule_file.problem(("destinations", name, key), words, close[0] if close else "") from None
        if problem["type"] == "missing":
            words = f"destination “{name}” needs “{key}”"
            raise rule_file.problem(("destinations", name), words) from None
        words = f"“{key}” of destination “{name}”: {problem['msg'].removeprefix('Value error, ')}"
        raise rule_file.problem(("destinations", name, key), words) from None


def _revealed(rule_file: RuleFile, name: str, written: Mapping[str, Any]) -> dict[str, Any]:
    """The options with {env: NAME} and {file: PATH} replaced by what they name."""
    return {
        key: _secret(rule_file, ("destinations", name, key), value) if isinstance(value, Mapping) else value
        for key, value in written.items()
    }


def _secret(rule_file: RuleFile, path: Sequence[str | int], value: Mapping[str, Any]) -> Any:
    match value:
        case {"env": str(variable), **rest} if not rest:
            if variable not in os.environ:
                raise rule_file.problem(path, f"the variable {variable} is not set")
            return os.environ[variable]
        case {"file": str(file), **rest} if not rest:
            try:
                return Path(file).read_text("utf-8").strip()
            except (OSError, UnicodeError) as error:
                raise rule_file.problem(path, f"{file} cannot be read ({type(error).__name__})") from None
        case _:
            return value


async def _open_gate(store: Store, connection: Destination, rule_file: RuleFile) -> None:
    """Leases of a process that is gone are due again; a new credential opens a gate that was paused."""
    name = connection.name
    await store.expire(name, idempotent=connection.traits.add_is_idempotent)
    gate = await store.gate(name)
    credential = _fingerprint(rule_file, name)
    if gate.credential == credential:
        return
    opened = replace(gate, state="active", because="", not_before=0.0, failures=0, credential=credential)
    await store.set_gate(opened)


def _fingerprint(rule_file: RuleFile, name: str) -> str:
    if name not in rule_file.destinations:
        return READING
    options = _revealed(rule_file, name, rule_file.destinations[name])
    return hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode()).hexdigest()[:12]


class Reload:
    """Looks whether the rule file changed. A broken one is told once and the old rules stay.

    Rules and hooks are exchanged while everything runs. A file with other feeds or destinations becomes `next`, and
    `wire_anew` is called.
    """

    def __init__(self, settings: Settings, store: Store, intake: Intake, webhooks: Webhooks) -> None:
        self.next: RuleFile | None = None
        self.wire_anew: Callable[[], None] = lambda: None
        self._settings = settings
        self._store = store
        self._intake = intake
        self._webhooks = webhooks
        self._stamp = self._look()

    async def __call__(self) -> None:
        stamp = self._look()
        # A file that is not there is one that an editor is about to put there: the old rules stay.
        if stamp in (self._stamp, None):
            return
        try:
            rule_file = await asyncio.to_thread(check, self._settings)
            declared = await asyncio.to_thread(hooks, rule_file)
        except ConfigError as error:
            self._stamp = stamp
            log.error("the changed rules are not used, the old ones stay:")  # noqa: TRY400
            for line in str(error).splitlines():
                log.error("  %s", line)  # noqa: TRY400
            return
        await self._store.keep_rule_set(rule_file.hash, rule_file.text)
        self._stamp = stamp
        self._use(rule_file, declared)

    def _use(self, rule_file: RuleFile, declared: Sequence[Hook]) -> None:
        old = self._intake.rule_file
        if (old.feeds, old.destinations) != (rule_file.feeds, rule_file.destinations):
            log.info("%s: other feeds or destinations; everything is opened anew", rule_file.name)
            self.next = rule_file
            self.wire_anew()
            return
        self._intake.rule_file = rule_file
        self._webhooks.hooks.declare(declared)
        log.info("%s: %d rules in use", rule_file.name, len(rule_file.rules))

    def _look(self) -> tuple[int, int] | None:
        try:
            stat = self._settings.rules.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size
