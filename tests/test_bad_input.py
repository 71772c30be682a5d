"""Bad input gets a clear answer, is kept for inspection where it was authenticated, and delays nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.responses import Response

from bridge.cli import cli
from tests.house import House, a_house, eventually, message

RULES = """
feeds:
  - {{name: html, url: "{feed}/html", start: all, interval: 1s}}
  - {{name: cut, url: "{feed}/cut", start: all, interval: 1s}}
  - {{name: passwd, url: "{feed}/passwd", start: all, interval: 1s}}
  - {{name: empty, url: "{feed}/empty", start: all, interval: 1s}}
  - {{name: bomb, url: "{feed}/bomb", start: all, interval: 1s}}
  - {{name: good, url: "{feed}/good", start: all, interval: 1s}}
"""

ITEM = "<item><title>{0}</title><link>https://{0}.example/</link><guid>{0}</guid></item>"
LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))

FEEDS = {
    "html": Response("<!DOCTYPE html><html><body>Please log in</body></html>", media_type="text/html"),
    "cut": Response(f"<rss version='2.0'><channel>{ITEM.format('whole')}<item><title>ha", media_type="text/xml"),
    "passwd": Response("/etc/passwd", media_type="text/xml"),
    "empty": Response("", media_type="text/xml"),
    "bomb": Response(f'<!DOCTYPE x [<!ENTITY a0 "ha">{LAUGHS}]><rss><channel><title>&a11;</title></channel></rss>'),
    "good": Response(f"<rss version='2.0'><channel>{ITEM.format('good')}</channel></rss>", media_type="text/xml"),
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path, rules=RULES, feeds=FEEDS) as opened:
        yield opened


REQUESTS: list[tuple[str, bytes, str, int, str]] = [
    ("application/json", b'{"title": "no link at all"}', "no link", 422, "no link"),
    ("application/json", b'{"url": "javascript:alert(1)"}', "a script", 422, "only http and https are saved"),
    ("application/json", b'{"url": "not a url"}', "words", 422, "not a url"),
    ("application/json", b'{"url": ', "broken JSON without a link", 422, "no link"),
    (
        "application/json",
        b'{"url": "https://broken.example/x", "title": "a "quote""}',
        "broken JSON",
        202,
        "broken.example",
    ),
    ("application/json", b"[" * 100_000, "depth", 422, "no link"),
    ("application/json", b'{"a": NaN, "a": Infinity, "url": 1e999}', "numbers", 422, ""),
    ("text/plain", b"word " * 200_000, "1 MB of text", 422, "no link"),
    ("text/plain", b"x" * (1024 * 1024 + 1), "more than 1 MB", 413, "1048576 bytes"),
    ("text/plain", b"\xff\xfe\x00\x01", "bytes", 422, "no link"),
    ("application/x-www-form-urlencoded", b"url=", "an empty field", 422, "no link"),
    ("multipart/form-data; boundary=B", b"--B\r\nbroken", "broken multipart", 422, ""),
    ("text/plain", b"/etc/passwd", "a path", 422, "no link"),
    ("", b"", "nothing", 422, "no link"),
]


@pytest.mark.parametrize(("kind", "body", "what", "status", "words"), REQUESTS, ids=[row[2] for row in REQUESTS])
async def test_a_request_is_answered_clearly_and_kept(
    house: House, kind: str, body: bytes, what: str, status: int, words: str
) -> None:
    answer = await house.http.post("/hooks/bad", content=body, headers={**house.owner, "Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert words in answer.text
    if status == 413:
        return

    async def taken() -> bool:
        arrivals = (await house.bridge.store.counts())["arrivals"]
        return bool(arrivals.get("parked", 0) + arrivals.get("read", 0)) and "new" not in arrivals

    await eventually(taken)


async def test_without_the_token_nothing_is_kept(house: House) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic b3duZXI6eA=="}):
        answer = await house.http.post("/save", data={"url": "https://example.com/"}, headers=headers)
        assert answer.status_code == 401
    assert (await house.why("https://example.com/"))["since"] is None


async def test_an_unparsable_update_in_the_middle_of_a_batch_is_parked_and_passed(house: House) -> None:
    house.bot.receive(message("https://before.example/"))
    for broken in ({"update_id": "seven"}, ["no", "object"], None, {"update_id": 5, "message": {"from": {"id": 42}}}):
        house.bot.receive_raw(broken)
    house.bot.receive(message("https://after.example/"))
    await house.item("https://before.example/")
    await house.item("https://after.example/")
    assert house.bot.pending == []

    async def parked() -> bool:
        return bool((await house.bridge.store.counts())["arrivals"].get("parked", 0) >= 3)

    await eventually(parked)


async def test_a_bad_feed_says_what_is_wrong_and_delays_no_other(house: House) -> None:
    await house.item("https://good.example/")
    quiet = {"good", "bomb"}

    async def told() -> bool:
        return all("failed" in line for name, line in (await conditions(house)).items() if name not in quiet)

    await eventually(told)
    lines = await conditions(house)
    assert "web page" in lines["html"]
    assert "cut off" in lines["cut"]
    assert "neither RSS, Atom nor JSON Feed" in lines["passwd"]
    assert "empty" in lines["empty"]
    assert not any("root:" in line for line in lines.values())
    assert set(await house.items()) == {"https://good.example/"}


async def conditions(house: House) -> dict[str, str]:
    sources = {source["name"]: source for source in await house.bridge.desk.sources()}
    return dict(line.split(": ", 1) for line in sources["feeds"]["words"])


FILES: list[tuple[str, str, str, str]] = [
    ("a tab", "rules:\n\t- name: a\n", "rules.yaml:2:1", "blanks"),
    ("an unknown key", "rulez: []\n", "rules.yaml:1:1", "Did you mean “rules”?"),
    ("a duplicate key", "rules: []\nrules: []\n", "rules.yaml:2:1", "line 1"),
    ("an empty block", "rules:\n  - name: a\n    if:\n    then: {tag: b}\n", "rules.yaml:3:8", "is empty"),
]


@pytest.mark.parametrize(("what", "text", "place", "words"), FILES, ids=[row[0] for row in FILES])
def test_a_broken_rule_file_is_told_with_its_place_and_what_would_be_right(
    what: str, text: str, place: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(text)
    result: Any = CliRunner().invoke(cli, ["check"])
    assert result.exit_code == 2
    assert place in result.output
    assert words in result.output
    assert "^" in result.output
