"""The twelve actions of /v3/send, one of bridge's own, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from bridge.pocket.items import Item, text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Action:
    """`time`: when the user did it, in seconds since the epoch; None means now."""

    action: ClassVar[str]
    time: int | None = None

    def wire(self) -> dict[str, str]:
        """The action as the API takes it: strings, tags joined by commas, nothing that was not said."""
        said = {"action": self.action}
        for name in _names(self):
            if value := getattr(self, name):
                said[name] = _word(value)
        return said


_NAMES: dict[str, tuple[str, ...]] = {}


def _names(action: _Action) -> tuple[str, ...]:
    """What an action of this kind may say; looked up once a kind."""
    if action.action not in _NAMES:
        _NAMES[action.action] = tuple(field.name for field in fields(action))
    return _NAMES[action.action]


def _word(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ",".join(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(_Action):
    """Puts a link on the list. On a known one: unread again, tags are added to those it has."""

    action: ClassVar[str] = "add"
    url: str = ""
    item_id: str | int = ""
    title: str = ""
    tags: Sequence[str] = ()
    ref_id: str = ""

    def wire(self) -> dict[str, str]:
        # As for any action, written out: of what is sent in bulk nearly all are adds.
        said = {"action": "add"}
        if self.time:
            said["time"] = str(self.time)
        if self.url:
            said["url"] = self.url
        if self.item_id:
            said["item_id"] = str(self.item_id)
        if self.title:
            said["title"] = self.title
        if self.tags:
            said["tags"] = _word(self.tags)
        if self.ref_id:
            said["ref_id"] = self.ref_id
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnItem(_Action):
    item_id: str | int = ""
    url: str = ""

    def __post_init__(self) -> None:
        if not self.item_id and not self.url:
            raise ValueError(f"{self.action} needs an item_id or a url")


class Archive(_OnItem):
    action = "archive"


class Readd(_OnItem):
    """Out of the archive, as if added now."""

    action = "readd"


class Favorite(_OnItem):
    action = "favorite"


class Unfavorite(_OnItem):
    action = "unfavorite"


class Delete(_OnItem):
    action = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retitle(_OnItem):
    """Changes an item's title. Bridge's own list knows it; Pocket's version 3 has no such action."""

    action: ClassVar[str] = "retitle"
    title: str


class TagsClear(_OnItem):
    action = "tags_clear"


@dataclass(frozen=True, slots=True, kw_only=True)
class _WithTags(_OnItem):
    tags: Sequence[str]

    def wire(self) -> dict[str, str]:
        # Replacing by nothing must say so.
        return super(_WithTags, self).wire() | {"tags": ",".join(self.tags)}


class TagsAdd(_WithTags):
    action = "tags_add"


class TagsRemove(_WithTags):
    action = "tags_remove"


class TagsReplace(_WithTags):
    action = "tags_replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRename(_Action):
    """On all items; merges into `new_tag` where that exists."""

    action: ClassVar[str] = "tag_rename"
    old_tag: str
    new_tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TagDelete(_Action):
    """On all items."""

    action: ClassVar[str] = "tag_delete"
    tag: str


Action = (
    Add
    | Archive
    | Readd
    | Favorite
    | Unfavorite
    | Delete
    | Retitle
    | TagsAdd
    | TagsRemove
    | TagsReplace
    | TagsClear
    | TagRename
    | TagDelete
)


@dataclass(frozen=True, slots=True)
class ActionError:
    """Why one action failed, as far as the server said. `code` 0 and empty texts: it did not."""

    message: str = ""
    type: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What became of one action. `shown`: what the server said of the item, for add and readd."""

    action: Action
    ok: bool
    shown: Mapping[str, Any] | None = None
    error: ActionError | None = None

    @property
    def item_id(self) -> str:
        """The item's id, "" where the server does not show it."""
        return text(self.shown.get("item_id")) if self.shown else ""

    @property
    def item(self) -> Item | None:
        """The item, where the server shows it. It is read anew each time: whoever only needs the id asks for that."""
        return Item.model_validate(self.shown) if self.item_id else None
