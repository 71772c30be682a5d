"""An entry as it lies in the inbox, and what is read out of it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from bridge.errors import InvalidArrival
from bridge.link import Sighting
from bridge.ports import DAY, Arrival, Key, Reading
from bridge.sources.feeds.entry import Entry
from bridge.sources.feeds.followers import Follower


def arrival(follower: Follower, entry: Entry, key: str, due: float) -> Arrival:
    feed = follower.feed
    raw = {"feed": feed.name, "url": follower.shown, "tags": list(feed.tags), "entry": asdict(entry)}
    wishes = {"to": list(feed.to)} if feed.to else {}
    if not feed.categories:
        wishes["categories"] = []
    return Arrival(
        source="feed",
        channel=feed.name,
        account=follower.account,
        key=Key(follower.seen, key),
        raw=json.dumps(raw | wishes, ensure_ascii=False),
        due=due,
    )


def read(group: Sequence[Arrival]) -> Reading:
    """Pure. Raises InvalidArrival for an entry that names no web address."""
    return Reading(sightings=[_read_one(arrival) for arrival in group])


def _read_one(arrival: Arrival) -> Sighting:
    raw = json.loads(arrival.raw)
    entry = Entry.from_wire(raw["entry"])
    categories = raw.get("categories", entry.tags)
    tags = (*raw["tags"], *categories)
    return sighting(entry, feed=raw["feed"], tags=tags, to=raw.get("to", ()), received=arrival.received)


def sighting(entry: Entry, *, feed: str, tags: Iterable[str], received: float, to: Iterable[str] = ()) -> Sighting:
    """What the rules see of an entry. Raises InvalidArrival when it names no web address."""
    if not entry.link:
        raise InvalidArrival(f"the entry “{entry.title or entry.id}” names no web address")
    return Sighting.of(
        entry.link,
        source="feed",
        title=entry.title,
        tags=tags,
        text=entry.summary,
        author=entry.author,
        feed=feed,
        to=tuple(to),
        at=entry.published if 0 < entry.published <= received + DAY else received,
    )
