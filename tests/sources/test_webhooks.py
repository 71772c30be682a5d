"""The webhook door: who may pass, what is kept before it is answered, and what is read from it later."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.types import Message

from bridge.errors import ConfigError, InvalidArrival, StoreError
from bridge.ports import DAY, HOUR, Arrival, Cursor, Inbox, Key, Read, Receipt
from bridge.sources.webhooks.request import HookRequest, from_raw
from bridge.sources.webhooks.source import MOST_LINKS, Webhooks, read
from bridge.store.core import Store
from tests.conftest import Clock

TOKEN = "owner-token-ü"
BEARER = {b"Authorization": f"Bearer {TOKEN}".encode()}
A = "https://example.com/a?x=1&y=2"


class Recorder:
    """An inbox that remembers what it was given; `failing` makes it a broken database."""

    def __init__(self, *, failing: bool = False) -> None:
        self.arrivals: list[Arrival] = []
        self._failing = failing

    async def put(
        self,
        arrivals: Sequence[Arrival],
        *,
        seen: Sequence[Key] = (),
        cursor: Cursor | None = None,
        expect: str | None = None,
    ) -> Sequence[Receipt]:
        if self._failing:
            raise StoreError("the disk is full")
        self.arrivals += arrivals
        return [Receipt(len(self.arrivals), new=True) for _ in arrivals]

    async def known(self, scope: str, values: Sequence[str]) -> AbstractSet[str]:
        return frozenset()

    async def cursor(self, scope: str) -> str | None:
        return None

    async def seen(self, account: str, links: Sequence[str]) -> Mapping[str, int]:
        return {}

    async def due(self, limit: int) -> Sequence[Arrival]:
        return self.arrivals[:limit]

    async def take(self, reads: Sequence[Read], rule_set: str) -> None:
        self.arrivals.clear()

    async def wait_for_arrivals(self) -> None:
        return


def app(inbox: Inbox, clock: Clock | None = None) -> Starlette:
    return Starlette(routes=Webhooks(inbox, token=TOKEN, clock=clock or Clock()).routes)


def client_of(application: Starlette, headers: Mapping[bytes, bytes] | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=application)
    return httpx.AsyncClient(transport=transport, base_url="http://bridge.test", headers=headers)


@pytest.fixture
def inbox() -> Recorder:
    return Recorder()


@pytest.fixture
async def owner(inbox: Recorder) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app(inbox), BEARER) as client:
        yield client


@pytest.fixture
async def stranger(inbox: Recorder) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app(inbox)) as client:
        yield client


def kept(body: str | bytes = "", content_type: str = "", query: str = "", hook: str = "h") -> Arrival:
    content = body if isinstance(body, bytes) else body.encode()
    request = HookRequest(hook=hook, query=query, headers={"content-type": content_type}, body=content)
    return Arrival(source="hook" if hook else "save", channel=hook, key=request.key, raw=request.raw(), received=5.0)


def one(body: str | bytes = "", content_type: str = "", query: str = "") -> tuple[str, str, tuple[str, ...]]:
    [sighting] = read([kept(body, content_type, query)]).sightings
    return sighting.url, sighting.title, sighting.tags


# What is answered.


async def test_a_link_is_kept_and_then_accepted(owner: httpx.AsyncClient, inbox: Recorder) -> None:
    answer = await owner.post("/hooks/phone", json={"url": A, "title": "T"})
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted", "id": 1, "links": [A]})
    [arrival] = inbox.arrivals
    assert (arrival.source, arrival.channel) == ("hook", "phone")
    assert read([arrival]).sightings[0].hook == "phone"


async def test_save_takes_a_link_too(owner: httpx.AsyncClient, inbox: Recorder) -> None:
    answer = await owner.post("/save", content=A)
    assert answer.status_code == 202
    assert (inbox.arrivals[0].source, inbox.arrivals[0].channel) == ("save", "")


async def test_what_cannot_be_read_is_kept_all_the_same(owner: httpx.AsyncClient, inbox: Recorder) -> None:
    answer = await owner.post("/save", json={"url": "not a url", "title": "T"})
    assert answer.status_code == 422
    assert answer.json() == {
        "status": "kept",
        "id": 1,
        "error": "no link found: “not a url” is not an address of a web page",
    }
    assert len(inbox.arrivals) == 1


async def test_an_answer_says_what_had_to_be_guessed(owner: httpx.AsyncClient) -> None:
    answer = await owner.post("/hooks/h", json={"urls": [A, "nonsense"]})
    assert answer.json()["links"] == [A]
    assert answer.json()["notes"] == ["“nonsense” is not an address of a web page"]


@pytest.mark.parametrize(
    "authorization",
    [
        [],
        [b""],
        [b"Bearer"],
        [b"Bearer "],
        [b"Bearer wrong"],
        [b"Bearer owner-token-"],
        [f"Basic {TOKEN}".encode()],
        [TOKEN.encode()],
        [f"Bearer {TOKEN}".encode(), f"Bearer {TOKEN}".encode()],
        ["Bearer owner-token-ü".encode("latin-1")],
    ],
)
@pytest.mark.parametrize("path", ["/hooks/known", "/hooks/-bad-name", "/save"])
async def test_without_the_token_nothing_is_saved_and_nothing_is_told(
    stranger: httpx.AsyncClient, inbox: Recorder, authorization: list[bytes], path: str
) -> None:
    headers = [(b"Authorization", value) for value in authorization]
    answer = await stranger.post(path, json={"url": A}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="bridge"'
    assert answer.json()["status"] == "error"
    assert inbox.arrivals == []


async def test_the_token_is_not_taken_from_the_address(stranger: httpx.AsyncClient, inbox: Recorder) -> None:
    answer = await stranger.post("/hooks/h", params={"token": TOKEN, "access_token": TOKEN}, json={"url": A})
    assert answer.status_code == 401
    assert inbox.arrivals == []


async def test_the_scheme_is_known_in_any_case(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.post("/save", content=A, headers={b"Authorization": f"bearer  {TOKEN}".encode()})
    assert answer.status_code == 202


@pytest.mark.parametrize("name", ["-x", ".x", "a b", "ä", "x" * 65])
async def test_a_bad_hook_name_is_not_found(owner: httpx.AsyncClient, inbox: Recorder, name: str) -> None:
    answer = await owner.post(f"/hooks/{name}", json={"url": A})
    assert answer.status_code == 404
    assert inbox.arrivals == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *((method, "/hooks/h") for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE")),
        *((method, "/save") for method in ("PUT", "PATCH", "DELETE")),
    ],
)
async def test_only_post_saves(owner: httpx.AsyncClient, inbox: Recorder, method: str, path: str) -> None:
    answer = await owner.request(method, path, params={"url": A})
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert inbox.arrivals == []


async def test_a_compressed_body_is_refused(owner: httpx.AsyncClient, inbox: Recorder) -> None:
    answer = await owner.post("/save", content=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert (await owner.post("/save", content=A, headers={"Content-Encoding": "identity"})).status_code == 202
    assert len(inbox.arrivals) == 1


async def test_a_broken_database_is_told_to_come_back() -> None:
    async with client_of(app(Recorder(failing=True)), BEARER) as client:
        answer = await client.post("/save", content=A)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"


async def status_of(inbox: Inbox, event: Message, query: bytes = b"", content_type: bytes = b"") -> int:
    """What the door answers to a request as a server hands it over, however odd its bytes are."""
    sent: list[Message] = []

    async def receive() -> Message:
        return event

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {TOKEN}".encode()), (b"content-type", content_type)]
    scope = {"type": "http", "method": "POST", "path": "/save", "query_string": query, "headers": headers}
    await app(inbox)(scope, receive, send)
    return int(sent[0]["status"])


async def test_a_body_that_ends_early_is_not_kept(inbox: Recorder) -> None:
    assert await status_of(inbox, {"type": "http.disconnect"}) == 400
    assert inbox.arrivals == []


async def test_a_page_may_ask_from_a_browser(stranger: httpx.AsyncClient, owner: httpx.AsyncClient) -> None:
    asked = await stranger.options("/hooks/h", headers={"Origin": "https://example.com"})
    assert asked.status_code == 204
    assert "authorization" in asked.headers["Access-Control-Allow-Headers"]
    assert (await owner.post("/save", content=A)).headers["Access-Control-Allow-Origin"] == "*"


def test_a_door_without_a_key_is_not_built(inbox: Recorder) -> None:
    with pytest.raises(ConfigError, match="token"):
        Webhooks(inbox, token="", clock=Clock())


# What is known already.


async def test_a_repeated_delivery_does_nothing(store: Store, clock: Clock) -> None:
    async with client_of(app(store, clock), BEARER) as client:
        first = await client.post("/hooks/h", json={"url": A}, headers={"Webhook-Id": "msg_1"})
        again = await client.post("/hooks/h", json={"url": A, "n": 2}, headers={"Webhook-Id": "msg_1"})
        other = await client.post("/hooks/other", json={"url": A}, headers={"Webhook-Id": "msg_1"})
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 202)
    assert again.json() == {"status": "known", "id": first.json()["id"]}


async def test_a_link_may_be_sent_again_after_an_hour(store: Store, clock: Clock) -> None:
    async with client_of(app(store, clock), BEARER) as client:
        statuses = []
        for pause in (0.0, 1.0, HOUR):
            clock.move(pause)
            statuses.append((await client.post("/save", json={"url": A})).status_code)
    assert statuses == [202, 200, 202]


def key(body: bytes = b"", *, hook: str = "h", query: str = "", **headers: str) -> Key:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HookRequest(hook=hook, query=query, headers=named, body=body).key


@pytest.mark.parametrize(
    "name",
    ["webhook-id", "svix-id", "x-github-delivery", "idempotency-key", "x-gitlab-event-uuid", "ce-id"],
)
def test_a_senders_own_id_names_a_delivery_for_a_week(name: str) -> None:
    one, same, other, blank = (
        HookRequest(hook="h", headers={name: value}, body=body).key
        for value, body in [("x", b"1"), ("x", b"2"), ("y", b"1"), (" ", b"1")]
    )
    assert one == same
    assert one != other
    assert (one.keep, blank.keep) == (7 * DAY, HOUR)


def test_an_id_of_a_cloud_event_counts_within_its_source() -> None:
    assert key(ce_id="1", ce_source="/a") != key(ce_id="1", ce_source="/b")


def test_without_an_id_a_delivery_is_what_it_says() -> None:
    keys = [key(), key(query="a"), key(b"a"), key(content_type="a"), key(hook="a"), key(hook="")]
    assert len(set(keys)) == len(keys)
    assert key(b"a") == key(b"a", user_agent="another")


# What is kept.


async def test_nothing_that_opens_the_door_is_kept(owner: httpx.AsyncClient, inbox: Recorder) -> None:
    headers = {"Cookie": "sid=s3cret", "X-Gitlab-Token": "s3cret", "X-Hub-Signature-256": "s3cret"}
    await owner.post("/hooks/h?token=s3cret&tags=x", content=A, headers=headers | {"User-Agent": "Shortcuts"})
    raw = inbox.arrivals[0].raw
    assert "s3cret" not in raw
    assert TOKEN not in json.dumps(json.loads(raw), ensure_ascii=False)
    assert from_raw(raw).query == "tags=x"
    assert from_raw(raw).headers["user-agent"] == "Shortcuts"


@given(st.binary(), st.text(alphabet=st.characters(max_codepoint=255)))
def test_a_kept_request_is_the_request(body: bytes, content_type: str) -> None:
    request = HookRequest(hook="h", path="/hooks/h", headers={"content-type": content_type}, body=body)
    assert from_raw(request.raw()) == request


# What is read.


def test_the_query_fills_what_the_body_lacks() -> None:
    assert one(json.dumps({"url": A, "title": "T"}), "application/json", "title=Q&tags=x") == (A, "T", ("x",))
    assert one("", "", "url=https%3A%2F%2Fexample.com%2Fb&title=Q") == ("https://example.com/b", "Q", ())
    assert one('{"title": "T"}', "application/json", "url=https://example.com/b&title=Q")[1] == "T"
    assert one("url=&text=x", "", "url=https://example.com/b")[0] == "https://example.com/b"


FORM = "application/x-www-form-urlencoded"
T = "https://t.example/1"


@pytest.mark.parametrize(
    ("body", "links"),
    [
        (f"see {T}", [T]),
        (f"see {T}?x=1&y=2 and {A}", [f"{T}?x=1&y=2", A]),
        (f"A title: {T}", [T]),
        (f"title = {T}", [T]),
        (f"two words\n{T}?x=1", [f"{T}?x=1"]),
        (f"{T}?x=1&y=2", [f"{T}?x=1&y=2"]),
        ("https%3A%2F%2Ft.example%2F1", [T]),
        ("see+https%3A%2F%2Ft.example%2F1=", [T]),
        (f"Q&A: {T}", [T]),
        (f"E = mc: {T}?x=1&y=2", [f"{T}?x=1&y=2"]),
        (f"Q=1&see {T}?x=1&y=2", [f"{T}?x=1&y=2"]),
    ],
)
def test_text_that_is_called_a_form_is_read_as_text(body: str, links: list[str]) -> None:
    assert [sighting.url for sighting in read([kept(body, FORM)]).sightings] == links


def test_a_line_above_an_address_is_its_title_also_in_what_is_called_a_form() -> None:
    assert one(f"A title\n{T}?x=1&y=2", FORM) == (f"{T}?x=1&y=2", "A title", ())


@pytest.mark.parametrize(
    ("body", "link"),
    [
        ("url=https%3A%2F%2Ft.example%2F1&title=a b", (T, "a b", ())),
        ("title=a b&url=https%3A%2F%2Ft.example%2F1", (T, "a b", ())),
        (f"url={T}&title=see https://other.example/", (T, "see https://other.example/", ())),
        (f"my title=a b&tags=x&url={T}", (T, "", ("x",))),
        (f"Story URL={T}&title=a b&tags=x", (T, "a b", ("x",))),
        ("my link=https%3A%2F%2Ft.example%2F1&other=a b", (T, "", ())),
        (f"tags=x&my title=a b&url={T}", (T, "", ("x",))),
        (f'payload={{"url": "{T}"}}', (T, "", ())),
        (f"={T}", (T, "", ())),
    ],
)
def test_a_form_with_blanks_or_addresses_in_it_is_a_form(body: str, link: tuple[str, str, tuple[str, ...]]) -> None:
    assert one(body, FORM) == link


@pytest.mark.parametrize("body", [f"avatar={T}", f"avatar={T}&my name=x", f"url=none&see {T}"])
def test_what_a_form_says_it_does_not_mean_is_not_taken_from_its_text(body: str) -> None:
    with pytest.raises(InvalidArrival):
        read([kept(body, FORM)])


def test_when_and_where_a_link_came_from_stays_with_it() -> None:
    [sighting] = read([kept(A)]).sightings
    assert (sighting.source, sighting.hook, sighting.at) == ("hook", "h", 5.0)
    [sighting] = read([kept(A, hook="")]).sightings
    assert (sighting.source, sighting.hook) == ("save", "")


def test_one_link_named_twice_is_one() -> None:
    reading = read([kept(json.dumps([{"url": A, "title": "first"}, {"url": A, "title": "second"}]))])
    assert [(sighting.url, sighting.title) for sighting in reading.sightings] == [(A, "first")]


def test_too_many_links_are_cut_and_counted() -> None:
    reading = read([kept("\n".join(f"https://example.com/{n}" for n in range(MOST_LINKS + 5)))])
    assert len(reading.sightings) == MOST_LINKS
    assert "only the first 1000 of 1005 links" in reading.notes[0]


def test_requests_read_together_do_not_spoil_each_other() -> None:
    reading = read([kept("nothing"), kept(A)])
    assert [sighting.url for sighting in reading.sightings] == [A]
    assert len(reading.notes) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        ("", "", "the request is empty"),
        ("hello", "text/plain", "no web address in the body"),
        ('{"a": 1, "b": "x"}', "application/json", "no web address in the fields a, b"),
        ('{"url": "ftp://example.com/"}', "application/json", "“ftp://example.com/” is not a web address"),
        ('{"url": "javascript:alert(1)"}', "application/json", "only http and https"),
        ('{"url": 5}', "application/json", "“5” is not an address"),
        ('{"url": "https://"}', "application/json", "“https://”"),
        ("<html>", "application/json", "not JSON that can be read"),
    ],
)
def test_a_request_without_a_link_says_what_was_there(body: str, content_type: str, reason: str) -> None:
    with pytest.raises(InvalidArrival) as caught:
        read([kept(body, content_type)])
    assert str(caught.value).startswith("no link found: ")
    assert reason in str(caught.value)


content_types = st.sampled_from(
    [
        "",
        "application/json",
        "application/json; charset=utf-16",
        "application/x-ndjson",
        "application/x-www-form-urlencoded; charset=koi8-r",
        "multipart/form-data; boundary=B",
        "multipart/form-data",
        "text/plain; charset=punycode",
        "application/xml",
    ]
) | st.text(alphabet=st.characters(max_codepoint=255))

scraps = st.sampled_from(
    [
        *'{}[]":,&=%?#\\<> \n\0',
        "\r\n",
        "url",
        "tags[]",
        "payload",
        A,
        "https://",
        "\\ud800",
        "\ud7ff",
        "--B\r\n",
        "--B--",
        'Content-Disposition: form-data; name="url"',
        "Content-Transfer-Encoding: base64\r\n",
    ]
)
bodies = (
    st.binary()
    | st.lists(scraps).map(lambda parts: "".join(parts).encode())
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.just(A) | st.just("http://\ud800\0x"),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["url", "data", "tags", "x"]), inner),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode())
)


@settings(max_examples=300)
@given(bodies, content_types, st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126)))
def test_whatever_comes_is_read_or_refused(body: bytes, content_type: str, query: str) -> None:
    try:
        sightings = read([kept(body, content_type, query)]).sightings
    except InvalidArrival:
        return
    assert sightings
    for sighting in sightings:
        f"{sighting}".encode()  # no lone surrogate, which no database takes


@settings(max_examples=100)
@given(bodies, content_types, st.binary(max_size=20))
async def test_the_door_always_has_an_answer(body: bytes, content_type: str, query: bytes) -> None:
    inbox = Recorder()
    event = {"type": "http.request", "body": body, "more_body": False}
    assert await status_of(inbox, event, query, content_type.encode("latin-1")) in (202, 422)
    assert len(inbox.arrivals) == 1


NEED_THEIR_KIND = {
    "github-ping-json": "a ping is known by its event",
    "karakeep-crawled-link": "an operation that repeats a link is known by its name",
    "gzip-body": "refused at the door",
}


def rows(corpus: Path) -> list[dict[str, Any]]:
    lines = (corpus / "webhooks" / "requests.jsonl").read_text().splitlines()
    readable = (row for row in map(json.loads, lines) if row["id"] not in NEED_THEIR_KIND)
    return [row for row in readable if "urls" in row["expect"] and row["expect"].get("auth") != "reject"]


def test_real_requests_give_the_links_that_were_meant(corpus: Path) -> None:
    differing = {row["id"]: seen for row in rows(corpus) if (seen := differences(row))}
    assert differing == {}
    assert len(rows(corpus)) > 25


def differences(row: dict[str, Any]) -> dict[str, Any]:
    body = base64.b64decode(row["body_b64"]) if "body_b64" in row else row["body"].encode()
    arrival = kept(body, row["headers"].get("Content-Type", ""), row["path"].partition("?")[2])
    try:
        sightings = read([arrival]).sightings
    except InvalidArrival:
        sightings = ()
    seen: dict[str, Any] = {"urls": [sighting.url for sighting in sightings]}
    for sighting in sightings[:1]:
        seen |= {"title": sighting.title, "tags": list(sighting.tags)}
    meant = row["expect"] | {"tags": [tag.lower() for tag in row["expect"].get("tags", [])]}
    return {name: value for name, value in seen.items() if name in row["expect"] and value != meant[name]}
