"""The webhook door: what a service sends to its hook, or a person to /save, becomes an arrival, then is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.routing import BaseRoute, Route

from bridge.errors import ConfigError, StoreError
from bridge.ports import Arrival, Inbox
from bridge.ports.keeping import Trouble
from bridge.sources.webhooks import save_page
from bridge.sources.webhooks.address import Addresses, Answer, Incoming
from bridge.sources.webhooks.auth import digest_like_a_signature
from bridge.sources.webhooks.hook import Hook, is_robot, may_be_named
from bridge.sources.webhooks.kinds import Kind
from bridge.sources.webhooks.office import Office, commands
from bridge.sources.webhooks.reading import EXAMPLE, MOST_LINKS, held_by, key_of, nothing, read, said_by
from bridge.sources.webhooks.refusals import OTHERS, SAVE, Refusals, why
from bridge.sources.webhooks.register import SCOPE, Register, orphans_in
from bridge.sources.webhooks.request import HookRequest, captured

__all__ = ["MOST_LINKS", "SCOPE", "Hook", "Office", "Webhooks", "commands", "orphans_in", "read", "without_key"]

_RETRY_AFTER = b"30"
_TELL_SECONDS = 10.0  # how often it is looked whether the log should say who was refused
_LARGE = 64 * 1024  # a body that takes so long to read that others would wait for it

# What proves a request is in a header or an address that no page can make a browser add by itself: any page may ask.
_CORS = (b"access-control-allow-origin", b"*")
_JSON = ((b"content-type", b"application/json"), _CORS, (b"cache-control", b"no-store"))
_TEXT = ((b"content-type", b"text/plain; charset=utf-8"), *_JSON[1:])
_PREFLIGHT = (
    _CORS,
    (b"access-control-allow-methods", b"POST, PUT"),
    (b"access-control-allow-headers", b"authorization, content-type, idempotency-key"),
    (b"access-control-max-age", b"86400"),
)
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Webhooks:
    """Takes requests that prove where they are from; answers once what they hold is durable.

    Expects the server around it to limit the size of a body. `key` makes the secrets of hooks that are added by hand
    (None: the owner's token does). Where it is empty, `new_key` makes one as soon as it is needed.
    `whereabouts`: where the owner finds the token, in words.
    """

    name = "webhooks"
    routes: Sequence[BaseRoute]

    def __init__(
        self,
        inbox: Inbox,
        *,
        token: str,
        clock: Callable[[], float],
        key: bytes | None = None,
        new_key: Callable[[], bytes] = bytes,
        whereabouts: str = "in the file data/token",
    ) -> None:
        if not token:
            raise ConfigError("webhooks need the owner's token: without one anybody could save links")
        self.hooks = Register(inbox, token.encode() if key is None else key, new_key)
        self.refusals = Refusals(clock)
        self._inbox = inbox
        self._owners = Hook(name="", secrets=(token.encode(),), where={})
        self.routes = [
            Addresses(
                self._receive, _error(400, "the request ended before its body was complete; nothing was kept"), clock
            ),
            *save_page.routes(),
            Route("/save", partial(save_page.page, whereabouts=whereabouts), methods=["GET"]),
        ]

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            self.refusals.tell()

    async def condition(self) -> Sequence[str]:
        return [trouble.words for trouble in await self.troubles()]

    async def troubles(self) -> Sequence[Trouble]:
        """Hooks that nobody can use, because the key of their secrets is gone."""
        if not self.hooks.orphans:
            return []
        return [Trouble("hooks key", without_key(self.hooks.orphans), "put it into the data folder, and restart")]

    async def _receive(self, request: Incoming) -> Answer:
        # The body is there before anything is decided: an early answer would tell which hooks exist.
        if request.method == "OPTIONS":
            return _preflight(request)
        hook = self.hooks.named(request.name) or self._owners
        if not hook.signed:
            digest_like_a_signature(request.body)
        if not hook.admits(request):
            return self._refused(request, hook)
        if refusal := _refusal(request, hook):
            return refusal
        kept = captured(request, hook)
        if greeting := _greeting(kept, hook.traits):
            return greeting
        try:
            return await self._keep(kept, hook)
        except StoreError:
            said = "it cannot be stored now; nothing was kept, send it again"
            return _error(503, said, (b"retry-after", _RETRY_AFTER))

    def _refused(self, request: Incoming, hook: Hook) -> Answer:
        # The same work for every name, whatever comes of it.
        by_owner = self._owners.admits(request)
        name = hook.name or (OTHERS if request.name else SAVE)
        self.refusals.note(name, why(hook, request, by_owner=by_owner))
        return _unauthorized()

    async def _keep(self, kept: HookRequest, hook: Hook) -> Answer:
        source = "hook" if kept.hook else "save"
        key = key_of(kept, hook.scheme)
        arrival = Arrival(source=source, channel=kept.hook, key=key, raw=kept.raw())
        [receipt] = await self._inbox.put([arrival])
        if not receipt.new:
            return _answer(hook, kept, {"status": "known", "id": receipt.id})
        large = len(kept.body) > _LARGE
        said = await asyncio.to_thread(_verdict, kept) if large else _verdict(kept)
        return _answer(hook, kept, {"status": said.pop("status"), "id": receipt.id, **said})


def without_key(names: Sequence[str]) -> str:
    """That added hooks are closed, and what opens them; "" for none."""
    if not names:
        return ""
    need = f"{len(names)} hooks need" if len(names) > 1 else "1 hook needs"
    them = "them" if len(names) > 1 else "it"
    return f"{need} the file hooks.key of the old folder; or “hooks add” {them} anew: {', '.join(names)}"


def _refusal(request: Incoming, hook: Hook) -> Answer | None:
    """Why a request that is known to be from where it should be is not taken all the same."""
    if request.name and not may_be_named(request.name):
        return _error(404, "a hook's name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit")
    if request.method not in hook.methods:
        methods = ", ".join(sorted(hook.methods))
        said = f"nothing was saved: this address takes {methods}; {EXAMPLE}"
        return _error(405, said, (b"allow", f"{methods}, OPTIONS".encode()))
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        return _error(415, "send the body as it is, without Content-Encoding")
    if request.method == "GET" and is_robot(request.headers):
        return _error(403, "nothing was saved: this looks like a preview of the address, not like a use of it")
    return None


def _greeting(kept: HookRequest, kind: Kind) -> Answer | None:
    """The answer to a service that only tries whether somebody is there."""
    if kind.handshake is None:
        return None
    said = said_by(kept)
    answer = kind.handshake(said.event, said.body)
    return Answer(answer[0], answer[1].encode(), _TEXT) if answer else None


def _verdict(request: HookRequest) -> dict[str, Any]:
    """As intake will read it."""
    holds = held_by(request)
    if not holds.links and not holds.idle:
        return {"status": "kept", "error": nothing(holds.notes)}
    links = [link.url for link in holds.links]
    said: dict[str, Any] = {"status": "accepted", "links": links} if links else {"status": "empty"}
    return said | {"notes": list(holds.notes)} if holds.notes else said


def _answer(hook: Hook, kept: HookRequest, said: Mapping[str, Any]) -> Answer:
    """As the hook's kind of caller expects it."""
    status = hook.traits.statuses[said["status"]]
    if hook.traits.says is None:
        return Answer(status, _as_json(said).encode("utf-8", "replace"), _JSON)
    text = hook.traits.says({"hook": kept.hook, **said})
    return Answer(status, text.encode("utf-8", "replace") if status != 204 else b"", _TEXT)


def _preflight(request: Incoming) -> Answer:
    """Also CloudEvents' handshake: https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md."""
    origin = request.headers.get("webhook-request-origin", "").encode("latin-1")
    allowed = (
        ((b"allow", b"POST, PUT"), (b"webhook-allowed-origin", origin), (b"webhook-allowed-rate", b"*"))
        if origin
        else ()
    )
    return Answer(204, b"", (*_PREFLIGHT, *allowed))


def _unauthorized() -> Answer:
    said = (
        "nothing was saved: this request does not prove that it may use this address. A hook that was added or stands "
        "in the rule file takes only its own secret; any other name takes the owner's token: “Authorization: Bearer "
        "TOKEN”, in a header, never in the address"
    )
    return _error(401, said, (b"www-authenticate", b'Bearer realm="bridge"'))


def _error(status: int, said: str, *more: tuple[bytes, bytes]) -> Answer:
    return Answer(status, _as_json({"status": "error", "error": said}).encode(), (*_JSON, *more))
