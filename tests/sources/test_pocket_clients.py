"""Requests as known clients make them, and the shape each of them relies on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from bridge.store.core import Store
from tests.conftest import Clock
from tests.pocket.server import KEY, TOKEN, browser, face

NOW = 1_790_000_000
KEYS = {"consumer_key": KEY, "access_token": TOKEN}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF8"}
URL = "https://a.example/one"


@pytest.fixture
async def http(store: Store, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(face(store, clock)) as http:
        await http.post("/v3/add", json={**KEYS, "url": URL, "title": "One", "tags": "x"})
        yield http


def only(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200
    assert "x-error-code" not in answer.headers
    [item] = answer.json()["list"].values()
    found: dict[str, Any] = item
    return found


@pytest.mark.parametrize("root", ["/v3", "/api/kobo"])
@pytest.mark.parametrize("number", [str, int])
async def test_a_kobo_reader_synchronises(http: httpx.AsyncClient, root: str, number: Any) -> None:
    asked = {**KEYS, "contentType": "article", "count": number(30), "detailType": "complete", "offset": number(0)}
    headers = {"Content-Type": "application/json; charset=UTF8"}
    body = json.dumps({**asked, "state": "unread", "total": number(1)})

    answer = await http.post(f"{root}/get", content=body, headers=headers)

    item = only(answer)
    assert (answer.json()["status"], int(answer.json()["total"])) == (1, 1)
    for (
        field
    ) in "item_id resolved_id given_url given_title resolved_url resolved_title excerpt favorite status".split():
        assert isinstance(item[field], str)
    actions = [
        {"action": "archive", "item_id": item["item_id"], "time": NOW},
        {"action": "opened_item", "item_id": "1"},
    ]
    sent = await http.post(f"{root}/send", json={**KEYS, "actions": actions})
    assert sent.json()["action_results"] == [True, True]


@pytest.mark.parametrize("path", ["/v3beta/text", "/v3/text", "/api/kobo/text", "/api/kobo/download"])
async def test_a_kobo_reader_gets_the_address_as_the_article(http: httpx.AsyncClient, path: str) -> None:
    asked = {**KEYS, "url": "https://a.example/?a=<b>&c", "images": "1", "refresh": "0", "output": "json"}

    article = (await http.post(path, content=urlencode(asked), headers=FORM)).json()

    assert article["resolvedUrl"] == "https://a.example/?a=<b>&c"
    assert 'href="https://a.example/?a=&lt;b&gt;&amp;c"' in article["article"]
    assert article["images"] == {}


async def test_the_rust_crates_send_by_get_and_need_numbers_in_strings(http: httpx.AsyncClient) -> None:
    actions = quote(json.dumps([{"action": "favorite", "item_id": "1", "time": str(NOW)}]))
    sent = await http.get(f"/v3/send?actions={actions}&{urlencode(KEYS)}")
    listed = await http.post("/v3/get", json={**KEYS, "state": "all", "detailType": "complete"})
    added = (await http.post("/v3/add", json={**KEYS, "url": URL})).json()["item"]

    assert sent.json() == {"status": 1, "action_results": [True], "action_errors": [None]}
    assert listed.json()["search_meta"]["search_type"] == "normal"
    assert (listed.json()["error"], type(listed.json()["since"])) == (None, int)
    assert added["extended_item_id"] == added["item_id"]
    assert all(added[field].isdigit() for field in ("response_code", "content_length", "resolved_id", "word_count"))
    assert "X-Error-Code" not in sent.headers


async def test_go_and_node_read_every_number_from_a_string(http: httpx.AsyncClient) -> None:
    item = only(await http.post("/v3/get", json=KEYS))

    numbers = "item_id resolved_id favorite status time_added time_updated time_read time_favorited is_article is_index"
    assert all(item[field].isdigit() for field in [*numbers.split(), "has_video", "has_image", "word_count"])
    assert type(item["sort_id"]) is int


async def test_an_empty_list_is_an_object_for_go(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v3/get", json={**KEYS, "search": "nothing"})

    assert '"list":{}' in answer.text


async def test_python_scripts_add_with_odd_fields_and_read_errors_from_the_headers(http: httpx.AsyncClient) -> None:
    action = {"action": "add", "item_id": 0, "url": "https://b.example/", "wait": False, "time": None, "tags": ""}
    sent = await http.post("/v3/send", json={**KEYS, "actions": [action], "username": "me"})
    refused = await http.post("/v3/get", json={**KEYS, "access_token": "revoked"})

    assert sent.json()["action_results"][0]["given_url"] == "https://b.example/"
    assert int(refused.headers["X-Error-Code"]) == 107
    assert refused.headers["X-Error"]


async def test_node_counts_milliseconds(http: httpx.AsyncClient) -> None:
    await http.post("/v3/send", json={**KEYS, "actions": [{"action": "archive", "item_id": 1, "time": NOW * 1000}]})

    assert only(await http.post("/v3/get", json=KEYS))["time_read"] == str(NOW)


async def test_newsboat_cuts_the_sign_in_at_its_signs(http: httpx.AsyncClient) -> None:
    asked = {"consumer_key": KEY, "redirect_uri": "https://github.example/"}
    begun = await http.post("/v3/oauth/request", content=urlencode(asked), headers=FORM)

    name, _, code = begun.text.partition("=")
    assert (name, "&" in code, code[0].isdigit()) == ("code", False, True)


async def test_miniflux_takes_json_and_any_status_from_400_on_as_failure(http: httpx.AsyncClient) -> None:
    accepts = {"X-Accept": "application/json", "Content-Type": "application/json"}
    asked = {"consumer_key": KEY, "redirect_uri": "https://reader.example/callback"}
    begun = await http.post("/v3/oauth/request", json=asked, headers=accepts)
    code = begun.json()["code"]
    early = await http.post("/v3/oauth/authorize", json={"consumer_key": KEY, "code": code}, headers=accepts)

    assert code
    assert early.status_code >= 400


async def test_pocket_auth_sends_an_object_as_state_and_the_code_twice(http: httpx.AsyncClient) -> None:
    asked = {"consumer_key": KEY, "redirect_uri": "http://localhost/", "state": {}}
    code = (await http.post("/v3/oauth/request", json=asked, headers={"X-Accept": "application/json"})).json()["code"]

    answer = await http.post("/v3/oauth/authorize", json={"consumer_key": KEY, "code": code, "request_token": code})

    assert answer.headers["x-error-code"] == "158"


async def test_android_sends_a_form_with_the_actions_as_text_and_signs_it(http: httpx.AsyncClient) -> None:
    own = {"locale_lang": "en", "guid": "1", "oauth_timestamp": "1", "oauth_nonce": "n", "sig_hash": "h", "cxt_ui": "x"}
    actions = json.dumps([{"action": "tags_add", "item_id": "1", "tags": ["y"]}, {"action": "pv", "view": "list"}])
    sent = await http.post("/v3/send", content=urlencode({**KEYS, **own, "actions": actions}), headers=FORM)
    fetched = await http.post("/v3/fetch", content=urlencode({**KEYS, **own, "shares": "1"}), headers=FORM)

    assert sent.headers["x-source"] == "Pocket"
    assert sent.json()["action_results"] == [True, True]
    assert set(only(fetched)["tags"]) == {"x", "y"}
    assert fetched.json()["passthrough"]["firstChunkSize"] == "25"


async def test_pocketsharp_asks_for_stats_with_a_form(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v3/stats", content=urlencode(KEYS), headers=FORM)

    assert answer.json() == {"count_list": 1, "count_read": 0, "count_unread": 1, "status": 1}


async def test_pocket_to_sqlite_steps_by_500_whatever_comes(http: httpx.AsyncClient) -> None:
    adds = [{"action": "add", "url": f"https://a.example/{number}"} for number in range(599)]
    await http.post("/v3/send", json={**KEYS, "actions": adds})

    pages = [
        await http.post("/v3/get", json={**KEYS, "sort": "oldest", "state": "all", "count": 500, "offset": offset})
        for offset in (0, 500, 1000)
    ]

    assert [len(page.json()["list"]) for page in pages] == [500, 100, 0]


async def test_what_was_undone_is_as_it_was(http: httpx.AsyncClient, clock: Clock) -> None:
    async def do(*names: str) -> dict[str, Any]:
        sent = await http.post(
            "/v3/send", json={**KEYS, "actions": [{"action": name, "item_id": "1"} for name in names]}
        )
        assert sent.json()["action_results"] == [True] * len(names)
        return only(await http.post("/v3/get", json={**KEYS, "since": NOW}))

    assert (await do("archive", "undo_archive"))["status"] == "0"
    assert (await do("delete", "undo_delete"))["status"] == "0"
    assert (await do("archive", "delete", "undo_delete"))["status"] == "1"
    assert (await do("undo_delete"))["status"] == "1"
