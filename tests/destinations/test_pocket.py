"""Each delivery by its own result; each failure of a call by what is to be done next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from bridge.delivery import Dead, Delivered, Delivery, Outcome, Retry
from bridge.destinations.pocket import Options, connect
from bridge.errors import DestinationError, FetchError, Refused, Throttled, TooLarge, Unauthorized, Unavailable
from bridge.gate import named_wait
from bridge.ports import Destination
from bridge.store.core import Store
from tests.conftest import Clock
from tests.pocket.server import INNER, KEY, TOKEN, Answer, Gone, Script, client, face

OK = {"X-Source": "Pocket"}


def delivery(number: int = 1, **more: Any) -> Delivery:
    facts: dict[str, Any] = {
        "id": number,
        "url": f"https://a.example/{number}",
        "title": "T",
        "tags": ("a", "b"),
        "new_tags": ("a", "b"),
        "added": False,
        "at": 1_789_999_999.5,
        "attempts": 0,
        "lease": "l",
    }
    return Delivery(**{**facts, **more})


class Sleep:
    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


def connected(transport: httpx.AsyncBaseTransport, *, token: str = TOKEN, sleep: Sleep | None = None) -> Destination:
    options = Options.model_validate(
        {"type": "pocket", "base_url": "http://list.example", "consumer_key": KEY, "access_token": token}
    )
    return connect(options, name="pocket", transport=transport, sleep=sleep or Sleep(), chance=lambda: 1.0)


async def sent(server: Any, *batch: Delivery, token: str = TOKEN) -> Sequence[Outcome]:
    return await connected(httpx.ASGITransport(server), token=token).send(batch)


async def failure(server: Any) -> DestinationError:
    with pytest.raises(DestinationError) as raised:
        await sent(server, delivery())
    return raised.value


async def test_one_call_holds_one_action_for_each_delivery() -> None:
    server = Script(Answer(body={"status": 1, "action_results": [{"item_id": "7"}, True, True]}))

    outcomes = await sent(
        server,
        delivery(1),
        delivery(2, added=True, remote_id="8", new_tags=("c",)),
        delivery(3, added=True, new_tags=("d", "e")),
    )

    [(path, asked)] = server.asked
    assert path == "/v3/send"
    assert asked["actions"] == [
        {"action": "add", "url": "https://a.example/1", "title": "T", "tags": "a,b", "time": "1789999999"},
        {"action": "tags_add", "item_id": "8", "tags": "c"},
        {"action": "tags_add", "url": "https://a.example/3", "tags": "d,e"},
    ]
    assert outcomes == [Delivered("created", "7"), Delivered("merged", "8"), Delivered("merged", "")]


async def test_what_is_not_known_is_not_said() -> None:
    server = Script(Answer(body={"action_results": [True]}))

    await sent(server, delivery(title="", tags=(), at=0.0))

    assert server.asked[0][1]["actions"] == [{"action": "add", "url": "https://a.example/1"}]


async def test_the_embedded_list_takes_deliveries_twice_in_once_effect(store: Store, clock: Clock) -> None:
    app = face(store, clock)

    first = await sent(app, delivery(1), delivery(2), token=INNER)
    again = await sent(app, delivery(1, added=True, remote_id="1", new_tags=("c",)), delivery(2), token=INNER)

    assert (first, again) == (
        [Delivered("created", "1"), Delivered("created", "2")],
        [Delivered("merged", "1"), Delivered("created", "2")],
    )
    async with client(app) as pocket:
        listed = {item.item_id: (item.tags, item.time_added) async for item in pocket.items()}
    assert listed == {"1": (("a", "b", "c"), 1_789_999_999), "2": (("a", "b"), 1_789_999_999)}
    assert await store.due(1) == []


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (
            {"message": "Unprocessable Entity", "type": "Unprocessable Entity", "code": 422},
            Dead("Unprocessable Entity"),
        ),
        ({"message": "Bad request", "type": "Bad request", "code": "130"}, Dead("Bad request")),
        ({"message": "Invalid url", "type": "", "code": 0}, Dead("Invalid url")),
        ("invalid url", Dead("invalid url")),
        ({"message": "", "type": "NotFound"}, Dead("NotFound")),
        ({"message": "Server issue", "type": "Internal", "code": 198}, Retry("Server issue")),
        ({"message": "not found for now", "code": 503}, Retry("not found for now")),
        ("later please", Retry("later please")),
        (None, Retry("the service did not say why")),
    ],
)
async def test_a_delivery_that_failed_is_dead_or_comes_again(error: Any, outcome: Outcome) -> None:
    server = Script(
        Answer(body={"status": 0, "action_results": [True, False, True], "action_errors": [None, error, None]})
    )

    outcomes = await sent(server, delivery(1), delivery(2), delivery(3))

    assert outcomes == [Delivered(), outcome, Delivered()]


EXHAUSTED = {"X-Limit-Key-Remaining": "0", "X-Limit-Key-Reset": "120", "X-Limit-User-Reset": "9"}
MAY_NOT = "The provided keys do not have proper permission"


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (403, EXHAUSTED, 120.0),
        (403, {"X-Limit-User-Remaining": "0"}, 60.0),
        (403, {"X-Error": "Rate limit exceeded."}, 60.0),
        (403, {"X-Error-Code": "4"}, 60.0),
        (429, {}, 60.0),
        (429, {"Retry-After": "0"}, 1.0),
        (429, {"Retry-After": "33", **EXHAUSTED}, 33.0),
        (
            429,
            {"Retry-After": "Thu, 01 Jan 2026 00:02:00 GMT", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"},
            120.0,
        ),
        (503, {"Retry-After": "8"}, 8.0),
    ],
)
async def test_a_reached_limit_throttles(status: int, headers: dict[str, str], wait: float) -> None:
    error = await failure(Script(Answer(status, headers={**OK, **headers})))

    assert isinstance(error, Throttled)
    assert named_wait(error) == wait


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(401), Unauthorized),
        (Answer(403, headers={**OK, "X-Error-Code": "152"}), Unauthorized),
        (Answer(403, headers={**OK, "X-Error-Code": "107"}), Unauthorized),
        (Answer(403, headers={**OK, "X-Error": MAY_NOT}), Unauthorized),
        (Answer(403, headers={**OK, "X-Error": "no access"}), Refused),
        (Answer(403, headers={**OK, "X-Error-Code": "5200"}), Refused),
        (Answer(400), Refused),
        (Answer(413, "<html>too large</html>", {}), TooLarge),
        (Answer(422), Refused),
        (Answer(404), Unavailable),
        (Answer(302), Unavailable),
        (Answer(500), Unavailable),
        (Answer(502, "<html>bad gateway</html>", {}), Unavailable),
        (Answer(503), Unavailable),
        (Answer(200, "<html>sign in to this Wi-Fi</html>", {}), Unavailable),
        (Answer(200, "{", {}), Unavailable),
        (Answer(body={"action_results": [True, True]}), Unavailable),
        (Answer(body={}), Unavailable),
    ],
)
async def test_a_failed_call_says_what_is_next(answer: Answer, kind: type[DestinationError]) -> None:
    assert type(await failure(Script(answer))) is kind


async def test_a_page_instead_of_an_answer_names_the_likely_reason() -> None:
    error = await failure(Script(Answer(200, "<html>", {})))

    assert "captive portal or a proxy" in str(error)


async def test_a_lost_connection_is_tried_three_times_and_is_then_unavailable() -> None:
    network, sleep = Gone(), Sleep()

    with pytest.raises(Unavailable, match="gives no answer"):
        await connected(network, sleep=sleep).send([delivery()])

    assert network.tries == 3
    assert sum(sleep.waits) <= 5.0


class Closed(httpx.AsyncBaseTransport):
    """A guard that lets nothing out."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise FetchError("10.0.0.1 is not allowed")


@pytest.mark.parametrize("network", [Gone, Closed])
async def test_no_failure_of_the_network_escapes(network: Callable[[], httpx.AsyncBaseTransport]) -> None:
    with pytest.raises(Unavailable):
        await connected(network()).send([delivery()])


class Silent(httpx.AsyncBaseTransport):
    """A server that takes the request and never answers."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.get_running_loop().create_future()
        raise AssertionError


async def test_silence_ends_at_the_deadline() -> None:
    options = Options(base_url="http://list.example", consumer_key=SecretStr(KEY), access_token=SecretStr(TOKEN))
    destination = connect(options, name="pocket", transport=Silent(), deadline=0.0)

    with pytest.raises(Unavailable, match="no answer within 0 seconds"):
        await destination.send([delivery()])


async def test_no_secret_is_in_what_is_told() -> None:
    error = await failure(Script(Answer(401, headers={**OK, "X-Error": f"token {TOKEN}"})))

    assert TOKEN not in str(error)


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 0},
        {"batch": 501},
        {"base_url": "list.example"},
        {"token": "x"},
        {"access_token": None},
    ],
)
def test_wrong_options_are_refused_without_showing_secrets(wrong: dict[str, Any]) -> None:
    right = {"type": "pocket", "base_url": "http://list.example", "consumer_key": KEY, "access_token": TOKEN}

    with pytest.raises(ValidationError):
        Options.model_validate({**right, **wrong})

    assert TOKEN not in repr(Options.model_validate(right))
