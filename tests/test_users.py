"""Users and applications: made on the command line, kept as hashes, each with a list of their own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bridge.accounts import fingerprint
from bridge.cli import cli
from tests.house import OWNER_TOKEN, House, a_house, eventually

KEY = "1234-app"
RULES = "rules:\n  - name: python\n    if: {{domain: python.example}}\n    then: {{tag: python}}\n"

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, said: str = "") -> Result:
        return CliRunner().invoke(cli, arguments, input=said)

    return invoke


def test_a_user_is_made_listed_changed_and_removed(run: Run) -> None:
    assert "ann can sign in" in run("users", "add", "ann", "--password-file", "-", said="correct horse\n").output
    assert "new password" in run("users", "passwd", "ann", said="battery staple\nbattery staple\n").output
    listed = run("users", "list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["me", "ann"]
    assert "the owner" in listed[0]

    assert run("users", "remove", "ann", said="n\n").exit_code == 1
    assert "is gone" in run("users", "remove", "ann", "--yes").output
    assert "ann" not in run("users", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "said", "words"),
    [
        (("users", "add", "Ann!"), "correct horse", "no user's name"),
        (("users", "add", "ann"), "short", "8 to 1000 characters"),
        (("users", "passwd", "bob"), "correct horse", "there is no user “bob”"),
        (("users", "remove", "bob", "--yes"), "", "there is no user “bob”"),
        (("users", "remove", "me", "--yes"), "", "the owner stays"),
        (("users", "tokens", "bob"), "", "there is no user “bob”"),
        (("users", "token", "me", "--app", "a b"), "", "no blanks"),
        (("users", "revoke", "7"), "", "there is no token 7"),
        (("apps", "add", "a b"), "", "no blanks"),
        (("apps", "add", KEY, "-p", "x"), "", "permissions are one or more"),
        (("apps", "remove", KEY), "", "no such application"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(run: Run, arguments: tuple[str, ...], said: str, words: str) -> None:
    run("apps", "add", "1-any")
    asks = arguments[:2] in (("users", "add"), ("users", "passwd"))
    result = run(*arguments, *(["--password-file", "-"] if asks else []), said=said)

    assert (result.exit_code, "Traceback" in result.output) == (2, False)
    assert words in result.output


def test_a_name_is_given_once(run: Run) -> None:
    run("users", "add", "ann", "--password-file", "-", said="correct horse")
    again = run("users", "add", "ann", "--password-file", "-", said="another password")
    assert again.exit_code == 2
    assert "there is a user ann already" in again.output


def test_a_token_is_shown_once_and_ends_by_its_number(run: Run) -> None:
    token = run("users", "token", "me", "--app", KEY).output.strip()
    listed = run("users", "tokens", "me", "--json").output
    assert token not in listed
    [known] = json.loads(listed)["tokens"]
    assert known["consumer_key"] == KEY

    assert "not taken any more" in run("users", "revoke", str(known["id"])).output
    assert "no application holds" in run("users", "tokens", "me").output


def test_applications_are_added_listed_and_removed(run: Run) -> None:
    assert "permissions ad" in run("apps", "add", KEY, "-n", "My app", "-p", "ad").output
    assert "My app" in run("apps", "list").output
    assert "removed" in run("apps", "remove", KEY).output
    assert run("apps", "list").stdout == "no application was added\n"


# -- at work -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path, rules=RULES, feeds={}) as opened:
        yield opened


async def of(house: House, name: str) -> dict[str, str]:
    made = await house.bridge.desk.handle("users-token", {"name": name, "consumer_key": KEY})
    return {"consumer_key": KEY, "access_token": made["access_token"]}


async def items(house: House, keys: dict[str, str]) -> dict[str, Any]:
    found = (await house.http.post("/v3/get", json={**keys, "state": "all"})).json()["list"]
    return {item["given_url"]: sorted(item.get("tags", {})) for item in found.values()}


async def test_rules_tag_what_a_user_adds_on_that_users_list(house: House) -> None:
    await house.bridge.desk.handle("users-add", {"name": "ann", "password": "correct horse"})
    ann, owner = await of(house, "ann"), {"consumer_key": KEY, "access_token": OWNER_TOKEN}
    url = "https://python.example/pep"
    await house.http.post("/v3/add", json={**owner, "url": url, "tags": "mine"})
    await house.http.post("/v3/add", json={**ann, "url": url, "tags": "anns"})

    async def tagged() -> bool:
        return await items(house, ann) == {url: ["anns", "python"]}

    await eventually(tagged)
    assert (await items(house, owner))[url] in (["mine"], ["mine", "python"])


async def test_an_erased_user_leaves_nothing_behind(house: House) -> None:
    await house.bridge.desk.handle("users-add", {"name": "ann", "password": "correct horse"})
    ann = await of(house, "ann")
    await house.http.post("/v3/add", json={**ann, "url": "https://python.example/", "tags": "private"})

    async def tagged() -> bool:
        return await items(house, ann) == {"https://python.example/": ["private", "python"]}

    await eventually(tagged)
    await house.bridge.desk.handle("users-remove", {"name": "ann"})

    assert (await house.http.post("/v3/get", json=ann)).status_code == 401
    dump = await house.bridge.store._database.read(lambda tx: "\n".join(tx.iterdump()))  # type: ignore[attr-defined]
    assert "python.example/" not in dump
    assert "private" not in dump
    assert fingerprint(ann["access_token"]) not in dump
