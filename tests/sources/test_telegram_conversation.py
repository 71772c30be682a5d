"""Telegram: albums, edits, commands, buttons, reactions, pace, the webhook, groups that move."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from bridge import rules
from bridge.errors import ConfigError, SourceError
from bridge.intake import Intake
from bridge.ports import Answered, Arrival, Key, Request, Terms
from bridge.settings import load_settings
from bridge.sources.telegram import keys
from bridge.sources.telegram.answers import answer, toast
from bridge.sources.telegram.pace import Pace
from bridge.sources.telegram.reply import NONE, NOT_SAVED, SAVED, SEEN, is_plain, reaction
from bridge.sources.telegram.source import Telegram, read
from bridge.store.core import Store
from tests.asgi import door_to
from tests.bot_api import TOKEN, BotApi, Json, message, shown
from tests.conftest import Clock
from tests.house import errand
from tests.sources.test_telegram import ANN, CHANNEL, group, of, told, verdict

API = "http://telegram.test"
PUBLIC = "https://bridge.example"


class Morning(Exception):  # noqa: N818
    """The source would sleep now: it has nothing more to do."""


@pytest.fixture
def bot_api() -> BotApi:
    return BotApi()


class Desk:
    """A bot, its store and intake, on a clock that tests move."""

    def __init__(self, store: Store, clock: Clock, bot_api: BotApi, **options: Any) -> None:
        self.store = store
        self.bot_api = bot_api
        self.clock = clock
        self.door = door_to(bot_api)
        given: dict[str, Any] = {"allow": {ANN: ""}, **options}
        self.source = Telegram(store, self.door, token=TOKEN, api=API, clock=clock, sleep=self._sleep, **given)
        self._intake = Intake(store, {"telegram": read}, rules.EMPTY)
        store.report_for(frozenset({"telegram"}))

    async def _sleep(self, _: float) -> None:
        raise Morning

    async def hears(self) -> None:
        """What waits at Telegram is fetched."""
        with pytest.raises(Morning):
            await self.source.run()

    async def reads(self) -> list[str]:
        """What is due is read: the links of the deliveries there are now."""
        await self._intake.step()
        return [delivery.url for delivery in await self.deliveries()]

    async def deliveries(self) -> Sequence[Any]:
        self.clock.move(200.0)  # beyond any lease
        return await self.store.lease(Terms(connection="reading", batch=100, idempotent=True))


@pytest.fixture
def desk(store: Store, clock: Clock, bot_api: BotApi) -> Desk:
    return Desk(store, clock, bot_api)


def picture(number: int, caption: str = "") -> Json:
    words = message(caption)
    told_: Json = {"caption": caption, "caption_entities": words["entities"]} if caption else {}
    return message(message_id=number, media_group_id="77", photo=[{"file_id": "x"}]) | told_


# -- albums and edits


async def test_an_album_waits_for_its_last_picture_and_is_read_together(desk: Desk) -> None:
    desk.bot_api.receive(picture(1))
    await desk.hears()
    desk.clock.move(1.0)
    desk.bot_api.receive(picture(2, "https://example.com/a"))
    await desk.hears()
    desk.clock.move(1.0)
    assert await desk.store.due(10) == []
    desk.clock.move(0.5)
    assert len(await desk.store.due(10)) == 2
    assert await desk.reads() == ["https://example.com/a"]
    assert [read_ for _, read_ in await states(desk.store)] == ["", "together with 1"]


async def states(store: Store) -> list[tuple[str, str]]:
    found = [await store.report(number, "") for number in (1, 2)]
    return [(report.state, report.reason) for report in found if report]


async def test_an_edit_adds_what_is_new_and_repeats_nothing(desk: Desk) -> None:
    desk.bot_api.receive(message("https://example.com/a #one"))
    await desk.hears()
    assert await desk.reads() == ["https://example.com/a"]
    desk.bot_api.receive(message("https://example.com/a #one https://example.com/b"), kind="edited_message")
    await desk.hears()
    await desk.reads()
    report = await desk.store.report(2, "")
    assert report is not None
    assert [(told_.url, told_.state) for told_ in report.verdicts] == [("https://example.com/b", "kept")]


async def test_an_edit_that_changes_nothing_we_use_says_nothing_at_all(desk: Desk) -> None:
    desk.bot_api.receive(message("https://example.com/a #one"))
    await desk.hears()
    await desk.reads()
    desk.bot_api.receive(message("https://example.com/a #one") | {"edit_date": 1}, kind="edited_message")
    await desk.hears()
    await desk.reads()
    report = await desk.store.report(2, "")
    assert report is not None
    assert (report.verdicts, await desk.source.report(report)) == ([], "")
    assert desk.bot_api.asked("sendMessage") == []


async def test_an_edit_does_not_bring_back_what_was_taken_back(desk: Desk) -> None:
    desk.bot_api.receive(message("https://example.com/a"))
    await desk.hears()
    await desk.reads()
    desk.clock.move(200.0)
    await desk.store.expire("reading", idempotent=True)
    await desk.store.take_back(errand(1), patient=False)
    desk.bot_api.receive(message("https://example.com/a"), kind="edited_message")
    await desk.hears()
    assert await desk.reads() == []
    desk.bot_api.receive(message("https://example.com/a", message_id=102))
    await desk.hears()
    assert await desk.reads() == ["https://example.com/a"]


def test_a_tag_that_an_edit_adds_is_taken_with_the_message_it_changes() -> None:
    both = [of(message("https://example.com/ #a")), of(message("https://example.com/ #b"), "edited_message")]
    [sighting] = read(both).sightings
    assert sighting.tags == ("a", "b")


def test_the_copy_of_a_channels_post_is_known_as_such() -> None:
    copy = message("https://example.com/", is_automatic_forward=True, sender_chat=CHANNEL)
    reading = read([of(copy)])
    assert (list(reading.sightings), list(reading.notes)) == (
        [],
        ["the copy that a discussion group gets of its channel's post"],
    )


# -- words around links


def test_a_persons_own_words_are_the_note() -> None:
    [sighting] = read([of(message("read 🙂 this https://example.com/ #later !kobo"))]).sightings
    assert sighting.note == "read 🙂 this"
    assert sighting.fields == {"chosen": ["kobo"]}


def test_words_of_a_forwarded_message_are_no_note_and_its_post_is_remembered() -> None:
    origin = {"type": "channel", "chat": {"username": "news"}, "message_id": 5}
    [sighting] = read([of(message("big news https://example.com/", forward_origin=origin))]).sightings
    assert (sighting.note, sighting.fields) == ("", {"post": "https://t.me/news/5"})


def test_save_takes_the_links_of_a_message_in_another_chat() -> None:
    elsewhere = {"origin": {"type": "channel", "chat": {"username": "news"}, "message_id": 12}}
    preview = elsewhere | {"link_preview_options": {"url": "https://example.com/ext"}}
    assert [s.url for s in read([of(message("/save", external_reply=elsewhere))]).sightings] == ["https://t.me/news/12"]
    [sighting] = read([of(message("/save worth it #x", external_reply=preview))]).sightings
    assert (sighting.url, sighting.note, sighting.tags) == ("https://example.com/ext", "worth it", ("x",))


async def test_a_named_connection_is_where_it_goes(desk: Desk) -> None:
    written = rules.load("destinations: {kobo: {type: pocket}}\n", name="rules.yaml")
    intake = Intake(desk.store, {"telegram": read}, written)
    desk.bot_api.receive(message("!kobo https://example.com/ so !nice"))
    await desk.hears()
    await intake.step()
    assert await desk.deliveries() == []
    desk.clock.move(200.0)
    assert [found.url for found in await desk.store.lease(Terms(connection="kobo", batch=10, idempotent=True))] == [
        "https://example.com/"
    ]


# -- what is asked


def asked(text: str, **fields: Any) -> list[Request]:
    arrival = of(message(text, **fields))
    arrived = Arrival(source="telegram", key=Key("", ""), raw=arrival.raw, group="telegram:4242:42:101")
    return list(read([arrived]).requests)


OURS = {"id": 4242, "is_bot": True, "first_name": "Bridge"}
BUTTONS = {"inline_keyboard": [[{"text": "Undo", "callback_data": "undo:9"}]]}


@pytest.mark.parametrize(
    ("text", "fields", "request_"),
    [
        ("/undo", {}, Request("undo")),
        ("/last", {"reply_to_message": message("x")}, Request("last")),
        ("/tag a, b", {"reply_to_message": message("x", message_id=7)}, Request("tag", "a, b", "telegram:4242:42:7")),
        ("/why", {"reply_to_message": message("x", media_group_id="77")}, Request("why", "", "telegram:4242:42:album-77")),
        ("/undo", {"reply_to_message": message("Saved", message_id=8, **{"from": OURS})}, Request("undo", "", "@42:8")),
        ("/undo", {"reply_to_message": message("Saved", **{"from": OURS}, reply_markup=BUTTONS)}, Request("undo", "", "#9")),
        ("/why https://example.com/", {}, Request("why", "https://example.com/")),
    ],
)  # fmt: skip
def test_a_command_says_what_it_is_about(text: str, fields: Json, request_: Request) -> None:
    assert asked(text, **fields) == [request_]


def test_an_edited_command_is_not_a_second_one() -> None:
    assert list(read([of(message("/undo"), "edited_message")]).requests) == []


def test_tag_with_a_link_saves_it_with_these_tags() -> None:
    [sighting] = read([of(message("/tag news, tea https://example.com/"))]).sightings
    assert sighting.tags == ("news", "tea")


def press(data: object) -> Json:
    return {
        "id": "1",
        "from": {"id": ANN},
        "message": {"message_id": 5, "chat": {"id": 42, "type": "private"}},
        "data": data,
    }


@pytest.mark.parametrize(
    ("data", "request_"),
    [
        ("undo:9", Request("undo", "", "#9")),
        ("tag:9:web dev: x", Request("tag", "web dev: x", "#9")),
        ("to:9:kobo", Request("to", "kobo", "#9")),
    ],
)
def test_a_button_says_what_it_is_about(data: str, request_: Request) -> None:
    assert keys.request(press(data)) == request_


@settings(max_examples=100)
@given(st.lists(st.text(max_size=40), max_size=12))
def test_every_choice_fits_into_a_button_and_comes_back_as_it_was(values: list[str]) -> None:
    for row in keys.choices("tag", 123456789, values).inline_keyboard:
        for button in row:
            data = str(button.callback_data)
            assert 1 <= len(data.encode()) <= 64
            if not data.startswith("back:") and (value := data.split(":", 2)[2]):
                assert keys.request(press(data)) == Request("tag", value, "#123456789")


async def test_nobody_can_undo_what_another_chat_saved(desk: Desk) -> None:
    desk.bot_api.receive(message("https://example.com/a", chat={"id": -100155, "type": "supergroup"}))
    await desk.hears()
    await desk.reads()
    desk.bot_api.receive(press("undo:1") | {"message": message("x")}, kind="callback_query")
    await desk.hears()
    await desk.reads()
    [errand] = await desk.store.due_errands(10)
    assert (errand.name, errand.about) == ("undo", 0)


async def test_a_strangers_press_is_not_heard(desk: Desk) -> None:
    desk.bot_api.receive(press("undo:1") | {"from": {"id": 666}}, kind="callback_query")
    await desk.hears()
    assert (await desk.store.due(10), desk.source.strangers) == ([], 1)


HOUR = {"since": 0.0, "title": "", "url": "https://example.com/a", "state": "kept", "busy": []}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Answered("undo", "", 1, {"links": [HOUR | {"back": ["reading"], "stays": {}}]}), "Taken back from reading"),
        (
            Answered("undo", "", 1, {"links": [HOUR | {"back": ["reading"], "stays": {"a&b": "delivered"}}]}),
            "Taken back from reading; stays in a&b, where only you can remove it",
        ),
        (
            Answered("undo", "", 1, {"links": [HOUR | {"state": "duplicate", "back": [], "stays": {}}]}),
            "Stays, it was saved before, on 1 January 1970",
        ),
        (
            Answered("undo", "", 1, {"links": [HOUR | {"back": [], "stays": {}, "again": True}]}),
            "Stays, it was sent again since",
        ),
        (Answered("tag", "a", 1, {"tags": ["a"], "added": []}), "No new tag: it has them already"),
        (Answered("to", "x", 1, {"error": "there is no connection “x”"}), "There is no connection “x”"),
        (Answered("to", "kobo", 1, {"connection": "kobo", "links": 0}), "It is meant for kobo already"),
    ],
)
def test_what_was_done_is_said_over_the_button(said: Answered, words: str) -> None:
    assert toast(said) == words
    assert shown(answer(said), "HTML").startswith(words)


# -- reactions


@pytest.mark.parametrize(
    ("deliveries", "state", "emoji"),
    [
        ({"a": ("pending", "")}, "kept", SEEN),
        ({"a": ("delivered", ""), "b": ("leased", "")}, "kept", SEEN),
        ({"a": ("delivered", "created")}, "kept", SAVED),
        ({"a": ("delivered", ""), "b": ("dead", "no")}, "kept", NOT_SAVED),
        ({"a": ("unknown", "")}, "kept", NOT_SAVED),
        ({}, "dropped", NOT_SAVED),
        ({"a": ("cancelled", "taken back")}, "kept", NONE),
    ],
)
def test_a_reaction_never_promises_more_than_is_true(deliveries: Any, state: str, emoji: str) -> None:
    assert reaction(told(verdict(state, deliveries=deliveries))) == emoji


def saved(state: str = "kept", delivered: str = "delivered", reference: str = "") -> Any:
    return told(verdict(state, deliveries={"reading": (delivered, "")}), reference=reference)


async def test_a_reaction_changes_as_the_link_goes_its_way(store: Store, clock: Clock, bot_api: BotApi) -> None:
    desk = Desk(store, clock, bot_api, answer="reaction")
    seen = await desk.source.report(saved(delivered="pending"))
    assert bot_api.reactions == {(42, 101): "👀"}
    clock.move(1.0)
    assert await desk.source.report(saved(reference=seen)) == "👍"
    assert (bot_api.reactions, bot_api.sent) == ({(42, 101): "👍"}, {})


async def test_what_a_reaction_cannot_tell_is_told_in_words(store: Store, clock: Clock, bot_api: BotApi) -> None:
    desk = Desk(store, clock, bot_api, answer="reaction")
    assert not is_plain(saved("duplicate"))
    assert await desk.source.report(saved("duplicate")) == "42:5001"
    assert bot_api.reactions == {(42, 101): "👍"}
    assert "Already saved on" in bot_api.sent[42, 5001]


async def test_where_reactions_are_refused_there_is_a_line(store: Store, clock: Clock, bot_api: BotApi) -> None:
    desk = Desk(store, clock, bot_api, answer="reaction")
    bot_api.forbidden_reactions = True
    assert await desk.source.report(saved()) == "42:5001"
    clock.move(1.0)
    await desk.source.report(saved(reference="42:5001"))
    assert len(bot_api.asked("setMessageReaction")) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, "<html>Bad Gateway</html>"),
        (500, {"ok": False, "error_code": 500, "description": "Internal Server Error"}),
        (403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}),
        (429, {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 3}}),
    ],
)
async def test_a_chat_keeps_its_reactions_when_the_server_stumbles(
    store: Store, clock: Clock, bot_api: BotApi, status: int, body: Any
) -> None:
    desk = Desk(store, clock, bot_api, answer="reaction")
    bot_api.trouble(status, body)
    with pytest.raises(SourceError):
        await desk.source.report(saved())
    clock.move(5.0)
    assert await desk.source.report(saved()) == "👍"
    assert bot_api.sent == {}


async def test_a_silent_bot_answers_commands_only(store: Store, clock: Clock, bot_api: BotApi) -> None:
    desk = Desk(store, clock, bot_api, answer="silent")
    assert await desk.source.report(saved()) == ""
    help_ = told(state="command", answers=[Answered("help", "", 0, {})], of_=of(message("/help")))
    assert await desk.source.report(help_) == "42:5001"


# -- pace


async def test_answers_wait_for_their_turn_and_lose_none(desk: Desk) -> None:
    await desk.source.report(saved())
    with pytest.raises(SourceError) as caught:
        await desk.source.report(saved())
    assert caught.value.retry_after == pytest.approx(1.0)
    assert len(desk.bot_api.asked("sendMessage")) == 1


async def test_what_a_button_shows_as_a_message_waits_its_turn_too(desk: Desk) -> None:
    await desk.source.report(saved())
    desk.bot_api._pressed.add("1")
    pressed = of(press("why:1"), "callback_query")
    passport: Json = {"canonical": "https://example.com/a", "since": None, "sightings": [], "deliveries": []}
    why = told(state="command", answers=[Answered("why", "", 1, {"links": [passport], "more": 0})], of_=pressed)
    with pytest.raises(SourceError) as caught:
        await desk.source.report(why)
    assert caught.value.retry_after == pytest.approx(1.0)
    desk.clock.move(1.0)
    await desk.source.report(why)
    assert "was never saved" in list(desk.bot_api.sent.values())[-1]
    undo = told(state="command", answers=[Answered("undo", "", 1, {"links": []})], of_=pressed)
    await desk.source.report(undo)
    assert len(desk.bot_api.toasts) == 2, "words over a button do not wait"


@pytest.mark.parametrize("jump", [-86400.0 * 365, -600.0, 86400.0 * 365])
def test_a_clock_that_jumps_neither_stops_nor_hurries_answers(jump: float) -> None:
    pace = Pace()
    now = 1_790_000_000.0
    assert pace.wait(1, 42, now) == 0.0
    assert pace.wait(2, 42, now) == pytest.approx(1.0)
    now += jump
    assert pace.wait(2, 42, now) == pytest.approx(1.0 if jump < 0 else 0.0)
    assert pace.wait(3, 42, now) <= 2.0
    assert pace.wait(2, 42, now + 1.0) == 0.0 or jump > 0


@pytest.mark.parametrize("jump", [-86400.0 * 365, 86400.0 * 365])
async def test_what_came_before_the_clock_was_put_back_is_read_and_carried_out(desk: Desk, jump: float) -> None:
    desk.bot_api.receive(picture(1, "https://example.com/a"))
    desk.bot_api.receive(message("/last", message_id=2))
    await desk.hears()
    await desk._intake.step()
    desk.clock.move(jump)
    assert await desk.reads() == ["https://example.com/a"]
    assert [errand.name for errand in await desk.store.due_errands(10)] == ["last"]
    desk.bot_api.receive(message("https://example.com/b", message_id=3))
    await desk.hears()
    assert "https://example.com/b" in await desk.reads()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from([1, 2, -3]), st.floats(0, 2)), min_size=1, max_size=60))
def test_no_limit_of_telegram_is_ever_passed(wishes: list[tuple[int, float]]) -> None:
    pace, now = Pace(), 1000.0
    sent: list[tuple[float, int]] = []
    waiting: list[tuple[float, int, int]] = []
    for number, (chat, later) in enumerate(wishes):
        now += later
        waiting.append((now, number, chat))
    while waiting:
        waiting.sort()
        at, number, chat = waiting.pop(0)
        if wait := pace.wait(number, chat, at):
            waiting.append((at + wait, number, chat))
        else:
            sent.append((at, chat))
    assert len(sent) == len(wishes)
    for chat, apart in ((1, 1.0), (2, 1.0), (-3, 3.0)):
        times = [at for at, place in sent if place == chat]
        assert all(b - a >= apart - 1e-6 for a, b in itertools.pairwise(times))


# -- the webhook


class Hooked(Desk):
    """The same, with updates that are brought."""

    def __init__(self, store: Store, clock: Clock, bot_api: BotApi) -> None:
        super().__init__(store, clock, bot_api, public_url=PUBLIC)
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=Starlette(routes=list(self.source.routes))), base_url=PUBLIC
        )

    async def post(self, update: Any, headers: Mapping[str, str]) -> int:
        content = update if isinstance(update, bytes) else json.dumps(update)
        return (await self._client.post("/telegram", content=content, headers=headers)).status_code

    async def close(self) -> None:
        await self._client.aclose()


@pytest.fixture
async def hooked(store: Store, clock: Clock, bot_api: BotApi) -> AsyncIterator[Hooked]:
    made = Hooked(store, clock, bot_api)
    yield made
    await made.close()


async def test_an_update_that_is_brought_becomes_the_same_arrival(hooked: Hooked) -> None:
    await hooked.hears()
    assert hooked.bot_api.webhook == "https://bridge.example/telegram"
    hooked.bot_api.receive(message("https://example.com/a"))
    assert await hooked.bot_api.bring(hooked.post) == [200]
    assert await hooked.reads() == ["https://example.com/a"]


async def test_without_the_secret_nothing_is_taken(hooked: Hooked) -> None:
    update = {"update_id": 1, "message": message("https://example.com/a")}
    assert await hooked.post(update, {"X-Telegram-Bot-Api-Secret-Token": ""}) == 403
    await hooked.hears()
    assert len(hooked.bot_api.secret) >= 32
    assert [await hooked.post(update, {}), await hooked.post(update, {"X-Telegram-Bot-Api-Secret-Token": "x"})] == [
        403,
        403,
    ]
    assert await hooked.store.due(10) == []


async def test_the_secret_is_kept_over_a_restart(hooked: Hooked, bot_api: BotApi) -> None:
    await hooked.hears()
    before = bot_api.secret
    await Hooked(hooked.store, hooked.clock, bot_api).hears()
    assert bot_api.secret == before


async def test_a_body_that_is_no_json_is_kept_and_never_brought_again(hooked: Hooked) -> None:
    await hooked.hears()
    assert await hooked.post(b"{", {"X-Telegram-Bot-Api-Secret-Token": hooked.bot_api.secret}) == 200
    assert [arrival.key.scope or arrival.raw for arrival in await hooked.store.due(10)] == ['"{"']


async def test_when_the_disk_fails_telegram_is_told_to_come_again(
    tmp_path: Path, clock: Clock, bot_api: BotApi
) -> None:
    store = await Store.open(tmp_path / "other.db", clock)
    hooked = Hooked(store, clock, bot_api)
    await hooked.hears()
    await store.close()
    bot_api.receive(message("https://example.com/a"))
    assert await bot_api.bring(hooked.post) == [503]
    assert len(bot_api.pending) == 1
    await hooked.close()


async def test_changing_the_way_loses_nothing_and_doubles_nothing(hooked: Hooked, desk: Desk, bot_api: BotApi) -> None:
    bot_api.receive(message("https://example.com/1"))
    await desk.hears()
    await hooked.hears()
    bot_api.receive(message("https://example.com/2", message_id=2))
    bot_api.receive(message("https://example.com/3", message_id=3))

    async def answer_lost_for_the_last(update: Any, headers: Mapping[str, str]) -> int:
        status = await hooked.post(update, headers)
        return status if len(bot_api.pending) > 1 else 504

    assert await bot_api.bring(answer_lost_for_the_last) == [200, 504]
    await Desk(desk.store, desk.clock, bot_api).hears()
    assert bot_api.pending == []
    await desk.reads()
    counted = await desk.store.counts()
    assert sum(counted["arrivals"].values()) == 3


async def test_a_webhook_that_was_changed_is_set_again(hooked: Hooked, caplog: pytest.LogCaptureFixture) -> None:
    async def nap(_: float) -> None:
        if len(hooked.bot_api.asked("getWebhookInfo")) == 1:
            raise Morning
        hooked.bot_api.webhook = "https://elsewhere.example/"

    hooked.source._sleep = nap
    with pytest.raises(Morning):
        await hooked.source.run()
    assert hooked.bot_api.webhook == "https://bridge.example/telegram"
    assert "another program has changed the webhook" in caplog.text


# -- groups that move, and who may write


def _from(sender: int) -> Json:
    return {"from": {"id": sender, "is_bot": False, "first_name": "Bob"}}


async def test_a_group_that_moves_stays_on_the_list(
    desk: Desk, store: Store, clock: Clock, bot_api: BotApi, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(store, clock, bot_api, allow={-5: ""})
    bot_api.receive(message(chat={"id": -5, "type": "group"}, migrate_to_chat_id=-1005, **_from(9)))
    await desk.hears()
    bot_api.receive(message("https://example.com/a", chat={"id": -1005, "type": "supergroup"}, **_from(9)))
    await desk.hears()
    assert "https://example.com/a" in await desk.reads()
    caplog.clear()
    after = Desk(store, clock, bot_api, allow={-5: ""})
    await after.hears()
    assert "Telegram: group -5 is -1005 now and may go on; put the new id into BRIDGE_TELEGRAM_ALLOW" in caplog.messages
    assert "group -5 is -1005 now" in await after.source.condition()
    caplog.clear()
    done = Desk(store, clock, bot_api, allow={-5: "", -1005: ""})
    await done.hears()
    assert await done.source.condition() == ["listens to 2 ids"]
    assert caplog.messages == []


async def test_a_group_that_is_not_on_the_list_cannot_move_onto_it(desk: Desk) -> None:
    desk.bot_api.receive(message(chat={"id": -6, "type": "group"}, migrate_to_chat_id=-1006, **_from(9)))
    desk.bot_api.receive(group(**_from(9)))
    await desk.hears()
    assert (await desk.store.due(10), desk.source.strangers) == ([], 2)


async def test_everybody_may_write_when_two_settings_say_so(
    store: Store, clock: Clock, bot_api: BotApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="it takes BRIDGE_TELEGRAM_ALLOW_ANYONE=1 as well"):
        load_settings(telegram_allow="*")
    allow = load_settings(telegram_allow="*", telegram_allow_anyone="1").telegram_allow
    desk = Desk(store, clock, bot_api, allow=allow)
    bot_api.receive(message("https://example.com/a", **_from(9)))
    await desk.hears()
    assert await desk.reads() == ["https://example.com/a"]


async def test_the_commands_are_offered(desk: Desk) -> None:
    await desk.hears()
    assert {"start", "help", "why", "last", "tag", "undo", "feeds", "status"} <= set(desk.bot_api.commands)


async def test_the_token_stands_in_no_line_that_is_written_at_debug(
    hooked: Hooked, capsys: pytest.CaptureFixture[str]
) -> None:
    from bridge import logs  # noqa: PLC0415 - replaces the handlers of the whole process

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.start("DEBUG", [TOKEN, TOKEN.partition(":")[2]])
    try:
        hooked.bot_api.trouble(502, f"<html>{TOKEN}</html>")
        with pytest.raises(Morning):
            await hooked.source.run()
        log = logging.getLogger("bridge")
        try:
            await Desk(hooked.store, hooked.clock, hooked.bot_api).source._bot_api.call("noSuchMethod")
        except SourceError:
            log.exception("a traceback with %s in it", TOKEN)
    finally:
        root.handlers[:], root.level = handlers, level
    written = capsys.readouterr().err
    assert "a traceback with" in written
    assert TOKEN.partition(":")[2] not in written
