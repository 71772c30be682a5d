"""What the headers of any answer say about limits, waiting and errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 24 * 3600.0
"""No server may park a client for longer than a day."""

_EPOCH_FROM = 1e9  # a "reset" beyond it is a time of day, not a number of seconds to go
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


@dataclass(frozen=True, slots=True)
class Quota:
    """Calls one scope allows in an hour, how many are left, and in how many seconds all are back. None: not said."""

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None

    @property
    def exhausted(self) -> bool:
        return self.remaining == 0


@dataclass(frozen=True, slots=True)
class Limits:
    """The headers of one answer, successful or not. `status` is the `Status` header, as PHP servers send it."""

    user: Quota = Quota()
    key: Quota = Quota()
    retry_after: float | None = None
    error: str = ""
    code: int = 0
    status: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str], *, now: float) -> Limits:
        """Never raises: what is malformed counts as not said. Dates are compared with the server's own `Date`.

        >>> Limits.of({"X-Limit-User-Remaining": "0", "X-Limit-User-Reset": "90"}, now=0.0).wait
        90.0
        >>> date = {"Date": "Thu, 01 Jan 2026 00:00:00 GMT", "Retry-After": "Thu, 01 Jan 2026 00:02:00 GMT"}
        >>> Limits.of(date, now=0.0).retry_after
        120.0
        """
        said = {name.lower(): value.strip() for name, value in headers.items()}
        server_now = date_of(said.get("date", "")) or now
        return cls(
            user=_quota(said, "user", server_now),
            key=_quota(said, "key", server_now),
            retry_after=_retry_after(said.get("retry-after", ""), server_now),
            error=_unescaped(said.get("x-error", "")),
            code=whole(said.get("x-error-code", "")) or 0,
            status=said.get("status", ""),
        )

    @property
    def exhausted(self) -> bool:
        """No call is left for the user or for the consumer key."""
        return self.user.exhausted or self.key.exhausted

    @property
    def wait(self) -> float | None:
        """Seconds until a call may pass: `Retry-After`, else the longest reset of what is exhausted."""
        if self.retry_after is not None:
            return self.retry_after
        return max(
            (scope.reset for scope in (self.user, self.key) if scope.exhausted and scope.reset is not None),
            default=None,
        )


def _quota(said: Mapping[str, str], scope: str, server_now: float) -> Quota:
    def number(name: str) -> int | None:
        said_so = whole(said.get(f"x-limit-{scope}-{name}", ""))
        return None if said_so is None else max(0, said_so)

    reset = number("reset")
    return Quota(number("limit"), number("remaining"), None if reset is None else to_go(reset, server_now))


def _retry_after(value: str, server_now: float) -> float | None:
    seconds = whole(value)
    if seconds is not None:
        return bounded(seconds)
    date = date_of(value)
    return None if date is None else bounded(date - server_now)


def to_go(reset: float, server_now: float) -> float:
    """Seconds until a reset that is said as a time of day, or as seconds to go."""
    return bounded(reset - server_now if reset > _EPOCH_FROM else reset)


def bounded(seconds: float) -> float:
    """A wait that no server can make negative or longer than a day."""
    return min(max(0.0, float(seconds)), LONGEST_WAIT)


def whole(value: str) -> int | None:
    """A whole number, None for anything else."""
    return int(value) if _WHOLE.fullmatch(value) else None


def date_of(value: str) -> float | None:
    """An HTTP date as seconds since the epoch, None for anything else."""
    try:
        date = parsedate_to_datetime(value)
        return _in_utc(date).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _in_utc(date: datetime) -> datetime:
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
