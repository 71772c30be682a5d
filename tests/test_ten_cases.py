"""Ten links, explained: docs/explained.md is what the rules really say, and each answer is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ten_cases import CASES, Case, document, explanation

PAGE = Path(__file__).resolve().parents[1] / "docs" / "explained.md"


def test_the_page_shows_what_the_rules_say() -> None:
    """To renew it: python -m tests.ten_cases > docs/explained.md."""
    assert PAGE.read_text("utf-8") == document()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.url)
def test_the_clause_that_decides_is_named(case: Case) -> None:
    assert case.decides in explanation(case)
