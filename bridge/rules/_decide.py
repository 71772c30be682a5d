"""What the rules decide about one sighting, and the same told rule by rule. Total: nothing here raises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from bridge.link import Sighting
from bridge.rules._facts import NOWHERE, Facts, Occasion
from bridge.rules._file import READING, RuleFile
from bridge.rules._limits import Limit
from bridge.rules._rule import Rule, Then

NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the rules make of one sighting. `to` names connections and is empty only when it was dropped.

    `url` and `note` are empty when no rule gives one. `delay` is in seconds; `held_by` and `delayed_by` name the
    rules that make it wait, `hold` is the reason. `limits` are counted by the store. `notices` are what a person is to
    be told: the rule that wants it, and its words.
    """

    title: str
    tags: tuple[str, ...]
    to: tuple[str, ...]
    dropped_by: str = ""
    reason: str = ""
    matched: tuple[str, ...] = ()
    url: str = ""
    note: str = ""
    delay: float = 0.0
    delayed_by: str = ""
    hold: str = ""
    held_by: str = ""
    limits: tuple[Limit, ...] = ()
    notices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """One rule's part in a decision: whether it applies, the clauses that say so, and what it does then."""

    rule: str
    applies: bool
    because: str
    effect: str


class _Draft:
    """A decision while rules are added to it."""

    def __init__(self, rule_file: RuleFile, sighting: Sighting, occasion: Occasion) -> None:
        self.facts = Facts(sighting, occasion)
        self._title = self.facts.title
        self._to = _named(rule_file, sighting) or rule_file.defaults.to
        self._also: list[str] = []
        self._matched: list[str] = []
        self._more: dict[str, str] = {}
        self._delay = 0.0
        self._limits: list[Limit] = []
        self._notices: list[tuple[str, str]] = []

    def take(self, rule: Rule) -> None:
        then = rule.then
        self._matched.append(rule.name)
        self.facts.tags.update(dict.fromkeys(then.tag))
        for tag in then.untag:
            self.facts.tags.pop(tag, None)
        self._to = then.to or self._to
        self._also += then.also
        self._write(then)
        self._wait(rule)
        if then.notify:
            self._notices.append((rule.name, then.notify.render(self.facts)))
        if then.drop is not None:
            self._more |= {"dropped_by": rule.name, "reason": then.drop}

    def _write(self, then: Then) -> None:
        if then.title:
            # A template whose fields are all empty would leave no title at all.
            self._title = then.title.render(self.facts) or self._title
        if then.note:
            self._more["note"] = then.note.render(self.facts)
        if then.url:
            self._more["url"] = then.url.apply(self.facts.sighting.url)

    def _wait(self, rule: Rule) -> None:
        occasion = self.facts.occasion
        if rule.then.delay:
            self._delay = rule.then.delay.length(occasion)
            self._more["delayed_by"] = rule.name
        if rule.then.hold is not None:
            self._more |= {"held_by": rule.name, "hold": rule.then.hold}
        if rule.then.limit and (limit := rule.then.limit.limit(rule.name, occasion)):
            self._limits.append(limit)

    def decision(self) -> Decision:
        dropped = "dropped_by" in self._more
        return Decision(
            title=self._title,
            tags=tuple(self.facts.tags),
            to=() if dropped else tuple(dict.fromkeys((*self._to, *self._also))),
            matched=tuple(self._matched),
            delay=self._delay,
            limits=tuple(self._limits),
            notices=tuple(self._notices),
            **self._more,
        )


def _named(rule_file: RuleFile, sighting: Sighting) -> tuple[str, ...]:
    """Connections that the source asks for, as far as there are such."""
    return tuple(name for name in sighting.to if name == READING or name in rule_file.destinations)


def decide(rule_file: RuleFile, sighting: Sighting, occasion: Occasion = NOWHERE) -> Decision:
    """Every rule that applies, from the top, until one stops or drops. Never raises; a fact that is unknown makes
    the clauses on it false, and what no rule decides goes to the defaults."""
    draft = _Draft(rule_file, sighting, occasion)
    rules, index, facts = rule_file.rules, rule_file.index, draft.facts
    waiting = index.candidates(facts)
    heapify(waiting)
    last = -1
    while waiting:
        number = heappop(waiting)
        if number == last:
            continue
        last = number
        rule = rules[number]
        if rule.applies(facts):
            draft.take(rule)
            if rule.then.ends:
                break
            for other in index.awaiting(rule.then.tag):
                if other > number:
                    heappush(waiting, other)
    return draft.decision()


def explain(rule_file: RuleFile, sighting: Sighting, occasion: Occasion = NOWHERE) -> list[Trace]:
    """One trace for each rule, in order; those behind the one that ended are not reached."""
    draft = _Draft(rule_file, sighting, occasion)
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
