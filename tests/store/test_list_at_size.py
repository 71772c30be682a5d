"""What is kept so that a long list is as quick as a short one says the same as looking at every item would."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.ports import OWNER
from bridge.reading_list import ARCHIVED, GLOBAL_ACTIONS, ITEM_ACTIONS, UNREAD, UNTAGGED, Action, Query
from bridge.store import search, tally
from bridge.store.core import Store
from bridge.store.migrations import migrate
from bridge.store.reading_list import apply, find, forget

NOW = 1_790_000_000
TAGS = ["a", "b", "c"]
URLS = [f"https://{host}.example/{path}" for host in ("straße", "b") for path in ("100%_x", "X!y", "é")]
WORDS = ["Straße", "STRASSE", '"quoted" words', "100% sure", "İstanbul", "a\nb", "ab", "words words", "ſharp"]

ACTIONS = st.builds(
    Action,
    name=st.sampled_from(sorted(ITEM_ACTIONS | GLOBAL_ACTIONS)),
    url=st.sampled_from(URLS),
    title=st.sampled_from(["", *WORDS]),
    tags=st.lists(st.sampled_from(TAGS), max_size=2).map(tuple),
    old_tag=st.sampled_from(TAGS),
    new_tag=st.sampled_from(TAGS),
    time=st.integers(1, 5),
)
QUERIES = [
    Query(status=status, favorite=favorite, tag=tag, taglist=True)
    for status, favorite, tag in itertools.product((None, UNREAD, ARCHIVED), (None, True, False), ["", UNTAGGED, *TAGS])
]
SOME = settings(max_examples=80, deadline=None, derandomize=True)


def opened(*, indexed: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    if indexed:
        search.prepare(connection)
    return connection


@SOME
@given(st.lists(st.lists(ACTIONS, max_size=6), max_size=6))
def test_the_numbers_that_are_kept_are_those_that_counting_gives(batches: list[list[Action]]) -> None:
    with closing(opened()) as tx:
        for batch in batches:
            apply(tx, OWNER, batch, NOW)
        for query in QUERIES:
            page = find(tx, OWNER, query)
            assert page.total == len(page.items)
        everything = find(tx, OWNER, Query(taglist=True))
        assert everything.taglist == tuple(sorted({tag for item in everything.items for tag in item.tags}))


@SOME
@given(st.lists(st.lists(ACTIONS, max_size=6), max_size=6), st.sampled_from(WORDS) | st.text(max_size=6))
def test_the_index_finds_what_looking_at_everything_finds(batches: list[list[Action]], text: str) -> None:
    with closing(opened(indexed=True)) as indexed, closing(opened()) as plain:
        assert search.is_indexed(indexed)
        for batch in batches:
            apply(indexed, OWNER, batch, NOW)
            apply(plain, OWNER, batch, NOW)
        for wanted in {text, text[1:4], text.upper(), text[:30] * 20}:
            query = Query(search=wanted)
            assert find(indexed, OWNER, query) == find(plain, OWNER, query)
        indexed.execute("INSERT INTO item_text (item_text) VALUES ('integrity-check')")


def test_an_index_is_made_of_what_is_there_already() -> None:
    with closing(opened()) as tx:
        apply(tx, OWNER, [Action(name="add", url="https://a.example/1", title="A needle")], NOW)
        search.prepare(tx)
        search.prepare(tx)
        assert [item.title for item in find(tx, OWNER, Query(search="needle")).items] == ["A needle"]


def test_a_list_that_is_erased_leaves_nothing_behind() -> None:
    with closing(opened(indexed=True)) as tx:
        for account in (OWNER, "ann"):
            apply(tx, account, [Action(name="add", url="https://a.example/1", title="A needle", tags=("a",))], NOW)
        forget(tx, OWNER)
        assert find(tx, OWNER, Query(taglist=True)) == replace(find(tx, OWNER, Query()), items=(), total=0)
        assert tally.tags(tx, "ann") == ("a",)
        found = tx.execute("SELECT count(*) FROM item_text WHERE item_text MATCH '\"eed\"'").fetchone()
        assert found == (1,)


async def test_pages_follow_each_other_without_a_gap_whatever_they_are_ordered_by(store: Store) -> None:
    actions = [
        Action(
            name="add", url=f"https://{n % 3}.example/{n}", title=f"T{n % 5}", tags=("a",) * (n % 2), time=1 + n // 4
        )
        for n in range(60)
    ]
    archived = [Action(name="archive", url=action.url, time=9) for action in actions[::3]]
    favourites = [Action(name="favorite", url=action.url, time=9) for action in actions[::5]]
    await store.apply(OWNER, [*actions, *archived, *favourites])
    queries = [Query(sort=sort) for sort in ("newest", "oldest", "title", "site", "updated")]
    queries += [
        Query(tag="a"),
        Query(status=ARCHIVED),
        Query(favorite=True, sort="oldest"),
        Query(since=1),
        Query(tag=UNTAGGED),
    ]
    queries += [Query(search="T1"), Query(tag="a", sort="title")]
    for query in queries:
        whole = (await store.find(OWNER, query)).items
        pages = [(await store.find(OWNER, replace(query, count=7, offset=offset))).items for offset in range(0, 70, 7)]
        assert tuple(itertools.chain(*pages)) == whole, query


async def test_a_change_between_two_pages_is_seen_by_the_second(store: Store) -> None:
    await store.apply(OWNER, [Action(name="add", url=f"https://a.example/{n}", time=1 + n) for n in range(9)])
    await store.find(OWNER, Query(count=3))
    await store.apply(OWNER, [Action(name="archive", url="https://a.example/8")])
    second = await store.find(OWNER, Query(status=None, count=3, offset=3))
    assert [item.url[-1] for item in second.items] == ["5", "4", "3"]
    await store.find(OWNER, Query(status=UNREAD, count=3))
    await store.apply(OWNER, [Action(name="archive", url="https://a.example/7")])
    unread = await store.find(OWNER, Query(status=UNREAD, count=3, offset=3))
    assert [item.url[-1] for item in unread.items] == ["3", "2", "1"]
