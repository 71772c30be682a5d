"""Budgets: what a service's limits leave, and when the next call may go. Pure; times are ours.

A scope is whom a limit holds for, named by its connection: "user:…", "key:…", "service:…". A call spends from all its
scopes. Calls are spread over the window, so that the limit is used and not hit: who wants to call is promised the next
free moment, and those who share a scope take turns. Headers correct what is left downward, never upward.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.pocket.limits import LONGEST_WAIT, Limits, bounded, date_of, to_go, whole

UNSAID_WAIT = 60.0
"""Seconds to wait at a limit that did not say how long."""

MARGIN = 1.0
"""Headers speak in whole seconds: a window is waited for that much longer."""

_HOUR = 3600.0
_JUMP = 60.0
_LONGEST_WINDOW = LONGEST_WAIT
_MOST = 10**12
_SPOKEN = re.compile(
    r"(?i)\b(?:in|after|for|wait)\s+(\d{1,7}(?:\.\d+)?)\s*(ms|s|sec|seconds?|m|min|minutes?|h|hours?)\b"
)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_ITEM = re.compile(r'^\s*(?:"[^"]*"|[^\s;,="]+)\s*((?:;\s*[a-z*][a-z0-9_.*-]*\s*=\s*[^;,]*)+)', re.IGNORECASE)
_PAIR = re.compile(r";?\s*([a-z*][a-z0-9_.*-]*)\s*=\s*(-?\d{1,15})\b", re.IGNORECASE)


def scope(kind: str, host: str, *secrets: str) -> str:
    """The name of whom a limit holds for, the same wherever the secrets are; they cannot be read from it."""
    digest = hashlib.sha256("\n".join(secrets).encode()).hexdigest()
    return f"{kind}:{host}/{digest[:10]}"


@dataclass(frozen=True, slots=True)
class Said:
    """What one answer said about one scope. None: not said. `reset` is in seconds to go."""

    most: int | None = None
    remaining: int | None = None
    reset: float | None = None
    lasts: float | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What the answers of some calls said, by the kind of scope; "" is the first one a connection names.

    `wait`: Retry-After in seconds.
    """

    said: Mapping[str, Said] = field(default_factory=dict)
    wait: float | None = None


def read(headers: Mapping[str, str], *, now: float) -> Heard:
    """The headers of any service. Never raises: what is malformed counts as not said, negative counts as 0, and
    nothing is longer than a day. Times of day are compared with the server's own `Date`.

    >>> read({"X-RateLimit-Limit": "120", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "30"}, now=0.0).said[""]
    Said(most=120, remaining=7, reset=30.0, lasts=None)
    >>> read({"RateLimit": \'"hour";r=50;t=30\', "RateLimit-Policy": \'"hour";q=100;w=60\'}, now=0.0).said[""]
    Said(most=100, remaining=50, reset=30.0, lasts=60.0)
    >>> read({"Retry-After": "90"}, now=0.0).wait
    90.0
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    server_now = date_of(lower.get("date", "")) or now
    limits = Limits.of(lower, now=now)
    pockets = {"user": limits.user, "key": limits.key}
    said = {kind: Said(quota.limit, quota.remaining, quota.reset, _HOUR) for kind, quota in pockets.items()}
    plain = (_plain(lower, family, server_now) for family in ("ratelimit", "x-ratelimit"))
    said[""] = next((one for one in (_structured(lower), *plain) if one.remaining is not None), Said())
    return Heard({kind: one for kind, one in said.items() if one.remaining is not None}, limits.retry_after)


def wait_in(text: str) -> float | None:
    """The wait that words name, in seconds.

    >>> wait_in("Rate limit exceeded. Try again in 58 seconds."), wait_in("Too many requests")
    (58.0, None)
    """
    found = _SPOKEN.search(text)
    if found is None:
        return None
    unit = found[2].lower()
    return bounded(float(found[1]) * _UNITS[unit if unit in _UNITS else unit[0]])


def _structured(said: Mapping[str, str]) -> Said:
    """RateLimit and RateLimit-Policy as in the draft of 2025: the policy that leaves least."""
    policies = [dict(pairs) for pairs in _items(said.get("ratelimit-policy", ""))]
    parts = [dict(pairs) for pairs in _items(said.get("ratelimit", ""))]
    known = [part for part in parts if "r" in part]
    if not known:
        return Said()
    part = min(known, key=lambda one: one["r"])
    policy = policies[parts.index(part)] if len(policies) == len(parts) else policies[0] if len(policies) == 1 else {}
    return Said(policy.get("q"), part["r"], _seconds(part.get("t")), _seconds(policy.get("w")))


def _items(value: str) -> list[list[tuple[str, int]]]:
    found = [_ITEM.match(item) for item in value.split(",")]
    return [[(name.lower(), max(0, int(n))) for name, n in _PAIR.findall(item[1])] for item in found if item]


def _plain(said: Mapping[str, str], family: str, server_now: float) -> Said:
    """RateLimit-* and X-RateLimit-*, whose limit may carry its policy: `100, 100;w=60`."""
    most, _, policy = said.get(f"{family}-limit", "").partition(",")
    window = re.search(r"\bw\s*=\s*(\d{1,9})", policy or said.get("ratelimit-policy", ""))
    reset = whole(said.get(f"{family}-reset", ""))
    return Said(
        _count(whole(most.strip())),
        _count(whole(said.get(f"{family}-remaining", ""))),
        None if reset is None else to_go(reset, server_now),
        float(window[1]) if window else None,
    )


def _count(number: int | None) -> int | None:
    return None if number is None else min(max(0, number), _MOST)


def _seconds(number: int | None) -> float | None:
    return None if number is None else bounded(number)


@dataclass(frozen=True, slots=True)
class Budget:
    """One scope. Nothing is known while `most` or `resets` is 0: then calls go as they come.

    `remaining`: calls of the window not yet promised to anybody; `promised`: the moments of those without an answer;
    `next_at`: the next free moment; `blocked`: no call before; `noted`: when this was true.
    When all of the present window is promised, this is the one after it, and `spare` what was kept back of the present.
    """

    scope: str
    most: int = 0
    remaining: int = 0
    spare: int = 0
    resets: float = 0.0
    lasts: float = 0.0
    next_at: float = 0.0
    blocked: float = 0.0
    noted: float = 0.0
    promised: tuple[float, ...] = ()

    @property
    def kind(self) -> str:
        return self.scope.partition(":")[0]

    @property
    def known(self) -> bool:
        return self.most > 0 and self.resets > 0

    @property
    def begins(self) -> float:
        return self.resets - self.lasts

    def unanswered(self, resets: float, lasts: float) -> int:
        """The calls promised for a window and not answered yet."""
        return sum(resets - lasts <= moment < resets + MARGIN for moment in self.promised)

    def usable(self, reserve: float) -> int:
        """Calls that need not be kept for what a person sends by hand."""
        return self.remaining - int(self.most * reserve)


def at(budget: Budget, now: float) -> Budget:
    """The budget now: after a clock that went backwards, and in the window that has begun meanwhile."""
    back = budget.noted - now
    if back > _JUMP:
        # Waits are as long as they were, whatever the clock says: a service knows nothing of it.
        budget = replace(
            budget,
            resets=max(0.0, budget.resets - back),
            next_at=max(0.0, budget.next_at - back),
            blocked=max(0.0, budget.blocked - back),
            noted=now,
        )
    spare = budget.spare if budget.begins > now else 0
    budget = replace(budget, noted=max(budget.noted, now), spare=spare)
    return _rolled(budget, now) if budget.known and now >= budget.resets + MARGIN else budget


def _rolled(budget: Budget, moment: float) -> Budget:
    """The window that `moment` lies in, all of it free."""
    lasts = max(budget.lasts, MARGIN)
    windows = max(1.0, (moment - MARGIN - budget.resets) // lasts + 1)
    resets = budget.resets + windows * lasts
    return replace(budget, remaining=budget.most, spare=0, resets=resets, next_at=resets - lasts + MARGIN)


def earliest(budget: Budget, now: float, *, by_hand: bool, reserve: float) -> float:
    """When the next call may go. What is sent by hand waits for no turn and may use the reserve."""
    moment = max(now, budget.blocked)
    if not budget.known:
        return moment
    if by_hand and budget.begins > now:
        return moment if budget.spare > 0 else max(moment, budget.begins + MARGIN)
    moment = moment if by_hand else max(moment, budget.next_at)
    left = budget.remaining if by_hand else budget.usable(reserve)
    # Nobody can tell to which window a call at its very end will count.
    return moment if left > 0 and moment <= budget.resets - MARGIN else max(moment, budget.resets + MARGIN)


def promise(budget: Budget, moment: float, *, turn: float | None, reserve: float) -> Budget:
    """The budget after a call was promised for `moment`.

    The next turn is one step after `turn`, the one that was taken; None: it was by hand, nobody's turn.
    """
    budget = replace(budget, promised=(*budget.promised, moment))
    if not budget.known:
        return budget
    if turn is None and budget.begins > moment:
        return replace(budget, spare=max(0, budget.spare - 1))
    if turn is None:
        return replace(budget, remaining=max(0, budget.remaining - 1))
    if moment >= budget.resets + MARGIN:
        spare = budget.remaining if moment < budget.resets + budget.lasts else 0
        budget, turn = replace(_rolled(budget, moment), spare=spare), moment
    step = (budget.resets - MARGIN - turn) / max(1, budget.usable(reserve))
    next_at = max(budget.next_at, turn) + max(0.0, step)
    return replace(budget, remaining=budget.remaining - 1, next_at=next_at)


def given_back(budget: Budget, moment: float) -> Budget:
    """A promise for `moment` was not used."""
    budget = without(budget, moment)
    if not budget.known or not budget.begins <= moment < budget.resets + MARGIN:
        return budget
    return replace(budget, remaining=min(budget.most, budget.remaining + 1))


def without(budget: Budget, moment: float) -> Budget:
    """A promise for `moment` is no longer unanswered."""
    promised = list(budget.promised)
    if moment in promised:
        promised.remove(moment)
    return replace(budget, promised=tuple(promised))


def answered(budget: Budget, heard: Heard, now: float, *, first: bool = True) -> Budget:
    """The budget after a call was answered. `first`: its connection names it first."""
    for kind, said in heard.said.items():
        if kind == budget.kind or (kind == "" and first):
            budget = _corrected(budget, said, now)
    return budget


def _corrected(budget: Budget, said: Said, now: float) -> Budget:
    if said.remaining is None or said.reset is None:
        return budget
    resets = now + bounded(said.reset)
    lasts = min(_LONGEST_WINDOW, max(said.lasts or 0.0, said.reset, budget.lasts if said.lasts is None else 0.0))
    most = said.most or max(budget.most, said.remaining + 1)
    slack = min(lasts / 4, max(5.0, lasts / 50))
    if budget.known and abs(resets - budget.begins) <= slack:
        # The answer is of the window before; that none is left in it holds for what is promised of it too.
        shut = resets + MARGIN if said.remaining == 0 else 0.0
        return replace(budget, blocked=max(budget.blocked, shut), spare=min(budget.spare, said.remaining))
    left = max(0, said.remaining - budget.unanswered(resets, lasts + slack))
    if budget.known and abs(resets - budget.resets) <= slack:
        return replace(
            budget,
            most=most,
            remaining=min(budget.remaining, left),
            resets=max(budget.resets, resets),
            lasts=lasts,
        )
    next_at = min(max(budget.next_at, now), resets)
    return replace(budget, most=most, remaining=min(left, most), resets=resets, lasts=lasts, next_at=next_at)


def blocked(budget: Budget, until: float) -> Budget:
    """No call before a time, as an answer at the limit said."""
    return replace(budget, blocked=max(budget.blocked, until), next_at=max(budget.next_at, until))


def used_up_until(told: Sequence[Mapping[str, Any]], scopes: Collection[str], now: float) -> float:
    """When there is something again for who needs a call of each of these scopes; 0.0 when there is something now.

    `told`: budgets as plain data (scope, left, resets, blocked), as `status` shows them.
    """
    ours = [one for one in told if one["scope"] in scopes]
    ends = [one["blocked"] for one in ours] + [one["resets"] for one in ours if one["limit"] and one["left"] <= 0]
    return max((end for end in ends if end > now), default=0.0)


@dataclass(frozen=True, slots=True)
class Turn:
    """When a connection may call, and its scopes with that written down.

    `kept`: the moment a call was promised for, until it is answered.
    """

    moment: float
    kept: float | None
    budgets: tuple[Budget, ...]


def turn(budgets: Sequence[Budget], kept: float | None, now: float, *, by_hand: bool, reserve: float) -> Turn:
    """The turn of a connection that has something to send; `kept` is what it was promised before.

    A moment that is now is promised and taken. One that is later is promised where its scopes can tell by themselves;
    where only another scope makes it wait, it comes back then.
    """
    budgets = [at(one, now) for one in budgets]
    if by_hand and all(earliest(one, now, by_hand=True, reserve=0.0) <= now for one in budgets):
        taken = [promise(one, now, turn=None, reserve=reserve) for one in budgets]
        return Turn(now, now if kept is None else kept, tuple(taken))
    if kept is not None:
        over = any(one.known and kept < one.begins <= now for one in budgets)
        if not over and all(one.blocked <= max(now, kept) for one in budgets):
            return Turn(max(now, kept), kept, tuple(budgets))
        budgets = [given_back(one, kept) for one in budgets]
    moments = [earliest(one, now, by_hand=False, reserve=reserve) for one in budgets]
    moment = max(moments, default=now)
    if any(_forced(one, own, moment) for one, own in zip(budgets[1:], moments[1:], strict=True)):
        return Turn(moment, None, tuple(budgets))
    taken = [promise(one, moment, turn=own, reserve=reserve) for one, own in zip(budgets, moments, strict=True)]
    return Turn(moment, moment, tuple(taken))


def _forced(budget: Budget, own: float, moment: float) -> bool:
    """Whether the moment lies beyond a window that others may still use."""
    return budget.known and own < budget.resets + MARGIN <= moment


def at_fault(budgets: Sequence[Budget], heard: Heard) -> Sequence[str]:
    """The scopes whose limit an answer met: those it says are used up, or the first where it says nothing."""
    empty = {kind for kind, said in heard.said.items() if said.remaining == 0}
    named = [one.scope for number, one in enumerate(budgets) if one.kind in empty or ("" in empty and number == 0)]
    return named or [one.scope for one in budgets[:1]]
