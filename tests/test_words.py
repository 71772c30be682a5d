"""Answers in words: what a person reads on a terminal."""

from __future__ import annotations

from typing import Any

import click
import pytest

from bridge.words import links, people, running

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
    answer: dict[str, Any] = {
        "sources": (),
        "connections": (),
        "arrivals": {},
        "sightings": {},
        "without_connection": {},
    }
    answer |= {"waiting_for_pages": 0, "budgets": [budget], "rules": {}}
    assert list(running.status(answer))[-1] == "budget     user at getpocket.com: 12 of 320 calls left"
