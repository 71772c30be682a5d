"""Whatever is sent to a hook is an arrival or is refused with words; nothing a stranger sends tells him anything."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Sequence
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message

from bridge.intake import read_one
from bridge.ports import DAY, Arrival
from bridge.rules import EMPTY, Keep, Occasion
from bridge.rules import Hook as Written
from bridge.sources.webhooks.hook import Hook
from bridge.sources.webhooks.kinds import KINDS
from bridge.sources.webhooks.source import Webhooks, read
from bridge.store.core import Store
from bridge.web.server import application
from tests.conftest import Clock
from tests.sources.test_webhooks import Recorder, bodies, content_types

OWNER = "owner-token"
A, B = "https://example.com/a", "https://example.com/b"
REFUSALS = {400, 401, 403, 404, 405, 413, 414, 415, 431}


class House:
    """The door behind the limits of the real server, over an inbox that remembers."""

    def __init__(self, *hooks: Written, secret: bytes = b"s3cret") -> None:
        self.inbox = Recorder()
        self.door = Webhooks(self.inbox, token=OWNER, clock=Clock())
        self.door.hooks.declare([Hook.of(written, [] if written.open else [secret]) for written in hooks])
        self.app: ASGIApp = application([self.door.routes], ready=list)

    async def send(
        self, method: str, path: str, headers: Sequence[tuple[bytes, bytes]], body: bytes, query: bytes = b""
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        """As a server hands it over, however odd its bytes are."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        raw = quote(path).encode()
        scope = {"type": "http", "method": method, "path": path, "raw_path": raw, "query_string": query}
        await self.app({**scope, "headers": list(headers), "client": ("192.0.2.1", 1)}, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent[1:])


def taken_in(arrival: Arrival) -> str:
    """What intake makes of it: a state, or an exception, which is a bug."""
    found = read_one({arrival.source: read}, [arrival], EMPTY, Occasion(account="me", now=0.0))
    assert "bug" not in found.reason, found.reason
    return found.state


# Anything, to any kind.

KNOWN = "authorization content-type x-github-event x-github-delivery x-gitlab-event ce-id ce-source ce-type webhook-id".split()
header_names = st.sampled_from([name.encode() for name in KNOWN]) | st.from_regex(
    rb"[a-z][a-z0-9-]{0,20}", fullmatch=True
)
header_values = st.binary(max_size=40).map(lambda value: value.translate(None, bytes([*range(32), 127])))
odd_headers = st.lists(st.tuples(header_names, header_values), max_size=6)
queries = st.binary(max_size=30).map(lambda value: quote(value).encode())
kinds = st.sampled_from(sorted(KINDS))


@settings(max_examples=400, deadline=None)
@given(kinds, st.sampled_from(["POST", "PUT", "GET"]), bodies, content_types, odd_headers, queries)
async def test_an_authenticated_request_is_an_arrival_or_is_refused_with_words(
    kind: str, method: str, body: bytes, content_type: str, headers: list[tuple[bytes, bytes]], query: bytes
) -> None:
    house = House(Written(name=kind, kind=kind, open=True, methods=("GET", "POST", "PUT")))
    given = [*headers, (b"content-type", content_type.encode("latin-1"))]
    status, _, said = await house.send(method, f"/hooks/{kind}", given, body, query)
    if status in REFUSALS and not house.inbox.arrivals:
        assert json.loads(said)["error"]
    elif not house.inbox.arrivals:
        assert status in (200, 204)  # a handshake, which holds nothing
        assert KINDS[kind].handshake is not None
    else:
        assert status in {*KINDS[kind].statuses.values()}
        [arrival] = house.inbox.arrivals
        assert taken_in(arrival) in ("read", "empty", "parked")


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=30).map(lambda tail: f"/hooks/{tail}") | st.text(max_size=30).map(lambda tail: f"/trigger/{tail}"),
    st.sampled_from(["POST", "PUT", "GET", "HEAD", "OPTIONS", "PATCH", "DELETE", "TRACE"]),
    odd_headers,
    bodies,
)
async def test_a_stranger_never_gets_in_and_never_sees_an_error_of_ours(
    path: str, method: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    house = House(Written(name="h"), Written(name="g", kind="github"), Written(name="i", kind="ifttt"))
    status, _, _ = await house.send(method, path, headers, body)
    assert status < 500
    assert house.inbox.arrivals == []


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=30, deadline=None)
@given(body=st.binary(max_size=200) | st.just(b'{"signature": {"token": 1}}'), headers=odd_headers)
async def test_what_proves_nothing_is_refused_by_every_kind(
    kind: str, body: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    secret = b"user:password" if kind == "postmark" else b"0" * 64
    house = House(Written(name="h", kind=kind), secret=secret)
    assert (await house.send("POST", "/hooks/h", headers, body))[0] == 401
    assert house.inbox.arrivals == []


# Bombs.

BOMBS: dict[str, tuple[bytes, int, list[str]]] = {
    "lists in lists": (b"[" * 500_000, 422, []),
    "objects in objects": (b'{"url":' * 140_000, 422, []),
    "closed lists in lists": (b"[" * 60_000 + b"]" * 60_000, 422, []),
    "strings in strings": (json.dumps(json.dumps(json.dumps(json.dumps(json.dumps(json.dumps({"url": A})))))).encode(), 202, [A]),
    "many keys": (json.dumps({f"k{n}": n for n in range(60_000)}).encode(), 422, []),
    "one key many times": (b'{"a":1' + b',"a":1' * 100_000 + b"}", 422, []),
    "a long number": (b'{"n": ' + b"9" * 900_000 + b', "url": "https://example.com/a"}', 202, [A]),
    "NaN and infinities": (b'{"n": NaN, "i": -Infinity, "url": "https://example.com/a", "x": 1e9999}', 202, [A]),
    "the same key twice: the last": (b'{"url": "https://example.com/b", "url": "https://example.com/a"}', 202, [A]),
    "lone surrogates": (b'{"url": "https://example.com/a", "title": "\\ud800"}', 202, [A]),
    "XML in XML": (b"<?xml version='1.0'?>" + b"<a>" * 100_000, 422, []),
    "a billion laughs": (
        b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">' + b'<!ENTITY b "&a;&a;&a;&a;">' * 1000 + b"]><l>&b;</l>",
        422,
        [],
    ),
    "a form of many fields": (b"a=1&" * 250_000, 422, []),
    "brackets in an address": (b"https://example.com/" + b"(" * 400_000, 422, []),
    "many addresses": (b"https://example.com/a " * 47_000, 202, [A]),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_costs_little_and_is_kept(bomb: str) -> None:
    body, status, links = BOMBS[bomb]
    house = House()
    began = time.process_time()
    answer = await house.send("POST", "/hooks/h", [(b"authorization", f"Bearer {OWNER}".encode())], body)
    assert time.process_time() - began < 2.0
    assert answer[0] == status, answer[2][:300]
    assert json.loads(answer[2]).get("links", []) == links
    [arrival] = house.inbox.arrivals
    assert taken_in(arrival) == ("read" if links else "parked")


# Nothing is told to strangers.


@pytest.mark.parametrize("name", ["h\r\nX-Evil: 1", "h\nSet-Cookie: a=b", "h\0", "\r\n\r\n<script>"])
async def test_what_stands_in_an_address_begins_no_header(name: str) -> None:
    house = House(Written(name="h", kind="ifttt"))
    for path in (f"/hooks/{name}", f"/hooks/h/{name}", f"/trigger/{name}/with/key/s3cret"):
        for method in ("POST", "GET", "OPTIONS"):
            origin = (b"webhook-request-origin", b"events.example")
            status, headers, _ = await house.send(method, path, [origin], b"")
            assert status < 500
            assert not any(b"\r" in part or b"\n" in part for pair in headers.items() for part in pair)
            assert headers.keys() & {b"x-evil", b"set-cookie"} == set()


BAD = {
    "generic": [(b"authorization", b"Bearer wrong")],
    "github": [(b"x-hub-signature-256", b"sha256=" + b"0" * 64)],
    "slack": [(b"x-slack-signature", b"v0=" + b"0" * 64), (b"x-slack-request-timestamp", b"1790000000")],
    "standard-webhooks": [
        (b"webhook-signature", b"v1," + b"0" * 44), (b"webhook-id", b"1"), (b"webhook-timestamp", b"1790000000"),
    ],
    "gitlab": [(b"x-gitlab-token", b"wrong")],
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
async def test_time_does_not_tell_a_hook_with_a_wrong_proof_from_no_hook(kind: str) -> None:
    house, body = House(Written(name="there", kind=kind)), b"x" * 1_000_000
    took: dict[str, list[float]] = {"there": [], "nowhere": []}
    answers = {}
    for _ in range(12):
        for name, seconds in took.items():
            began = time.process_time()
            answers[name] = await house.send("POST", f"/hooks/{name}", BAD[kind], body)
            seconds.append(time.process_time() - began)
    assert answers["there"] == answers["nowhere"]
    assert answers["there"][0] == 401
    assert 0.4 < min(took["there"]) / min(took["nowhere"]) < 2.5


# Known, and for how long.


async def test_a_delivery_is_known_for_a_week(store: Store, clock: Clock) -> None:
    door = Webhooks(store, token=OWNER, clock=clock)
    app = application([door.routes], ready=list)
    headers = {"Authorization": f"Bearer {OWNER}", "Webhook-Id": "msg_1"}
    said = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bridge.test") as http:
        for pause in (0.0, 7 * DAY - 1, 2.0):
            clock.move(pause)
            answer = await http.post("/hooks/h", json={"url": A}, headers=headers)
            said.append((answer.status_code, answer.json()["status"]))
    assert said == [(202, "accepted"), (200, "known"), (202, "accepted")]


@pytest.mark.parametrize("kind", ["mailgun", "generic"])
async def test_where_only_a_token_is_signed_no_header_makes_a_repeat_new(store: Store, clock: Clock, kind: str) -> None:
    clock.now = 1_790_000_000.0
    door = Webhooks(store, token=OWNER, clock=clock)
    door.hooks.declare([Hook.of(Written(name="mail", kind=kind, auth="mailgun"), [b"key"])])
    app = application([door.routes], ready=list)
    signature = hmac.new(b"key", b"1790000000token-1", "sha256").hexdigest()
    fields = {"timestamp": "1790000000", "token": "token-1", "signature": signature, "body-plain": A}
    said = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bridge.test") as http:
        for number, name in enumerate(("Webhook-Id", "Webhook-Id", "Idempotency-Key", "X-GitHub-Delivery")):
            form = {**fields, "body-plain": f"{A}?{number}"}
            said.append((await http.post("/hooks/mail", data=form, headers={name: str(number)})).json()["status"])
    assert said == ["accepted", "known", "known", "known"]


# Kept, and for how long: by the name that the rule file gives it.


async def test_what_could_not_be_read_is_kept_as_long_as_captures_are(store: Store, clock: Clock) -> None:
    door = Webhooks(store, token=OWNER, clock=clock)
    app = application([door.routes], ready=list)
    owner = {"Authorization": f"Bearer {OWNER}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bridge.test") as http:
        assert (await http.post("/hooks/h", json={"title": "no link"}, headers=owner)).status_code == 422
    due = await store.due(10)
    await store.take([read_one({"hook": read}, due, EMPTY, Occasion(account="me", now=clock.now))], EMPTY.hash)
    kept = []
    for pause in (29 * DAY, 2 * DAY):
        clock.move(pause)
        while await store.upkeep.purge(Keep()):
            pass
        kept.append(len(await store.captured("h", after=0, limit=10)))
    assert kept == [1, 0]
