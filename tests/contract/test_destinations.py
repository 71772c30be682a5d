"""What every destination promises, against a real server of its kind. See ports.Destination.

A new destination adds a row to KINDS: how to connect it to a server that takes everything. What only some promise
is asked of those whose traits say it, or that can look up; the other kinds skip it with the reason. The fakes of the
other tests have rows, too: what is proven with them holds only while they are destinations like any other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from bridge.delivery import Dead, Delivered, Delivery, Outcome
from bridge.destinations import pocket
from bridge.destinations._lists import Lists
from bridge.errors import DestinationError, Unauthorized, Unavailable
from bridge.net import Net
from bridge.ports import OWNER, Destination, Finder, Found
from bridge.sender import Sender
from bridge.settings import load_settings
from bridge.store.core import Store
from bridge.wiring import open_bridge
from tests.conftest import Clock
from tests.copying import Copies, Copying, Finding
from tests.loopback import serve
from tests.reliability import notebook
from tests.reliability.services import Notes, UpsertingList
from tests.test_sender import states, want

TOKEN = "the-token-of-the-server-over-there"
A, B = "https://a.example/", "https://b.example/"
NOWHERE = "http://127.0.0.1:9"

Held = list[tuple[str, set[str]]]


@dataclass(kw_only=True)
class Kind:
    """A destination connected to a server, and what that server holds: an address with its tags for each item.

    `nobody`: the same where nobody answers. `wrong`: with a credential that is not taken; None where there is none.
    `bare`: the server keeps no tags and refuses nothing.
    """

    right: Destination
    nobody: Destination
    held: Callable[[], Awaitable[Held]]
    wrong: Destination | None = None
    bare: bool = False

    async def addresses(self) -> list[str]:
        return sorted(url for url, _ in await self.held())


async def _another_bridge(tmp_path: Path, stack: AsyncExitStack) -> tuple[str, Callable[[], Awaitable[Held]]]:
    settings = load_settings(data=tmp_path / "there", rules=tmp_path / "none.yaml", token=TOKEN)
    settings.data.mkdir()
    there = await stack.enter_async_context(open_bridge(settings))
    origin = await stack.enter_async_context(serve(there.app))

    async def held() -> Held:
        asked = {"consumer_key": "1-x", "access_token": TOKEN, "state": "all"}
        async with httpx.AsyncClient(base_url=origin, trust_env=False) as client:
            items = (await client.post("/v3/get", json=asked)).json()["list"]
        return [(item["given_url"], set(item.get("tags", {}))) for item in items.values()] if items else []

    return origin, held


def _connected(base_url: str, token: str, net: Net) -> Destination:
    written = {"base_url": base_url, "consumer_key": "1-contract", "access_token": token}
    options = pocket.Options.model_validate(written)
    return pocket.connect(options, name="there", transport=net.transport(base_url), sleep=at_once)


def _net(stack: AsyncExitStack) -> Net:
    net = Net()
    stack.push_async_callback(net.close)
    return net


async def _pocket(tmp_path: Path, stack: AsyncExitStack) -> Kind:
    origin, held = await _another_bridge(tmp_path, stack)
    net = _net(stack)
    right, wrong, nobody = (_connected(*there, net) for there in ((origin, TOKEN), (origin, "no"), (NOWHERE, TOKEN)))
    return Kind(right=right, wrong=wrong, nobody=nobody, held=held)


async def _lists(tmp_path: Path, stack: AsyncExitStack) -> Kind:
    """As the embedded list is reached: one connection, a list for each account."""
    kind = await _pocket(tmp_path, stack)

    def of(there: Destination) -> Destination:
        return Lists("there", there.traits, {OWNER: there}.__getitem__)

    assert kind.wrong
    return replace(kind, right=of(kind.right), wrong=of(kind.wrong), nobody=of(kind.nobody))


async def _upserting(_tmp_path: Path, stack: AsyncExitStack) -> Kind:
    service = UpsertingList(lambda _url: None)
    origin = await stack.enter_async_context(serve(service.app))
    net = _net(stack)

    async def held() -> Held:
        return [(url, set()) for url in service.items]

    right, nobody = _connected(origin, TOKEN, net), _connected(NOWHERE, TOKEN, net)
    return Kind(right=right, nobody=nobody, held=held, bare=True)


async def _of_copies(kind: type[Copying]) -> Kind:
    service, gone = Copies(token=TOKEN), Copies(token=TOKEN, away=True)

    async def held() -> Held:
        return [(item.url, set(item.tags)) for item in service.items]

    right, wrong, nobody = (
        kind("there", where, batch=10, token=token)
        for where, token in ((service, TOKEN), (service, "no"), (gone, TOKEN))
    )
    return Kind(right=right, wrong=wrong, nobody=nobody, held=held)


async def _copying(_tmp_path: Path, _stack: AsyncExitStack) -> Kind:
    return await _of_copies(Copying)


async def _finding(_tmp_path: Path, _stack: AsyncExitStack) -> Kind:
    return await _of_copies(Finding)


async def _of_notes(stack: AsyncExitStack, *, finds: bool) -> Kind:
    service = Notes(lambda _url: None)
    origin = await stack.enter_async_context(serve(service.app))
    net = _net(stack)

    def connected(base_url: str) -> Destination:
        options = notebook.Options(type="tests.reliability.notebook", base_url=base_url, finds=finds)
        return notebook.connect(options, name="there", transport=net.transport(base_url))

    async def held() -> Held:
        return [(url, set()) for url in service.notes]

    return Kind(right=connected(origin), nobody=connected(NOWHERE), held=held, bare=True)


async def _notebook(_tmp_path: Path, stack: AsyncExitStack) -> Kind:
    return await _of_notes(stack, finds=False)


async def _drawer(_tmp_path: Path, stack: AsyncExitStack) -> Kind:
    return await _of_notes(stack, finds=True)


KINDS = {
    "pocket": _pocket,
    "embedded list": _lists,
    "upserting list": _upserting,
    "copies": _copying,
    "copies that can be asked": _finding,
    "notes": _notebook,
    "notes that can be asked": _drawer,
}


async def at_once(_: float) -> None: ...


@pytest.fixture(params=sorted(KINDS))
async def kind(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kind]:
    async with AsyncExitStack() as stack:
        yield await KINDS[request.param](tmp_path, stack)


class Losing:
    """The same destination on a line that loses the answer of the first call, or the call itself."""

    def __init__(self, inner: Destination, *, arrives: bool) -> None:
        self.name, self.traits = inner.name, inner.traits
        self.lost = 0
        self.calls: list[str] = []
        self._inner = inner
        self._arrives = arrives

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        self.calls.append("send")
        if self.lost:
            return await self._inner.send(batch)
        self.lost += 1
        if self._arrives:
            await self._inner.send(batch)
        raise Unavailable("no answer within 30 seconds", sent=True)

    async def close(self) -> None:
        await self._inner.close()


class LosingFinder(Losing):
    async def find(self, urls: Sequence[str]) -> Mapping[str, Found]:
        assert isinstance(self._inner, Finder)
        self.calls.append("find")
        return await self._inner.find(urls)


def losing(inner: Destination, *, arrives: bool) -> Losing:
    return (LosingFinder if isinstance(inner, Finder) else Losing)(inner, arrives=arrives)


async def work(store: Store, destination: Destination, clock: Clock) -> None:
    """What its sender does in two days."""
    sender = Sender(store, destination, clock=clock, chance=lambda: 0.5)
    for _ in range(48):
        await sender.step()
        clock.move(3600)


def delivery(number: int, url: str, *tags: str) -> Delivery:
    return Delivery(
        id=number,
        url=url,
        title=f"Page {number}",
        tags=tags,
        new_tags=tags,
        added=False,
        at=1_790_000_000.0,
        attempts=0,
        lease="l",
    )


async def test_a_batch_has_one_outcome_each_in_order(kind: Kind) -> None:
    batch = [delivery(n, f"https://example.com/{n}", "a") for n in range(3)]
    outcomes = await kind.right.send(batch)
    assert [type(outcome) for outcome in outcomes] == [Delivered] * 3
    assert len({outcome.remote_id for outcome in outcomes if isinstance(outcome, Delivered)}) == 3
    assert await kind.addresses() == [f"https://example.com/{n}" for n in range(3)]
    if kind.right.traits.can_update_tags and not kind.bare:
        assert all(tags == {"a"} for _, tags in await kind.held())


async def test_an_add_that_is_sent_twice_has_the_effect_of_one(kind: Kind) -> None:
    if not kind.right.traits.add_is_idempotent:
        pytest.skip("this service makes doubles: the sender looks up instead, or leaves it unknown")
    for _ in range(2):
        await kind.right.send([delivery(1, A, "a")])
    assert await kind.addresses() == [A]


async def test_find_answers_what_is_there_and_as_what(kind: Kind) -> None:
    if not isinstance(kind.right, Finder):
        pytest.skip("this service cannot be asked what it has")
    sent = await kind.right.send([delivery(1, A, "a"), delivery(2, B)])
    found = await kind.right.find([A, "https://nowhere.example/", B])
    assert list(found) == [A, B]
    outcomes = [outcome.remote_id for outcome in sent if isinstance(outcome, Delivered)]
    assert [one.remote_id for one in found.values()] == outcomes
    if kind.right.traits.can_update_tags:
        assert found[A].tags == ("a",)


async def test_looking_up_fails_as_sending_does(kind: Kind) -> None:
    failing: Mapping[type[DestinationError], object] = {Unavailable: kind.nobody, Unauthorized: kind.wrong}
    finders = [(error, there) for error, there in failing.items() if isinstance(there, Finder)]
    if not finders:
        pytest.skip("this service cannot be asked what it has")
    for error, finder in finders:
        with pytest.raises(error):
            await finder.find([A])


@pytest.mark.parametrize("arrives", [True, False], ids=["the answer is lost", "the call is lost"])
async def test_what_may_have_been_taken_is_sent_again_only_where_that_makes_no_double(
    kind: Kind, store: Store, clock: Clock, arrives: bool
) -> None:
    await want(store, A)
    there = losing(kind.right, arrives=arrives)
    await work(store, there, clock)
    assert there.lost == 1
    if kind.right.traits.add_is_idempotent:
        assert (there.calls, await states(store)) == (["send", "send"], {"delivered": 1})
    elif isinstance(kind.right, Finder):
        after = ["find"] if arrives else ["find", "send"]
        assert (there.calls, await states(store)) == (["send", *after], {"delivered": 1})
    else:
        assert (there.calls, await states(store)) == (["send"], {"unknown": 1})
    taken = arrives or (await states(store)).get("delivered")
    assert await kind.addresses() == ([A] if taken else [])


async def test_a_kind_that_makes_doubles_would_make_one_if_it_were_taken_for_another(
    kind: Kind, store: Store, clock: Clock
) -> None:
    """The control."""
    if kind.right.traits.add_is_idempotent:
        pytest.skip("a second add does no harm here")
    await want(store, A)
    there = losing(kind.right, arrives=True)
    there.traits = replace(there.traits, add_is_idempotent=True)
    await work(store, there, clock)
    assert there.lost == 1
    assert await kind.addresses() == [A, A]


async def test_tags_are_added_to_what_is_there(kind: Kind) -> None:
    if not kind.right.traits.can_update_tags or kind.bare:
        pytest.skip("this service keeps no tags")
    first = delivery(1, A, "a")
    [outcome] = await kind.right.send([first])
    assert isinstance(outcome, Delivered)
    later = first._replace(added=True, tags=("a", "b"), new_tags=("b",), remote_id=outcome.remote_id)
    [merged] = await kind.right.send([later])
    assert isinstance(merged, Delivered)
    assert await kind.held() == [(A, {"a", "b"})]


async def test_a_link_the_service_will_never_take_dies_alone(kind: Kind) -> None:
    if kind.bare:
        pytest.skip("this service takes everything")
    batch = [delivery(1, A), delivery(2, "ftp://example.com/"), delivery(3, B)]
    outcomes = await kind.right.send(batch)
    assert [type(outcome) for outcome in outcomes] == [Delivered, Dead, Delivered]
    assert await kind.addresses() == [A, B]


async def test_a_wrong_credential_is_unauthorized_and_its_words_hold_no_secret(kind: Kind) -> None:
    if kind.wrong is None:
        pytest.skip("this service asks for no credential")
    with pytest.raises(Unauthorized) as refused:
        await kind.wrong.send([delivery(1, A)])
    assert TOKEN not in str(refused.value)
    assert await kind.held() == []


async def test_nobody_there_is_unavailable_and_nothing_can_have_been_taken(kind: Kind) -> None:
    with pytest.raises(Unavailable) as failed:
        await kind.nobody.send([delivery(1, A)])
    assert not failed.value.sent


async def test_a_destination_shows_no_secret(kind: Kind) -> None:
    assert TOKEN not in repr(kind.right) + repr(getattr(kind.right, "__dict__", ""))
