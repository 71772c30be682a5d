"""What is doubtful in a rule file that can be used: a secret that stands in it, a destination that nothing goes to."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import SecretStr

from bridge.declared import plug
from bridge.rules import RuleFile


def remarks(rule_file: RuleFile) -> list[str]:
    """A sentence each, with the place in the file; no secret is repeated."""
    return [*_bare_secrets(rule_file), *_nowhere(rule_file)]


def _bare_secrets(rule_file: RuleFile) -> Iterator[str]:
    for name, written in rule_file.destinations.items():
        fields = plug(rule_file, name).Options.model_fields
        for key, value in written.items():
            secret = key in fields and fields[key].annotation is SecretStr
            if secret and isinstance(value, str) and not (fields[key].json_schema_extra or {}).get("bare"):
                where = rule_file.place(("destinations", name, key))
                yield f"{where}: “{key}” of “{name}” stands there as it is: write {{file: PATH}} or {{env: NAME}}"


def _nowhere(rule_file: RuleFile) -> Iterator[str]:
    named = set(rule_file.defaults.to)
    rules = [*rule_file.rules]
    for feed in rule_file.feeds:
        rules += feed.rules
        named.update(feed.to)
    for hook in rule_file.hooks:
        rules += hook.rules
    named.update(name for rule in rules for name in rule.then.to)
    for name in rule_file.destinations:
        if name not in named:
            where = rule_file.place(("destinations", name))
            yield f"{where}: nothing goes to “{name}”: no rule and no default names it"
