"""The list in SQL does what the pure list does, one action after another, whatever they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from bridge.link import canonical, host
from bridge.reading_list import (
    ARCHIVED,
    DELETED,
    GLOBAL_ACTIONS,
    ITEM_ACTIONS,
    ON_DELETED,
    UNREAD,
    UNTAGGED,
    Action,
    Item,
    Query,
    Result,
    pocket_tags,
)
from bridge.reading_list import apply as applied
from bridge.store.migrations import migrate
from bridge.store.reading_list import Counts, apply, counts, find

NOW = 1_790_000_000

URLS = [
    "https://a.example/1",
    "https://a.example/1?utm_source=x",
    "HTTPS://A.example:443/2",
    "http://www.b.example/é",
]
URLS += [f"https://a.example/{number}" for number in range(3, 7)]
TAGS = ["a", "B ", "b", "ü", "", UNTAGGED, "x" * 30]


def opened() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    return connection


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    with closing(opened()) as connection:
        yield connection


def add(url: str, **more: Any) -> Action:
    return Action(name="add", url=url, **more)


def urls(tx: sqlite3.Connection, query: Query) -> list[str]:
    return [item.url for item in find(tx, "me", query).items]


# -- the state machine ---------------------------------------------------------------------------------------------


class Model:
    """The list as a plain dictionary."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}

    def do(self, action: Action, now: int, next_id: int) -> Result:
        if action.name in GLOBAL_ACTIONS:
            return self._everywhere(action, now)
        key = self._key(action)
        item = self.items.get(key)
        if item is None and action.name == "add" and action.url:
            item = Item(id=next_id, url=action.url, status=DELETED)
        if item is None or (item.status == DELETED and action.name not in ON_DELETED):
            return Result(error="missing")
        self.items[key] = applied(item, action, now)
        shown = self.items[key] if action.name in ("add", "readd") else None
        return Result(shown, created=action.name == "add" and item.status == DELETED)

    def _key(self, action: Action) -> str:
        by_id = next((key for key, item in self.items.items() if item.id == action.item_id), "")
        by_url = canonical(action.url) if action.url else ""
        return (by_url or by_id) if action.name == "add" else (by_id or by_url)

    def _everywhere(self, action: Action, now: int) -> Result:
        old, new = pocket_tags([action.old_tag]), pocket_tags([action.new_tag])
        if not old or (action.name == "tag_rename" and not new):
            return Result(error="no tag")
        if old == new:
            return Result()
        for key, item in self.items.items():
            if old[0] in item.tags:
                tags = pocket_tags((set(item.tags) - set(old)) | set(new if action.name == "tag_rename" else ()))
                self.items[key] = replace(item, tags=tags, time_updated=max(now, item.time_updated))
        return Result()

    def find(self, query: Query) -> list[Item]:
        found = [item for key, item in self.items.items() if self._matches(item, key, query)]
        down = query.sort == "newest"
        return sorted(found, key=lambda item: self._place(item, query), reverse=down)

    def _matches(self, item: Item, key: str, query: Query) -> bool:
        if query.since:
            return item.time_updated >= query.since and (item.status == DELETED or self._wanted(item, key, query))
        return item.status != DELETED and self._wanted(item, key, query)

    def _wanted(self, item: Item, key: str, query: Query) -> bool:
        domain = host(key)
        return (
            (query.status is None or item.status == query.status)
            and (query.favorite is None or item.favorite == query.favorite)
            and (not query.tag or (query.tag == UNTAGGED and not item.tags) or query.tag in item.tags)
            and (not query.search or query.search in item.title or query.search in item.url)
            and (not query.domain or domain == query.domain or domain.endswith(f".{query.domain}"))
            and (not query.updated_before or item.time_updated < query.updated_before)
        )

    def _place(self, item: Item, query: Query) -> tuple[Any, int]:
        match query.sort:
            case "title":
                return item.title.lower(), item.id
            case "site":
                return host(item.url), item.id
        if not query.since and query.favorite:
            return item.time_favorited, item.id
        if not query.since and query.status == ARCHIVED:
            return item.time_read, item.id
        return item.time_added, item.id


ACTIONS = st.builds(
    Action,
    name=st.sampled_from(["add"] * 6 + sorted(ITEM_ACTIONS | GLOBAL_ACTIONS)),
    item_id=st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5, 99]),
    url=st.sampled_from([*URLS, "", ""]),
    title=st.sampled_from(["", "one", "two % _ !"]),
    tags=st.lists(st.sampled_from(TAGS), max_size=3).map(tuple),
    old_tag=st.sampled_from(TAGS),
    new_tag=st.sampled_from(TAGS),
    time=st.sampled_from([0, 0, NOW - 1000, NOW - 5, NOW]),
)
QUERIES = st.builds(
    Query,
    status=st.sampled_from([None, UNREAD, ARCHIVED]),
    favorite=st.sampled_from([None, None, True, False]),
    tag=st.sampled_from(["", "", "a", "b", UNTAGGED]),
    search=st.sampled_from(["", "", "%", "_ !", "example/1"]),
    domain=st.sampled_from(["", "", "b.example", "a.example"]),
    since=st.sampled_from([0, 0, NOW, NOW + 3, NOW + 10]),
    updated_before=st.sampled_from([0, 0, NOW + 5]),
    sort=st.sampled_from(["newest", "oldest", "title", "site"]),
    count=st.sampled_from([None, 1, 2]),
    offset=st.integers(0, 2),
)


class SqlList(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.tx = opened()
        self.model = Model()
        self.now = NOW

    def teardown(self) -> None:
        self.tx.close()

    @rule(seconds=st.integers(1, 5))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(actions=st.lists(ACTIONS, min_size=1, max_size=6))
    def a_batch_does_what_its_actions_do_one_by_one(self, actions: list[Action]) -> None:
        results = apply(self.tx, "me", actions, self.now)
        expected = [self.model.do(action, self.now, len(self.model.items) + 1) for action in actions]
        assert [(one.item, bool(one.error), one.created) for one in results] == [
            (one.item, bool(one.error), one.created) for one in expected
        ]
        assert list(find(self.tx, "me", Query(since=1, sort="oldest")).items) == self.model.find(
            Query(since=1, sort="oldest")
        )

    @rule(query=QUERIES)
    def a_page_holds_what_matches_in_order(self, query: Query) -> None:
        matching = self.model.find(query)
        end = None if query.count is None else query.offset + query.count
        page = find(self.tx, "me", query)
        assert list(page.items) == matching[query.offset : end]
        assert page.total == len(matching)

    @rule()
    def counts_are_those_of_the_items(self) -> None:
        statuses = [item.status for item in self.model.items.values()]
        assert counts(self.tx, "me") == Counts(statuses.count(UNREAD), statuses.count(ARCHIVED))

    @rule()
    def all_tags_are_those_of_the_items(self) -> None:
        tags = {tag for item in self.model.items.values() for tag in item.tags}
        assert find(self.tx, "me", Query(taglist=True)).taglist == tuple(sorted(tags))

    @rule(actions=st.lists(ACTIONS.filter(lambda action: action.name != "add"), max_size=3))
    def nobody_reaches_the_items_of_another(self, actions: list[Action]) -> None:
        results = apply(self.tx, "you", actions, self.now)
        assert all(result.item is None for result in results)
        assert find(self.tx, "you", Query(since=1)).items == ()


SqlList.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestSqlList = SqlList.TestCase


# -- single promises -----------------------------------------------------------------------------------------------


def test_an_add_of_a_deleted_item_begins_anew_under_the_same_id(tx: sqlite3.Connection) -> None:
    [first] = apply(tx, "me", [add("https://a.example/", tags=("a",))], NOW)
    assert first.item is not None
    apply(tx, "me", [Action(name="favorite", item_id=1), Action(name="delete", item_id=first.item.id)], NOW + 1)

    [again] = apply(tx, "me", [add("https://a.example/#part")], NOW + 2)

    assert again.created
    assert again.item == Item(id=first.item.id, url="https://a.example/", time_added=NOW + 2, time_updated=NOW + 2)


def test_a_known_item_is_unread_again_and_keeps_favourite_and_tags(tx: sqlite3.Connection) -> None:
    apply(tx, "me", [add("https://a.example/", tags=("a",), title="T")], NOW)
    apply(tx, "me", [Action(name="favorite", item_id=1), Action(name="archive", item_id=1)], NOW + 1)

    [again] = apply(tx, "me", [add("https://a.example/", tags=("b",))], NOW + 2)

    assert not again.created
    assert again.item is not None
    assert (again.item.status, again.item.favorite, again.item.tags, again.item.title) == (
        UNREAD,
        True,
        ("a", "b"),
        "T",
    )


def test_a_change_told_late_is_seen_by_who_asks_since(tx: sqlite3.Connection) -> None:
    apply(tx, "me", [add("https://a.example/")], NOW)

    apply(tx, "me", [Action(name="archive", item_id=1, time=NOW - 86_400)], NOW + 100)

    assert urls(tx, Query(since=NOW + 100)) == ["https://a.example/"]


def test_what_an_action_names_wrongly_is_its_own_failure_only(tx: sqlite3.Connection) -> None:
    results = apply(
        tx,
        "me",
        [add("no address"), add("https://a.example/"), Action(name="dance", item_id=1), Action(name="add")],
        NOW,
    )

    assert [bool(result.error) for result in results] == [True, False, True, True]
    assert urls(tx, Query()) == ["https://a.example/"]


def test_a_hundred_adds_cost_a_few_statements(tx: sqlite3.Connection) -> None:
    statements: list[str] = []
    tx.set_trace_callback(lambda sql: statements.append(sql.split(" (")[0]))

    apply(tx, "me", [add(f"https://a.example/{number}", tags=("t",)) for number in range(100)], NOW)

    assert len([sql for sql in statements if not sql.startswith("INSERT INTO item_tag")]) <= 6
    assert find(tx, "me", Query()).total == 100


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (Query(count=30, total=False), "item_added"),
        (Query(count=30, total=False, sort="oldest"), "item_added"),
        (Query(count=30, total=False, status=UNREAD), "item_state"),
        (Query(count=30, total=False, status=ARCHIVED), "item_read"),
        (Query(count=30, total=False, favorite=True), "item_favorited"),
        (Query(count=30, total=False, tag="a"), "item_tag_tag"),
        (Query(count=30, total=False, tag="a", status=UNREAD), "item_tag_tag"),
    ],
)
def test_a_first_page_is_read_from_an_index_in_order(tx: sqlite3.Connection, query: Query, index: str) -> None:
    plan = planned(tx, query)

    assert index in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    "query", [Query(since=NOW), Query(since=NOW, status=UNREAD), Query(since=NOW, tag="a", count=30)]
)
def test_changes_since_are_found_by_when_they_changed(tx: sqlite3.Connection, query: Query) -> None:
    assert "item_updated" in planned(tx, query)


def planned(tx: sqlite3.Connection, query: Query) -> str:
    """How the engine answers the first statement of a query."""
    asked: list[str] = []
    tx.set_trace_callback(asked.append)
    find(tx, "me", query)
    tx.set_trace_callback(None)
    return "\n".join(row[3] for row in tx.execute(f"EXPLAIN QUERY PLAN {asked[0]}"))
