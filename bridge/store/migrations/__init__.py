"""The schema, one numbered SQL file a step, applied in order and never changed after a release."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.resources import files

from bridge.errors import Unusable
from bridge.store.sqlite import Tx


def migrate(tx: Tx) -> None:
    """Brings an empty or older schema up to this version. Raises Unusable for one that is newer."""
    tx.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    done = {row[0] for row in tx.execute("SELECT version FROM schema_version").fetchall()}
    steps = _steps()
    check_version(max(done, default=0))
    for number in sorted(steps.keys() - done):
        for statement in _statements(steps[number]):
            tx.execute(statement)
        tx.execute("INSERT INTO schema_version (version) VALUES (?)", (number,))


def check_version(version: int) -> None:
    """Raises Unusable when a database of this version was made by somebody who knows more."""
    newest = max(_steps())
    if version > newest:
        raise Unusable(
            f"this database was written by a newer pocket-bridge (schema {version}, this one knows {newest}): "
            "install that version again, or restore a backup made before the upgrade"
        )


@functools.cache
def _steps() -> Mapping[int, str]:
    """By their numbers, which have gaps: each is known by its file's name, not by how many there are.

    Read once: the files of a process may be replaced under it.
    """
    scripts = (file for file in files(__name__).iterdir() if file.name.endswith(".sql"))
    return {int(file.name[:4]): file.read_text("utf-8") for file in scripts}


def _statements(script: str) -> list[str]:
    code = "\n".join(line.split("--", 1)[0].rstrip() for line in script.splitlines())
    return [statement for statement in code.split(";\n") if statement.strip()]
