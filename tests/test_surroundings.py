"""No setting of the shell or the folder that the tests run in reaches a test: it may be a live bridge's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bridge.settings import load_settings
from tests.conftest import ROOT

STRANGER = {"BRIDGE_DATA": "/nonexistent/live", "BRIDGE_TELEGRAM_TOKEN": "1:live", "BRIDGE_NONSENSE": "1"}


def test_only_what_tests_say_is_set() -> None:
    found = {name: value for name, value in os.environ.items() if name.startswith("BRIDGE_")}
    assert {name for name in found if not name.startswith("BRIDGE_TEST_")} == {"BRIDGE_PAGES"}
    assert load_settings().data == Path("data")
    assert load_settings().token.get_secret_value() == ""


def test_a_process_that_a_test_starts_knows_no_more() -> None:
    told = "from bridge.settings import load_settings as s; print(s().data, s().pages, s().token.get_secret_value())"
    ran = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert ran.stdout == "data off \n"


def test_a_shell_with_a_live_bridge_s_settings_and_a_folder_with_its_env_file(tmp_path: Path) -> None:
    """These tests once more, where it matters."""
    (tmp_path / ".env").write_text("BRIDGE_DATA=/nonexistent/live\nBRIDGE_TOKEN=live\n")
    told = [f"{__file__}::{test.__name__}" for test in (test_only_what_tests_say_is_set, _PROCESS)]
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), *told]
    ran = subprocess.run(
        argv, cwd=tmp_path, env={**os.environ, **STRANGER}, capture_output=True, text=True, check=False
    )
    assert "2 passed" in ran.stdout, ran.stdout


_PROCESS = test_a_process_that_a_test_starts_knows_no_more
