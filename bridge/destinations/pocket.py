"""Any Pocket-compatible server as a destination, the embedded list among them."""

from __future__ import annotations

import asyncio
import random
import shlex
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from pathlib import PurePath
from typing import Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from bridge import CONSUMER_KEY
from bridge.budget import scope
from bridge.delivery import Dead, Delivered, Delivery, Outcome, Retry
from bridge.destinations._listening import Listening
from bridge.errors import DestinationError, FetchError, Refused, Throttled, TooLarge, Unauthorized, Unavailable
from bridge.pocket import (
    AccessTokenError,
    Action,
    ActionError,
    ActionResult,
    Add,
    ConsumerKeyError,
    InvalidRequestError,
    MaintenanceError,
    PermissionDeniedError,
    Pocket,
    PocketError,
    RateLimitError,
    Retitle,
    SignInError,
    TagsAdd,
    TooLargeError,
    UnreachableError,
    retrying,
)
from bridge.ports import Destination, Traits

DEADLINE = 30.0
"""Seconds one call may take with all its tries: well below the lease."""

_TRIES = 3
_TRIES_WITHIN = 5.0
_PERMANENT_CODES = frozenset({130, 400, 404, 410, 413, 422, 5200})
_PERMANENT_WORDS = ("invalid", "unprocessable", "not found", "notfound", "bad request", "malformed")


class Options(BaseModel):
    """A reading list that speaks the Pocket API, version 3.

    `base_url`: its address, without `/v3`. `consumer_key` and `access_token`: of an application that has signed in
    there. `batch`: links in one call. `retitles`: the other side is bridge, whose list takes a title that is found
    later.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["pocket"] = "pocket"
    base_url: str
    consumer_key: SecretStr = Field(json_schema_extra={"bare": True})
    access_token: SecretStr
    batch: int = Field(default=30, ge=1, le=500)
    retitles: bool = False

    @field_validator("base_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://, like https://list.example.org")
        return value


def sign_in(name: str, written: Mapping[str, object]) -> str:
    """What a person does when the token of a connection is not taken any more; `written`: its options in the file."""
    key, token = written["consumer_key"], written["access_token"]
    with_key = "" if key == CONSUMER_KEY else f" --key {shlex.quote(key)}" if isinstance(key, str) else " --key KEY"
    command = f"pocket-bridge login pocket {shlex.quote(str(written['base_url']))} --name {name}{with_key}"
    file = token.get("file", "") if isinstance(token, Mapping) else ""
    kept = PurePath(str(file)).name == f"{name}.token"
    return f"{command}: {'then it goes on by itself' if kept else 'write what it prints into the rule file'}"


def connect(
    options: Options,
    *,
    name: str,
    transport: httpx.AsyncBaseTransport,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
    deadline: float = DEADLINE,
) -> Destination:
    """The transport is closed with the destination."""
    key, token = options.consumer_key.get_secret_value(), options.access_token.get_secret_value()
    listening = Listening(transport)
    pocket = Pocket(key, token, base_url=options.base_url, transport=listening)
    host = httpx.URL(options.base_url).host
    traits = Traits(
        batch=options.batch,
        add_is_idempotent=True,
        can_update_tags=True,
        can_update_title=options.retitles,
        scopes=(scope("user", host, key, token), scope("key", host, key)),
    )
    return _PocketDestination(pocket, listening, name, traits, sleep=sleep, chance=chance, deadline=deadline)


class _PocketDestination:
    def __init__(
        self,
        pocket: Pocket,
        listening: Listening,
        name: str,
        traits: Traits,
        *,
        sleep: Callable[[float], Awaitable[None]],
        chance: Callable[[], float],
        deadline: float,
    ) -> None:
        self.name = name
        self.traits = traits
        self._pocket = pocket
        self._listening = listening
        self._sleep = sleep
        self._chance = chance
        self._deadline = deadline

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        """One /v3/send for all; raises within its deadline when the call as a whole failed."""
        owed = [_actions(delivery) for delivery in batch]
        try:
            async with asyncio.timeout(self._deadline):
                results = await self._call(list(chain.from_iterable(owed)))
        except TimeoutError:
            late = f"{self.name} gave no answer within {self._deadline:.0f} seconds"
            raise Unavailable(late, sent=True) from None
        except FetchError as error:
            raise Unavailable(f"{self.name}: {error}", sent=error.sent) from error
        except PocketError as error:
            raise _failure(error) from error
        answers = iter(results)
        return [_outcome(one, list(islice(answers, len(actions)))) for one, actions in zip(batch, owed, strict=True)]

    def heard(self) -> Sequence[Mapping[str, str]]:
        return self._listening.taken()

    async def close(self) -> None:
        await self._pocket.aclose()

    async def _call(self, actions: Sequence[Action]) -> Iterable[ActionResult]:
        patience = retrying(
            on=(UnreachableError,), tries=_TRIES, within=_TRIES_WITHIN, sleep=self._sleep, chance=self._chance
        )
        return await patience(self._pocket.send, actions, batch=max(1, len(actions)))


def _actions(delivery: Delivery) -> list[Action]:
    """What is owed: the link, or the difference to what was sent."""
    if not delivery.added:
        time = int(delivery.at) or None
        return [Add(url=delivery.url, title=delivery.title, tags=delivery.tags, time=time)]
    item_id, url = delivery.remote_id, "" if delivery.remote_id else delivery.url
    retitle = [Retitle(item_id=item_id, url=url, title=delivery.new_title)] if delivery.new_title else []
    if delivery.new_tags or not retitle:
        return [TagsAdd(item_id=item_id, url=url, tags=delivery.new_tags), *retitle]
    return [*retitle]


def _outcome(delivery: Delivery, results: Sequence[ActionResult]) -> Outcome:
    result = results[0]
    if len(results) > 1:
        result = next((one for one in results if not one.ok), result)
    if result.ok:
        return Delivered("merged" if delivery.added else "created", result.item_id or delivery.remote_id)
    error = result.error or ActionError()
    reason = error.message or error.type or "the service did not say why"
    return Dead(reason) if _is_permanent(error) else Retry(reason)


def _is_permanent(error: ActionError) -> bool:
    if error.code:
        return error.code in _PERMANENT_CODES
    words = f"{error.type} {error.message}".lower()
    return any(sign in words for sign in _PERMANENT_WORDS)


def _failure(error: PocketError) -> DestinationError:
    match error:
        case AccessTokenError() | ConsumerKeyError() | SignInError():
            return Unauthorized(str(error))
        case PermissionDeniedError() if "key" in error.message.lower():
            return Unauthorized(str(error))
        case RateLimitError():
            return Throttled(str(error), retry_after=error.limits.wait)
        case MaintenanceError() if error.limits.wait is not None:
            return Throttled(str(error), retry_after=error.limits.wait)
        case TooLargeError():
            return TooLarge(str(error))
        case InvalidRequestError() | PermissionDeniedError():
            return Refused(str(error))
        case UnreachableError():
            return Unavailable(str(error), sent=error.sent)
        case _:
            return Unavailable(str(error), retry_after=error.limits.wait, sent=True)
