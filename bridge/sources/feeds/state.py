"""What is remembered of one feed between two polls, and when the next poll is due. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Self

from bridge.delivery import backoff
from bridge.ports.keeping import Trouble
from bridge.sources.feeds.wishes import allowed_from

_MINUTE = 60.0
_HOUR = 3600.0
_DAY = 24 * _HOUR

LONGEST_HINT = _DAY
"""A publisher may ask for longer pauses than the user's interval, but not for longer than this."""

LONGEST_RETRY_AFTER = 7 * _DAY
SHORTEST_RETRY = 5 * _MINUTE

FAILING = 2 * _DAY
"""For how long a feed may fail before its reader is told."""

MOVES = 3
MOVED_FOR = 2 * _DAY
"""A feed is asked for where it has moved to when so many polls in a row, so far apart, were sent there for good."""

# Failures after which a feed is no longer asked more often than a healthy one: the trouble is not a passing one.
_PATIENCE = 3

_MAX_AGE = re.compile(r"(?i)(?:^|[,\s])max-age\s*=\s*\"?(\d{1,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """Kept as the feed's cursor. Times are seconds since the epoch, 0 = never.

    `etag` and `last_modified` are byte for byte what the address `validated` gave with the last complete document;
    `body` is the last document's fingerprint, `ttl` the pause it asks for, `remark` what was odd about it.
    `started`: the first document was taken as the feed's `start` says. `moved`: where the address leads for good, as it
    did at `moves` polls since `moved_since`; `home`: where it is asked for since that was believed.
    `skip_hours`, `skip_days`, `hub` and `topic` are the last document's; `told`: until when the hub's word holds.
    `newest` is when the last entry was published, or met, `rhythm` the seconds that usually lie between two;
    `churned`: when entries that were known last came under new ids.
    """

    validated: str = ""
    etag: str = ""
    last_modified: str = ""
    body: str = ""
    ttl: float = 0.0
    started: bool = False
    polled: float = 0.0
    next_poll: float = 0.0
    last_ok: float = 0.0
    failures: int = 0
    last_error: str = ""
    failing_since: float = 0.0
    newest: float = 0.0
    rhythm: float = 0.0
    churned: float = 0.0
    remark: str = ""
    moved: str = ""
    moves: int = 0
    moved_since: float = 0.0
    home: str = ""
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()
    hub: str = ""
    topic: str = ""
    told: float = 0.0
    gone: bool = False

    @classmethod
    def of(cls, cursor: str | None) -> Self:
        """What `text` made. Fields of a later version are ignored."""
        kept = json.loads(cursor) if cursor else {}
        known = {name: value for name, value in kept.items() if name in cls.__dataclass_fields__}
        for name in known.keys() & {"skip_hours", "skip_days"}:
            known[name] = tuple(known[name])
        return cls(**known)

    @property
    def text(self) -> str:
        kept = {name: value for name in self.__dataclass_fields__ if (value := getattr(self, name))}
        return json.dumps(kept, ensure_ascii=False)

    def validators(self, url: str) -> dict[str, str]:
        """For a conditional request; empty for any address but the one that gave them."""
        if url != self.validated:
            return {}
        named = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in named.items() if value}

    def validated_by(self, headers: Mapping[str, str], url: str) -> FeedState:
        etag, last_modified = headers.get("etag", ""), headers.get("last-modified", "")
        if (url, etag, last_modified) == (self.validated, self.etag, self.last_modified):
            return self
        return replace(self, validated=url, etag=etag, last_modified=last_modified)

    def address(self, url: str) -> str:
        """Where the feed at `url` is asked for."""
        return self.home or url

    def led_to(self, moved: str, now: float) -> FeedState:
        """After an answer that came from `moved`, all redirects on the way being for good; "" without such a way.

        A move is believed when it has repeated for a while: many are mistakes, or a hotel's sign-in page.
        """
        if not moved and self.moved == self.home and not self.moves:
            return self
        if moved != self.moved or not moved:
            return replace(self, moved=moved or self.home, moves=int(bool(moved)), moved_since=now if moved else 0.0)
        if self.moves + 1 < MOVES or now - self.moved_since < MOVED_FOR:
            return replace(self, moves=self.moves + 1)
        return replace(self, home=moved, moves=0, moved_since=0.0)

    def succeeded(self, now: float, pause: float) -> FeedState:
        return replace(
            self, polled=now, last_ok=now, next_poll=now + pause, failures=0, failing_since=0.0, last_error=""
        )

    def failed(self, reason: str, now: float, pause: float) -> FeedState:
        strayed = self.failures + 1 >= MOVES  # the new address is no better: back to the one that was given
        return replace(
            self,
            home="" if strayed else self.home,
            polled=now,
            next_poll=now + pause,
            failures=self.failures + 1,
            failing_since=self.failing_since or now,
            last_error=reason,
        )

    def wait(self, now: float) -> float:
        """Seconds until the next poll. A clock that was set back does not make it longer."""
        return 0.0 if now < self.polled else max(0.0, self.next_poll - now)


def pause(interval: float, *, hint: float, chance: float) -> float:
    """Seconds between two polls: the user's interval or the publisher's wish, and up to a tenth more.

    >>> pause(3600.0, hint=7200.0, chance=0.5)
    7560.0
    """
    return max(interval, min(hint, LONGEST_HINT)) * (1 + chance / 10)


def without_skipped(seconds: float, state: FeedState, now: float, chance: float) -> float:
    """The pause, longer where it would end in an hour or on a day that the publisher excepts."""
    later = allowed_from(now + seconds, state.skip_hours, state.skip_days)
    return seconds if later == now + seconds else later - now + chance * 10 * _MINUTE


def pause_after_failure(failures: int, interval: float, *, retry_after: float | None, chance: float) -> float:
    """Seconds to the next try after `failures` failures in a row: some minutes, growing to hours."""
    growing = SHORTEST_RETRY + backoff(failures + 7, chance)
    patient = max(growing, interval) if failures > _PATIENCE else growing
    return max(patient, min(retry_after or 0.0, LONGEST_RETRY_AFTER))


def wished_pause(headers: Mapping[str, str], now: float) -> float:
    """Seconds for which the answer calls itself fresh, 0 when it does not say."""
    if age := _MAX_AGE.search(headers.get("cache-control", "")):
        return float(age[1])
    return _until(headers.get("expires", ""), now)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds the answer asks to wait, whether it gave a number or a date."""
    wish = headers.get("retry-after", "").strip()
    if not wish:
        return None
    return float(wish) if re.fullmatch(r"\d{1,9}", wish) else _until(wish, now)


def _until(date: str, now: float) -> float:
    try:
        moment = parsedate_to_datetime(date)
        return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0


def describe(cursor: str | None, *, now: float) -> str:
    """The feed's condition in words, for `status` and `feeds list`."""
    state = FeedState.of(cursor)
    if not state.polled:
        return "not polled yet"
    if state.gone:
        return f"gone for good since {_day(state.polled)} (410): take it out of the rule file"
    return "; ".join(filter(None, (_condition(state), _next(state, now), state.remark, _move(state))))


def _condition(state: FeedState) -> str:
    last = f"last good on {_day(state.last_ok)}" if state.last_ok else "never good"
    if state.failures:
        return f"failed {state.failures} time{'s' * (state.failures > 1)} in a row: {state.last_error}; {last}"
    return f"good on {_day(state.last_ok)}"


def _next(state: FeedState, now: float) -> str:
    wait = state.wait(now)
    told = "its hub tells of news, " if state.told > now else ""
    return f"{told}next poll now" if wait < _MINUTE else f"{told}next poll in {_span(wait)}"


def _move(state: FeedState) -> str:
    return f"moved for good: write {state.moved} in the rule file" if state.moved else ""


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _span(seconds: float) -> str:
    return f"{seconds / _MINUTE:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.0f} h"


def trouble(name: str, state: FeedState) -> Trouble | None:
    """What is wrong with a feed, told when it has lasted for days: sites are down for hours now and then."""
    if state.gone:
        words = f"the feed {name} is gone for good (410)"
        return Trouble(f"feed {name}", words, "take it out of the rule file, or give its new address")
    if state.failures <= _PATIENCE:
        return None
    words = f"the feed {name} has been failing since {_since(state)}: {state.last_error}"
    return Trouble(f"feed {name}", words, "open its address in a browser; correct it in the rule file", FAILING)


def _since(state: FeedState) -> str:
    return _day(state.last_ok) if state.last_ok else "it was added"
