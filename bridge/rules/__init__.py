"""The rule file: what a user writes, checked with line and column, and what it decides about a sighting. Pure.

    rule_file = load(text, name="rules.yaml")        # ConfigError shows the line, a caret and what was meant
    decision = decide(rule_file, sighting)           # never raises: an error keeps the link
    traces = explain(rule_file, sighting)            # every rule with the clause that decided
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the rules make of one sighting. `to` names connections and is empty only when it was dropped."""

    title: str
    tags: tuple[str, ...]
    to: tuple[str, ...]
    dropped_by: str = ""
    reason: str = ""
    matched: tuple[str, ...] = ()
