"""A link as one arrival named it (a sighting), and the one form under which all sightings of it meet."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_plus

import can_ada

from bridge.errors import InvalidArrival

CANONICAL_VERSION = 2
"""Of the rule of equality. It is raised with every change of canonical(): what was stored under an older form is
brought up to date when the store is opened, so that no old link is saved again (store/links.py)."""

LONGEST_URL = 8192
LONGEST_TITLE = 1000
LONGEST_TEXT = 64 * 1024
LONGEST_TAG = 100
MOST_TAGS = 100

# Parameters that tell where a reader came from and nothing about the page. Curated by hand: a name that could choose a
# page somewhere ("ref", "source", "id") is listed for the sites where it does not.
_TRACKING = frozenset(
    "fbclid gclid gclsrc dclid gbraid wbraid gad_source gad_campaignid srsltid msclkid yclid ysclid twclid "
    "ttclid li_fat_id igshid igsh epik rdt_cid sccid mc_cid mc_eid mc_tc mkt_tok oly_anon_id oly_enc_id "
    "_openstat vero_id vero_conv wickedid _hsenc _hsmi __hssc __hstc __hsfp hsctatracking rb_clickid s_cid "
    "sc_cid ml_subscriber ml_subscriber_hash _bhlid _branch_match_id _branch_referrer __readwiselocation "
    "fb_action_ids fb_action_types fb_ref fb_source mibextid campaign_content campaign_medium campaign_name "
    "campaign_source campaign_term itm_campaign itm_medium itm_source hmb_campaign hmb_medium hmb_source "
    "at_medium at_campaign at_campaign_type at_link_id at_link_origin at_link_type at_ptr_name at_format "
    "at_bbc_team _ga _gl __twitter_impression __s dm_i ck_subscriber_id".split()
)
_TRACKING_PREFIXES = ("utm_", "mtm_", "pk_campaign", "pk_kwd", "piwik_", "matomo_", "hsa_")

# On these sites and below them.
_TRACKING_AT = {
    "youtube.com": frozenset("si feature pp ab_channel".split()),
    "youtu.be": frozenset("si feature".split()),
    "spotify.com": frozenset("si context nd dlsi".split()),
    "twitter.com": frozenset("s t ref_src ref_url".split()),
    "x.com": frozenset("s t ref_src ref_url".split()),
    "tiktok.com": frozenset("_r _t is_from_webapp sender_device is_copy_url".split()),
    "linkedin.com": frozenset("trk trackingid lipi rcm".split()),
    "reddit.com": frozenset("share_id rdt".split()),
    "facebook.com": frozenset("rdid __tn__ __cft__[0] share_url".split()),
    "medium.com": frozenset("source".split()),
    "substack.com": frozenset("r showwelcome triedredirect isfreemail".split()),
}

_ENCODED = re.compile(r"%([0-9a-fA-F]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

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
        if not math.isfinite(facts.get("at", 0.0)):
            del facts["at"]
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
    """The form under which the spellings of one address are equal. docs/titles.md says which are, and why not more.

    It is a name for the link, and never what is sent or fetched.

    >>> canonical(" HTTP://Example.com.:80/a#part ")
    'https://example.com/a'
    >>> canonical("https://example.com/%7Ea/?b=1&utm_source=x&a=%c3%a4")
    'https://example.com/~a/?b=1&a=%C3%A4'
    >>> canonical("https://example.com/#/inbox")
    'https://example.com/#/inbox'
    """
    parsed = _parse(url.strip())
    parsed.username = ""
    parsed.password = ""
    if not _ROUTE_FRAGMENT.match(parsed.hash):
        parsed.hash = ""
    name = str(parsed.hostname)
    if name.endswith(".") and name.strip("."):
        parsed.hostname = name.rstrip(".")
    parsed.search = _without_tracking(_plain(parsed.search), name.rstrip("."))
    parsed.pathname = _plain(parsed.pathname)
    if parsed.protocol == "http:" and not parsed.port and _has_secure_twin(name):
        parsed.protocol = "https:"
    return str(parsed.href)


def _has_secure_twin(name: str) -> bool:
    """Whether http and https lead to the same page: on the web they do, at home they need not."""
    return "." in name and not name.rstrip(".").rpartition(".")[2].isdigit()


def _plain(text: str) -> str:
    """Percent signs only where they are needed, and written in one way."""

    def spelt(match: re.Match[str]) -> str:
        sign = chr(int(match[1], 16))
        return sign if sign in _UNRESERVED else match[0].upper()

    return _ENCODED.sub(spelt, text) if "%" in text else text


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


def _without_tracking(search: str, name: str) -> str:
    if len(search) < 2:
        return ""
    there = next(
        (names for site, names in _TRACKING_AT.items() if name == site or name.endswith(f".{site}")), frozenset()
    )
    return "&".join(pair for pair in search[1:].split("&") if pair and not _is_tracking(pair, there))


def _is_tracking(pair: str, there: frozenset[str]) -> bool:
    name = unquote_plus(pair.split("=", 1)[0]).lower()
    return name in _TRACKING or name in there or name.startswith(_TRACKING_PREFIXES)
