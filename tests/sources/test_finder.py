"""Which links, titles and tags are seen in bodies of unknown shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.scan import web_addresses
from bridge.sources.webhooks.body import content, form
from bridge.sources.webhooks.finder import Found, described, find

A, B = "https://example.com/a?x=1&y=2", "https://example.com/b"

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
TEXT = "text/plain"
MULTIPART = "multipart/form-data; boundary=B"


def found(body: str | bytes, content_type: str = JSON) -> list[Found]:
    return find(content(body if isinstance(body, bytes) else body.encode(), content_type).value)


def urls(value: Any) -> list[str]:
    return [link.url for link in find(value)]


def part(name: str, value: str, extra: str = "") -> str:
    return f'--B\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n{value}\r\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"see {A}.", [A]),
        (f"{A}\n{B}\n{A}", [A, B]),
        (f"({B})", [B]),
        ("https://example.com/wiki/Set_(game)", ["https://example.com/wiki/Set_(game)"]),
        ("(see https://example.com/wiki/Set_(game))", ["https://example.com/wiki/Set_(game)"]),
        (f"[a]({B})[b]({A})", [B, A]),
        (f'<a href="{B}">', [B]),
        (f"<{B}>;", [B]),
        (f"“{B}”", [B]),
        (f"**{B}**", [B]),
        (f"{B}\u200bhidden", [B]),
        (f"看{B}。好", [B]),
        (f"「{B}」", [B]),
        (f"is it {B}?!", [B]),
        (f"Glued{B}", [B]),
        (f"{B}\\nnext", [B]),
        ("HTTPS://EXAMPLE.COM/Q", ["HTTPS://EXAMPLE.COM/Q"]),
        ("https://пример.рф/путь", ["https://пример.рф/путь"]),
        ("http://[2001:db8::1]:8080/x", ["http://[2001:db8::1]:8080/x"]),
        ("https://example.com/a)https://example.com/b", ["https://example.com/a", "https://example.com/b"]),
        ("https://web.example/2020/https://example.com/", ["https://web.example/2020/https://example.com/"]),
        ("https://example.com//", ["https://example.com//"]),
        ("https://[ https://… http://)", []),
        ("ftp://example.com example.com http:// https://... //x", []),
    ],
)
def test_an_address_in_text_ends_where_a_reader_says_it_does(text: str, expected: list[str]) -> None:
    assert web_addresses(text) == expected


@given(st.text(alphabet="htps:/.()[]{}ax ,\"'<>。\u200b\n"))
def test_every_address_stands_in_the_text(text: str) -> None:
    for url in web_addresses(f"https://a{text}"):
        assert url in f"https://a{text}"


@pytest.mark.parametrize(
    "body",
    [
        {"url": A},
        {"URL": A},
        {"link": A},
        {"href": f"  {A}\n"},
        {"value1": A, "value2": "T", "value3": ""},
        {"sourceUrl": A},
        {"external-url": A},
        {"canonical": [{"href": A}], "alternate": [{"href": B}]},
        {"link": {"href": A, "rel": "alternate"}},
        {"url": None, "link": A},
        {"url": "", "text": A},
        {"url": "Shared with you: " + A},
        {"html_url": A, "url": "https://api.example.com/a"},
        {"data": {"url": A}},
        {"payload": json.dumps({"url": A})},
        {"body": json.dumps(json.dumps({"url": A}))},
        {"event": "saved", "bookmark": {"url": A, "favicon": B}},
        {"source": "https://app.example/", "data": {"url": A}},
        {"avatar_url": B, "iconUrl": B, "response_url": B, "callback": B, "api": B, "somewhere": A},
        {"author": {"url": B}, "sender": {"html_url": B}, "thing": {"url": A}},
        {"author_url": B, "something": {"deep": {"page_url": A}}},
        {"image": B, "message": f"new: {A} (today)"},
        {"title": A},
        [{"url": A}],
        A,
        f"A title\n{A}\n",
    ],
)
def test_the_link_that_was_meant_is_found(body: Any) -> None:
    assert urls(body) == [A]


@pytest.mark.parametrize(
    "body",
    [
        {"urls": [A, B]},
        {"urls": f"{A}\n{B}"},
        {"urls": f"{A},{B}"},
        {"url": [A, B]},
        {"links": [{"url": A}, {"href": B}]},
        {"entries": [{"url": A}, {"url": B}]},
        {"data": {"items": [{"link": A}, {"link": B}]}},
        [{"data": {"url": A}}, {"data": {"url": B}}],
        [A, B],
        f"{A}\n{B}",
        {"text": f"{A} and {B}"},
    ],
)
def test_several_entries_are_several_links(body: Any) -> None:
    assert urls(body) == [A, B]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        "",
        "no link here",
        {"avatar": A},
        {"title": "T", "tags": ["x"]},
        {"url": ""},
        True,
        [[[]]],
    ],
)
def test_where_nothing_was_meant_nothing_is_found(body: Any) -> None:
    assert urls(body) == []


def test_a_url_that_is_no_address_is_not_replaced_by_something_else() -> None:
    assert urls({"url": "not a url", "link": A, "text": B}) == ["not a url"]


def test_each_entry_has_its_own_title_and_tags() -> None:
    body = {
        "entries": [{"url": A, "title": "a", "tags": ["x"]}, {"url": B, "name": "b"}],
        "tags": "all, of them",
    }
    assert find(body) == [Found(A, "a", ("x",)), Found(B, "b", ("all", "of them"))]


def test_several_links_do_not_share_a_title() -> None:
    assert [link.title for link in find({"urls": [A, B], "title": "T"})] == ["", ""]


def test_the_name_of_an_event_is_not_the_title_of_its_link() -> None:
    assert find({"name": "page.saved", "payload": {"url": A}})[0].title == ""
    assert find({"title": "T", "payload": {"url": A}})[0].title == "T"


def test_an_address_is_no_title() -> None:
    assert find({"url": A, "title": A})[0].title == ""


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("a, b c,,", ("a", "b c")),
        ("#a #b", ("#a", "#b")),
        (["a", " ", 7, "b,c"], ("a", "b,c")),
        ([{"name": "a"}, {"label": "b"}, {"id": "3"}], ("a", "b")),
        ('["a", "b"]', ("a", "b")),
        (None, ()),
        ({"a": 1}, ()),
    ],
)
def test_tags_come_as_lists_and_as_text(tags: Any, expected: tuple[str, ...]) -> None:
    assert find({"url": A, "tags": tags})[0].tags == expected


def test_a_note_and_a_text_come_with_the_link() -> None:
    assert find({"url": A, "excerpt": "why", "text": "words"}) == [Found(A, note="why", text="words")]


def test_the_line_above_a_bare_address_is_its_title() -> None:
    assert [(link.url, link.title) for link in find(f"One\n{A}\n\nTwo\nmore\n{B}")] == [
        (A, "One"),
        (B, "Two"),
    ]
    assert find(f"Hi Bob,\nread {A} soon")[0].title == ""


def test_fields_fill_only_what_is_missing() -> None:
    assert described([Found(A, "T")], {"title": "other", "tags": "x"}) == [Found(A, "T", ("x",))]
    assert described([Found(A)], [1, 2]) == [Found(A)]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps({"url": A, "title": "Ü"}), JSON),
        (json.dumps({"url": A, "title": "Ü"}), TEXT),
        (json.dumps({"url": A, "title": "Ü"}), FORM),
        (json.dumps({"url": A, "title": "Ü"}), ""),
        (json.dumps(json.dumps({"url": A, "title": "Ü"})), JSON),
        ("\ufeff" + json.dumps({"url": A, "title": "Ü"}), "application/vnd.api+json"),
        (json.dumps({"url": A, "title": "Ü"}).encode("utf-16"), JSON),
        (
            json.dumps({"url": A, "title": "Ü"}, ensure_ascii=False).encode("latin-1"),
            "application/json; charset=ISO-8859-1",
        ),
        (json.dumps({"url": A, "title": "Ü"}, ensure_ascii=False), "application/json; charset=iso-8859-1"),
        (
            json.dumps({"url": A, "title": "Ü"}, ensure_ascii=False).encode("latin-1"),
            "application/json; charset=hex",
        ),
        (f'{{"url": "{A}", "title": "Ü", "n": NaN, "i": {"9" * 5000}, "x": Infinity}}', JSON),
        (f'{{"url": "https://old.example/", "url": "{A}", "title": "\\u00dc"}}', JSON),
        ("url=https%3A%2F%2Fexample.com%2Fa%3Fx%3D1%26y%3D2&title=%C3%9C", FORM),
        ("url=https%3A%2F%2Fexample.com%2Fa%3Fx%3D1%26y%3D2&title=%C3%9C", ""),
        ("url=https%3A%2F%2Fexample.com%2Fa%3Fx%3D1%26y%3D2&title=%DC", f"{FORM}; charset=windows-1252"),
        (
            "payload=%7B%22url%22%3A%22https%3A%2F%2Fexample.com%2Fa%3Fx%3D1%26y%3D2%22%2C%22title%22%3A%22%C3%9C%22%7D",
            FORM,
        ),
        (part("url", A) + part("title", "Ü") + "--B--\r\n", MULTIPART),
        (part("url", A) + part("title", "Ü") + part("f", "PNG", '; filename="p.png"') + "--B--", MULTIPART),
        (f"Ü\n{A}", TEXT),
        (f"Ü\r\n{A}\r\n", "text/plain; charset=utf-8"),
        (f"Ü\n{A}", "application/octet-stream"),
    ],
)
def test_one_link_is_read_from_every_kind_of_body(body: str | bytes, content_type: str) -> None:
    assert [(link.url, link.title) for link in found(body, content_type)] == [(A, "Ü")]


def test_raw_line_breaks_in_json_are_no_obstacle() -> None:
    assert found('{"url": "https://example.com/b", "title": "one\ntwo"}') == [Found(B, "one\ntwo")]


def test_json_lines_are_a_list() -> None:
    assert [link.url for link in found(f'{{"url": "{A}"}}\n\n{{"url": "{B}"}}\n', "application/x-ndjson")] == [A, B]


def test_broken_json_still_gives_the_address_it_names() -> None:
    body = '{"image": "https://example.com/i.png", "url": "https:\\/\\/example.com\\/b", "title": "say "hi""}'
    read = content(body.encode(), JSON)
    assert [link.url for link in find(read.value)] == [B]
    assert read.notes == ("the body is not JSON that can be read; only addresses were taken from it",)


def test_repeated_fields_are_a_list() -> None:
    assert form(b"tags[]=a&tags[]=b&url=u").value == {"tags": ["a", "b"], "url": "u"}


def test_a_form_in_another_character_set_is_read() -> None:
    body = "url=https://example.com/b&title=" + "%CF%F0%E8%E2%E5%F2"
    assert found(body, f"{FORM}; charset=windows-1251") == [Found(B, "Привет")]


def test_an_address_cut_by_its_own_ampersand_is_noted() -> None:
    assert form(b"url=https://example.com/a?b=1&c=2&title=T").notes != ()
    assert form(b"url=https://example.com/a?b=1&title=T&tags[]=c").notes == ()
    assert form(b"url=https%3A%2F%2Fexample.com%2Fa%3Fb%3D1&c=2").notes == ()


def test_an_address_sent_as_a_form_is_one_address() -> None:
    assert [link.url for link in found(A, FORM)] == [A]


def test_names_of_xml_are_not_links() -> None:
    body = '<a xmlns="http://www.w3.org/2005/Atom"><url>https://example.com/a?x=1&amp;y=2</url></a>'
    assert [link.url for link in found(body, "application/xml")] == [A]


def test_files_that_are_no_text_are_not_looked_into() -> None:
    assert found(part("f", "http://ns.example/", '; filename="p.jpg"') + "--B--", MULTIPART) == []
    as_text = '; filename="p.txt"\r\nContent-Type: text/plain'
    assert [link.url for link in found(part("f", B, as_text) + "--B--", MULTIPART)] == [B]


def test_a_broken_multipart_body_is_read_as_far_as_it_goes() -> None:
    read = content((part("url", A) + "--Bgarbage").encode(), MULTIPART)
    assert [link.url for link in find(read.value)] == [A]
    assert read.notes != ()


@pytest.mark.parametrize(("depth", "seen"), [(60, [A]), (100, []), (100_000, [A])])
def test_depth_is_bounded(depth: int, seen: list[str]) -> None:
    """What is too deep even for the JSON reader is read as text."""
    body = '{"data":' * depth + f'{{"url":"{A}"}}' + "}" * depth
    assert [link.url for link in found(body)] == seen


def test_many_numbers_cost_little_and_hide_nothing_named() -> None:
    assert [link.url for link in found(f'{{"url": "{A}", "n": [{"0," * 60_000}0]}}')] == [A]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(A),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["url", "urls", "link", "data", "tags", "title", "x", "text"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@settings(max_examples=200)
@given(json_values)
def test_no_shape_is_too_strange(value: Any) -> None:
    assert all(link.url.strip() for link in find(value))
    assert all(link.url for link in found(json.dumps(value)))
