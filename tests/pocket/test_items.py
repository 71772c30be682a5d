"""Whatever shape a server chose, the client sees one."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.pocket import Author, Domain, Image, Item, Limits, PocketError, Video
from bridge.pocket.replies import item_page

LEGACY: dict[str, Any] = {
    "item_id": "229279689",
    "favorite": "1",
    "status": "0",
    "time_added": "1473107229",
    "sort_id": 0,
    "given_title": "Given",
    "resolved_title": "Resolved",
    "word_count": "3197",
    "is_article": "1",
    "has_image": "2",
    "time_to_read": 14,
    "tags": {"b": {"item_id": "229279689", "tag": "b"}},
    "authors": {"62345": {"item_id": "229279689", "author_id": "62345", "name": "N", "url": ""}},
    "image": {"item_id": "229279689", "src": "https://a.example/i.png", "width": "0", "height": "0"},
    "images": {"1": {"image_id": "1", "src": "https://a.example/i.png", "width": "600", "caption": None}},
    "videos": {"1": {"video_id": "1", "type": "5", "src": "https://a.example/v", "length": "0"}},
    "domain_metadata": {"name": "A", "logo": "https://a.example/l", "greyscale_logo": ""},
}
NATIVE: dict[str, Any] = {
    "item_id": 229279689,
    "favorite": True,
    "status": 0,
    "time_added": 1473107229.0,
    "sort_id": "0",
    "given_title": "Given",
    "resolved_title": "Resolved",
    "word_count": 3197,
    "is_article": 1,
    "has_image": 2,
    "time_to_read": "14",
    "tags": ["b"],
    "authors": [{"author_id": 62345, "name": "N", "url": None}],
    "image": {"src": "https://a.example/i.png"},
    "images": [{"image_id": 1, "src": "https://a.example/i.png", "width": 600}],
    "videos": [{"video_id": 1, "type": 5, "src": "https://a.example/v"}],
    "domain_metadata": {"name": "A", "logo": "https://a.example/l"},
}


@pytest.mark.parametrize("shown", [LEGACY, NATIVE], ids=["strings and maps", "numbers and lists"])
def test_strings_and_numbers_maps_and_lists_mean_the_same(shown: dict[str, Any]) -> None:
    item = Item.model_validate(shown)

    assert (item.item_id, item.favorite, item.status, item.time_added) == ("229279689", True, 0, 1473107229)
    assert (item.title, item.word_count, item.has_image, item.time_to_read) == ("Resolved", 3197, 2, 14)
    assert item.tags == ("b",)
    assert item.authors == (Author(author_id="62345", name="N"),)
    assert item.image == Image(src="https://a.example/i.png")
    assert item.images == (Image(image_id="1", src="https://a.example/i.png", width=600),)
    assert item.videos == (Video(video_id="1", type=5, src="https://a.example/v"),)
    assert item.domain_metadata == Domain(name="A", logo="https://a.example/l")


@pytest.mark.parametrize("empty", [[], {}, None, ""])
def test_php_s_nothing_is_nothing(empty: Any) -> None:
    shown = {
        "item_id": "1",
        **dict.fromkeys(("tags", "authors", "image", "images", "videos", "domain_metadata"), empty),
    }

    assert Item.model_validate(shown) == Item(item_id="1")


def test_a_deleted_stub_has_an_id_and_a_status() -> None:
    item = Item.model_validate({"item_id": "5", "status": "2"})

    assert item.deleted
    assert not item.archived


def test_a_pending_item_has_nulls() -> None:
    shown = dict.fromkeys(Item.model_fields) | {
        "item_id": "5",
        "given_url": "https://a.example/",
        "resolved_id": "0",
    }

    assert Item.model_validate(shown).url == "https://a.example/"


@pytest.mark.parametrize(
    ("listed", "ids"),
    [
        ([], []),
        ({}, []),
        ({"2": {"item_id": "2", "sort_id": 1}, "1": {"item_id": "1", "sort_id": 0}}, ["1", "2"]),
        ({"2": {"item_id": "2"}, "1": {"item_id": "1"}}, ["2", "1"]),
        ({"2": {"given_url": "https://a.example/"}}, ["2"]),
        ([{"item_id": 2}, {"item_id": 1}], ["2", "1"]),
    ],
)
def test_a_page_is_in_the_order_of_its_server(listed: Any, ids: list[str]) -> None:
    page = item_page({"status": 1, "list": listed, "since": "99"}, Limits())

    assert [item.item_id for item in page.items] == ids
    assert (page.since, page.total, page.complete, dict(page.search_meta)) == (99, None, True, {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(Item.model_fields)), JSON))
def test_no_item_is_too_strange_to_be_read(shown: dict[str, Any]) -> None:
    assert Item.model_validate({**shown, "item_id": "1"}).item_id == "1"


@given(st.dictionaries(st.sampled_from(["list", "since", "total", "tags", "status", "error", "account"]), JSON))
def test_no_page_fails_but_with_an_error_of_pocket(body: dict[str, Any]) -> None:
    with contextlib.suppress(PocketError):
        item_page(body, Limits())
