"""Signing in at another server: the token goes into a file, and nowhere else."""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge import CONSUMER_KEY, login
from bridge.cli import cli
from bridge.declared import check
from bridge.errors import BridgeError, ConfigError
from bridge.remarks import remarks
from bridge.settings import load_settings
from bridge.store.core import Store
from tests.conftest import Clock
from tests.loopback import serve
from tests.pocket.server import TOKEN, face


@pytest.fixture
async def origin(store: Store, clock: Clock) -> AsyncIterator[str]:
    async with serve(face(store, clock)) as origin:
        yield origin


class Ann:
    """A person with a browser. `answer`: what she clicks; `comes_back`: whether her browser follows the redirect."""

    def __init__(self, answer: str = "approve", *, comes_back: bool = True) -> None:
        self.told: list[str] = []
        self.pages: asyncio.Queue[str] = asyncio.Queue()
        self._answer = answer
        self._comes_back = comes_back
        self._enters = 0

    def person(self) -> login.Person:
        loop = asyncio.get_running_loop()

        def show(page: str) -> None:
            loop.call_soon_threadsafe(self.pages.put_nowait, page)

        return login.Person(tell=self.told.append, show=show, enter=self._enter)

    async def browse(self) -> None:
        page = await self.pages.get()
        async with httpx.AsyncClient(trust_env=False) as browser:
            shown = await browser.get(page)
            fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', shown.text))
            form = {name: unescape(value) for name, value in fields.items()}
            form |= {"username": "me", "password": TOKEN, "answer": self._answer}
            address = page.partition("?")[0]
            done = await browser.post(address, data=form, follow_redirects=self._comes_back)
            assert done.status_code == (200 if self._comes_back else 303)

    async def _enter(self) -> None:
        """Once too early, once after she has approved; never when her browser comes back."""
        if self._comes_back:
            await asyncio.Event().wait()
        self._enters += 1
        if self._enters == 2:
            await self.browse()


async def sign_in(tmp_path: Path, ann: Ann, origin: str, *, name: str = "friend") -> login.Login:
    return await login.sign_in(tmp_path / "data", ann.person(), base_url=origin, consumer_key=CONSUMER_KEY, name=name)


async def test_the_page_leads_back_and_the_token_is_kept_for_its_owner_only(tmp_path: Path, origin: str) -> None:
    ann = Ann()

    came, _ = await asyncio.gather(sign_in(tmp_path, ann, origin), ann.browse())

    token = came.file.read_text().strip()
    assert came.username == "me"
    assert stat.S_IMODE(came.file.stat().st_mode) == 0o600
    assert len(token) == 30
    assert token not in came.destination + "".join(ann.told)
    async with httpx.AsyncClient(trust_env=False) as http:
        keys = {"consumer_key": CONSUMER_KEY, "access_token": token}
        assert (await http.post(f"{origin}/v3/get", json=keys)).status_code == 200


async def test_what_is_printed_is_a_destination(tmp_path: Path, origin: str) -> None:
    ann = Ann()
    came, _ = await asyncio.gather(sign_in(tmp_path, ann, origin), ann.browse())
    (tmp_path / "rules.yaml").write_text(came.destination)

    settings = load_settings(data=tmp_path / "data", rules=tmp_path / "rules.yaml")

    rule_file = check(settings)
    assert list(rule_file.destinations) == ["friend"]
    assert rule_file.defaults.to == ("reading", "friend")
    assert remarks(rule_file) == []


async def test_a_server_that_lists_its_applications_is_told_which_one_to_list(
    tmp_path: Path, store: Store, clock: Clock
) -> None:
    async with serve(face(store, clock, apps="listed")) as origin:
        with pytest.raises(BridgeError) as told:
            await sign_in(tmp_path, Ann(), origin)
    assert "HTTP 403, code 152" in str(told.value)
    assert "The key “1-pocket-bridge” was sent" in str(told.value)
    assert "pocket-bridge apps add 1-pocket-bridge; else give the key that you have there with --key" in str(told.value)


async def test_enter_does_where_the_browser_cannot_come_back(tmp_path: Path, origin: str) -> None:
    ann = Ann(comes_back=False)

    came = await sign_in(tmp_path, ann, origin)

    assert came.username == "me"
    assert any("not approved yet" in line for line in ann.told)


async def test_a_second_sign_in_replaces_the_token(tmp_path: Path, origin: str) -> None:
    kept = []
    for _ in range(2):
        ann = Ann()
        came, _ = await asyncio.gather(sign_in(tmp_path, ann, origin), ann.browse())
        kept.append(came.file.read_text())

    assert kept[0] != kept[1]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["friend.token"]


async def test_who_refuses_on_the_page_stores_nothing(tmp_path: Path, origin: str) -> None:
    ann = Ann("deny")

    with pytest.raises(BridgeError, match="refused on the page"):
        await asyncio.gather(sign_in(tmp_path, ann, origin), ann.browse())

    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "origin"), [("../x", "http://a.example"), ("", "http://a.example"), ("a", "a.example")]
)
async def test_a_wrong_name_or_address_is_told_first(tmp_path: Path, name: str, origin: str) -> None:
    with pytest.raises(ConfigError):
        await sign_in(tmp_path, Ann(), origin, name=name)


async def test_a_server_that_is_none_is_told(tmp_path: Path) -> None:
    async with serve(Starlette()) as origin:
        with pytest.raises(BridgeError, match="404"):
            await sign_in(tmp_path, Ann(), origin)


async def test_a_server_that_fails_without_a_word_is_named(tmp_path: Path) -> None:
    async def failing(_request: Request) -> Response:
        return Response(status_code=501, headers={"X-Error-Code": "199"})

    async with serve(Starlette(routes=[Route("/{path:path}", failing, methods=["POST"])])) as origin:
        with pytest.raises(BridgeError, match=f"{origin} answered: the server gave no reason"):
            await sign_in(tmp_path, Ann(), origin)


def test_the_command_ends_with_a_sentence_where_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["login", "pocket", "http://127.0.0.1:9"])

    assert result.exit_code == 1
    assert "gives no answer" in result.output
