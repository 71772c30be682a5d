"""What rules did, what others would have done, and what they keep back: over the real store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import click
import pytest

from bridge.errors import ConfigError
from bridge.intake import Intake
from bridge.link import Sighting
from bridge.ports import OWNER, Arrival, Key, Reading, Terms
from bridge.rulebook import Rulebook
from bridge.rules import RuleFile, load, warnings
from bridge.store.core import Store
from bridge.words import rules as words
from tests.conftest import Clock

DAY = 86400.0
RULES = """
destinations: {backup: {type: pocket}}
rules:
  - {name: papers, if: {domain: arxiv.org}, then: {tag: paper}}
  - {name: ads, if: {title: sponsored}, then: {drop: advertising}}
  - {name: look, if: {path: /held}, then: {hold: review}}
"""


def read(group: Sequence[Arrival]) -> Reading:
    url, _, title = group[0].raw.partition(" ")
    return Reading([Sighting.of(url, source="feed", title=title)])


class Desk:
    """A rule book over a store, and links that come in."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.rules = load(RULES, name="rules.yaml")
        self.book = Rulebook(store, store, rule_file=lambda: self.rules, feeds=lambda: {"lwn"}, clock=clock, zone=UTC)

    async def take(self, *links: str) -> None:
        known = sum((await self.store.counts())["arrivals"].values())
        await self.store.put(
            [Arrival(source="cli", key=Key("t", f"{known}-{n}"), raw=raw) for n, raw in enumerate(links)]
        )
        await Intake(self.store, {"cli": read}, self.rules).step()

    async def deliveries(self, url: str) -> list[dict[str, Any]]:
        return (await self.store.passport(OWNER, url, "")).deliveries


@pytest.fixture
def desk(store: Store, clock: Clock) -> Desk:
    return Desk(store, clock)


async def test_rules_are_listed_with_their_matches(desk: Desk, clock: Clock) -> None:
    await desk.take("https://arxiv.org/1", "https://a.org/ Sponsored")
    clock.move(2 * DAY)
    await desk.take("https://arxiv.org/2")
    listed = {rule["name"]: (rule["day"], rule["month"]) for rule in (await desk.book.list())["rules"]}
    assert listed == {"papers": (1, 2), "ads": (0, 1), "look": (0, 0)}


async def test_a_rule_for_a_feed_that_nobody_follows_is_told(desk: Desk) -> None:
    desk.rules = rules(
        "{name: a, if: {feed: lwn}, then: {tag: z}}",
        "{name: b, if: {any: [{feed: [lwn, lvn]}, {domain: x.org}]}, then: {tag: z}}",
    )
    assert (await desk.book.list())["warnings"] == ["“b” names the feed lvn, which nobody follows"]


async def test_more_sightings_than_a_page_are_counted(desk: Desk) -> None:
    for start in range(0, 700, 250):
        await desk.take(*(f"https://arxiv.org/{start + n}" for n in range(250)))
    [papers, *_] = (await desk.book.list())["rules"]
    assert papers["month"] == 750


async def test_a_link_is_explained_by_address_by_number_and_in_a_text(desk: Desk) -> None:
    await desk.take("https://a.org/ Sponsored")
    [by_address] = (await desk.book.explain("https://a.org/"))["links"]
    [by_number] = (await desk.book.explain(str(by_address["id"])))["links"]
    [in_text] = (await desk.book.explain("read https://arxiv.org/9"))["links"]
    assert by_address == by_number
    assert by_address["rules"][1]["because"] == "title contains “sponsored”"
    assert in_text["decision"]["tags"] == ("paper",)
    with pytest.raises(ConfigError, match="no web address"):
        await desk.book.explain("nothing")


async def test_another_file_is_tried_on_what_came_in(desk: Desk) -> None:
    await desk.take("https://arxiv.org/1 One", "https://a.org/ Sponsored", "https://b.org/")
    new = "rules: [{name: p, if: {domain: arxiv.org}, then: {tag: [paper, new], title: '{title|upper}'}}]"
    answer = await desk.book.diff(new, "new.yaml", 30)
    assert (answer["links"], answer["differing"]) == (3, 2)
    changes = {link["url"]: link["changes"] for link in answer["shown"]}
    assert changes["https://arxiv.org/1"] == {"tags": [["paper"], ["new", "paper"]], "title": ["One", "ONE"]}
    assert changes["https://a.org/"] == {"dropped": ["ads", ""], "to": [[], ["reading"]]}


async def test_a_broken_file_or_a_failing_test_is_not_tried(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="new.yaml:1:1"):
        await desk.book.diff("rule: []", "new.yaml", 30)
    with pytest.raises(ConfigError, match="expected to none"):
        await desk.book.diff("tests: [{item: {url: 'https://a.org'}, expect: {to: []}}]", "new.yaml", 30)


async def test_rules_are_applied_to_what_came_in_before(desk: Desk) -> None:
    await desk.take("https://b.org/1", "https://c.org/")
    desk.rules = load(
        "destinations: {backup: {type: pocket}}\n"
        "rules: [{name: b, if: {domain: b.org}, then: {tag: late, also: backup}}, {name: c, if: {domain: c.org}, then: {drop: x}}]",
        name="rules.yaml",
    )
    summary = await desk.book.apply(0.0, really=False)
    assert (summary["links"], summary["dropped"], dict(summary["to"])) == (2, 1, {"reading": 1, "backup": 1})
    assert len(await desk.deliveries("https://b.org/1")) == 1
    assert (await desk.book.apply(0.0, really=True))["changed"] == 1
    found = {each["connection"]: each["tags"] for each in await desk.deliveries("https://b.org/1")}
    assert found == {"reading": ["late"], "backup": ["late"]}
    assert [each["state"] for each in await desk.deliveries("https://c.org/")] == ["pending"]
    assert (await desk.book.apply(0.0, really=True))["changed"] == 0
    assert (await desk.book.apply(0.0, really=False))["changed"] == 0


async def test_what_would_change_is_told_before_it_is_done_and_changes_nothing(desk: Desk) -> None:
    await desk.take("https://b.org/1", "https://b.org/2", "https://c.org/")
    await desk.take("https://b.org/1")
    desk.rules = load("rules: [{name: b, if: {domain: b.org}, then: {tag: late}}]", name="rules.yaml")
    summary = await desk.book.apply(0.0, really=False)
    assert words.rules_applied(summary) == ["4 links looked at, 2 would change"]
    assert [each["tags"] for each in await desk.deliveries("https://b.org/1")] == [[]]
    assert words.rules_applied(await desk.book.apply(0.0, really=True)) == ["4 links looked at, 2 changed"]
    assert [each["tags"] for each in await desk.deliveries("https://b.org/1")] == [["late"]]


async def test_the_summary_of_a_comparison_says_what_would_happen(desk: Desk) -> None:
    await desk.take("https://a.org/ Sponsored", "https://b.org/1", "https://b.org/2", "https://c.org/held")
    new = "rules: [{name: b, if: {domain: b.org}, then: {drop: x}}]"
    told = click.unstyle(words.rules_compared(await desk.book.diff(new, "new.yaml", 30))[0])
    for happens in ("2 would be dropped", "1 would not be dropped any more", "1 would not be held any more"):
        assert happens in told
    assert "elsewhere" not in told
    assert words.rules_compared(await desk.book.diff(RULES, "same.yaml", 30)) == [
        "none of 4 links would go differently"
    ]


async def test_a_dropped_link_lies_in_the_trash_and_is_rescued(desk: Desk) -> None:
    await desk.take("https://a.org/ Sponsored", "https://b.org/ Also sponsored")
    [found] = (await desk.book.trash("ALSO"))["dropped"]
    assert (found["url"], found["reason"]) == ("https://b.org/", "rule ads (advertising)")
    assert (await desk.book.rescue(found["id"]))["to"] == ("reading",)
    assert [each["state"] for each in await desk.deliveries("https://b.org/")] == ["pending"]
    assert [each["url"] for each in (await desk.book.trash())["dropped"]] == ["https://a.org/"]
    with pytest.raises(ConfigError, match="nothing with the number"):
        await desk.book.rescue(found["id"])


async def test_a_held_link_is_sent_or_given_up(desk: Desk) -> None:
    await desk.take("https://a.org/held", "https://b.org/held")
    first, second = (await desk.book.held())["held"]
    assert (await desk.book.release([first["id"]], send=False)) == {"released": 1, "sent": False}
    assert (await desk.book.release([], send=True)) == {"released": 1, "sent": True}
    [sent] = await desk.store.lease(Terms(connection="reading", batch=10, idempotent=True))
    assert sent.url == second["url"]
    assert (await desk.book.held())["held"] == []


def rules(*written: str) -> RuleFile:
    return load("destinations: {b: {type: pocket}}\nrules:\n" + "".join(f"  - {rule}\n" for rule in written), name="x")


SUSPICIOUS = [
    (
        ["{name: a, if: {domain: x.org}, then: {drop: x}}", "{name: b, if: {domain: x.org, tag: y}, then: {tag: z}}"],
        "“b” is never reached",
    ),
    (["{name: a, then: {stop: true}}", "{name: b, if: {tag: y}, then: {tag: z}}"], "“b” is never reached"),
    (["{name: a, if: {title: {regex: x}}, unless: {title: {regex: x}}, then: {tag: z}}"], "“a” never applies"),
    (["{name: a, if: {source: hook, chat: 1}, then: {tag: z}}"], "has the source telegram"),
    (["{name: a, then: {tag: z, untag: z}}"], "gives and takes the tag z"),
    (["{name: a, if: {tag: y}, then: {stop: true}}", "{name: b, if: {tag: y}, then: {tag: z}}"], ""),
    (
        ["{name: a, if: {domain: y.org}, then: {to: b}}", "{name: b, if: {domain: y.org}, then: {to: reading}}"],
        "the last counts",
    ),
    (
        ["{name: a, if: {domain: y.org}, then: {tag: [k, z]}}", "{name: b, if: {domain: y.org}, then: {untag: z}}"],
        "“a” and “b” fit the same links and give and take the tag z: the last counts",
    ),
    (["{name: a, if: {domain: y.org}, then: {tag: z}}", "{name: b, if: {domain: x.org}, then: {untag: z}}"], ""),
    (
        ["{name: a, if: {domain: y.org}, then: {tag: z}}", "{name: b, if: {domain: y.org}, then: {tag: z, untag: k}}"],
        "",
    ),
    (
        [
            "{name: a, if: {domain: x.org}, unless: {tag: k}, then: {drop: x}}",
            "{name: b, if: {domain: x.org}, then: {tag: z}}",
        ],
        "",
    ),
]


@pytest.mark.parametrize(("written", "expected"), SUSPICIOUS)
def test_rules_that_cannot_apply_or_undo_each_other_are_told(written: list[str], expected: str) -> None:
    told = warnings(rules(*written))
    assert len(told) == (1 if expected else 0)
    assert expected in "".join(told)
