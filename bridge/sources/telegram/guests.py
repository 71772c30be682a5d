"""Who may write to the bot: ids of people and chats, never user names; whose list is meant; where groups have gone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from bridge.errors import InvalidArrival
from bridge.ports import OWNER
from bridge.settings import EVERYBODY
from bridge.sources.telegram.update import chat_of, message_in, understood

_MOST_NAMED = 1000
_MOVES = frozenset({"migrate_to_chat_id", "migrate_from_chat_id"})

log = logging.getLogger(__name__)


class Guests:
    """An allow-list that follows its groups: id -> account, "" for the owner's.

    `strangers` counts the updates of everybody else.
    """

    def __init__(self, allow: Mapping[int, str]) -> None:
        self.strangers = 0
        self.moved: dict[int, int] = {}
        self._allow = {number: account or OWNER for number, account in allow.items()}
        self._written = frozenset(self._allow)
        self._named: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._allow)

    def words(self) -> list[str]:
        """Who is listened to, whose lists those are, and what should be written into the setting, a line each."""
        accounts = sorted(set(self._allow.values()) - {OWNER})
        whose = f", for the lists of {', '.join([OWNER, *accounts])}" if accounts else ""
        who = "everybody" if EVERYBODY in self._allow else f"{len(self._written)} ids"
        moved = [f"group {old} is {new} now" for old, new in self.moved.items() if new not in self._written]
        return [f"listens to {who}{whose}", *moved]

    def account(self, who: Sequence[int]) -> str | None:
        """Whose list is meant: the first of the ids that is on the list says it. None: nobody may write.

        Each stranger is named once, with what would let them in.
        """
        for number in (*who, EVERYBODY):
            if number in self._allow:
                return self._allow[number]
        self.strangers += 1
        if who and who[0] not in self._named and len(self._named) < _MOST_NAMED:
            self._named.add(who[0])
            log.info(
                "Telegram: ignored a message; to let its sender save links, add %d to BRIDGE_TELEGRAM_ALLOW",
                who[0],
            )
        return None

    def follow(self, moved: Mapping[int, int]) -> None:
        """Groups of the list that became supergroups are on it under their new ids. Others are not remembered."""
        for old, new in moved.items():
            if old in self._allow and self.moved.get(old) != new:
                self.moved[old] = new
                if new not in self._written:
                    self._allow[new] = self._allow[old]
                    words = "Telegram: group %d is %d now and may go on; put the new id into BRIDGE_TELEGRAM_ALLOW"
                    log.warning(words, old, new)


def moves(elements: Iterable[object]) -> dict[int, int]:
    """Groups that became supergroups, as updates tell it: old id -> new id."""
    found: dict[int, int] = {}
    for element in elements:
        said = element.get("message") if isinstance(element, dict) else None
        if not isinstance(said, dict) or _MOVES.isdisjoint(said):
            continue  # as nearly always
        try:
            message = message_in(understood(element)) or {}
        except InvalidArrival:
            continue
        match message:
            case {"migrate_to_chat_id": int(new)}:
                found[chat_of(message)] = new
            case {"migrate_from_chat_id": int(old)}:
                found[old] = chat_of(message)
    return found
