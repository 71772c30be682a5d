"""The sockets of the house: what a source, a destination and a store promise each other. Docstrings are the semantics.

A time is a float: seconds since the epoch, UTC.
"""

from bridge.gate import Gate
from bridge.ports.arriving import (
    DAY,
    FOREVER,
    HOUR,
    OWNER,
    Arrival,
    Cursor,
    Described,
    Direct,
    Inbox,
    Key,
    ManyCursors,
    Read,
    Reading,
    Receipt,
    Request,
    Source,
)
from bridge.ports.asking import Archive, Ledger, Passport, Seen
from bridge.ports.following import Backlog, Subscription, Subscriptions
from bridge.ports.listing import Kept, ReadingList, Shelf
from bridge.ports.looking import KnownPages, Lookups, Pages, WantedPage
from bridge.ports.sending import Call, Destination, Finder, Found, Metered, Outbox, Terms, Traits
from bridge.ports.telling import Answered, Errand, Errands, Report, Reporter, Reports, Verdict

__all__ = [
    "DAY",
    "FOREVER",
    "HOUR",
    "OWNER",
    "Answered",
    "Archive",
    "Arrival",
    "Backlog",
    "Call",
    "Cursor",
    "Described",
    "Destination",
    "Direct",
    "Errand",
    "Errands",
    "Finder",
    "Found",
    "Gate",
    "Inbox",
    "Kept",
    "Key",
    "KnownPages",
    "Ledger",
    "Lookups",
    "ManyCursors",
    "Metered",
    "Outbox",
    "Pages",
    "Passport",
    "Read",
    "Reading",
    "ReadingList",
    "Receipt",
    "Report",
    "Reporter",
    "Reports",
    "Request",
    "Seen",
    "Shelf",
    "Source",
    "Subscription",
    "Subscriptions",
    "Terms",
    "Traits",
    "Verdict",
    "WantedPage",
]
