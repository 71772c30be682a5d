"""The client against servers that answer well, badly, and not at all."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from bridge.pocket import (
    AccessTokenError,
    Action,
    ActionError,
    Add,
    Archive,
    CodeError,
    CodeUsedError,
    ConsumerKeyError,
    Delete,
    Favorite,
    InvalidRequestError,
    MaintenanceError,
    NotApprovedError,
    NotPocketError,
    PermissionDeniedError,
    Pocket,
    PocketError,
    RateLimitError,
    Readd,
    RedirectError,
    ServerError,
    Stats,
    TagDelete,
    TagRename,
    TagsAdd,
    TagsClear,
    TagsRemove,
    TagsReplace,
    TooLargeError,
    UnexpectedReplyError,
    Unfavorite,
    UnreachableError,
    retrying,
)
from bridge.store.core import Store
from tests.conftest import Clock
from tests.pocket.server import KEY, TOKEN, Answer, Gone, Script, client, face

OK = {"X-Source": "Pocket"}


@pytest.fixture
def app(store: Store, clock: Clock) -> Starlette:
    return face(store, clock)


def listed(*ids: int, **more: Any) -> Answer:
    items = {str(id_): {"item_id": str(id_), "sort_id": place} for place, id_ in enumerate(ids)}
    return Answer(body={"status": 1, "list": items or [], "since": 5, **more})


# -- actions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "wire"),
    [
        (Add(url="https://a.example/", tags=["a", "b"], title="T", time=5), {"action": "add", "url": "https://a.example/", "tags": "a,b", "title": "T", "time": "5"}),
        (Add(url="https://a.example/"), {"action": "add", "url": "https://a.example/"}),
        (Archive(item_id=7), {"action": "archive", "item_id": "7"}),
        (Readd(url="https://a.example/"), {"action": "readd", "url": "https://a.example/"}),
        (Favorite(item_id="7", time=9), {"action": "favorite", "item_id": "7", "time": "9"}),
        (Unfavorite(item_id="7"), {"action": "unfavorite", "item_id": "7"}),
        (Delete(item_id="7"), {"action": "delete", "item_id": "7"}),
        (TagsAdd(item_id="7", tags=["x"]), {"action": "tags_add", "item_id": "7", "tags": "x"}),
        (TagsRemove(item_id="7", tags=["x", "y"]), {"action": "tags_remove", "item_id": "7", "tags": "x,y"}),
        (TagsReplace(item_id="7", tags=[]), {"action": "tags_replace", "item_id": "7", "tags": ""}),
        (TagsClear(item_id="7"), {"action": "tags_clear", "item_id": "7"}),
        (TagRename(old_tag="a", new_tag="b"), {"action": "tag_rename", "old_tag": "a", "new_tag": "b"}),
        (TagDelete(tag="a"), {"action": "tag_delete", "tag": "a"}),
    ],
)  # fmt: skip
def test_an_action_says_no_more_than_it_must(action: Action, wire: dict[str, str]) -> None:
    assert action.wire() == wire


def test_an_action_on_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="archive needs an item_id or a url"):
        Archive()


async def test_all_actions_work_on_the_embedded_list(app: Starlette) -> None:
    async with client(app) as pocket:
        first, second = await pocket.send(
            [Add(url="https://a.example/1", tags=["a"]), Add(url="https://a.example/2", tags=["b"])]
        )
        assert first.item
        assert second.item
        one, two = first.item.item_id, second.item.item_id
        results = await pocket.send(
            [
                TagsAdd(item_id=one, tags=["c", "d"]),
                TagsRemove(item_id=one, tags=["d"]),
                TagRename(old_tag="c", new_tag="e"),
                TagDelete(tag="a"),
                Favorite(item_id=one),
                Archive(item_id=two),
                Readd(item_id=two),
                TagsReplace(item_id=two, tags=["z"]),
                TagsClear(item_id=two),
                Unfavorite(item_id=two),
                Delete(url="https://a.example/2"),
                Archive(item_id="99"),
            ]
        )

        assert [result.ok for result in results] == [True] * 11 + [False]
        assert results[-1].error == ActionError("there is no such item on the list", "NotFound", 404)
        assert [(item.item_id, item.tags, item.favorite) async for item in pocket.items()] == [(one, ("e",), True)]


async def test_a_long_batch_is_split_and_its_results_are_joined() -> None:
    server = Script(Answer(body={"action_results": [True, "1"]}), Answer(body={"action_results": [1]}))

    async with client(server) as pocket:
        results = await pocket.send([Archive(item_id=number) for number in (1, 2, 3)], batch=2)

    assert [result.ok for result in results] == [True] * 3
    assert [len(asked["actions"]) for _, asked in server.asked] == [2, 1]


async def test_what_was_done_before_a_call_failed_is_told() -> None:
    server = Script(Answer(body={"action_results": [True]}), Answer(503))

    async with client(server) as pocket:
        with pytest.raises(MaintenanceError) as failure:
            await pocket.send([Archive(item_id=1), Archive(item_id=2)], batch=1)

    assert [result.action for result in failure.value.done] == [Archive(item_id=1)]


@pytest.mark.parametrize(
    ("result", "error", "ok", "told"),
    [
        (True, None, True, None),
        (1, None, True, None),
        ({"item_id": "5"}, None, True, None),
        ({"item": {"item_id": "5"}}, None, True, None),
        (False, None, False, ActionError()),
        (None, "no such item", False, ActionError("no such item")),
        (False, {"message": "m", "type": "t", "code": "422"}, False, ActionError("m", "t", 422)),
    ],
)
async def test_a_result_is_read_in_every_spelling(
    result: Any, error: Any, *, ok: bool, told: ActionError | None
) -> None:
    server = Script(Answer(body={"status": 1, "action_results": [result], "action_errors": [error]}))

    async with client(server) as pocket:
        [read] = await pocket.send([Readd(item_id=5)])

    assert (read.ok, read.error) == (ok, told)
    assert (read.item is not None) == isinstance(result, dict)


@pytest.mark.parametrize("results", [[], [True, True], None, {"0": True, "1": False}])
async def test_results_that_do_not_fit_the_actions_are_an_error(results: Any) -> None:
    async with client(Script(Answer(body={"action_results": results}))) as pocket:
        with pytest.raises(UnexpectedReplyError, match="1 actions were sent"):
            await pocket.send([Archive(item_id=1)])


# -- items ---------------------------------------------------------------------------------------------------------


async def test_a_question_is_asked_in_the_words_of_the_api() -> None:
    server = Script(listed())

    async with client(server) as pocket:
        await pocket.get(
            state="unread", favorite=True, tag="t", content_type="article", sort="oldest", detail_type="complete",
            search="s", domain="d", since=1, updated_before=2, count=3, offset=0, total=False, flags=["taglist"],
        )  # fmt: skip

    assert server.asked == [
        (
            "/v3/get",
            {
                "consumer_key": KEY,
                "access_token": TOKEN,
                "state": "unread",
                "favorite": "1",
                "tag": "t",
                "contentType": "article",
                "sort": "oldest",
                "detailType": "complete",
                "search": "s",
                "domain": "d",
                "since": "1",
                "updatedBefore": "2",
                "count": "3",
                "offset": "0",
                "total": "0",
                "taglist": "1",
            },
        )
    ]


async def test_all_pages_of_a_list_come_once(app: Starlette) -> None:
    async with client(app) as pocket:
        await pocket.send([Add(url=f"https://a.example/{number}") for number in range(25)])
        items = pocket.items(page=10, sort="oldest")

        urls = [item.url async for item in items]

    assert urls == [f"https://a.example/{number}" for number in range(25)]
    assert items.total == 25
    assert items.since is not None


async def test_a_server_that_gives_smaller_pages_loses_nothing() -> None:
    server = Script(listed(1, 2), listed(3, 4), listed(4, 5), listed())

    async with client(server) as pocket:
        ids = [item.item_id async for item in pocket.items(page=500)]

    assert ids == ["1", "2", "3", "4", "5"]
    assert [asked["offset"] for _, asked in server.asked] == ["0", "2", "4", "6"]


async def test_a_server_that_ignores_the_offset_does_not_turn_in_circles() -> None:
    server = Script(listed(1, 2))

    async with client(server) as pocket:
        assert [item.item_id async for item in pocket.items()] == ["1", "2"]


async def test_only_changes_come_since_the_last_time(app: Starlette, clock: Clock) -> None:
    async with client(app) as pocket:
        await pocket.send([Add(url="https://a.example/1"), Add(url="https://a.example/2")])
        clock.move(60)
        everything = pocket.items()
        assert len([item async for item in everything]) == 2
        clock.move(60)
        await pocket.send([Delete(url="https://a.example/1")])

        changed = [item async for item in pocket.items(since=everything.since or 0)]

    assert [(item.item_id, item.deleted) for item in changed] == [("1", True)]


async def test_tags_account_and_statistics_are_answered(app: Starlette) -> None:
    async with client(app) as pocket:
        await pocket.add("https://a.example/", title="T", tags=["b", "a"])

        page = await pocket.get(count=1, total=True, flags=["taglist", "account"])

        assert (page.total, page.tags, len(page.items)) == (1, ("a", "b"), 1)
        assert page.account is not None
        assert page.limits.user.limit == 320
        assert await pocket.stats() == Stats(unread=1, archived=0, total=1)


# -- sign-in -------------------------------------------------------------------------------------------------------

FORM = {"X-Source": "Pocket", "Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("body", "headers", "state"),
    [
        ({"code": "c0de", "state": None}, OK, None),
        ({"code": "c0de", "state": "s t"}, OK, "s t"),
        ("code=c0de", FORM, None),
        ("code=c0de&state=s+t", FORM, "s t"),
        ("code=c0de", OK, None),
    ],
)
async def test_a_request_token_is_read_from_json_and_form(
    body: Any, headers: dict[str, str], state: str | None
) -> None:
    server = Script(Answer(body=body, headers=headers))

    async with client(server, token="") as pocket:
        token = await pocket.request_token("app:done", state=state)

    assert (token.code, token.state) == ("c0de", state)
    asked = {"consumer_key": KEY, "redirect_uri": "app:done"} | ({"state": state} if state else {})
    assert server.asked == [("/v3/oauth/request", asked)]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"access_token": "t0ken", "username": "me@example.org", "account": {"user_id": "1"}}, OK),
        ("access_token=t0ken&username=me%40example.org", FORM),
    ],
)
async def test_after_signing_in_the_client_acts_for_the_user(body: Any, headers: dict[str, str]) -> None:
    server = Script(Answer(body=body, headers=headers), listed())

    async with client(server, token="") as pocket:
        access = await pocket.authorize("c0de", account=True)
        await pocket.get()

    assert (access.access_token, access.username) == ("t0ken", "me@example.org")
    assert server.asked[0] == ("/v3/oauth/authorize", {"consumer_key": KEY, "code": "c0de", "account": "1"})
    assert server.asked[1][1]["access_token"] == "t0ken"


async def test_another_state_than_the_one_sent_is_refused() -> None:
    async with client(Script(Answer(body={"code": "c", "state": "theirs"}))) as pocket:
        with pytest.raises(UnexpectedReplyError, match="another state"):
            await pocket.request_token("app:done", state="mine")


def test_the_user_approves_at_an_address() -> None:
    pocket = Pocket(KEY, base_url="https://list.example/")

    assert pocket.authorize_url("c", "app:done?x=1", force="login", mobile=True) == (
        "https://list.example/auth/authorize?request_token=c&redirect_uri=app%3Adone%3Fx%3D1&force=login&mobile=1"
    )


# -- errors --------------------------------------------------------------------------------------------------------

LIMITED = {"X-Limit-User-Remaining": "0", "X-Limit-User-Reset": "120"}


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (400, {"X-Error-Code": "130", "X-Error": "Bad request"}, InvalidRequestError),
        (400, {"X-Error-Code": "138", "X-Error": "Missing consumer key."}, ConsumerKeyError),
        (400, {"X-Error-Code": "140"}, RedirectError),
        (400, {"X-Error-Code": "181"}, RedirectError),
        (400, {"X-Error-Code": "182"}, CodeError),
        (400, {"X-Error-Code": "185"}, CodeError),
        (400, {}, InvalidRequestError),
        (401, {"X-Error-Code": "107"}, AccessTokenError),
        (401, {}, AccessTokenError),
        (403, {"X-Error-Code": "152"}, ConsumerKeyError),
        (403, {"X-Error-Code": "158", "X-Error": "User rejected code."}, NotApprovedError),
        (403, {"X-Error-Code": "158", **LIMITED}, NotApprovedError),
        (403, {"X-Error-Code": "159"}, CodeUsedError),
        (403, {"X-Error-Code": "5200"}, PermissionDeniedError),
        (403, {"X-Error": "no access"}, PermissionDeniedError),
        (403, LIMITED, RateLimitError),
        (403, {"X-Error-Code": "152", **LIMITED}, RateLimitError),
        (403, {"X-Error": "The application has made too many requests in the past hour."}, RateLimitError),
        (403, {"X-Error-Code": "5"}, RateLimitError),
        (404, {}, NotPocketError),
        (302, {"Location": "https://login.example/"}, NotPocketError),
        (413, {}, TooLargeError),
        (422, {}, InvalidRequestError),
        (429, {"Retry-After": "9"}, RateLimitError),
        (500, {"X-Error-Code": "198"}, ServerError),
        (502, {}, ServerError),
        (503, {"X-Error": "Down for maintenance", "X-Error-Code": "199"}, MaintenanceError),
    ],
)
async def test_every_failure_has_its_error(status: int, headers: dict[str, str], kind: type[PocketError]) -> None:
    async with client(Script(Answer(status, headers={**OK, **headers}))) as pocket:
        with pytest.raises(PocketError) as failure:
            await pocket.get()

    error = failure.value
    assert type(error) is kind
    assert (error.status, error.code) == (status, int(headers.get("X-Error-Code", 0)))
    assert error.limits == pocket.limits
    assert error.advice in str(error)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(403, "<html>blocked</html>", {}), "answers text/html instead of JSON"),
        (Answer(200, "<html>sign in to this Wi-Fi</html>", {}), "answers text/html instead of JSON"),
        (Answer(200, "", {}), "instead of JSON"),
    ],
)
async def test_a_page_of_something_in_between_is_no_answer_of_pocket(answer: Answer, words: str) -> None:
    async with client(Script(answer)) as pocket:
        with pytest.raises(NotPocketError, match=words):
            await pocket.get()


@pytest.mark.parametrize("body", ["<html>", "", "[1]", '{"a"', "[" * 100_000, '{"a":' + "[" * 100_000])
async def test_what_cannot_be_read_is_an_unexpected_reply(body: str) -> None:
    async with client(Script(Answer(200, body))) as pocket:
        with pytest.raises(UnexpectedReplyError):
            await pocket.get()


async def test_status_0_with_words_is_a_failure_of_the_server() -> None:
    async with client(Script(Answer(body={"status": 0, "error": "database away"}))) as pocket:
        with pytest.raises(ServerError, match="database away"):
            await pocket.get()


@pytest.mark.parametrize(
    ("error", "sent"), [(httpx.ConnectError, False), (httpx.ConnectTimeout, False), (httpx.ReadTimeout, True)]
)
async def test_no_answer_is_unreachable(error: Callable[[str], httpx.TransportError], *, sent: bool) -> None:
    async with Pocket(KEY, TOKEN, base_url="http://list.example", transport=Gone(error)) as pocket:
        with pytest.raises(UnreachableError) as failure:
            await pocket.stats()

    assert failure.value.sent is sent


async def test_no_secret_is_in_an_error_or_a_representation() -> None:
    echo = f"token {TOKEN} of {KEY} is bad"
    server = Script(Answer(401, json.dumps({"error": echo}), {**OK, "X-Error": echo}))

    async with client(server) as pocket:
        with pytest.raises(AccessTokenError) as failure:
            await pocket.get()

    for words in (repr(pocket), str(failure.value), repr(failure.value), repr(pocket.limits)):
        assert TOKEN not in words
        assert KEY not in words


def test_an_address_without_a_scheme_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="must begin with http"):
        Pocket(KEY, base_url="list.example")


# -- trying again --------------------------------------------------------------------------------------------------


class Sleep:
    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


async def tried(server: Script, **policy: Any) -> tuple[list[float], int]:
    """The waits between tries, and how many there were."""
    sleep = Sleep()
    async with client(server) as pocket:
        with contextlib.suppress(PocketError):
            await retrying(sleep=sleep, chance=lambda: 0.5, **policy)(pocket.stats)
    return sleep.waits, len(server.asked)


STATS = Answer(body={"count_list": 0, "count_read": 0, "count_unread": 0, "status": 1})


async def test_a_short_failure_is_tried_again_with_jitter() -> None:
    assert await tried(Script(Answer(500), Answer(502), STATS)) == ([0.25, 0.5], 3)


async def test_the_wait_is_the_one_the_server_names() -> None:
    busy = Answer(429, headers={**OK, "Retry-After": "4"})

    assert await tried(Script(busy, busy, STATS)) == ([4.0, 4.0], 3)


async def test_a_wait_past_the_deadline_is_not_begun() -> None:
    busy = Answer(403, headers={**OK, **LIMITED})

    assert await tried(Script(busy, STATS)) == ([], 1)


async def test_waits_add_up_to_the_deadline_at_most() -> None:
    busy = Answer(503, headers={**OK, "Retry-After": "4"})

    assert await tried(Script(busy), tries=9, within=10.0) == ([4.0, 4.0], 3)


async def test_what_will_never_pass_is_not_tried_again() -> None:
    assert await tried(Script(Answer(400))) == ([], 1)
