"""What a web page says about itself: the facts that look-ups bring, as they are kept and asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Empty, zero and None are unknown. `canonical` is the address the page gives itself, made whole.

    `wall` says what stands in the way of the page (a check for robots, a consent, a sign-in); then nothing else is
    believed. `lang` is like `en-gb`, `type` one of article, audio, image, pdf, video.
    """

    title: str = ""
    canonical: str = ""
    lang: str = ""
    type: str = ""
    words: int | None = None
    author: str = ""
    published: float = 0.0
    image: bool | None = None
    wall: str = ""

    def to_wire(self) -> dict[str, Any]:
        """As JSON holds it, without what is unknown."""
        told = asdict(self) | {"published": self.published or None}
        return {name: value for name, value in told.items() if value is not None and value != ""}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Page:
        """The page `to_wire` was taken of; what a later version wrote and this one does not know is left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in wire.items() if name in known})


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known after a look at a page: what it says, or why that is unknown, in words."""

    page: Page | None = None
    unread: str = ""

    def to_wire(self) -> dict[str, Any]:
        return {"unread": self.unread} if self.page is None else self.page.to_wire()

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Looked:
        unread = wire.get("unread")
        return cls(unread=str(unread)) if unread is not None else cls(Page.from_wire(wire))
