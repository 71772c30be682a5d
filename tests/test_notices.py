"""What is wrong is told once, and once more when it is over; what cannot be told waits, and nobody waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge import rules
from bridge.errors import BridgeError, SourceError
from bridge.net import Net
from bridge.ports import DAY, HOUR, Gate
from bridge.ports.keeping import Line, Trouble
from bridge.rules import RuleFile
from bridge.sources.telegram.api import BotApi
from bridge.sources.telegram.notices import Chat
from bridge.sources.webhooks.notices import Post
from bridge.store.core import Store
from bridge.upkeep.herald import GIVEN_UP_AFTER, Herald
from bridge.upkeep.watch import LEAST_FREE, WATCH_SECONDS, Watch, of_connection, of_disk
from tests.bot_api import TOKEN
from tests.bot_api import BotApi as FakeBot
from tests.conftest import Clock
from tests.house import a_house, eventually
from tests.loopback import serve
from tests.store.filled import take, urls


class Ear:
    """A way to the owner that remembers what it was told, or does not work."""

    def __init__(self, *failures: Exception) -> None:
        self.heard: list[str] = []
        self.failures = list(failures)
        self.asked = 0

    async def tell(self, words: str) -> None:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        self.heard.append(words)


class Failing:
    """A source that says what is wrong with it."""

    def __init__(self) -> None:
        self.wrong: list[Trouble] = []

    async def troubles(self) -> Sequence[Trouble]:
        return self.wrong


class Guard:
    """A watch and a herald over a real store."""

    def __init__(self, store: Store, clock: Clock, folder: Path, *ears: Ear, text: str = "") -> None:
        self.store, self.clock = store, clock
        self.ears = {f"ear {number}": ear for number, ear in enumerate(ears or (Ear(),))}
        self.source = Failing()
        self.rule_file: RuleFile = rules.load(text, name="rules.yaml")
        self.watch = Watch(
            store.upkeep,
            store.upkeep,
            store.upkeep,
            store,
            sources={"feeds": self.source, "silent": object()},
            connections=lambda: ["there"],
            channels=lambda: list(self.ears),
            rule_file=lambda: self.rule_file,
            data=folder,
            full=lambda: store.full,
            clock=clock,
        )
        self.herald = Herald(store.upkeep, self.ears, clock=clock, chance=lambda: 0.5)

    async def look(self, minutes: float = 0) -> list[str]:
        """Lets time go by, looking every minute. What the first ear has heard meanwhile."""
        before = len(self.ears["ear 0"].heard)
        for _ in range(int(minutes) or 1):
            await self.watch()
            while await self.herald.step():
                pass
            self.clock.move(WATCH_SECONDS if minutes else 0)
        return self.ears["ear 0"].heard[before:]


@pytest.fixture
def guard(store: Store, clock: Clock, tmp_path: Path) -> Guard:
    return Guard(store, clock, tmp_path)


async def gate(store: Store, **state: object) -> None:
    await store.set_gate(Gate("there", **state))  # type: ignore[arg-type]


async def test_a_paused_connection_is_told_at_once_and_once_and_its_end_too(guard: Guard, store: Store) -> None:
    assert await guard.look() == []
    await gate(store, state="paused", because="the token is refused")
    assert await guard.look(30) == ["there is paused: the token is refused."]
    await gate(store)
    assert await guard.look(30) == ["Over: there is paused: the token is refused."]


async def test_it_is_told_again_when_it_comes_again(guard: Guard, store: Store) -> None:
    for _ in range(2):
        await gate(store, state="paused", because="no")
        assert len(await guard.look(5)) == 1
        await gate(store)
        assert len(await guard.look(5)) == 1


async def test_a_restart_does_not_tell_it_again(guard: Guard, store: Store, clock: Clock, tmp_path: Path) -> None:
    await gate(store, state="paused", because="no")
    await guard.look(3)
    anew = Guard(store, clock, tmp_path)
    assert await anew.look(30) == []


async def test_a_destination_that_is_down_is_told_after_an_hour(guard: Guard, store: Store) -> None:
    await gate(store, because="no answer", failures=3)
    assert await guard.look(59) == []
    assert await guard.look(5) == ["there is failing: no answer. It is tried again by itself."]


async def test_one_that_was_down_for_some_minutes_is_not_told_at_all(guard: Guard, store: Store) -> None:
    await gate(store, because="no answer", failures=3)
    await guard.look(30)
    await gate(store)
    assert await guard.look(120) == []


async def test_a_queue_from_which_nothing_leaves_is_told(guard: Guard, store: Store) -> None:
    await take(store, *urls(2))
    assert await guard.look(55) == []
    assert await guard.look(10) == [
        "nothing leaves for there, although it should have an hour ago. 2 links wait.",
    ]


async def test_links_for_a_destination_that_is_gone_are_told_after_a_day(guard: Guard, store: Store) -> None:
    await take(store, *urls(2), to=("gone",))
    assert await guard.look(24 * 60 - 1) == []
    [told] = await guard.look(10)
    assert told.startswith("2 links wait for “gone”")


async def test_what_a_source_says_is_told_when_it_has_lasted(guard: Guard) -> None:
    guard.source.wrong = [Trouble("feed news", "the feed news is failing", "look", 2 * DAY)]
    assert await guard.look(100) == []
    guard.clock.move(2 * DAY)
    assert await guard.look() == ["the feed news is failing"]


async def test_only_what_one_wants_to_know_is_told(store: Store, clock: Clock, tmp_path: Path) -> None:
    guard = Guard(store, clock, tmp_path, text="notify: {about: disk}")
    await gate(store, state="paused", because="no")
    assert await guard.look(5) == []


async def test_a_full_disk_is_told() -> None:
    assert [each.name for each in of_disk(10 * LEAST_FREE, 20 * LEAST_FREE, full=False)] == []
    assert [each.name for each in of_disk(LEAST_FREE - 1, 10 * LEAST_FREE, full=False)] == []
    assert [each.name for each in of_disk(LEAST_FREE - 1, 100 * LEAST_FREE, full=False)] == ["disk nearly full"]
    assert [each.name for each in of_disk(0, LEAST_FREE, full=True)] == ["disk full"]


async def test_a_connection_is_in_one_trouble_at_a_time() -> None:
    line = Line(connection="there", states={"pending": 1}, next_due=0.0)
    names = {
        each.name.partition(" ")[0]
        for state in (Gate("there", state="paused", failures=3), Gate("there", failures=3), Gate("there"))
        for each in of_connection(state, line, 2 * HOUR)
    }
    assert names == {"paused", "down", "stuck"}
    assert of_connection(Gate("there", not_before=3 * HOUR), line, 2 * HOUR) == []


async def test_what_cannot_be_told_waits_and_is_told_later(store: Store, clock: Clock, tmp_path: Path) -> None:
    deaf, well = Ear(SourceError("busy", retry_after=600.0), SourceError("down"), ValueError("a bug")), Ear()
    guard = Guard(store, clock, tmp_path, deaf, well)
    await gate(store, state="paused", because="no")
    await guard.look()
    assert (deaf.asked, well.heard) == (1, ["there is paused: no."])
    assert await guard.look(9) == []
    assert deaf.asked == 1
    assert await guard.look(60) == ["there is paused: no."]
    assert well.heard == ["there is paused: no."]


async def test_what_could_not_be_told_for_days_is_given_up(store: Store, clock: Clock, tmp_path: Path) -> None:
    deaf = Ear(*[BridgeError("down")] * 10_000)
    guard = Guard(store, clock, tmp_path, deaf)
    await gate(store, state="paused", because="no")
    await guard.look()
    for _ in range(100):
        clock.move(HOUR)
        while await guard.herald.step():
            pass
    assert 48 < deaf.asked <= GIVEN_UP_AFTER / HOUR + 10
    assert await store.upkeep.due_notices(10) == []


async def test_much_that_waits_is_told_together(store: Store, clock: Clock, tmp_path: Path) -> None:
    ear = Ear()
    guard = Guard(store, clock, tmp_path, ear)
    store.tell_by(["ear 0"])
    await take(store, *urls(40), notices=(("papers", "A paper"),))
    await guard.look()
    assert len(ear.heard) == 1
    assert ear.heard[0].count("A paper\nhttps://a.example/") == 40


async def test_what_a_rule_wants_told_is_written_down_with_the_link(store: Store, clock: Clock) -> None:
    store.tell_by(["one", "two"])
    await take(store, *urls(1), notices=(("papers", "A paper"),))
    found = await store.upkeep.due_notices(10)
    assert [(notice.channel, notice.words) for notice in found] == [
        ("one", "A paper\nhttps://a.example/0"),
        ("two", "A paper\nhttps://a.example/0"),
    ]


async def test_files_tell_nothing(store: Store) -> None:
    store.tell_by(["one"])
    await take(store, *urls(3), source="file", notices=(("papers", "A paper"),))
    assert await store.upkeep.due_notices(10) == []


# -- the ways --------------------------------------------------------------------------------------------------------


async def test_a_chat_gets_plain_text() -> None:
    bot = FakeBot(second=0.01)
    async with serve(bot) as origin:
        net = Net(allow_nets=["127.0.0.0/8"])
        await Chat(BotApi(net.trusting(origin), token=TOKEN, api=origin), 42).tell("<b>there</b> is paused")
        await net.close()
    [sent] = [call for method, call in bot.calls if method == "sendMessage"]
    assert (sent["chat_id"], sent["text"]) == (42, "<b>there</b> is paused")
    assert "parse_mode" not in sent


async def test_a_webhook_gets_json_and_its_address_is_never_told() -> None:
    got: list[dict[str, str]] = []
    statuses = [204, 500]

    async def hook(request: Request) -> Response:
        got.append(await request.json())
        return Response(status_code=statuses.pop(0))

    async with serve(Starlette(routes=[Route("/secret", hook, methods=["POST"])])) as origin:
        net = Net()
        post = Post(net.trusting(origin), f"{origin}/secret")
        await post.tell("there is paused")
        with pytest.raises(SourceError) as failed:
            await post.tell("again")
        await net.close()
    assert got[0] == {"from": "pocket-bridge", "text": "there is paused", "content": "there is paused"}
    assert "secret" not in str(failed.value)


async def test_a_whole_bridge_tells_its_owner_what_a_rule_wants_told(tmp_path: Path) -> None:
    rule = "{{name: papers, if: {{domain: arxiv.example}}, then: {{notify: 'A paper: {{title}}'}}}}"
    async with a_house(tmp_path, rules=f"rules:\n  - {rule}\n", feeds={}) as house:
        saved = {"url": "https://arxiv.example/1", "title": "On links"}
        assert (await house.http.post("/save", json=saved, headers=house.owner)).is_success

        async def told() -> bool:
            texts = [str(sent.get("text")) for method, sent in house.bot.calls if method == "sendMessage"]
            return "A paper: On links\nhttps://arxiv.example/1" in texts

        await eventually(told)
