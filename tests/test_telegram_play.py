"""The conversation of tests/telegram_play.py, played; docs/telegram.md shows it as it is, README.md its beginning."""

from __future__ import annotations

from pathlib import Path

from tests.telegram_play import DOCUMENT, README, beginning, shown, transcript, write

FIRST_SCREEN = 45
"""Lines of the README that a newcomer sees first: how to run it stands there, and no conversation."""


async def test_the_conversation_goes_as_the_documents_show_it() -> None:
    """To renew them: python -m tests.telegram_play --write."""
    played = await transcript()
    assert played == shown(DOCUMENT)
    assert beginning(played) == shown(README)
    assert len(shown(README).splitlines()) < 16


def test_the_readmes_first_screen_stays_short() -> None:
    first = README.read_text("utf-8").splitlines()[:FIRST_SCREEN]
    assert "<!-- run command -->" in first
    assert "<!-- the play -->" not in first


def test_what_is_written_is_what_is_shown(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text("before\n<!-- the play -->\n```\nold\n```\nafter\n```\nother\n```\n", "utf-8")
    write(document, "Ann  new\n")
    assert shown(document) == "Ann  new\n"
    assert document.read_text("utf-8").startswith("before\n")
    assert document.read_text("utf-8").endswith("```\nafter\n```\nother\n```\n")
