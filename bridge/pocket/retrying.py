"""When a call is worth repeating at once: short waits, as the server's own headers ask, within a few seconds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from bridge.pocket.errors import MaintenanceError, PocketError, RateLimitError, ServerError, UnreachableError

TRANSIENT: tuple[type[PocketError], ...] = (UnreachableError, ServerError, RateLimitError, MaintenanceError)

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 5.0


def retrying(
    *,
    on: tuple[type[PocketError], ...] = TRANSIENT,
    tries: int = 3,
    within: float = 10.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
) -> AsyncRetrying:
    """A tenacity policy: `await retrying()(pocket.add, url)`.

    Waits as long as the server says, else full jitter. Gives up with the last error, before a wait that would end
    more than `within` seconds after the first try. Every action of the API may be repeated: a second add is no double.
    """

    def wait(state: RetryCallState) -> float:
        named = _named_wait(state)
        longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (state.attempt_number - 1))
        return chance() * longest if named is None else named

    def stop(state: RetryCallState) -> bool:
        passed = max(state.seconds_since_start or 0.0, state.idle_for)
        return state.attempt_number >= tries or passed + state.upcoming_sleep > within

    return AsyncRetrying(sleep=sleep, wait=wait, stop=stop, retry=retry_if_exception_type(on), reraise=True)


def _named_wait(state: RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return error.limits.wait if isinstance(error, PocketError) else None
