"""How many calls an hour: counted by user and by consumer key, announced in the headers of every answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bridge.sources.pocket_api.entrance import Identity
from bridge.sources.pocket_api.hourly import Hourly
from bridge.sources.pocket_api.request import BadRequest

USER_CALLS = 320
KEY_CALLS = 10_000


class Quota:
    """What a user and an application may call. The inner application is neither counted nor refused."""

    def __init__(self, *, user: int, key: int, clock: Callable[[], float]) -> None:
        self._user = Hourly(user, clock)
        self._key = Hourly(key, clock)

    def charge(self, identity: Identity) -> None:
        """Counts one call. Raises BadRequest with 403 when none is left; the refused call does not count."""
        if identity.inner:
            return
        wait = {"Retry-After": str(self._user.reset())}
        if not self._key.left(identity.application):
            words = "The application has made too many requests in the past hour."
            raise BadRequest(words, status=403, code=4, headers=wait)
        if not self._user.take(identity.account):
            words = "The user has made too many requests in the past hour."
            raise BadRequest(words, status=403, code=5, headers=wait)
        self._key.take(identity.application)

    def headers(self, identity: Identity | None) -> Mapping[str, str]:
        """What is left to whoever called; everything, for a stranger."""
        known = identity is not None and not identity.inner
        account, application = (identity.account, identity.application) if identity and known else ("", "")
        reset = str(self._user.reset())
        return {
            "X-Limit-User-Limit": str(self._user.most),
            "X-Limit-User-Remaining": str(self._user.left(account)),
            "X-Limit-User-Reset": reset,
            "X-Limit-Key-Limit": str(self._key.most),
            "X-Limit-Key-Remaining": str(self._key.left(application)),
            "X-Limit-Key-Reset": reset,
        }
