"""What is wrong with a feed since when, in plain words, and the command or the line that mends it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from bridge.ports import DAY, Backlog
from bridge.sources.feeds.followers import Follower
from bridge.sources.feeds.state import FeedState

LONG_SILENCE = 180 * DAY
LONG_FAILURE = 14 * DAY

_STATUS = re.compile(r"answered (\d{3})")


@dataclass(frozen=True, slots=True)
class Finding:
    """`since` is 0 when nobody knows; not `bad`: it is only worth knowing. `mend` is what a person can do."""

    problem: str
    since: float
    mend: str
    bad: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A feed as it is. `file` is the rule file's name; `missing` are destinations it names and that there are not."""

    follower: Follower
    state: FeedState
    backlog: Backlog | None
    missing: tuple[str, ...]
    file: str


def findings(case: Case, now: float) -> list[Finding]:
    """The worst first; empty for a feed that is well."""
    return [
        finding
        for look in (_gone, _failing, _idle, _lost, _moved, _odd, _waiting, _silent)
        for finding in look(case, now)
    ]


def _gone(case: Case, _now: float) -> Iterator[Finding]:
    if case.state.gone:
        yield Finding("is gone for good (its server answered 410)", case.state.polled, _removal(case))


def _failing(case: Case, now: float) -> Iterator[Finding]:
    state = case.state
    if state.failures and not state.gone:
        yield Finding(state.last_error, state.failing_since, _mended(case, now))


def _mended(case: Case, now: float) -> str:
    error, site = case.state.last_error, _site(case.follower.feed.url)
    found = _STATUS.search(error)
    status = found[1] if found else ""
    if "private network" in error:
        return "if it is in your own network, set BRIDGE_ALLOW_NETS to that network and start again"
    if status in ("401", "403") and "guard" not in error:
        return f"it wants a password or refuses readers: give it “auth” or “headers” in {case.file} (docs/feeds.md)"
    if status == "404" or "web page" in error or "not a feed" in error or "the name" in error:
        return f"look for its new address: pocket-bridge feeds add {site} --dry-run; then: {_removal(case)}"
    if now - case.state.failing_since > LONG_FAILURE:
        return f"it may be dead: {_removal(case)}"
    return "nothing yet: it is tried again by itself, less and less often"


def _site(url: str) -> str:
    """Where its site begins, without a name and password that stand in the address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"


def _idle(case: Case, now: float) -> Iterator[Finding]:
    state = case.state
    due = state.next_poll if state.polled else now - DAY
    if not state.gone and now - due >= DAY:
        words = "has not been asked since it was due" if state.polled else "was never asked yet"
        yield Finding(words, due if state.polled else 0.0, "pocket-bridge run")


def _lost(case: Case, _now: float) -> Iterator[Finding]:
    for name in case.missing:
        line = f"line {case.follower.feed.line} of {case.file}"
        add = f"pocket-bridge feeds remove '{case.follower.feed.name}', and add it again without --to"
        yield Finding(
            f"goes to “{name}”, and there is no such destination; its links go to the default",
            0.0,
            f"correct “to” in {line}" if case.follower.in_file else add,
        )


def _moved(case: Case, _now: float) -> Iterator[Finding]:
    moved, feed = case.state.moved, case.follower.feed
    if moved and not case.state.gone:
        mend = (
            f"write {moved} in line {feed.line} of {case.file}" if case.follower.in_file else "nothing: it is followed"
        )
        yield Finding(f"has moved for good to {moved}", 0.0, mend, bad=False)


def _odd(case: Case, now: float) -> Iterator[Finding]:
    state = case.state
    if state.remark and not state.failures:
        yield Finding(state.remark, state.polled, "nothing: the rest comes with the next complete one", bad=False)
    if now - state.churned < 30 * DAY:
        words = "gave new ids to entries that are known"
        yield Finding(
            words, state.churned, "nothing: they were known by their addresses, none was sent again", bad=False
        )


def _waiting(case: Case, _now: float) -> Iterator[Finding]:
    if case.backlog:
        name, number = case.follower.feed.name, case.backlog.number
        words = f"has more than it may give at once: {number} {'entry waits' if number == 1 else 'entries wait'}"
        yield Finding(words, 0.0, f"they come by themselves; all now: pocket-bridge feeds release '{name}'", bad=False)


def _silent(case: Case, now: float) -> Iterator[Finding]:
    state = case.state
    patience = max(LONG_SILENCE, 10 * state.rhythm)
    if state.newest and not state.failures and not state.gone and now - state.newest > patience:
        yield Finding("has published nothing", state.newest, f"if it is dead: {_removal(case)}", bad=False)


def _removal(case: Case) -> str:
    feed = case.follower.feed
    if case.follower.in_file:
        return f"delete its entry, which begins in line {feed.line} of {case.file}"
    return f"pocket-bridge feeds remove '{feed.name}'"
