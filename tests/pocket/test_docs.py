"""Every example of docs/pocket-api.md runs as it stands, over HTTP, against the embedded list."""

from __future__ import annotations

import ast
import asyncio
import re
import shlex
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import CodeType, FunctionType

import pytest
from click.testing import CliRunner
from starlette.applications import Starlette

from bridge.cli import cli
from bridge.pocket import Pocket
from bridge.sources.pocket_api.source import PocketApi
from bridge.store.core import Store
from tests.conftest import Clock
from tests.loopback import serve

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pocket-api.md"
COMMANDS = [
    line.replace("\\\n", " ")
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    for line in re.split(r"(?<!\\)\n", block.strip())
]
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
ADDRESS = "http://127.0.0.1:8080"

# The words an example must print, in the order of the page.
PRINTED = [
    ["1 https://example.com/article"],
    ["add done", "tags_add done", "archive failed: there is no such item on the list"],
    ["1790000000 First ('later',)", "1 items", "changed 1"],
    ["1 ['First'] ('later',)", "Stats(unread=1, archived=0, total=1)"],
    ["319 calls left this hour"],
    [f"approve at {ADDRESS}/auth/authorize?request_token=", "the user must first approve"],
    ["One unread ('later',)", "An article read ()", "UserStats(user_since=1790000000, total=2, read=1, unread=1)"],
]


@pytest.fixture
async def address(store: Store, clock: Clock) -> AsyncIterator[str]:
    """The embedded list on a free port."""
    face = PocketApi(store, store.accounts, owner="YOUR-TOKEN", inner="", clock=clock)
    async with serve(Starlette(routes=list(face.routes))) as origin:
        yield origin


def compiled(example: str) -> CodeType:
    code: CodeType = compile(example, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return code


def test_every_example_has_its_words() -> None:
    assert len(EXAMPLES) == len(PRINTED)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_an_example_runs_as_it_stands(number: int, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    if "First" in "".join(PRINTED[number]):
        async with Pocket("1234-my-script", "YOUR-TOKEN", base_url=address) as pocket:
            await pocket.add("https://example.com/first", title="First", tags=["later"])
    running = FunctionType(compiled(EXAMPLES[number].replace(ADDRESS, address)), {"__builtins__": __builtins__})

    await running()

    printed = capsys.readouterr().out.replace(address, ADDRESS)
    for words in PRINTED[number]:
        assert words in printed


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("curl ")])
async def test_a_line_of_curl_is_answered(line: str, address: str) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    arguments = shlex.split(line.replace(ADDRESS, address), comments=True)[1:]
    ran = await asyncio.create_subprocess_exec(curl, "-sS", "--fail", *arguments, stdout=asyncio.subprocess.PIPE)
    said, _ = await ran.communicate()

    assert ran.returncode == 0
    assert said.startswith((b'{"', b"200 OK"))


def test_the_commands_do_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [line for line in COMMANDS if line.startswith("pocket-bridge ")]
    assert len(lines) + len([line for line in COMMANDS if line.startswith("curl ")]) == len(COMMANDS)
    for line in lines:
        if "revoke 7" in line:
            continue  # the number is the reader's
        arguments = shlex.split(line, comments=True)[1:]
        said = "y\n" if "remove" in arguments else "correct horse\ncorrect horse\n"
        result = CliRunner().invoke(cli, arguments, input=said)
        assert result.exit_code == 0, f"{line}: {result.output}"
