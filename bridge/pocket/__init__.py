"""The Pocket API as a library of its own: a client for any server that speaks version 3, and one for version 2.

    async with Pocket(consumer_key, access_token, base_url="https://list.example.org") as pocket:
        await pocket.add("https://example.com/", tags=["reading"])
        await pocket.send([Archive(item_id="12"), TagsAdd(url="https://example.com/", tags=["later"])])
        async for item in pocket.items(state="unread"):
            print(item.url, item.tags)

Needs httpx, pydantic and tenacity, and nothing else of this project.
"""

from __future__ import annotations

from bridge.pocket.actions import (
    Action,
    ActionError,
    ActionResult,
    Add,
    Archive,
    Delete,
    Favorite,
    Readd,
    Retitle,
    TagDelete,
    TagRename,
    TagsAdd,
    TagsClear,
    TagsRemove,
    TagsReplace,
    Unfavorite,
)
from bridge.pocket.client import Items, Pocket, Query
from bridge.pocket.errors import (
    AccessTokenError,
    CodeError,
    CodeUsedError,
    ConsumerKeyError,
    InvalidRequestError,
    MaintenanceError,
    NotApprovedError,
    NotPocketError,
    PermissionDeniedError,
    PocketError,
    RateLimitError,
    RedirectError,
    ServerError,
    SignInError,
    TooLargeError,
    UnexpectedReplyError,
    UnreachableError,
    UsernameTakenError,
)
from bridge.pocket.items import Annotation, Author, Domain, Image, Item, Video
from bridge.pocket.limits import Limits, Quota
from bridge.pocket.replies import Access, ItemPage, RequestToken, Stats
from bridge.pocket.retrying import retrying
from bridge.pocket.v2 import Link, LinkPage, NewLink, ReadItLater, UserStats

__all__ = [
    "Access",
    "AccessTokenError",
    "Action",
    "ActionError",
    "ActionResult",
    "Add",
    "Annotation",
    "Archive",
    "Author",
    "CodeError",
    "CodeUsedError",
    "ConsumerKeyError",
    "Delete",
    "Domain",
    "Favorite",
    "Image",
    "InvalidRequestError",
    "Item",
    "ItemPage",
    "Items",
    "Limits",
    "Link",
    "LinkPage",
    "MaintenanceError",
    "NewLink",
    "NotApprovedError",
    "NotPocketError",
    "PermissionDeniedError",
    "Pocket",
    "PocketError",
    "Query",
    "Quota",
    "RateLimitError",
    "ReadItLater",
    "Readd",
    "RedirectError",
    "RequestToken",
    "Retitle",
    "ServerError",
    "SignInError",
    "Stats",
    "TagDelete",
    "TagRename",
    "TagsAdd",
    "TagsClear",
    "TagsRemove",
    "TagsReplace",
    "TooLargeError",
    "UnexpectedReplyError",
    "Unfavorite",
    "UnreachableError",
    "UserStats",
    "UsernameTakenError",
    "Video",
    "retrying",
]
