"""Which addresses of a Telegram message are pages to save, and how they are spelt. Pure."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from bridge.errors import InvalidArrival
from bridge.link import tidy

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_MAIL = re.compile(r"(mailto:|[^/?#]*@)", re.IGNORECASE)
_BARE_HOST = re.compile(r"[^/?#:@]+\.([^/?#:@.]+)")

# Top-level domains that stand at the end of file names more often than of hosts.
_FILE_ENDINGS = frozenset({"md", "mov", "py", "rs", "sh", "zip"})

Schemeless = Literal["sense", "all", "never"]


def page_address(address: str, schemeless: Schemeless = "sense") -> str:
    """`address` with a scheme. Raises InvalidArrival with the reason, in words, when it is none to save.

    `schemeless`: whether https:// is put before a host without it: if it is no file name (sense), to all, or never.

    >>> page_address("example.com/x")
    'https://example.com/x'
    >>> page_address("https://t.me/share/url?url=https%3A%2F%2Fexample.com%2Fs")
    'https://example.com/s'
    """
    address = address.strip()
    scheme = _SCHEME.match(address)
    if scheme is None:
        return "https://" + _plausible(address, schemeless)
    if not is_web(address):
        raise InvalidArrival(f"{tidy(address[:80])} is not a web page")
    return _shared(address) or address


def _plausible(address: str, schemeless: Schemeless) -> str:
    if _MAIL.match(address):
        raise InvalidArrival(f"{tidy(address[:80])} is a mail address")
    if schemeless == "never":
        raise InvalidArrival(f"{tidy(address[:80])} has no https:// before it; with it, it is saved")
    bare = None if schemeless == "all" else _BARE_HOST.fullmatch(address)
    if bare and bare[1].lower() in _FILE_ENDINGS and not address.lower().startswith("www."):
        raise InvalidArrival(f"{tidy(address[:80])} looks like a file name; with https:// before it, it is saved")
    if "." not in re.split(r"[/?#:]", address, maxsplit=1)[0]:
        raise InvalidArrival(f"{tidy(address[:80])} is not an address")
    return address


def _shared(address: str) -> str | None:
    """The page a Telegram share link is about."""
    try:
        parts = urlsplit(address)
    except ValueError:  # an odd host: the WHATWG parser has the last word
        return None
    if parts.netloc.lower() not in ("t.me", "telegram.me") or parts.path not in ("/share/url", "/share"):
        return None
    target = parse_qs(parts.query).get("url", [""])[0]
    return target if is_web(target) else None


def is_web(address: str) -> bool:
    return address.lower().startswith(("http://", "https://"))
