"""A rule: its clauses, and what it does when they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.rules._clauses import All, Clause
from bridge.rules._facts import Facts
from bridge.rules._limits import Quota, Wait
from bridge.rules._rewrite import Rewrite
from bridge.rules._title import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """What a rule does. `drop` and `hold` are None, or the reason, which may be empty."""

    tag: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()
    title: Template | None = None
    note: Template | None = None
    notify: Template | None = None
    url: Rewrite | None = None
    to: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    drop: str | None = None
    hold: str | None = None
    delay: Wait | None = None
    limit: Quota | None = None
    stop: bool = False

    @property
    def ends(self) -> bool:
        return self.stop or self.drop is not None

    def words(self, facts: Facts) -> str:
        """What it does to this sighting: “tag paper; to research”."""
        return "; ".join(f"{verb} {words}".rstrip() for verb, words in self._told(facts))

    def _told(self, facts: Facts) -> Iterator[tuple[str, str]]:
        for verb, names in (("tag", self.tag), ("untag", self.untag), ("to", self.to), ("also", self.also)):
            if names:
                yield verb, ", ".join(names)
        for verb, template in (("title", self.title), ("note", self.note), ("notify", self.notify)):
            if template:
                yield verb, f"“{template.render(facts)}”"
        for verb, doing in (("url", self.url), ("delay", self.delay), ("limit", self.limit)):
            if doing:
                yield verb, doing.words()
        for verb, reason in (("hold", self.hold), ("drop", self.drop)):
            if reason is not None:
                yield verb, f"({reason})" if reason else ""
        if self.stop:
            yield "stop", ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Applies when every clause of `conditions` holds and none of `exceptions`."""

    name: str
    conditions: tuple[Clause, ...] = ()
    exceptions: tuple[Clause, ...] = ()
    then: Then

    def applies(self, facts: Facts) -> bool:
        for clause in self.conditions:
            if not clause.holds(facts):
                return False
        return not self.exceptions or not any(clause.holds(facts) for clause in self.exceptions)

    def because(self, facts: Facts) -> str:
        """The clauses that decide whether it applies, in words."""
        conditions = All(self.conditions)
        if not conditions.holds(facts):
            return conditions.instead(facts)
        for clause in self.exceptions:
            if clause.holds(facts):
                return f"unless: {clause.because(facts)}"
        held = conditions.because(facts) or "it has no condition"
        excepted = ", ".join(_denied(clause, facts) for clause in self.exceptions)
        return f"{held}; unless: {excepted}" if excepted else held


def _denied(clause: Clause, facts: Facts) -> str:
    return clause.instead(facts) if clause.holds(facts) is None else clause.denied()
