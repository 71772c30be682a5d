"""All requests of the corpus, each to a hook of its own and of its sender's kind, and what should come of them.

They are sent as they are. Only a time stamp that a signature covers is years old by now on the clock of a real process.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bridge.scan import web_addresses
from tests.real_input._case import Case, Difference, Door, Wanted, canonicals
from tests.real_input._process import Arrived
from tests.sources.webhook_corpus import Row, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One request of the corpus and the answer it got."""

    name: str
    row: Mapping[str, Any]
    status: int
    answer: Mapping[str, Any]


def rules(corpus: Path, folder: Path) -> str:
    """The rule file's section; the secrets lie in files in `folder`."""
    return "hooks:\n" + "".join(f"  - {json.dumps(_written(row, folder))}\n" for row in _sendable(corpus))


def _written(row: Row, folder: Path) -> dict[str, Any]:
    secret = folder / f"{row.name}.secret"
    secret.write_text(row.secret, "utf-8")
    return {**row.hook, "secret": {"file": str(secret)}}


def _sendable(corpus: Path) -> list[Row]:
    """Without the extra that checks Ed25519, a hook that needs it cannot be set up."""
    curve = importlib.util.find_spec("cryptography") is not None
    return [row for row in rows(corpus) if curve or row.hook["kind"] != "discord"]


async def deliver(corpus: Path, origin: str) -> list[Given]:
    async with httpx.AsyncClient(base_url=origin, trust_env=False, timeout=30.0) as client:
        return [await _sent(client, row) for row in _sendable(corpus)]


async def _sent(client: httpx.AsyncClient, row: Row) -> Given:
    headers = {name: value for name, value in row.row["headers"].items() if name.lower() != "content-length"}
    answer = await client.request(row.row["method"], row.address, content=row.body, headers=headers)
    said = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    return Given(name=row.name, row=row.row, status=answer.status_code, answer=said if isinstance(said, dict) else {})


def door(given: Sequence[Given], arrived: Iterable[Arrived]) -> Door:
    arrivals = [one for one in arrived if one.source in ("hook", "save")]
    result = Door("webhooks", f"{len(given)} requests")
    for arrival in arrivals:
        result.found.setdefault(arrival.channel, []).extend(arrival.links)
    for one in given:
        result.cases.append(_case(one))
        result.notes[f"answered {one.status}"] += 1
    result.balance.update(
        {
            "acknowledged (202, 422)": sum(one.status in (202, 422) for one in given),
            "arrivals of webhooks": len(arrivals),
        }
    )
    result.differences += _wrong_answers(given)
    return result


def _wrong_answers(given: Iterable[Given]) -> Iterator[Difference]:
    """Requests whose answer is none of those its row allows."""
    for one in given:
        wanted = one.row["expect"].get("status", 401 if one.row["expect"].get("auth") == "reject" else "")
        if wanted and not any(_fits(one.status, choice) for choice in str(wanted).replace(",", "/").split("/")):
            yield Difference(one.name, "other", f"answer {wanted}", f"answer {one.status}", _reason(one, "", ""))


def _fits(status: int, wanted: str) -> bool:
    return wanted.strip().partition(" ")[0] in (str(status), f"{status // 100}xx")


def _case(given: Given) -> Case:
    links = [link for url in given.row["expect"].get("urls", ()) if (link := Wanted.any_of([url], stated=True))]
    return Case(
        name=given.name,
        wanted=links,
        explain=lambda wanted, found: _reason(given, wanted, found),
    )


def _reason(given: Given, wanted: str, found: str) -> str:
    if given.status == 401 and "now" in given.row.get("auth", {}):
        return "the time stamp under the signature is too old on a real clock (401)"
    if given.status == 415 and "or 415" in given.row["expect"].get("note", ""):
        return "a packed body is refused (415), which the row allows"
    if found and "urls" not in given.row["expect"] and found in canonicals(web_addresses(given.row.get("body", ""))):
        return "nothing is stated; the link stands in the body"
    return ""
