"""All requests of the corpus, each to a hook of its own, and what should come of them.

The corpus' tokens become the owner's, in the header that the door reads: `Bearer tok` and `?token=tok` alike.
A request that its sender signed gets the owner's token as well, for what a signature is worth is not known here yet;
one that must be refused is sent as it is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx

from tests.real_input._case import Case, Difference, Door, Wanted
from tests.real_input._process import OWNER_TOKEN, Arrived


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One request of the corpus and the answer it got."""

    name: str
    row: Mapping[str, Any]
    status: int
    answer: Mapping[str, Any]


async def deliver(folder: Path, origin: str) -> list[Given]:
    async with httpx.AsyncClient(base_url=origin, trust_env=False, timeout=30.0) as client:
        return [await _sent(client, row) for row in _rows(folder / "requests.jsonl")]


async def _sent(client: httpx.AsyncClient, row: Mapping[str, Any]) -> Given:
    path, _, query = row["path"].partition("?")
    fields = urlencode([pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "token"])
    path = f"/hooks/{row['id']}" if path.startswith("/hooks/") else path
    headers = {name: value for name, value in row["headers"].items() if name.lower() != "content-length"}
    if has_credentials(row):
        headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        headers["Authorization"] = f"Bearer {OWNER_TOKEN}"
    body = base64.b64decode(row["body_b64"]) if "body_b64" in row else row.get("body", "").encode()
    address = f"{path}?{fields}" if fields else path
    answer = await client.request(row["method"], address, content=body, headers=headers)
    said = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    return Given(name=row["id"], row=row, status=answer.status_code, answer=said)


def has_credentials(row: Mapping[str, Any]) -> bool:
    """It shows something by which its sender may be known, and is meant to be let in."""
    if row["expect"].get("auth") == "ok":
        return True
    authorized = any(name.lower() == "authorization" for name in row["headers"])
    return row["expect"].get("auth") != "reject" and (
        authorized or "token=tok" in row["path"] or "/key/tok" in row["path"]
    )


def door(given: Sequence[Given], arrived: Iterable[Arrived]) -> Door:
    arrivals = [one for one in arrived if one.source in ("hook", "save")]
    result = Door("webhooks", f"{len(given)} requests")
    for arrival in arrivals:
        result.found.setdefault(arrival.channel, []).extend(arrival.links)
    for one in given:
        result.cases.append(_case(one))
        result.notes[f"answered {one.status}"] += 1
        scheme = one.row.get("auth", {}).get("scheme", "bearer").partition(" ")[0]
        if has_credentials(one.row) and scheme != "bearer":
            result.notes[f"not yet: let in by the owner's token, {scheme} was not looked at"] += 1
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


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    return map(json.loads, file.read_text("utf-8").splitlines())


def _reason(given: Given, wanted: str, found: str) -> str:
    headers = {name.lower(): value for name, value in given.row["headers"].items()}
    if given.row["method"] == "GET" and given.status in (401, 404, 405):
        return "not yet: by GET, or at an address of its own kind, for which no hook is set up here"
    if given.status == 415 and "or 415" in given.row["expect"].get("note", ""):
        return "a packed body is refused (415), which the row allows"
    if found and headers.get("x-github-event") == "ping":
        return "not yet: an event of GitHub that brings no link is not known as such"
    if found and given.row["sender"] == "Karakeep":
        return "not yet: an operation of Karakeep that repeats a link is not known as such"
    if found and "urls" not in given.row["expect"] and found in given.row.get("body", ""):
        return "nothing is stated; the link stands in the body"
    return ""
