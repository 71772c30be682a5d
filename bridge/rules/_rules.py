"""The section `rules`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from bridge.rules._conditions import Conditions
from bridge.rules._document import Node
from bridge.rules._parts import Names, called, name, unique
from bridge.rules._rule import Rule
from bridge.rules._values import Reader, a_list, block, each
from bridge.rules._verbs import then, verbs


def rules(node: Node, what: str, names: Names) -> tuple[Rule, ...]:
    conditions = Conditions(names).clauses
    readers: dict[str, Reader[Any]] = {
        "name": name,
        "if": conditions,
        "unless": conditions,
        "then": partial(then, readers=verbs(names)),
    }
    nodes = a_list(node, what)
    read = each(nodes, partial(_rule, readers=readers), what)
    unique(nodes, [rule.name for rule in read], "name", "another rule is called “{}” already")
    return read


def _rule(node: Node, _what: str, readers: Mapping[str, Reader[Any]]) -> Rule:
    read = block(node, called("rule", node), readers, required=("name", "then"))
    return Rule(name=read["name"], conditions=read.get("if", ()), exceptions=read.get("unless", ()), then=read["then"])
