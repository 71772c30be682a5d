"""What every destination promises, against a real server of its kind. See ports.Destination.

A new destination adds a row to KINDS: how to connect it to a server that takes everything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bridge.delivery import Dead, Delivered, Delivery
from bridge.destinations import pocket
from bridge.errors import Unauthorized, Unavailable
from bridge.net import Net
from bridge.ports import Destination
from bridge.settings import load_settings
from bridge.wiring import open_bridge
from tests.loopback import serve

TOKEN = "the-token-of-the-server-over-there"


@dataclass
class Kind:
    """A destination connected to a server, the same with a wrong credential, and what the server holds."""

    right: Destination
    wrong: Destination
    nobody: Destination
    held: Callable[[], Awaitable[dict[str, set[str]]]]


async def _pocket(tmp_path: Path, stack: AsyncExitStack) -> Kind:
    settings = load_settings(data=tmp_path, rules=tmp_path / "none.yaml", token=TOKEN)
    there = await stack.enter_async_context(open_bridge(settings))
    origin = await stack.enter_async_context(serve(there.app))
    net = Net()
    stack.push_async_callback(net.close)

    def connected(base_url: str, token: str) -> Destination:
        written = {"base_url": base_url, "consumer_key": "1-contract", "access_token": token}
        options = pocket.Options.model_validate(written)
        return pocket.connect(options, name="there", transport=net.transport(base_url), sleep=at_once)

    async def held() -> dict[str, set[str]]:
        asked = {"consumer_key": "1-x", "access_token": TOKEN, "state": "all"}
        async with httpx.AsyncClient(base_url=origin, trust_env=False) as client:
            items = (await client.post("/v3/get", json=asked)).json()["list"].values()
        return {item["given_url"]: set(item.get("tags", {})) for item in items}

    return Kind(connected(origin, TOKEN), connected(origin, "no"), connected("http://127.0.0.1:9", TOKEN), held)


KINDS = {"pocket": _pocket}


async def at_once(_: float) -> None: ...


@pytest.fixture(params=sorted(KINDS))
async def kind(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kind]:
    async with AsyncExitStack() as stack:
        yield await KINDS[request.param](tmp_path, stack)


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
    assert await kind.held() == {f"https://example.com/{n}": {"a"} for n in range(3)}


async def test_an_add_that_is_sent_twice_has_the_effect_of_one(kind: Kind) -> None:
    if not kind.right.traits.add_is_idempotent:
        pytest.skip("this service makes doubles; the sender looks up instead")
    for _ in range(2):
        await kind.right.send([delivery(1, "https://example.com/", "a")])
    assert await kind.held() == {"https://example.com/": {"a"}}


async def test_tags_are_added_to_what_is_there(kind: Kind) -> None:
    if not kind.right.traits.can_update_tags:
        pytest.skip("this service cannot change tags")
    first = delivery(1, "https://example.com/", "a")
    [outcome] = await kind.right.send([first])
    assert isinstance(outcome, Delivered)
    later = first._replace(added=True, tags=("a", "b"), new_tags=("b",), remote_id=outcome.remote_id)
    [merged] = await kind.right.send([later])
    assert isinstance(merged, Delivered)
    assert await kind.held() == {"https://example.com/": {"a", "b"}}


async def test_a_link_the_service_will_never_take_dies_alone(kind: Kind) -> None:
    batch = [
        delivery(1, "https://example.com/"),
        delivery(2, "ftp://example.com/"),
        delivery(3, "https://example.org/"),
    ]
    outcomes = await kind.right.send(batch)
    assert [type(outcome) for outcome in outcomes] == [Delivered, Dead, Delivered]


async def test_a_wrong_credential_is_unauthorized_and_its_words_hold_no_secret(kind: Kind) -> None:
    with pytest.raises(Unauthorized) as refused:
        await kind.wrong.send([delivery(1, "https://example.com/")])
    assert TOKEN not in str(refused.value)


async def test_nobody_there_is_unavailable(kind: Kind) -> None:
    with pytest.raises(Unavailable):
        await kind.nobody.send([delivery(1, "https://example.com/")])


async def test_a_destination_shows_no_secret(kind: Kind) -> None:
    assert TOKEN not in repr(kind.right) + repr(vars(kind.right))
