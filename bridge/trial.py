"""A trial: what would happen to a link, a text or a feed, and why, without any state."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bridge import rules
from bridge.declared import load_rules
from bridge.errors import BridgeError, ConfigError, InvalidArrival
from bridge.link import Sighting, web_address
from bridge.needs import Patience
from bridge.needs import needed as need
from bridge.page import Looked
from bridge.ports import OWNER
from bridge.rules import Occasion, PageRules, RuleFile
from bridge.scan import web_addresses
from bridge.settings import Settings
from bridge.visits import look, preview

MOST_ENTRIES = 20


async def tried(settings: Settings, what: str, *, followed: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The links in `what` and what the rules would do with each. An address is also looked at: it may be a feed.

    `followed`: feeds that are followed and may stand in no rule file, with `url`, `name` and `tags`.
    Raises ConfigError when there is no address in it.
    """
    rule_file = load_rules(settings)
    try:
        web_address(what)
    except InvalidArrival:
        return {"links": [await _looked_up(settings, rule_file, sighting) for sighting in _in_text(what)]}
    try:
        feed = await preview(settings, rule_file, what, followed)
    except BridgeError as error:
        link = await _looked_up(settings, rule_file, Sighting.of(what, source="cli", at=time.time()))
        return {"links": [link], "not_a_feed": str(error)}
    links = [_tried(settings, rule_file, sighting) for sighting in feed["sightings"][:MOST_ENTRIES]]
    told = {name: feed[name] for name in ("followed", "entries", "notes")}
    return {"feed": feed["title"], **told, "links": links}


def _in_text(text: str) -> list[Sighting]:
    found = web_addresses(text)
    if not found:
        raise ConfigError("there is no web address in it; addresses begin with http:// or https://")
    tags = [word[1:] for word in text.split() if word.startswith("#") and len(word) > 1]
    return [Sighting.of(url, source="cli", tags=tags, text=text, at=time.time()) for url in found]


async def _looked_up(settings: Settings, rule_file: RuleFile, sighting: Sighting) -> dict[str, Any]:
    """With a look at the page, if one would be taken."""
    patience = Patience(settings.pages, settings.page_wait)
    occasion = _occasion(settings)
    decided = [(sighting, rules.decide(rule_file, sighting, occasion))]
    needed = settings.pages != "off" and bool(need(decided, PageRules(rule_file), occasion, patience))
    return _tried(settings, rule_file, sighting, await look(settings, sighting.url) if needed else None)


def _occasion(settings: Settings) -> Occasion:
    return Occasion(account=OWNER, now=time.time(), seen=0, zone=settings.zone)


def _tried(settings: Settings, rule_file: RuleFile, sighting: Sighting, looked: Looked | None = None) -> dict[str, Any]:
    occasion = _occasion(settings).informed(looked)
    return {
        "url": sighting.url,
        "canonical": sighting.canonical,
        "title": sighting.title,
        "page": looked.to_wire() if looked else None,
        "decision": asdict(rules.decide(rule_file, sighting, occasion)),
        "rules": [asdict(trace) for trace in rules.explain(rule_file, sighting, occasion)],
    }
