"""A trial: what would happen to a link, a text or a feed, and why, without any state."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from bridge import rules
from bridge.declared import load_rules
from bridge.errors import BridgeError, ConfigError, InvalidArrival
from bridge.link import Sighting, web_address
from bridge.ports import OWNER
from bridge.rules import Occasion, RuleFile
from bridge.scan import web_addresses
from bridge.settings import Settings
from bridge.wiring import preview

MOST_ENTRIES = 20


async def tried(settings: Settings, what: str) -> dict[str, Any]:
    """The links in `what` and what the rules would do with each. An address is also looked at: it may be a feed.

    Raises ConfigError when there is no address in it.
    """
    rule_file = load_rules(settings)
    try:
        web_address(what)
    except InvalidArrival:
        return {"links": [_tried(settings, rule_file, sighting) for sighting in _in_text(what)]}
    try:
        feed = await preview(settings, rule_file, what)
    except BridgeError as error:
        link = _tried(settings, rule_file, Sighting.of(what, source="cli", at=time.time()))
        return {"links": [link], "not_a_feed": str(error)}
    links = [_tried(settings, rule_file, sighting) for sighting in feed["sightings"][:MOST_ENTRIES]]
    return {"feed": feed["title"], "entries": feed["entries"], "notes": feed["notes"], "links": links}


def _in_text(text: str) -> list[Sighting]:
    found = web_addresses(text)
    if not found:
        raise ConfigError("there is no web address in it; addresses begin with http:// or https://")
    tags = [word[1:] for word in text.split() if word.startswith("#") and len(word) > 1]
    return [Sighting.of(url, source="cli", tags=tags, text=text, at=time.time()) for url in found]


def _tried(settings: Settings, rule_file: RuleFile, sighting: Sighting) -> dict[str, Any]:
    occasion = Occasion(account=OWNER, now=time.time(), seen=0, zone=settings.zone)
    return {
        "url": sighting.url,
        "canonical": sighting.canonical,
        "title": sighting.title,
        "decision": asdict(rules.decide(rule_file, sighting, occasion)),
        "rules": [asdict(trace) for trace in rules.explain(rule_file, sighting, occasion)],
    }
