"""Titles: which of those that are offered is the page's own, and which are none at all. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from bridge.errors import InvalidArrival
from bridge.link import LONGEST_TITLE, host, tidy

LONGEST_FAULT = 100

_ENTITY = re.compile(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")
_SEPARATOR = re.compile(r"\s+[|·•»«–—―✩★:/~\\-]+\s+|\s*\|\s*|\s::\s|(?<=\w):\s+")
_WORD = re.compile(r"\w+")
_HOST_LIKE = re.compile(r"www\.[\w.-]+\.[a-z]{2,24}/?|[\w.-]+\.(com|org|net)/?")

# What stands in the way of a page says so in its title. Whole titles, but for a site's name at either end.
_WALLS = {
    "a check for robots": (
        r"just a moment\W*",
        r"attention required\W*",
        r"(one|un|nur einen|einen) (moment|momento|instant)( please| bitte)?\W*",
        r"(please|bitte) (wait|warten)\W*",
        r"请稍候\W*|しばらくお待ちください\W*",
        r"checking your browser.*|checking (if|that) the site connection is secure",
        r"ddos[- ]guard|ddos protection by .*",
        r"security (check|checkpoint|verification)( required)?|(vercel|client) (security checkpoint|challenge)",
        r"are you (a )?(human|robot)\W*|robot or human\W*|(human|bot) (verification|check)",
        r"(please )?verify (that )?(you are|you're) (a )?human\W*",
        r"captcha( challenge)?|recaptcha|request blocked|pardon our interruption\W*",
    ),
    "a consent": (
        r"before you continue( to .*)?|bevor sie fortfahren|avant d'accéder à .*",
        r"antes de continuar|prima di continuare",
        r"(cookie|privacy|gdpr)[- ]?(consent|wall|settings|preferences)|consent( required| management)?",
        r"(we value )?your privacy( choices)?|datenschutz-?einstellungen",
        r"cookies? (erforderlich|zustimmung|akzeptieren)",
    ),
    "a sign-in": (
        r"(please )?(log ?in|sign ?in|log on|sign-in|log-in)( required| page)?\W*",
        r"(please )?(log ?in|sign ?in) (to|or) .{1,30}|(log|sign) ?(up|in) [•|/-] .{1,20}",
        r"anmelden|einloggen|se connecter|connexion|iniciar sesión|accedi|войти|ログイン|登录",
        r"members? only|authentication required|single sign-?on",
    ),
    "an error": (
        r"(error )?[45]\d\d( error)?\W*|(http )?(error|status) [45]\d\d.*",
        r"[45]\d\d\W+(error|(page |file )?not found|forbidden|unauthorized|bad gateway|too many requests)\b.{0,40}",
        r"[45]\d\d\W+(access denied|internal server error|service (temporarily )?unavailable|gateway time-?out).{0,40}",
        r"(error|(page |file )?not found)\W*|.{0,20}page not found\W*|(the )?page .{0,40}(n[o']t|n’t) be found\W*",
        r"forbidden|unauthorized|access( to .*)? (is )?denied\W*|too many requests|temporarily unavailable",
        r"bad gateway|service (temporarily )?unavailable|gateway time-?out|(internal )?server error",
        r"something went wrong\W*|oops\W*|(site|scheduled) maintenance|(under|down for) maintenance",
        r"seite nicht gefunden\W*|page (non trouvée|introuvable)\W*|página no encontrada\W*|pagina non trovata\W*",
        r"страница не найдена\W*|ページが見つかりません.*|account suspended|domain (for sale|parked)",
    ),
    "nothing": (
        r"untitled( document| page| post)?|\(?(no|without) title\)?|document|title|index of .*|index(\.\w{3,4})?",
        r"home( ?page)?|default( page)?|new (page|tab|document)|(loading|redirecting|redirect)\W*|test( page)?",
        r"null|undefined|none|nan|\[object object\]|n/?a|unnamed|ohne titel|sans titre|sin título|senza titolo",
        r"無題|无标题|без названия|.{0,30}javascript (is )?(required|disabled)\W*|(please )?enable javascript.*",
        r"welcome to nginx\W*|apache2? .*default page.*|it works\W*",
    ),
}
_WALL = {name: re.compile("|".join(patterns), re.IGNORECASE) for name, patterns in _WALLS.items()}

# On a page of theirs, the name of these is no title, whatever address leads there.
_PLATFORMS = frozenset(
    "amazon facebook github google instagram linkedin medium pinterest reddit spotify threads tiktok tumblr twitch "
    "twitter vimeo x youtube".split()
)
_GUARDS = frozenset("akamai cloudflare datadome ddosguard fastly imperva sucuri".split())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A title that a page offers, and where: og:title, title, headline …"""

    place: str
    text: str


# How far each place is to be believed, before anything is compared.
_TRUST = {
    "citation": 6.5,
    "dc:title": 6.5,
    "headline": 6.0,
    "og:title": 6.0,
    "meta": 5.5,
    "twitter:title": 5.0,
    "title": 4.0,
    "name": 3.0,
    "h1": 2.0,
}


def clean(text: str) -> str:
    """One line, entities resolved even when they were escaped twice, without invisible signs.

    >>> clean("Tom &amp;amp; Jerry&#8217;s\\u200b   day")
    'Tom & Jerry’s day'
    """
    text = text[: 4 * LONGEST_TITLE]
    for _ in range(2):
        if not _ENTITY.search(text):
            break
        text = html.unescape(text)
    return tidy(_INVISIBLE.sub("", text))


def fault(title: str, url: str = "", site: str = "") -> str:
    """Why this is no title of a page, in a few words; empty when it may be one.

    >>> fault("Just a moment..."), fault("https://example.com/a"), fault("Untitled"), fault("On titles")
    ('a check for robots', 'an address', 'nothing', '')
    """
    return _fault(title[: 4 * LONGEST_TITLE], url, site)


@lru_cache(maxsize=512)  # a link is asked about several times on its way
def _fault(title: str, url: str, site: str) -> str:
    bare = clean(title)
    if not _WORD.search(bare):
        return "nothing"
    if len(bare) > LONGEST_FAULT and " " in bare:
        return ""
    if _is_address(bare, url):
        return "an address"
    if not _is_front(url) and (_is_site(bare, url, site) or _folded(bare) in _PLATFORMS):
        return "nothing"
    return next((name for part in _without_name(bare, url, site) for name in _WALL if _WALL[name].fullmatch(part)), "")


def wall(title: str, url: str = "", site: str = "") -> str:
    """What stands in the way of a page with this title; empty when it is the page itself."""
    found = fault(title, url, site)
    return found if found not in ("nothing", "an address") else ""


def best(candidates: Sequence[Candidate], *, url: str = "", site: str = "") -> str:
    """The title that most of a page agrees on, without its site's name; empty when none is worth the name.

    `site` is the name the page gives its site.
    """
    cleaned = [Candidate(each.place, clean(each.text)) for each in candidates]
    offered = [each for each in cleaned if not fault(each.text, url, site)]
    if not offered:
        return ""
    chosen = max(offered, key=lambda each: _score(each, offered))
    return _shortened(chosen, offered, url, site)


def _score(candidate: Candidate, offered: Sequence[Candidate]) -> float:
    """Trust in its place, and in those that say the same."""
    others = [each for each in offered if each is not candidate]
    folded = _folded(candidate.text)
    agreeing = sum(0.75 for each in others if _folded(each.text) == folded)
    within = sum(0.4 for each in others if folded != _folded(each.text) and folded in _folded(each.text))
    words = len(_WORD.findall(candidate.text))
    length = -1.5 if words < 2 and len(candidate.text) < 12 else 0.0
    return _TRUST.get(candidate.place, 1.0) + agreeing + within + length - (2.0 if len(candidate.text) > 300 else 0.0)


def _shortened(chosen: Candidate, offered: Sequence[Candidate], url: str, site: str) -> str:
    """Without the name of the site at its end or beginning, if that is known to be one."""
    text = chosen.text
    for part in _parts(text):
        whole = len(part.rest) >= 6 or len(_WORD.findall(part.rest)) > 1
        named = _is_site(part.name, url, site)
        told = any(_folded(each.text) == _folded(part.rest) for each in offered if each is not chosen)
        if whole and (named or told) and not fault(part.rest, url, site):
            return part.rest
    return text


@dataclass(frozen=True, slots=True)
class _Split:
    rest: str
    name: str


def _parts(text: str) -> list[_Split]:
    """Where a site's name may begin or end, its end first."""
    cuts = [(found.start(), found.end()) for found in _SEPARATOR.finditer(text)]
    tails = [_Split(text[:start].strip(), text[end:].strip()) for start, end in reversed(cuts)]
    heads = [_Split(text[end:].strip(), text[:start].strip()) for start, end in cuts[:1]]
    return [part for part in (*tails, *heads) if part.rest and part.name]


def _without_name(text: str, url: str, site: str) -> list[str]:
    """The text, and what is left of it without a site's name: “Attention Required! | Cloudflare”."""
    ends = [part.rest for part in _parts(text) if _is_site(part.name, url, site) or _is_guard(part.name)]
    return [text, *ends]


def _is_guard(name: str) -> bool:
    return _folded(name) in _GUARDS


def _is_front(url: str) -> bool:
    """Whether it is a site's first page, whose title may well be the site's name."""
    rest = url.partition("://")[2]
    return bool(rest) and rest.partition("/")[2].strip("/") == "" and "?" not in rest


def _is_site(name: str, url: str, site: str) -> bool:
    """Whether this is the name of the site: as it calls itself, or as its address does."""
    folded = _folded(name)
    if not folded:
        return False
    if site and folded == _folded(clean(site)):
        return True
    labels = _labels(url)
    return folded in labels or _folded(name.removeprefix("The ")) in labels


def _labels(url: str) -> set[str]:
    """What a host may be called: `news.example.co.uk` is example, news example, example.co.uk …"""
    try:
        name = host(url).removeprefix("www.")
    except InvalidArrival:
        return set()
    parts = name.split(".")
    spelt = {".".join(parts[start:]) for start in range(len(parts) - 1)} | {".".join(parts[:-1])}
    of_country = len(parts) > 2 and len(parts[-1]) == 2 and len(parts[-2]) <= 3
    return {_folded(each) for each in (*spelt, parts[-3] if of_country else parts[-2:][0])} - {""}


def _is_address(text: str, url: str) -> bool:
    if text.startswith(("http://", "https://", "www.")) and " " not in text:
        return True
    return bool(_HOST_LIKE.fullmatch(text)) or (bool(url) and text in (url, unquote(url), url.partition("://")[2]))


def _folded(text: str) -> str:
    return "".join(_WORD.findall(text)).casefold()
