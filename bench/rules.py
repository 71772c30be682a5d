"""Rules: what deciding one link costs at 10, 1,000 and 10,000 rules, beside other ways of doing it, in one run.

The same mixed rules for everybody: a fifth each by domain, word in the title, words in the text, glob over the
address, and two conditions at once; a tenth of the titles' by regular expression. Everybody must find the same rules.

    python -m bench.rules [--packages FOLDER] [--node FOLDER]

FOLDER with rule-engine and business-rules from PyPI (pip install --target FOLDER), and with json-rules-engine from
npm (npm install --prefix FOLDER). What is absent is skipped and said.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from bridge.link import Sighting, host
from bridge.rules import decide, load

SIZES = (10, 1_000, 10_000)
SEED = 7
LINKS = 400
ROUNDS = 7

Rule = dict[str, Any]
Way = Callable[[Sighting], Sequence[str]]


def make_words(chance: random.Random, number: int) -> list[str]:
    return sorted(
        {"".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(4, 9))) for _ in range(number)}
    )


def make_rules(chance: random.Random, words: list[str], number: int) -> list[Rule]:
    rules: list[Rule] = []
    for n in range(number):
        first, second = chance.choice(words), chance.choice(words)
        match n % 10:
            case 0 | 5:
                conditions = {"domain": f"{first}.example"}
            case 1:
                conditions = {"title": {"regex": rf"\b{first}\b.*\b{second}"}}
            case 2 | 6:
                conditions = {"title": first if n % 4 else f"{first} {second}"}
            case 3 | 7:
                conditions = {"text": f"{first} {second}"}
            case 4 | 8:
                conditions = {"url": f"*/{first}/*"}
            case _:
                conditions = {"source": "feed", "title": first}
        rules.append({"name": f"r{n}", "if": conditions, "then": {"tag": "hit"}})
    return rules


def make_links(chance: random.Random, words: list[str]) -> list[Sighting]:
    def some(number: int) -> str:
        return " ".join(chance.choices(words, k=number)).capitalize()

    return [
        Sighting.of(
            f"https://www.{chance.choice(words)}.example/{chance.choice(words)}/{chance.choice(words)}.html?id={n}",
            source=chance.choice(["feed", "telegram", "hook"]),
            title=some(9),
            text=some(30),
        )
        for n in range(LINKS)
    ]


def in_yaml(rules: Iterable[Rule]) -> str:
    return "rules:\n" + "".join(f"- {json.dumps(rule)}\n" for rule in rules)


# -- the ways --------------------------------------------------------------------------------------------------------


def bridge(rules: list[Rule]) -> Way:
    rule_file = load(in_yaml(rules), name="rules.yaml")
    return lambda seen: decide(rule_file, seen).matched


def closures(rules: list[Rule]) -> Way:
    """What a careful programmer writes: facts worked out once a link, each rule compiled to a function."""
    compiled = [(rule["name"], [closure(key, value) for key, value in rule["if"].items()]) for rule in rules]

    def way(seen: Sighting) -> list[str]:
        facts = plain_facts(seen)
        return [name for name, tests in compiled if all(test(facts) for test in tests)]

    return way


def closure(key: str, value: Any) -> Callable[[dict[str, Any]], bool]:
    match key:
        case "source":
            return lambda facts: facts["source"] == value
        case "domain":
            below = f".{value}"
            return lambda facts: facts["domain"] == value or facts["domain"].endswith(below)
        case _:
            search = re.compile(as_regex(key, value), re.IGNORECASE).search
            return lambda facts: search(facts[key]) is not None


def as_regex(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return str(value["regex"])
    if key == "url":
        return "^" + re.escape(value).replace(r"\*", ".*") + "$"
    return rf"\b{re.escape(value)}\b"


def plain_facts(seen: Sighting) -> dict[str, Any]:
    text = f"{seen.title}\n{seen.text}\n{seen.note}"
    return {"source": seen.source, "domain": host(seen.url), "title": seen.title, "text": text, "url": seen.url}


def rule_engine(rules: list[Rule]) -> Way:
    library = importlib.import_module("rule_engine")
    compiled = [(rule["name"], library.Rule(" and ".join(expressions(rule["if"])))) for rule in rules]

    def way(seen: Sighting) -> list[str]:
        facts = plain_facts(seen)
        return [name for name, rule in compiled if rule.matches(facts)]

    return way


def expressions(conditions: Rule) -> list[str]:
    found = []
    for key, value in conditions.items():
        pattern = domain_regex(value) if key == "domain" else "(?i)" + as_regex(key, value)
        quoted = "'" + pattern.replace("\\", "\\\\") + "'"
        found.append(f"source == '{value}'" if key == "source" else f"{key} =~~ {quoted}")
    return found


def domain_regex(value: str) -> str:
    return rf"(?:^|\.){re.escape(value)}$"


def business_rules(rules: list[Rule]) -> Way:
    engine = importlib.import_module("business_rules.engine")
    variables = importlib.import_module("business_rules.variables")

    class Facts(variables.BaseVariables):  # type: ignore[name-defined, misc]
        def __init__(self, facts: dict[str, Any]) -> None:
            self.facts = facts

    for key in ("source", "domain", "title", "text", "url"):
        rule_variable = variables.string_rule_variable()

        def variable(self: Any, key: str = key) -> str:
            return str(self.facts[key])

        variable.__name__ = key
        setattr(Facts, key, rule_variable(variable))

    compiled = [(rule["name"], {"all": [as_condition(*entry) for entry in rule["if"].items()]}) for rule in rules]

    def way(seen: Sighting) -> list[str]:
        facts = Facts(plain_facts(seen))
        return [name for name, conditions in compiled if engine.check_conditions_recursively(conditions, facts)]

    return way


def as_condition(key: str, value: Any) -> Rule:
    if key == "source":
        return {"name": key, "operator": "equal_to", "value": value}
    pattern = domain_regex(value) if key == "domain" else "(?i)" + as_regex(key, value)
    return {
        "name": key,
        "operator": "matches_regex",
        "value": f"(?s).*?(?:{pattern})".replace("(?s).*?(?:(?i)", "(?si).*?(?:"),
    }


NODE = """
const { Engine } = require('json-rules-engine');
const { rules, links, rounds } = JSON.parse(require('fs').readFileSync(process.argv[2], 'utf8'));
const engine = new Engine([], { allowUndefinedFacts: true });
engine.addOperator('matches', (value, pattern) => pattern.test(value));
for (const rule of rules) {
  const all = rule.all.map(c => c.operator === 'matches' ? { ...c, value: new RegExp(c.value, 'i') } : c);
  engine.addRule({ conditions: { all }, event: { type: rule.name } });
}
(async () => {
  const found = [], times = [];
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    for (const link of links) {
      const { events } = await engine.run(link);
      if (round === 0) found.push(events.map(event => event.type));
    }
    const used = process.cpuUsage(before);
    times.push((used.user + used.system) / links.length);
  }
  console.log(JSON.stringify({ found, times }));
})();
"""


def json_rules_engine(
    rules: list[Rule], links: list[Sighting], folder: str, rounds: int
) -> tuple[list[float], list[Any]]:
    conditions = [
        {"name": rule["name"], "all": [as_node(key, value) for key, value in rule["if"].items()]} for rule in rules
    ]
    with tempfile.TemporaryDirectory() as place:
        script, data = Path(place) / "run.js", Path(place) / "data.json"
        script.write_text(NODE)
        data.write_text(
            json.dumps({"rules": conditions, "links": [plain_facts(link) for link in links], "rounds": rounds})
        )
        environment = {**os.environ, "NODE_PATH": str(Path(folder) / "node_modules")}
        ran = subprocess.run(["node", script, data], env=environment, capture_output=True, text=True, check=True)
    answer = json.loads(ran.stdout)
    return answer["times"], answer["found"]


def as_node(key: str, value: Any) -> Rule:
    if key == "source":
        return {"fact": key, "operator": "equal", "value": value}
    pattern = domain_regex(value) if key == "domain" else as_regex(key, value)
    return {"fact": key, "operator": "matches", "value": pattern}


# -- measuring -------------------------------------------------------------------------------------------------------


def measured(way: Way, links: list[Sighting], rounds: int) -> tuple[list[float], list[list[str]]]:
    """CPU µs a link, one figure a round; and the rules found for each."""
    found = [sorted(way(link)) for link in links]
    times = []
    for _ in range(rounds):
        before = time.process_time()
        for link in links:
            way(link)
        times.append((time.process_time() - before) / len(links) * 1e6)
    return times, found


def row(name: str, size: int, times: list[float], found: list[Any], expected: list[Any]) -> None:
    differing = sum(sorted(mine) != theirs for mine, theirs in zip(found, expected, strict=False))
    agrees = "yes" if not differing else f"{differing} of {len(found)} links differ"
    middle = statistics.median(times)
    print(f"| {size:,} | {name} | {min(times):,.1f} | {middle:,.1f} | {max(times):,.1f} | {agrees} |", flush=True)


def compare(size: int, links: list[Sighting], rules: list[Rule], packages: str, node: str) -> dict[str, float]:
    medians: dict[str, float] = {}
    times, expected = measured(closures(rules), links[: LINKS if size < 10_000 else 40], 3)
    for name, make in {"bridge": bridge, "rule-engine": rule_engine, "business-rules": business_rules}.items():
        few = LINKS if name == "bridge" else max(4, 20_000 // size // 10)
        try:
            way = make(rules)
        except ModuleNotFoundError:
            print(f"| {size:,} | {name} | skipped: not in {packages or 'the environment'} | | | |")
            continue
        spent, found = measured(way, links[:few], ROUNDS if name == "bridge" else 3)
        row(name, size, spent, found, expected)
        medians[name] = statistics.median(spent)
    row("compiled closures", size, times, expected, expected)
    medians["closures"] = statistics.median(times)
    if node:
        few = max(4, 20_000 // size // 10)
        spent, found = json_rules_engine(rules, links[:few], node, 3)
        row("json-rules-engine (node)", size, spent, found, expected)
        medians["json-rules-engine"] = statistics.median(spent)
    else:
        print(f"| {size:,} | json-rules-engine (node) | skipped: no --node FOLDER | | | |")
    return medians


def loading(rules: list[Rule]) -> tuple[float, float]:
    """CPU seconds: parsing the YAML alone (libyaml, to plain data), and loading it as a rule file, best of three."""
    text = in_yaml(rules)
    parse, whole = [], []
    for _ in range(3):
        before = time.process_time()
        yaml.load(text, Loader=yaml.CSafeLoader)
        middle = time.process_time()
        load(text, name="rules.yaml")
        parse.append(middle - before)
        whole.append(time.process_time() - middle)
    return min(parse), min(whole)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--packages", default="")
    parser.add_argument("--node", default="")
    given = parser.parse_args()
    if given.packages:
        sys.path.append(given.packages)
    chance = random.Random(SEED)
    words = make_words(chance, 6000)
    rules, links = make_rules(chance, words, max(SIZES)), make_links(chance, words)
    print("| rules | way | min µs | median µs | max µs | finds the same |\n|---|---|---|---|---|---|")
    medians = {size: compare(size, links, rules[:size], given.packages, given.node) for size in SIZES}
    most, least = medians[max(SIZES)], medians[min(SIZES)]
    engines = [most[name] for name in ("rule-engine", "business-rules", "json-rules-engine") if name in most]
    print(f"\n10,000 rules cost {most['bridge'] / least['bridge']:.2f} times what 10 cost.")
    print(f"At 10,000 rules {most['closures'] / most['bridge']:,.0f} times less than compiled closures", end="")
    print(f", {min(engines) / most['bridge']:,.0f} times less than the best engine." if engines else ".")
    parse, whole = loading(rules)
    print(f"Loading 10,000 rules takes {whole:.2f} s, {whole / parse:.2f} times parsing their YAML ({parse:.2f} s).")


if __name__ == "__main__":
    main()
