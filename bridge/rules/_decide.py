"""What the rules decide about one sighting, and the same told rule by rule. Total: nothing here raises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.link import Sighting
from bridge.rules._clauses import Facts
from bridge.rules._file import Rule, RuleFile

NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the rules make of one sighting. `to` names connections and is empty only when it was dropped."""

    title: str
    tags: tuple[str, ...]
    to: tuple[str, ...]
    dropped_by: str = ""
    reason: str = ""
    matched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """One rule's part in a decision: whether it applies, the clauses that say so, and what it does then."""

    rule: str
    applies: bool
    because: str
    effect: str


class _Draft:
    """A decision while rules are added to it."""

    def __init__(self, rule_file: RuleFile, sighting: Sighting) -> None:
        self.facts = Facts(sighting)
        self._title = sighting.title
        self._to = rule_file.defaults.to
        self._matched: list[str] = []
        self._dropped_by = ""
        self._reason = ""

    def take(self, rule: Rule) -> None:
        then = rule.then
        self._matched.append(rule.name)
        self.facts.tags.update(dict.fromkeys(then.tag))
        for tag in then.untag:
            self.facts.tags.pop(tag, None)
        if then.title:
            # A template whose fields are all empty would leave no title at all.
            self._title = then.title.render(self.facts) or self._title
        self._to = then.to or self._to
        if then.drop is not None:
            self._dropped_by, self._reason, self._to = rule.name, then.drop, ()

    def decision(self) -> Decision:
        return Decision(
            title=self._title,
            tags=tuple(self.facts.tags),
            to=self._to,
            dropped_by=self._dropped_by,
            reason=self._reason,
            matched=tuple(self._matched),
        )


def decide(rule_file: RuleFile, sighting: Sighting) -> Decision:
    """Every rule that applies, from the top, until one stops or drops. Never raises; a fact that cannot be
    worked out makes the clauses on it false, and what no rule decides goes to the defaults."""
    draft = _Draft(rule_file, sighting)
    for rule in rule_file.rules:
        if rule.applies(draft.facts):
            draft.take(rule)
            if rule.then.ends:
                break
    return draft.decision()


def explain(rule_file: RuleFile, sighting: Sighting) -> list[Trace]:
    """One trace for each rule, in order; those behind the one that ended are not reached."""
    draft = _Draft(rule_file, sighting)
    traces: list[Trace] = []
    rules = iter(rule_file.rules)
    for rule in rules:
        applies = rule.applies(draft.facts)
        effect = rule.then.words(draft.facts) if applies else ""
        traces.append(Trace(rule.name, applies, rule.because(draft.facts), effect))
        if applies:
            draft.take(rule)
            if rule.then.ends:
                break
    return [*traces, *(Trace(rule.name, False, NOT_REACHED, "") for rule in rules)]


def as_text(traces: Sequence[Trace]) -> str:
    """Traces in lines for a terminal."""
    width = max((len(trace.rule) for trace in traces), default=0)
    lines: list[str] = []
    for trace in traces:
        answer = "-" if trace.because == NOT_REACHED else "YES" if trace.applies else "no"
        lines.append(f"{trace.rule:{width}}  {answer:3}  {trace.because}")
        if trace.effect:
            lines.append(f"{'':{width}}       -> {trace.effect}")
    return "\n".join(lines)
