"""Every example of docs/pocket-api.md runs as it stands, over HTTP, against the embedded list."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import CodeType, FunctionType

import pytest
from starlette.applications import Starlette

from bridge.pocket import Pocket
from bridge.sources.pocket_api import PocketApi
from bridge.store.core import Store
from tests.conftest import Clock
from tests.loopback import serve

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pocket-api.md"
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
async def test_an_example_runs_as_it_stands(
    number: int, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "First" in "".join(PRINTED[number]):
        async with Pocket("1234-my-script", "YOUR-TOKEN", base_url=address) as pocket:
            await pocket.add("https://example.com/first", title="First", tags=["later"])
    running = FunctionType(
        compiled(EXAMPLES[number].replace(ADDRESS, address)), {"__builtins__": __builtins__}
    )

    await running()

    printed = capsys.readouterr().out.replace(address, ADDRESS)
    for words in PRINTED[number]:
        assert words in printed
