"""Who may write to the bot: ids of people and chats, never user names; and where their groups have gone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from bridge.errors import InvalidArrival
from bridge.settings import EVERYBODY
from bridge.sources.telegram.update import Json, chat_of, message_in

_MOST_NAMED = 1000
_MOVES = frozenset({"migrate_to_chat_id", "migrate_from_chat_id"})

log = logging.getLogger(__name__)


class Guests:
    """An allow-list that follows its groups. `strangers` counts the updates of everybody else."""

    def __init__(self, allow: frozenset[int]) -> None:
        self.strangers = 0
        self.moved: dict[int, int] = {}
        self._allow = allow
        self._named: set[int] = set()

    def __len__(self) -> int:
        return len(self._allow)

    def may_write(self, who: Sequence[int]) -> bool:
        """Whether one of the ids is on the list. Each stranger is named once, with what would let them in."""
        if EVERYBODY in self._allow or not self._allow.isdisjoint(who):
            return True
        self.strangers += 1
        if who and who[0] not in self._named and len(self._named) < _MOST_NAMED:
            self._named.add(who[0])
            log.info(
                "Telegram: ignored a message; to let its sender save links, add %d to BRIDGE_TELEGRAM_ALLOW",
                who[0],
            )
        return False

    def follow(self, moved: Mapping[int, int]) -> None:
        """Groups of the list that became supergroups are on it under their new ids. Others are not remembered."""
        for old, new in moved.items():
            if old in self._allow and self.moved.get(old) != new:
                self.moved[old] = new
                self._allow |= {new}
                log.warning(
                    "Telegram: group %d is %d now and may go on; put the new id into BRIDGE_TELEGRAM_ALLOW", old, new
                )


def moves(updates: Iterable[Json]) -> dict[int, int]:
    """Groups that became supergroups, as updates tell it: old id -> new id."""
    found: dict[int, int] = {}
    for update in updates:
        said = update.get("message")
        if not isinstance(said, dict) or not _MOVES & said.keys():
            continue  # as nearly always
        try:
            message = message_in(update) or {}
        except InvalidArrival:
            continue
        match message:
            case {"migrate_to_chat_id": int(new)}:
                found[chat_of(message)] = new
            case {"migrate_from_chat_id": int(old)}:
                found[old] = chat_of(message)
    return found
