"""Going back to a backup: checked before anything is touched, and what was there is kept aside."""

from __future__ import annotations

import contextlib
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from bridge import control
from bridge.declared import load_rules, secret_files
from bridge.errors import ConfigError
from bridge.settings import Settings
from bridge.store import backup
from bridge.tokens import HOOK_KEY, TOKEN
from bridge.variables import ENV
from bridge.wiring import DATABASE, hooks_without_key

_LOGS = ("-wal", "-shm", "-journal")


def restore(settings: Settings, file: Path) -> dict[str, Any]:
    """Raises ConfigError for a backup that cannot be trusted, and while a process runs on the folder: then nothing was
    touched."""
    try:
        with control.own(settings.data):
            kept = _exchange(settings.data / DATABASE, file)
            hooks = hooks_without_key(settings, file)
            return {"file": str(file), **backup.inspect(file), "kept": kept, "hooks": hooks}
    except control.Running as running:
        raise ConfigError(f"{running}. A backup is put in place while nothing runs; nothing was changed") from None


def beside(settings: Settings) -> list[str]:
    """The files that a backup does not hold and a bridge in another folder needs."""
    files = [settings.data / TOKEN, settings.data / HOOK_KEY, settings.rules, Path(ENV)]
    with contextlib.suppress(ConfigError):
        files += secret_files(load_rules(settings))
    return [str(file) for file in dict.fromkeys(files) if file.is_file()]


def _exchange(database: Path, file: Path) -> str:
    aside = database.with_name(f".{database.name}.new")
    try:
        shutil.copyfile(file, aside)
        aside.chmod(0o600)
        with aside.open("rb+") as copied:
            os.fsync(copied.fileno())
        backup.inspect(aside)
        kept = _set_aside(database)
        aside.replace(database)
    except OSError as error:
        raise ConfigError(f"{file} could not be put in place: {error.strerror}; {database} is as it was") from None
    finally:
        aside.unlink(missing_ok=True)
    return kept


def _set_aside(database: Path) -> str:
    """The folder to which the database went with its logs, which belong to it alone; "" when there was none."""
    there = [path for ending in ("", *_LOGS) if (path := database.with_name(database.name + ending)).exists()]
    if not there:
        return ""
    now = datetime.now().astimezone()
    folder = database.with_name(f"before-restore-{now:%Y%m%d-%H%M%S-%f}")
    folder.mkdir(mode=0o700)
    for path in reversed(there):
        path.rename(folder / path.name)
    return str(folder)
