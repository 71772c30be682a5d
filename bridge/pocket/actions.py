"""The twelve actions of /v3/send, one of bridge's own, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from bridge.pocket.items import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class _Action:
    """`time`: when the user did it, in seconds since the epoch; None means now."""

    action: ClassVar[str]
    time: int | None = None

    def wire(self) -> dict[str, Any]:
        """The action as the API takes it: strings, tags joined by commas, nothing that was not said."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"action": self.action} | {name: _word(value) for name, value in said.items() if value}


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

    def wire(self) -> dict[str, Any]:
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
    """What became of one action. `item`: for add and readd, where the server shows it."""

    action: Action
    ok: bool
    item: Item | None = None
    error: ActionError | None = None
