"""The schema, one numbered SQL file a step, applied in order and never changed after a release."""

from __future__ import annotations

from importlib.resources import files

from bridge.errors import StoreError
from bridge.store.sqlite import Tx


def migrate(tx: Tx) -> None:
    """Brings an empty or older schema up to this version. Raises StoreError for one that is newer."""
    tx.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    row = tx.execute("SELECT max(version) FROM schema_version").fetchone()
    done: int = row[0] or 0
    steps = _steps()
    if done > len(steps):
        raise StoreError(
            f"this database was written by a newer pocket-bridge (schema {done}, this one knows {len(steps)}): "
            "install that version again, or restore a backup made before the upgrade"
        )
    for number, script in enumerate(steps[done:], done + 1):
        for statement in _statements(script):
            tx.execute(statement)
        tx.execute("INSERT INTO schema_version (version) VALUES (?)", (number,))


def _steps() -> list[str]:
    scripts = (file for file in files(__name__).iterdir() if file.name.endswith(".sql"))
    return [file.read_text("utf-8") for file in sorted(scripts, key=lambda file: file.name)]


def _statements(script: str) -> list[str]:
    code = "\n".join(line.split("--", 1)[0].rstrip() for line in script.splitlines())
    return [statement for statement in code.split(";\n") if statement.strip()]
