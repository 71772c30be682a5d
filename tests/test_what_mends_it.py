"""Whoever is told that something waits or is doubtful is told what to do, and only where that helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from bridge import rules
from bridge.cli import cli
from bridge.desk import Desk
from bridge.destinations.pocket import sign_in
from bridge.gate import Gate
from bridge.ports.keeping import Line
from bridge.store.core import Store
from bridge.words import running
from tests.conftest import Clock

RULES = """\
destinations:
  second:
    type: pocket
    base_url: http://127.0.0.1:9
    consumer_key: 1-pocket-bridge
    access_token: %s
"""
BARE, IN_FILE = "a-token-as-it-is", "{file: second.token}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "second.token").write_text("x")
    return tmp_path


def run(command: str) -> Result:
    return CliRunner().invoke(cli, command.split())


def in_one_line(result: Result) -> str:
    return " ".join(result.output.split())


@pytest.mark.parametrize("command", ["check", "doctor"])
def test_a_secret_that_stands_in_the_rule_file_is_told_with_its_line_and_without_itself(
    place: Path, command: str
) -> None:
    said = "rules.yaml:6: “access_token” of “second” stands there as it is: write {file: PATH} or {env: NAME}"
    for token, told in ((BARE, True), (IN_FILE, False)):
        (place / "rules.yaml").write_text(RULES % token)
        result = run(command)
        assert (result.exit_code, said in in_one_line(result)) == (0, told)
        assert BARE not in result.output


@pytest.mark.parametrize("command", ["check", "doctor"])
def test_a_destination_that_nothing_goes_to_is_told(place: Path, command: str) -> None:
    said = "rules.yaml:2: nothing goes to “second”: no rule and no default names it"
    routed = ["defaults: {to: [reading, second]}", "rules: [{name: a, then: {to: second}}]"]
    routed += ["feeds: [{url: 'https://a.example/feed', to: second}]"]
    for more in ("", *routed):
        (place / "rules.yaml").write_text(RULES % IN_FILE + more + "\n")
        assert (said in in_one_line(run(command))) == (not more)


@pytest.mark.parametrize(
    ("key", "token", "told"),
    [
        ("1-pocket-bridge", {"file": "/data/second.token"}, "--name second: then it goes on by itself"),
        ("9-mine", {"file": "second.token"}, "--name second --key 9-mine: then it goes on by itself"),
        ({"env": "K"}, {"env": "T"}, "--name second --key KEY: write what it prints into the rule file"),
        ("1-pocket-bridge", "bare", "--name second: write what it prints into the rule file"),
    ],
)
def test_the_command_that_signs_in_again_fits_the_connection(key: object, token: object, told: str) -> None:
    written = {"base_url": "https://list.example", "consumer_key": key, "access_token": token}
    assert sign_in("second", written) == f"pocket-bridge login pocket https://list.example {told}"


class Standing:
    """A desk over a real store, with one connection. `its` is the limit that holds for it."""

    its = "user:list.example/1"

    def __init__(self, store: Store, clock: Clock, queues: Any = None) -> None:
        self.store = store
        self.desk = Desk(
            store,
            store,
            rule_file=lambda: rules.EMPTY,
            connections=lambda: ["second"],
            sources={},
            off={},
            clock=clock,
            queues=queues or store.upkeep,
            scopes={"second": [self.its]},
            sign_ins={"second": "pocket-bridge login pocket https://list.example --name second"},
        )

    async def said(self) -> str:
        return click.unstyle(" ".join(" ".join(running.status(await self.desk.status())).split()))

    async def resumed(self) -> str:
        return " ".join(running.resumed(await self.desk.resume("second")))

    async def limit(self, clock: Clock, scope: str, *, left: int) -> None:
        def unit(tx: Any) -> None:
            tx.execute(
                "INSERT INTO budget (scope, most, remaining, spare, resets, lasts, next_at, blocked, noted) "
                "VALUES (?, 320, ?, 0, ?, 3600, 0, 0, 0)",
                (scope, left, clock() + 600),
            )

        await self.store._database.write(unit)


@pytest.fixture
def standing(store: Store, clock: Clock) -> Standing:
    return Standing(store, clock)


async def test_a_paused_connection_names_the_sign_in(standing: Standing) -> None:
    await standing.store.set_gate(Gate("second", state="paused", because="no such token"))
    assert "-> pocket-bridge login pocket https://list.example --name second" in await standing.said()
    assert await standing.resumed() == "second was paused and goes on"


async def test_a_connection_that_waits_after_failures_can_be_tried_now(standing: Standing, clock: Clock) -> None:
    await standing.store.set_gate(Gate("second", because="no answer", not_before=clock() + 900, failures=7))
    assert "-> pocket-bridge resume second tries it now" in await standing.said()
    assert await standing.resumed() == "second waited after failures and is tried now"
    gate = await standing.store.gate("second")
    assert gate.is_open(clock())
    assert gate.failures == 7
    assert "waits until" not in await standing.said()


async def test_a_connection_that_waits_for_a_limit_goes_on_waiting(standing: Standing, clock: Clock) -> None:
    waits = Gate("second", because="too many calls", not_before=clock() + 60)
    await standing.store.set_gate(waits)
    assert "tries it now" not in await standing.said()
    assert "second was not paused; it waits until" in (said := await standing.resumed())
    assert said.endswith("too many calls")
    assert await standing.store.gate("second") == waits


async def test_a_used_up_limit_is_said_by_resume(standing: Standing, clock: Clock) -> None:
    assert await standing.resumed() == "second was not paused, and nothing keeps it from sending"
    await standing.limit(clock, standing.its, left=0)
    assert (await standing.resumed()).endswith("its limit is used up")


async def test_only_limits_of_connections_that_there_are_are_shown(standing: Standing, clock: Clock) -> None:
    for scope in (standing.its, "user:list.example/an-older-token"):
        await standing.limit(clock, scope, left=300)
    budgets = (await standing.desk.status())["budgets"]
    assert [(budget["scope"], budget["connections"]) for budget in budgets] == [(standing.its, ["second"])]


def test_limits_that_read_alike_are_told_with_their_connections() -> None:
    budget = {"limit": 320, "left": 300, "resets": 0.0, "blocked": 0.0}
    alike = [budget | {"scope": f"user:list.example/{name}", "connections": [name]} for name in ("second", "third")]
    status: dict[str, Any] = dict.fromkeys(("sources", "connections"), ())
    status |= {"arrivals": {}, "sightings": {}, "without_connection": {}, "budgets": alike, "rules": {}, "now": 0.0}
    lines = [line for line in running.status(status) if line.startswith("limit")]
    assert [line.rpartition(" ")[2] for line in lines] == ["(second)", "(third)"]
    status["budgets"] = alike[:1]
    assert "(second)" not in " ".join(running.status(status))


class Queue:
    """Ten links wait, and the last hour's pace is known."""

    async def lines(self) -> list[Line]:
        return [Line(connection="second", states={"pending": 10}, sent=100, sent_in=3600.0)]


@pytest.mark.parametrize(("failures", "forecast"), [(0, True), (1, False)])
async def test_no_forecast_is_made_while_nothing_answers(
    store: Store, clock: Clock, failures: int, *, forecast: bool
) -> None:
    standing = Standing(store, clock, Queue())
    await store.set_gate(Gate("second", because="so it is", not_before=clock() + 60, failures=failures))
    assert ("at the pace of the last hour" in await standing.said()) == forecast
