"""A link as one arrival named it (a sighting), and the one form under which all sightings of it meet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_plus

import can_ada

from bridge.errors import InvalidArrival

CANONICAL_VERSION = 1
"""Stored with every link, so that a later rule of equality does not save old links again."""

LONGEST_URL = 8192
LONGEST_TITLE = 1000
LONGEST_TEXT = 64 * 1024
LONGEST_TAG = 100
MOST_TAGS = 100

_TRACKING = frozenset(
    "fbclid gclid gclsrc dclid gbraid wbraid msclkid yclid twclid ttclid igshid igsh mc_cid mc_eid mkt_tok "
    "oly_anon_id oly_enc_id _openstat vero_id wickedid _hsenc _hsmi hsctatracking rb_clickid s_cid "
    "ml_subscriber ml_subscriber_hash ysclid".split()
)
_TRACKING_PREFIXES = ("utm_", "mtm_")

# Fragments that are addresses of their own: #!/page and #/page are routes of single-page sites.
_ROUTE_FRAGMENT = re.compile(r"^#!?/")

# Line breaks and tabs are text; marks that turn the direction of what follows are not.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

_NO_FIELDS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One link as one arrival named it, with its facts as they came. Rules decide per sighting.

    `at` is when it was published or sent (seconds since the epoch, UTC). `settled` names connections
    where the source itself has already put the link (an app that spoke to the embedded list); `to` those it wants
    in place of the default (a feed with connections of its own): rules may say otherwise.
    """

    url: str
    source: str
    title: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    text: str = ""
    author: str = ""
    feed: str = ""
    hook: str = ""
    chat: str = ""
    at: float = 0.0
    settled: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=lambda: _NO_FIELDS)

    @classmethod
    def of(cls, url: str, *, source: str, title: str = "", tags: Iterable[str] = (), **facts: Any) -> Sighting:
        """The one constructor sources use: checks the address, tidies title and tags.

        Raises InvalidArrival when `url` is no address of a web page.
        """
        for name in ("note", "text"):
            if name in facts:
                facts[name] = printable(facts[name])[:LONGEST_TEXT]
        return cls(url=web_address(url), source=source, title=tidy(title), tags=tidy_tags(tags), **facts)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Sighting:
        """The sighting that `facts()` was taken of, also after a way through JSON."""
        kept: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()
        }
        return cls(**kept)

    def facts(self) -> dict[str, Any]:
        """Plain data for JSON, without what is empty."""
        plain = {name: getattr(self, name) for name in self.__slots__} | {"fields": dict(self.fields)}
        return {name: value for name, value in plain.items() if value}

    @property
    def canonical(self) -> str:
        return canonical(self.url)


def web_address(url: str) -> str:
    """`url` without surrounding blanks, if it is an http(s) address with a host; else InvalidArrival.

    >>> web_address(" https://example.com/a b ")
    'https://example.com/a b'
    """
    url = url.strip()
    if len(url) > LONGEST_URL:
        raise InvalidArrival(f"the address is {len(url)} characters long; {LONGEST_URL} is the most")
    _parse(url)
    return url


def canonical(url: str) -> str:
    """The form under which two spellings of one address are equal (WHATWG URL parsing).

    The host is lower-case, default ports, fragments and tracking parameters go; nothing is guessed.

    >>> canonical(" HTTPS://Example.com:443/a#part ")
    'https://example.com/a'
    >>> canonical("https://example.com/?b=1&utm_source=x&a=2")
    'https://example.com/?b=1&a=2'
    >>> canonical("https://example.com/#/inbox")
    'https://example.com/#/inbox'
    """
    parsed = _parse(url.strip())
    parsed.username = ""
    parsed.password = ""
    if not _ROUTE_FRAGMENT.match(parsed.hash):
        parsed.hash = ""
    parsed.search = _without_tracking(parsed.search)
    return str(parsed.href)


def host(url: str) -> str:
    """The host of a web address, lower-case and in ASCII: `host("http://EXAMPLE.com./a")` is `example.com`."""
    return str(_parse(url.strip()).hostname).rstrip(".")


def tidy(text: str) -> str:
    """One line: control characters and runs of blanks become one blank; at most LONGEST_TITLE characters."""
    return " ".join(printable(text).split())[:LONGEST_TITLE].strip()


def printable(text: str) -> str:
    """Without lone surrogates and control characters, which a database or a terminal would take amiss."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(" ", text.encode("utf-8", "replace").decode("utf-8"))


def tidy_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Lower-case, without `#`, blanks around and commas inside; each once, in the order they came.

    >>> tidy_tags(["#Python", " web  dev ", "python", ""])
    ('python', 'web dev')
    """
    tidied = (tidy(tag.replace(",", " ")).lstrip("# ").lower()[:LONGEST_TAG].strip() for tag in tags)
    return tuple(dict.fromkeys(tag for tag in tidied if tag))[:MOST_TAGS]


def _parse(url: str) -> Any:
    try:
        parsed = can_ada.parse(url)
    except (ValueError, TypeError):  # TypeError: a lone surrogate does not reach the parser
        raise InvalidArrival(f"{_shown(url)} is not an address of a web page") from None
    if parsed.protocol not in ("http:", "https:"):
        raise InvalidArrival(f"{_shown(url)} is not a web address: only http and https are saved")
    if not parsed.hostname:
        raise InvalidArrival(f"{_shown(url)} names no host")
    return parsed


def _shown(url: str) -> str:
    # What stands before "@" may be a password.
    return "“" + re.sub(r"//[^/@]*@", "//…@", tidy(url)[:80]) + "”" if url else "an empty text"


def _without_tracking(search: str) -> str:
    pairs = search.removeprefix("?").split("&") if search else []
    return "&".join(pair for pair in pairs if not _is_tracking(pair))


def _is_tracking(pair: str) -> bool:
    name = unquote_plus(pair.split("=", 1)[0]).lower()
    return name in _TRACKING or name.startswith(_TRACKING_PREFIXES)
