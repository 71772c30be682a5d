"""A web address taken apart: where to dial, what to ask for there. Pure; one parser decides."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import NamedTuple, Self
from urllib.parse import unquote_to_bytes, urljoin

import can_ada

from bridge.errors import FetchError

_PORTS = {"http:": 80, "https:": 443}


class Origin(NamedTuple):
    """What credentials and connections belong to. `host` without brackets."""

    secure: bool
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """`path` with its query; `host` as the header of that name has it; `authorization` from what stood before an @."""

    url: str
    origin: Origin
    host: str
    path: str
    authorization: str = ""

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises FetchError for anything but an http(s) address."""
        try:
            parsed = can_ada.parse(url)
        except (ValueError, TypeError):
            raise FetchError("that is not a web address") from None
        if parsed.protocol not in _PORTS or not parsed.hostname:
            raise FetchError("only http and https addresses are fetched")
        port = int(parsed.port) if parsed.port else _PORTS[parsed.protocol]
        origin = Origin(parsed.protocol == "https:", parsed.hostname.strip("[]"), port)
        named = _basic(parsed.username, parsed.password) if parsed.username or parsed.password else ""
        return cls(url, origin, parsed.host, parsed.pathname + parsed.search, named)

    def joined(self, location: str) -> str:
        """The address a redirect from here leads to. Bytes of it that are no ASCII are UTF-8 where they can be."""
        try:
            return urljoin(self.url, _text(location))
        except ValueError:
            raise FetchError("redirected to something that is no web address", sent=True) from None


def _text(header: str) -> str:
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def _basic(username: str, password: str) -> str:
    pair = unquote_to_bytes(username) + b":" + unquote_to_bytes(password)
    return f"Basic {base64.b64encode(pair).decode('ascii')}"
