"""Items as a server shows them: typed, whatever spelling the server chose for numbers, maps and nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

_NUMBER = re.compile(r"\s*(-?\d{1,18})(\.\d*)?\s*")


def text(value: Any) -> str:
    """
    >>> text(12), text(None), text([]), text("a")
    ('12', '', '', 'a')
    """
    match value:
        case str():
            return value
        case bool():
            return "1" if value else "0"
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return str(int(value))
        case _:
            return ""


def whole(value: Any) -> int:
    """
    >>> whole("12"), whole("12.9"), whole(""), whole(None), whole(True)
    (12, 12, 0, 0, 1)
    """
    match value:
        case bool() | int():
            return int(value)
        case float() if math.isfinite(value):
            return int(value)
        case str() if number := _NUMBER.fullmatch(value):
            return int(number[1])
        case _:
            return 0


def flag(value: Any) -> bool:
    return value in ("1", "true", "True") if isinstance(value, str) else bool(value)


def many(value: Any) -> list[Any]:
    """PHP's empty map is `[]`, and a map may stand where a list is meant."""
    match value:
        case Mapping():
            return list(value.values())
        case list() | tuple():
            return list(value)
        case _:
            return []


def _maps(value: Any) -> list[Any]:
    return [entry for entry in many(value) if isinstance(entry, Mapping)]


def _map_or_none(value: Any) -> Any:
    return value if isinstance(value, Mapping) and value else None


def tag_names(value: Any) -> list[str]:
    """
    >>> tag_names({"a": {"item_id": "1", "tag": "a"}}), tag_names("a,b"), tag_names([{"tag": "a"}, "b"])
    (['a'], ['a', 'b'], ['a', 'b'])
    """
    if isinstance(value, Mapping):
        return [str(name) for name in value]
    entries = value.split(",") if isinstance(value, str) else many(value)
    named = (entry.get("tag") if isinstance(entry, Mapping) else entry for entry in entries)
    return [name for name in (text(name).strip() for name in named) if name]


Text = Annotated[str, BeforeValidator(text)]
Whole = Annotated[int, BeforeValidator(whole)]
Flag = Annotated[bool, BeforeValidator(flag)]
Tags = Annotated[tuple[str, ...], BeforeValidator(tag_names)]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Author(_Shape):
    author_id: Text = ""
    name: Text = ""
    url: Text = ""


class Image(_Shape):
    image_id: Text = ""
    src: Text = ""
    width: Whole = 0
    height: Whole = 0
    credit: Text = ""
    caption: Text = ""


class Video(_Shape):
    """`type`: 1 YouTube, 2 to 4 Vimeo, 5 HTML5, 6 Flash, 7 iframe, 8 Brightcove."""

    video_id: Text = ""
    src: Text = ""
    width: Whole = 0
    height: Whole = 0
    type: Whole = 0
    vid: Text = ""
    length: Whole = 0


class Domain(_Shape):
    name: Text = ""
    logo: Text = ""
    greyscale_logo: Text = ""


class Annotation(_Shape):
    annotation_id: Text = ""
    quote: Text = ""
    patch: Text = ""
    version: Text = ""
    created_at: Text = ""


class Item(_Shape):
    """One item, from `get`, `add` or a result of `send`; what the server left out has its empty value.

    Times are seconds since the epoch, 0 = never. `status`: 0 unread, 1 archived, 2 deleted (then only `item_id` is
    set besides). `title`: the best of those the server has. `resolved_id` is "0" while the server has not read the
    page. `has_image`, `has_video`: 0 no, 1 inside, 2 the item itself is one.
    """

    item_id: Text
    status: Whole = 0
    favorite: Flag = False
    given_url: Text = ""
    given_title: Text = ""
    time_added: Whole = 0
    time_updated: Whole = 0
    time_read: Whole = 0
    time_favorited: Whole = 0
    sort_id: Whole | None = None
    tags: Tags = ()

    resolved_id: Text = ""
    extended_item_id: Text = ""
    resolved_url: Text = ""
    normal_url: Text = ""
    resolved_normal_url: Text = ""
    resolved_title: Text = ""
    title: Text = ""
    excerpt: Text = ""
    lang: Text = ""
    mime_type: Text = ""
    encoding: Text = ""
    domain_id: Text = ""
    origin_domain_id: Text = ""
    response_code: Whole = 0
    content_length: Whole = 0
    word_count: Whole = 0
    time_to_read: Whole = 0
    listen_duration_estimate: Whole = 0
    date_resolved: Text = ""
    date_published: Text = ""
    time_first_parsed: Whole = 0
    is_article: Flag = False
    is_index: Flag = False
    has_image: Whole = 0
    has_video: Whole = 0
    innerdomain_redirect: Flag = False
    login_required: Flag = False
    used_fallback: Flag = False
    top_image_url: Text = ""
    amp_url: Text = ""
    authors: Annotated[tuple[Author, ...], BeforeValidator(_maps)] = ()
    image: Annotated[Image | None, BeforeValidator(_map_or_none)] = None
    images: Annotated[tuple[Image, ...], BeforeValidator(_maps)] = ()
    videos: Annotated[tuple[Video, ...], BeforeValidator(_maps)] = ()
    annotations: Annotated[tuple[Annotation, ...], BeforeValidator(_maps)] = ()
    domain_metadata: Annotated[Domain | None, BeforeValidator(_map_or_none)] = None

    @model_validator(mode="before")
    @classmethod
    def _with_title(cls, shown: Any) -> Any:
        if not isinstance(shown, Mapping):
            return shown
        titles = (text(shown.get(name)) for name in ("title", "resolved_title", "given_title"))
        return {**shown, "title": next(filter(None, titles), "")}

    @property
    def url(self) -> str:
        return self.given_url or self.resolved_url

    @property
    def deleted(self) -> bool:
        return self.status == 2

    @property
    def archived(self) -> bool:
        return self.status == 1
