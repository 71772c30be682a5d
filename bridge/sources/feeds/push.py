"""What hubs call: they ask back whether we want a feed's news, and bring them. Only what is signed is read."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bridge.errors import SourceError, StoreError
from bridge.sources.feeds.entry import Document
from bridge.sources.feeds.followers import Channel
from bridge.sources.feeds.reader import Reader
from bridge.sources.feeds.websub import Hubs, signed

MOST_BODY = 1024 * 1024

_CHARSET = re.compile(r"(?i)\bcharset\s*=\s*[\"']?([\w.:-]{1,40})")

log = logging.getLogger(__name__)


class Push:
    """`deliver` makes durable what a document holds and is not known yet, and says in words what that was."""

    def __init__(
        self,
        hubs: Hubs,
        reader: Reader,
        channels: Callable[[], Mapping[str, Channel]],
        deliver: Callable[[Channel, Document], Awaitable[str]],
    ) -> None:
        self.routes: Sequence[BaseRoute] = [
            Route("/websub/{name}", self._called, methods=["GET", "POST"]),
        ]
        self._hubs = hubs
        self._reader = reader
        self._channels = channels
        self._deliver = deliver

    async def _called(self, request: Request) -> Response:
        try:
            return await (self._brought(request) if request.method == "POST" else self._asked_back(request))
        except StoreError:
            return PlainTextResponse("it cannot be stored now; come again\n", 503, {"Retry-After": "30"})

    async def _asked_back(self, request: Request) -> Response:
        """The challenge goes back only for what we have just asked for ourselves."""
        name, asked = request.path_params["name"], request.query_params
        topic, seconds = asked.get("hub.topic", ""), asked.get("hub.lease_seconds", "")
        if asked.get("hub.mode") == "denied":
            await self._hubs.denied(name, topic, asked.get("hub.reason", "")[:200])
            return PlainTextResponse("")
        lease = float(seconds) if re.fullmatch(r"[0-9]{1,12}", seconds) else 0.0
        if not await self._hubs.confirm(name, asked.get("hub.mode", ""), topic, lease):
            return PlainTextResponse("nobody asked for this\n", 404)
        return PlainTextResponse(asked.get("hub.challenge", ""))

    async def _brought(self, request: Request) -> Response:
        """A bad signature is answered like a good one, as the specification asks, and changes nothing."""
        hook = await self._hubs.called(request.path_params["name"])
        if hook is None:
            return PlainTextResponse("nobody asked for this\n", 404)
        channel = self._channels().get(hook.scope)
        if channel is None:
            return PlainTextResponse("nobody follows this any more\n", 410)
        body = await _body(request)
        if body is None:
            return PlainTextResponse(f"a delivery may have {MOST_BODY} bytes\n", 413)
        if not signed(self._hubs.secret(hook.scope), request.headers.get("x-hub-signature", ""), body):
            log.warning("a delivery for feed %s is not signed by its hub and was ignored", channel.name)
            return PlainTextResponse("ok\n", 202)
        return await self._taken(channel, hook.topic, request.headers.get("content-type", ""), body)

    async def _taken(self, channel: Channel, topic: str, content_type: str, body: bytes) -> Response:
        named = _CHARSET.search(content_type)
        try:
            document = await self._reader.read(body, charset=named[1] if named else "", url=topic)
        except SourceError as error:
            log.warning("what the hub of feed %s brought cannot be read: %s", channel.name, error)
            return PlainTextResponse("ok\n", 202)
        log.info("the hub of feed %s brought %s", channel.name, await self._deliver(channel, document))
        return PlainTextResponse("ok\n", 202)


async def _body(request: Request) -> bytes | None:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BODY:
            return None
        parts.append(part)
    return b"".join(parts)
