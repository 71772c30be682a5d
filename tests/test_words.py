"""Answers in words: what a person reads on a terminal."""

from __future__ import annotations

import re
from typing import Any

import click
import pytest

from bridge.words import links, operations, people, running

NOW = 1_790_000_000.0


def taken(state: str, deliveries: dict[str, tuple[str, str]]) -> dict[str, Any]:
    link = {"url": "https://a.example/", "title": "", "tags": [], "state": state, "since": NOW, "reason": ""}
    return {"state": "read", "reason": "", "links": [{**link, "deliveries": deliveries}]}


@pytest.mark.parametrize("state", ["kept", "duplicate"])
def test_what_every_connection_refused_is_not_called_saved(state: str) -> None:
    answer = taken(state, {"there": ("dead", "400: no"), "other": ("dead", "400: no")})
    told = "\n".join(links.added(answer))
    assert "saved" not in told
    assert "refused: https://a.example/" in click.unstyle(told)
    assert not links.is_saved(answer)


def test_what_one_connection_took_is_saved() -> None:
    answer = taken("kept", {"there": ("dead", "400: no"), "reading": ("delivered", "")})
    assert "saved: https://a.example/" in click.unstyle("\n".join(links.added(answer)))
    assert links.is_saved(answer)


def test_what_a_rule_dropped_was_done_as_asked() -> None:
    assert links.is_saved(taken("dropped", {}))


def way(due: float, tries: int = 1) -> str:
    attempt = {"at": NOW - 60, "seconds": 0.1, "outcome": "pending", "detail": "no answer"}
    delivery = {"id": 1, "connection": "there", "state": "pending", "because": "no answer", "due": due, "tags": []}
    answer = {"canonical": "https://a.example/", "since": NOW, "refused": [], "marked": [], "waiting": [], "item": None}
    delivery |= {"changed": NOW, "remote_id": "", "tries": [attempt] * tries}
    return "\n".join(links.passport({**answer, "sightings": [], "deliveries": [delivery]}, now=NOW))


def test_only_what_lies_ahead_is_due() -> None:
    assert "due " in way(NOW + 60)
    assert "due " not in way(NOW - 60)


def test_a_reason_is_told_once() -> None:
    assert way(NOW + 60, tries=3).count("no answer") == 1
    assert way(NOW + 60, tries=0).count("no answer") == 1


def test_lists_have_headings_and_columns_of_one_width() -> None:
    apps = [{"consumer_key": "1-a", "permissions": "amd", "name": "Reader"}]
    apps.append({"consumer_key": "12345-abcdef", "permissions": "a", "name": "Saver"})
    lines = [click.unstyle(line) for line in people.apps({"apps": apps})]
    assert lines[0].split() == ["consumer", "key", "may", "name"]
    assert lines[0].index("name") == lines[1].index("Reader") == lines[2].index("Saver")


def test_a_trial_begins_with_its_first_link() -> None:
    decision = {"dropped_by": "", "title": "", "to": ["reading"], "tags": []}
    link = {"url": "https://a.example/", "title": "", "rules": [], "decision": decision}
    assert click.unstyle(links.trial({"links": [link]})[0]) == "https://a.example/"


@pytest.mark.parametrize(("number", "told"), [(1, "1 link is sent"), (2, "2 links are sent")])
def test_one_is_singular(number: int, told: str) -> None:
    assert told in running.retried({"connection": "there", "retried": number})[0]


def test_a_budget_is_told_without_the_digest_of_its_credential() -> None:
    budget = {"scope": "user:getpocket.com/0a1b2c3d4e", "limit": 320, "left": 12, "resets": 0.0, "blocked": 0.0}
    budget["connections"] = ["there"]
    answer: dict[str, Any] = {
        "sources": (),
        "connections": (),
        "arrivals": {},
        "sightings": {},
        "without_connection": {},
        "now": NOW,
    }
    answer |= {"waiting_for_pages": 0, "budgets": [budget], "rules": {}}
    assert list(running.status(answer))[-1] == "limit      12 of 320 calls left for your account at getpocket.com"


LONG = "https://example.com/articles/2026/a-rather-long-address-of-a-page-that-people-save/and-read.html"
NAMES = ("reading", "work-list", "wallabag-at-home")


def connection(name: str, **more: Any) -> dict[str, Any]:
    usual = {"name": name, "state": "active", "because": "", "not_before": 0.0, "limited": 0.0, "done": None}
    usual |= {"failures": 0, "sign_in": ""}
    return usual | {"there": True, "oldest": NOW, "deliveries": {}, "states": {}} | more


def troubled() -> list[dict[str, Any]]:
    """A connection at which all is well, a paused one, and one whose limit is used up."""
    states = {"pending": 1204, "dead": 3, "leased": 30}
    because = "no such token (HTTP 401, code 107): sign in again"
    return [
        connection(NAMES[0], deliveries={"delivered": 6}),
        connection(NAMES[1], state="paused", because=because, deliveries=states, states=states),
        connection(NAMES[2], limited=NOW + 600, done=NOW + 9000, deliveries=states, states=states),
    ]


def told_of_troubles() -> dict[str, list[str]]:
    link = {"id": 7, "state": "pending", "due": NOW, "because": "new", "url": LONG, "title": "A page", "changed": NOW}
    reason = "Unprocessable Entity: the page cannot be parsed as an article, and this is a longer story"
    links = [link | {"connection": name} for name in NAMES]
    budgets = [
        {
            "scope": f"{kind}:getpocket.example.com/0a1b2c",
            "limit": 10_000,
            "left": 0,
            "resets": NOW + 600,
            "blocked": 0.0,
            "connections": ["there"],
        }
        for kind in ("user", "key")
    ]
    status = {
        "sources": [{"name": "feeds", "on": True, "words": ["none is followed yet: " + "and so on " * 12]}],
        "arrivals": {"read": 6},
        "sightings": {"kept": 6},
        "connections": troubled(),
        "without_connection": {},
        "waiting_for_pages": 2,
        "budgets": budgets,
        "rules": {},
        "now": NOW,
    }
    fates = {"delivered": 3, "waiting": 1204, "dead": 3, "cancelled": 1, "duplicate": 60}
    balances = [
        {"day": 20_000 + day, "source": "telegram", "counted": 1288, "became": fates, "missing": 0} for day in range(2)
    ]
    read = [balance | {"became": {"read": 1288}} for balance in balances]
    told = {
        "status": running.status(status),
        "queue": operations.queue({"connections": troubled(), "links": links, "now": NOW}),
        "dead": operations.dead({"links": [one | {"state": "dead", "because": reason} for one in links]}),
        "audit": operations.audited({"arrivals": read, "sightings": balances, "balances": True}, by_day=True),
    }
    return {command: [click.unstyle(line) for line in lines] for command, lines in told.items()}


@pytest.mark.parametrize("command", ["status", "queue", "dead", "audit"])
def test_what_is_told_is_no_wider_than_a_terminal_but_for_addresses(command: str) -> None:
    assert [line for line in told_of_troubles()[command] if len(line) > 80 and line.split() != [LONG]] == []


def test_what_is_told_says_what_keeps_a_connection_and_what_mends_it() -> None:
    told = told_of_troubles()
    for command in ("status", "queue"):
        words = " ".join(" ".join(told[command]).split())
        assert "paused: no such token (HTTP 401, code 107): sign in again" in words
        assert "-> pocket-bridge resume work-list, when it is mended" in words
        assert re.search("waits until 2026-[-0-9]+ [0-9:]+: its limit is used up", words)
    assert "-> pocket-bridge dead work-list tells why" in " ".join(told["status"])
    assert told["queue"][-4].split()[:3] == ["7", "wallabag-at-home", "waiting"]
    assert "now" not in told["queue"][-4]


def test_texts_stand_in_one_column_however_long_a_name_is() -> None:
    told = told_of_troubles()["status"]
    texts = [
        line.index(words) for line in told for words in ("6 read", "6 delivered", "2 arrivals wait") if words in line
    ]
    assert len(texts) == 3
    assert len(set(texts)) == 1
    queue = told_of_troubles()["queue"]
    assert queue[0].index("nothing waits") == queue[1].index("1204 waiting")


def test_columns_in_which_nothing_is_are_left_out_of_the_books() -> None:
    told = told_of_troubles()["audit"]
    assert told[1].split() == ["day", "source", "came", "read"]
    assert "refused" in told[5]
    assert "unknown" not in told[5]


@pytest.mark.parametrize(
    ("levels", "last"),
    [(["ok"], "all is well"), (["ok", "note"], "nothing to mend"), (["note", "wrong"], "1 thing to mend")],
)
def test_the_doctor_ends_with_what_is_to_be_done(levels: list[str], last: str) -> None:
    findings = [{"level": level, "what": "so it is", "mend": ""} for level in levels]
    assert list(operations.examined({"findings": findings}))[-1] == last
