"""A link has one form under which its spellings meet, and nothing that is no web address becomes one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import InvalidArrival
from bridge.link import Sighting, canonical, host, tidy_tags, web_address

SAME = [
    ("HTTPS://Example.com:443/a", "https://example.com/a"),
    ("https://example.com", "https://example.com/"),
    ("https://example.com/a#part", "https://example.com/a"),
    ("https://example.com/a?utm_source=x&utm_medium=y", "https://example.com/a"),
    ("https://example.com/a?fbclid=1&b=2", "https://example.com/a?b=2"),
    ("https://example.com/a/../b/./c", "https://example.com/b/c"),
    ("https://user:secret@example.com/a", "https://example.com/a"),
    ("http://münchen.example/ä", "http://xn--mnchen-3ya.example/%C3%A4"),
    ("http://0x7f.1/", "http://127.0.0.1/"),
]

DIFFERENT = [
    ("https://example.com/a", "http://example.com/a"),
    ("https://example.com/a", "https://example.com/A"),
    ("https://example.com/a?b=1&c=2", "https://example.com/a?c=2&b=1"),
    ("https://example.com/#!/a", "https://example.com/#!/b"),
    ("https://example.com/?ref=a", "https://example.com/"),
]

NO_LINKS = [
    "",
    " ",
    "example.com",
    "javascript:alert(1)",
    "mailto:a@b.c",
    "file:///etc/passwd",
    "https://",
    "http:// x/",
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_are_one_link(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_pages_are_two_links(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize("text", NO_LINKS)
def test_what_is_no_web_address_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(InvalidArrival, match="address|host|empty"):
        web_address(text)


def test_a_reason_never_shows_a_password() -> None:
    with pytest.raises(InvalidArrival) as refused:
        web_address("ftp://user:s3cret@example.com/")
    assert "s3cret" not in str(refused.value)


@given(st.text())
def test_any_text_has_a_canonical_form_or_a_reason(text: str) -> None:
    try:
        form = canonical(text)
    except InvalidArrival:
        return
    assert canonical(form) == form
    assert host(form)


def test_titles_and_notes_hold_nothing_a_terminal_would_obey() -> None:
    hostile = "a\x1b[2Jb\0c\u202ed\ud800e"
    sighting = Sighting.of("https://example.com/", source="hook", title=hostile, note=hostile, tags=[hostile])
    for text in (sighting.title, sighting.note, *sighting.tags):
        assert not set(text) & set("\x1b\0\u202e\ud800"), text
        text.encode()


@given(st.lists(st.text()))
def test_tags_are_tidy_once_and_for_all(tags: list[str]) -> None:
    tidied = tidy_tags(tags)
    assert tidy_tags(tidied) == tidied
    assert len(set(tidied)) == len(tidied)


def test_a_sighting_survives_its_way_through_json() -> None:
    sighting = Sighting.of(
        "https://example.com/", source="feed", title=" A  title ", tags=["#B"], feed="f", fields={"points": 3}
    )
    assert Sighting.from_facts(json.loads(json.dumps(sighting.facts()))) == sighting


def test_parsing_agrees_with_the_url_standard(corpus: Path) -> None:
    cases = [case for case in json.loads((corpus / "urls/wpt/urltestdata.json").read_text()) if isinstance(case, dict)]
    agreed, differing = 0, []
    for case in cases:
        absolute = case.get("base") in (None, "about:blank") and case.get("protocol") in ("http:", "https:")
        if absolute and not case.get("failure") and case["hostname"]:
            try:
                agrees = canonical(case["input"].strip()) == canonical(case["href"])
            except InvalidArrival:
                agrees = False
            agreed += agrees
            differing += [] if agrees else [case["input"]]
    # What differs is punycode that decodes to nothing, which the standard has come to let through.
    assert all("xn--" in text.lower() for text in differing), differing
    assert agreed > 50
