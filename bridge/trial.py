"""A trial: what would happen to a link, a text or a feed, and why, without any state."""

from __future__ import annotations

import importlib
import time
from dataclasses import asdict
from typing import Any

from bridge import rules
from bridge.errors import BridgeError, ConfigError, InvalidArrival
from bridge.link import Sighting, web_address
from bridge.net import Net
from bridge.rules import RuleFile
from bridge.scan import web_addresses
from bridge.settings import Settings
from bridge.wiring import load_rules

MOST_ENTRIES = 20


async def tried(settings: Settings, what: str) -> dict[str, Any]:
    """The links in `what` and what the rules would do with each. An address is also looked at: it may be a feed.

    Raises ConfigError when there is no address in it.
    """
    rule_file = load_rules(settings)
    try:
        web_address(what)
    except InvalidArrival:
        return {"links": [_tried(rule_file, sighting) for sighting in _in_text(what)]}
    feed, problem = await _as_feed(settings, what)
    if feed:
        entries = [_tried(rule_file, sighting) for sighting in feed["sightings"][:MOST_ENTRIES]]
        return {"feed": feed["title"], "entries": feed["entries"], "links": entries}
    links = [_tried(rule_file, Sighting.of(what, source="cli", at=time.time()))]
    return {"links": links, "not_a_feed": problem}


def _in_text(text: str) -> list[Sighting]:
    found = web_addresses(text)
    if not found:
        raise ConfigError("there is no web address in it; addresses begin with http:// or https://")
    tags = [word[1:] for word in text.split() if word.startswith("#") and len(word) > 1]
    return [Sighting.of(url, source="cli", tags=tags, text=text, at=time.time()) for url in found]


def _tried(rule_file: RuleFile, sighting: Sighting) -> dict[str, Any]:
    return {
        "url": sighting.url,
        "canonical": sighting.canonical,
        "title": sighting.title,
        "decision": asdict(rules.decide(rule_file, sighting)),
        "rules": [asdict(trace) for trace in rules.explain(rule_file, sighting)],
    }


async def _as_feed(settings: Settings, url: str) -> tuple[dict[str, Any] | None, str]:
    feeds = importlib.import_module("bridge.sources.feeds")
    net = Net(allow_nets=settings.allow_nets)
    try:
        return await feeds.preview(net, url), ""
    except BridgeError as error:
        return None, str(error)
    finally:
        await net.close()
