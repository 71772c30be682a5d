"""The examples in a rule file, tried against its rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bridge.rules._decide import Decision, decide
from bridge.rules._file import Expect, RuleFile, Test


def failures(rule_file: RuleFile) -> list[str]:
    """One line for each of the file's tests that fails, with its place: expected what, got what."""
    return [line for test in rule_file.tests for line in _failure(rule_file, test)]


def _failure(rule_file: RuleFile, test: Test) -> Iterator[str]:
    differences = "; ".join(_differences(test.expect, decide(rule_file, test.item)))
    if differences:
        yield f"{rule_file.name}:{test.line}: {test.item.url}: {differences}"


def _differences(expect: Expect, decision: Decision) -> Iterator[str]:
    for what, wanted, got in (
        ("rules", _unordered(expect.rules), _unordered(decision.matched)),
        ("tag", _unordered(expect.tag), _unordered(decision.tags)),
        ("to", _unordered(expect.to), _unordered(decision.to)),
        ("title", _alone(expect.title), (decision.title,)),
        ("dropped_by", _alone(expect.dropped_by), (decision.dropped_by,)),
    ):
        if wanted is not None and wanted != got:
            yield f"expected {what} {_told(wanted)}, got {_told(got)}"


def _unordered(values: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(sorted(set(values)))


def _alone(value: str | None) -> tuple[str, ...] | None:
    return None if value is None else (value,)


def _told(values: Iterable[str] | None) -> str:
    return ", ".join(value for value in values or () if value) or "none"
