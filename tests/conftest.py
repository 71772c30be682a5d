"""Fixtures of the whole suite: real SQLite, a clock that tests move, the corpus where it lies beside the checkout."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bridge.store.core import Store

# No test looks at a stranger's page: those that are about pages say so.
os.environ["BRIDGE_PAGES"] = "off"

# Processes that tests start find the tests from wherever they are started.
ROOT = Path(__file__).resolve().parents[1]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))

CORPUS = Path(__file__).resolve().parents[1].parent / "shared" / "corpus"


@pytest.fixture(scope="session", autouse=True)
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where every test begins: a `.env` beside the checkout is a live bridge's."""
    with contextlib.chdir(tmp_path_factory.mktemp("nowhere")):
        yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Clock:
    """Wall time that only moves when a test says so."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


STORES = ["sqlite"]
"""Every store there is: the whole suite that asks for `store` runs on each."""


@pytest.fixture(params=STORES)
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "bridge.db", clock)
    yield opened
    await opened.close()


@pytest.fixture
def corpus() -> Path:
    if not CORPUS.is_dir():
        pytest.skip("no corpus beside the checkout")
    return CORPUS
