"""The conversation of tests/telegram_play.py, played; docs/telegram.md shows it as it is."""

from __future__ import annotations

from pathlib import Path

from tests.telegram_play import transcript

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "telegram.md"


async def test_the_conversation_goes_as_the_document_shows_it() -> None:
    """To renew the document: python -m tests.telegram_play."""
    shown = DOCUMENT.read_text("utf-8").partition("<!-- the play -->\n```\n")[2].partition("```\n")[0]
    assert await transcript() == shown
