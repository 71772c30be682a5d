"""Ten links and one question each; what the explanation says must be enough to answer it.

python -m tests.ten_cases              # prints docs/explained.md
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bridge.link import Sighting
from bridge.rules import Occasion, as_text, explain, load

ZONE = ZoneInfo("Europe/Berlin")

RULES = r"""
feeds:
  - {name: lwn, url: "https://lwn.net/headlines/rss"}
  - {name: gadgets, url: "https://gadgets.example/feed.xml"}
  - {name: hacker-news, url: "https://hnrss.org/frontpage"}
hooks:
  - {name: releases, kind: github, secret: {env: GITHUB_HOOK_SECRET}}
rules:
  - name: papers
    if: {domain: [arxiv.org, openreview.net]}
    then: {tag: paper}
  - name: no sponsored
    if: {source: feed, title: [sponsored, black friday, {regex: '\bbest .* deals?\b'}]}
    unless: {feed: lwn, tag: keep}
    then: {drop: advertising}
  - name: worth it
    if: {feed: hacker-news, any: [{field.points: {over: 150}}, {tag: show-hn}]}
    then: {tag: hn}
  - name: no pre-releases
    if: {hook: releases, title: {regex: '(alpha|beta|rc)[.]?\d*$'}}
    then: {drop: not a release yet}
  - name: long
    if: {minutes: {over: 8}, lang: [en, de], not: {type: [video, audio]}}
    then: {tag: long}
  - name: kobo
    if: {source: telegram, tag: long}
    then: {tag: kobo, stop: true}
  - name: old news
    if: {source: feed, age: {over: 30d}}
    then: {hold: older than a month}
  - name: tomorrow
    if: {hour: 22-6}
    unless: {source: [telegram, cli]}
    then: {delay: until 7:00}
""".lstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`decides` is the clause that answers the question, as the explanation words it."""

    url: str
    question: str
    decides: str
    source: str = "feed"
    arrived: str = "2026-05-03 12:00"
    facts: dict[str, Any] = field(default_factory=dict)
    page: dict[str, Any] = field(default_factory=dict)

    @property
    def sighting(self) -> Sighting:
        facts = {"at": moment(self.arrived) - 3600.0} | self.facts
        return Sighting.of(self.url, source=self.source, **facts)

    @property
    def occasion(self) -> Occasion:
        return Occasion(now=moment(self.arrived), zone=ZONE, **self.page)


def moment(written: str) -> float:
    return datetime.fromisoformat(written).replace(tzinfo=ZONE).timestamp()


CASES = [
    Case(
        url="https://export.arxiv.org/abs/2401.00001",
        source="telegram",
        question="Why has it the tag paper, although the rule names another host?",
        decides="domain is export.arxiv.org, below arxiv.org",
    ),
    Case(
        url="https://notarxiv.org/abs/2401.00001",
        source="telegram",
        question="Why has it not the tag paper?",
        decides="domain is notarxiv.org",
    ),
    Case(
        url="https://gadgets.example/phones",
        question="Why was it dropped?",
        decides="title matches “\\bbest .* deals?\\b”",
        facts={"feed": "gadgets", "title": "The 11 BEST phone deals of the week"},
    ),
    Case(
        url="https://lwn.net/Articles/1000001/",
        question="“Sponsored” stands in its title. Why was it kept?",
        decides="unless: feed is lwn",
        facts={"feed": "lwn", "title": "Sponsored kernel work: a report"},
    ),
    Case(
        url="https://github.com/ann/teapot",
        question="It has 12 points only. Why has it the tag hn?",
        decides="tag show-hn is present",
        facts={
            "feed": "hacker-news",
            "title": "Show HN: A teapot",
            "tags": ["show-hn"],
            "fields": {"points": 12},
        },
    ),
    Case(
        url="https://blog.example/essay",
        source="telegram",
        question="I sent an essay from the phone. Why is it not on the Kobo?",
        decides="minutes is unknown",
    ),
    Case(
        url="https://blog.example/essay-2",
        source="telegram",
        question="And why is this one? I gave it no tag.",
        decides="tag long is present",
        page={"words": 4000, "lang": "en", "type": "article"},
    ),
    Case(
        url="https://github.com/ann/teapot/releases/tag/v2.0.0-rc.1",
        source="hook",
        question="Why did I not get this release?",
        decides="title matches “(alpha|beta|rc)[.]?\\d*$”",
        facts={"hook": "releases", "title": "teapot v2.0.0-rc.1"},
    ),
    Case(
        url="https://gadgets.example/2019/review",
        question="It is in my feed today. Why does it wait?",
        decides="age is",
        facts={"feed": "gadgets", "title": "A review", "at": moment("2019-02-01 08:00")},
    ),
    Case(
        url="https://lwn.net/Articles/1000002/",
        arrived="2026-05-03 23:30",
        question="Why does it come tomorrow at seven only?",
        decides="it came in at 23:30, within 22:00-06:00",
        facts={"feed": "lwn", "title": "A night in May"},
    ),
]


def explanation(case: Case) -> str:
    return as_text(explain(load(RULES, name="rules.yaml"), case.sighting, case.occasion))


def document() -> str:
    parts = [HEAD, f"```yaml\n{RULES}```\n"]
    for number, case in enumerate(CASES, 1):
        through = case.sighting.feed or case.sighting.hook
        came = f"from {case.source}{f' {through}' if through else ''}, {case.arrived}"
        title = f", “{case.sighting.title}”" if case.sighting.title else ""
        parts.append(
            f"## {number}. {case.question}\n\n<{case.url}>, {came}{title}\n\n```text\n{explanation(case)}\n```\n"
        )
    return "\n".join(parts)


HEAD = """# Ten links, explained

What `pocket-bridge why` and `rules explain` say about ten links under one rule file. Each answers a question that people
ask about their links; the answer is a clause of the explanation. This page is made by `python -m tests.ten_cases`.
"""


if __name__ == "__main__":
    print(document(), end="")
