"""Who was not let in, counted by hook: a service with a wrong secret is seen. In memory only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bridge.sources.webhooks.address import Incoming
from bridge.sources.webhooks.hook import Hook

TELL_SECONDS = 300.0
"""A hook's refusals are in the log once in that time, however many there are."""

# No hook can be called that.
OTHERS, SAVE = "(other names)", "(save)"

log = logging.getLogger(__name__)

_PROOFS = {
    "bearer": "authorization",
    "basic": "authorization",
    "slack": "x-slack-signature",
    "ed25519": "x-signature-ed25519",
}
_WORDS = {
    "": "a token stands in the address of an open hook",
    "bearer": "its token is not the one of this hook",
    "path": "the token in its address is not the one of this hook",
    "basic": "its user or password is not the one of this hook",
    "header": "its token is not the one of this hook",
    "standard-webhooks": "its signature does not match, or is too old",
    "slack": "its signature does not match, or is too old",
    "mailgun": "its signature does not match, or is too old",
    "body-secret": "the secret in its body is not the one of this hook",
}


@dataclass(slots=True)
class _Refused:
    """`untold`: how many since `since` that the log does not say yet."""

    number: int = 0
    last: float = 0.0
    why: str = ""
    untold: int = 0
    since: float = 0.0
    told: float = float("-inf")


class Refusals:
    """Counts by name; names of no hook are counted together, so that nobody can fill memory with them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_name: dict[str, _Refused] = {}

    def note(self, name: str, why: str) -> None:
        """`name`: of a hook there is, or SAVE or OTHERS. The log is written later: time must not tell which it was."""
        refused = self._by_name.setdefault(name, _Refused())
        refused.number += 1
        refused.last, refused.why = self._clock(), why
        refused.since = refused.since if refused.untold else refused.last
        refused.untold += 1

    def tell(self) -> None:
        """Puts into the log what is not there yet and may be."""
        now = self._clock()
        for name, refused in self._by_name.items():
            if refused.untold and not 0.0 <= now - refused.told < TELL_SECONDS:
                log.warning("%s", _told(name, refused))
                refused.untold, refused.told = 0, now

    def counts(self) -> Mapping[str, int]:
        """Since the start."""
        return {name: refused.number for name, refused in self._by_name.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """For people to see: name, number, last, why of the last."""
        for name, refused in self._by_name.items():
            yield {"name": name, "number": refused.number, "last": refused.last, "why": refused.why}


def why(hook: Hook, request: Incoming, *, by_owner: bool) -> str:
    """In words, for the owner only; what came is not in them. `hook` is nameless where there is none."""
    wanted = hook.header or _PROOFS.get(hook.scheme, "")
    if wanted and wanted not in request.headers:
        return f"it has no header “{wanted}”"
    if request.token and hook.scheme not in ("path", ""):
        return "it has a token in its address, which counts only for “auth: path”"
    if not hook.name:
        return "its token is not the owner's" if not request.name else "there is no such hook, and no owner's token"
    if by_owner:
        return "it has the owner's token; this hook takes only its own secret"
    return _WORDS.get(hook.scheme, "its signature does not match")


def _told(name: str, refused: _Refused) -> str:
    door = {SAVE: "/save", OTHERS: "names of no hook"}.get(name, f"hook {name}")
    requests = "1 request" if refused.untold == 1 else f"{refused.untold} requests"
    since = datetime.fromtimestamp(refused.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{door}: {requests} refused since {since}: {refused.why}"
