"""Bring a list, take it away: import(export(x)) = x, twice is once, and nobody waits for a file."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import json
import os
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge import control, moving
from bridge.cli import cli
from bridge.errors import BridgeError, ConfigError
from bridge.exports import WRITERS
from bridge.link import Sighting, canonical, tidy, tidy_tags
from bridge.ports import OWNER, Terms
from bridge.reading_list import ARCHIVED, UNREAD, Action, Item, Query, Status, pocket_tags
from bridge.record import Highlight, Record, highlight
from bridge.rules import Decision
from bridge.settings import load_settings
from bridge.sources.files.source import opened
from bridge.store import leases, outbox, records
from bridge.store.migrations import migrate
from bridge.store.reading_list import apply
from bridge.wiring import Bridge, open_bridge
from tests.conftest import Clock

NOW = 1_790_000_000
TIMES = st.integers(1, 4_000_000_000)

# -- import(export(x)) = x -----------------------------------------------------------------------------------------


@st.composite
def items(draw: st.DrawFn, marks: str = "") -> Item:
    """What a list may hold; `marks` are letters its tags do without."""
    archived, favorite = draw(st.booleans()), draw(st.booleans())
    texts = st.text(st.characters(exclude_characters=marks), max_size=12)
    path = draw(st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace").decode()))
    return Item(
        id=0,
        url=f"https://a.example/{path}".strip(),
        title=tidy(draw(st.text(max_size=20) | st.sampled_from(['"', "=1+1", "https://a.example/", "a,b|c", "</A>"]))),
        tags=pocket_tags(tidy_tags(draw(st.lists(texts, max_size=3)))),
        status=ARCHIVED if archived else UNREAD,
        favorite=favorite,
        time_added=draw(TIMES),
        time_read=draw(TIMES) if archived else 0,
        time_favorited=draw(TIMES) if favorite else 0,
    )


HIGHLIGHTS = st.builds(highlight, st.text(max_size=20), TIMES)


def lists(marks: str = "") -> st.SearchStrategy[list[Record]]:
    made = st.builds(Record, items(marks), HIGHLIGHTS)
    return st.lists(made, max_size=5, unique_by=lambda record: canonical(record.item.url))


def shelf() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    return connection


def brought(found: list[Record]) -> list[Record]:
    """What a list is that these were put on."""
    with closing(shelf()) as tx:
        records.keep(tx, OWNER, found, NOW)
        return taken(tx)


def taken(tx: sqlite3.Connection, status: Status | None = None) -> list[Record]:
    return [record for _, record in records.page(tx, OWNER, 0, 1000, status)]


def round_trip(kind: str, found: list[Record]) -> list[Record]:
    with closing(shelf()) as tx, io.BytesIO() as file:
        records.keep(tx, OWNER, found, NOW)
        assert WRITERS[kind](file, functools.partial(taken, tx)) == len(found)
        written = file.getvalue()
    with tempfile.NamedTemporaryFile() as there:
        Path(there.name).write_bytes(written)
        with opened(Path(there.name)) as listed:
            read = list(listed)
    assert all(isinstance(row, Record) for row in read)
    return brought([row for row in read if isinstance(row, Record)])


def as_pocket_exports(record: Record) -> Record:
    """Without what neither a CSV nor bookmarks have a place for."""
    item = record.item
    title = "" if item.title == item.url else item.title
    read = item.time_added if item.status == ARCHIVED else 0
    kept = replace(item, title=title, favorite=False, time_favorited=0, time_read=read)
    return replace(record, item=kept)


SOME = settings(max_examples=60, deadline=None, derandomize=True)


@SOME
@given(lists())
@example([Record(Item(id=0, url="https://a.example/a\nb", time_added=1))])
def test_json_brings_everything_back(found: list[Record]) -> None:
    assert round_trip("json", found) == brought(found)


@SOME
@given(lists(marks=",|"))
@example([Record(Item(id=0, url='https://a.example/"', title='"a",\\ "b', tags=("x", "y z"), time_added=1))])
def test_pockets_zip_brings_back_all_but_favourites_and_the_time_of_reading(found: list[Record]) -> None:
    assert round_trip("zip", found) == [as_pocket_exports(record) for record in brought(found)]


@SOME
@given(lists(marks=",|"))
def test_bookmarks_bring_back_what_the_zip_does_without_highlights(found: list[Record]) -> None:
    wanted = [replace(as_pocket_exports(record), highlights=()) for record in brought(found)]
    assert round_trip("html", found) == sorted(wanted, key=lambda record: record.item.status)


# -- twice is once -------------------------------------------------------------------------------------------------


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    with closing(shelf()) as connection:
        yield connection


def test_what_is_there_keeps_what_it_has_and_gets_the_tags(tx: sqlite3.Connection) -> None:
    mine = Action(name="add", url="https://a.example/1", title="Mine", tags=("mine",), time=100)
    apply(tx, OWNER, [mine, Action(name="favorite", url=mine.url, time=101)], NOW)
    theirs = Record.of(
        "https://A.example/1#x", title="Theirs", tags=["theirs"], status=ARCHIVED, time_added=5, time_read=6
    )
    kept = records.keep(tx, OWNER, [theirs], NOW + 1)
    [record] = taken(tx)
    assert (kept.added, kept.tagged, kept.known) == (0, 1, 0)
    assert (record.item.title, record.item.tags) == ("Mine", ("mine", "theirs"))
    assert (record.item.status, record.item.favorite, record.item.time_added) == (UNREAD, True, 100)


def test_the_second_time_nothing_changes(tx: sqlite3.Connection) -> None:
    found = [Record.of(f"https://a.example/{n}", tags=["a"], highlights=[Highlight("q", 1)]) for n in range(3)]
    records.keep(tx, OWNER, [*found, found[0]], NOW)
    first = taken(tx)
    kept = records.keep(tx, OWNER, found, NOW + 9)
    assert (kept.added, kept.tagged, kept.known) == (0, 0, 3)
    assert taken(tx) == first


def test_what_was_deleted_begins_anew(tx: sqlite3.Connection) -> None:
    apply(tx, OWNER, [Action(name="add", url="https://a.example/1", time=50, tags=("old",))], NOW)
    apply(tx, OWNER, [Action(name="delete", url="https://a.example/1")], NOW)
    kept = records.keep(tx, OWNER, [Record.of("https://a.example/1", title="Back", time_added=7)], NOW)
    [record] = taken(tx)
    assert (kept.added, record.item.title, record.item.tags, record.item.time_added) == (1, "Back", (), 7)


def test_apps_that_ask_for_changes_get_what_was_imported(tx: sqlite3.Connection) -> None:
    records.keep(tx, OWNER, [Record.of("https://a.example/1", time_added=7, time_updated=8)], NOW)
    [record] = taken(tx)
    assert (record.item.time_added, record.item.time_updated) == (7, NOW)


# -- a running process ---------------------------------------------------------------------------------------------

RULES = """
destinations:
  second: {type: pocket, base_url: "http://127.0.0.1:9", consumer_key: 1-x, access_token: y}
rules:
  - name: python
    if: {tag: python}
    then: {tag: snake}
  - name: ads
    if: {title: sponsored}
    then: {drop: advertising}
"""


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    (tmp_path / "rules.yaml").write_text(RULES)
    options = load_settings(data=tmp_path / "data", rules=tmp_path / "rules.yaml", token="a-token-of-the-owner")
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(control.own(options.data))
        yield await stack.enter_async_context(open_bridge(options))


@contextlib.asynccontextmanager
async def commanded(bridge: Bridge) -> AsyncIterator[moving.Ask]:
    """Asks over the socket, as the command line does while a process runs."""
    serving = asyncio.create_task(control.serve(bridge.settings.data, bridge.desk.handle))
    try:
        async with asyncio.timeout(10):
            while not (bridge.settings.data / control.SOCKET).exists():
                await asyncio.sleep(0)
        yield functools.partial(control.ask, bridge.settings.data)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def csv_of(folder: Path, number: int, *, bad: str = "") -> Path:
    path = folder / "part_000000.csv"
    rows = [f"T {n},https://a.example/{n},{1000 + n},python,{'archive' if n % 2 else 'unread'}" for n in range(number)]
    path.write_text("\n".join(["title,url,time_added,tags,status", *rows, *([bad] if bad else [])]))
    return path


def quiet(_done: int, _size: int) -> None: ...


WAY = {"to": "", "keep": True, "rules": False}


async def test_a_running_process_takes_a_file_in_pieces_and_gives_it_back(bridge: Bridge, tmp_path: Path) -> None:
    path = csv_of(tmp_path, 1200, bad="x,nowhere,1,,unread")
    calls: list[int] = []
    async with commanded(bridge) as ask:

        def counted(command: str, arguments: Any) -> Any:
            calls.append(len(arguments.get("records", ())))
            return ask(command, arguments)

        first = await asyncio.to_thread(moving.bring, counted, path, WAY, quiet)
        again = await asyncio.to_thread(moving.bring, ask, path, WAY, quiet)
        out = tmp_path / "out.zip"
        await asyncio.to_thread(moving.take_away, ask, out, "zip")
    assert max(calls) <= moving.UNIT
    assert (first["added"], first["bad"], first["bad_rows"][0]["line"]) == (1200, 1, 1202)
    assert (again["added"], again["tagged"], again["known"]) == (0, 0, 1200)
    with opened(out) as listed:
        read = [row.item for row in listed if isinstance(row, Record)]
    assert [(item.title, item.time_added, item.tags, item.status) for item in read] == [
        (f"T {n}", 1000 + n, ("python",), ARCHIVED if n % 2 else UNREAD) for n in range(1200)
    ]


async def test_nothing_is_sent_and_no_rule_is_asked_unless_somebody_says_so(bridge: Bridge, tmp_path: Path) -> None:
    async with commanded(bridge) as ask:
        await asyncio.to_thread(moving.bring, ask, csv_of(tmp_path, 1), WAY, quiet)
    [item] = (await bridge.store.find(OWNER, Query())).items
    assert item.tags == ("python",)
    assert (await bridge.store.counts())["deliveries"] == {}


async def test_with_rules_each_row_is_an_arrival_that_is_read_and_judged(bridge: Bridge, tmp_path: Path) -> None:
    path = tmp_path / "links.csv"
    path.write_text("title,url,tags\nA,https://a.example/1,python\nSponsored: buy,https://a.example/2,\n")
    async with commanded(bridge) as ask, bridge.working():
        answer = await asyncio.to_thread(moving.bring, ask, path, {"to": "", "keep": True, "rules": True}, quiet)
    assert answer["judged"] == 2
    kept, dropped = [await bridge.desk.why(f"https://a.example/{n}") for n in (1, 2)]
    [sighting] = kept["sightings"]
    assert (sighting["source"], sighting["channel"], sighting["matched"]) == ("file", "links.csv", ["python"])
    assert [sighting["reason"] for sighting in dropped["sightings"]] == ["rule ads (advertising)"]


async def test_what_goes_to_a_connection_is_not_kept_unless_asked_and_its_passport_tells(
    bridge: Bridge, tmp_path: Path
) -> None:
    path = csv_of(tmp_path, 2)
    async with commanded(bridge) as ask:
        way = {"to": "second", "keep": False, "rules": False}
        answer = await asyncio.to_thread(moving.bring, ask, path, way, quiet)
        await asyncio.to_thread(moving.bring, ask, path, way, quiet)
        assert (await bridge.store.find(OWNER, Query())).total == 0
        await asyncio.to_thread(moving.bring, ask, path, {**way, "keep": True}, quiet)
    assert answer["sent"] == 2
    assert (await bridge.store.find(OWNER, Query())).total == 2
    leased = await bridge.store.lease(Terms(connection="second", batch=10, idempotent=True))
    assert [(one.url, one.title, one.tags, one.at) for one in leased] == [
        (f"https://a.example/{n}", f"T {n}", ("python",), 1000 + n) for n in range(2)
    ]
    why = await bridge.desk.why("https://a.example/0")
    assert {(sighting["source"], sighting["channel"]) for sighting in why["sightings"]} == {("file", path.name)}


async def test_a_connection_that_does_not_exist_is_told_before_anything_happens(bridge: Bridge, tmp_path: Path) -> None:
    way = {"to": "secnd", "keep": True, "rules": False}
    async with commanded(bridge) as ask:
        with pytest.raises(BridgeError, match="there is no connection “secnd”; there are: reading, second"):
            await asyncio.to_thread(moving.bring, ask, csv_of(tmp_path, 1), way, quiet)
    assert (await bridge.store.find(OWNER, Query())).total == 0


async def test_a_file_yields_to_what_a_person_saves_by_hand(bridge: Bridge, tmp_path: Path) -> None:
    way = {"to": "reading", "keep": False, "rules": False}
    async with commanded(bridge) as ask:
        await asyncio.to_thread(moving.bring, ask, csv_of(tmp_path, 50), way, quiet)
    async with asyncio.timeout(10):
        adding = asyncio.create_task(bridge.desk.add("https://hand.example/"))
        while not await bridge.intake.step():
            await asyncio.sleep(0)
    [first] = await bridge.store.lease(Terms(connection="reading", batch=1, idempotent=True))
    adding.cancel()
    assert first.url == "https://hand.example/"


def test_a_link_of_a_file_that_a_person_saves_too_waits_no_longer(tx: sqlite3.Connection, clock: Clock) -> None:
    found = [Record.of(f"https://a.example/{n}") for n in range(3)]
    records.send(tx, OWNER, "second", found, channel="list.csv", now=clock())
    link = tx.execute("SELECT id FROM link WHERE canonical = 'https://a.example/2'").fetchone()[0]
    wish = outbox.Wish(
        account=OWNER,
        link=link,
        connection="second",
        sighting=Sighting.of("https://a.example/2", source="cli"),
        decision=Decision(title="", tags=(), to=("second",)),
        received=clock(),
    )
    outbox.want(tx, wish, clock())
    terms = Terms(connection="second", idempotent=True)
    assert [one.url for one in leases.lease(tx, terms, reserve=0.0, now=clock())] == ["https://a.example/2"]
    assert leases.next_due(tx, terms, reserve=0.0, now=clock()) == clock()


# -- the command line ----------------------------------------------------------------------------------------------


def command(folder: Path, *arguments: str) -> Any:
    environment = {"BRIDGE_DATA": str(folder / "data"), "BRIDGE_RULES": os.devnull}
    runner = CliRunner(env=environment)
    if not (folder / "data").exists():
        assert runner.invoke(cli, ["retry", "reading"], catch_exceptions=False).exit_code == 0  # a bridge was there
    return runner.invoke(cli, arguments, catch_exceptions=False)


def test_the_commands_work_while_nothing_runs(tmp_path: Path) -> None:
    path = csv_of(tmp_path, 3)
    assert "3 added" in command(tmp_path, "import", str(path)).output
    twice = command(tmp_path, "import", "--json", str(path))
    assert json.loads(twice.stdout)["known"] == 3
    for kind in ("zip", "html", "json"):
        out = tmp_path / f"out.{kind}"
        assert command(tmp_path, "export", str(out), "--format", kind).exit_code == 0
        again = command(tmp_path / kind, "import", str(out))
        assert "3 added" in again.output
    assert not list(tmp_path.glob("*.part"))


def test_bad_rows_are_told_with_their_line_and_make_the_command_fail(tmp_path: Path) -> None:
    result = command(tmp_path, "import", str(csv_of(tmp_path, 2, bad="x,nowhere,1,,unread")))
    assert result.exit_code == 1
    assert "line 4: not taken: “nowhere” is not an address of a web page" in result.output
    assert "2 added, 1 bad" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import", "--rules", "--to", "x"], "cannot be used with --to"),
        (["import", "--to", "x"], "there is no connection “x”; there are: reading"),
    ],
)
def test_wrong_use_is_told(tmp_path: Path, arguments: list[str], words: str) -> None:
    result = command(tmp_path, *arguments, str(csv_of(tmp_path, 1)))
    assert (result.exit_code, words in result.output) == (2, True)


def test_an_export_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    result = command(tmp_path, "export", str(tmp_path / "missing" / "out.zip"))
    assert (result.exit_code, "cannot be written" in result.output) == (2, True)


def test_an_export_into_a_folder_is_wrong_use(tmp_path: Path) -> None:
    for folder in (".", str(tmp_path)):
        result = command(tmp_path, "export", folder)
        assert (result.exit_code, "is a folder: name a file" in result.output) == (2, True)


def test_a_file_that_is_there_is_replaced_only_when_asked(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    out.write_text("mine")
    result = command(tmp_path, "export", str(out))
    assert (result.exit_code, out.read_text()) == (2, "mine")
    assert "--force replaces it" in result.output
    assert command(tmp_path, "export", str(out), "--force").exit_code == 0
    assert out.read_text() != "mine"


@pytest.mark.parametrize(
    ("name", "options", "begins"),
    [
        ("a.html", [], b"<!DOCTYPE"),
        ("a.ZIP", [], b"PK"),
        ("a.json", [], b"{"),
        ("a", [], b"PK"),
        ("a.json", ["--format", "html"], b"<!DOCTYPE"),
    ],
)
def test_the_name_says_the_format_when_nobody_else_does(
    tmp_path: Path, name: str, options: list[str], begins: bytes
) -> None:
    assert command(tmp_path, "export", str(tmp_path / name), *options).exit_code == 0
    assert (tmp_path / name).read_bytes().lstrip(b"[").startswith(begins)


def test_a_file_that_is_broken_off_in_the_middle_is_not_left_behind(tmp_path: Path) -> None:
    def failing(_command: str, _arguments: Any) -> Any:
        raise ConfigError("stopped")

    with pytest.raises(ConfigError, match="stopped"):
        moving.take_away(failing, tmp_path / "out.json", "json")
    assert list(tmp_path.iterdir()) == []
