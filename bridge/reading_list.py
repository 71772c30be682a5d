"""The embedded reading list: an item, the actions the Pocket API knows, and what each does to an item. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

Status = Literal[0, 1, 2]
UNREAD: Status = 0
ARCHIVED: Status = 1
DELETED: Status = 2

LONGEST_TAG = 25
"""Pocket's own limit, in code points."""

UNTAGGED = "_untagged_"
"""Reserved: asks for items without tags."""

TAG_ACTIONS = frozenset({"tags_add", "tags_remove", "tags_replace", "tags_clear"})
GLOBAL_ACTIONS = frozenset({"tag_rename", "tag_delete"})
ITEM_ACTIONS = (
    frozenset("add archive readd favorite unfavorite delete retitle undo_archive undo_delete".split()) | TAG_ACTIONS
)
ON_DELETED = frozenset({"add", "readd", "delete", "undo_delete"})
"""Actions that a deleted item takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One link on one account's list. Times are seconds since the epoch, 0 = never."""

    id: int
    url: str
    title: str = ""
    tags: tuple[str, ...] = ()
    status: Status = UNREAD
    favorite: bool = False
    time_added: int = 0
    time_updated: int = 0
    time_read: int = 0
    time_favorited: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action of /v3/send, or `retitle` of version 2, already read from the wire. Addressed by `item_id`, or by
    `url` when there is none such.

    `old_tag` is the tag of tag_rename and of tag_delete. `time`: when its user did it, 0 = now.
    """

    name: str
    item_id: int = 0
    url: str = ""
    title: str = ""
    tags: tuple[str, ...] = ()
    old_tag: str = ""
    new_tag: str = ""
    time: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What one action came to. `error` is empty when it was done; `item` is set for add and readd.

    `created`: the add made an item that was not on the list (or was deleted) before.
    """

    item: Item | None = None
    error: str = ""
    created: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What /v3/get asks for. `count` None: everything. `tag` UNTAGGED: items without tags.

    `since`: changed at or after this time, deleted stubs included; `updated_before`: not since then. `search`: in
    title or address. Not `total`: spares the counting. `taglist`: all tags of the account, too.
    """

    status: Status | None = None
    favorite: bool | None = None
    tag: str = ""
    search: str = ""
    domain: str = ""
    since: int = 0
    updated_before: int = 0
    sort: Literal["newest", "oldest", "title", "site", "updated"] = "newest"
    count: int | None = None
    offset: int = 0
    total: bool = True
    taglist: bool = False
    after: tuple[Any, ...] = ()
    """The `end` of the page before this one, instead of an offset: what changes meanwhile shifts nothing."""


@dataclass(frozen=True, slots=True)
class Page:
    """Items in the asked order, and how many match without count and offset (0 when that was not asked).

    `end` is where it ends, for the query of the next one.
    """

    items: tuple[Item, ...]
    total: int
    taglist: tuple[str, ...] = ()
    end: tuple[Any, ...] = ()


def apply(item: Item, action: Action, now: int) -> Item:
    """The item after an action on it. `now` is used where the action names no time."""
    # Changed by our own clock: an app that was offline must not hide its change from others that ask `since`.
    return replace(item, time_updated=max(now, item.time_updated), **_changes(item, action, action.time or now))


def _changes(item: Item, action: Action, time: int) -> dict[str, Any]:
    if action.name in TAG_ACTIONS:
        return {"tags": _tags(item, action)}
    match action.name:
        case "add":
            tags = pocket_tags((*item.tags, *action.tags))
            title = action.title or item.title
            return {"status": UNREAD, "time_added": time, "time_read": 0, "title": title, "tags": tags}
        case "readd":
            return {"status": UNREAD, "time_added": time, "time_read": 0}
        case "archive":
            return {"status": ARCHIVED, "time_read": time}
        case "favorite":
            return {"favorite": True, "time_favorited": time}
        case "unfavorite":
            return {"favorite": False, "time_favorited": 0}
        case "delete":
            # Added again, it begins anew.
            return {"status": DELETED, "tags": (), "favorite": False, "time_favorited": 0}
        case "retitle":
            return {"title": action.title or item.title}
        case "undo_archive":
            return {"status": UNREAD, "time_read": 0}
        case "undo_delete":
            return {"status": ARCHIVED if item.time_read else UNREAD}
        case _:
            raise ValueError(action.name)


def _tags(item: Item, action: Action) -> tuple[str, ...]:
    match action.name:
        case "tags_add":
            return pocket_tags((*item.tags, *action.tags))
        case "tags_remove":
            gone = set(pocket_tags(action.tags))
            return tuple(tag for tag in item.tags if tag not in gone)
        case "tags_replace":
            return pocket_tags(action.tags)
        case _:
            return ()


def pocket_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """As Pocket keeps them: trimmed, lower-case, at most 25 characters, each once, sorted.

    >>> pocket_tags(["B", " a ", "b", ""])
    ('a', 'b')
    """
    tidied = {tag.strip().lower()[:LONGEST_TAG].strip() for tag in tags}
    return tuple(sorted(tidied - {"", UNTAGGED}))
