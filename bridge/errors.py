"""Errors say what to do next.

    BridgeError
    ├─ ConfigError          nothing has started: file, line, column, what is wrong, what was meant
    ├─ InvalidArrival       what came holds no link that can be kept: park it with the reason
    ├─ SourceError          a source cannot be read now: back off and try again
    ├─ StoreError           the database failed: do not acknowledge
    │   ├─ Conflict         somebody else moved the cursor: read it again
    │   ├─ Full             the disk is full: what grows waits until there is room
    │   └─ Unusable         (a ConfigError too) the file is damaged, newer or no database: what to do
    ├─ FetchError           an outgoing request failed or was refused before it left
    │   └─ NotAllowed       the address is one that may not be reached
    ├─ PageError            a page cannot be read: now, or at all
    └─ DestinationError     a whole call failed: the outcome of every delivery in it
        ├─ Unavailable      later
        ├─ Throttled        wait until the service says so; no attempt is burned
        ├─ Refused          never for this
        │   └─ TooLarge     not so many at once
        └─ Unauthorized     pause the connection until there are new credentials

They carry plain values, import nothing of ours, and never hold a secret.
"""

from __future__ import annotations


class BridgeError(Exception):
    """What a person can be told as it is: one clear sentence, no secret."""


class ConfigError(BridgeError):
    """Wrong use or configuration. `str()` is the whole message: place, fault, and what would be right."""


class InvalidArrival(BridgeError):  # noqa: N818 - the field's word
    """What came holds no link that can be kept. The text is the reason shown to its sender."""


class SourceError(BridgeError):
    """A source cannot be read now. `retry_after` is in seconds when the other side named a time."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class StoreError(BridgeError):
    """The database failed: nothing of this unit is durable, so nothing may be acknowledged."""


class Conflict(StoreError):  # noqa: N818
    """The cursor is not what the caller expected; nothing was written."""


class Full(StoreError):  # noqa: N818
    """There is no room for anything new. What was begun can still be written down."""


class Unusable(StoreError, ConfigError):  # noqa: N818
    """The database cannot be worked with as it is. The text says what to do; nothing was changed."""


class FetchError(BridgeError):
    """An outgoing request did not lead to an answer. `sent` is False when no byte of it can have left."""

    def __init__(self, reason: str, *, sent: bool = False) -> None:
        super().__init__(reason)
        self.sent = sent


class NotAllowed(FetchError):  # noqa: N818
    """The address lies inside a private network, which nobody has opened."""


class PageError(BridgeError):
    """A page cannot be read. `lasting`: not later either. `retry_after` is in seconds when the site named a time."""

    def __init__(self, reason: str, *, lasting: bool = False, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.lasting = lasting
        self.retry_after = retry_after


class DestinationError(BridgeError):
    """A whole call failed."""


class Unavailable(DestinationError):  # noqa: N818
    """The service is down or unreachable. `retry_after`: seconds it asked for, or None.

    `sent`: the call left and its answer was lost or was no answer, so it may have been applied.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None, sent: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.sent = sent


class Throttled(DestinationError):  # noqa: N818
    """A limit is reached. `retry_after`: seconds until the service takes calls again, None where it did not say."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Refused(DestinationError):  # noqa: N818
    """The service understood and will never take this request as it is."""


class TooLarge(Refused):
    """The call is larger than the service takes; fewer at once may pass."""


class Unauthorized(DestinationError):  # noqa: N818
    """The credential is not accepted (any more)."""
