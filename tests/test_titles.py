"""What is a title of a page, and what only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.link import LONGEST_TITLE
from bridge.titles import Candidate, best, clean, fault, wall

WALLS = [
    "Just a moment...",
    "Attention Required! | Cloudflare",
    "Please Wait... | Cloudflare",
    "Access denied",
    "Access Denied | example.com",
    "403 Forbidden",
    "404 Not Found",
    "404",
    "Error 503",
    "Page not found - Example",
    "502 Bad Gateway",
    "Before you continue to YouTube",
    "Before you continue",
    "Log in",
    "Log in to GitHub",
    "Sign In | Example",
    "Login • Instagram",
    "Anmelden",
    "Are you a robot?",
    "Robot or human?",
    "Pardon Our Interruption...",
    "Security Checkpoint",
    "Vercel Security Checkpoint",
    "Nur einen Moment…",
    "Un momento…",
    "Cookie Consent",
    "Your privacy choices",
]

NOTHING = [
    "",
    " … ",
    "Untitled",
    "Untitled Document",
    "Home",
    "index.html",
    "null",
    "[object Object]",
    "Loading…",
    "YouTube",
    "Example",
    "example.com",
    "www.example.com",
    "https://example.com/a",
    "https://elsewhere.example/b?c=d",
    "Please enable JavaScript to continue",
]

TITLES = [
    "404 Media is a year old",
    "500 Days of Summer",
    "Just a moment in time: a history of clocks",
    "Next.js",
    "ASP.NET",
    "How to write a login page",
    "Please wait for the signal, and other rules of the road",
    "Attention is all you need",
    "The document that changed everything",
    "X marks the spot",
    "Oops, I did it again: a post-mortem",
    "Forbidden planets of the solar system",
    "日本語",
    "C",
    "1984",
]


@pytest.mark.parametrize("title", WALLS)
def test_what_stands_in_the_way_of_a_page_is_no_title(title: str) -> None:
    assert wall(title, "https://example.com/a", "Example")


@pytest.mark.parametrize("title", NOTHING)
def test_what_says_nothing_is_no_title_and_no_wall(title: str) -> None:
    assert fault(title, "https://example.com/a", "Example")
    assert not wall(title, "https://example.com/a", "Example")


@pytest.mark.parametrize("title", TITLES)
def test_an_odd_title_is_a_title(title: str) -> None:
    assert not fault(title, "https://example.org/a", "Example")


def test_the_name_of_a_site_is_the_title_of_its_first_page() -> None:
    assert fault("Example", "https://example.com/a")
    assert not fault("Example", "https://example.com/")
    assert fault("YouTube", "https://youtu.be/abc")
    assert not fault("YouTube", "https://www.youtube.com/")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("A &amp; B", "A & B"),
        ("A &amp;amp; B", "A & B"),
        ("it&#8217;s &quot;it&quot;", 'it’s "it"'),
        (" two\n\t lines ", "two lines"),
        ("soft\u00adhyphen\u200b and mark\ufeff", "softhyphen and mark"),
        ("AT&T; R&D", "AT&T; R&D"),
        ("1 < 2 &lt; 3", "1 < 2 < 3"),
        ("a\u202eb", "a b"),
    ],
)
def test_a_title_is_written_as_it_is_meant(written: str, meant: str) -> None:
    assert clean(written) == meant


def chosen(*candidates: tuple[str, str], site: str = "") -> str:
    offered = [Candidate(place, text) for place, text in candidates]
    return best(offered, url="https://news.example.org/a", site=site)


def test_the_name_of_the_site_goes_where_it_is_known_to_be_one() -> None:
    assert chosen(("title", "A long story | Example")) == "A long story"
    assert chosen(("title", "A long story - The Daily"), site="The Daily") == "A long story"
    assert chosen(("title", "Example: A long story")) == "A long story"
    assert chosen(("title", "A long story – My weblog"), ("h1", "A long story")) == "A long story"
    assert chosen(("title", "A long story | Part two")) == "A long story | Part two"
    assert chosen(("title", "Peace - War"), ("h1", "War")) == "Peace - War"


def test_what_a_page_says_of_itself_for_others_goes_before_its_window_title() -> None:
    assert chosen(("title", "The window | Example"), ("og:title", "The story")) == "The story"
    assert chosen(("title", "The story told"), ("og:title", "Untitled")) == "The story told"
    assert chosen(("title", "Just a moment..."), ("h1", "example.org")) == ""
    assert chosen(("h1", "Menu"), ("title", "The story")) == "The story"


@given(st.text(), st.text(max_size=40))
def test_any_text_is_a_title_or_has_a_fault(text: str, site: str) -> None:
    found = best([Candidate("title", text)], url="https://example.com/a", site=site)
    assert len(found) <= LONGEST_TITLE
    assert not found or not fault(found, "https://example.com/a", site)
    assert clean(clean(text)) == clean(text) or "&" in text


def test_a_title_of_a_megabyte_costs_nothing() -> None:
    assert len(clean("word " * 200_000)) <= LONGEST_TITLE
    assert not fault("a" * 1_000_000 + " b")
