"""A destination whose service makes a second note of what it is told twice: `type: tests.reliability.notebook`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict

from bridge.delivery import Delivered, Delivery, Outcome
from bridge.errors import FetchError, Unavailable
from bridge.ports import Destination, Found, Traits

_DEADLINE = 10.0


class Options(BaseModel):
    """`finds`: the service can be asked what it has. `says_idempotent`: the lie of the control."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    base_url: str
    batch: int = 10
    finds: bool = False
    says_idempotent: bool = False


def connect(options: Options, *, name: str, transport: httpx.AsyncBaseTransport) -> Destination:
    client = httpx.AsyncClient(base_url=options.base_url, transport=transport, timeout=_DEADLINE)
    traits = Traits(batch=options.batch, add_is_idempotent=options.says_idempotent)
    return (Drawer if options.finds else Notebook)(name, traits, client)


class Notebook:
    """Every add is a new note."""

    def __init__(self, name: str, traits: Traits, client: httpx.AsyncClient) -> None:
        self.name = name
        self.traits = traits
        self._client = client

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        answer = await self._ask("POST", "/notes", {"urls": [delivery.url for delivery in batch]})
        return [Delivered("created", str(number)) for number in answer["ids"]]

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = await self._client.request(method, path, content=json.dumps(body))
            found: dict[str, Any] = answer.raise_for_status().json()
        except FetchError as error:
            raise Unavailable(str(error), sent=error.sent) from error
        except httpx.ConnectError as error:
            raise Unavailable(f"not reached: {error}") from error
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"no answer: {error}", sent=True) from error
        return found


class Drawer(Notebook):
    """A notebook that can be asked."""

    async def find(self, urls: Sequence[str]) -> Mapping[str, Found]:
        answer = await self._ask("POST", "/find", {"urls": list(urls)})
        return {url: Found(str(number)) for url, number in answer["found"].items()}
