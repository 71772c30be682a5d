"""What is suspicious in a rule file that is valid: rules that cannot apply, or that undo each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from bridge.rules._clauses import Clause, Named, Tagged, every_clause, listed
from bridge.rules._file import RuleFile
from bridge.rules._rule import Rule

_SOURCE_OF = {"feed": "feed", "hook": "hook", "chat": "telegram"}


def warnings(rule_file: RuleFile) -> list[str]:
    """One sentence for each: shadowed by a rule above, never applying, undoing itself or a rule above."""
    rules = rule_file.rules
    contradictions = (words for rule in rules for words in _contradictions(rule))
    return [*_shadowed(rules), *contradictions, *_overruled(rules), *_undone(rules)]


def strangers(rule_file: RuleFile, feeds: AbstractSet[str]) -> list[str]:
    """A sentence for each rule that names feeds which are not among `feeds`."""
    return [
        f"“{rule.name}” names the feed {listed(unknown)}, which nobody follows"
        for rule in rule_file.rules
        for clause in every_clause((*rule.conditions, *rule.exceptions))
        if isinstance(clause, Named) and clause.key == "feed" and (unknown := clause.values - feeds)
    ]


def _shadowed(rules: Sequence[Rule]) -> Iterator[str]:
    """A rule that ends takes every link that fits it and more conditions."""
    ending: dict[Clause | None, list[Rule]] = defaultdict(list)
    for rule in rules:
        having = set(rule.conditions)
        candidates = (above for clause in (None, *rule.conditions) for above in ending[clause])
        if above := next((above for above in candidates if having.issuperset(above.conditions)), None):
            verb = "drops" if above.then.drop is not None else "stops"
            yield f"“{rule.name}” is never reached: “{above.name}” above {verb} every link that fits it"
        elif rule.then.ends and not rule.exceptions and not _on_tags(rule):
            ending[rule.conditions[0] if rule.conditions else None].append(rule)


def _on_tags(rule: Rule) -> bool:
    """A tag may be given between this rule and one below."""
    return any(isinstance(clause, Tagged) for clause in every_clause(rule.conditions))


def _contradictions(rule: Rule) -> Iterator[str]:
    if set(rule.conditions) & set(rule.exceptions):
        yield f"“{rule.name}” never applies: the same stands in “if” and in “unless”"
    for key, sources in _sources(rule.conditions):
        if _SOURCE_OF[key] not in sources:
            yield f"“{rule.name}” never applies: a link with a {key} has the source {_SOURCE_OF[key]}"
    if both := set(rule.then.tag) & set(rule.then.untag):
        yield f"“{rule.name}” gives and takes the tag {', '.join(sorted(both))}"


def _sources(conditions: Iterable[Clause]) -> Iterator[tuple[str, frozenset[str]]]:
    named = {clause.key: clause.values for clause in conditions if isinstance(clause, Named)}
    if "source" in named:
        yield from ((key, named["source"]) for key in _SOURCE_OF if key in named)


def _overruled(rules: Sequence[Rule]) -> Iterator[str]:
    """The same conditions, and another destination: only the last counts."""
    last: dict[frozenset[Clause], Rule] = {}
    for rule in rules:
        fits = frozenset(rule.conditions)
        if not rule.then.to or rule.exceptions or _on_tags(rule):
            continue
        above = last.get(fits)
        if above and set(above.then.to) != set(rule.then.to):
            yield f"“{above.name}” and “{rule.name}” fit the same links and name other destinations: the last counts"
        last[fits] = rule


def _undone(rules: Sequence[Rule]) -> Iterator[str]:
    """The same conditions, and a tag that one gives and the other takes: only the last counts."""
    last: dict[tuple[frozenset[Clause], str], tuple[Rule, bool]] = {}
    for rule in rules:
        if rule.exceptions or _on_tags(rule):
            continue
        fits = frozenset(rule.conditions)
        for tag, gives in (*((tag, False) for tag in rule.then.untag), *((tag, True) for tag in rule.then.tag)):
            above, gave = last.get((fits, tag), (rule, gives))
            if gave != gives and above is not rule:
                what = f"{'give' if gave else 'take'} and {'give' if gives else 'take'} the tag {tag}"
                yield f"“{above.name}” and “{rule.name}” fit the same links and {what}: the last counts"
            last[fits, tag] = rule, gives
