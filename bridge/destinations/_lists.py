"""The embedded list of everybody: each delivery goes to the list of its own account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bridge.delivery import Delivery, Outcome
from bridge.ports import Destination, Traits


@dataclass(slots=True)
class Lists:
    """One connection for all accounts. `connect` makes the one of an account, when its first delivery comes."""

    name: str
    traits: Traits
    connect: Callable[[str], Destination]
    _open: dict[str, Destination] = field(default_factory=dict)

    async def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        """When one account's call fails, the whole does: an add that is sent twice has the effect of one."""
        outcomes: dict[int, Outcome] = {}
        for account in dict.fromkeys(delivery.account for delivery in batch):
            theirs = [delivery for delivery in batch if delivery.account == account]
            answers = await self._of(account).send(theirs)
            outcomes |= {delivery.id: outcome for delivery, outcome in zip(theirs, answers, strict=True)}
        return [outcomes[delivery.id] for delivery in batch]

    async def close(self) -> None:
        for destination in self._open.values():
            await destination.close()

    def _of(self, account: str) -> Destination:
        if account not in self._open:
            self._open[account] = self.connect(account)
        return self._open[account]
