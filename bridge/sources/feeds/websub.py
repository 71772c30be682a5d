"""WebSub: hubs that tell of a feed's news at once. We ask them to, prove that we did, and believe only what is signed.

What is remembered of one hub is a cursor, `websub:ID`. The ID stands in the address the hub calls and is made, like the
secret, from a key in the data folder: neither can be guessed, and the database holds no secret.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlencode

from bridge.errors import Conflict, FetchError
from bridge.net import Door
from bridge.ports import DAY, HOUR, Cursor, ManyCursors

LEASE = 10 * DAY
"""What is asked for, and what is assumed of a hub that does not say."""

LONGEST_LEASE = 30 * DAY
PATIENCE = DAY
"""For how long a hub may take to ask back, and we wait before we ask it again."""

METHODS = ("sha1", "sha256", "sha384", "sha512")

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """What is kept of one hub for one feed. `wants`: subscribe or unsubscribe, while the hub has not asked back.

    `until`: when its lease ends, which was for `lease` seconds; 0: it tells us nothing.
    """

    scope: str = ""
    hub: str = ""
    topic: str = ""
    wants: str = ""
    asked: float = 0.0
    until: float = 0.0
    lease: float = 0.0
    error: str = ""

    @classmethod
    def of(cls, cursor: str | None) -> Self:
        kept = json.loads(cursor) if cursor else {}
        return cls(**{name: value for name, value in kept.items() if name in cls.__dataclass_fields__})

    @property
    def text(self) -> str:
        kept = {name: value for name in self.__dataclass_fields__ if (value := getattr(self, name))}
        return json.dumps(kept, ensure_ascii=False)

    @property
    def renewal(self) -> float:
        """When it is time to ask again: well before the end, whatever the lease."""
        return self.until - max(self.lease / 4, min(HOUR, self.lease / 2))

    def is_due(self, hub: str, topic: str, now: float) -> bool:
        """Whether the hub has to be asked (again)."""
        if (self.hub, self.topic) != (hub, topic):
            return True
        waits = (self.wants or self.error) and self.asked <= now < self.asked + PATIENCE
        return now >= self.renewal and not waits

    def confirmed(self, mode: str, topic: str, seconds: float, now: float) -> Hook | None:
        """After the hub asked back; None when we want no such thing."""
        if mode != self.wants or topic != self.topic or not mode:
            return None
        if mode == "unsubscribe":
            return replace(self, wants="", until=0.0, lease=0.0)
        lease = min(seconds, LONGEST_LEASE) if seconds > 0 else LEASE
        return replace(self, wants="", until=now + lease, lease=lease, error="")


def signed(secret: str, header: str, body: bytes) -> bool:
    """Whether `header` (method=hex) is the body's signature; false for any method we do not know."""
    method, _, claimed = header.strip().partition("=")
    if method.lower() not in METHODS:
        return False
    made = hmac.new(secret.encode(), body, method.lower()).hexdigest()
    return hmac.compare_digest(made.encode(), claimed.lower().encode("utf-8", "replace"))


class Hubs:
    """`public_url`: where the internet reaches us; hubs call `public_url`/websub/ID."""

    def __init__(
        self, inbox: ManyCursors, net: Door, *, public_url: str, key: bytes, clock: Callable[[], float]
    ) -> None:
        self._inbox = inbox
        self._net = net
        self._public_url = public_url.rstrip("/")
        self._key = key
        self._clock = clock
        self._talking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def tend(self, scope: str, hub: str, topic: str) -> float:
        """Asks the hub where that is due. Answers when to come again, 0 while it tells us nothing."""
        hook, now = await self.hook(scope), self._clock()
        if hook.is_due(hub, topic, now):
            if hook.until > now and hook.hub != hub:
                await self._ask(replace(hook, wants="unsubscribe"))
            same = (hook.hub, hook.topic) == (hub, topic)
            kept = hook if same else Hook(scope=scope, hub=hub, topic=topic)
            hook = await self._ask(replace(kept, wants="subscribe", asked=now))
        # While a renewal is unanswered, the poll after the next interval looks again.
        return hook.renewal if hook.until > now and not hook.wants else 0.0

    async def leave(self, scopes: Collection[str]) -> None:
        """Nobody follows these feeds any more."""
        held = await self._inbox.cursors([self._cursor(scope) for scope in scopes])
        for hook in map(Hook.of, held.values()):
            if hook.until > self._clock() or hook.wants == "subscribe":
                await self._ask(replace(hook, wants="unsubscribe", asked=self._clock()))

    async def hook(self, scope: str) -> Hook:
        return Hook.of(await self._inbox.cursor(self._cursor(scope)))

    async def called(self, name: str) -> Hook | None:
        """The hook whose address has this ID."""
        held = await self._inbox.cursor(f"websub:{name}") if len(name) == 32 else None
        return Hook.of(held) if held else None

    async def confirm(self, name: str, mode: str, topic: str, seconds: float) -> bool:
        """The hub asks back whether we want this. True: yes, and that is remembered."""
        held = await self._inbox.cursor(f"websub:{name}") if len(name) == 32 else None
        after = Hook.of(held).confirmed(mode, topic, seconds, self._clock())
        if held is None or after is None:
            return False
        try:
            await self._inbox.put([], cursor=Cursor(f"websub:{name}", after.text), expect=held)
        except Conflict:
            return False
        log.info("hub %s: %s %s", after.hub, mode, topic)
        return True

    async def denied(self, name: str, topic: str, reason: str) -> None:
        """The hub does not tell us (any more)."""
        hook = await self.called(name)
        if hook is not None and hook.topic == topic:
            log.warning("hub %s does not tell of %s: %s", hook.hub, topic, reason or "no reason given")
            await self._keep(replace(hook, wants="", until=0.0, lease=0.0, error=reason or "it was denied"))

    def secret(self, scope: str) -> str:
        return self._made("secret", scope)

    def _cursor(self, scope: str) -> str:
        return f"websub:{self._made('id', scope)[:32]}"

    def _made(self, what: str, scope: str) -> str:
        return hmac.new(self._key, f"websub {what} {scope}".encode(), hashlib.sha256).hexdigest()

    async def _ask(self, hook: Hook) -> Hook:
        """Kept first: a hub may ask back before it answers."""
        await self._keep(hook)
        form = {
            "hub.callback": f"{self._public_url}/{self._cursor(hook.scope).replace(':', '/')}",
            "hub.mode": hook.wants,
            "hub.topic": hook.topic,
        }
        if hook.wants == "subscribe":
            form |= {"hub.secret": self.secret(hook.scope), "hub.lease_seconds": f"{LEASE:.0f}"}
        problem = await self._posted(hook.hub, urlencode(form).encode())
        if not problem:
            return await self.hook(hook.scope)
        log.warning("hub %s did not take %s for %s: %s", hook.hub, hook.wants, hook.topic, problem)
        failed = replace(hook, wants="", error=problem)
        await self._keep(failed)
        return failed

    async def _posted(self, hub: str, form: bytes) -> str:
        """What went wrong, in words."""
        try:
            async with self._talking[hub]:
                answer = await self._net.fetch(hub, method="POST", headers=_FORM, content=form, most_bytes=64 * 1024)
        except FetchError as error:
            return str(error)
        return "" if 200 <= answer.status < 300 else f"answered {answer.status}"

    async def _keep(self, hook: Hook) -> None:
        await self._inbox.put([], cursor=Cursor(self._cursor(hook.scope), hook.text))
