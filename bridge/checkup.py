"""The doctor: what is wrong with a bridge, whether or not it runs, and what mends it. Changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge import control
from bridge.declared import check, is_named
from bridge.errors import BridgeError, ConfigError
from bridge.remarks import remarks
from bridge.rules import EMPTY, RuleFile
from bridge.settings import Settings, doubts, load_settings
from bridge.store import soundness
from bridge.store.migrations import check_version
from bridge.wiring import DATABASE, open_bridge

Finding = Mapping[str, str]

MIB = 1024 * 1024
LEAST_FREE = 64 * MIB
REFUSED = "a restart would be refused until then"
EARLIEST = 1_767_225_600.0
"""2026: a clock that shows less has not been set."""

# https://sqlite.org/wal.html, “The WAL-Reset Bug”.
SAFE_SQLITE = ((3, 51, 3), (3, 50, 7), (3, 44, 6))


def examine() -> dict[str, Any]:
    """`findings`: level (ok, note, wrong), what, and the command that mends it."""
    return {"findings": list(_findings())}


def _findings() -> Iterator[Finding]:
    try:
        settings = load_settings()
    except ConfigError as error:
        yield _wrong(str(error), "correct it; docs/settings.md lists every setting")
        return
    unknown = doubts()
    yield from (_wrong(line, "correct its name, or remove it") for line in unknown)
    if not unknown:
        yield _ok("the settings are right")
    rule_file = yield from _rules(settings, running=settings.data.is_dir() and control.runs(settings.data))
    yield _sqlite(sqlite3.sqlite_version)
    yield from _clock()
    try:
        control.check(settings.data)
    except ConfigError as error:
        yield _wrong(str(error), "name another folder with BRIDGE_DATA, or mend this one")
        return
    if not settings.data.is_dir():
        yield _note(f"there is no folder {settings.data} yet", "pocket-bridge run makes it")
        return
    yield from _permissions(settings.data)
    yield _disk(settings.data)
    database = settings.data / DATABASE
    running = control.runs(settings.data)
    socket = settings.data / control.SOCKET
    if not running and socket.exists():
        yield _note(f"{socket} was left by a process that is gone", "nothing to do: the next start replaces it")
    there = database.exists() or (settings.data / "ballast").exists()
    if not there and not running:
        yield _note(f"there is no database in {settings.data} yet", "pocket-bridge run makes it")
        return
    if trouble := _database(database, running=running) if there else None:
        yield trouble
        return
    yield from _at_work(settings, rule_file)


def _rules(settings: Settings, *, running: bool) -> Generator[Finding, None, RuleFile | None]:
    """Answers the rule file, None when it cannot be used."""
    try:
        rule_file = check(settings)
    except ConfigError as error:
        mend = f"mend it; {REFUSED}" if running else "correct it; pocket-bridge check tells when it is right"
        yield _wrong(str(error), mend)
        return None
    yield _ok(f"the rule file is right: {rule_file.name}" if rule_file.text else "there is no rule file: all is kept")
    for line in remarks(rule_file):
        yield _note(line, "")
    by_telegram = settings.telegram_token.get_secret_value() and rule_file.notify.telegram
    asking = [rule.name for rule in rule_file.rules if rule.then.notify]
    if asking and not by_telegram and not rule_file.notify.webhook:
        words = f"the rule “{asking[0]}” says notify, but there is no way to tell you"
        yield _wrong(words, "turn Telegram on, or write “notify: {webhook: …}” into the rule file")
    return rule_file


def _sqlite(version: str) -> Finding:
    parts = tuple(int(part) for part in version.split("."))
    if any(parts >= safe and (parts[:2] == safe[:2] or safe == SAFE_SQLITE[0]) for safe in SAFE_SQLITE):
        return _ok(f"SQLite {version}")
    words = (
        f"SQLite {version} can corrupt a database that several connections write or checkpoint (mended in 3.51.3); "
        "here only one ever does, so it is safe as long as no other program writes to bridge.db"
    )
    return _note(words, "do not open bridge.db with other programs while pocket-bridge runs")


def _clock() -> Iterator[Finding]:
    if time.time() < EARLIEST:
        yield _wrong("the clock shows a time before this program was made", "set it: timedatectl set-ntp true")


def _permissions(data: Path) -> Iterator[Finding]:
    others = stat.S_IRWXG | stat.S_IRWXO
    open_ones = [
        path for path in (data, *sorted(data.iterdir())) if path.stat().st_mode & others and not path.is_socket()
    ]
    foreign = [path for path in (data, *sorted(data.iterdir())) if path.stat().st_uid != os.geteuid()]
    for path in open_ones:
        mode = "700" if path.is_dir() else "600"
        yield _wrong(f"other people of this machine may look into {path}", f"chmod {mode} {path}")
    for path in foreign:
        yield _wrong(f"{path} belongs to another user", f"chown -R {os.geteuid()} {data}")
    if not open_ones and not foreign:
        yield _ok(f"{data} is closed to others")


def _disk(data: Path) -> Finding:
    free = shutil.disk_usage(data).free
    words = f"{free // MIB} MiB are free where {data} lies"
    if free < LEAST_FREE:
        return _wrong(words, "make room: nothing new is taken when the disk is full")
    return _ok(words)


def _database(path: Path, *, running: bool) -> Finding | None:
    """What is wrong with the file; None when it is whole. A log that is being written to cannot be looked at."""
    try:
        if not running:
            soundness.refuse_unsound(path, path.with_name("ballast"))
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            if faults := soundness.structure_faults(connection, thorough=True):
                return _wrong(f"{path} is damaged: {faults[0]}", "pocket-bridge restore FILE brings back a backup")
            row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
            check_version(row[0] or 0)
    except (ConfigError, sqlite3.Error) as error:
        return _wrong(str(error), "pocket-bridge restore FILE brings back a backup")
    return None


def _at_work(settings: Settings, rule_file: RuleFile | None) -> Iterator[Finding]:
    yield _ok("the database is whole")
    try:
        found, running = _asked(settings, rule_file or EMPTY)
        older = control.ask(settings.data, "status", {})["rules"]["older"] if running else None
    except BridgeError as error:
        yield _wrong(str(error), "see the log of the process")
        return
    yield _ok("pocket-bridge is running") if running else _note("pocket-bridge is not running", "pocket-bridge run")
    if older and rule_file:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(older["since"]))
        yield _wrong(
            f"older rules are in use since {since}: {older['because']}",
            _for_older(settings.rules),
        )
    if found["ahead"] > 60:
        words = f"what came in last is from {found['ahead'] / 60:.0f} minutes in the future: the clock was set back"
        yield _wrong(words, "set it: timedatectl set-ntp true")
    if not found["balances"]:
        yield _wrong("the books do not balance: something is not accounted for", "pocket-bridge audit")
    if not running and not rule_file:
        yield _note("connections and feeds were not looked at", "correct first what is wrong above")
        return
    yield from _troubles(found["troubles"])
    if not found["troubles"]:
        yield _ok("every connection and every source works")


def _troubles(found: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for trouble in found:
        yield (_note if trouble["passes"] else _wrong)(trouble["words"], trouble["mend"])


def _for_older(file: Path) -> str:
    """What to do when the rules in use are not those of the file, which is right or gone now."""
    if file.exists():
        return f"mend it; {REFUSED}"
    return f"put it back; {REFUSED}" if is_named(file) else "put it back, or restart to go without it"


def _asked(settings: Settings, rule_file: RuleFile) -> tuple[Mapping[str, Any], bool]:
    """What the running process says, or a bridge of our own when none runs."""
    with contextlib.suppress(ConnectionError):
        return control.ask(settings.data, "condition", {}), True

    async def alone() -> Mapping[str, Any]:
        async with open_bridge(settings, rule_file, looks=True) as bridge:
            found: Mapping[str, Any] = await bridge.desk.handle("condition", {})
            return found

    with control.own(settings.data):
        return asyncio.run(alone()), False


def _ok(what: str) -> Finding:
    return {"level": "ok", "what": what, "mend": ""}


def _note(what: str, mend: str) -> Finding:
    return {"level": "note", "what": what, "mend": mend}


def _wrong(what: str, mend: str) -> Finding:
    return {"level": "wrong", "what": what, "mend": mend}
