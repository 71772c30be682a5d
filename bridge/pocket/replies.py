"""What the endpoints answer, read from JSON or from a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.pocket.actions import Action, ActionError, ActionResult
from bridge.pocket.errors import ServerError, UnexpectedReplyError
from bridge.pocket.items import Item, many, tag_names, text, whole
from bridge.pocket.limits import Limits


@dataclass(frozen=True, slots=True)
class RequestToken:
    """The first half of a sign-in: the user approves `code` at the authorize address."""

    code: str = field(repr=False)
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """A finished sign-in. `account`: the server's facts about the user, where they were asked for."""

    access_token: str = field(repr=False)
    username: str = ""
    state: str | None = None
    account: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ItemPage:
    """One answer of `get`. `since` is what to ask for next time; `total` is None when it was not asked for.

    `tags` are all tags of the list (with the flag `taglist`); `search_meta` and `account` are as the server sent them.
    """

    items: tuple[Item, ...]
    since: int
    complete: bool
    total: int | None
    tags: tuple[str, ...]
    search_meta: Mapping[str, Any]
    account: Mapping[str, Any] | None
    limits: Limits


@dataclass(frozen=True, slots=True)
class Stats:
    unread: int
    archived: int
    total: int


def request_token(body: Mapping[str, Any]) -> RequestToken:
    return RequestToken(_needed(body, "code"), _state(body))


def access(body: Mapping[str, Any]) -> Access:
    account = body.get("account")
    return Access(
        access_token=_needed(body, "access_token"),
        username=text(body.get("username")),
        state=_state(body),
        account=account if isinstance(account, Mapping) else None,
    )


def added(body: Mapping[str, Any]) -> Item:
    item = _item(body.get("item"))
    if item is None:
        raise UnexpectedReplyError("the answer to an add shows no item")
    return item


def item_page(body: Mapping[str, Any], limits: Limits) -> ItemPage:
    if "list" not in body:
        raise _failure_of(body)
    account, meta = body.get("account"), body.get("search_meta")
    return ItemPage(
        items=_in_order(body["list"]),
        since=whole(body.get("since")),
        complete=whole(body.get("complete", 1)) == 1,
        total=whole(body["total"]) if body.get("total") is not None else None,
        tags=tuple(tag_names(body.get("tags"))),
        search_meta=meta if isinstance(meta, Mapping) else {},
        account=account if isinstance(account, Mapping) else None,
        limits=limits,
    )


def stats(body: Mapping[str, Any]) -> Stats:
    if "count_list" not in body:
        raise _failure_of(body)
    return Stats(whole(body.get("count_unread")), whole(body.get("count_read")), whole(body["count_list"]))


def action_results(actions: Sequence[Action], body: Mapping[str, Any]) -> tuple[ActionResult, ...]:
    """One result per action, in order. Raises UnexpectedReplyError when their number is not that of the actions."""
    results = many(body.get("action_results"))
    errors = many(body.get("action_errors"))
    if len(results) != len(actions):
        raise UnexpectedReplyError(f"{len(actions)} actions were sent and {len(results)} results came back")
    errors += [None] * (len(results) - len(errors))
    return tuple(map(_result, actions, results, errors))


def _result(action: Action, result: Any, error: Any) -> ActionResult:
    shown = _shown(result)
    if shown is not None or result in (True, "1", "true"):
        return ActionResult(action, ok=True, shown=shown)
    return ActionResult(action, ok=False, error=_action_error(error))


def _action_error(error: Any) -> ActionError:
    if isinstance(error, Mapping):
        return ActionError(text(error.get("message")), text(error.get("type")), whole(error.get("code")))
    return ActionError(text(error))


def _item(value: Any) -> Item | None:
    shown = _shown(value)
    return Item.model_validate(shown) if shown and text(shown.get("item_id")) else None


def _shown(value: Any) -> Mapping[str, Any] | None:
    if not isinstance(value, dict):
        return None
    # For a while a server put the item of a result one level deeper.
    inner = value.get("item")
    return inner if isinstance(inner, dict) else value


def _in_order(listed: Any) -> tuple[Item, ...]:
    if isinstance(listed, Mapping):
        listed = [_with_id(entry, key) for key, entry in listed.items()]
    items = [_item(entry) for entry in many(listed)]
    known = [item for item in items if item is not None]
    if len(known) != len(items):
        raise UnexpectedReplyError(f"{len(items) - len(known)} of {len(items)} items are no items")
    return tuple(sorted(known, key=lambda item: item.sort_id or 0))


def _with_id(entry: Any, key: Any) -> Any:
    return {"item_id": key} | entry if isinstance(entry, dict) else entry


def _failure_of(body: Mapping[str, Any]) -> ServerError | UnexpectedReplyError:
    if error := text(body.get("error")):
        return ServerError(error[:200], status=200)
    return UnexpectedReplyError("the answer lacks what was asked for")


def _needed(body: Mapping[str, Any], name: str) -> str:
    value = text(body.get(name))
    if not value:
        raise UnexpectedReplyError(f"the answer holds no {name.replace('_', ' ')}")
    return value


def _state(body: Mapping[str, Any]) -> str | None:
    state = body.get("state")
    return state if isinstance(state, str) else None
