"""Telegram: nothing is lost between the Bot API and the inbox, and a person hears what really happened."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import rules
from bridge.errors import ConfigError, FetchError, InvalidArrival, SourceError, StoreError
from bridge.intake import Intake
from bridge.net import Answer, Door
from bridge.ports import Answered, Arrival, Cursor, Key, Receipt, Report, Reporter, Request, Source, Verdict
from bridge.sources.telegram.answers import HELP
from bridge.sources.telegram.api import BotApi as TelegramApi
from bridge.sources.telegram.api import BotError
from bridge.sources.telegram.source import Telegram, patience, read
from bridge.sources.telegram.text import LONGEST_MESSAGE
from bridge.sources.telegram.words import words
from bridge.store.core import Store
from bridge.store.sqlite import Database
from tests.asgi import door_to
from tests.bot_api import TOKEN, BotApi, Json, Refusal, entities, message, shown

API = "http://telegram.test"
ANN = 42
NOW = 1_763_640_000.0


class Morning(Exception):  # noqa: N818
    """The night a test runs in is over."""


class Night:
    """A clock, and a sleep that passes at once; after `naps` of them the test is over."""

    def __init__(self, naps: int) -> None:
        self.now = NOW
        self.waits: list[float] = []
        self._naps = naps

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        if len(self.waits) == self._naps:
            raise Morning


class Witness(Store):
    """The real store, which remembers its units of arrivals. `failures`: so many fail first; `after`: called when one
    is kept."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        super().__init__(database, clock)
        self.units: list[Sequence[Arrival]] = []
        self.failures = 0
        self.after: Callable[[], None] = lambda: None

    async def put(
        self,
        arrivals: Sequence[Arrival],
        *,
        seen: Sequence[Key] = (),
        cursor: Cursor | None = None,
        expect: str | None = None,
    ) -> Sequence[Receipt]:
        if self.failures:
            self.failures -= 1
            raise StoreError("the database failed: disk is full")
        receipts = await super().put(arrivals, seen=seen, cursor=cursor, expect=expect)
        if arrivals:
            self.units.append(arrivals)
            self.after()
        return receipts

    async def stored(self) -> Sequence[Arrival]:
        return await self.due(1000)

    async def texts(self) -> list[str]:
        return [json.loads(arrival.raw)["message"]["text"] for arrival in await self.stored()]


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Witness]:
    opened = await Witness.open(tmp_path / "bridge.db", lambda: NOW)
    assert isinstance(opened, Witness)
    yield opened
    await opened.close()


class NoNet(Door):
    """No request arrives, and the error names the address, as errors do."""

    def __init__(self) -> None:
        """Nothing is opened."""

    async def fetch(self, url: str, **_: Any) -> Answer:
        raise FetchError(f"{url}: no route to host")


@pytest.fixture
def bot_api() -> BotApi:
    return BotApi()


@pytest.fixture
def door(bot_api: BotApi) -> Door:
    return door_to(bot_api)


def telegram(
    inbox: Witness,
    door: Door,
    night: Night | None = None,
    *,
    allow: Sequence[int] = (ANN,),
    token: str = TOKEN,
) -> Telegram:
    night = night or Night(1)
    return Telegram(
        inbox, door, token=token, api=API, allow=dict.fromkeys(allow, ""), clock=night.clock, sleep=night.sleep
    )


async def one_night(
    inbox: Witness, door: Door, *, naps: int = 1, allow: Sequence[int] = (ANN,), token: str = TOKEN
) -> tuple[Telegram, list[float]]:
    """Runs until the `naps`th wait; a poll that brings nothing at once is followed by one."""
    night = Night(naps)
    source = telegram(inbox, door, night, allow=allow, token=token)
    with pytest.raises(Morning):
        await source.run()
    return source, night.waits


# -- polling


async def test_an_update_becomes_an_arrival_as_it_came(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    number = bot_api.receive(message("https://example.com/ä"))
    await one_night(inbox, door)
    (arrival,) = await inbox.stored()
    assert json.loads(arrival.raw) == {"update_id": number, "message": message("https://example.com/ä")}
    assert (arrival.source, arrival.channel) == ("telegram", "42")
    assert inbox.units[0][0].key == Key("telegram:4242", str(number), 48 * 3600.0)
    assert await inbox.cursor("telegram:4242:offset") == str(number + 1)


class Saying(Door):
    """Whatever is asked, the answer is these bytes."""

    def __init__(self, body: str) -> None:
        self._body = body

    async def fetch(self, url: str, **_: Any) -> Answer:
        return Answer(url=url, status=200, headers={}, body=self._body.encode())


SPELLED = st.sampled_from(
    ['{"ok":true,"result":%s}', ' {"ok" : true , "result" : %s } \n', '{"result": %s, "ok": true}']
)


@settings(max_examples=150)
@given(found=st.lists(st.deferred(lambda: JSON), max_size=4), spelled=SPELLED, spaced=st.booleans())
async def test_each_element_of_an_answer_has_its_own_text(found: list[Any], spelled: str, *, spaced: bool) -> None:
    api = TelegramApi(Saying(spelled % json.dumps(found, indent=2 if spaced else None)), token=TOKEN, api=API)
    elements = await api.elements("getUpdates", {})
    assert [says for _, says in elements] == found
    assert [json.loads(raw) for raw, _ in elements] == found


@pytest.mark.parametrize("body", ['{"ok":true,"result":[1 2]}', '{"ok":true,"result":[1,]}', '{"ok":true,"result":[1]'])
async def test_half_an_answer_is_none(body: str) -> None:
    with pytest.raises(SourceError, match="not the Bot API's own"):
        await TelegramApi(Saying(body), token=TOKEN, api=API).elements("getUpdates", {})


async def test_what_is_kept_is_the_very_text_that_came(inbox: Witness) -> None:
    update = (
        '{"update_id" : 7,\n "message": {"message_id":1,"chat":{"id":42},"from":{"id":42},"text":"\\ud83d","x":1.0}}'
    )
    night = Night(1)
    with pytest.raises(Morning):
        await telegram(inbox, Saying('{"ok":true,"result":[%s]}' % update), night).run()  # noqa: UP031 - it holds braces
    assert [arrival.raw for arrival in await inbox.stored()] == [update]


async def test_one_answer_is_one_unit(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    for number in range(250):
        bot_api.receive(message(f"https://example.com/{number}"))
    await one_night(inbox, door)
    assert len(await inbox.stored()) == 250
    assert len(inbox.units) == 3
    assert bot_api.pending == []


async def test_only_messages_and_posts_are_asked_for(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    await one_night(inbox, door)
    (asked,) = bot_api.asked("getUpdates")
    assert asked == {
        "timeout": 25,
        "limit": 100,
        "allowed_updates": ["message", "edited_message", "channel_post", "edited_channel_post", "callback_query"],
    }


async def test_nothing_is_confirmed_before_it_is_durable(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    number = bot_api.receive(message("https://example.com/"))
    confirmed_when_durable: list[list[int]] = []
    inbox.failures = 2
    inbox.after = lambda: confirmed_when_durable.append(list(bot_api.confirmed))
    await one_night(inbox, door, naps=3)
    assert confirmed_when_durable == [[]]
    assert bot_api.confirmed == [number]
    assert await inbox.texts() == ["https://example.com/"]


async def test_a_kill_between_commit_and_confirmation_neither_loses_nor_doubles(
    bot_api: BotApi, door: Door, inbox: Witness
) -> None:
    def kill() -> None:
        raise Morning

    bot_api.receive(message("https://example.com/1"))
    inbox.after = kill
    await one_night(inbox, door)
    assert bot_api.confirmed == []
    inbox.after = lambda: None
    bot_api.receive(message("https://example.com/2"))
    await one_night(inbox, door)
    assert await inbox.texts() == ["https://example.com/1", "https://example.com/2"]


async def test_a_restart_goes_on_where_the_last_unit_ended(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    bot_api.receive(message("https://example.com/1"))
    await one_night(inbox, door)
    bot_api.receive(message("https://example.com/2"))
    await one_night(inbox, door)
    assert await inbox.texts() == ["https://example.com/1", "https://example.com/2"]
    assert len(inbox.units) == 2


async def test_the_offset_goes_down_when_telegram_begins_its_ids_anew(
    bot_api: BotApi, door: Door, inbox: Witness
) -> None:
    bot_api.receive(message("https://example.com/old"))
    await one_night(inbox, door)
    bot_api.restart_ids(at=5)
    bot_api.receive(message("https://example.com/new"))
    await one_night(inbox, door)
    assert await inbox.texts() == ["https://example.com/old", "https://example.com/new"]
    assert await inbox.cursor("telegram:4242:offset") == "6"
    assert bot_api.pending == []


async def test_an_empty_answer_writes_nothing_and_does_not_make_it_spin(
    bot_api: BotApi, door: Door, inbox: Witness
) -> None:
    _, waits = await one_night(inbox, door, naps=4)
    assert inbox.units == []
    assert waits == [1.0] * 4
    assert len(bot_api.asked("getUpdates")) == 4


async def test_a_server_that_repeats_itself_does_not_make_it_spin(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    update = {"update_id": 9, "message": message("https://example.com/")}
    bot_api.trouble(200, {"ok": True, "result": True}, times=2)  # deleteWebhook, getMe
    bot_api.trouble(200, {"ok": True, "result": [update]}, times=4)
    _, waits = await one_night(inbox, door, naps=3)
    assert waits == [1.0] * 3
    assert len(bot_api.asked("getUpdates")) == 4
    assert len(await inbox.stored()) == 1


async def test_what_cannot_be_understood_is_kept_and_passed(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    bot_api.receive(message("https://example.com/1"))
    broken = bot_api.receive_raw({"update_id": 700_000_002, "message": "no object"})
    bot_api.receive_raw(17)
    bot_api.receive_raw({"message": message("no id")})
    bot_api.receive(message("https://example.com/2"))
    await one_night(inbox, door)
    assert bot_api.pending == []
    assert [arrival.key.scope for arrival in inbox.units[0]] == [
        "telegram:4242", "telegram:4242", "telegram:4242:unreadable", "telegram:4242:unreadable", "telegram:4242"
    ]  # fmt: skip
    assert inbox.units[0][1].key.value == str(broken)
    for arrival in (await inbox.stored())[1:4]:
        with pytest.raises(InvalidArrival):
            read([arrival])


async def test_an_unreadable_last_element_is_passed_without_spinning(
    bot_api: BotApi, door: Door, inbox: Witness
) -> None:
    bot_api.receive(message("https://example.com/1"))
    bot_api.receive_raw([])
    _, waits = await one_night(inbox, door, naps=3)
    assert bot_api.pending == []
    assert len(await inbox.stored()) == 2
    assert min(waits) >= 1.0


async def test_a_webhook_is_removed_and_what_waits_is_kept(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    bot_api.webhook = "https://elsewhere.example/hook"
    bot_api.receive(message("https://example.com/"))
    await one_night(inbox, door)
    assert await inbox.texts() == ["https://example.com/"]


# -- who may save


def group(**fields: Any) -> Json:
    return message("https://example.com/", chat={"id": -100155, "type": "supergroup"}, **fields)


BOT_OF_ANONYMOUS_ADMINS = {"id": 1087968824, "is_bot": True, "first_name": "Group"}
SOMEBODY = {"id": 666, "is_bot": False, "first_name": "Eve"}
CHANNEL = {"id": -100123, "type": "channel", "title": "News"}


@pytest.mark.parametrize(
    ("allow", "written", "stored"),
    [
        ([42], message("x"), True),
        ([42], message("x", **{"from": SOMEBODY}), False),
        ([666], message("x", **{"from": SOMEBODY}), True),
        ([], message("x"), False),
        ([42], group(), True),
        ([42], group(**{"from": SOMEBODY}), False),
        ([-100155], group(**{"from": SOMEBODY}), True),
        ([-100123], group(**{"from": SOMEBODY, "sender_chat": CHANNEL}), True),
        ([1087968824], group(**{"from": BOT_OF_ANONYMOUS_ADMINS, "sender_chat": {"id": -100155}}), False),
        ([-100155], group(**{"from": BOT_OF_ANONYMOUS_ADMINS, "sender_chat": {"id": -100155}}), True),
        ([666], message("x", chat={"id": 666, "type": "private"}), False),
    ],
)
async def test_only_those_on_the_list_may_save(
    bot_api: BotApi, door: Door, allow: list[int], written: Json, inbox: Witness, *, stored: bool
) -> None:
    bot_api.receive(written)
    source, _ = await one_night(inbox, door, allow=allow)
    assert bool(await inbox.stored()) is stored
    assert source.strangers == (not stored)
    assert bot_api.pending == []


async def test_a_channel_is_allowed_by_its_own_id(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    post = {"message_id": 7, "date": 1, "chat": CHANNEL, "sender_chat": CHANNEL, "text": "x"}
    bot_api.receive(post, kind="channel_post")
    bot_api.receive(post | {"chat": {"id": -100999, "type": "channel"}, "sender_chat": None}, kind="channel_post")
    source, _ = await one_night(inbox, door, allow=[-100123])
    assert [arrival.channel for arrival in (await inbox.stored())] == ["-100123"]
    assert source.strangers == 1


async def test_each_stranger_is_named_once(
    bot_api: BotApi, door: Door, caplog: pytest.LogCaptureFixture, inbox: Witness
) -> None:
    caplog.set_level(logging.INFO, "bridge")
    for _ in range(3):
        bot_api.receive(message("x", **{"from": SOMEBODY}))
    source, _ = await one_night(inbox, door)
    assert source.strangers == 3
    assert [line for line in caplog.messages if "add 666 to BRIDGE_TELEGRAM_ALLOW" in line] == [
        "Telegram: ignored a message; to let its sender save links, add 666 to BRIDGE_TELEGRAM_ALLOW"
    ]


async def test_no_more_than_a_thousand_strangers_are_remembered(
    bot_api: BotApi, door: Door, caplog: pytest.LogCaptureFixture, inbox: Witness
) -> None:
    caplog.set_level(logging.INFO, "bridge")
    for number in range(1200):
        bot_api.receive(message("x", **{"from": {"id": 10_000 + number}}))
    source, _ = await one_night(inbox, door)
    assert source.strangers == 1200
    assert sum("BRIDGE_TELEGRAM_ALLOW" in line for line in caplog.messages) == 1000


async def test_a_command_for_another_bot_is_left_to_it(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    bot_api.receive(group() | {"text": "/save@OtherBot https://example.com/1"})
    bot_api.receive(group() | {"text": "/save@mybridgebot https://example.com/2"})
    await one_night(inbox, door)
    assert await inbox.texts() == ["/save@mybridgebot https://example.com/2"]


async def test_updates_of_kinds_nobody_asked_for_are_passed(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    bot_api.receive_raw({"update_id": 700_000_001, "subscription": {"x": 1}})
    await one_night(inbox, door)
    assert await inbox.stored() == []
    assert bot_api.pending == []


# -- when Telegram does not answer as it should


def troubles() -> list[Any]:
    conflict = {
        "ok": False,
        "error_code": 409,
        "description": "Conflict: terminated by other getUpdates request",
    }
    flood = {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests",
        "parameters": {"retry_after": 7},
    }
    return [
        pytest.param(409, conflict, 3.0, 4.0, id="another poller"),
        pytest.param(429, flood, 7.0, 7.0, id="too many requests"),
        pytest.param(502, "<html>Bad Gateway</html>", 1.0, 60.0, id="html"),
        pytest.param(500, {"ok": False, "description": "Internal Server Error"}, 1.0, 60.0, id="internal error"),
        pytest.param(200, '{"ok": true, "result": [', 1.0, 60.0, id="half an answer"),
        pytest.param(200, {"ok": True, "result": {"no": "list"}}, 1.0, 60.0, id="no list"),
        pytest.param(200, {"surprise": 1}, 1.0, 60.0, id="another server"),
        pytest.param(302, {}, 1.0, 60.0, id="a redirect"),
    ]


@pytest.mark.parametrize(("status", "body", "shortest", "longest"), troubles())
async def test_trouble_is_waited_out_and_nothing_is_lost(
    bot_api: BotApi,
    door: Door,
    status: int,
    body: str | Json,
    shortest: float,
    longest: float,
    inbox: Witness,
) -> None:
    bot_api.receive(message("https://example.com/"))
    bot_api.trouble(200, {"ok": True, "result": True}, times=2)  # deleteWebhook, getMe
    bot_api.trouble(status, body)
    _, waits = await one_night(inbox, door, naps=2)
    assert shortest <= waits[0] <= longest
    assert await inbox.texts() == ["https://example.com/"]


@pytest.mark.parametrize(("token", "said"), [("4242:AAsomebody-elses", "Unauthorized"), ("17:x", "Not Found")])
async def test_a_wrong_token_is_said_once_and_not_hammered(
    bot_api: BotApi, door: Door, caplog: pytest.LogCaptureFixture, token: str, said: str, inbox: Witness
) -> None:
    caplog.set_level(logging.INFO, "bridge")
    _, waits = await one_night(inbox, door, naps=5, token=token)
    assert waits == [60.0, 120.0, 180.0, 240.0, 300.0]
    assert bot_api.refused == {401: 0, 404: 0} | {401 if said == "Unauthorized" else 404: 7}
    assert caplog.messages == [
        f"Telegram: the token is not accepted ({said}): BRIDGE_TELEGRAM_TOKEN must be the one @BotFather gave"
    ]


@pytest.mark.parametrize("status", [200, 401, 403, 404, 407, 502])
async def test_a_page_of_a_proxy_is_not_taken_for_telegrams_word(
    bot_api: BotApi, door: Door, caplog: pytest.LogCaptureFixture, status: int, inbox: Witness
) -> None:
    bot_api.receive(message("https://example.com/"))
    bot_api.trouble(status, "<html><body>Please sign in to our network</body></html>", times=2)
    await one_night(inbox, door, naps=3)
    assert caplog.messages == [
        f"Telegram: a web page came instead of Telegram's answer (HTTP {status}): is a proxy between?"
    ]
    assert await inbox.texts() == ["https://example.com/"]


async def test_a_conflict_says_what_to_look_for(
    bot_api: BotApi, door: Door, caplog: pytest.LogCaptureFixture, inbox: Witness
) -> None:
    bot_api.trouble(200, {"ok": True, "result": True}, times=2)
    conflict = "Conflict: terminated by other getUpdates request"
    bot_api.trouble(409, {"ok": False, "error_code": 409, "description": conflict}, times=2)
    _, waits = await one_night(inbox, door, naps=2)
    assert waits[1] > waits[0] >= 3.0
    assert caplog.messages == [
        f"Telegram: another program is polling with this token; stop it, or give bridge a bot of its own: {conflict}"
    ]


async def test_a_webhook_that_somebody_sets_meanwhile_is_removed_and_said(
    bot_api: BotApi, door: Door, caplog: pytest.LogCaptureFixture, inbox: Witness
) -> None:
    night = Night(3)
    nap = night.sleep

    async def sleep(seconds: float) -> None:
        await nap(seconds)
        if len(night.waits) == 1:
            bot_api.webhook = "https://elsewhere.example/hook"
            bot_api.receive(message("https://example.com/"))

    source = Telegram(inbox, door, token=TOKEN, api=API, allow={ANN: ""}, clock=night.clock, sleep=sleep)
    with pytest.raises(Morning):
        await source.run()
    assert bot_api.webhook == ""
    assert await inbox.texts() == ["https://example.com/"]
    assert "another program has set a webhook for this bot; stop it, or give bridge a bot of its own" in caplog.text


async def test_after_more_than_a_day_it_is_said_what_is_gone(
    bot_api: BotApi, door: Door, caplog: pytest.LogCaptureFixture, inbox: Witness
) -> None:
    async def runs_at(now: float) -> Sequence[str]:
        night = Night(2)
        night.now = now
        source = telegram(inbox, door, night)
        with pytest.raises(Morning):
            await source.run()
        return await source.condition()

    assert await runs_at(NOW) == ["listens to 1 ids"]
    assert await runs_at(NOW + 23 * 3600.0) == ["listens to 1 ids"]
    assert await runs_at(NOW - 3600.0) == ["listens to 1 ids"], "a clock that was put back"
    told = await runs_at(NOW + 40 * 3600.0)
    gone = (
        "no updates were taken since 2025-11-20 11:00 UTC: Telegram keeps them for a day, so what was sent before "
        "2025-11-21 04:00 UTC is gone"
    )
    assert told == ["listens to 1 ids", gone]
    assert f"Telegram: {gone}" in caplog.messages


async def test_a_burst_is_taken_in_hundreds_and_an_album_in_it_stays_one(
    bot_api: BotApi, door: Door, inbox: Witness
) -> None:
    for number in range(1000):
        album = {"media_group_id": "7"} if 95 <= number < 105 else {}
        bot_api.receive(message(f"https://example.com/{number}", message_id=number, **album))
    await one_night(inbox, door)
    assert [len(unit) for unit in inbox.units] == [100] * 10
    assert bot_api.pending == []
    together = [arrival for unit in inbox.units for arrival in unit if "album-7" in arrival.group]
    assert len(together) == 10
    assert len({arrival.group for unit in inbox.units for arrival in unit}) == 991


async def test_an_unreachable_server_is_asked_ever_more_seldom(inbox: Witness) -> None:
    _, waits = await one_night(inbox, NoNet(), naps=40)
    assert all(1.0 <= wait <= 60.0 for wait in waits)
    assert sum(waits[20:]) > 5 * sum(waits[:3])


async def test_an_empty_allow_list_is_told_at_the_start(
    door: Door, caplog: pytest.LogCaptureFixture, inbox: Witness
) -> None:
    await one_night(inbox, door, allow=[])
    assert caplog.messages == ["BRIDGE_TELEGRAM_ALLOW is empty: nobody may save links through Telegram"]


@pytest.mark.parametrize(
    ("error", "failures", "wait"),
    [
        (BotError("Unauthorized", status=401), 1, 60.0),
        (BotError("Not Found", status=404), 50, 600.0),
        (BotError("Conflict", status=409), 1, 3.5),
        (BotError("Conflict", status=409), 3, 12.5),
        (BotError("Conflict", status=409), 999, 60.5),
        (BotError("Too Many Requests", status=429, retry_after=7.0), 1, 7.0),
        (BotError("Too Many Requests", status=429, retry_after=0.001), 1, 1.0),
        (BotError("Too Many Requests", status=429, retry_after=1e12), 1, 3600.0),
        (BotError("Bad Gateway", status=502), 4, 16.0),
        (SourceError("away"), 999, 60.0),
        (StoreError("disk is full"), 1, 2.0),
    ],
)
def test_patience(error: SourceError | StoreError, failures: int, wait: float) -> None:
    assert patience(error, failures, 0.5) == wait


SECRET = TOKEN.partition(":")[2]


async def test_the_token_is_in_no_log_line(
    bot_api: BotApi, door: Door, caplog: pytest.LogCaptureFixture, inbox: Witness
) -> None:
    caplog.set_level(logging.DEBUG)
    bot_api.receive(message("https://example.com/"))
    bot_api.trouble(200, {"ok": True, "result": True}, times=2)
    bot_api.trouble(403, {"ok": False, "description": f"no such bot: {TOKEN}"})
    source, _ = await one_night(inbox, door, naps=2)
    await source.report(saved())
    await one_night(inbox, NoNet(), naps=3)
    # The HTTP library's own lines name every address: the log's set-up silences them.
    assert [record for record in caplog.records if record.name != "httpx" and SECRET in record.getMessage()] == []
    assert any("no such bot: 4242:…" in line for line in caplog.messages)


async def test_the_token_is_in_no_error(inbox: Witness) -> None:
    source = telegram(inbox, NoNet())
    with pytest.raises(SourceError) as caught:
        await source.report(saved())
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r} {source!r}"
    assert "no route to host" in str(caught.value)


@pytest.mark.parametrize("token", ["", "secret-without-number", "12:", "12:a/../b", "12:a b"])
async def test_a_token_of_another_shape_is_refused_without_repeating_it(token: str, inbox: Witness) -> None:
    with pytest.raises(ConfigError, match="BRIDGE_TELEGRAM_TOKEN is not a bot's token") as caught:
        telegram(inbox, NoNet(), token=token)
    assert "secret" not in str(caught.value)


async def test_it_is_a_source_and_a_reporter(inbox: Witness) -> None:
    source = telegram(inbox, NoNet())
    plugs: tuple[Source, Reporter] = (source, source)
    assert plugs[0].name == "telegram"
    assert list(source.routes) == []


# -- reading


def arrival(update: Any) -> Arrival:
    raw = update if isinstance(update, str) else json.dumps(update)
    return Arrival(source="telegram", key=Key("telegram:4242", "1"), raw=raw, channel="42")


def of(written: Json, kind: str = "message") -> Arrival:
    return arrival({"update_id": 1, kind: written})


def urls(written: Json, kind: str = "message") -> list[str]:
    return [sighting.url for sighting in read([of(written, kind)]).sightings]


def marked(text: str, *found: Json, **fields: Any) -> Json:
    return message(text) | {"entities": list(found)} | fields


def entity(name: str, offset: int, length: int, **fields: Any) -> Json:
    return {"type": name, "offset": offset, "length": length, **fields}


def whole(text: str) -> Json:
    return marked(text, entity("url", 0, len(text.encode("utf-16-le")) // 2))


def test_a_message_names_its_link_with_all_facts() -> None:
    (sighting,) = read([of(message("look https://example.com/a?b=1#c #Python #über"))]).sightings
    assert sighting.url == "https://example.com/a?b=1#c"
    assert sighting.tags == ("python", "über")
    assert (sighting.source, sighting.chat, sighting.author, sighting.at) == (
        "telegram",
        "42",
        "Ann",
        1763632901.0,
    )
    assert sighting.text == "look https://example.com/a?b=1#c #Python #über"
    assert sighting.title == ""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (message("🇩🇪🇺🇦 https://example.com/a tail"), ["https://example.com/a"]),
        (message("שלום https://example.com/_(film) x"), ["https://example.com/_(film)"]),
        (message("https://a.example/ https://b.example/"), ["https://a.example/", "https://b.example/"]),
        (message("http://a.example/ https://a.example/#part"), ["http://a.example/"]),
        (message(caption="🖼 https://example.com/p", caption_entities=[entity("url", 3, 21)]), ["https://example.com/p"]),
        (marked("read this", entity("text_link", 5, 4, url="https://example.com/x")), ["https://example.com/x"]),
        (message("x", link_preview_options={"url": "https://example.com/p"}), ["https://example.com/p"]),
        (
            whole("example.com/x") | {"link_preview_options": {"url": "http://example.com/x"}},
            ["https://example.com/x"],
        ),
        (
            message("x", reply_markup={"inline_keyboard": [[{"text": "a", "url": "https://example.com/b"}, {"web_app": {"url": "https://no.example"}}], 7]}),
            ["https://example.com/b"],
        ),
        (
            message("x", forward_origin={"type": "channel", "chat": {"username": "news"}, "message_id": 5}),
            ["https://t.me/news/5"],
        ),
        (
            message("https://example.com/", forward_origin={"type": "channel", "chat": {"username": "news"}, "message_id": 5}),
            ["https://example.com/"],
        ),
        (message("x", forward_origin={"type": "channel", "chat": {"id": -100987}, "message_id": 5}), []),
        (
            message(poll={"question": "https://a.example", "question_entities": [entity("url", 0, 17)], "options": [{"text": "https://b.example", "text_entities": [entity("url", 0, 17)]}]}),
            ["https://a.example", "https://b.example"],
        ),
        (
            message(checklist={"title": "L", "tasks": [{"id": 1, "text": "https://b.example", "text_entities": [entity("url", 0, 17)]}]}),
            ["https://b.example"],
        ),
        (
            message(rich_message={"blocks": [{"type": "paragraph", "text": ["see ", {"type": "bold", "text": {"type": "url", "text": "it", "url": "https://r.example"}}]}]}),
            ["https://r.example"],
        ),
        (
            message(poll={"question": "q", "media": {"link": {"url": "https://a.example"}}, "explanation_media": {"link": {"url": "https://b.example"}}, "options": [{"text": "o", "media": {"link": {"url": "https://c.example"}}}]}),
            ["https://a.example", "https://b.example", "https://c.example"],
        ),
        (
            message(checklist_tasks_added={"tasks": [{"id": 1, "text": "https://b.example", "text_entities": [entity("url", 0, 17)]}]}),
            ["https://b.example"],
        ),
        (
            marked("/save", reply_to_message=message("https://one.example/ https://two.example/"), quote={"text": "https://two.example/", "position": 21}),
            ["https://two.example/"],
        ),
        (
            marked("/save", reply_to_message=message("🙂 https://one.example/ words"), quote={"text": "words", "position": 24}),
            ["https://one.example/"],
        ),
        (
            marked("/save", external_reply={"origin": {}}, quote={"text": "see https://q.example/a.", "position": 3}),
            ["https://q.example/a"],
        ),
        (
            marked("/save", external_reply={"origin": {}, "checklist": {"title": "https://t.example", "title_entities": [entity("url", 0, 17)]}}),
            ["https://t.example"],
        ),
        (marked("thanks", external_reply={"origin": {}}, quote={"text": "https://q.example/", "position": 3}), []),
        (message(web_app_data={"data": '{"url": "https://w.example"}', "button_text": "x"}), ["https://w.example"]),
        (whole("https://t.me/share/url?url=https%3A%2F%2Fexample.com%2Fs&text=x"), ["https://example.com/s"]),
        (whole("www.main.py"), ["https://www.main.py"]),
        (whole("docs.rs/serde"), ["https://docs.rs/serde"]),
        (whole("HTTPS://Example.com"), ["HTTPS://Example.com"]),
        (whole("ТеСт.МоСкВа"), ["https://ТеСт.МоСкВа"]),
        (whole("main.py"), []),
        (whole("README.md"), []),
        (whole("tg://resolve?domain=x"), []),
        (whole("ftp://example.com/x"), []),
        (whole("mailto:ann@example.com"), []),
        (marked("/save", reply_to_message=message("https://example.com/r")), ["https://example.com/r"]),
        (marked("thanks", reply_to_message=message("https://example.com/r")), []),
        (message("https://example.com/", is_automatic_forward=True), []),
        (marked("short", entity("url", 2, 500)), []),
        (marked("a🙂b.example", entity("url", 2, 5)), []),
        (marked("x.example", entity("url", -1, 3), {"type": "url"}, {}, entity("url", 0, 9)), ["https://x.example"]),
    ],
)  # fmt: skip
def test_a_link_is_found_wherever_it_stands(written: Json, expected: list[str]) -> None:
    assert urls(written) == expected


@pytest.mark.parametrize(
    ("schemeless", "expected"),
    [
        ("sense", ["https://example.com/a", "https://docs.rs/serde"]),
        ("all", ["https://example.com/a", "https://main.py", "https://docs.rs/serde"]),
        ("never", []),
    ],
)
def test_what_lacks_a_scheme_is_saved_as_the_setting_says(schemeless: Any, expected: list[str]) -> None:
    text = "example.com/a main.py docs.rs/serde ann@example.com https://whole.example/"
    parts = [entity("url", text.index(word), len(word)) for word in text.split()]
    reading = read([of(marked(text, *parts))], schemeless=schemeless)
    assert [sighting.url for sighting in reading.sightings] == [*expected, "https://whole.example/"]
    assert len(reading.notes) == 5 - len(reading.sightings)


def test_a_long_formatted_message_has_its_words_as_text() -> None:
    link = {"type": "url", "text": {"type": "bold", "text": "here"}, "url": "https://r.example"}
    blocks = [
        {"type": "heading", "text": "Title"},
        {"type": "paragraph", "text": ["see ", link, {"type": ["odd"]}]},
        {"type": "list", "items": [{"label": "1", "blocks": [{"type": "paragraph", "text": "one"}]}]},
    ]
    (sighting,) = read([of(message(rich_message={"blocks": blocks}))]).sightings
    assert sighting.text.split() == ["Title", "see", "here", "1", "one"]
    assert sighting.text.startswith("Title\nsee here")


@pytest.mark.parametrize("kind", ["edited_message", "channel_post", "edited_channel_post"])
def test_edits_and_posts_are_read_like_messages(kind: str) -> None:
    assert urls(message("https://example.com/"), kind) == ["https://example.com/"]


@pytest.mark.parametrize(
    ("label", "title"),
    [
        ("How the borrow checker works", "How the borrow checker works"),
        ("this", ""),
        ("https://example.com/the-same-again", ""),
    ],
)
def test_a_label_is_a_title_only_when_it_can_be_one(label: str, title: str) -> None:
    written = marked(label, entity("text_link", 0, len(label), url="https://example.com/x"))
    (sighting,) = read([of(written)]).sightings
    assert sighting.title == title


def test_labels_of_several_links_are_no_titles() -> None:
    label = "How the borrow checker works"
    links = [entity("text_link", 0, len(label), url=f"https://example.com/{number}") for number in range(2)]
    assert [sighting.title for sighting in read([of(marked(label, *links))]).sightings] == ["", ""]


def test_a_hashtag_of_a_channel_is_the_tag_alone() -> None:
    text = "#news@channel https://example.com/"
    written = marked(text, entity("hashtag", 0, 13), entity("url", 14, 20))
    assert read([of(written)]).sightings[0].tags == ("news",)


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("/start", Request("start")),
        ("/start aGk", Request("start", "aGk")),
        ("/help@MyBridgeBot", Request("help")),
    ],
)
def test_a_command_is_a_request(text: str, request_: Request) -> None:
    reading = read([of(message(text))])
    assert (list(reading.requests), list(reading.sightings), list(reading.notes)) == ([request_], [], [])


@pytest.mark.parametrize(
    ("written", "notes"),
    [
        (message("hello"), ["No link found in this message"]),
        (message(photo=[]), ["No link found in this message"]),
        (message(photo=[], media_group_id="7"), []),
        (message(new_chat_title="x"), []),
        (whole("main.py"), ["No link found in this message", "main.py looks like a file name; with https:// before it, it is saved"]),
        (message("https://a.example/ ftp://b.example/"), ["ftp://b.example/ is not a web page"]),
    ],
)  # fmt: skip
def test_what_is_not_saved_is_said(written: Json, notes: list[str]) -> None:
    assert list(read([of(written)]).notes) == notes


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("{", "the update is not JSON"),
        ("[" * 100_000, "the update is not JSON"),
        ("[]", "the update has no update_id"),
        ('{"update_id": true}', "the update has no update_id"),
        ('{"update_id": 1, "message": 5}', "its message is not an object"),
        ('{"update_id": 1, "message": {}}', "its message has no message_id"),
        ('{"update_id": 1, "message": {"message_id": 1, "chat": {"id": "42"}}}', "its chat has no id"),
    ],
)
def test_a_broken_update_says_what_is_wrong(raw: str, reason: str) -> None:
    with pytest.raises(InvalidArrival, match=f"^{reason}$"):
        read([arrival(raw)])


def test_a_group_is_read_in_its_order() -> None:
    reading = read([of(message("https://a.example/")), of(message("https://b.example/"))])
    assert [sighting.url for sighting in reading.sightings] == ["https://a.example/", "https://b.example/"]


@settings(max_examples=150)
@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_an_address_is_cut_out_right_between_any_characters(before: str, after: str) -> None:
    url = "https://example.com/🙂?q=ü#x"
    offset = len(before.encode("utf-16-le", "surrogatepass")) // 2
    written = marked(f"{before}{url}{after}", entity("url", offset, len(url.encode("utf-16-le")) // 2))
    assert urls(written) == [url]


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["url", "https://a.example"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["type", "text", "url", "offset", "length", "id", "blocks", "tasks"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
PARTS = "text entities caption caption_entities poll checklist game rich_message reply_markup forward_origin from date web_app_data link_preview_options reply_to_message sender_chat".split()


@settings(max_examples=300)
@given(
    parts=st.dictionaries(st.sampled_from(PARTS), JSON, max_size=6),
    kind=st.sampled_from(["message", "channel_post"]),
)
def test_whatever_stands_in_a_message_is_read_or_refused_with_a_reason(parts: Json, kind: str) -> None:
    written = of(message("/save https://example.com/") | parts, kind)
    try:
        reading = read([written])
    except InvalidArrival:
        return
    assert all(sighting.canonical.startswith("http") for sighting in reading.sightings)


# -- telling


def verdict(state: str = "kept", **fields: Any) -> Verdict:
    facts: Json = {
        "url": "https://example.com/a", "title": "", "tags": (), "reason": "", "since": 1777766400.0, "deliveries": {}
    }  # fmt: skip
    return Verdict(state=state, **(facts | fields))


def told(
    *verdicts: Verdict,
    state: str = "read",
    reason: str = "",
    reference: str = "",
    of_: Arrival | None = None,
    answers: Sequence[Answered] = (),
) -> Report:
    return Report(
        arrival=of_ or of(message("https://example.com/a")),
        state=state,
        reason=reason,
        verdicts=verdicts,
        settled=True,
        reference=reference,
        answers=answers,
    )


def saved(reference: str = "", of_: Arrival | None = None) -> Report:
    return told(verdict(deliveries={"reading": ("delivered", "created")}), reference=reference, of_=of_)


LINK = '<a href="https://example.com/a">https://example.com/a</a>'


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (saved(), f"Saved to reading: {LINK}"),
        (
            told(verdict(title="A & B", tags=("web dev", "ü"), deliveries={"reading": ("delivered", "created")})),
            'Saved to reading: <a href="https://example.com/a">A &amp; B</a> #web_dev #ü',
        ),
        (
            told(verdict(deliveries={"reading": ("delivered", "merged"), "pocket": ("delivered", "created")})),
            f"Saved to pocket, reading: {LINK}",
        ),
        (told(verdict(deliveries={"pocket": ("delivered", "already")})), f"Already in pocket: {LINK}"),
        (
            told(verdict(deliveries={"reading": ("delivered", "created"), "pocket": ("pending", "limit, until 14:20 UTC")})),
            f"Saved to reading; waiting for pocket: limit, until 14:20 UTC: {LINK}",
        ),
        (told(verdict(deliveries={"pocket": ("pending", "")})), f"Waiting for pocket: {LINK}"),
        (told(verdict(deliveries={"pocket": ("dead", "no <b>such</b> page")})), f"Refused by pocket: no &lt;b&gt;such&lt;/b&gt; page: {LINK}"),
        (told(verdict(deliveries={"pocket": ("dead", "given up after 12 attempts: HTTP 500")})), f"Not saved to pocket: given up after 12 attempts: HTTP 500: {LINK}"),
        (told(verdict(deliveries={"pocket": ("unknown", "no answer")})), f"It is not known whether pocket has it: no answer: {LINK}"),
        (told(verdict(deliveries={"pocket": ("held", "paused")})), f"Held back from pocket: paused: {LINK}"),
        (told(verdict(deliveries={"pocket": ("cancelled", "")})), f"No longer meant for pocket: {LINK}"),
        (told(verdict()), f"Taken in: {LINK}"),
        (
            told(verdict("duplicate", tags=("a", "b"), deliveries={"reading": ("delivered", "created")})),
            f"Already saved on 3 May 2026, 2 tags added: {LINK} #a #b",
        ),
        (
            told(verdict("duplicate", tags=("a",), deliveries={"reading": ("delivered", "created")})),
            f"Already saved on 3 May 2026, 1 tag added: {LINK} #a",
        ),
        (
            told(verdict("duplicate", deliveries={"pocket": ("pending", "")})),
            f"Already taken in on 3 May 2026; waiting for pocket: {LINK}",
        ),
        (told(verdict("dropped", reason="rule no-sponsored (advertising)")), f"Dropped by rule no-sponsored (advertising): {LINK}"),
        (told(state="empty", reason="No link found in this message"), "No link found in this message"),
        (told(state="empty"), ""),
        (told(state="new"), ""),
        (told(state="read", reason="together with 5"), ""),
        (told(state="parked", reason="its chat has no id"), "This message could not be read: its chat has no id"),
        (told(state="command", reason="start", answers=[Answered("start", "", 0, {})]), HELP),
        (
            told(verdict(deliveries={"reading": ("delivered", "created")}), reason="ftp://x is not a web page"),
            f"Saved to reading: {LINK}\nftp://x is not a web page",
        ),
    ],
)  # fmt: skip
def test_the_words_say_what_happened(report: Report, expected: str) -> None:
    assert words(report) == expected


async def test_four_thousand_characters_of_links_are_all_saved_and_told_in_one_message(store: Store) -> None:
    text = " ".join(f"https://a.io/{number}" for number in range(4096))[:4096].rpartition(" ")[0]
    store.report_for(frozenset({"telegram"}))
    await store.put([replace(of(message(text)), received=NOW)])
    assert await Intake(store, {"telegram": read}, rules.EMPTY).step() == 1
    report = await store.report(1, "")
    assert report is not None
    assert [found.url for found in report.verdicts] == text.split(" ")
    assert len(report.verdicts) > 200
    answer = words(report)
    assert len(shown(answer, "HTML")) <= LONGEST_MESSAGE
    assert answer.endswith(f"… and {len(report.verdicts) - len(answer.splitlines()) + 1} more")


def test_many_links_are_counted_where_there_is_no_room() -> None:
    one = verdict(title="A long title " * 20, deliveries={"reading": ("delivered", "created")})
    text = words(told(*[one] * 40))
    lines = text.split("\n")
    assert lines[-1] == f"… and {40 - (len(lines) - 1)} more"
    assert len(lines) > 20
    assert len(text) <= LONGEST_MESSAGE


def test_a_very_long_address_is_shortened() -> None:
    url = "https://example.com/" + "a" * 5000
    text = words(told(verdict(url=url, deliveries={"reading": ("delivered", "created")})))
    assert text == f"Saved to reading: {url[:119]}…"


SAID = st.text(max_size=30) | st.sampled_from(["<b>", "&", "🙂" * 400, "a" * 5000, "&" * 5000, '"' * 900])
VERDICTS = st.builds(
    verdict,
    st.sampled_from(["kept", "duplicate", "dropped"]),
    url=SAID.map(lambda said: f"https://example.com/{said}"),
    title=SAID,
    tags=st.lists(SAID, max_size=8).map(tuple),
    reason=SAID,
    deliveries=st.dictionaries(SAID, st.tuples(st.sampled_from(["delivered", "pending", "dead", "odd"]), SAID), max_size=4),
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(VERDICTS, min_size=1, max_size=12), SAID)
def test_whatever_is_told_fits_and_is_html_telegram_takes(verdicts: list[Verdict], reason: str) -> None:
    text = words(told(*verdicts, reason=reason))
    assert len(text.encode("utf-16-le")) // 2 <= LONGEST_MESSAGE
    assert shown(text, "HTML")


async def test_a_message_is_answered_once_and_the_answer_is_edited(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    night = Night(1)
    source = telegram(inbox, door, night)
    waiting = told(verdict(deliveries={"pocket": ("pending", "")}))
    reference = await source.report(waiting)
    night.now += 1.0
    assert await source.report(saved(reference)) == reference
    (asked,) = bot_api.asked("sendMessage")
    assert (asked["chat_id"], asked["reply_parameters"]["message_id"]) == (42, 101)
    assert asked["link_preview_options"] == {"is_disabled": True}
    assert list(bot_api.sent.values()) == [f"Saved to reading: {LINK}"]
    assert reference == "42:5001"


async def test_saying_the_same_again_is_fine(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    night = Night(1)
    source = telegram(inbox, door, night)
    reference = await source.report(saved())
    night.now += 1.0
    assert await source.report(saved(reference)) == reference
    assert len(bot_api.sent) == 1


async def test_an_answer_its_person_deleted_is_not_given_again(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    night = Night(1)
    source = telegram(inbox, door, night)
    reference = await source.report(saved())
    bot_api.sent.clear()
    night.now += 1.0
    assert await source.report(saved(reference)) == reference
    assert bot_api.sent == {}


POST = {"message_id": 7, "date": 1, "chat": CHANNEL, "text": "x"}
NOTHING_FOUND = "No link found in this message"


@pytest.mark.parametrize(
    "report",
    [
        saved(of_=of(POST, "channel_post")),
        saved(of_=of(POST, "edited_channel_post")),
        told(state="parked", reason="the update is not JSON", of_=arrival("{")),
        told(state="parked", reason="its chat has no id", of_=of({"message_id": 1})),
        told(state="empty", reason=NOTHING_FOUND, of_=of(group())),
        told(state="empty", reason=NOTHING_FOUND, of_=of(message("x"), "edited_message")),
        told(verdict("duplicate"), of_=of(message("x"), "edited_message")),
        told(state="empty", of_=of(message(new_chat_title="x"))),
    ],
)
async def test_where_nobody_waits_for_an_answer_none_is_given(
    bot_api: BotApi, door: Door, report: Report, inbox: Witness
) -> None:
    assert await telegram(inbox, door).report(report) == ""
    assert bot_api.calls == []


async def test_an_edit_that_brings_a_link_is_answered(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    await telegram(inbox, door).report(saved(of_=of(message("x"), "edited_message")))
    assert len(bot_api.sent) == 1


async def test_a_flood_limit_says_when_to_come_again(bot_api: BotApi, door: Door, inbox: Witness) -> None:
    bot_api.flood(7)
    with pytest.raises(SourceError) as caught:
        await telegram(inbox, door).report(saved())
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, "<html>Bad Gateway</html>"),
        (403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}),
        (200, {"ok": True, "result": {"odd": 1}}),
        (200, {"ok": True, "result": []}),
        (200, "not json"),
    ],
)
async def test_an_answer_that_could_not_be_given_is_a_source_error(
    bot_api: BotApi, door: Door, status: int, body: str | Json, inbox: Witness
) -> None:
    bot_api.trouble(status, body)
    with pytest.raises(SourceError):
        await telegram(inbox, door).report(saved())


# -- the server these tests stand on


async def ask(door: Door, method: str, **parameters: Any) -> Json:
    content = json.dumps(parameters).encode()
    headers = {"Content-Type": "application/json"}
    answer = await door.fetch(f"{API}/bot{TOKEN}/{method}", method="POST", headers=headers, content=content)
    found = json.loads(answer.body)
    assert isinstance(found, dict)
    return found


async def test_the_newest_poller_ends_the_one_that_waits() -> None:
    bot_api = BotApi(second=1.0)
    door = door_to(bot_api)
    first = asyncio.create_task(ask(door, "getUpdates", timeout=50))
    while not bot_api.calls:
        await asyncio.sleep(0)
    second = asyncio.create_task(ask(door, "getUpdates", timeout=50))
    assert (await first)["error_code"] == 409
    bot_api.receive(message("x"))
    assert len((await second)["result"]) == 1


async def test_an_impossible_offset_begins_at_the_head_again(bot_api: BotApi, door: Door) -> None:
    first = bot_api.receive(message("x"))
    bot_api.receive(message("y"))
    assert len((await ask(door, "getUpdates", offset=first + 50))["result"]) == 2
    assert len((await ask(door, "getUpdates", offset=first + 1))["result"]) == 1
    assert len((await ask(door, "getUpdates", offset=-1))["result"]) == 1
    assert bot_api.confirmed == [first]


async def test_a_webhook_forbids_polling(bot_api: BotApi, door: Door) -> None:
    bot_api.webhook = "https://elsewhere.example/"
    assert (await ask(door, "getUpdates"))["error_code"] == 409


@pytest.mark.parametrize("text", ["<p>x</p>", "<b>x", "x</b>", "", "x" * 4097])
def test_the_server_refuses_texts_telegram_refuses(text: str) -> None:
    with pytest.raises(Refusal):
        shown(text, "HTML")


def test_the_entities_of_the_fixtures_are_telegrams() -> None:
    assert entities("/save 🙂 https://a.example #x") == [
        entity("bot_command", 0, 5), entity("url", 9, 17), entity("hashtag", 27, 2)
    ]  # fmt: skip


# -- the corpus, where it lies beside the checkout

ALLOWED = [ANN, -1001234567890]


def rows(file: Path) -> list[Json]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


async def test_every_scenario_leads_to_its_links(bot_api: BotApi, door: Door, inbox: Witness, corpus: Path) -> None:
    """Through the door and the allow-list, as in life: some scenarios are about who speaks, not about links."""
    differences = {}
    scenarios = rows(corpus / "telegram/scenarios.jsonl")
    for scenario in scenarios:
        # Guest messages are not asked for; read() understands them for the day they are.
        update = scenario["update"]
        guest = update.get("guest_message")
        found = urls(guest, "guest_message") if guest else await passed(bot_api, door, inbox, update)
        fits = [url in wanted.split("|") for url, wanted in zip(found, scenario["expected_urls"], strict=False)]
        if len(found) != len(scenario["expected_urls"]) or not all(fits):
            differences[scenario["id"]] = found
    assert differences == {}
    assert len(scenarios) >= 40


async def passed(bot_api: BotApi, door: Door, inbox: Witness, update: Json) -> list[str]:
    bot_api.restart_ids(at=update["update_id"])
    bot_api.receive_raw(update)
    inbox.units.clear()
    await one_night(inbox, door, allow=ALLOWED)
    return [sighting.url for unit in inbox.units for arrived in unit for sighting in read([arrived]).sightings]


NOT_WEB = "another scheme than http"
MAIL = "a name and a password before a host, without a scheme: more likely a mail address"
FILE = "a file name rather than a host"
ONCE = "a link is taken once per message"
POLICY = {"tdu0024": NOT_WEB, "tdu0027": NOT_WEB, "tdu0106": ONCE, "tdu0146": FILE, "tdu0150": MAIL, "tdu0174": MAIL, "tdu0175": MAIL}  # fmt: skip


def test_what_telegram_calls_a_url_is_a_link_but_for_our_policy(corpus: Path) -> None:
    different = set()
    for row in rows(corpus / "telegram/tdlib_url_updates.jsonl"):
        wanted = [text if "://" in text else f"https://{text}" for text in row["expected_entity_texts"]]
        if urls(row["update"]["message"]) != list(dict.fromkeys(wanted)):
            different.add(row["id"])
    assert different == POLICY.keys()


def places(types: Json, name: str, seen: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The ways from an object to the marked texts in it, as the specification of the Bot API has them."""
    for field in types[name].get("fields", []):
        for kind in field["types"]:
            inner = kind.removeprefix("Array of ")
            if inner == "MessageEntity":
                yield (*seen, field["name"])
            elif inner in types and len(seen) < 3 and inner not in ("Message", "MaybeInaccessibleMessage", "Chat"):
                step = f"{field['name']}[]" if kind != inner else field["name"]
                yield from places(types, inner, (*seen, step))


def with_a_link_at(place: tuple[str, ...]) -> Json:
    *way, entities_ = place
    text = "text" if entities_ == "entities" else entities_.removesuffix("_entities")
    node: Any = {text: "https://example.com/here", entities_: [entity("url", 0, 24)]}
    for step in reversed(way):
        node = {step.removesuffix("[]"): [node] if step.endswith("[]") else node}
    return {**message(), **node}


NOT_THE_SENDERS = "said by the message that is answered, and read with /save"
NO_ADDRESS = "Telegram marks no address there"
UNREAD = {
    ("quote", "entities"): NO_ADDRESS,
    ("external_reply", "game", "text_entities"): NOT_THE_SENDERS,
    ("external_reply", "checklist", "title_entities"): NOT_THE_SENDERS,
    ("external_reply", "checklist", "tasks[]", "text_entities"): NOT_THE_SENDERS,
    ("external_reply", "poll", "question_entities"): NOT_THE_SENDERS,
    ("external_reply", "poll", "explanation_entities"): NOT_THE_SENDERS,
    ("external_reply", "poll", "description_entities"): NOT_THE_SENDERS,
    ("external_reply", "poll", "options[]", "text_entities"): NOT_THE_SENDERS,
    ("poll_option_deleted", "option_text_entities"): "was taken away",
}


def test_every_marked_text_the_bot_api_knows_is_read_or_there_is_a_reason(corpus: Path) -> None:
    types = json.loads((corpus / "telegram/bot-api-10.1-spec.json").read_text("utf-8"))["types"]
    found = set(places(types, "Message"))
    unread = {place for place in found if urls(with_a_link_at(place)) != ["https://example.com/here"]}
    assert unread == UNREAD.keys() & found
    assert len(found) > len(unread) + 10
    asked = {place for place in found if place[0] == "external_reply"}
    for place in asked:
        assert urls(with_a_link_at(place) | marked("/save", entity("bot_command", 0, 5))) == [
            "https://example.com/here"
        ]


def test_real_updates_are_read_or_refused_with_a_reason(corpus: Path) -> None:
    refused: dict[str, list[str]] = {}
    for row in rows(corpus / "telegram/samples.jsonl"):
        update = {"update_id": 1, "message": row["json"]} if row["kind"] == "message" else row["json"]
        try:
            read([arrival(update)])
        except InvalidArrival as error:
            refused.setdefault(str(error), []).append(row["kind"])
    assert set(refused) <= {
        "the update has no update_id",
        "its chat has no id",
        "the message of this button is gone",
        "this button was not made by this bot",
    }
    assert set(refused.get("the update has no update_id", [])) <= {"response"}
