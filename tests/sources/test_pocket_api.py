"""The face takes every spelling a known client has, and answers each field in the type that all of them take."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from bridge.accounts import fingerprint
from bridge.errors import StoreError
from bridge.link import Sighting
from bridge.ports import Arrival
from bridge.reading_list import Action, Page, Query, Result
from bridge.sources.pocket_api.source import UNIT, read
from bridge.store.core import Store
from tests.conftest import Clock
from tests.pocket.server import INNER, KEY, TOKEN, browser, client, face

KEYS = {"consumer_key": KEY, "access_token": TOKEN}
NOW = 1_790_000_000


@pytest.fixture
def app(store: Store, clock: Clock) -> Starlette:
    return face(store, clock)


async def call(app: Starlette, path: str, token: str = TOKEN, **asked: Any) -> httpx.Response:
    async with browser(app) as http:
        return await http.post(path, json={**KEYS, "access_token": token, **asked})


async def get(app: Starlette, **asked: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await call(app, "/v3/get", **asked)).json()
    return answer


async def send(app: Starlette, *actions: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await call(app, "/v3/send", actions=list(actions))).json()
    return answer


async def urls(app: Starlette, **asked: Any) -> list[str]:
    return [item.get("given_url", "deleted") for item in (await get(app, **asked))["list"].values()]


# -- what is answered ----------------------------------------------------------------------------------------------


async def test_an_item_of_get_has_every_field_in_its_type(app: Starlette) -> None:
    await call(app, "/v3/add", url="https://a.example/x", title="Tïtle", tags="b,A")

    answer = await get(app)

    assert answer == {
        "status": 1,
        "complete": 1,
        "list": {
            "1": {
                "item_id": "1",
                "resolved_id": "1",
                "given_url": "https://a.example/x",
                "given_title": "Tïtle",
                "favorite": "0",
                "status": "0",
                "time_added": str(NOW),
                "time_updated": str(NOW),
                "time_read": "0",
                "time_favorited": "0",
                "sort_id": 0,
                "resolved_title": "Tïtle",
                "resolved_url": "https://a.example/x",
                "excerpt": "",
                "is_article": "1",
                "is_index": "0",
                "has_video": "0",
                "has_image": "0",
                "word_count": "0",
                "lang": "",
                "tags": {"a": {"item_id": "1", "tag": "a"}, "b": {"item_id": "1", "tag": "b"}},
                "time_to_read": 0,
                "listen_duration_estimate": 0,
            }
        },
        "error": None,
        "search_meta": {"search_type": "normal"},
        "since": NOW - 2,
        "maxActions": 30,
        "cachetype": "db",
    }


async def test_an_add_answers_the_whole_resolved_shape(app: Starlette) -> None:
    answer = (await call(app, "/v3/add", url="http://a.example/x?utm_source=y", title="T", tags=["t"])).json()

    item = answer["item"]
    assert answer["status"] == 1
    assert {name for name, value in item.items() if not isinstance(value, str)} == {
        "authors",
        "images",
        "videos",
    }
    assert (item["item_id"], item["resolved_id"], item["extended_item_id"]) == ("1", "1", "1")
    assert (item["given_url"], item["normal_url"]) == (
        "http://a.example/x?utm_source=y",
        "https://a.example/x",
    )
    assert len(item) == 30
    assert "tags" not in item


async def test_an_empty_list_is_an_object_and_status_2(app: Starlette) -> None:
    answer = await get(app, total=1)

    assert (answer["status"], answer["list"], answer["total"]) == (2, {}, "0")


async def test_a_deleted_item_is_a_stub_and_only_for_who_asks_since(app: Starlette, clock: Clock) -> None:
    await call(app, "/v3/add", url="https://a.example/")
    clock.move(60)
    await send(app, {"action": "delete", "item_id": 1})

    assert (await get(app, state="all"))["list"] == {}
    assert (await get(app, since=NOW + 1))["list"] == {"1": {"item_id": "1", "status": "2"}}


async def test_nothing_new_is_status_2(app: Starlette, clock: Clock) -> None:
    await call(app, "/v3/add", url="https://a.example/")
    clock.move(60)

    since = (await get(app))["since"]

    assert (await get(app, since=since))["status"] == 2


async def test_a_write_that_was_on_its_way_is_in_the_next_changes(app: Starlette, clock: Clock) -> None:
    since = (await get(app))["since"]
    clock.move(-1)
    await call(app, "/v3/add", url="https://a.example/")

    assert await urls(app, since=since) == ["https://a.example/"]


async def test_a_search_tells_how_much_there_is(app: Starlette) -> None:
    for number in range(3):
        await call(app, "/v3/add", url=f"https://a.example/{number}", title="Needle")

    answer = await get(app, search="needle", count=2, total=1)
    uncounted = await get(app, search="needle", count=2)

    assert (uncounted["search_meta"]["has_more"], "total_result_count" in uncounted["search_meta"]) == (True, False)
    assert answer["search_meta"] == {
        "search_type": "normal",
        "total_result_count": 3,
        "count": 2,
        "offset": 0,
        "has_more": True,
    }
    assert [item["sort_id"] for item in answer["list"].values()] == [0, 1]


async def test_tags_and_account_come_when_asked(app: Starlette) -> None:
    await call(app, "/v3/add", url="https://a.example/", tags="b,a")

    answer = await get(app, taglist="1", account=1)

    assert answer["tags"] == ["a", "b"]
    assert answer["account"]["username"] == "me"


async def test_statistics_are_numbers(app: Starlette) -> None:
    await send(app, {"action": "add", "url": "https://a.example/1"}, {"action": "add", "url": "https://a.example/2"})
    await send(app, {"action": "archive", "item_id": "1"})

    answer = (await call(app, "/v3/stats")).json()

    assert answer == {"count_list": 2, "count_read": 1, "count_unread": 1, "status": 1}


async def test_a_first_synchronisation_comes_in_chunks(app: Starlette) -> None:
    await send(app, *({"action": "add", "url": f"https://a.example/{number}"} for number in range(30)))

    first, second = [(await call(app, "/v3/fetch", chunk=chunk)).json() for chunk in ("0", "1")]

    assert (len(first["list"]), len(second["list"]), first["total"]) == (25, 5, "30")
    assert second["passthrough"] == {"firstChunkSize": "25", "fetchChunkSize": "250", "chunk": "1"}


async def test_results_and_errors_are_parallel_to_the_actions(app: Starlette) -> None:
    answer = await send(
        app,
        {"action": "add", "url": "https://a.example/", "item_id": 0, "time": NOW},
        {"action": "favorite", "url": "https://a.example/"},
        {"action": "archive", "item_id": "77"},
        {"action": "dance", "item_id": "1"},
        {"action": "add", "url": "javascript:alert(1)"},
        {"action": "opened_item", "item_id": "1", "cxt_view": "list"},
        {"action": "readd", "item_id": 1},
        None,
    )

    results = [result["item_id"] if isinstance(result, dict) else result for result in answer["action_results"]]
    codes = [error and (error["type"], error["code"]) for error in answer["action_errors"]]
    assert answer["status"] == 0
    assert results == ["1", True, False, False, False, True, "1", False]
    assert codes == [
        None,
        None,
        ("NotFound", 404),
        ("Bad request", 130),
        ("Unprocessable Entity", 422),
        None,
        None,
        ("Bad request", 130),
    ]


async def test_a_batch_that_all_went_well_is_status_1(app: Starlette) -> None:
    answer = await send(app, {"action": "add", "url": "https://a.example/"}, {"action": "tag_delete", "tag": "none"})

    assert (answer["status"], answer["action_errors"]) == (1, [None, None])


@pytest.mark.parametrize(
    "action",
    [
        {"action": "archive"},
        {"action": "archive", "item_id": "x1"},
        {"action": "archive", "item_id": "1", "time": "soon"},
        {"action": "archive", "item_id": "1", "time": -5},
        {"action": "tags_add", "item_id": "1", "tags": ","},
        {"action": "tags_add", "item_id": "1"},
        {"action": "tags_replace", "item_id": "1"},
        {"action": "tag_rename", "old_tag": "a"},
        {"action": "tag_delete"},
        {"action": "add", "item_id": "5"},
        {"action": ""},
        {},
        [],
        7,
    ],
)
async def test_a_malformed_action_fails_alone(app: Starlette, action: Any) -> None:
    answer = await send(app, {"action": "add", "url": "https://a.example/"}, action)

    assert answer["action_results"][1] is False
    assert answer["action_errors"][1]["message"]
    assert await urls(app) == ["https://a.example/"]


async def test_all_kinds_of_actions_do_their_work(app: Starlette) -> None:
    add = {"action": "add", "url": "https://a.example/", "tags": ["a", "b"]}
    one = {"item_id": "1"}
    await send(app, add, {"action": "tags_remove", "tags": "a", **one}, {"action": "tags_add", "tags": "c", **one})
    await send(app, {"action": "tag_rename", "old_tag": "b", "new_tag": "d"}, {"action": "favorite", **one})
    assert sorted((await get(app))["list"]["1"]["tags"]) == ["c", "d"]

    await send(app, {"action": "tag_delete", "tag": "c"}, {"action": "archive", **one})
    assert await urls(app, state="archive", favorite=1, tag="d") == ["https://a.example/"]

    await send(
        app,
        {"action": "unfavorite", **one},
        {"action": "readd", **one},
        {"action": "tags_replace", "tags": "", **one},
    )
    assert await urls(app, state="unread", favorite="0", tag="_untagged_") == ["https://a.example/"]


# -- what is taken -------------------------------------------------------------------------------------------------

ACTIONS = [{"action": "add", "url": "https://a.example/?a=1&b=%20", "tags": "x"}]
MULTIPART = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'


def multipart(fields: Mapping[str, str]) -> str:
    return "".join(MULTIPART.format(*field) for field in fields.items()) + "--b--\r\n"


FORM = {**KEYS, "actions": json.dumps(ACTIONS)}
BODIES = [
    ("application/json", json.dumps({**KEYS, "actions": ACTIONS})),
    ("application/json; charset=UTF8", json.dumps({**KEYS, "actions": json.dumps(ACTIONS)})),
    ("", json.dumps({**KEYS, "actions": ACTIONS})),
    ("text/plain", "\ufeff\n " + json.dumps({**KEYS, "actions": ACTIONS})),
    ("application/x-www-form-urlencoded", json.dumps({**KEYS, "actions": ACTIONS})),
    ("application/x-www-form-urlencoded", urlencode(FORM)),
    ("application/x-www-form-urlencoded; charset=UTF8", urlencode(FORM)),
    ("application/x-www-form-urlencoded", urlencode({**KEYS, "actions": quote(json.dumps(ACTIONS))})),
    ("application/x-www-form-urlencoded", urlencode({**KEYS, "actions": json.dumps(json.dumps(ACTIONS))})),
    ("application/json", json.dumps({**KEYS, "actions": ACTIONS[0]})),
    ("multipart/form-data; boundary=b", multipart(FORM)),
]


@pytest.mark.parametrize(("content_type", "body"), BODIES)
async def test_a_batch_is_read_in_every_encoding(app: Starlette, content_type: str, body: str) -> None:
    async with browser(app) as http:
        answer = await http.post("/v3/send", content=body.encode(), headers={"Content-Type": content_type})

    assert answer.json()["status"] == 1
    assert await urls(app, tag="x") == ["https://a.example/?a=1&b=%20"]


async def test_a_batch_in_the_query_of_a_get_is_taken(app: Starlette) -> None:
    async with browser(app) as http:
        answer = await http.get("/v3/send", params=FORM)

    assert answer.json()["action_results"][0]["given_url"] == "https://a.example/?a=1&b=%20"


@pytest.mark.parametrize(("method", "count"), [("GET", 1), ("POST", 2)])
async def test_query_and_body_are_merged(app: Starlette, method: str, count: int) -> None:
    await send(app, *({"action": "add", "url": f"https://a.example/{number}"} for number in range(3)))

    async with browser(app) as http:
        asked = {**KEYS, "count": 2}
        del asked["access_token"]
        query = f"/v3/get?access_token={TOKEN}&count=1"
        answer = await http.request(method, query, json=asked)

    assert len(answer.json()["list"]) == count


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("example.com/a", "http://example.com/a"),
        ("example.com:8080/a", "http://example.com:8080/a"),
        ("//example.com/a", "http://example.com/a"),
        (" https://example.com/a ", "https://example.com/a"),
        ("https://example.com/ä", "https://example.com/ä"),
    ],
)
async def test_an_address_is_completed(app: Starlette, given: str, kept: str) -> None:
    await call(app, "/v3/add", url=given)

    assert await urls(app) == [kept]


@pytest.mark.parametrize(
    "url",
    ["", None, 7, "javascript:alert(1)", "mailto:a@b.example", "word", "http://", ["https://a.example"]],
)
async def test_what_is_no_web_address_is_refused(app: Starlette, url: Any) -> None:
    answer = await call(app, "/v3/add", url=url)

    assert (answer.status_code, answer.headers["x-error-code"]) == (400, "130")


@pytest.mark.parametrize(
    ("time", "kept"),
    [
        ("1700000000", 1_700_000_000),
        (1_700_000_000_123, 1_700_000_000),
        ("1700000000123", 1_700_000_000),
        (NOW + 99, NOW),
    ],
)
async def test_times_are_seconds_or_milliseconds_and_never_in_the_future(app: Starlette, time: Any, kept: int) -> None:
    await send(app, {"action": "add", "url": "https://a.example/", "time": time})

    assert (await get(app))["list"]["1"]["time_added"] == str(kept)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "321"),
        ({"state": "UNREAD"}, "32"),
        ({"state": "queue"}, "32"),
        ({"state": "read"}, "1"),
        ({"favorite": True}, "2"),
        ({"favorite": 1}, "2"),
        ({"favorite": "1"}, "2"),
        ({"favorite": "false"}, "31"),
        ({"tag": "T"}, "3"),
        ({"tag": "_untagged_"}, "21"),
        ({"sort": "oldest"}, "123"),
        ({"sort": "title"}, "321"),
        ({"sort": "site"}, "123"),
        ({"sort": "shortest"}, "321"),
        ({"count": "2", "offset": 1}, "21"),
        ({"offset": "2"}, "1"),
        ({"search": "title b"}, "2"),
        ({"search": ""}, "321"),
        ({"domain": "c.example"}, "3"),
        ({"domain": "www.c.example"}, "3"),
        ({"contentType": "article"}, "321"),
        ({"contentType": "video"}, ""),
        ({"since": str(NOW + 1)}, "1"),
        ({"since": (NOW + 1) * 1000}, "1"),
        ({"since": NOW + 0.5}, "321"),
        ({"since": "0"}, "321"),
        ({"updatedBefore": NOW + 1}, "32"),
        ({"detailType": "complete", "cxt_online": "1", "sig_hash": "x", "guid": {}}, "321"),
    ],
)
async def test_get_answers_what_was_asked(app: Starlette, clock: Clock, asked: dict[str, Any], expected: str) -> None:
    await send(
        app,
        {"action": "add", "url": "https://a.example/1", "title": "Title c", "time": NOW - 3},
        {"action": "add", "url": "https://b.example/2", "title": "Title b", "time": NOW - 2},
        {
            "action": "add",
            "url": "https://www.c.example/3",
            "title": "title a",
            "time": NOW - 1,
            "tags": ["t"],
        },
        {"action": "favorite", "item_id": "2"},
    )
    clock.move(5)
    await send(app, {"action": "archive", "item_id": "1"})

    answer = await get(app, **asked)

    assert "".join(answer["list"]) == expected


@pytest.mark.parametrize(
    "asked",
    [
        {"count": 0},
        {"count": 5001},
        {"count": "many"},
        {"offset": -1},
        {"since": -1},
        {"state": "gone"},
        {"sort": "up"},
        {"favorite": "x"},
    ],
)
async def test_a_question_that_makes_no_sense_is_answered_with_what_would(
    app: Starlette, asked: dict[str, Any]
) -> None:
    answer = await call(app, "/v3/get", **asked)

    assert answer.status_code == 400
    assert answer.headers["x-error"].startswith(f"{next(iter(asked))} must be")


async def test_without_count_everything_comes(app: Starlette) -> None:
    await send(app, *({"action": "add", "url": f"https://a.example/{number}"} for number in range(UNIT + 10)))

    assert len(await urls(app)) == UNIT + 10


# -- headers and errors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "asked", "status", "code"),
    [
        ("POST", "/v3/get", {}, 200, None),
        ("GET", "/v3/stats", {}, 200, None),
        ("POST", "/v3/get", {"consumer_key": ""}, 400, "138"),
        ("POST", "/v3/get", {"consumer_key": "1-a\nb"}, 403, "152"),
        ("POST", "/v3/get", {"consumer_key": "1" * 101}, 403, "152"),
        ("POST", "/v3/get", {"access_token": "wrong"}, 401, "107"),
        ("POST", "/v3/get", {"access_token": None}, 401, "107"),
        ("POST", "/v3/add", {"access_token": {}, "url": "https://a.example/"}, 401, "107"),
        ("POST", "/v3/add", {}, 400, "130"),
        ("POST", "/v3/send", {}, 400, "130"),
        ("POST", "/v3/send", {"actions": []}, 400, "130"),
        ("POST", "/v3/send", {"actions": "{"}, 400, "130"),
        ("POST", "/v3/nothing", {}, 404, "130"),
        ("POST", "/v3/", {}, 404, "130"),
        ("DELETE", "/v3/get", {}, 405, "130"),
    ],
)
async def test_every_answer_has_pockets_headers(
    app: Starlette, *, method: str, path: str, asked: dict[str, Any], status: int, code: str | None
) -> None:
    async with browser(app) as http:
        answer = await http.request(method, path, json={**KEYS, **asked})

    headers = answer.headers
    assert (answer.status_code, headers.get("x-error-code")) == (status, code)
    assert headers["status"].startswith(f"{status} ")
    assert (headers["x-source"], headers["cache-control"]) == ("Pocket", "private")
    assert (headers["x-limit-user-limit"], headers["x-limit-key-limit"]) == ("320", "10000")
    if code:
        assert headers["x-error"].isascii()
        assert answer.json().keys() == {"error"}
    else:
        assert "x-error" not in headers


async def test_words_beyond_ascii_do_not_break_the_header(app: Starlette) -> None:
    answer = await call(app, "/v3/add", url="über\r\nX-Injected: 1")

    assert answer.status_code == 400
    assert "x-injected" not in answer.headers
    assert "über" in answer.json()["error"]


class Broken:
    """A list whose disk is full."""

    async def apply(
        self, account: str, actions: Sequence[Action], *, arrivals: Sequence[Arrival] = ()
    ) -> Sequence[Result]:
        raise StoreError("disk full at /secret/path")

    async def find(self, account: str, query: Query) -> Page:
        raise StoreError("disk full at /secret/path")


@pytest.mark.parametrize("path", ["/v3/add", "/v3/send", "/v3/get", "/v3/stats", "/v3/fetch"])
async def test_a_store_that_fails_is_503_and_come_again(store: Store, clock: Clock, path: str) -> None:
    answer = await call(face(Broken(), clock, store.accounts), path, url="https://a.example/", actions=ACTIONS)

    assert (answer.status_code, answer.headers["retry-after"], answer.headers["x-error-code"]) == (
        503,
        "5",
        "199",
    )
    assert "secret" not in answer.text


async def test_a_page_of_another_origin_may_call(app: Starlette) -> None:
    origin = {"Origin": "moz-extension://abc"}
    async with browser(app) as http:
        asked = await http.options("/v3/get", headers={**origin, "Access-Control-Request-Method": "POST"})
        answer = await http.post("/v3/get", json=KEYS, headers=origin)

    assert (asked.status_code, asked.headers["access-control-allow-methods"]) == (200, "GET, POST")
    assert answer.headers["access-control-allow-origin"] == "moz-extension://abc"
    assert "X-Error-Code" in answer.headers["access-control-expose-headers"]


async def test_nobody_sees_the_list_of_another(store: Store, app: Starlette) -> None:
    await call(app, "/v3/add", url="https://a.example/")
    await store.accounts.add_token(fingerprint("ann's token"), "ann", KEY)

    answer = await call(app, "/v3/send", "ann's token", actions=[{"action": "delete", "item_id": "1"}])

    assert answer.json()["action_results"] == [False]
    assert (await call(app, "/v3/get", "ann's token")).json()["list"] == {}
    assert await urls(app) == ["https://a.example/"]


# -- arrivals ------------------------------------------------------------------------------------------------------


async def test_what_an_app_adds_is_an_arrival_too(store: Store, clock: Clock) -> None:
    app = face(store, clock, new_id=iter(["one", "two"]).__next__)
    await call(app, "/v3/add", url="example.com/a", title="T", tags="x,Y")
    await send(
        app,
        {"action": "add", "url": "https://b.example/", "time": NOW - 5},
        {"action": "favorite", "item_id": 1},
    )

    first, second = await store.due(10)

    assert (first.source, first.channel, first.account) == ("pocket", KEY, "me")
    assert read([first]).sightings == [
        Sighting.of(
            "http://example.com/a",
            source="pocket",
            title="T",
            tags=["x", "y"],
            at=float(NOW),
            settled=("reading",),
        )
    ]
    assert [one.url for one in read([second]).sightings] == ["https://b.example/"]


async def test_a_repeated_add_is_an_arrival_of_its_own(store: Store, app: Starlette) -> None:
    for _ in range(2):
        await call(app, "/v3/add", url="https://a.example/")

    assert len(await store.due(10)) == 2
    assert await urls(app) == ["https://a.example/"]


async def test_what_the_inner_application_adds_is_no_arrival(store: Store, app: Starlette) -> None:
    await call(app, "/v3/add", INNER, url="https://a.example/")
    await call(app, "/v3/send", INNER, actions=[{"action": "add", "url": "https://b.example/"}])

    assert await store.due(10) == []
    assert len(await urls(app)) == 2


async def test_an_add_that_is_refused_is_no_arrival(store: Store, app: Starlette) -> None:
    await call(app, "/v3/add", url="javascript:alert(1)")
    await send(app, {"action": "add", "url": "ftp://a.example/"}, {"action": "add", "item_id": "9"})

    assert await store.due(10) == []


# -- anything at all -----------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON: st.SearchStrategy[Any] = st.deferred(
    lambda: SCALARS | st.lists(JSON, max_size=3) | st.dictionaries(st.text(max_size=8), JSON, max_size=3)
)
NAMES = st.sampled_from(
    "actions url title tags tweet_id time state favorite tag contentType sort detailType search domain since "
    "updatedBefore count offset total taglist account chunk".split()
)
ACTION_NAMES = st.sampled_from(
    "add archive readd favorite delete tags_add tags_replace tag_rename tag_delete pv".split()
)
WORDS = st.sampled_from(["action", "item_id", "url", "tags", "tag", "old_tag", "new_tag", "time", "title"])
URLS = st.sampled_from(["https://a.example/", "a.example", "\ud800", "http://[", "1"])
ENTRIES = st.dictionaries(WORDS, ACTION_NAMES | URLS | JSON, max_size=5)
ASKED = st.dictionaries(NAMES, JSON | URLS | st.lists(ENTRIES, max_size=3), max_size=5)
TYPES = st.sampled_from(
    [
        "",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/html; charset=x",
        "multipart/form-data; boundary=b",
        "application/json; charset=utf-16",
        "multipart/form-data; boundary=",
    ]
)
RAW = st.binary(max_size=60) | st.builds(
    lambda text: multipart({**KEYS, "url": text}).encode("utf-8", "replace"), st.text(max_size=9)
)
ENCODED = st.builds(lambda asked: json.dumps({**KEYS, **asked}).encode(), ASKED)


@settings(max_examples=250, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST"]),
    path=st.sampled_from(["add", "send", "get", "stats", "fetch"]),
    content_type=TYPES,
    body=RAW | ENCODED | ENCODED,
)
def test_no_request_makes_the_face_fail(
    face_in_a_loop: Any, method: str, path: str, content_type: str, body: bytes
) -> None:
    answer = face_in_a_loop(method, path, content_type, body)

    assert answer.status_code in (200, 400, 401)
    assert answer.headers["x-source"] == "Pocket"
    assert ("x-error-code" in answer.headers) == (answer.status_code != 200)
    assert isinstance(answer.json(), dict)


@pytest.fixture(scope="module")
def face_in_a_loop(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One store for all examples: what earlier ones left is part of the input."""
    path: Path = tmp_path_factory.mktemp("face")
    with asyncio.Runner() as runner:
        clock = Clock()
        store = runner.run(Store.open(path / "bridge.db", clock))
        app = face(store, clock)

        async def answer(method: str, path: str, content_type: str, body: bytes) -> httpx.Response:
            async with browser(app) as http:
                return await http.request(
                    method,
                    f"/v3/{path}?{urlencode(KEYS)}",
                    content=body,
                    headers={"Content-Type": content_type},
                )

        yield lambda *request: runner.run(answer(*request))
        runner.run(store.close())


async def test_the_library_speaks_to_the_face(app: Starlette) -> None:
    async with client(app) as pocket:
        item = await pocket.add("https://a.example/", title="T", tags=["b"])

        assert [(one.item_id, one.title, one.tags) async for one in pocket.items()] == [(item.item_id, "T", ("b",))]
