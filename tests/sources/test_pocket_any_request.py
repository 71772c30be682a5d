"""No request, by any method, to any address of the Pocket face, whatever is in it, makes it fail."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.store.core import Store
from tests.conftest import Clock
from tests.pocket.server import KEY, TOKEN, browser, face

KEYS = {"consumer_key": KEY, "access_token": TOKEN, "apikey": KEY, "username": "me", "password": TOKEN}
CODE = "1111aaaa-1111-1111-1111-111111"

PATHS = st.sampled_from(
    """/v3/add /v3/send /v3/get /v3/fetch /v3/stats /v3/text /v3/oauth/request /v3/oauth/authorize /v3/oauth/x /v3/
    /v2/add /v2/send /v2/get /v2/stats /v2/auth /v2/signup /v2/api /v2/x /auth/authorize /v3beta/text /v3beta/x
    /api/kobo/get /api/kobo/send /api/kobo/download /api/kobo/text /api/kobo/""".split()
)
METHODS = st.sampled_from("GET POST POST POST HEAD PUT PATCH DELETE OPTIONS TRACE X".split())
NAMES = st.sampled_from(
    """actions url title tags tweet_id ref_id time state favorite tag contentType sort detailType search domain since
    updatedBefore count offset total taglist account chunk redirect_uri code request_token grant_type username password
    mark answer new read update_title update_tags format page myAppOnly apikey consumer_key access_token output""".split()
)
URLS = st.sampled_from(["https://a.example/", "a.example", "\ud800", "http://[", "1", "app:done", "javascript:x", CODE])
WORDS = st.sampled_from("action item_id url tags tag old_tag new_tag time title 0 1".split())
KINDS = st.sampled_from(
    "add archive undo_archive undo_delete delete tags_add tags_replace tag_rename pv credentials xml".split()
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | URLS | KINDS
JSON: st.SearchStrategy[Any] = st.deferred(
    lambda: SCALARS | st.lists(JSON, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), JSON, max_size=3)
)
FIELDS = st.dictionaries(NAMES, JSON, max_size=6)
TYPES = st.sampled_from(
    ["", "application/json", "application/x-www-form-urlencoded; charset=UTF8", "multipart/form-data; boundary=b", "x"]
)
AS_JSON = st.builds(lambda fields: json.dumps({**KEYS, **fields}).encode(), FIELDS)
AS_FORM = st.builds(
    lambda fields: urlencode({**KEYS, **{name: json.dumps(value) for name, value in fields.items()}}).encode(), FIELDS
)
HEADERS = st.dictionaries(
    st.sampled_from(["X-Accept", "Origin", "Cookie", "Host", "Accept", "X-Forwarded-For"]),
    st.sampled_from(["application/json", "https://x.example", "sign-in=1", "null", "a b;;=", "\xff"]),
    max_size=3,
)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One store for all examples: what earlier ones left is part of the input."""
    path: Path = tmp_path_factory.mktemp("face")
    with asyncio.Runner() as runner:
        clock = Clock()
        store = runner.run(Store.open(path / "bridge.db", clock))
        app = face(store, clock, signup=True, user_calls=10**6, key_calls=10**6)

        async def answer(method: str, address: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
            async with browser(app) as http:
                raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
                request = http.build_request(method, address, content=body, headers=raw)
                # Below httpx's reading of redirects: they may lead to an application.
                response = await http._transport.handle_async_request(request)
                await response.aread()
                return response

        yield lambda *request: runner.run(answer(*request))
        runner.run(store.close())


@settings(max_examples=400, deadline=None)
@given(
    method=METHODS,
    path=PATHS,
    query=FIELDS,
    kind=TYPES,
    body=AS_JSON | AS_JSON | AS_FORM | st.binary(max_size=60),
    headers=HEADERS,
)
def test_no_request_makes_it_fail(
    ask: Any, method: str, path: str, query: dict[str, Any], kind: str, body: bytes, headers: dict[str, str]
) -> None:
    asked = urlencode({**KEYS, **{name: str(value) for name, value in query.items()}}, errors="replace")

    answer = ask(method, f"{path}?{asked}", body, {"Content-Type": kind, **headers})

    assert answer.status_code in {200, 303, 400, 401, 403, 404, 405}
    assert answer.headers["x-source"] == "Pocket"
    assert answer.headers["status"].startswith(f"{answer.status_code} ")
    assert answer.headers["x-limit-user-limit"]
    assert ("x-error-code" in answer.headers) == ("x-error" in answer.headers) == (answer.status_code >= 400)
    if method != "HEAD" and path.startswith(("/v3", "/api")) and not path.startswith("/v3/oauth"):
        assert isinstance(answer.json(), dict)


@pytest.mark.parametrize("path", ["/v3/oauth/request", "/v3/oauth/authorize", "/auth/authorize", "/v2/signup"])
def test_deeply_nested_json_is_refused(ask: Any, path: str) -> None:
    body = b'{"consumer_key":"1-a","redirect_uri":"a:b","state":' + b"[" * 900 + b"]" * 900 + b"}"

    assert ask("POST", path, body, {}).status_code == 400
