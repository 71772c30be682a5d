"""Documentation that cannot go stale: what exists is described, what is described exists."""

from __future__ import annotations

import ast
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bridge import destinations, optional
from bridge.cli import cli
from bridge.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)")


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    assert f"`BRIDGE_{name.upper()}`" in text("docs/settings.md")


def test_no_setting_is_documented_that_does_not_exist() -> None:
    described = set(re.findall(r"^\| `BRIDGE_([A-Z_]+)`", text("docs/settings.md"), re.MULTILINE))
    assert described == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_is_documented(name: str) -> None:
    readme = text("README.md")
    assert f"pocket-bridge {name}" in readme or f"`{name} " in readme, f"README.md does not name `{name}`"
    assert cli.commands[name].help


def test_every_destination_is_documented() -> None:
    for module in pkgutil.iter_modules(destinations.__path__):
        if not module.name.startswith("_"):
            assert f"type: {module.name}" in text("docs/rules.md"), module.name


@pytest.mark.parametrize("source", sorted(optional.READERS))
def test_every_source_is_named_where_rules_are_explained(source: str) -> None:
    assert f"`{source}`" in text("docs/rules.md")


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text("utf-8")):
        assert (path.parent / target.replace("\\", "")).exists(), target


def test_the_house_has_the_rooms_its_plan_names() -> None:
    plan = text("docs/architecture.md")
    rows = [row for row in plan.splitlines() if row.startswith("| ") and "`" in row]
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)/?`", row.split("|")[2])}
    there = {path.stem for path in (ROOT / "bridge").iterdir() if not path.name.startswith("__")}
    assert named == there


def test_the_glossary_is_in_order() -> None:
    words = re.findall(r"^\| ([a-z ]+) \|", text("docs/glossary.md"), re.MULTILINE)[1:]
    assert words == sorted(words)
    assert len(words) > 20


def test_every_module_has_a_caption() -> None:
    for path in (ROOT / "bridge").rglob("*.py"):
        content = path.read_text("utf-8")
        assert not content or path.name == "__main__.py" or ast.get_docstring(ast.parse(content)), path


def test_decisions_are_numbered_and_say_why() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert len({int(record.name[:4]) for record in records}) == len(records) > 6
    for record in records:
        assert "**Why.**" in record.read_text("utf-8"), record.name


def test_the_commands_of_the_readme_are_one_command_each() -> None:
    for mark in ("run command", "test command"):
        block = text("README.md").split(f"<!-- {mark} -->\n```sh\n")[1].split("```")[0]
        assert len(block.strip().splitlines()) == 1, mark


def runnable() -> list[str]:
    """The measurements and proofs that take options."""
    files = [path for folder in ("bench", "tests") for path in (ROOT / folder).rglob("*.py")]
    named = [p for p in files if not p.name.startswith("test_") and "ArgumentParser(" in p.read_text("utf-8")]
    return sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in named)


@pytest.mark.parametrize("module", runnable())
def test_what_takes_options_says_which(module: str) -> None:
    said = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr[-500:]
    assert "usage:" in said.stdout


def test_the_version_is_said_once_and_the_same() -> None:
    version = re.search(r'^version = "(.+)"', text("pyproject.toml"), re.MULTILINE)
    assert version
    assert f'__version__ = "{version[1]}"' in text("bridge/__init__.py")


def test_pins_hold_hashes_and_no_address() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        pins = text(name)
        assert "://" not in pins
        for requirement in re.split(r"\n(?=\S)", pins.strip()):
            assert re.match(r"[A-Za-z0-9._-]+==\S+", requirement), requirement
            assert "--hash=sha256:" in requirement, requirement


def test_what_the_project_needs_is_what_is_pinned() -> None:
    needs = re.findall(r'^    "([A-Za-z0-9-]+(?:\[[a-z]+\])?==[^"]+)",', text("pyproject.toml"), re.MULTILINE)
    pins = {line.split(" ")[0].lower() for line in text("requirements-dev.txt").splitlines()}
    assert needs
    assert {need.lower() for need in needs} <= pins
