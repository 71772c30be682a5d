"""A service that makes a second copy of whatever is added twice, and whose answers may be lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr

from bridge.delivery import Dead, Delivered, Delivery, Outcome
from bridge.errors import Unauthorized, Unavailable
from bridge.ports import Found, Traits


@dataclass
class Item:
    """What the service has; a person may change it there."""

    id: str
    url: str
    title: str
    tags: list[str]


@dataclass
class Copies:
    """The service itself. `lose`: so many answers more are lost after the call was applied. `token`: whose calls are
    taken. `away`: nobody can be reached."""

    items: list[Item] = field(default_factory=list)
    lose: int = 0
    lost: int = 0
    calls: int = 0
    token: str = field(default="", repr=False)
    away: bool = False

    def admit(self, token: str) -> None:
        if self.away:
            raise Unavailable("connection refused")
        if token != self.token:
            raise Unauthorized("401: the token is not known")

    def add(self, delivery: Delivery) -> Item:
        item = Item(str(len(self.items) + 1), delivery.url, delivery.title, list(delivery.tags))
        self.items.append(item)
        return item

    def answer(self) -> None:
        self.calls += 1
        if self.lose:
            self.lose, self.lost = self.lose - 1, self.lost + 1
            raise Unavailable("no answer within 30 seconds", sent=True)


class Copying:
    """A destination at that service, without a way to look up."""

    def __init__(self, name: str, service: Copies, *, batch: int = 1, token: str = "") -> None:
        self.name = name
        self.traits = Traits(batch=batch, add_is_idempotent=False, can_update_tags=True)
        self.service = service
        self._token = SecretStr(token)

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        self.service.admit(self._token.get_secret_value())
        outcomes: list[Outcome] = []
        for delivery in batch:
            if not delivery.url.startswith(("http://", "https://")):
                outcomes.append(Dead("422: not an address of the web"))
            elif delivery.added:
                [item] = [item for item in self.service.items if item.id == delivery.remote_id]
                item.tags += [tag for tag in delivery.new_tags if tag not in item.tags]
                outcomes.append(Delivered("merged", item.id))
            else:
                outcomes.append(Delivered("created", self.service.add(delivery).id))
        self.service.answer()
        return outcomes

    async def close(self) -> None: ...


class Finding(Copying):
    """The same, and it can be asked what is there. `down`: looking up fails so many times."""

    down: int = 0
    asked: int = 0

    async def find(self, urls: Sequence[str]) -> Mapping[str, Found]:
        self.asked += 1
        self.service.admit(self._token.get_secret_value())
        if self.down:
            self.down -= 1
            raise Unavailable("502", sent=True)
        items = {item.url: item for item in self.service.items}
        return {url: Found(items[url].id, tuple(items[url].tags)) for url in urls if url in items}
