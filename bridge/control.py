"""One process owns the data folder; commands reach it over a socket that lies there."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import logging
import os
import re
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bridge.errors import BridgeError, ConfigError

Handler = Callable[[str, Mapping[str, Any]], Awaitable[Any]]

log = logging.getLogger(__name__)

LOCK = "lock"
SOCKET = "control.sock"
LONGEST_LINE = 4 * 1024 * 1024

# The kernel takes socket paths of some hundred bytes only.
_LONGEST_PATH = 100

# What a data folder holds, in a container with the rule file.
_OURS = re.compile(r"bridge\.db.*|before-restore-.*|ballast.*|token.*|hooks\.key.*|lock|control\.sock|.*\.ya?ml")


class Running(ConfigError):  # noqa: N818
    """Another process owns the folder."""


@contextlib.contextmanager
def own(data: Path) -> Iterator[None]:
    """Makes the folder (0700) and takes its lock. Raises Running when another process has it.

    From here on this process makes files for its owner only.
    """
    os.umask(0o077)
    try:
        with contextlib.suppress(FileExistsError):
            data.mkdir(parents=True, mode=0o700)
        _close_to_others(data)
        file = (data / LOCK).open("a+", encoding="ascii")
    except OSError as error:
        raise _unusable(data, error) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            number = file.read().strip() or "unknown"
            raise Running(
                f"another pocket-bridge (process {number}) is running on {data}: "
                "stop it, or give this one a folder of its own with BRIDGE_DATA"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def check(data: Path) -> None:
    """Raises ConfigError for a folder that `own` could not make or use. Changes nothing."""
    there = next(path for path in (data, *data.absolute().parents) if path.exists())
    if not there.is_dir():
        raise _unusable(data, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    if not os.access(there, os.W_OK | os.X_OK):
        raise _unusable(data, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def runs(data: Path) -> bool:
    """Whether some process owns the folder. Changes nothing."""
    try:
        with (data / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _close_to_others(data: Path) -> None:
    """A folder that was made by hand; not one that is another's or, like /tmp, everybody's, and not one that holds
    anything else, like a home."""
    found = data.stat()
    if any(not _OURS.fullmatch(path.name) for path in data.iterdir()):
        return
    if found.st_uid == os.geteuid() and found.st_mode & 0o077 and not found.st_mode & stat.S_ISVTX and data.is_dir():
        with contextlib.suppress(PermissionError):
            data.chmod(0o700)


def _unusable(data: Path, error: OSError) -> ConfigError:
    return ConfigError(f"the data folder {data} cannot be used: {error.strerror}; BRIDGE_DATA names it")


async def serve(data: Path, handle: Handler) -> None:
    """Answers commands until cancelled: one JSON line in, one JSON line out."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(json.dumps(await _handled(handle, await reader.readline())).encode() + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError):
            return  # the asker left, or sent a line without end
        finally:
            writer.close()

    path = data / SOCKET
    path.unlink(missing_ok=True)
    with _reachable(path) as short:
        server = await asyncio.start_unix_server(answer, short, limit=LONGEST_LINE)
    path.chmod(0o600)
    try:
        await server.serve_forever()
    finally:
        path.unlink(missing_ok=True)


async def _handled(handle: Handler, line: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(line)
        return {"answer": await handle(asked["command"], asked["arguments"])}
    except BridgeError as error:
        return {"error": str(error), "wrong_use": isinstance(error, ConfigError)}
    except Exception:
        # The process must live on, and whoever asked must not wait for an answer that never comes.
        log.exception("a command failed")
        return {"error": "that failed inside the running pocket-bridge; its log says why (this is a bug)"}


def ask(data: Path, command: str, arguments: Mapping[str, Any]) -> Any:
    """The running process's answer. Raises BridgeError (ConfigError for wrong use) with its words, ConnectionError
    when none is running."""
    with _reachable(data / SOCKET) as path, socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(120.0)
        try:
            connection.connect(path)
        except FileNotFoundError as error:
            raise ConnectionRefusedError from error
        except (NotADirectoryError, PermissionError) as error:
            raise _unusable(data, error) from None
        connection.sendall(json.dumps({"command": command, "arguments": arguments}).encode() + b"\n")
        answer = json.loads(connection.makefile("rb").readline() or b'{"error": "the running process stopped"}')
    if "error" in answer:
        raise (ConfigError if answer.get("wrong_use") else BridgeError)(answer["error"])
    return answer["answer"]


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """A spelling of the path that is short enough for the kernel."""
    if len(os.fsencode(path)) < _LONGEST_PATH or not path.parent.is_dir():
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
