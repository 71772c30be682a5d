"""A process that dies between every two steps of a poll, and what is there when the next one has polled again.

    python -m tests.sources.feed_crash [--apart]

Every step is one: each call of a poll, and each statement of its unit of work. For each a process of its own polls
and dies there, a second one polls once more, and the database is asked what arrived. `--apart` is the control: the
feed's state is stored before the arrivals, as many readers do, and a death between the two loses entries.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.net import Answer, Door
from bridge.ports import Arrival, Cursor, Key, Receipt
from bridge.rules import Feed, Start
from bridge.sources.feeds.document import parse
from bridge.sources.feeds.entry import Document
from bridge.sources.feeds.followers import Follower
from bridge.sources.feeds.moves import Moves
from bridge.sources.feeds.reader import Reader
from bridge.sources.feeds.registry import Registry
from bridge.sources.feeds.source import Feeds
from bridge.store.core import Store
from tests.sources.feed_site import item, rss

URL = "https://news.example/feed"
DIED = 9
FOLLOWERS = (
    Follower(feed=Feed(url=URL, name="mine", start=Start("all"))),
    Follower(feed=Feed(url=URL, name="his", start=Start("all"), at_once=1), account="bob"),
)
BEFORE, AFTER = (rss(item(2), item(1)), '"1"'), (rss(item(4), item(3), item(2), item(1)), '"2"')
WANTED = {(follower.account, f"Entry {number}") for follower in FOLLOWERS for number in (1, 2, 3, 4)}


@dataclass
class Steps:
    """Dies at the step of this number, counted from 1; 0 never."""

    fatal: int = 0
    done: int = 0
    names: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> None:
        self.done += 1
        self.names.append(name)
        if self.done == self.fatal:
            os._exit(DIED)


class Site(Door):
    """Answers with one document, or that it has not changed."""

    def __init__(self, document: tuple[str, str], steps: Steps) -> None:
        self._body, self._etag = document
        self._steps = steps

    async def fetch(self, url: str, *, headers: Mapping[str, str] | None = None, **_: Any) -> Answer:
        self._steps("asked")
        same = dict(headers or {}).get("If-None-Match") == self._etag
        answer = Answer(304 if same else 200, {"etag": self._etag}, b"" if same else self._body.encode(), url)
        self._steps("answered")
        return answer


class Here(Reader):
    """Reads in this process: one death takes all."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    async def read(self, body: bytes, *, charset: str = "", url: str = "") -> Document:
        document = parse(body, charset=charset, url=url)
        self._steps("read")
        return document


class Counted(Store):
    """A store whose every call is a step."""

    steps: Steps

    async def cursor(self, scope: str) -> str | None:
        found = await super().cursor(scope)
        self.steps("cursor read")
        return found

    async def put(
        self,
        arrivals: Sequence[Arrival],
        *,
        seen: Sequence[Key] = (),
        cursor: Cursor | None = None,
        expect: str | None = None,
    ) -> Sequence[Receipt]:
        self.steps("before the unit")
        receipts = await super().put(arrivals, seen=seen, cursor=cursor, expect=expect)
        self.steps("after the unit")
        return receipts


class Apart(Counted):
    """The control: what is known of the feed is stored before what came of it."""

    async def put(
        self,
        arrivals: Sequence[Arrival],
        *,
        seen: Sequence[Key] = (),
        cursor: Cursor | None = None,
        expect: str | None = None,
    ) -> Sequence[Receipt]:
        await super().put([], cursor=cursor, expect=expect)
        return await super().put(arrivals, seen=seen)


async def poll(path: Path, document: tuple[str, str], kind: type[Counted], steps: Steps) -> None:
    """One poll in this process, as the source does it."""
    store = await kind.open(path, lambda: 1_790_000_000.0)
    try:
        counted = kind(store._database, lambda: 1_790_000_000.0)
        counted.steps = steps
        store._database._writer.set_trace_callback(lambda sql: steps(sql.split("(")[0][:40]))
        feeds = Feeds(
            counted,
            Site(document, steps),
            Registry(store, FOLLOWERS),
            clock=lambda: 1_790_000_000.0,
            chance=lambda: 0.5,
            reader=Here(steps),
        )
        [channel] = feeds.registry.channels.values()
        moves = Moves(counted)
        await feeds.poller.poll_from(channel, await counted.cursor(channel.scope), moves)
        await moves.write()
        steps("written down")
        store._database._writer.set_trace_callback(None)
    finally:
        await store.close()


async def arrived(path: Path) -> Counter[tuple[str, str]]:
    """Whose entries are in the inbox, those that wait for a later day too, and how often."""
    store = await Store.open(path, lambda: 1_800_000_000.0)
    due = await store.due(1000)
    await store.close()
    return Counter((one.account, str(json.loads(one.raw)["entry"]["title"])) for one in due)


def in_a_process_of_its_own(work: Callable[[], Any]) -> int:
    """Its exit code: 0, or DIED. No thread runs here, so that a fork is safe."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:  # noqa: BLE001 - nothing of the parent's may be cleaned up here
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, DIED):
        raise RuntimeError(f"a process failed with {code}")
    return code


def database(folder: Path, step: int, *, first: bool) -> Path:
    return folder / f"{'first' if first else 'later'}-{step}" / "bridge.db"


def dies_at(step: int, kind: type[Counted], folder: Path, *, first: bool) -> bool:
    """A poll that dies at this step (of the feed's first poll, or of its second), then a whole one. Answers whether it
    died: behind the last step nobody does."""
    path = database(folder, step, first=first)
    path.parent.mkdir()
    if not first:
        in_a_process_of_its_own(lambda: asyncio.run(poll(path, BEFORE, kind, Steps())))
    document = BEFORE if first else AFTER
    code = in_a_process_of_its_own(lambda: asyncio.run(poll(path, document, kind, Steps(step))))
    for _ in range(2):
        in_a_process_of_its_own(lambda: asyncio.run(poll(path, AFTER, kind, Steps())))
    return code == DIED


def sweep(kind: type[Counted], folder: Path, *, polls: Sequence[bool]) -> dict[str, Any]:
    """Deaths in the first poll of a feed (True) and in a later one, and after which something was lost or doubled."""
    deaths, lost, twice = 0, [], []
    for first in polls:
        step = 1
        while dies_at(step, kind, folder, first=first):
            path = database(folder, step, first=first)
            found = Counter(_counted_elsewhere(path))
            deaths += 1
            lost += [(first, step)] * bool(WANTED - found.keys())
            twice += [(first, step)] * any(number > 1 for number in found.values())
            step += 1
    return {"deaths": deaths, "lost": lost, "twice": twice}


def _counted_elsewhere(path: Path) -> list[tuple[str, str]]:
    told = path.with_suffix(".json")
    in_a_process_of_its_own(lambda: told.write_text(json.dumps([*asyncio.run(arrived(path)).elements()])))
    return [(account, title) for account, title in json.loads(told.read_text())]


def main() -> None:
    kind = Apart if "--apart" in sys.argv else Counted
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(sweep(kind, Path(folder), polls=[False] if kind is Apart else [True, False])))


if __name__ == "__main__":
    main()
