"""The contract every kind of hook keeps: its genuine request is read, any other is refused and leaves no trace."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette

from bridge.errors import ConfigError, InvalidArrival
from bridge.ports import Arrival, Key
from bridge.rules import KINDS as NAMES
from bridge.rules import SCHEMES as SCHEME_NAMES
from bridge.rules import Hook as Written
from bridge.sources.webhooks.auth import SCHEMES
from bridge.sources.webhooks.hook import Hook
from bridge.sources.webhooks.kinds import KINDS
from bridge.sources.webhooks.request import HookRequest
from bridge.sources.webhooks.source import Webhooks, read
from bridge.store.core import Store
from tests.conftest import Clock
from tests.sources.webhook_corpus import Row, rows

OWNER = "owner-token"
SECRET = "c2VjcmV0LW9mLXRoZS1ob29r"
NOW = 1_790_000_000
A = "https://example.com/a?x=1&y=2"

Headers = Mapping[str, str]
Prove = Callable[[str, bytes], Headers]
"""The headers that prove a body, made with a secret."""

needs_curve = pytest.mark.skipif(importlib.util.find_spec("cryptography") is None, reason="the extra ed25519 is absent")


def bearer(secret: str, _body: bytes) -> Headers:
    return {"Authorization": f"Bearer {secret}"}


def basic(secret: str, _body: bytes) -> Headers:
    return {"Authorization": "Basic " + base64.b64encode(f"pm:{secret}".encode()).decode()}


def nothing(_secret: str, _body: bytes) -> Headers:
    return {}


def digest(name: str, prefix: str = "") -> Prove:
    return lambda secret, body: {name: prefix + hmac.new(secret.encode(), body, "sha256").hexdigest()}


def token(name: str) -> Prove:
    return lambda secret, _body: {name: secret}


def slack(secret: str, body: bytes) -> Headers:
    signed = hmac.new(secret.encode(), f"v0:{NOW}:".encode() + body, "sha256").hexdigest()
    return {"X-Slack-Request-Timestamp": str(NOW), "X-Slack-Signature": f"v0={signed}"}


def standard(secret: str, body: bytes) -> Headers:
    made = hmac.new(base64.b64decode(secret), f"msg_1.{NOW}.".encode() + body, "sha256").digest()
    signature = f"v1a,unknown v1,{base64.b64encode(made).decode()}"
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(NOW), "Webhook-Signature": signature}


def discord(secret: str, body: bytes) -> Headers:
    ed25519 = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    key = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(secret.encode()).digest())
    return {"X-Signature-Timestamp": str(NOW), "X-Signature-Ed25519": key.sign(str(NOW).encode() + body).hex()}


def public_key(secret: str) -> str:
    ed25519 = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    key = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(secret.encode()).digest())
    return str(key.public_key().public_bytes_raw().hex())


def same(secret: str) -> str:
    return secret


def mailgun(secret: str) -> str:
    fields = {
        "recipient": "me+tech@in.example",
        "subject": "Fwd: Great read #python",
        "body-plain": f"{A}\n-- \nhttps://ads.example/app",
        "stripped-text": A,
        "timestamp": str(NOW),
        "token": "t1",
        "signature": hmac.new(secret.encode(), f"{NOW}t1".encode(), "sha256").hexdigest(),
    }
    return urlencode(fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A request as a service of this kind sends it. `signed`: a changed body must not pass."""

    kind: str
    body: str | Callable[[str], str]
    prove: Prove = bearer
    held: Callable[[str], str] = same
    headers: Headers = field(default_factory=dict)
    path: str = ""
    title: str = ""
    tags: Sequence[str] = ()
    signed: bool = False
    status: int = 202
    url: str = A

    def content(self, secret: str) -> bytes:
        return (self.body if isinstance(self.body, str) else self.body(secret)).encode()

    def address(self, secret: str) -> str:
        return (self.path or f"/hooks/{self.kind}").format(secret=secret)


def said(**fields: Any) -> str:
    return json.dumps(fields)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SAMPLES = [
    Sample(kind="generic", body=said(url=A, title="T", tags="a, b"), title="T", tags=("a", "b")),
    Sample(
        kind="github",
        body=said(action="published", release={"url": "https://api.example/1", "html_url": A, "name": "", "tag_name": "1.0"}),
        prove=digest("X-Hub-Signature-256", "sha256="),
        headers={"X-GitHub-Event": "release", "X-GitHub-Delivery": "d1"},
        title="1.0",
        signed=True,
    ),
    Sample(
        kind="gitlab",
        body=said(object_kind="issue", object_attributes={"url": A, "title": "T"}, project={"web_url": "https://p.example/"}),
        prove=token("X-Gitlab-Token"),
        headers={"Idempotency-Key": "d1"},
        title="T",
        status=200,
    ),
    Sample(
        kind="gitea",
        body=said(action="opened", issue={"html_url": A, "title": "T", "url": "https://api.example/1"}),
        prove=digest("X-Gitea-Signature"),
        headers={"X-Gitea-Event": "issues", "X-Gitea-Delivery": "d1"},
        title="T",
        signed=True,
    ),
    Sample(
        kind="bitbucket",
        body=said(issue={"title": "T", "links": {"html": {"href": A}, "self": {"href": "https://api.example/1"}}}),
        prove=digest("X-Hub-Signature", "sha256="),
        headers={"X-Event-Key": "issue:created", "X-Request-UUID": "d1"},
        title="T",
        signed=True,
    ),
    Sample(
        kind="slack",
        body=said(type="event_callback", event_id="E1", event={"text": "<https://example.com/a?x=1&amp;y=2|T> &lt;b&gt;"}),
        prove=slack,
        title="T",
        signed=True,
        status=200,
    ),
    Sample(
        kind="miniflux",
        body=said(event_type="save_entry", entry={"title": "T", "url": A, "tags": ["x"], "feed": {"site_url": "https://f.example/"}}),
        prove=digest("X-Miniflux-Signature"),
        headers={"X-Miniflux-Event-Type": "save_entry"},
        title="T",
        tags=("x",),
        signed=True,
    ),
    Sample(kind="karakeep", body=said(jobId="1", operation="created", type="link", url=A)),
    Sample(kind="standard-webhooks", body=said(type="saved", data={"url": A}), prove=standard, signed=True),
    Sample(kind="cloudevents", body=said(specversion="1.0", id="1", source="/a", type="saved", data={"url": A})),
    Sample(
        kind="ifttt",
        body=said(value1=A, value2="T", value3="x, y"),
        prove=nothing,
        path="/trigger/ifttt/with/key/{secret}",
        title="T",
        tags=("x", "y"),
        status=200,
    ),
    Sample(kind="zapier", body=said(item={"url": A, "title": "T"}), title="T"),
    Sample(
        kind="mailgun", body=mailgun, prove=nothing, headers=FORM, title="Great read", tags=("python", "tech"), status=200
    ),
    Sample(
        kind="postmark",
        body=said(MessageID="m1", Subject="A letter", TextBody=f"Read {A} later", MailboxHash="box", From="a@b.example"),
        prove=basic,
        held=lambda secret: f"pm:{secret}",
        title="A letter",
        tags=("box",),
        status=200,
    ),
    Sample(
        kind="inoreader",
        body=said(
            items=[{"title": "T &amp; U", "canonical": [{"href": A}], "alternate": [{"href": "https://other.example/"}],
                    "categories": ["user/1/state/com.google/read", "user/1/label/Tech"]}]
        ),
        prove=nothing,
        path="/hooks/inoreader/{secret}",
        title="T & U",
        tags=("tech",),
    ),
    Sample(
        kind="mastodon",
        body=said(event="status.created", object={"url": A, "tags": [{"name": "x"}], "account": {"url": "https://m.example/@a"}}),
        prove=digest("X-Hub-Signature", "sha256="),
        tags=("x",),
        signed=True,
    ),
    Sample(
        kind="readwise",
        body=lambda secret: said(
            event_type="reader.any_document.created", secret=secret, url="https://reader.example/1", source_url=A,
            title="T", tags={"x": {"name": "x"}},
        ),
        prove=nothing,
        title="T",
        tags=("x",),
    ),
    pytest.param(
        Sample(
            kind="discord",
            body=said(type=1, event={"type": "MESSAGE", "data": {"content": A}}),
            prove=discord,
            held=public_key,
            signed=True,
            status=204,
        ),
        marks=needs_curve,
    ),
]  # fmt: skip

every_kind = pytest.mark.parametrize(
    "sample", SAMPLES, ids=lambda sample: sample.kind if isinstance(sample, Sample) else None
)


class Bench:
    """A door with one hook, and what went through it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        clock.now = float(NOW)
        self.store = store
        self.door = Webhooks(store, token=OWNER, clock=clock)
        transport = httpx.ASGITransport(Starlette(routes=list(self.door.routes)))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://bridge.test")

    def open(self, kind: str, *secrets: str, **more: Any) -> None:
        written = Written(name=kind, kind=kind, **more)
        self.door.hooks.declare([Hook.of(written, [secret.encode() for secret in secrets])])

    async def send(
        self, sample: Sample, secret: str = SECRET, *, body: bytes | None = None, **more: str
    ) -> httpx.Response:
        proven = sample.content(secret)
        headers = {**sample.headers, **sample.prove(secret, proven), **more}
        return await self.http.post(sample.address(secret), content=proven if body is None else body, headers=headers)

    async def kept(self) -> list[str]:
        return [arrival.raw for arrival in await self.store.due(100)]


@pytest.fixture
def bench(store: Store, clock: Clock) -> Bench:
    return Bench(store, clock)


def test_every_name_has_a_row_and_every_row_is_tried() -> None:
    assert set(NAMES) == set(KINDS)
    assert set(SCHEME_NAMES) == set(SCHEMES)
    tried = {sample.kind for sample in SAMPLES if isinstance(sample, Sample)}
    assert tried | {"discord"} == set(KINDS)


@every_kind
async def test_a_genuine_request_is_read(bench: Bench, sample: Sample) -> None:
    bench.open(sample.kind, sample.held(SECRET))
    answer = await bench.send(sample)
    assert answer.status_code == sample.status, answer.text
    [arrival] = await bench.store.due(10)
    reading = read([arrival])
    [sighting] = reading.sightings
    assert (sighting.url, sighting.title, sighting.tags) == (sample.url, sample.title, tuple(sample.tags))
    assert (sighting.source, sighting.hook) == ("hook", sample.kind)


@every_kind
async def test_another_secret_is_answered_like_no_hook_at_all(bench: Bench, sample: Sample) -> None:
    nobody = await bench.send(sample)
    bench.open(sample.kind, sample.held(SECRET))
    other = base64.b64encode(b"another secret of it").decode()
    refused = await bench.send(sample, other)
    assert (refused.status_code, refused.text, sorted(refused.headers)) == (401, nobody.text, sorted(nobody.headers))
    assert nobody.status_code == 401
    assert await bench.kept() == []


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if isinstance(sample, Sample) and sample.signed])
async def test_a_changed_body_is_refused_where_the_body_is_signed(bench: Bench, sample: Sample) -> None:
    bench.open(sample.kind, sample.held(SECRET))
    changed = sample.content(SECRET).replace(b"example.com", b"examp1e.com")
    assert (await bench.send(sample, body=changed)).status_code == 401
    assert await bench.kept() == []


@every_kind
async def test_a_repeat_is_known_and_does_nothing(bench: Bench, sample: Sample) -> None:
    bench.open(sample.kind, sample.held(SECRET))
    await bench.send(sample)
    again = await bench.send(sample)
    assert again.status_code in (200, 204)
    assert len(await bench.kept()) == 1


@every_kind
async def test_an_old_secret_is_good_as_long_as_it_is_listed(bench: Bench, sample: Sample) -> None:
    new = base64.b64encode(b"the new secret of it").decode()
    bench.open(sample.kind, sample.held(new), sample.held(SECRET))
    assert (await bench.send(sample)).status_code == sample.status


@every_kind
async def test_what_is_kept_holds_no_secret(bench: Bench, sample: Sample) -> None:
    bench.open(sample.kind, sample.held(SECRET))
    await bench.send(sample, Cookie=f"sid={SECRET}")
    [raw] = await bench.kept()
    assert SECRET not in raw
    for name, value in sample.prove(SECRET, sample.content(SECRET)).items():
        assert value not in raw or name.lower() in ("webhook-id", "webhook-timestamp", "x-slack-request-timestamp")


@every_kind
async def test_the_owners_token_does_not_open_a_hook_that_proves_itself_otherwise(bench: Bench, sample: Sample) -> None:
    bench.open(sample.kind, sample.held(SECRET))
    answer = await bench.http.post(
        f"/hooks/{sample.kind}", content=sample.content("x"), headers={"Authorization": f"Bearer {OWNER}"}
    )
    assert answer.status_code == 401


def test_no_secret_is_no_hook() -> None:
    with pytest.raises(ConfigError, match="empty"):
        Hook.of(Written(name="h", kind="github"), [b""])


# What single kinds know.


@pytest.mark.parametrize("seconds", [-301, 301, -100_000])
@pytest.mark.parametrize("kind", ["slack", "standard-webhooks"])
async def test_a_signed_time_that_is_not_ours_is_refused(bench: Bench, clock: Clock, kind: str, seconds: int) -> None:
    [sample] = [sample for sample in SAMPLES if isinstance(sample, Sample) and sample.kind == kind]
    bench.open(kind, SECRET)
    clock.now = NOW + seconds
    assert (await bench.send(sample)).status_code == 401
    clock.now = NOW + (299 if seconds > 0 else -299)
    assert (await bench.send(sample)).status_code == sample.status


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Hub-Signature-256", ""),
        ("X-Hub-Signature-256", "sha256="),
        ("X-Hub-Signature-256", "sha256=" + "0" * 64),
        ("X-Hub-Signature", "sha1=" + hmac.new(SECRET.encode(), b"{}", "sha1").hexdigest()),
        ("X-Hub-Signature-256", "sha1=" + hmac.new(SECRET.encode(), b"{}", "sha1").hexdigest()),
        ("X-Hub-Signature-256", "sha256=" + hmac.new(SECRET.encode(), b"{}", "sha256").hexdigest()[:32]),
        ("Authorization", f"Bearer {SECRET}"),
    ],
)
async def test_less_than_the_declared_proof_is_none(bench: Bench, header: str, value: str) -> None:
    bench.open("github", SECRET)
    answer = await bench.http.post("/hooks/github", content=b"{}", headers={header: value})
    assert answer.status_code == 401


async def test_two_signatures_are_none(bench: Bench) -> None:
    bench.open("github", SECRET)
    good = digest("X-Hub-Signature-256", "sha256=")(SECRET, b"{}")["X-Hub-Signature-256"]
    headers = [("X-Hub-Signature-256", good), ("X-Hub-Signature-256", good)]
    assert (await bench.http.post("/hooks/github", content=b"{}", headers=headers)).status_code == 401


async def test_slack_gets_its_challenge_back(bench: Bench) -> None:
    bench.open("slack", SECRET)
    body = said(type="url_verification", challenge="3eZbrw1aB")
    answer = await bench.send(Sample(kind="slack", body=body, prove=slack))
    assert (answer.status_code, answer.text) == (200, "3eZbrw1aB")
    assert await bench.kept() == []


async def test_who_types_a_slack_command_is_told_what_was_saved(bench: Bench) -> None:
    bench.open("slack", SECRET)
    answer = await bench.send(
        Sample(kind="slack", body=urlencode({"command": "/save", "text": A}), prove=slack, headers=FORM)
    )
    assert (answer.status_code, answer.text) == (200, f"Saved {A}")


@needs_curve
async def test_discord_gets_an_empty_answer_to_its_ping_only_if_the_signature_holds(bench: Bench) -> None:
    bench.open("discord", public_key(SECRET))
    ping = Sample(kind="discord", body=said(version=1, application_id="1", type=0), prove=discord)
    assert (await bench.send(ping)).status_code == 204
    assert (await bench.send(ping, body=b"{}")).status_code == 401
    assert await bench.kept() == []


async def test_github_pings_and_unstarred_repositories_hold_nothing_to_save(bench: Bench) -> None:
    bench.open("github", SECRET)
    prove = digest("X-Hub-Signature-256", "sha256=")
    ping = Sample(
        kind="github", body=said(zen="z", repository={"html_url": A}), prove=prove, headers={"X-GitHub-Event": "ping"}
    )
    gone = Sample(
        kind="github",
        body=said(action="deleted", repository={"html_url": A}),
        prove=prove,
        headers={"X-GitHub-Event": "star"},
    )
    assert (await bench.send(ping)).text == "pong"
    assert (await bench.send(gone)).json()["status"] == "empty"
    [arrival] = await bench.store.due(10)
    assert list(read([arrival]).sightings) == []


async def test_cloudevents_may_ask_whether_they_are_welcome(bench: Bench) -> None:
    answer = await bench.http.options("/hooks/any", headers={"WebHook-Request-Origin": "events.example"})
    assert answer.status_code == 204
    assert (answer.headers["WebHook-Allowed-Origin"], answer.headers["WebHook-Allowed-Rate"]) == ("events.example", "*")


async def test_a_cloud_event_is_known_by_source_and_id(bench: Bench) -> None:
    bench.open("cloudevents", SECRET)
    events = [("/a", "1"), ("/a", "1"), ("/b", "1"), ("/a", "2")]
    bodies = [said(source=source, id=id_, time=n, data={"url": A}) for n, (source, id_) in enumerate(events)]
    answers = [await bench.send(Sample(kind="cloudevents", body=body)) for body in bodies]
    assert [answer.status_code for answer in answers] == [202, 200, 202, 202]


async def test_mailgun_and_postmark_are_told_not_to_come_again_with_a_letter_without_a_link(bench: Bench) -> None:
    bench.open("mailgun", SECRET)
    letter = mailgun(SECRET).replace("https", "see").replace("http", "see")
    assert (await bench.http.post("/hooks/mailgun", content=letter, headers=FORM)).status_code == 406
    bench.open("postmark", f"pm:{SECRET}")
    headers = basic(SECRET, b"")
    assert (
        await bench.http.post("/hooks/postmark", content=said(TextBody="hello"), headers=headers)
    ).status_code == 403
    assert len(await bench.kept()) == 2


async def test_an_ifttt_address_works_by_get_and_by_its_json_form(bench: Bench) -> None:
    bench.open("ifttt", SECRET)
    by_get = await bench.http.get(f"/trigger/ifttt/with/key/{SECRET}", params={"value1": A})
    assert (by_get.status_code, by_get.text) == (200, "Congratulations! You've fired the ifttt event")
    by_json = await bench.http.post(f"/trigger/ifttt/json/with/key/{SECRET}", json={"any": {"link": A}})
    assert by_json.status_code == 200
    robot = await bench.http.get(
        f"/trigger/ifttt/with/key/{SECRET}",
        params={"value1": A, "n": 2},
        headers={"User-Agent": "Slackbot-LinkExpanding 1.0"},
    )
    assert robot.status_code == 403
    assert len(await bench.kept()) == 2


# The corpus: every row, to a hook of its sender's kind, answered as the row says.

DIFFERENCES = {
    "gzip-body": "a compressed body is refused with 415, which the row allows",
}
"""Rows that are answered otherwise than they say, and why."""


async def answered(bench: Bench, clock: Clock, given: Row) -> tuple[int, list[str], str, list[str]]:
    """Status, and the links that are read. Each row has a hook of its own."""
    row = given.row
    clock.now = float(row.get("auth", {}).get("now", NOW))
    bench.door.hooks.declare([Hook.of(Written(**given.hook), [given.secret.encode()])])
    before = {arrival.id for arrival in await bench.store.due(1000)}
    answer = await bench.http.request(row["method"], given.address, content=given.body, headers=row["headers"])
    new = [arrival for arrival in await bench.store.due(1000) if arrival.id not in before]
    found = [
        sighting
        for arrival in new
        if answer.status_code not in (403, 406, 422)
        for sighting in read([arrival]).sightings
    ]
    first = found[0] if found else None
    return (
        answer.status_code,
        [link.url for link in found],
        first.title if first else "",
        list(first.tags) if first else [],
    )


async def test_every_row_of_the_corpus_is_answered_as_it_says(corpus: Path, store: Store, clock: Clock) -> None:
    differing: dict[str, Any] = {}
    for given in rows(corpus):
        row = given.row
        if row["sender"] == "Discord webhook events" and importlib.util.find_spec("cryptography") is None:
            continue
        status, urls, title, tags = await answered(Bench(store, clock), clock, given)
        expected = row["expect"]
        wanted_status = "401" if expected.get("auth") == "reject" else str(expected.get("status", "2xx"))
        fits = str(status) in wanted_status or f"{status // 100}xx" in wanted_status
        wanted = {"urls": expected.get("urls", urls), "title": expected.get("title", title)}
        wanted["tags"] = [tag.lower() for tag in expected.get("tags", tags)]
        seen = {"urls": urls, "title": title, "tags": tags}
        if not fits or (seen != wanted and wanted_status != "401"):
            differing[row["id"]] = (status, wanted_status, seen, wanted)
    assert differing.keys() == DIFFERENCES.keys(), differing


# Bodies that services really send, to the hook of their kind: pages, never addresses of machines.

FOLDERS = {"bitbucket": "bitbucket", "discord": "discord", "docker": "generic", "email": "postmark", "gitea": "gitea",
           "github": "github", "gitlab": "gitlab", "mastodon": "mastodon", "miniflux": "miniflux", "slack": "slack"}  # fmt: skip
EVENTS = {"github": "x-github-event", "gitea": "x-gitea-event", "bitbucket": "x-event-key"}


def test_every_payload_of_the_corpus_gives_pages_and_no_addresses_of_machines(corpus: Path) -> None:
    paths = [path for folder in FOLDERS for path in sorted((corpus / "webhooks" / "payloads" / folder).glob("*.json"))]
    wrong: dict[str, Any] = {}
    for path in paths:
        kind = FOLDERS[path.parent.name]
        event = {EVENTS[kind]: path.name.partition(".")[0].removesuffix("-event")} if kind in EVENTS else {}
        request = HookRequest(hook="h", kind=kind, headers=event, body=path.read_bytes())
        arrival = Arrival(source="hook", key=Key("", ""), raw=request.raw())
        try:
            links = [link.url for link in read([arrival]).sightings]
        except InvalidArrival:
            links = []
        if any(word in url for url in links for word in ("api.github", "/api/v", "avatar")):
            wrong[f"{path.parent.name}/{path.name}"] = links
    assert wrong == {}
    assert len(paths) > 60


SENT_ELSEWHERE = (
    "ifttt-json ifttt-json-newline ifttt-form zapier-get pwa-share-url-in-text bookmarklet-no-cors get-bare"
)


def test_rows_with_a_token_in_their_query_are_sent_with_it_in_their_path(corpus: Path) -> None:
    """A token in a query is refused: these senders are set up with a hook of `auth: path` instead."""
    assert {row.name for row in rows(corpus) if "token=tok" in row.row["path"]} == set(SENT_ELSEWHERE.split())
