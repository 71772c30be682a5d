"""Files of links: what each format says, what is told of a bad row, and what is refused."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.ports import Arrival, Key
from bridge.reading_list import ARCHIVED, UNREAD
from bridge.record import Highlight, Record
from bridge.sources.files import csv_files, json_files, lines, markup, zip_files
from bridge.sources.files.source import Fault, opened, read

POCKET = """title,url,time_added,tags,status
A title,https://a.example/1,1467719829,python|web dev,unread
"Two ""quoted"", with
a line break",https://a.example/2,1467719830,,archive
https://a.example/3,https://a.example/3,1467719831,,unread
"""
POCKET_WITH_CURSOR = """title,url,time_added,cursor,tags,status
A title,https://a.example/1,1467719829,MTo6Kg==,python|web dev,unread
"""
RIL_EXPORT = """<!DOCTYPE html>
<html><!--a comment--><head><title>Pocket Export</title></head><body>
<h1>Unread</h1>
<ul>
<li><a href="https://a.example/1?a=1&amp;b=2" time_added="1467719829" tags="python,web dev">Tea &amp; Toast</a></li>
</ul>
<h1>Read Archive</h1>
<ul>
<li><a href="https://a.example/2" time_added="1467719830" tags="">https://a.example/2</a></li>
</ul></body></html>
"""
INSTAPAPER = """URL,Title,Selection,Folder,Timestamp,Tags
https://a.example/1,One,,Unread,1467719829,[]
https://a.example/2,Two,"A passage, marked",Archive,1467719830,"[""x"", ""y""]"
https://a.example/3,Three,,Starred,1467719831,
https://a.example/4,Four,,Cooking,1467719832,
"""
NETSCAPE = """<!DOCTYPE NETSCAPE-Bookmark-file-1>
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<TITLE>Bookmarks</TITLE>
<H1>Bookmarks</H1>
<DL><p>
    <DT><H3 ADD_DATE="1">Toolbar</H3>
    <DL><p>
        <DT><A HREF="https://a.example/1" ADD_DATE="1467719829" TAGS="a,b" ICON="data:x">One</A>
        <DD>A description
        <DT><A HREF="javascript:void(0)">A bookmarklet</A>
    </DL><p>
    <DT><H3>Archive</H3>
    <DL><p><DT><A HREF="https://a.example/2" ADD_DATE="1467719830000">Two</A></DL><p>
    <DT><A HREF="https://a.example/3">Three
</DL><p>
"""
OPML = """<?xml version="1.0" encoding="ISO-8859-1"?>
<opml version="2.0"><body>
<outline text="News">
  <outline type="rss" text="Caf\u00e9" xmlUrl="https://a.example/feed" htmlUrl="https://a.example/" category="news,x"/>
  <outline type="rss" text="B" xmlUrl="https://b.example/feed"/>
</outline></body></opml>
"""
LINES = """# what I kept
https://a.example/1

https://a.example/2 A title
not an address
"""
ANNOTATIONS = json.dumps(
    [{"url": "https://a.example/2", "title": "Two", "highlights": [{"quote": "A passage", "created_at": 1467719840}]}]
)


def rows(path: Path) -> list[Record | Fault]:
    with opened(path) as listed:
        found = list(listed)
        assert listed.done == listed.size
    return found


def written(folder: Path, content: str | bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def kept(path: Path) -> list[tuple[str, str, tuple[str, ...], int, int]]:
    items = [row.item for row in rows(path) if isinstance(row, Record)]
    return [(item.url, item.title, item.tags, item.status, item.time_added) for item in items]


def faults(path: Path) -> list[Fault]:
    return [row for row in rows(path) if isinstance(row, Fault)]


def zipped(folder: Path, members: Mapping[str, str | bytes]) -> Path:
    path = folder / "list.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


# -- formats -------------------------------------------------------------------------------------------------------


def test_a_part_of_pockets_export_keeps_title_time_tags_and_state(tmp_path: Path) -> None:
    assert kept(written(tmp_path, POCKET)) == [
        ("https://a.example/1", "A title", ("python", "web dev"), UNREAD, 1467719829),
        ("https://a.example/2", 'Two "quoted", with a line break', (), ARCHIVED, 1467719830),
        ("https://a.example/3", "", (), UNREAD, 1467719831),
    ]


def test_the_layout_of_the_first_months_says_the_same(tmp_path: Path) -> None:
    found = kept(written(tmp_path, POCKET_WITH_CURSOR))
    assert found == [("https://a.example/1", "A title", ("python", "web dev"), UNREAD, 1467719829)]


def test_pockets_zip_has_several_parts_and_annotations(tmp_path: Path) -> None:
    members = {
        "annotations/part_000000.json": ANNOTATIONS,
        "collections/mine.json": json.dumps({"slug": "mine", "title": "M", "items": [{"url": "https://a.example/4"}]}),
        "part_000001.csv": POCKET_WITH_CURSOR,
        "part_000000.csv": POCKET,
    }
    found = rows(zipped(tmp_path, members))
    records = [row for row in found if isinstance(row, Record)]
    assert [record.item.url[-1] for record in records] == ["1", "2", "3", "1", "2", "4"]
    assert records[-2].highlights == (Highlight("A passage", 1467719840),)
    assert records == found


def test_ril_export_keeps_what_is_archived(tmp_path: Path) -> None:
    assert kept(written(tmp_path, RIL_EXPORT)) == [
        ("https://a.example/1?a=1&b=2", "Tea & Toast", ("python", "web dev"), UNREAD, 1467719829),
        ("https://a.example/2", "", (), ARCHIVED, 1467719830),
    ]


def test_instapapers_folders_are_states_or_tags(tmp_path: Path) -> None:
    records = [row for row in rows(written(tmp_path, INSTAPAPER)) if isinstance(row, Record)]
    said = [(one.item.title, one.item.tags, one.item.status, one.item.favorite) for one in records]
    assert said == [
        ("One", (), UNREAD, False),
        ("Two", ("x", "y"), ARCHIVED, False),
        ("Three", (), UNREAD, True),
        ("Four", ("cooking",), UNREAD, False),
    ]
    assert records[1].highlights == (Highlight("A passage, marked"),)


def test_bookmarks_are_read_though_nothing_in_them_is_closed(tmp_path: Path) -> None:
    path = written(tmp_path, NETSCAPE)
    assert kept(path) == [
        ("https://a.example/1", "One", ("a", "b"), UNREAD, 1467719829),
        ("https://a.example/2", "Two", (), ARCHIVED, 1467719830),
        ("https://a.example/3", "Three", (), UNREAD, 0),
    ]
    [fault] = faults(path)
    assert fault.line == NETSCAPE[: NETSCAPE.index("javascript")].count("\n") + 1
    assert "only http and https" in fault.reason


def test_an_outline_is_the_link_of_its_site_and_declares_its_letters(tmp_path: Path) -> None:
    assert kept(written(tmp_path, OPML.encode("latin-1"))) == [
        ("https://a.example/", "Café", ("news", "x"), UNREAD, 0),
        ("https://b.example/feed", "B", (), UNREAD, 0),
    ]


def test_a_text_file_has_an_address_a_line(tmp_path: Path) -> None:
    path = written(tmp_path, LINES)
    assert [(url, title) for url, title, *_ in kept(path)] == [
        ("https://a.example/1", ""),
        ("https://a.example/2", "A title"),
    ]
    assert [fault.line for fault in faults(path)] == [5]


@pytest.mark.parametrize("content", [POCKET, RIL_EXPORT, NETSCAPE, LINES], ids=["csv", "ril", "netscape", "lines"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mark_of_the_byte_order_changes_nothing(tmp_path: Path, content: str, encoding: str) -> None:
    assert kept(written(tmp_path, content.encode(encoding), "a")) == kept(written(tmp_path, content, "b"))


def test_a_name_tells_nothing(tmp_path: Path) -> None:
    assert kept(written(tmp_path, POCKET, "list.html")) == kept(written(tmp_path, POCKET, "list.zip"))


def test_real_outlines_are_read(corpus: Path) -> None:
    for path in sorted((corpus / "feeds" / "opml").glob("*.opml")):
        listed = rows(path)
        assert len([row for row in listed if isinstance(row, Record)]) >= len(listed) / 2, path.name


# -- bad rows ------------------------------------------------------------------------------------------------------


def test_one_bad_row_costs_one_row_and_is_told_with_its_line(tmp_path: Path) -> None:
    good = [f"Title {number},https://a.example/{number},1,,unread\n" for number in range(200)]
    bad = ['"never closed,https://b.example/,1,,unread\n', "no address,nowhere,1,,unread\n", "short\n", "\n"]
    lines = [*good[:50], bad[0], *good[50:120], bad[1], *good[120:150], bad[2], *good[150:], bad[3]]
    path = written(tmp_path, "title,url,time_added,tags,status\n" + "".join(lines))
    assert [url for url, *_ in kept(path)] == [f"https://a.example/{number}" for number in range(200)]
    assert [fault.line for fault in faults(path)] == [52, 123, 154]


def test_a_quotation_mark_within_a_title_is_a_letter(tmp_path: Path) -> None:
    lines = ['A 5" screen,https://a.example/1,1,,unread\n', 'A 7" screen,https://a.example/2,1,,unread\n']
    path = written(tmp_path, "title,url,time_added,tags,status\n" + "".join(lines))
    assert [title for _, title, *_ in kept(path)] == ['A 5" screen', 'A 7" screen']


def test_bytes_that_are_no_text_cost_a_letter(tmp_path: Path) -> None:
    content = b"title,url,time_added,tags,status\nCaf\xe9,https://a.example/1,1,,unread\n"
    assert [title for _, title, *_ in kept(written(tmp_path, content))] == ["Caf�"]


def test_a_bad_record_in_json_costs_one_record(tmp_path: Path) -> None:
    lines = ['{"items": [', '{"url": "https://a.example/1"},', '{"url": nonsense},', '{"url": "https://a.example/2"},']
    path = written(tmp_path, "\n".join([*lines, '"odd",', '{"url": "mailto:a"}', "]}"]))
    assert [url for url, *_ in kept(path)] == ["https://a.example/1", "https://a.example/2"]
    assert [fault.line for fault in faults(path)] == [3, 5, 6]


def test_a_member_that_is_no_list_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"part_000000.csv": POCKET, "readme.txt": "Hello"})
    assert len(kept(path)) == 3
    assert [(fault.part, fault.line) for fault in faults_of(path)] == [("readme.txt", 1)]


def faults_of(path: Path) -> list[Fault]:
    with opened(path) as listed:
        return [row for row in listed if isinstance(row, Fault)]


def test_a_damaged_member_costs_the_rest_of_it(tmp_path: Path) -> None:
    path = tmp_path / "list.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("part_000000.csv", POCKET)
        archive.writestr("part_000001.csv", POCKET_WITH_CURSOR.replace("/1,", "/9,"))
    content = path.read_bytes().replace(b"A title,https://a.example/1", b"B title,https://a.example/1", 1)
    path.write_bytes(content)
    with opened(path) as listed:
        found = list(listed)
    assert "damaged" in next(row.reason for row in found if isinstance(row, Fault))
    assert "https://a.example/9" in [row.item.url for row in found if isinstance(row, Record)]


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\x00\x00", b"Dear diary", b"a,b\n1,2\n"])
def test_what_is_no_list_is_refused_with_what_would_be(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigError, match="ril_export.html.*one address a line"), opened(written(tmp_path, content)):
        pass


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"), opened(tmp_path / "missing"):
        pass


@pytest.mark.parametrize("name", ["../list.csv", "/etc/list.csv", "a/../../list.csv", "..\\list.csv", "C:\\list.csv"])
def test_an_archive_that_names_a_file_outside_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="outside of itself"), opened(zipped(tmp_path, {name: POCKET})):
        pass


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"part_000000.csv": b"0" * 50_000_000})
    with pytest.raises(ConfigError, match="packed more than 200 times"), opened(path):
        pass


def test_a_member_that_lies_about_its_size_unpacks_to_no_more_than_it_claims(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"part_000000.csv": POCKET + "x" * 5_000_000})
    real = (len(POCKET) + 5_000_000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(real, len(POCKET).to_bytes(4, "little")))
    with opened(path) as listed:
        found = list(listed)
        assert listed.done <= len(POCKET)
    assert len([row for row in found if isinstance(row, Record)]) <= 3


def test_what_would_unpack_to_too_much_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"part_000000.csv": POCKET, "part_000001.csv": POCKET})
    size = len(POCKET).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (0xFFFFFF00).to_bytes(4, "little")))
    with pytest.raises(ConfigError, match="more than 4 GB"), opened(path):
        pass


def test_an_encrypted_archive_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = zipped(tmp_path, {"part_000000.csv": POCKET})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is encrypted; unpack it"), opened(path):
        pass


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path, {f"{number}.csv": "" for number in range(zip_files.MOST_MEMBERS + 1)})
    with pytest.raises(ConfigError, match="5000 is the most"), opened(path):
        pass


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="damaged ZIP"), opened(written(tmp_path, b"PK\x03\x04 and nothing")):
        pass


# -- size ----------------------------------------------------------------------------------------------------------


def peak(path: Path) -> int:
    tracemalloc.start()
    with opened(path) as listed:
        number = sum(1 for _ in listed)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert number
    return most


@pytest.mark.parametrize(
    ("head", "row", "tail"),
    [
        ("title,url,time_added,tags,status\n", 'T {0},https://a.example/{0},{0},"a|b",unread\n', ""),
        ("<ul>", '<li><a href="https://a.example/{0}" time_added="{0}">T {0}</a></li>\n', "</ul>"),
        ('{{"items": [\n', '{{"url": "https://a.example/{0}", "title": "T {0}"}},\n', "]}}"),
        ("", "https://a.example/{0} T {0}\n", ""),
    ],
    ids=["csv", "html", "json", "lines"],
)
def test_a_file_five_times_as_long_needs_no_more_memory(tmp_path: Path, head: str, row: str, tail: str) -> None:
    short, long = (
        written(tmp_path, head.format() + "".join(row.format(n) for n in range(size)) + tail.format(), str(size))
        for size in (2_000, 10_000)
    )
    peak(short)  # what is made once
    assert peak(long) < 1.5 * peak(short)


# -- anything ------------------------------------------------------------------------------------------------------

READERS = [
    csv_files.records,
    json_files.records,
    lines.records,
    markup.bookmarks,
    markup.outlines,
]
PIECES = st.sampled_from(
    [*'",\n\r<>[]{}|&;= \x00', "url,title\n", "https://a.example/", "<a href=", "</a>", '{"url":"http://b.example"}']
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(READERS), st.lists(PIECES | st.text(max_size=5), max_size=40).map("".join))
@example(json_files.records, "[" + "[" * 100_000)
@example(markup.bookmarks, "<a href='" + "x" * 3_000_000)
def test_no_text_whatever_breaks_a_reader(reader: object, text: str) -> None:
    assert callable(reader)
    found: Iterator[Record | Fault] = reader(io.StringIO(text, newline=""))
    for row in found:
        assert isinstance(row, Record) or row.line >= 1


# -- through the rules ---------------------------------------------------------------------------------------------


def test_an_arrival_of_a_file_is_read_into_sightings() -> None:
    record = Record.of("https://a.example/", title="A", tags=["x"], time_added=5, highlights=[Highlight("Q")])
    [sighting] = read([Arrival(source="file", key=Key("file", "1"), raw=json.dumps([record.plain()]))]).sightings
    assert (sighting.url, sighting.source, sighting.tags) == ("https://a.example/", "file", ("x",))
    assert (sighting.at, sighting.note) == (5.0, "Q")
