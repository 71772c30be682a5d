"""A whole bridge at work, in process, with the world around it: a Bot API server, a feed, a second Pocket server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge import control
from bridge.ports import OWNER, Errand
from bridge.settings import load_settings
from bridge.wiring import Bridge, open_bridge
from tests.bot_api import TOKEN, BotApi
from tests.loopback import serve

ANN = 42
OWNER_TOKEN = "a-token-that-only-the-owner-has"


class Second:
    """Another Pocket-compatible server: takes every action, and remembers. `limits`: headers that it answers with."""

    def __init__(self) -> None:
        self.actions: list[dict[str, Any]] = []
        self.limits: dict[str, str] = {}
        self.app = Starlette(routes=[Route("/v3/send", self._send, methods=["POST"])])

    async def _send(self, request: Request) -> Response:
        actions = (await request.json())["actions"]
        self.actions += actions
        results = [{"item_id": str(900 + number)} for number, _ in enumerate(actions)]
        body = {"status": 1, "action_results": results, "action_errors": [None] * len(actions)}
        return Response(json.dumps(body), media_type="application/json", headers={"X-Source": "Pocket", **self.limits})


class House:
    """A whole bridge at work, and the world around it."""

    def __init__(self, bridge: Bridge, origin: str, bot: BotApi, second: Second) -> None:
        self.bridge = bridge
        self.bot = bot
        self.second = second
        self.http = httpx.AsyncClient(base_url=origin, trust_env=False, timeout=10)
        self.owner = {"Authorization": f"Bearer {OWNER_TOKEN}"}

    async def items(self) -> dict[str, dict[str, Any]]:
        """The embedded list, as any Pocket client sees it: address -> item."""
        asked = {"consumer_key": "1-reader", "access_token": OWNER_TOKEN, "state": "all", "detailType": "complete"}
        answer = await self.http.post("/v3/get", json=asked)
        return {item["given_url"]: item for item in answer.json()["list"].values()}

    async def item(self, url: str) -> dict[str, Any]:
        await eventually(lambda: self._has(url))
        return (await self.items())[url]

    async def _has(self, url: str) -> bool:
        return url in await self.items()

    async def why(self, url: str) -> dict[str, Any]:
        answer = await self.bridge.desk.handle("why", {"url": url})
        return dict(answer)


def errand(about: int, *, number: int = 0, account: str = OWNER) -> Errand:
    """Somebody asks for something about an arrival."""
    return Errand(id=number, arrival=about, account=account, about=about, name="", argument="", failures=0)


async def eventually(true: Callable[[], Awaitable[bool]]) -> None:
    """Waits for something that other tasks bring about."""
    async with asyncio.timeout(40):
        while not await true():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def a_house(folder: Path, *, rules: str, feeds: dict[str, Response], **more: Any) -> AsyncIterator[House]:
    """`rules` may name {feed} (an origin that answers /NAME with `feeds`), {second} and {secret}, a file.

    `more`: other settings.
    """
    bot, second = BotApi(second=0.01), Second()

    async def feed(request: Request) -> Response:
        return feeds[request.path_params["name"]]

    async with contextlib.AsyncExitStack() as stack:
        bot_origin = await stack.enter_async_context(serve(bot))
        feed_origin = await stack.enter_async_context(serve(Starlette(routes=[Route("/{name}", feed)])))
        second_origin = await stack.enter_async_context(serve(second.app))
        (folder / "secret").write_text("second's secret")
        written = rules.format(feed=feed_origin, second=second_origin, secret=folder / "secret")
        (folder / "rules.yaml").write_text(written)
        given = {
            "data": folder / "data",
            "rules": folder / "rules.yaml",
            "token": OWNER_TOKEN,
            "telegram_token": TOKEN,
            "telegram_api": bot_origin,
            "telegram_allow": str(ANN),
            "allow_nets": "127.0.0.0/8",
            "limit_user": 1_000_000,
        }
        settings = load_settings(**given | more)
        stack.enter_context(control.own(settings.data))
        bridge = await stack.enter_async_context(open_bridge(settings))
        origin = await stack.enter_async_context(serve(bridge.app))
        supervisor = bridge.supervisor()
        working = asyncio.create_task(supervisor.run())
        house = House(bridge, origin, bot, second)
        yield house
        supervisor.stop()
        await working
        await house.http.aclose()


def message(text: str, *, sender: int = ANN) -> dict[str, Any]:
    start = len(text[: text.index("https://")].encode("utf-16-le")) // 2
    length = len(text[text.index("https://") :].split(maxsplit=1)[0])
    person = {"id": sender, "is_bot": False, "first_name": "Ann"}
    entities: list[dict[str, Any]] = [{"type": "url", "offset": start, "length": length}]
    if "#" in text:
        at = len(text[: text.index("#")].encode("utf-16-le")) // 2
        entities.append({"type": "hashtag", "offset": at, "length": len(text[text.index("#") :].split(maxsplit=1)[0])})
    chat = {"id": sender, "type": "private", "first_name": "Ann"}
    return {"message_id": 7, "date": 1_790_000_000, "chat": chat, "from": person, "text": text, "entities": entities}
