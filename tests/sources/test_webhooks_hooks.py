"""Hooks one sets up: paths to what is meant, addresses with tokens, what came and how it is learned and replayed."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from bridge.errors import ConfigError, InvalidArrival
from bridge.ports import Arrival, Cursor, Key, Read
from bridge.rules import KINDS, SCHEMES, load, path_of, steps_of, walk
from bridge.rules import Hook as Written
from bridge.sources.webhooks import save_page
from bridge.sources.webhooks.finder import find
from bridge.sources.webhooks.hook import Hook, named_secret
from bridge.sources.webhooks.map import mapped, proposal
from bridge.sources.webhooks.office import Office, written
from bridge.sources.webhooks.refusals import TELL_SECONDS
from bridge.sources.webhooks.request import HookRequest
from bridge.sources.webhooks.source import Webhooks, read
from bridge.store.core import Store
from bridge.web.server import listen
from bridge.words import hooks as words
from bridge.words.parts import WIDTH
from tests.conftest import Clock

OWNER = "owner-token"
A, B = "https://example.com/a", "https://example.com/b"


class House:
    """A door over a real store, with its office."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.door = Webhooks(store, token=OWNER, clock=clock, key=b"key")
        self.office = Office(store, store, self.door.hooks, self.door.refusals, Path("/data"))
        transport = httpx.ASGITransport(Starlette(routes=list(self.door.routes)))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://bridge.test")
        self.owner = {"Authorization": f"Bearer {OWNER}"}

    def declare(self, name: str = "shop", secret: str = "s3cret", **more: Any) -> None:
        self.door.hooks.declare([Hook.of(Written(name=name, **more), [secret.encode()] if secret else [])])


@pytest.fixture
def house(store: Store, clock: Clock) -> House:
    return House(store, clock)


ENTRIES = {"items": [{"u": A, "n": "First", "t": [{"l": "x"}]}, {"u": B, "n": "Second", "t": []}]}


def read_as(value: Any, **where: list[str]) -> list[tuple[str, str, tuple[str, ...]]]:
    body = json.dumps(value).encode()
    request = HookRequest(hook="h", headers={"content-type": "application/json"}, body=body, where=where)
    reading = read([Arrival(source="hook", channel="h", key=Key("", ""), raw=request.raw())])
    return [(link.url, link.title, link.tags) for link in reading.sightings]


# Paths.


def test_paths_lead_to_each_entry_with_what_stands_beside_it() -> None:
    found = read_as(ENTRIES, url=["items[].u"], title=["items[].n"], tags=["items[].t[].l"])
    assert found == [(A, "First", ("x",)), (B, "Second", ())]


def test_a_path_goes_on_in_every_entry_of_a_list_without_being_told() -> None:
    assert [url for url, *_ in read_as(ENTRIES, url=["items.u"])] == [A, B]


def test_of_several_paths_the_first_that_leads_to_something_counts_for_each_entry() -> None:
    value = {"items": [{"canonical": A, "link": B}, {"canonical": "", "link": B}]}
    assert [url for url, *_ in read_as(value, url=["items[].canonical", "items[].link"])] == [A, B]


def test_paths_for_the_title_alone_leave_the_link_to_the_finder() -> None:
    assert read_as({"url": A, "meta": {"caption": "T"}}, title=["meta.caption"]) == [(A, "T", ())]


def test_a_path_may_lead_to_a_text_with_an_address_or_to_an_object() -> None:
    assert read_as({"m": f"see {A}!"}, url=["m"])[0][0] == A
    assert read_as({"x": {"any": {"link": A}}, "url": B}, url=["x"])[0][0] == A


def test_a_key_with_a_dot_is_quoted() -> None:
    assert read_as({"a.b": {"c": A}, "url": B}, url=['"a.b".c'])[0][0] == A


def test_a_path_that_leads_nowhere_says_what_is_there_instead() -> None:
    with pytest.raises(InvalidArrival, match=r"“data.entry.link” leads nowhere: data.entry holds id, name"):
        read_as({"data": {"entry": {"id": "1", "name": "n"}}}, url=["data.entry.link"])


@given(
    st.lists(
        st.one_of(st.text(min_size=1).filter(lambda key: '"' not in key), st.integers(0, 99999), st.none()),
        min_size=1,
        max_size=8,
    )
)
def test_a_path_that_is_written_is_the_path_that_is_read(steps: list[str | int | None]) -> None:
    assert list(steps_of(path_of(steps))) == steps


plain = st.recursive(
    st.none() | st.text() | st.just(A),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["url", "a", "b"]), inner, max_size=3),
    max_leaves=12,
)
some_path = st.lists(st.sampled_from(["url", "a", "b", None, 0, 1]), min_size=1, max_size=4).map(path_of)


@settings(max_examples=200)
@given(plain, some_path, some_path)
def test_paths_into_anything_lead_somewhere_or_nowhere(value: Any, url: str, title: str) -> None:
    for found in mapped(value, {"url": [url], "title": [title], "tags": [title]}):
        assert found.url
    assert all(isinstance(at, tuple) for at, _ in walk(value, steps_of(url)))


@settings(max_examples=200)
@given(plain)
def test_what_is_proposed_finds_what_was_found(value: Any) -> None:
    found = find(value)
    if where := proposal(value, found):
        again = mapped(value, {fact: [path] for fact, path in where.items()})
        assert found[0].url in [link.url for link in again]


# Addresses.


async def test_a_token_in_the_address_opens_its_own_hook_and_no_other(house: House) -> None:
    house.declare(auth="path")
    assert (await house.http.post("/hooks/shop/s3cret", json={"url": A})).status_code == 202
    assert (await house.http.post("/hooks/other/s3cret", json={"url": A})).status_code == 401
    assert (await house.http.post("/hooks/shop/s3cre", json={"url": A})).status_code == 401
    assert (await house.http.post("/hooks/shop", json={"url": A}, headers=house.owner)).status_code == 401
    assert (await house.http.post(f"/hooks/free/{OWNER}", json={"url": A})).status_code == 401
    [arrival] = await house.store.due(10)
    assert "s3cret" not in arrival.raw


async def test_a_token_in_the_address_is_in_no_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.declare(auth="path")
    with listen("127.0.0.1", 0) as listener:
        app = Starlette(routes=list(house.door.routes))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=True))
        serving = asyncio.create_task(server.serve([listener]))
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with caplog.at_level(logging.INFO, "uvicorn.access"):
            async with httpx.AsyncClient(trust_env=False) as client:
                for token in ("s3cret", "wr0ng"):
                    await client.post(f"{origin}/hooks/shop/{token}", json={"url": A})
        server.should_exit = True
        await serving
    lines = [record.getMessage() for record in caplog.records if record.name == "uvicorn.access"]
    assert len(lines) == 2
    assert all("/hooks/shop/" in line and "s3cret" not in line and "wr0ng" not in line for line in lines)


async def test_get_saves_only_where_the_hook_says_so_and_never_for_a_preview(house: House) -> None:
    house.declare(auth="path")
    assert (await house.http.get("/hooks/shop/s3cret", params={"url": A})).status_code == 405
    house.declare(auth="path", methods=("GET",))
    for robot in ({"User-Agent": "TelegramBot (like TwitterBot)"}, {"Sec-Purpose": "prefetch"}):
        assert (await house.http.get("/hooks/shop/s3cret", params={"url": A}, headers=robot)).status_code == 403
    assert (await house.http.head("/hooks/shop/s3cret", params={"url": A})).status_code == 405
    assert await house.store.due(10) == []
    assert (await house.http.get("/hooks/shop/s3cret", params={"url": A})).status_code == 202


async def test_an_open_hook_takes_from_anybody(house: House) -> None:
    house.declare(secret="", open=True)
    assert (await house.http.post("/hooks/shop", json={"url": A})).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        "<item><link>https://example.com/a</link><title>T</title></item>",
        "<link>https://example.com/a</link><title>T</title>",
    ],
)
async def test_xml_is_read_also_without_one_root(house: House, body: str) -> None:
    headers = {**house.owner, "Content-Type": "application/xml"}
    assert (await house.http.post("/hooks/zap", content=body, headers=headers)).json()["links"] == [A]


# Added by hand.


async def test_an_added_hook_works_at_once_and_after_a_restart(house: House) -> None:
    added = await house.office.add("shop", "generic", "", {})
    bearer = {"Authorization": f"Bearer {added['secret']}"}
    assert (await house.http.post("/hooks/shop", json={"url": A}, headers=bearer)).status_code == 202
    again = House(house.store, house.clock)
    await again.door.hooks.restore()
    assert (await again.http.post("/hooks/shop", json={"url": B}, headers=bearer)).status_code == 202
    assert added["secret"] not in str(await house.store.cursor("hooks"))


async def test_a_hook_is_listed_under_the_address_it_was_given_without_its_token(house: House) -> None:
    added = await house.office.add("shop", "ifttt", "", {})
    [listed] = (await house.office.list())["hooks"]
    assert listed["address"] == added["address"].replace(added["secret"], "…") == "/trigger/shop/with/key/…"


async def test_a_removed_hook_is_closed_and_its_secret_is_no_good_for_a_new_one(house: House) -> None:
    first = await house.office.add("shop", "ifttt", "", {})
    await house.office.remove("shop")
    second = await house.office.add("shop", "ifttt", "", {})
    assert (await house.http.post(first["address"], json={"value1": A})).status_code == 401
    assert (await house.http.post(second["address"], json={"value1": A})).status_code == 200


async def test_the_rule_file_wins_over_a_hook_added_by_hand(house: House) -> None:
    await house.office.add("shop", "generic", "", {})
    house.declare(kind="github")
    [hook] = (await house.office.list())["hooks"]
    assert (hook["kind"], hook["from"]) == ("github", "rule file")


@pytest.mark.parametrize(
    ("name", "kind", "secret", "said"),
    [
        ("a b", "generic", {}, "cannot be a hook's name"),
        ("taken", "generic", {}, "already"),
        ("new", "githubb", {}, "there is no kind"),
        ("new", "slack", {}, "made by the service"),
        ("new", "slack", {"file": "/nowhere/at/all"}, "cannot be read"),
        ("new", "slack", {"env": "SURELY_NOT_SET_HERE"}, "not set"),
    ],
)
async def test_what_cannot_be_added_is_refused_with_the_reason(
    house: House, name: str, kind: str, secret: dict[str, str], said: str
) -> None:
    house.declare(name="taken")
    with pytest.raises(ConfigError, match=said):
        await house.office.add(name, kind, "", secret)


async def test_a_secret_of_a_service_may_stand_in_the_file_of_variables(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("SHOP_SECRET=s3cret\n")
    await house.office.add("shop", "generic", "", {"env": "SHOP_SECRET"})
    bearer = {"Authorization": "Bearer s3cret"}
    assert (await house.http.post("/hooks/shop", json={"url": A}, headers=bearer)).status_code == 202


@pytest.mark.parametrize(
    ("auth", "said"), [("nope", "there are: bearer, path, basic"), ("header", "does not say which")]
)
async def test_a_way_to_prove_oneself_that_nothing_can_check_is_refused_and_a_kept_one_stays_closed(
    house: House, auth: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        await house.office.add("new", "generic", auth, {})
    assert (await house.office.list())["hooks"] == []
    entry = {"kind": "generic", "auth": auth, "secret": {"made": "00"}}
    await house.store.put([], cursor=Cursor("hooks", json.dumps({"old": entry})), expect=None)
    await house.door.hooks.restore()
    assert (await house.http.post("/hooks/old", json={"url": A})).status_code == 401


async def test_who_is_not_let_in_is_told_which_secret_counts_and_not_whether_there_is_a_hook(house: House) -> None:
    await house.office.add("shop", "generic", "", {})
    refused = await house.http.post("/hooks/shop", json={"url": A}, headers=house.owner)
    assert (refused.status_code, "takes only its own secret" in refused.json()["error"]) == (401, True)
    assert (await house.http.post("/hooks/nobody", json={"url": A})).json() == refused.json()


# Refused.


async def refuse_many(house: House) -> None:
    house.declare(name="gh", kind="github")
    await house.office.add("shop", "generic", "", {})
    for path, headers in (
        ("/hooks/shop", house.owner),
        ("/hooks/shop", {"Authorization": "Bearer nonsense"}),
        ("/hooks/shop", {}),
        ("/hooks/gh", {"X-Hub-Signature-256": "sha256=00"}),
        ("/hooks/gh", house.owner),
        ("/hooks/nobody", {"Authorization": "Bearer nonsense"}),
        ("/hooks/no-one/with-a-key", {}),
        ("/save", {"Authorization": "Bearer nonsense"}),
    ):
        house.clock.move(1)
        assert (await house.http.post(path, json={"url": A}, headers=headers)).status_code == 401


async def test_who_is_refused_is_counted_by_hook_and_other_names_together(house: House) -> None:
    await refuse_many(house)
    refused = (await house.office.list())["refused"]
    assert [(one["name"], one["number"]) for one in refused] == [
        ("shop", 3),
        ("gh", 2),
        ("(other names)", 2),
        ("(save)", 1),
    ]
    assert refused[0]["why"] == "it has no header “authorization”"
    assert refused[-1]["last"] == house.clock()
    assert house.door.refusals.counts() == {"shop": 3, "gh": 2, "(other names)": 2, "(save)": 1}
    assert "nonsense" not in str(refused)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Authorization": f"Bearer {OWNER}"}, "owner's token; this hook takes only its own secret"),
        ({"Authorization": "Bearer nonsense"}, "its token is not the one of this hook"),
        ({}, "no header “authorization”"),
    ],
)
async def test_why_a_request_was_refused_is_told_to_the_owner(house: House, headers: dict[str, str], why: str) -> None:
    await house.office.add("shop", "generic", "", {})
    answer = await house.http.post("/hooks/shop", json={"url": A}, headers=headers)
    [refused] = (await house.office.list())["refused"]
    assert why in refused["why"]
    nobody = await house.http.post("/hooks/nobody", json={"url": A}, headers={"Authorization": "Bearer nonsense"})
    assert (answer.status_code, answer.content, answer.headers) == (401, nobody.content, nobody.headers)


async def test_a_name_of_no_hook_takes_no_memory(house: House) -> None:
    for number in range(50):
        await house.http.post(f"/hooks/nobody{number}", json={"url": A})
    assert house.door.refusals.counts() == {"(other names)": 50}


async def test_the_log_says_once_in_five_minutes_who_was_refused(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.declare(name="gh", kind="github")

    async def refuse_and_tell() -> list[str]:
        caplog.clear()
        for _ in range(3):
            await house.http.post("/hooks/gh", json={"url": A}, headers={"X-Hub-Signature-256": "sha256=00"})
        house.door.refusals.tell()
        return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]

    [said] = await refuse_and_tell()
    assert re.fullmatch(r"hook gh: 3 requests refused since .+ UTC: its signature does not match", said)
    assert await refuse_and_tell() == []
    house.clock.move(TELL_SECONDS)
    [said] = await refuse_and_tell()
    assert said.startswith("hook gh: 6 requests refused since ")
    house.clock.move(TELL_SECONDS)
    house.door.refusals.tell()
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


# Learned and replayed.


async def test_a_captured_request_proposes_the_paths_that_read_it(house: House) -> None:
    body = {"event": "x", "data": {"entry": {"link": A, "name": "T", "labels": ["one"]}, "avatar_url": B}}
    answer = await house.http.post("/hooks/shop", json=body, headers=house.owner)
    learned = await house.office.learn(answer.json()["id"])
    assert learned["where"] == {"url": "data.entry.link", "title": "data.entry.name", "tags": "data.entry.labels"}
    assert learned["links"] == [{"url": A, "title": "T", "tags": ("one",), "note": ""}]
    [hook] = load(learned["yaml"], name="rules.yaml").hooks
    assert (hook.name, hook.url) == ("shop", ("data.entry.link",))
    json.dumps(learned)


async def test_a_sender_that_is_known_needs_no_paths(house: House) -> None:
    body = {"action": "published", "release": {"html_url": A, "tag_name": "1.0"}}
    headers = {**house.owner, "X-GitHub-Event": "release"}
    answer = await house.http.post("/hooks/gh", json=body, headers=headers)
    learned = await house.office.learn(answer.json()["id"])
    assert (learned["kind"], learned["where"]) == ("github", {})
    assert "kind: github" in learned["yaml"]
    assert [link["title"] for link in learned["links"]] == ["1.0"]


async def test_what_nobody_could_read_is_captured_with_the_reason_and_replayed_with_new_paths(house: House) -> None:
    house.declare(url=("data.url",))
    bearer = {"Authorization": "Bearer s3cret"}
    answer = await house.http.post("/hooks/shop", json={"data": {"address": A}}, headers=bearer)
    assert answer.status_code == 422
    assert "data holds address" in answer.json()["error"]
    [seen] = (await house.office.captured("shop"))["captured"]
    assert (seen["id"], seen["hook"], seen["method"]) == (answer.json()["id"], "shop", "POST")
    house.declare(url=("data.address",))
    number, replayed = await house.office.replay(seen["id"])
    assert (replayed["id"], replayed["hook"], replayed["received"]) == (seen["id"], "shop", seen["received"])
    [new] = [arrival for arrival in await house.store.due(10) if arrival.id == number]
    assert [link.url for link in read([new]).sightings] == [A]


async def test_a_number_that_is_no_request_is_said_so(house: House) -> None:
    with pytest.raises(ConfigError, match="no request with number 7"):
        await house.office.learn(7)


@given(st.dictionaries(st.sampled_from(["url", "title", "tags", "note"]), some_path, max_size=4))
def test_what_is_printed_can_be_pasted(where: dict[str, str]) -> None:
    [hook] = load(
        written("shop", "github", where, hook=None, secret={"file": "/data/a b/shop.secret"}), name="rules.yaml"
    ).hooks
    assert {fact: getattr(hook, fact) for fact in where} == {fact: (path,) for fact, path in where.items()}


MAPPED = {"event": "x", "data": {"entry": {"link": A, "name": "T"}}}


async def learn(house: House, name: str, headers: dict[str, str]) -> dict[str, Any]:
    answer = await house.http.post(f"/hooks/{name}", json=MAPPED, headers=headers)
    learned: dict[str, Any] = await house.office.learn(answer.json()["id"], name)
    return learned


async def test_what_is_learned_for_an_added_hook_can_be_pasted_with_the_secret_it_has(
    house: House, tmp_path: Path
) -> None:
    house.office = Office(house.store, house.store, house.door.hooks, house.door.refusals, tmp_path)
    added = await house.office.add("shop", "generic", "path", {})
    answer = await house.http.post(added["address"], json=MAPPED)
    learned = await house.office.learn(answer.json()["id"], "shop")
    told = " ".join(" ".join(words.learned(learned)).split())
    assert f"put the secret that “hooks add” printed into the file {tmp_path}/shop.secret" in told
    assert added["secret"] not in told
    (tmp_path / "shop.secret").write_text(added["secret"] + "\n")
    [written_hook] = load(learned["yaml"], name="rules.yaml").hooks
    house.door.hooks.declare([Hook.of(written_hook, [named_secret(one) for one in written_hook.secret])])
    assert (await house.http.post(added["address"], json={**MAPPED, "event": "y"})).status_code == 202


async def test_a_hook_that_was_added_with_a_secret_of_its_service_keeps_it(house: House, tmp_path: Path) -> None:
    file = tmp_path / "s"
    file.write_text("s3cret")
    await house.office.add("shop", "generic", "", {"file": str(file)})
    learned = await learn(house, "shop", {"Authorization": "Bearer s3cret"})
    assert f"secret: {{file: {file}}}" in learned["yaml"]
    assert "A mapping is set in the rule file. Paste" in " ".join(words.learned(learned))


async def test_what_is_learned_says_what_is_to_be_done_about_the_secret(house: House) -> None:
    house.declare(name="filed")
    filed = await learn(house, "filed", {"Authorization": "Bearer s3cret"})
    assert "its secret there stays as it is" in " ".join(words.learned(filed))
    assert "secret" not in filed["yaml"]
    free = await learn(house, "free", house.owner)
    assert "has a secret of its own: first put one into the file /data/free.secret" in " ".join(words.learned(free))


async def test_what_was_saved_as_it_came_is_not_offered_to_be_saved(house: House) -> None:
    saved = await learn(house, "shop", house.owner)
    assert words.learned(saved)[-1] == "It was saved as it came."
    house.declare(name="filed", url=("data.url",))
    unread = await learn(house, "filed", {"Authorization": "Bearer s3cret"})
    assert words.learned(unread)[-1].endswith(f"pocket-bridge hooks replay {unread['arrival']}")
    as_it_is = await house.http.post("/hooks/gh", json={"url": A}, headers=house.owner)
    assert (await house.office.learn(as_it_is.json()["id"]))["saved"]


async def test_what_holds_no_link_is_not_said_to_be_read(house: House) -> None:
    house.declare(name="filed")
    bearer = {"Authorization": "Bearer s3cret"}
    answer = await house.http.post("/hooks/filed", json={"none": "here"}, headers=bearer)
    told = words.learned(await house.office.learn(answer.json()["id"]))
    assert "Nothing is proposed: no place in it holds a link." in told
    assert not any("reads it as it is" in line for line in told)


async def test_a_request_of_another_hook_is_not_learned_from(house: House) -> None:
    answer = await house.http.post("/hooks/shop", json=MAPPED, headers=house.owner)
    with pytest.raises(ConfigError, match="came to hook “shop”, not to “other”: pocket-bridge hooks learn shop --id 1"):
        await house.office.learn(answer.json()["id"], "other")
    answer = await house.http.post("/save", json=MAPPED, headers=house.owner)
    with pytest.raises(ConfigError, match="came to /save"):
        await house.office.learn(answer.json()["id"], "other")


async def test_what_came_is_shown_with_its_link_or_why_there_is_none(house: House) -> None:
    long = "hook-with-a-name-that-is-much-too-long-for-a-column"
    await house.http.post("/hooks/shop", json=[{"url": A, "title": "T"}, {"url": B}], headers=house.owner)
    await house.http.post(f"/hooks/{long}", json={"first": "nothing"}, headers=house.owner)
    await take_all(house)
    number, _ = await house.office.replay(1)
    told = words.captured(await house.office.captured())
    assert number == 3
    assert [line.strip() for line in told if line.startswith(" ")] == [
        "request 1 once more",
        f"{A}  and 1 more",
        "“T”",
        "no link found: no web address in the fields first",
        f"{A}  and 1 more",
        "“T”",
    ]
    assert max(len(click.unstyle(line)) for line in told) <= WIDTH
    assert not any("more;" in line for line in told)


async def test_what_is_not_shown_of_what_came_is_counted(house: House) -> None:
    for number in range(5):
        await house.http.post("/hooks/shop", json={"url": f"{A}{number}"}, headers=house.owner)
    assert words.captured(await house.office.captured(limit=2))[-1] == "… and 3 more; --most 5 shows more"
    assert (await house.office.captured(limit=5))["more"] == 0
    assert (await house.office.captured("nosuch", limit=2))["more"] == 0


async def take_all(house: House) -> None:
    """As intake would, without rules."""
    arrivals = await house.store.due(10)
    reads = []
    for arrival in arrivals:
        try:
            read([arrival])
            reads.append(Read(arrival, "read"))
        except InvalidArrival as nothing:
            reads.append(Read(arrival, "parked", reason=str(nothing)))
    await house.store.take(reads, "")


# The page.


async def test_the_page_shows_one_button_and_saves_nothing(house: House) -> None:
    page = await house.http.get("/save", params={"title": '"><script>', "text": A, "url": ""})
    assert page.status_code == 200
    assert page.text.count("<button>") == 1
    assert f'value="{A}"' in page.text
    assert "<script>alert" not in page.text
    assert "&quot;&gt;&lt;script&gt;" in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert await house.store.due(10) == []


async def test_the_page_says_where_the_whereabouts(store: Store, clock: Clock) -> None:
    door = Webhooks(store, token=OWNER, clock=clock, whereabouts="in the file <b>/token")
    transport = httpx.ASGITransport(Starlette(routes=list(door.routes)))
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge.test") as http:
        page = (await http.get("/save")).text
    assert page.count("in the file &lt;b&gt;/token") == 2


NODE = shutil.which("node")

PRESSED = """
const line = {hidden: true}, output = {};
const form = {
  dataset: {tokenStands: "in the file data/token"},
  querySelector: () => output,
  addEventListener: (_, act) => { form.press = act; },
};
const [status, body, typed] = JSON.parse(process.argv[1]);
const kept = {};
globalThis.document = {getElementById: (id) => id === "save" ? form : line};
globalThis.localStorage = {
  getItem: (name) => kept[name] ?? null,
  setItem: (name, value) => { kept[name] = value; },
  removeItem: (name) => { delete kept[name]; },
};
globalThis.FormData = class { *[Symbol.iterator]() { yield ["token", typed]; yield ["url", "https://a.example/"]; } };
globalThis.fetch = async () => ({status, json: async () => body});
{SCRIPT}
form.press({preventDefault() {}}).then(() => console.log(JSON.stringify([output.textContent, line.hidden, kept])));
"""


@pytest.mark.skipif(NODE is None, reason="the page's script is run by node")
@pytest.mark.parametrize(
    ("status", "body", "typed", "shown"),
    [
        (202, {"status": "accepted"}, "t", ["Saved.", True, {"token": "t"}]),
        (422, {"status": "kept", "error": "no link"}, "t", ["Not saved: no link", True, {"token": "t"}]),
        (401, {"error": "x" * 300}, "t", ["This token is not right. It stands in the file data/token.", False, {}]),
        (401, {"error": "x" * 300}, "", ["A token is needed. It stands in the file data/token.", False, {}]),
    ],
)
def test_what_the_page_says_when_its_button_is_pressed(
    status: int, body: dict[str, str], typed: str, shown: list[Any]
) -> None:
    script = (Path(save_page.__file__).parent / "save" / "save.js").read_text("utf-8")
    program = PRESSED.replace("SCRIPT", script)
    given = json.dumps([status, body, typed])
    answer = subprocess.run([str(NODE), "-e", program, given], capture_output=True, check=True, timeout=30)
    assert json.loads(answer.stdout) == shown


async def test_everything_the_page_names_is_there(house: House) -> None:
    for path in ("manifest.webmanifest", "save.js", "save.css", "icon.svg"):
        assert (await house.http.get(f"/save/{path}")).status_code == 200
    manifest = (await house.http.get("/save/manifest.webmanifest")).json()
    assert manifest["share_target"]["action"] == "/save"
    assert (await house.http.get(manifest["icons"][0]["src"])).headers["content-type"] == "image/svg+xml"


async def test_the_bookmarklet_opens_the_page_and_holds_no_token(house: House) -> None:
    made = (await house.office.bookmarklet("https://bridge.example/"))["bookmarklet"]
    assert made.startswith("javascript:")
    assert "https://bridge.example/save?url=" in made
    assert OWNER not in made


# The handbook.

HANDBOOK = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text("utf-8")


@pytest.mark.parametrize("name", [*KINDS, *SCHEMES])
def test_every_kind_and_every_way_to_prove_oneself_is_described(name: str) -> None:
    rows = [line.split("|")[1] for line in HANDBOOK.splitlines() if line.startswith("|")]
    assert any(f"`{name}`" in row for row in rows)


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", HANDBOOK, re.DOTALL))
def test_every_example_can_be_pasted(example: str) -> None:
    assert load(example, name="rules.yaml").hooks
