"""The rule file: what a user writes, checked with line and column, and what it decides about a sighting. Pure.

rule_file = load(text, name="rules.yaml")        # ConfigError shows the line, a caret and what was meant
decision = decide(rule_file, sighting)           # never raises: an error keeps the link
traces = explain(rule_file, sighting)            # every rule with the clause that decided
lines = warnings(rule_file)                      # what is valid and suspicious: shadowed, contradictory
lines = strangers(rule_file, names)              # rules for feeds that are not among these
lines = failures(rule_file)                      # the tests in the file that do not hold
"""

from __future__ import annotations

from bridge.rules._decide import Decision, Trace, as_text, decide, explain
from bridge.rules._facts import NOT_YET, NOWHERE, Occasion
from bridge.rules._failures import failures
from bridge.rules._feeds import interval_of, start_of, too_often
from bridge.rules._file import READING, Defaults, Expect, Feed, Hook, RuleFile, Start, Test
from bridge.rules._hooks import HOOK_NAME, KINDS, METHODS, SCHEMES
from bridge.rules._limits import Limit
from bridge.rules._lint import strangers, warnings
from bridge.rules._load import load
from bridge.rules._pages import PageRules
from bridge.rules._paths import LONGEST_PATH, path_of, steps_of, walk
from bridge.rules._rule import Rule
from bridge.rules._schema import schema
from bridge.rules._upkeep import TROUBLES, Keep, Notify

EMPTY = load("", name="rules.yaml")
"""No file: everything goes to the reading list."""

__all__ = [
    "EMPTY",
    "HOOK_NAME",
    "KINDS",
    "LONGEST_PATH",
    "METHODS",
    "NOT_YET",
    "NOWHERE",
    "READING",
    "SCHEMES",
    "TROUBLES",
    "Decision",
    "Defaults",
    "Expect",
    "Feed",
    "Hook",
    "Keep",
    "Limit",
    "Notify",
    "Occasion",
    "PageRules",
    "Rule",
    "RuleFile",
    "Start",
    "Test",
    "Trace",
    "as_text",
    "decide",
    "explain",
    "failures",
    "interval_of",
    "load",
    "path_of",
    "schema",
    "start_of",
    "steps_of",
    "strangers",
    "too_often",
    "walk",
    "warnings",
]
