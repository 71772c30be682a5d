"""The embedded list's face: a Pocket server, versions 2 and 3, for the apps and scripts that Pocket left behind."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.accounts import Accounts
from bridge.link import Sighting
from bridge.ports import Arrival, Reading, ReadingList
from bridge.sources.pocket_api import signin, v2
from bridge.sources.pocket_api.entrance import Apps, Entrance, Identity
from bridge.sources.pocket_api.face import RETRY_SECONDS, Endpoint, Exchange
from bridge.sources.pocket_api.quota import KEY_CALLS, USER_CALLS, Quota
from bridge.sources.pocket_api.shelf import SOURCE, UNIT, Shelf
from bridge.sources.pocket_api.v3 import Version3

__all__ = ["RETRY_SECONDS", "UNIT", "Apps", "Identity", "PocketApi", "read"]

SETTLED = ("reading",)
"""The connection of the embedded list: what an app adds is there before it is an arrival."""


def read(group: Sequence[Arrival]) -> Reading:
    """What apps added. Pure; the list itself already has it."""
    return Reading(sightings=[_sighting(json.loads(arrival.raw)) for arrival in group])


def _sighting(raw: Mapping[str, Any]) -> Sighting:
    return Sighting.of(
        raw["url"],
        source=SOURCE,
        title=raw["title"],
        tags=raw["tags"],
        at=float(raw["time"]),
        settled=SETTLED,
    )


class PocketApi:
    """Implements ports.Source. Answers everything below its paths, and never with a failure of its own making.

    `owner` is the owner's token; `inner` the secret of bridge's own client, which may act for anybody by the token
    `inner/name`. `apps`: whether unknown consumer keys are taken. `secure`: it is served over TLS.
    """

    name = SOURCE

    def __init__(
        self,
        reading_list: ReadingList,
        accounts: Accounts,
        *,
        owner: str,
        inner: str,
        clock: Callable[[], float],
        apps: Apps = "open",
        auto_approve: bool = False,
        signup: bool = False,
        secure: bool = False,
        user_calls: int = USER_CALLS,
        key_calls: int = KEY_CALLS,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        entrance = Entrance(accounts, owner=owner, inner=inner, apps=apps, clock=clock)
        self._quota = Quota(user=user_calls, key=key_calls, clock=clock)
        self._sign_in = signin.SignInDesk(accounts, entrance, auto_approve=auto_approve, secure=secure, clock=clock)
        shelf = Shelf(reading_list, clock=clock, new_id=new_id)
        self._v3 = Version3(shelf, entrance, self._quota)
        self._v2 = v2.Version2(shelf, accounts, entrance, self._quota, signup=signup, clock=clock)
        self.routes: Sequence[BaseRoute] = [
            Route("/auth/authorize", self._page()),
            *(
                Route(f"{root}/{{endpoint:path}}", Endpoint(self._version_3, self._quota))
                for root in ("/v3", "/v3beta", "/api/kobo")
            ),
            Route("/v2/{endpoint:path}", Endpoint(self._v2.answer, self._quota, failure=v2.failure)),
        ]

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def _version_3(self, exchange: Exchange) -> Response:
        match exchange.endpoint:
            case "oauth/request":
                return await self._sign_in.request(exchange)
            case "oauth/authorize":
                return await self._sign_in.authorize(exchange)
            case _:
                return await self._v3.answer(exchange)

    def _page(self) -> Endpoint:
        # No other site may read the page: its form holds a proof.
        return Endpoint(self._sign_in.visit, self._quota, failure=signin.refused, foreign=False)
