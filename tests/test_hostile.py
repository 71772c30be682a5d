"""What strangers send to get in, to stop the house, or to write on its owner's terminal."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import stat
import sys
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from bridge import control, passwords
from bridge.errors import ConfigError
from bridge.link import Sighting
from bridge.logs import Formatter
from bridge.ports import DAY, OWNER, Arrival, Key, Read
from bridge.rules import Decision, Limit
from bridge.rules import Hook as Written
from bridge.sources.pocket_api.entrance import MOST_WAITING, WRONG_PASSWORDS, Entrance
from bridge.sources.pocket_api.request import LONGEST_SEARCH, MOST_ACTIONS, BadRequest, actions, changes, query
from bridge.sources.webhooks.address import Incoming, fields_of
from bridge.sources.webhooks.auth import proves
from bridge.sources.webhooks.body import content
from bridge.sources.webhooks.hook import Hook
from bridge.sources.webhooks.kinds import KINDS
from bridge.sources.webhooks.map import dead_ends, proposal
from bridge.sources.webhooks.office import Office
from bridge.sources.webhooks.save_page import page
from bridge.sources.webhooks.source import Webhooks
from bridge.store.core import Store
from bridge.web.server import application
from tests.conftest import Clock
from tests.loopback import serve
from tests.pocket.server import KEY, browser, face

BACK = "https://app.example/done"
NOW = 1_790_000_000
ESCAPE = "\x1b[2J\rfake\nline"


async def code_for(http: httpx.AsyncClient, back: str = BACK) -> httpx.Response:
    asked = {"consumer_key": KEY, "redirect_uri": back}
    return await http.post("/v3/oauth/request", json=asked, headers={"X-Accept": "application/json"})


# -- signing in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:8080"}, 303),
        ({"Host": "localhost"}, 303),
        ({"Host": "[::1]:8080"}, 303),
        ({"Host": "127.0.0.1:8080", "Referer": "http://127.0.0.1:8080/"}, 303),
        ({"Host": "rebound.evil.example:8080"}, 200),
        ({"Host": "127.0.0.1.evil.example"}, 200),
        ({"Host": "127.0.0.1:8080", "Referer": "http://evil.example/"}, 200),
        ({"Host": "127.0.0.1:80", "Referer": "http://127.0.0.1:8080/"}, 200),
    ],
)
async def test_only_a_visit_by_this_machines_own_name_is_approved_at_once(
    store: Store, clock: Clock, headers: dict[str, str], status: int
) -> None:
    async with browser(face(store, clock, auto_approve=True)) as http:
        code = (await code_for(http)).json()["code"]
        visited = await http.get("/auth/authorize", params={"request_token": code}, headers=headers)
    assert visited.status_code == status


@pytest.mark.parametrize(
    "back",
    [
        "https://bank.example@evil.example/",
        "https:bank.example@evil.example/",
        "https:/evil.example/",
        "https:///evil.example/",
        "https://evil.example\\@bank.example/",
        "app://bank.example@evil.example/",
        "https://exa mple/",
        "https://[/",
    ],
)
async def test_a_way_back_that_reads_as_another_place_is_refused(store: Store, clock: Clock, back: str) -> None:
    async with browser(face(store, clock)) as http:
        refused = await code_for(http, back)
    assert (refused.status_code, refused.headers["x-error-code"]) == (400, "181")


async def test_the_page_names_the_host_a_browser_goes_to(store: Store, clock: Clock) -> None:
    async with browser(face(store, clock)) as http:
        code = (await code_for(http, "https://аpp.example/")).json()["code"]
        asked = await http.get("/auth/authorize", params={"request_token": code})
    assert "return to xn--pp-6kc.example" in asked.text


async def test_a_state_that_is_no_json_is_refused(store: Store, clock: Clock) -> None:
    async with browser(face(store, clock)) as http:
        said = f'{{"consumer_key": "{KEY}", "redirect_uri": "{BACK}", "state": [NaN]}}'
        refused = await http.post("/v3/oauth/request", content=said, headers={"X-Accept": "application/json"})
    assert refused.status_code == 400


class Guessing:
    """An entrance that many stand before."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.entrance = Entrance(store.accounts, owner="", inner="", apps="open", clock=clock)

    async def statuses(self, guesses: list[tuple[str, str]]) -> list[int]:
        answers = (self.entrance.person(name, password) for name, password in guesses)
        said = await asyncio.gather(*answers, return_exceptions=True)
        return [answer.status if isinstance(answer, BadRequest) else 200 for answer in said]


async def test_guesses_at_once_are_no_more_than_guesses_one_by_one(store: Store, clock: Clock) -> None:
    await store.accounts.add_user("ann", passwords.kept("correct horse"))
    guessing = Guessing(store, clock)
    wrong = [("ann", f"wrong {number}") for number in range(WRONG_PASSWORDS)]
    assert await guessing.statuses([*wrong, ("ann", "correct horse")]) == [401] * (WRONG_PASSWORDS + 1)


async def test_a_right_password_uses_nothing_up(store: Store, clock: Clock) -> None:
    await store.accounts.add_user("ann", passwords.kept("correct horse"))
    guessing = Guessing(store, clock)
    right = [("ann", "correct horse")] * WRONG_PASSWORDS
    assert await guessing.statuses(right) == [200] * WRONG_PASSWORDS
    await store.accounts.set_password("ann", passwords.kept("another horse"))
    wrong = [("ann", f"wrong {number}") for number in range(WRONG_PASSWORDS - 1)]
    assert await guessing.statuses([*wrong, ("ann", "another horse")]) == [401] * (WRONG_PASSWORDS - 1) + [200]


async def test_a_crowd_of_strangers_is_told_to_come_back(store: Store, clock: Clock) -> None:
    crowd = [(f"nobody{number}", "x") for number in range(MOST_WAITING + 3)]
    assert sorted(await Guessing(store, clock).statuses(crowd)) == [401] * MOST_WAITING + [503] * 3


# -- large and slow ------------------------------------------------------------------------------------------------


def test_a_batch_has_an_end() -> None:
    most = [{"action": "archive", "item_id": 1}] * MOST_ACTIONS
    assert len(actions({"actions": most}, NOW)) == MOST_ACTIONS
    with pytest.raises(BadRequest, match="send them in parts"):
        actions({"actions": [*most, {}]}, NOW)
    with pytest.raises(BadRequest, match="send them in parts"):
        changes({"new": {str(number): {} for number in range(MOST_ACTIONS + 1)}}, NOW)


@pytest.mark.parametrize("name", ["search", "domain", "tag"])
def test_what_is_looked_for_has_an_end(name: str) -> None:
    query({name: "a" * LONGEST_SEARCH})
    with pytest.raises(BadRequest, match=f"{name} may have"):
        query({name: "a" * (LONGEST_SEARCH + 1)})


@pytest.mark.parametrize("address", ["+" * 900_000, "+a" * 450_000])
def test_an_address_full_of_pluses_takes_no_time(address: str) -> None:
    # Without an end to the search this takes hours: the suite would never get here.
    letter = {"recipient": address, "subject": "x", "stripped-text": "https://example.com/"}
    [link] = KINDS["mailgun"].links("", letter)
    assert link.url == "https://example.com/"


def test_a_name_behind_a_plus_is_still_a_tag() -> None:
    [link] = KINDS["mailgun"].links("", {"recipient": "me+tech@in.example", "stripped-text": "https://example.com/"})
    assert link.tags == ("tech",)


class Body(bytes):
    """Counts how often it is read."""

    read = 0

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        self.read += 1
        return super().decode(encoding, errors)


def test_a_body_is_read_once_however_much_is_looked_for() -> None:
    looked_at = Body(b"timestamp=1&token=2&signature=3")
    content(looked_at, "")
    proven = Body(looked_at)
    assert not proves("mailgun", "", [b"a", b"b", b"c"], Incoming(body=proven, at=NOW))
    assert proven.read == looked_at.read


def test_a_form_of_many_parts_is_read_up_to_a_number() -> None:
    part = '--b\r\nContent-Disposition: form-data; name="n{}"\r\n\r\nx\r\n'
    body = ("".join(part.format(number) for number in range(2000)) + "--b--\r\n").encode()
    read = content(body, "multipart/form-data; boundary=b")
    assert len(read.value) == 1000
    assert read.notes == ("only the first 1000 fields were read",)


def test_xml_of_many_elements_is_no_tree() -> None:
    assert isinstance(content(b"<a>" + b"<b/>" * 49_000 + b"</a>", "text/xml").value, dict)
    assert isinstance(content(b"<a>" + b"<b/>" * 50_000 + b"</a>", "text/xml").value, str)


# -- a letter that was seen ----------------------------------------------------------------------------------------


def signed(secret: str, token: str) -> dict[str, str]:
    made = hmac.new(secret.encode(), f"{NOW}{token}".encode(), "sha256").hexdigest()
    return {"timestamp": str(NOW), "token": token, "signature": made}


async def test_a_letter_cannot_be_sent_again_under_another_name(store: Store, clock: Clock) -> None:
    clock.now = float(NOW)
    door = Webhooks(store, token="owner", clock=clock)
    door.hooks.declare([Hook.of(Written(name="mail", kind="mailgun"), [b"s3cret"])])
    transport = httpx.ASGITransport(Starlette(routes=list(door.routes)))
    said: list[str] = []
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge.test") as http:
        for number in range(3):
            letter = {"body-plain": f"https://example.com/{number}", "token": f"free {number}"}
            body = json.dumps({**letter, "signature": signed("s3cret", "t1")})
            headers = {"Content-Type": "application/json", "Webhook-Id": f"id {number}"}
            said.append((await http.post("/hooks/mail", content=body, headers=headers)).json()["status"])
    assert said == ["accepted", "known", "known"]


def test_two_content_types_prove_nothing() -> None:
    fields = signed("s3cret", "t1")
    body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    form = (b"content-type", b"application/x-www-form-urlencoded")

    def with_fields(*fields: tuple[bytes, bytes]) -> Incoming:
        headers, doubled = fields_of(fields)
        return Incoming(headers=headers, doubled=doubled, body=body, at=NOW)

    assert proves("mailgun", "", [b"s3cret"], with_fields(form))
    assert not proves("mailgun", "", [b"s3cret"], with_fields(form, (b"content-type", b"text/plain")))


async def test_length_and_encoding_together_are_refused() -> None:
    async with serve(application([], ready=list)) as origin:
        host, _, port = origin.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


# -- the terminal, the log, the page -------------------------------------------------------------------------------


def unprintable(text: str) -> set[str]:
    return set(text) & {"\x1b", "\r", "\n"}


def test_a_strangers_keys_do_not_reach_the_terminal() -> None:
    assert not unprintable(dead_ends({ESCAPE: "x"}, {"url": ["link"]}))
    link = KINDS["generic"].find({ESCAPE: "https://example.com/"})
    assert proposal({ESCAPE: "https://example.com/"}, link) == {}


async def test_what_is_learnt_can_be_printed(store: Store, clock: Clock) -> None:
    door = Webhooks(store, token="owner", clock=clock)
    transport = httpx.ASGITransport(Starlette(routes=list(door.routes)))
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge.test") as http:
        headers = {"Authorization": "Bearer owner", "Content-Type": "application/json"}
        body = json.dumps({ESCAPE: ESCAPE, "url": "https://example.com/"})
        kept = await http.post("/hooks/shop?q%1b=%1b", content=body, headers=headers)
    learnt = await Office(store, store, door.hooks, door.refusals, Path("/data")).learn(kept.json()["id"])
    shown = [learnt["event"], learnt["content_type"], *learnt["query"], *learnt["query"].values()]
    shown += [text for field in learnt["fields"] for text in field]
    assert len(learnt["fields"]) == 2
    assert not unprintable("".join(shown))


@pytest.mark.parametrize("human", [True, False])
def test_a_strangers_line_break_begins_no_line_of_the_log(human: bool) -> None:
    record = logging.LogRecord("bridge", logging.INFO, "f", 1, "title %s", ("a\n12:00:00  ERROR b",), None)
    line = Formatter([], human=human).format(record)
    assert "\n" not in line
    assert "\n" not in (line if human else json.loads(line)["message"])


def test_a_traceback_keeps_its_lines() -> None:
    try:
        int("x")
    except ValueError:
        record = logging.LogRecord("bridge", logging.ERROR, "f", 1, "failed", (), sys.exc_info())
    lines = Formatter([], human=True).format(record).splitlines()
    assert lines[0].endswith("failed")
    assert lines[-1].startswith("ValueError")


async def test_a_field_of_the_page_does_not_fill_another() -> None:
    transport = httpx.ASGITransport(Starlette(routes=[Route("/save", page)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge.test") as http:
        asked = {"url": "https://example.com/", "title": "[note]", "note": "said"}
        shown = (await http.get("/save", params=asked)).text
    assert '<input name="title" value="[note]">' in shown
    assert '<textarea name="note" rows="3">said</textarea>' in shown


# -- the data folder -----------------------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_made_by_hand_is_closed_to_others(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)
    with control.own(data):
        assert mode(data) == 0o700
        assert mode(data / control.LOCK) == 0o600


def test_a_folder_that_is_everybodys_stays_so(tmp_path: Path) -> None:
    data = tmp_path / "shared"
    data.mkdir()
    data.chmod(0o1777)
    with control.own(data):
        assert mode(data) == 0o1777
        assert mode(data / control.LOCK) == 0o600


@pytest.mark.parametrize("inside", ["", "data"])
def test_a_data_folder_that_is_a_file_is_a_sentence(tmp_path: Path, inside: str) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    data = file / inside
    with pytest.raises(ConfigError, match="cannot be used: Not a directory"), control.own(data):
        pass
    with pytest.raises(ConfigError, match="cannot be used: Not a directory"):
        control.ask(data, "status", {})


def test_a_data_folder_that_cannot_be_made_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match="data folder /proc/x cannot be used"), control.own(Path("/proc/x")):
        pass


# -- several people ------------------------------------------------------------------------------------------------


async def take(store: Store, account: str, url: str, decision: Decision) -> str:
    """What became of a link that came for this person."""
    await store.put([Arrival(source="hook", key=Key("t", url), raw="", account=account)])
    [due] = await store.due(10)
    await store.take([Read(due, "read", decided=[(Sighting.of(url, source="hook"), decision)])], "")
    return str((await store.passport(account, url, "")).sightings[0]["state"])


async def test_one_persons_links_do_not_use_up_anothers_limit(store: Store) -> None:
    limit = Limit("few", 1, "day 2026-01-01", "drop", float(NOW))
    decision = Decision(title="", tags=(), to=("x",), matched=("few",), limits=(limit,))
    assert await take(store, "ann", "https://a.example/", decision) == "kept"
    assert await take(store, OWNER, "https://b.example/", decision) == "kept"
    assert await take(store, OWNER, "https://c.example/", decision) == "dropped"


async def test_what_is_usual_for_one_person_makes_no_flood_of_anothers_links(store: Store, clock: Clock) -> None:
    decision = Decision(title="", tags=(), to=(), matched=("ads",), dropped_by="ads")
    for day in range(10):
        await take(store, "ann", f"https://a.example/{day}", decision)
        clock.move(DAY)
    states = [await take(store, OWNER, f"https://b.example/{number}", decision) for number in range(30)]
    assert states == ["dropped"] * 30
