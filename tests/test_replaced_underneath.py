"""A process whose files are replaced under it, as an installation does, goes on with what it has read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

GOES_ON = """
import asyncio, os
import bridge
from starlette.requests import Request
from bridge import declared, rules
from bridge.errors import ConfigError
from bridge.sources.webhooks import save_page

assert bridge.__file__.startswith(os.getcwd())
os.rename("bridge", "replaced")
asked = Request({"type": "http", "query_string": b"url=https://a.example/", "headers": []})
page = asyncio.run(save_page.page(asked))
print(page.status_code, b"https://a.example/" in page.body)
for kind in ("pocket", "poket"):
    try:
        declared.connect(rules.load(f"destinations: {{there: {{type: {kind}}}}}".encode(), name="rules.yaml"), "there", None)
    except ConfigError as error:
        print(str(error).splitlines()[0], "pocket" in str(error))
"""


def test_the_page_is_shown_and_a_new_destination_is_told_from_one_that_there_is_not(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "bridge", tmp_path / "bridge", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", GOES_ON], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    page, known, unknown = ran.stdout.splitlines()
    assert page == "200 True"
    assert known == "pocket-bridge was installed anew under this process: restart it (pocket) True"
    assert "there is no destination of type “poket”" in unknown
