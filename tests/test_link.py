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
    ("http://example.com/a", "https://example.com/a"),
    ("http://example.com:80/a", "https://example.com:443/a"),
    ("https://example.com./a", "https://example.com/a"),
    ("https://example.com/a?", "https://example.com/a"),
    ("https://example.com/a?&b=1&", "https://example.com/a?b=1"),
    ("https://example.com/%7ea%2Db?q=%c3%a4", "https://example.com/~a-b?q=%C3%A4"),
    ("https://youtu.be/abc?si=xyz", "https://youtu.be/abc"),
    ("https://www.youtube.com/watch?v=abc&feature=share&si=x", "https://www.youtube.com/watch?v=abc"),
    ("https://x.com/a/status/1?s=20&t=abc", "https://x.com/a/status/1"),
    ("https://example.com/a#:~:text=some%20words", "https://example.com/a"),
]

DIFFERENT = [
    ("https://example.com/a", "http://example.com:8080/a"),
    ("https://192.168.1.2/a", "http://192.168.1.2/a"),
    ("https://router/a", "http://router/a"),
    ("https://[::1]/a", "http://[::1]/a"),
    ("https://www.example.com/a", "https://example.com/a"),
    ("https://example.com/a/", "https://example.com/a"),
    ("https://example.com/a?b", "https://example.com/a?b="),
    ("https://example.com/a%2Fb", "https://example.com/a/b"),
    ("https://example.com/watch?v=abc&si=x", "https://example.com/watch?v=abc"),
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


def test_tracking_parameters_of_others_lists_go_too(corpus: Path) -> None:
    listed = json.loads((corpus / "urls/tracking_params_list.json").read_text())
    # These choose pages somewhere: a comment, a campaign, a reference.
    kept = {"ref", "fb_comment_id", "campaign_id"}
    names = [*listed["params"], *(f"{prefix}x" for prefix in listed["prefixes"])]
    differing = {
        name for name in names if canonical(f"https://example.com/?{name}=1&a=2") != "https://example.com/?a=2"
    }
    assert differing == kept
    for case in json.loads((corpus / "urls/tracking_params_cases.json").read_text()):
        if case["expected"].startswith("http") and "ref=" not in case["input"] and "+" not in case["expected"]:
            assert canonical(case["input"]) == canonical(case["expected"]), case["name"]


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
