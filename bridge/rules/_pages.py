"""Whether a decision depends on what only the page can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.link import Sighting
from bridge.rules._clauses import Clause, Contains, every_clause
from bridge.rules._decide import decide
from bridge.rules._facts import NOT_YET, Facts, Occasion
from bridge.rules._file import RuleFile
from bridge.rules._index import Index
from bridge.rules._measures import Amount, Has, OfPage, Published
from bridge.rules._rule import Rule

OF_PAGE = frozenset(
    ("title", "text", "author", "lang", "type", "words", "minutes", "age", "image", "date", "published")
)


class PageRules:
    """The rules of a file that may ask the page. Found for a link by what else they ask, however many there are."""

    def __init__(self, rule_file: RuleFile) -> None:
        self.rule_file = rule_file
        self._numbers = [number for number, rule in enumerate(rule_file.rules) if _asks(rule)]
        self._keys = frozenset(key for number in self._numbers for key in _keys(rule_file.rules[number]))
        self._places = {rule.name: number for number, rule in enumerate(rule_file.rules)}
        self._index = Index([_without_page(rule_file.rules[number]) for number in self._numbers])

    def undecided(self, sighting: Sighting, occasion: Occasion) -> bool:
        """Whether the page, which nobody has looked at yet, could change what becomes of the sighting.

        What a rule drops for other reasons is dropped without its page.
        """
        occasion = occasion.informed(NOT_YET)
        came, given = Facts(sighting, occasion), Facts(sighting, occasion)
        if not any(map(came.is_open, self._keys)):
            return False
        decision = decide(self.rule_file, sighting, occasion)
        given.tags = dict.fromkeys(decision.tags)
        # Tags come and go with the rules: what holds with those at the beginning or at the end may hold.
        states = (came,) if came.tags == given.tags else (came, given)
        found = {self._numbers[number] for facts in states for number in self._index.candidates(facts)}
        open_rules = [number for number in sorted(found) if _is_open(self.rule_file.rules[number], states)]
        return bool(open_rules) and not self._ended(open_rules, decision.matched)

    def _ended(self, open_rules: Sequence[int], matched: Sequence[str]) -> bool:
        """Whether a rule ends it before any of these can matter."""
        last = self._places[matched[-1]] if matched else -1
        then = self.rule_file.rules[last].then if matched else None
        if then is None or not then.ends:
            return False
        before = [number for number in open_rules if number <= last]
        if then.drop is None:
            return not before
        return not any(number == last or _may_keep(self.rule_file.rules[number]) for number in before)


def _asks(rule: Rule) -> bool:
    return bool(_keys(rule))


def _keys(rule: Rule) -> frozenset[str]:
    """What of a page the rule asks for or writes down."""
    asked = map(_key, every_clause((*rule.conditions, *rule.exceptions)))
    return _written(rule).union(*asked)


def _key(clause: Clause) -> frozenset[str]:
    match clause:
        case Amount(key) | OfPage(key) | Contains(key):
            return OF_PAGE & {key}
        case Has(parts):
            return OF_PAGE.intersection(parts)
        case Published():
            return frozenset({"published"})
    return frozenset()


def _written(rule: Rule) -> frozenset[str]:
    """What of a page its templates write down."""
    templates = (rule.then.title, rule.then.note, rule.then.notify)
    return OF_PAGE & {name for template in templates if template for name in template.fields()}


def _without_page(rule: Rule) -> Rule:
    """What must hold whatever the page says."""
    return replace(rule, conditions=tuple(clause for clause in rule.conditions if not _depends(clause)))


def _depends(clause: Clause) -> bool:
    return any(map(_key, every_clause([clause])))


def _may_keep(rule: Rule) -> bool:
    """Whether what it does can save a link from a rule below that drops it."""
    return rule.then.ends or bool(rule.then.tag or rule.then.untag)


def _is_open(rule: Rule, states: Sequence[Facts]) -> bool:
    """Whether it might apply with the page and not without it, or the other way round."""
    if any(all(clause.holds(facts) for facts in states) for clause in rule.exceptions):
        return False
    if not all(any(clause.holds(facts) or _waits(clause, facts) for facts in states) for clause in rule.conditions):
        return False
    if any(states[0].is_open(name) for name in _written(rule)):
        return True
    return any(_waits(clause, facts) for clause in (*rule.conditions, *rule.exceptions) for facts in states)


def _waits(clause: Clause, facts: Facts) -> bool:
    """Whether it is unknown for want of something that only the page can tell."""
    return clause.holds(facts) is None and any(_is_unread(each, facts) for each in every_clause([clause]))


def _is_unread(clause: Clause, facts: Facts) -> bool:
    return clause.holds(facts) is None and any(map(facts.is_open, _key(clause)))
