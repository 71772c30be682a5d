"""The outbox's units of work on what is wanted at each connection. What is sent of it: leases.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.delivery import MOVES, Event, State, after
from bridge.link import Sighting, canonical
from bridge.reading_list import DELETED
from bridge.rules import READING, Decision
from bridge.store.sqlite import Tx

# What a person sends by hand goes first and may use what is kept back of a limit; what files bring waits for the rest.
HAND = ("cli", "pocket", "save", "telegram")
BULK = ("file",)
HAND_LANE, _LANE, _BULK_LANE = LANES = (-1, 0, 1)

# What has come to an end begins anew; what is delivered is owed the difference.
_ENDED = ("dead", "cancelled")

# What has ended stays so until a person sends the link once more.
_BY_HAND = ("cli", "hook", "pocket", "save", "telegram")


STOPPED = "state IN ('held', 'unknown', 'dead')"
"""The condition of the index of what does not go on by itself."""


def concerned(event: Event) -> str:
    """The condition that a delivery is in a state the event concerns."""
    return within(*MOVES[event][0])


def within(*states: State) -> str:
    """The condition that a delivery is in one of these states, written so that the partial indexes are used."""
    condition = f"state = '{states[0]}'" if len(states) == 1 else f"state IN {states}"
    return f"{STOPPED} AND {condition}" if {"held", "unknown", "dead"}.issuperset(states) else condition


# What a rule holds or delays goes as soon as another sighting is neither held nor delayed as long.
SQL_WANT_SOONER = f"""
    UPDATE delivery SET state = '{MOVES[Event.WANTED_SOONER][1]}', because = 'new', due = ?, changed = ?
    WHERE id = ? AND {concerned(Event.WANTED_SOONER)}
        AND (state <> 'pending' OR (attempts = 0 AND added = 0 AND due > ?))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One sighting's wish to have its link at one connection."""

    account: str
    link: int
    connection: str
    sighting: Sighting
    decision: Decision
    received: float


@dataclass(frozen=True, slots=True)
class Granted:
    """What a wish changed: `new` when the link is to be added there, and the tags that are new there."""

    new: bool
    tags_added: tuple[str, ...]


def want(tx: Tx, wish: Wish, now: float) -> Granted:
    """The link is wanted at a connection: a first add, or tags added to what is there. Never a second add.

    A delivery that is dead or was taken back lives again: its person sent the link once more.
    """
    row = tx.execute(
        "SELECT id, tags, state FROM delivery WHERE link = ? AND connection = ?", (wish.link, wish.connection)
    ).fetchone()
    if row is None:
        return _want_new(tx, wish, now)
    number, had, state = row[0], tuple(json.loads(row[1])), row[2]
    added = tuple(tag for tag in wish.decision.tags if tag not in had)
    again = state in _ENDED
    if state == "delivered" and _was_deleted(tx, wish):
        tx.execute("UPDATE delivery SET added = 0, found = 0, sent_tags = '[]' WHERE id = ?", (number,))
        again = True
    if again and wish.sighting.source not in _BY_HAND:
        return Granted(new=False, tags_added=())
    lane = _lane(wish.sighting)
    tx.execute("UPDATE delivery SET lane = ? WHERE id = ? AND lane > ?", (lane, number, lane))
    if added or again:
        event = Event.WANTED_AGAIN if again else Event.WANTED_MORE
        _want_more(tx, number, state, (*had, *added), event=event, now=now)
    if again:
        tx.execute("UPDATE delivery SET state = ?, because = ?, due = ? WHERE id = ?", (*_beginning(wish, now), number))
    if not wish.decision.held_by:
        due = now + wish.decision.delay
        again = tx.execute(SQL_WANT_SOONER, (due, now, number, due)).rowcount > 0 or again
    return Granted(new=again, tags_added=added)


def tag(tx: Tx, link: int, tags: Sequence[str], now: float) -> tuple[str, ...]:
    """Tags added to a link wherever it is wanted. Answers those that were new somewhere."""
    sql = f"SELECT id, tags, state FROM delivery WHERE link = ? AND state NOT IN {_ENDED}"
    new: dict[str, None] = {}
    for number, wanted, state in tx.execute(sql, (link,)).fetchall():
        had = tuple(json.loads(wanted))
        added = tuple(tag for tag in tags if tag not in had)
        new |= dict.fromkeys(added)
        if added:
            _want_more(tx, number, state, (*had, *added), event=Event.WANTED_MORE, now=now)
    return tuple(new)


def _want_more(tx: Tx, number: int, state: State, tags: Sequence[str], *, event: Event, now: float) -> None:
    sql = "UPDATE delivery SET tags = ?, revision = revision + 1, changed = ? WHERE id = ?"
    tx.execute(sql, (json_of(tags), now, number))
    if (next_state := after(state, event)) != state:
        tx.execute("UPDATE delivery SET state = ?, due = ?, attempts = 0 WHERE id = ?", (next_state, now, number))


def _lane(sighting: Sighting) -> int:
    return HAND_LANE if sighting.source in HAND else _BULK_LANE if sighting.source in BULK else _LANE


def tags_of(tx: Tx, link: int) -> tuple[str, ...]:
    """All tags a link is wanted with, wherever it is wanted."""
    rows = tx.execute("SELECT tags FROM delivery WHERE link = ? ORDER BY id", (link,)).fetchall()
    return tuple(dict.fromkeys(tag for row in rows for tag in json.loads(row[0])))


def _want_new(tx: Tx, wish: Wish, now: float) -> Granted:
    sighting, decision = wish.sighting, wish.decision
    there = wish.connection in sighting.settled
    told = sighting.tags if there else ()
    state, because, due = _beginning(wish, now)
    found = None if there or wish.connection != READING else _on_the_list(tx, wish)
    if found is not None:
        # It came with a file, or was on the list before bridge knew of it: only tags are owed, and nothing is undone.
        told, there = found, True
        state, because = ("delivered" if set(decision.tags) <= set(told) else "pending"), "on the list before"
    at = sighting.at or wish.received if sighting.source in BULK else wish.received
    tx.execute(
        "INSERT INTO delivery (link, connection, account, url, title, tags, sent_tags, added, at, state, because,"
        " due, lane, found, attempts, revision, sent_revision, lease, remote_id, changed)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 1, 0, '', '', ?)",
        (
            *(wish.link, wish.connection, wish.account, decision.url or sighting.url, decision.title),
            *(json_of(decision.tags), json_of(told), int(there), at, state, because, due),
            *(_lane(sighting), int(found is not None), now),
        ),
    )
    added = decision.tags if found is None else tuple(tag for tag in decision.tags if tag not in found)
    return Granted(new=found is None, tags_added=added)


def _was_deleted(tx: Tx, wish: Wish) -> bool:
    """A person took it off the embedded list and now sends it once more: to say “already saved” would be a lie."""
    by_a_person = wish.sighting.source in ("cli", "save", "telegram")
    return by_a_person and wish.connection == READING and _on_the_list(tx, wish) is None


def _on_the_list(tx: Tx, wish: Wish) -> tuple[str, ...] | None:
    """The tags of the item, if the embedded list has the link already."""
    row = tx.execute(
        "SELECT id FROM item WHERE account = ? AND canonical = ? AND status <> ?",
        (wish.account, canonical(wish.decision.url or wish.sighting.url), DELETED),
    ).fetchone()
    if row is None:
        return None
    return tuple(tag for (tag,) in tx.execute("SELECT tag FROM item_tag WHERE item = ?", (row[0],)).fetchall())


def _beginning(wish: Wish, now: float) -> tuple[str, str, float]:
    """State, because and due of a new delivery."""
    sighting, decision = wish.sighting, wish.decision
    if wish.connection in sighting.settled:
        # What the source has put there itself is owed no add, only the tags that rules gave.
        done = set(decision.tags) <= set(sighting.tags)
        return "delivered" if done else "pending", f"put there by {sighting.source}", now
    if decision.held_by:
        reason = f": {decision.hold}" if decision.hold else ""
        return "held", f"rule {decision.held_by}{reason}", now
    if decision.delay:
        return "pending", f"rule {decision.delayed_by}", now + decision.delay
    return "pending", "new", now


def json_of(tags: Sequence[str]) -> str:
    return json.dumps(tags, ensure_ascii=False)


def retry(tx: Tx, connection: str, now: float) -> int:
    """Everything dead or unknown at a connection is tried once more. Answers how many."""
    sql = (
        f"UPDATE delivery SET state = '{MOVES[Event.RETRIED][1]}', due = ?, attempts = 0,"
        f" because = 'tried again by hand', changed = ? WHERE connection = ? AND {concerned(Event.RETRIED)}"
    )
    return tx.execute(sql, (now, now, connection)).rowcount
