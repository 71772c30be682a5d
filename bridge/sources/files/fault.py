"""A row of a file that could not be taken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """Where it stands and what is wrong with it. `part`: the file within an archive."""

    line: int
    reason: str
    part: str = ""
