"""An application gets a token for a person who approves it, and for nobody else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from starlette.applications import Starlette

from bridge import passwords
from bridge.pocket import CodeUsedError, ConsumerKeyError, NotApprovedError, Pocket
from bridge.sources.pocket_api.entrance import WRONG_PASSWORDS
from bridge.store.core import Store
from tests.conftest import Clock
from tests.pocket.server import INNER, KEY, TOKEN, browser, client, face

BACK = "https://app.example/done?x=1#end"
PASSWORD = "correct horse"
STORED = passwords.kept(PASSWORD)
OTHER_KEY = "9999-abcd1234abcd1234abcd1234"
SECRET = re.compile(r"[0-9][0-9a-f]{7}(-[0-9a-f]{4}){3}-[0-9a-f]{6}")


@pytest.fixture
async def app(store: Store, clock: Clock) -> Starlette:
    await store.accounts.add_user("ann", STORED)
    return face(store, clock)


@pytest.fixture
async def http(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(app) as http:
        yield http


def hidden(page: str) -> dict[str, str]:
    """The form of the page as a browser would send it back."""
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {name: unescape(value) for name, value in fields}


async def begin(http: httpx.AsyncClient, *, back: str = BACK, **more: Any) -> str:
    asked = {"consumer_key": KEY, "redirect_uri": back, **more}
    answer = await http.post("/v3/oauth/request", json=asked, headers={"X-Accept": "application/json"})
    code: str = answer.json()["code"]
    return code


async def visit(http: httpx.AsyncClient, code: str) -> httpx.Response:
    return await http.get("/auth/authorize", params={"request_token": code, "redirect_uri": "https://evil.example/"})


async def answer(http: httpx.AsyncClient, code: str, **said: str) -> httpx.Response:
    page = await visit(http, code)
    form = {**hidden(page.text), "username": "ann", "password": PASSWORD, "answer": "approve", **said}
    return await http.post("/auth/authorize", data=form)


async def redeem(http: httpx.AsyncClient, code: str, **more: Any) -> httpx.Response:
    asked = {"consumer_key": KEY, "code": code, **more}
    return await http.post("/v3/oauth/authorize", json=asked, headers={"X-Accept": "application/json"})


# -- the whole way -------------------------------------------------------------------------------------------------


async def test_our_library_signs_in_at_our_server_and_sees_only_its_users_list(app: Starlette) -> None:
    async with client(app) as owners:
        await owners.add("https://owner.example/")
    async with client(app, "") as pocket, browser(app) as http:
        token = await pocket.request_token(BACK, state="s t=ä&e")
        with pytest.raises(NotApprovedError):
            await pocket.authorize(token.code)
        approved = await answer(http, token.code)
        access = await pocket.authorize(token.code, account=True)
        await pocket.add("https://ann.example/")

        assert (approved.status_code, approved.headers["location"]) == (303, BACK)
        assert (access.username, access.state, token.state) == ("ann", "s t=ä&e", "s t=ä&e")
        assert access.account is not None
        assert access.account["username"] == "ann"
        assert [item.url async for item in pocket.items()] == ["https://ann.example/"]
        with pytest.raises(CodeUsedError):
            await pocket.authorize(token.code)


async def test_codes_and_tokens_look_like_pockets(http: httpx.AsyncClient) -> None:
    code = await begin(http)
    await answer(http, code)
    token = (await redeem(http, code)).json()["access_token"]

    for secret in (code, token):
        assert SECRET.fullmatch(secret)
        assert len(secret) == 30


async def test_neither_code_nor_token_nor_password_is_in_the_database(http: httpx.AsyncClient, store: Store) -> None:
    code = await begin(http)
    await answer(http, code)
    token = (await redeem(http, code)).json()["access_token"]

    kept = await store._database.read(lambda tx: "\n".join(tx.iterdump()))  # type: ignore[attr-defined]

    assert "ann" in kept
    for secret in (code, token, PASSWORD):
        assert secret not in kept


# -- encodings -----------------------------------------------------------------------------------------------------


async def test_the_answers_are_forms_unless_json_is_asked_for(http: httpx.AsyncClient) -> None:
    asked = {"consumer_key": KEY, "redirect_uri": BACK, "state": "a b"}
    first = await http.post("/v3/oauth/request", data=asked)
    code = dict(parse_qsl(first.text))["code"]
    await answer(http, code)
    second = await http.post("/v3/oauth/authorize", data={"consumer_key": KEY, "code": code})

    assert first.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert re.fullmatch(r"code=[^&]+&state=a\+b", first.text)
    assert re.fullmatch(r"access_token=[^&=]+&username=ann&state=a\+b", second.text)


async def test_a_form_without_state_has_none_and_json_has_null(http: httpx.AsyncClient) -> None:
    asked = {"consumer_key": KEY, "redirect_uri": BACK}
    form = await http.get("/v3/oauth/request", params=asked)
    json = await http.post("/v3/oauth/request", data=asked, headers={"X-Accept": "application/json"})

    assert re.fullmatch(r"code=[^&]+", form.text)
    assert json.json().keys() == {"code", "state"}
    assert json.json()["state"] is None


async def test_a_state_that_is_an_object_comes_back(http: httpx.AsyncClient) -> None:
    asked = {"consumer_key": KEY, "redirect_uri": BACK, "state": {}}
    first = await http.post("/v3/oauth/request", json=asked, headers={"X-Accept": "application/json"})

    assert first.json()["state"] == {}


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "asked", "status", "code"),
    [
        ("request", {"redirect_uri": BACK}, 400, 138),
        ("request", {"consumer_key": KEY}, 400, 140),
        ("request", {"consumer_key": "1-a b", "redirect_uri": BACK}, 403, 152),
        ("request", {"consumer_key": KEY, "redirect_uri": "javascript:alert(1)"}, 400, 181),
        ("request", {"consumer_key": KEY, "redirect_uri": "data:text/html,x"}, 400, 181),
        ("request", {"consumer_key": KEY, "redirect_uri": "done"}, 400, 181),
        ("request", {"consumer_key": KEY, "redirect_uri": "https://a.example/\r\nX: y"}, 400, 181),
        ("request", {"consumer_key": KEY, "redirect_uri": BACK, "state": "x" * 1001}, 400, 130),
        ("authorize", {"code": "1"}, 400, 138),
        ("authorize", {"consumer_key": KEY}, 400, 182),
        ("authorize", {"consumer_key": KEY, "code": "1"}, 400, 185),
        ("authorize", {"consumer_key": KEY, "grant_type": "credentials"}, 401, 2),
    ],
)
async def test_a_wrong_step_is_refused_with_pockets_code(
    http: httpx.AsyncClient, *, path: str, asked: dict[str, str], status: int, code: int
) -> None:
    answered = await http.post(f"/v3/oauth/{path}", json=asked)

    assert (answered.status_code, answered.headers["x-error-code"]) == (status, str(code))
    assert answered.json()["error"]
    assert answered.headers["x-source"] == "Pocket"


async def test_a_code_belongs_to_its_application_and_its_way_back(http: httpx.AsyncClient) -> None:
    code = await begin(http)
    await answer(http, code)

    other = await redeem(http, code, consumer_key=OTHER_KEY)
    elsewhere = await redeem(http, code, redirect_uri="https://evil.example/")

    assert [one.headers["x-error-code"] for one in (other, elsewhere)] == ["152", "181"]
    assert (await redeem(http, code, redirect_uri=BACK)).status_code == 200


async def test_who_refuses_is_led_back_and_the_application_gets_nothing(http: httpx.AsyncClient) -> None:
    code = await begin(http)

    refused = await answer(http, code, answer="deny", password="")

    assert (refused.status_code, refused.headers["location"]) == (303, BACK)
    assert (await redeem(http, code)).headers["x-error-code"] == "158"
    assert (await visit(http, code)).status_code == 403


async def test_two_applications_that_redeem_at_once_get_one_token(http: httpx.AsyncClient) -> None:
    code = await begin(http)
    await answer(http, code)

    both = await asyncio.gather(redeem(http, code), redeem(http, code))

    assert sorted(one.status_code for one in both) == [200, 403]


async def test_a_code_lives_an_hour(http: httpx.AsyncClient, clock: Clock) -> None:
    code = await begin(http)
    clock.move(3601)

    assert (await redeem(http, code)).headers["x-error-code"] == "185"
    assert (await visit(http, code)).status_code == 400


async def test_a_token_works_with_its_own_key_only(app: Starlette, http: httpx.AsyncClient) -> None:
    code = await begin(http)
    await answer(http, code)
    token = (await redeem(http, code)).json()["access_token"]

    asked = {"consumer_key": OTHER_KEY, "access_token": token}
    assert (await http.post("/v3/get", json=asked)).headers["x-error-code"] == "107"
    assert (await http.post("/v3/get", json={**asked, "consumer_key": KEY})).status_code == 200


async def test_a_revoked_token_is_refused_at_once(http: httpx.AsyncClient, store: Store) -> None:
    code = await begin(http)
    await answer(http, code)
    keys = {"consumer_key": KEY, "access_token": (await redeem(http, code)).json()["access_token"]}
    assert (await http.post("/v3/get", json=keys)).status_code == 200

    [token] = await store.accounts.tokens("ann")
    await store.accounts.revoke(token.id)

    assert (await http.post("/v3/get", json=keys)).status_code == 401


async def test_an_official_app_signs_in_with_name_and_password(http: httpx.AsyncClient) -> None:
    asked = {"consumer_key": KEY, "grant_type": "credentials", "username": "Ann", "password": PASSWORD, "account": "1"}
    answered = await http.post("/v3/oauth/authorize", data=asked, headers={"X-Accept": "application/json"})

    assert answered.json()["username"] == "ann"
    keys = {"consumer_key": KEY, "access_token": answered.json()["access_token"]}
    assert (await http.post("/v3/get", json=keys)).status_code == 200


# -- the page ------------------------------------------------------------------------------------------------------


async def test_the_page_names_the_application_what_it_may_and_where_it_leads(
    http: httpx.AsyncClient, store: Store
) -> None:
    await store.accounts.add_application(KEY, "<b>My & app</b>", "ad")

    page = await visit(http, await begin(http))

    assert "&lt;b&gt;My &amp; app&lt;/b&gt;" in page.text
    assert "read your list" in page.text
    assert "change and delete" not in page.text
    assert "return to app.example" in page.text
    assert "evil.example" not in page.text


async def test_the_page_runs_no_script_and_stands_in_no_frame(http: httpx.AsyncClient) -> None:
    page = await visit(http, await begin(http))

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in page.headers
    cookie = page.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert 'name="viewport"' in page.text


@pytest.mark.parametrize("back", ["pocketapp1234:authorizationFinished", "http://localhost:1234/a?b=c", "rustapi:done"])
async def test_the_way_back_is_followed_exactly(http: httpx.AsyncClient, back: str) -> None:
    code = await begin(http, back=back)
    page = await visit(http, code)
    form = {**hidden(page.text), "username": "ann", "password": PASSWORD, "answer": "approve"}
    # Below httpx's own reading of redirects, which takes web addresses only.
    approved = await http._transport.handle_async_request(http.build_request("POST", "/auth/authorize", data=form))

    assert f"{back.partition(':')[0]}:" in page.headers["content-security-policy"]
    assert (approved.status_code, approved.headers["location"]) == (303, back)


async def test_a_form_from_another_site_approves_nothing(app: Starlette, http: httpx.AsyncClient) -> None:
    code = await begin(http)
    stolen = hidden((await visit(http, code)).text)

    async with browser(app) as victim:
        await visit(victim, code)
        form = {**stolen, "username": "ann", "password": PASSWORD, "answer": "approve"}
        forged = await victim.post("/auth/authorize", data=form)
        bare = await victim.post("/auth/authorize", data={**form, "mark": ""})

    assert [forged.status_code, bare.status_code] == [401, 401]
    assert (await redeem(http, code)).headers["x-error-code"] == "158"


@pytest.mark.parametrize(
    "said", [{"password": "wrong"}, {"username": "bob"}, {"username": ""}, {"username": "me", "password": ""}]
)
async def test_a_wrong_password_is_asked_for_again(http: httpx.AsyncClient, said: dict[str, str]) -> None:
    code = await begin(http)

    page = await answer(http, code, **said)

    assert page.status_code == 401
    assert "name or the password is wrong" in page.text
    assert (await redeem(http, code)).headers["x-error-code"] == "158"


async def test_a_token_does_not_let_further_applications_in(http: httpx.AsyncClient) -> None:
    code = await begin(http)
    await answer(http, code)
    token = (await redeem(http, code)).json()["access_token"]
    asked = {"consumer_key": OTHER_KEY, "grant_type": "credentials", "username": "ann", "password": token}

    assert (await answer(http, await begin(http), password=token)).status_code == 401
    assert (await http.post("/v3/oauth/authorize", json=asked)).headers["x-error-code"] == "2"


async def test_a_token_is_a_password_in_version_2_for_its_own_key(http: httpx.AsyncClient) -> None:
    code = await begin(http)
    await answer(http, code)
    asked = {"username": "ann", "password": (await redeem(http, code)).json()["access_token"]}

    assert (await http.post("/v2/auth", data={**asked, "apikey": KEY})).status_code == 200
    assert (await http.post("/v2/auth", data={**asked, "apikey": OTHER_KEY})).status_code == 401
    assert (await http.post("/v2/auth", data={**asked, "apikey": KEY, "username": "me"})).status_code == 401


async def test_the_owner_signs_in_with_the_owners_token(http: httpx.AsyncClient) -> None:
    code = await begin(http)

    assert (await answer(http, code, username="me", password=TOKEN)).status_code == 303
    assert (await redeem(http, code)).json()["username"] == "me"


async def test_guessing_a_password_comes_to_an_end(http: httpx.AsyncClient, clock: Clock) -> None:
    code = await begin(http)
    asked = {"consumer_key": KEY, "grant_type": "credentials", "username": "ann"}
    for number in range(WRONG_PASSWORDS):
        await http.post("/v3/oauth/authorize", json={**asked, "password": f"guess {number}"})

    assert (await answer(http, code)).status_code == 401
    clock.move(3600)
    assert (await answer(http, await begin(http))).status_code == 303


@pytest.mark.parametrize("code", ["", "1234", "\x00", "'\"<script>"])
async def test_an_unknown_sign_in_is_a_page_that_says_what_to_do(http: httpx.AsyncClient, code: str) -> None:
    page = await visit(http, code)

    assert (page.status_code, page.headers["x-error-code"]) == (400, "185")
    assert "begin the sign-in again" in page.text
    assert "<script>" not in page.text


async def test_a_page_that_is_sent_twice_is_answered_once(http: httpx.AsyncClient) -> None:
    code = await begin(http)
    form = {**hidden((await visit(http, code)).text), "username": "ann", "password": PASSWORD, "answer": "approve"}

    first, second = [await http.post("/auth/authorize", data=form) for _ in range(2)]

    assert (first.status_code, second.status_code) == (303, 403)
    assert (await redeem(http, code)).status_code == 200


# -- approving at once ---------------------------------------------------------------------------------------------


async def test_auto_approve_leads_back_without_asking(store: Store, clock: Clock) -> None:
    async with browser(face(store, clock, auto_approve=True)) as http:
        http.headers["Host"] = "127.0.0.1:8080"
        code = await begin(http)
        assert (await redeem(http, code)).headers["x-error-code"] == "158"

        visited = await visit(http, code)

        assert (visited.status_code, visited.headers["location"]) == (303, BACK)
        assert (await redeem(http, code)).json()["username"] == "me"


@pytest.mark.parametrize(
    "header",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://evil.example"},
        {"X-Forwarded-For": "192.0.2.1"},
    ],
)
async def test_auto_approve_is_not_for_other_sites_and_not_through_a_proxy(
    store: Store, clock: Clock, header: dict[str, str]
) -> None:
    async with browser(face(store, clock, auto_approve=True)) as http:
        http.headers["Host"] = "127.0.0.1:8080"
        code = await begin(http)
        page = await http.get("/auth/authorize", params={"request_token": code}, headers=header)

        assert page.status_code == 200
        assert "Sign in and allow" in page.text
        assert (await redeem(http, code)).headers["x-error-code"] == "158"


# -- applications --------------------------------------------------------------------------------------------------


async def test_listed_takes_the_applications_that_were_added(store: Store, clock: Clock) -> None:
    app = face(store, clock, apps="listed")
    async with client(app) as pocket:
        with pytest.raises(ConsumerKeyError) as refused:
            await pocket.get()
        assert (refused.value.status, refused.value.code) == (403, 152)
        with pytest.raises(ConsumerKeyError):
            await pocket.request_token(BACK)

        await store.accounts.add_application(KEY, "mine", "amd")

        assert (await pocket.get()).items == ()
        assert (await pocket.request_token(BACK)).code


@pytest.mark.parametrize(
    ("path", "permission"),
    [("/v3/add", "a"), ("/v3/send", "m"), ("/v3/get", "d"), ("/v3/stats", "d"), ("/v2/add", "a"), ("/v2/get", "d")],
)
async def test_an_application_does_what_it_was_permitted(
    store: Store, http: httpx.AsyncClient, path: str, permission: str
) -> None:
    asked = {
        "consumer_key": KEY,
        "access_token": TOKEN,
        "url": "https://a.example/",
        "actions": [{"action": "pv"}],
        "apikey": KEY,
        "username": "me",
        "password": TOKEN,
    }
    await store.accounts.add_application(KEY, "", "amd".replace(permission, ""))
    without = await http.post(path, json=asked)
    await store.accounts.add_application(KEY, "", permission)

    assert (without.status_code, without.headers["x-error-code"]) == (403, "4017")
    assert (await http.post(path, json=asked)).status_code == 200


async def test_removing_an_application_ends_its_tokens(store: Store, http: httpx.AsyncClient) -> None:
    await store.accounts.add_application(KEY, "", "amd")
    code = await begin(http)
    await answer(http, code)
    keys = {"consumer_key": KEY, "access_token": (await redeem(http, code)).json()["access_token"]}

    await store.accounts.remove_application(KEY)

    assert (await http.post("/v3/get", json=keys)).status_code == 401


# -- limits --------------------------------------------------------------------------------------------------------


async def test_the_calls_of_a_user_are_counted_and_end(store: Store, clock: Clock) -> None:
    clock.now = 3600.0 * 500_000 + 600
    app = face(store, clock, user_calls=3)
    keys = {"consumer_key": KEY, "access_token": TOKEN}
    async with browser(app) as http:
        left = [(await http.post("/v3/get", json=keys)).headers["x-limit-user-remaining"] for _ in range(3)]
        refused = await http.post("/v3/get", json=keys)
        other_key = await http.post("/v3/get", json={**keys, "consumer_key": OTHER_KEY})
        clock.move(3000)
        again = await http.post("/v3/get", json=keys)

    assert left == ["2", "1", "0"]
    assert (refused.status_code, refused.headers["x-error-code"]) == (403, "5")
    assert "too many requests" in refused.headers["x-error"]
    assert (refused.headers["x-limit-user-reset"], refused.headers["retry-after"]) == ("3000", "3000")
    assert other_key.status_code == 403
    assert (again.status_code, again.headers["x-limit-user-remaining"]) == (200, "2")


async def test_the_calls_of_a_key_are_counted_over_all_its_users(store: Store, clock: Clock) -> None:
    await store.accounts.add_user("ann", STORED)
    app = face(store, clock, key_calls=2)
    async with browser(app) as http:
        await http.post("/v3/get", json={"consumer_key": KEY, "access_token": TOKEN})
        await http.post("/v2/auth", data={"apikey": KEY, "username": "ann", "password": PASSWORD})
        refused = await http.post("/v3/get", json={"consumer_key": KEY, "access_token": TOKEN})

    assert (refused.headers["x-error-code"], refused.headers["x-limit-key-remaining"]) == ("4", "0")
    assert refused.headers["x-limit-user-remaining"] == "319"


async def test_a_stranger_spends_nobodys_calls(store: Store, clock: Clock) -> None:
    async with browser(face(store, clock, user_calls=1)) as http:
        for _ in range(3):
            await http.post("/v3/get", json={"consumer_key": KEY, "access_token": "guess"})
        answered = await http.post("/v3/get", json={"consumer_key": KEY, "access_token": TOKEN})

    assert answered.status_code == 200


async def test_the_inner_application_knows_no_limit(store: Store, clock: Clock) -> None:
    async with Pocket(
        KEY,
        f"{INNER}/ann",
        base_url="http://x",
        transport=httpx.ASGITransport(face(store, clock, user_calls=1, key_calls=1, apps="listed")),
    ) as pocket:
        for _ in range(5):
            await pocket.get()

        assert pocket.limits.user.remaining == 1
