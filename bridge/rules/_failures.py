"""The examples in a rule file, tried against its rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bridge.rules._decide import Decision, decide
from bridge.rules._file import Expect, RuleFile, Test
from bridge.rules._times import in_words


def failures(rule_file: RuleFile) -> list[str]:
    """One line for each of the file's tests that fails, with its place: expected what, got what."""
    return [line for test in rule_file.tests for line in _failure(rule_file, test)]


def _failure(rule_file: RuleFile, test: Test) -> Iterator[str]:
    differences = "; ".join(_differences(test.expect, decide(rule_file, test.item, test.occasion), test.item.url))
    if differences:
        yield f"{rule_file.name}:{test.line}: {test.item.url}: {differences}"


def _differences(expect: Expect, decision: Decision, url: str) -> Iterator[str]:
    for what, wanted, got in (
        ("rules", _unordered(expect.rules), _unordered(decision.matched)),
        ("tag", _unordered(expect.tag), _unordered(decision.tags)),
        ("to", _unordered(expect.to), _unordered(decision.to)),
        ("title", _alone(expect.title), (decision.title,)),
        ("note", _alone(expect.note), (decision.note,)),
        ("notify", _alone(expect.notify), ("; ".join(words for _, words in decision.notices),)),
        ("url", _alone(expect.url), (decision.url or url,)),
        ("dropped_by", _alone(expect.dropped_by), (decision.dropped_by,)),
        ("held_by", _alone(expect.held_by), (decision.held_by,)),
        ("delay", _alone(_shown(expect.delay)), (in_words(decision.delay),)),
    ):
        if wanted is not None and wanted != got:
            yield f"expected {what} {_told(wanted)}, got {_told(got)}"


def _unordered(values: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(sorted(set(values)))


def _alone(value: str | None) -> tuple[str, ...] | None:
    return None if value is None else (value,)


def _shown(delay: float | None) -> str | None:
    return None if delay is None else in_words(delay)


def _told(values: Iterable[str] | None) -> str:
    return ", ".join(value for value in values or () if value) or "none"
