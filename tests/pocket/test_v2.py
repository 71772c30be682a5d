"""Version 2: our client at our server, documented shapes, and what servers of that time may answer."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from bridge import passwords
from bridge.pocket import (
    AccessTokenError,
    InvalidRequestError,
    Link,
    NewLink,
    NotPocketError,
    PermissionDeniedError,
    RateLimitError,
    ReadItLater,
    UnexpectedReplyError,
    UnreachableError,
    UsernameTakenError,
)
from bridge.pocket.v2 import _from_json, _from_xml
from bridge.sources.pocket_api.v2 import SIGN_UPS
from bridge.store.core import Store
from tests.conftest import Clock
from tests.pocket.server import KEY, TOKEN, Answer, Gone, Script, browser, client, face

NOW = 1_790_000_000
KEYS = {"apikey": KEY, "username": "me", "password": TOKEN}
PASSWORD = "correct horse"
STORED = passwords.kept(PASSWORD)


@pytest.fixture
def app(store: Store, clock: Clock) -> Starlette:
    return face(store, clock)


def reader(app: Any, username: str = "me", password: str = TOKEN, **more: Any) -> ReadItLater:
    transport = httpx.ASGITransport(app)
    return ReadItLater(KEY, username, password, base_url="http://list.example", transport=transport, **more)


async def call(app: Starlette, method: str, **asked: Any) -> httpx.Response:
    async with browser(app) as http:
        return await http.post(f"/v2/{method}", data={**KEYS, **asked})


# -- our client, our server ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["json", "xml"])
async def test_links_come_back_as_they_were_sent(app: Starlette, clock: Clock, format_: Any) -> None:
    async with reader(app) as pocket:
        await pocket.add("https://a.example/?x=1&y=<2>", title="Ä & <b>", ref_id="7")
        clock.move(10)
        await pocket.send(
            new=[NewLink("https://b.example/", "B"), "https://c.example/"],
            read=["https://a.example/?x=1&y=<2>"],
            update_title={"https://b.example/": "Better"},
            update_tags={"https://b.example/": ["x", "y"]},
        )
        page = await pocket.get(tags=True, format=format_)

    assert page.since == NOW + 10
    assert page.links == (
        Link("3", "https://c.example/", "", False, (), NOW + 10, NOW + 10),
        Link("2", "https://b.example/", "Better", False, ("x", "y"), NOW + 10, NOW + 10),
        Link("1", "https://a.example/?x=1&y=<2>", "Ä & <b>", True, (), NOW, NOW + 10),
    )


@pytest.mark.parametrize("format_", ["json", "xml"])
async def test_stats_count_what_is_there(app: Starlette, format_: Any) -> None:
    async with reader(app) as pocket:
        await pocket.send(new=["https://a.example/", "https://b.example/"], read=["https://a.example/"])
        stats = await pocket.stats(format=format_)

    assert (stats.user_since, stats.total, stats.read, stats.unread) == (NOW, 2, 1, 1)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "321"),
        ({"state": "read"}, "1"),
        ({"state": "unread"}, "32"),
        ({"count": 2}, "32"),
        ({"count": 2, "page": 2}, "1"),
        ({"count": 2, "page": 3}, ""),
        ({"since": NOW + 5}, "3"),
        ({"my_app_only": True}, "321"),
    ],
)
async def test_get_answers_what_was_asked(app: Starlette, clock: Clock, asked: Any, expected: str) -> None:
    async with reader(app) as pocket:
        await pocket.send(new=["https://a.example/", "https://b.example/"], read=["https://a.example/"])
        await pocket.send(update_title={"https://b.example/": "B"})
        clock.move(10)
        await pocket.add("https://c.example/")
        page = await pocket.get(**asked)

    assert "".join(sorted((link.item_id for link in page.links), reverse=True)) == expected


async def test_what_was_deleted_elsewhere_is_not_shown(app: Starlette, clock: Clock) -> None:
    async with client(app) as pocket:
        await pocket.add("https://a.example/")
    async with browser(app) as http:
        actions = json.dumps([{"action": "delete", "item_id": "1"}])
        await http.get("/v3/send", params={"consumer_key": KEY, "access_token": TOKEN, "actions": actions})

    assert (await call(app, "get", since=NOW)).json() == {"status": 2, "since": NOW, "complete": 1, "list": {}}


async def test_a_name_and_a_password_open_their_own_list(store: Store, app: Starlette) -> None:
    await store.accounts.add_user("ann", STORED)
    async with reader(app, "ann", PASSWORD) as ann, reader(app) as owner:
        await ann.auth()
        await ann.add("https://ann.example/")

        assert [link.url for link in (await ann.get()).links] == ["https://ann.example/"]
        assert (await owner.get()).links == ()


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong"), ("bob", PASSWORD), ("me", ""), ("me", PASSWORD)])
async def test_a_wrong_name_or_password_is_told(store: Store, app: Starlette, name: str, password: str) -> None:
    await store.accounts.add_user("ann", STORED)
    async with reader(app, name, password) as pocket:
        with pytest.raises(AccessTokenError) as refused:
            await pocket.auth()

    assert refused.value.status == 401
    assert password not in str(refused.value) or not password


async def test_anybody_becomes_a_user_where_that_is_on(store: Store, clock: Clock) -> None:
    app = face(store, clock, signup=True)
    async with reader(app, "", "") as pocket:
        await pocket.signup("ann_1", PASSWORD)
        await pocket.auth()
        with pytest.raises(UsernameTakenError):
            await pocket.signup("ann_1", "another password")
        with pytest.raises(UsernameTakenError):
            await pocket.signup("me", "another password")
        for name in ("Ann", "a" * 21, "", "a b"):
            with pytest.raises(InvalidRequestError):
                await pocket.signup(name, PASSWORD)
        with pytest.raises(InvalidRequestError):
            await pocket.signup("bob", "short")


async def test_new_users_are_few_an_hour(store: Store, clock: Clock) -> None:
    app = face(store, clock, signup=True)
    answers = [await call(app, "signup", username=f"user{number}", password=PASSWORD) for number in range(SIGN_UPS + 1)]

    assert [answer.status_code for answer in answers] == [200] * SIGN_UPS + [403]


async def test_nobody_becomes_a_user_otherwise(app: Starlette) -> None:
    async with reader(app) as pocket:
        with pytest.raises(PermissionDeniedError, match="takes no new users"):
            await pocket.signup("ann", PASSWORD)


async def test_asking_for_the_limits_does_not_count(app: Starlette) -> None:
    async with reader(app) as pocket:
        await pocket.auth()
        for _ in range(3):
            limits = await pocket.api()
        await pocket.auth()

        assert limits.key.limit == 10_000
        assert (pocket.limits.user.remaining, pocket.limits.key.remaining) == (318, 9998)


async def test_a_reached_limit_is_403_in_words(store: Store, clock: Clock) -> None:
    async with reader(face(store, clock, user_calls=1)) as pocket:
        await pocket.auth()
        with pytest.raises(RateLimitError) as reached:
            await pocket.auth()

    assert reached.value.limits.wait == 3600 - NOW % 3600


async def test_an_add_is_an_arrival(store: Store, app: Starlette) -> None:
    async with reader(app) as pocket:
        await pocket.send(new=["https://a.example/"], read=["https://a.example/"])
        await pocket.add("https://b.example/")

    assert [json.loads(arrival.raw)["url"] for arrival in await store.due(10)] == [
        "https://a.example/",
        "https://b.example/",
    ]


# -- the shapes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["add", "send", "auth", "api"])
async def test_what_was_done_is_200_ok_in_words(app: Starlette, method: str) -> None:
    answer = await call(app, method, url="https://a.example/", read="{}")

    assert (answer.status_code, answer.text) == (200, "200 OK")
    assert answer.headers["content-type"].startswith("text/plain")


async def test_the_fields_have_the_types_that_were_recorded(app: Starlette) -> None:
    await call(app, "add", url="https://a.example/", title="T")

    listed = (await call(app, "get")).json()
    stats = (await call(app, "stats")).json()

    assert listed == {
        "status": 1,
        "since": NOW,
        "complete": 1,
        "list": {
            "1": {
                "item_id": "1",
                "url": "https://a.example/",
                "title": "T",
                "time_updated": str(NOW),
                "time_added": str(NOW),
                "state": "0",
            }
        },
    }
    assert stats == {"user_since": NOW, "count_list": "1", "count_read": "0", "count_unread": "1"}


async def test_xml_is_a_prolog_and_elements_beside_each_other(app: Starlette) -> None:
    await call(app, "add", url="https://a.example/?a&b")

    answer = await call(app, "get", format="xml")

    prolog, _, elements = answer.text.partition("\n")
    assert prolog == '<?xml version="1.0" encoding="UTF-8"?>'
    assert answer.headers["content-type"].startswith("text/xml")
    assert [child.tag for child in ET.fromstring(f"<x>{elements}</x>")] == ["status", "since", "complete", "list"]


@pytest.mark.parametrize(
    ("method", "asked", "status", "code"),
    [
        ("get", {"apikey": ""}, 400, "132"),
        ("get", {"apikey": "a b"}, 403, "152"),
        ("get", {"password": "wrong"}, 401, "2"),
        ("get", {"state": "gone"}, 400, "130"),
        ("get", {"count": "0"}, 400, "130"),
        ("get", {"page": "x"}, 400, "130"),
        ("get", {"format": "csv"}, 400, "130"),
        ("add", {}, 400, "130"),
        ("add", {"url": "javascript:alert(1)"}, 400, "130"),
        ("send", {"new": "no json"}, 400, "130"),
        ("text", {}, 404, "130"),
        ("", {}, 404, "130"),
    ],
)
async def test_a_failure_is_the_status_in_words_and_headers(
    app: Starlette, *, method: str, asked: dict[str, str], status: int, code: str
) -> None:
    answer = await call(app, method, **asked)

    assert (answer.status_code, answer.headers["x-error-code"]) == (status, code)
    assert answer.text.startswith(f"{status} ")
    assert answer.headers["x-error"]
    assert answer.headers["x-source"] == "Pocket"
    assert answer.headers["status"] == answer.text


@pytest.mark.parametrize(
    "new",
    [
        '{"0": {"url": "https://a.example/"}}',
        '[{"url": "https://a.example/"}]',
        '{"url": "https://a.example/"}',
        '{"0": {"url": "javascript:x"}, "1": {"url": "https://a.example/"}, "2": 7}',
        "%7B%220%22%3A%7B%22url%22%3A%22https%3A%2F%2Fa.example%2F%22%7D%7D",
    ],
)
async def test_a_batch_is_read_in_every_spelling(app: Starlette, new: str) -> None:
    assert (await call(app, "send", new=new)).status_code == 200
    assert [link["url"] for link in (await call(app, "get")).json()["list"].values()] == ["https://a.example/"]


async def test_a_call_by_get_is_answered(app: Starlette) -> None:
    async with browser(app) as http:
        answer = await http.get("/v2/add", params={**KEYS, "url": "https://a.example/"})

    assert answer.text == "200 OK"


# -- other servers -------------------------------------------------------------------------------------------------

ITEM = "<item><item_id>7</item_id><url>https://a.example/</url><title>T</title><state>1</state></item>"
LINK = Link("7", "https://a.example/", "T", True, (), 0, 0)


@pytest.mark.parametrize(
    ("format_", "body"),
    [
        (
            "json",
            '{"status":"1","since":"5","list":{"7":{"item_id":7,"url":"https://a.example/","title":"T","state":1}}}',
        ),
        ("json", '{"since":5,"list":[{"item_id":"7","url":"https://a.example/","title":"T","state":"1"}]}'),
        ("xml", f"<status>1</status><since>5</since><list>{ITEM}</list>"),
        ("xml", f'<?xml version="1.0"?>\n<response><since>5</since><list>{ITEM}</list></response>'),
        ("xml", f'\n<?xml version="1.0" ?><since>5</since><list>{ITEM}</list>'),
    ],
)
async def test_every_shape_of_a_list_is_understood(format_: Any, body: str) -> None:
    async with reader(Script(Answer(body=body))) as pocket:
        page = await pocket.get(format=format_)

    assert (page.links, page.since) == ((LINK,), 5)


@pytest.mark.parametrize("body", ['{"list": [], "since": 1}', '{"list": {}, "since": "1"}', '{"since": 1}'])
async def test_an_empty_list_may_look_like_anything(body: str) -> None:
    async with reader(Script(Answer(body=body))) as pocket:
        assert (await pocket.get()).links == ()


@pytest.mark.parametrize(
    ("format_", "body"),
    [
        ("json", "nonsense"),
        ("json", "[]"),
        ("json", '{"list": [7]}'),
        ("xml", "<since>"),
        ("xml", '<!DOCTYPE x [<!ENTITY a "b">]><since>1</since>'),
        ("xml", "<list><item><title>T</title></item></list>"),
    ],
)
async def test_nonsense_is_an_error_of_ours(format_: Any, body: str) -> None:
    async with reader(Script(Answer(body=body))) as pocket:
        with pytest.raises(UnexpectedReplyError):
            await pocket.get(format=format_)


@given(body=st.text(max_size=200), format_=st.sampled_from(["json", "xml"]))
def test_no_answer_breaks_the_reading(body: str, format_: str) -> None:
    read: Callable[[str], Any] = _from_json if format_ == "json" else _from_xml
    with contextlib.suppress(UnexpectedReplyError):
        assert isinstance(read(body), dict)


async def test_a_page_of_something_in_between_is_no_answer() -> None:
    async with reader(Script(Answer(body="<html>Wi-Fi login</html>", headers={}))) as pocket:
        with pytest.raises(NotPocketError):
            await pocket.add("https://a.example/")


async def test_no_answer_is_said_and_holds_no_secret() -> None:
    async with ReadItLater(KEY, "me", "canary", base_url="http://x", transport=Gone()) as pocket:
        with pytest.raises(UnreachableError) as gone:
            await pocket.add("https://a.example/")

    assert "canary" not in str(gone.value) + repr(pocket)


async def test_a_server_that_repeats_the_password_does_not_give_it_away() -> None:
    headers = {"X-Source": "Pocket", "X-Error": f"wrong password {TOKEN}"}
    async with reader(Script(Answer(401, "401 Unauthorized", headers))) as pocket:
        with pytest.raises(AccessTokenError) as refused:
            await pocket.auth()

    assert TOKEN not in str(refused.value) + str(pocket.limits)
