"""Why a call failed, one class for each thing to do next.

PocketError
├─ UnreachableError        no answer: try again
├─ NotPocketError          an answer, but not from a Pocket server: check the address, the proxy, the Wi-Fi login
├─ UnexpectedReplyError    a Pocket server, but the answer makes no sense: nothing is known about the call
├─ InvalidRequestError     the request will never be taken
│   └─ TooLargeError       ask for fewer items or send fewer actions
├─ AccessTokenError        sign in again
├─ UsernameTakenError      choose another name
├─ ConsumerKeyError        check the key of the application
├─ PermissionDeniedError   the key or the account may not do this
├─ RateLimitError          wait for `limits.wait` seconds
├─ MaintenanceError        the service is down on purpose: wait
├─ ServerError             the service failed: try later
└─ SignInError
    ├─ RedirectError       the redirect address is missing or not the one the code was made for
    ├─ CodeError           the code is missing or unknown: ask for a new request token
    ├─ CodeUsedError       the same
    └─ NotApprovedError    the user has not approved yet, or has refused
"""

from __future__ import annotations

from typing import ClassVar

from bridge.pocket.actions import ActionResult
from bridge.pocket.limits import Limits

_NO_LIMITS = Limits()


class PocketError(Exception):
    """A call failed. `str()` says what happened and what to do, and holds no key and no token.

    `status`: of HTTP, 0 without an answer. `code`: X-Error-Code, 0 when there was none. `message`: the server's
    words. `limits`: its headers. `done`: results of a `send`'s batches that had passed before this one failed.
    """

    advice: ClassVar[str] = ""

    def __init__(self, message: str, *, status: int = 0, code: int = 0, limits: Limits = _NO_LIMITS) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.limits = limits
        self.done: tuple[ActionResult, ...] = ()

    def __str__(self) -> str:
        numbers = [f"HTTP {self.status}"] * bool(self.status) + [f"code {self.code}"] * bool(self.code)
        where = f" ({', '.join(numbers)})" if numbers else ""
        return f"{self.message}{where}" + (f": {self.advice}" if self.advice else "")


class UnreachableError(PocketError):
    """No answer. `sent` is False when no byte of the request can have left."""

    advice = "try again later"

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class NotPocketError(PocketError):
    advice = "check the address of the server; a captive portal or a proxy may stand in between"


class UnexpectedReplyError(PocketError):
    advice = "nothing is known about what the call did"


class InvalidRequestError(PocketError):
    advice = "the request will not be taken as it is"


class TooLargeError(InvalidRequestError):
    advice = "ask for fewer items or send fewer actions at once"


class AccessTokenError(PocketError):
    advice = "sign in again"


class UsernameTakenError(PocketError):
    advice = "choose another name"


class ConsumerKeyError(PocketError):
    advice = "check the consumer key of the application"


class PermissionDeniedError(PocketError):
    advice = "the application or the account may not do this"


class RateLimitError(PocketError):
    advice = "wait before the next call"


class MaintenanceError(PocketError):
    advice = "wait, the service is down for maintenance"


class ServerError(PocketError):
    advice = "the service failed, try again later"


class SignInError(PocketError):
    advice = "begin the sign-in again"


class RedirectError(SignInError):
    advice = "give the redirect address the sign-in began with"


class CodeError(SignInError):
    advice = "ask for a new request token"


class CodeUsedError(SignInError):
    advice = "a code works once, ask for a new request token"


class NotApprovedError(SignInError):
    advice = "the user must first approve at the authorize address"


_LIMIT_CODES = frozenset({4, 5})
_LIMIT_WORDS = ("rate limit", "too many requests", "limit exceeded", "exceeded the limit")

_BY_CODE: dict[int, type[PocketError]] = {
    **dict.fromkeys((107, 136, 341, 4108, 4109, 4186, 4187), AccessTokenError),
    **dict.fromkeys((132, 138, 152, 4010, 4011, 4013, 4014, 4015, 4138, 4152), ConsumerKeyError),
    **dict.fromkeys((4016, 4017, 4155, 5200), PermissionDeniedError),
    **dict.fromkeys((140, 181, 4140, 4181), RedirectError),
    **dict.fromkeys((182, 185, 4154, 4182, 4185), CodeError),
    **dict.fromkeys((159, 4110, 4159), CodeUsedError),
    **dict.fromkeys((158, 4158), NotApprovedError),
    **dict.fromkeys((198, 199), ServerError),
    **dict.fromkeys(_LIMIT_CODES, RateLimitError),
}
_BY_STATUS: dict[int, type[PocketError]] = {
    400: InvalidRequestError,
    401: AccessTokenError,
    403: PermissionDeniedError,
    413: TooLargeError,
    422: InvalidRequestError,
    429: RateLimitError,
    503: MaintenanceError,
}


def error_of(status: int, limits: Limits, body: str) -> PocketError:
    """The error an answer with this status means; `body` is what it said beside the headers.

    Pocket says 403 both for missing rights and for a reached limit: no call left, or the words, make the difference.
    """
    return _kind(status, limits)(
        limits.error or body or "the server gave no reason", status=status, code=limits.code, limits=limits
    )


def _kind(status: int, limits: Limits) -> type[PocketError]:
    by_code = _BY_CODE.get(limits.code)
    if by_code and issubclass(by_code, SignInError):
        return by_code
    if status == 403 and (limits.exhausted or any(words in limits.error.lower() for words in _LIMIT_WORDS)):
        return RateLimitError
    if status in (429, 503):
        return _BY_STATUS[status]
    if by_code and status >= 400:
        return by_code
    return _BY_STATUS.get(status) or (ServerError if status >= 500 else NotPocketError)
