"""Feed documents: which address an entry means, what its title says, in which encoding, and what is refused."""

from __future__ import annotations

import calendar
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import SourceError
from bridge.sources.feeds.document import parse
from bridge.sources.feeds.entry import Document, Entry
from bridge.sources.feeds.news import news, questions
from bridge.sources.feeds.state import pause_after_failure, retry_after, wished_pause
from bridge.sources.feeds.text import decode, plain
from tests.sources import feed_corpus

URL = "https://site.example/blog/feed.xml"


def rss_entry(inner: str, attributes: str = "") -> Entry:
    return entry(f"<rss version='2.0' {NAMESPACES} {attributes}><channel><item>{inner}</item></channel></rss>")


def atom_entry(inner: str, attributes: str = "") -> Entry:
    return entry(f"<feed xmlns='http://www.w3.org/2005/Atom' {attributes}><entry>{inner}</entry></feed>")


def json_entry(inner: str) -> Entry:
    return entry(f'{{"version": "https://jsonfeed.org/version/1.1", "items": [{{{inner}}}]}}')


def entry(document: str) -> Entry:
    (only,) = parse(document.encode(), url=URL).entries
    return only


NAMESPACES = (
    "xmlns:atom='http://www.w3.org/2005/Atom' xmlns:feedburner='http://rssnamespace.org/feedburner/ext/1.0' "
    "xmlns:media='http://search.yahoo.com/mrss/'"
)
ORIGINAL = "<feedburner:origLink>https://e.example/original</feedburner:origLink>"
ENCLOSURE = "<enclosure url='https://e.example/talk.mp3' type='audio/mpeg' length='1'/>"


@pytest.mark.parametrize(
    ("item", "link"),
    [
        ("<link>https://e.example/a</link>", "https://e.example/a"),
        ("<link> \n https://e.example/a \n </link>", "https://e.example/a"),
        ("<link>https://e.example/a?x=1&copy=3&amp;y=2</link>", "https://e.example/a?x=1&copy=3&y=2"),
        ("<link><![CDATA[https://e.example/a?x=1&y=2]]></link>", "https://e.example/a?x=1&y=2"),
        ("<link>https://proxy.example/a</link>" + ORIGINAL, "https://e.example/original"),
        ("<link>https://e.example/a</link><guid>https://e.example/comments</guid>", "https://e.example/a"),
        ("<guid>https://e.example/comments</guid><link>https://e.example/a</link>", "https://e.example/a"),
        ("<link>https://e.example/a</link><link>https://e.example/b</link>", "https://e.example/a"),
        ("<atom:link rel='alternate' href='https://e.example/a'/>", "https://e.example/a"),
        ("<atom:link rel='self' href='https://e.example/self'/>", ""),
        ("<guid>https://e.example/a</guid>", "https://e.example/a"),
        ("<link></link><guid>https://e.example/a</guid>", "https://e.example/a"),
        ("<link/><guid>https://e.example/a</guid>", "https://e.example/a"),
        ("<guid isPermaLink='false'>https://e.example/a</guid>", ""),
        ("<guid isPermaLink='true'>/blog/a</guid>", "https://site.example/blog/a"),
        ("<guid isPermaLink='false'>/blog/a</guid>", ""),
        ("<guid>blog-a</guid>", ""),
        ("<guid>abc-123</guid>", ""),
        (ENCLOSURE, "https://e.example/talk.mp3"),
        ("<link>https://e.example/a</link>" + ENCLOSURE, "https://e.example/a"),
        ("<link>/a</link>", "https://site.example/a"),
        ("<link>a.html</link>", "https://site.example/blog/a.html"),
        ("<link>//e.example/a</link>", "https://e.example/a"),
        ("<link>javascript:alert(1)</link>", ""),
        ("<link>file:///etc/passwd</link>", ""),
        ("<link>data:text/html,x</link>" + ENCLOSURE, "https://e.example/talk.mp3"),
        ("<link>at://did:plc:x/post/1</link>", ""),
        ("<link>Click here to read</link>", ""),
        ("<link>http://[::1</link>", "http://[::1"),
        ("<link>//[</link>", ""),
        ("<title>Nothing</title>", ""),
    ],
)
def test_the_address_of_an_rss_item(item: str, link: str) -> None:
    assert rss_entry(item).link == link


@pytest.mark.parametrize(
    ("inner", "attributes", "link"),
    [
        ("<link href='https://e.example/a'/>", "", "https://e.example/a"),
        (
            "<link rel='alternate' type='application/json' href='/j'/><link href='/a'/>",
            "",
            "https://site.example/a",
        ),
        ("<link rel='alternate' type='application/json' href='/j'/>", "", "https://site.example/j"),
        ("<link rel='self' href='/s'/><id>tag:e.example,2026:1</id>", "", ""),
        ("<link rel='self' href='/s'/><id>https://e.example/a</id>", "", "https://e.example/a"),
        ("<link rel='enclosure' href='/talk.mp3'/>", "", "https://site.example/talk.mp3"),
        ("<link href='a'/>", "xml:base='https://base.example/x/'", "https://base.example/x/a"),
        ("<link href='a'/>", "xml:base='/y/'", "https://site.example/y/a"),
    ],
)
def test_the_address_of_an_atom_entry(inner: str, attributes: str, link: str) -> None:
    assert atom_entry(inner, attributes).link == link


@pytest.mark.parametrize(
    ("inner", "link"),
    [
        (
            '"url": "https://e.example/post", "external_url": "https://e.example/article"',
            "https://e.example/post",
        ),
        ('"external_url": "https://e.example/article"', "https://e.example/article"),
        ('"url": "/post"', "https://site.example/post"),
        ('"url": 7, "attachments": [{"url": "https://e.example/talk.mp3"}]', "https://e.example/talk.mp3"),
        ('"id": "https://e.example/post"', ""),
    ],
)
def test_the_address_of_a_json_feed_item(inner: str, link: str) -> None:
    assert json_entry(inner).link == link


LOBSTERS = """<rss version="2.0"><channel><title>Lobsters</title><link>https://lobste.rs/</link><item>
<title>A story</title><link>https://blog.example/story</link><guid>https://lobste.rs/s/abc123</guid>
<comments>https://lobste.rs/s/abc123/a_story</comments><category>web</category></item></channel></rss>"""
HACKER_NEWS = """<rss version="2.0"><channel><title>Hacker News</title><link>https://news.ycombinator.com/</link><item>
<title>A story</title><link>https://blog.example/story</link>
<comments>https://news.ycombinator.com/item?id=1</comments></item></channel></rss>"""
HNRSS = """<rss version="2.0"><channel><link>https://news.ycombinator.com/</link><item><title>A story</title>
<link>https://blog.example/story</link><guid isPermaLink="false">https://news.ycombinator.com/item?id=1</guid>
<comments>https://news.ycombinator.com/item?id=1</comments></item></channel></rss>"""
REDDIT = """<feed xmlns="http://www.w3.org/2005/Atom"><link rel="self" href="https://www.reddit.com/r/x/.rss"/><entry>
<id>t3_abc</id><title>A story</title><link href="https://www.reddit.com/r/x/comments/abc/a_story/"/>
<content type="html">&lt;a href="https://blog.example/story"&gt;[link]&lt;/a&gt;</content></entry></feed>"""
YOUTUBE = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:yt="http://www.youtube.com/xml/schemas/2015"
 xmlns:media="http://search.yahoo.com/mrss/"><link rel="alternate" href="https://www.youtube.com/channel/C"/><entry>
<id>yt:video:v1</id><yt:videoId>v1</yt:videoId><title>A story</title>
<link rel="alternate" href="https://www.youtube.com/watch?v=v1"/><media:group><media:title>Other</media:title>
<media:content url="https://www.youtube.com/v/v1?version=3" type="application/x-shockwave-flash"/></media:group>
<published>2026-01-01T00:00:00Z</published><updated>2026-02-02T00:00:00Z</updated></entry></feed>"""
GITHUB = """<feed xmlns="http://www.w3.org/2005/Atom"><link rel="alternate" type="text/html" href="/a/b/releases"/><entry>
<id>tag:github.com,2008:Repository/1/v1</id><title>A story</title>
<link rel="alternate" type="text/html" href="/a/b/releases/tag/v1"/></entry></feed>"""


@pytest.mark.parametrize(
    ("document", "identifier", "link"),
    [
        (LOBSTERS, "https://lobste.rs/s/abc123", "https://blog.example/story"),
        (HACKER_NEWS, "", "https://blog.example/story"),
        (HNRSS, "https://news.ycombinator.com/item?id=1", "https://blog.example/story"),
        (REDDIT, "t3_abc", "https://www.reddit.com/r/x/comments/abc/a_story/"),
        (YOUTUBE, "yt:video:v1", "https://www.youtube.com/watch?v=v1"),
        (GITHUB, "tag:github.com,2008:Repository/1/v1", "https://github.com/a/b/releases/tag/v1"),
    ],
    ids="lobsters hacker-news hnrss reddit youtube github".split(),
)
def test_feeds_that_everybody_reads_are_read_right(document: str, identifier: str, link: str) -> None:
    [entry] = parse(document.encode(), url="https://github.com/a/b/releases.atom").entries
    assert (entry.id, entry.link, entry.title) == (identifier, link, "A story")
    assert entry.published in (0.0, 1_767_225_600.0)


def test_the_address_of_an_rdf_item_is_its_identifier_when_it_has_no_link() -> None:
    document = (
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'>"
        "<channel><link>https://site.example/</link></channel>"
        "<item rdf:about='https://e.example/a'><title>A</title></item></rdf:RDF>"
    )
    assert entry(document).link == "https://e.example/a"


@pytest.mark.parametrize("written", ["t3_abc", " t3_abc ", "123", "tag:e.example,2026:1", "HTTP://e.example/../A"])
def test_an_id_stays_as_it_is_written_wherever_the_feed_moves(written: str) -> None:
    base = "xml:base='https://base.example/x/'"
    assert atom_entry(f"<id>{written}</id>", base).id == written.strip()
    assert rss_entry(f"<guid>{written}</guid>", base).id == written.strip()


@pytest.mark.parametrize(
    ("inner", "title"),
    [
        ("<title>A &amp; B</title>", "A & B"),
        ("<title>A &amp;amp; B &amp;#x27;C&amp;#x27;</title>", "A & B 'C'"),
        ("<title>AT&T and R&D;</title>", "AT&T and R&D;"),
        ("<title>std::vector&lt;int&gt; is fast</title>", "std::vector<int> is fast"),
        ("<title>if a &lt; b and b &gt; c</title>", "if a < b and b > c"),
        ("<title>&lt;b&gt;Bold&lt;/b&gt; move</title>", "Bold move"),
        ("<title><![CDATA[<em>Bold</em> move &#8211; now]]></title>", "Bold move – now"),
        ("<title>Two\n  lines</title>", "Two lines"),
        ("<title>a\x08b&#8;c&#xD800;d</title>", "abcd"),
        ("<title>Own</title><media:title>Picture</media:title>", "Own"),
        ("<description>No title</description>", ""),
    ],
)
def test_the_title_of_an_rss_item(inner: str, title: str) -> None:
    assert rss_entry(inner).title == title


@pytest.mark.parametrize(
    ("inner", "title"),
    [
        ("<title>The &lt;blink&gt; tag</title>", "The <blink> tag"),
        ("<title type='text'>Use &lt;b&gt;</title>", "Use <b>"),
        ("<title type='html'>&lt;b&gt;A&lt;/b&gt; &amp;amp; H&lt;sub&gt;2&lt;/sub&gt;O</title>", "A & H2O"),
        ("<title type='html'>A&lt;br/&gt;B &amp;lt;tag&amp;gt;</title>", "A B <tag>"),
        ("<title type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>A <b>B</b></div></title>", "A B"),
    ],
)
def test_the_title_of_an_atom_entry(inner: str, title: str) -> None:
    assert atom_entry(inner).title == title


def test_all_that_an_rss_item_says() -> None:
    said = rss_entry(
        "<link>https://e.example/a</link><guid isPermaLink='false'>7</guid><author>Ann</author>"
        "<category>Science</category><category domain='x'>Web dev</category><category>http://schema.example/k</category>"
        "<pubDate>Thu, 01 Jan 2026 00:00:00 GMT</pubDate><comments>https://e.example/a#talk</comments>"
        "<description>&lt;p&gt;Some &lt;i&gt;words&lt;/i&gt;&lt;/p&gt;</description>"
    )
    assert (said.id, said.author, said.tags) == ("7", "Ann", ("Science", "Web dev"))
    assert said.published == calendar.timegm((2026, 1, 1, 0, 0, 0))
    assert (said.summary, said.comments) == ("Some words", "https://e.example/a#talk")


def test_all_that_a_json_feed_item_says() -> None:
    said = json_entry(
        '"id": 7, "url": "https://e.example/a", "title": "A <b>", "tags": ["Science", 3], '
        '"authors": [{"name": "Ann"}], "date_published": "2026-01-01T02:00:00+02:00", "content_html": "<p>Words</p>"'
    )
    assert (said.id, said.title, said.tags, said.author) == ("7", "A <b>", ("Science", "3"), "Ann")
    assert (said.published, said.summary) == (calendar.timegm((2026, 1, 1, 0, 0, 0)), "Words")


def test_a_document_tells_how_long_it_wants_to_be_left_alone() -> None:
    assert parse(b"<rss version='2.0'><channel><ttl>60</ttl></channel></rss>").ttl == 3600
    assert parse(b"<rss version='2.0'><channel><ttl>soon</ttl></channel></rss>").ttl == 0


RUSSIAN = "Привет, мир"


@pytest.mark.parametrize(
    ("actual", "declared", "charset"),
    [
        ("utf-8", "utf-8", ""),
        ("utf-8", "windows-1251", "iso-8859-1"),
        ("utf-8-sig", "koi8-r", ""),
        ("windows-1251", "windows-1251", "utf-8"),
        ("windows-1251", "utf-8", "windows-1251"),
        ("koi8-r", "", "koi8-r"),
        ("koi8-r", "no-such-thing", "koi8-r"),
        ("utf-16", "utf-16", ""),
        ("utf-16-le", "utf-8", ""),
        ("utf-16-be", "", ""),
        ("utf-32", "utf-32", ""),
        ("iso2022_jp", "iso-2022-jp", "utf-8"),
        ("gb18030", "gb2312", ""),
        ("euc_jp", "euc-jp", ""),
    ],
)
def test_the_encoding_is_what_the_bytes_are(actual: str, declared: str, charset: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    body = f"{declaration}<rss version='2.0'><channel><item><title>{RUSSIAN}</title></item></channel></rss>"
    assert [found.title for found in parse(body.encode(actual), charset=charset).entries] == [RUSSIAN]


def test_one_broken_character_does_not_change_the_encoding() -> None:
    body = RUSSIAN.encode() + "п".encode()[:1] + b" and more"
    assert decode(body, "iso-8859-1") == f"{RUSSIAN}\ufffd and more"


@pytest.mark.parametrize("charset", ["", "utf-7", "punycode", "rot13", "hex", "\0", "utf-16"])
def test_without_a_believable_name_it_is_what_most_old_pages_are(charset: str) -> None:
    assert decode("Café “x”".encode("cp1252"), charset) == "Café “x”"


def test_a_document_that_ends_too_early_keeps_the_entries_before_the_cut() -> None:
    whole = "<rss version='2.0'><channel><item><link>https://e.example/1</link></item><item><link>https://e.example/22"
    cut = parse(whole.encode())
    assert not cut.complete
    assert [found.link for found in cut.entries] == ["https://e.example/1"]
    sloppy = parse(b"<rss version='2.0'><channel><item><link>https://e.example/1</link><p></item></channel></rss>")
    assert sloppy.complete
    assert len(sloppy.entries) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the answer is empty"),
        (b" \n ", "the answer is empty"),
        (b"<!DOCTYPE html><title>Log in</title>", "a web page"),
        (b"\n<!-- x --><html><body><item><link>https://e.example/1</link></item>", "a web page"),
        (b"/etc/passwd", "not a feed"),
        (b"http://127.0.0.1/feed", "not a feed"),
        (b"<opml version='2.0'><body/></opml>", "not a feed"),
        (b"<rss r:version=2.0><r:channel><r:item><r:link>https://e.example/</r:link></r:item>", "XML is broken"),
        (b'{"a": 1}', "no JSON Feed"),
        (b'{"items": ' + b"[" * 200_000, "cannot be read"),
        (b'{"items": ' + b"9" * 5000, "cannot be read"),
    ],
)
def test_what_is_no_feed_is_refused_in_words(body: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        parse(body)


def test_no_entity_is_expanded_from_elsewhere_or_without_end(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not tell")
    steps = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    for declared, used in [
        (f'<!ENTITY x SYSTEM "file://{secret}">', "x"),
        (f'<!ENTITY l0 "ha">{steps}', "l9"),
    ]:
        document = f"<!DOCTYPE rss [{declared}]><rss version='2.0'><channel><item><title>&{used};</title></item></channel></rss>"
        found = parse(document.encode())
        assert "do not tell" not in repr(found)
        assert len(repr(found)) < 1000


TEXT = st.text(st.sampled_from("<>&;/'\"![]-? ab\n\0é") | st.characters(codec="utf-8"), max_size=40)
WORDS = st.sampled_from(
    "<item> </item> <entry> </entry> <link> </link> <guid> </guid> <title type='html'> </title> <![CDATA[ ]]> <!-- --> "
    "&amp; &#xD800; &#x110000; &nbsp; https://e.example/1 javascript:x </channel> </rss> <b> <link/> <id> </id>".split()
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["<rss version='2.0'><channel>", "<feed xmlns='http://www.w3.org/2005/Atom'>", ""]),
    st.lists(WORDS | TEXT, max_size=30),
)
def test_any_text_is_a_document_or_refused_and_a_link_is_always_a_web_address(root: str, parts: list[str]) -> None:
    body = (root + "".join(parts)).encode("utf-8", "replace")
    try:
        document = parse(body, url=URL)
    except SourceError:
        return
    for found in document.entries:
        assert not found.link or found.link.lower().startswith(("http://", "https://"))
        assert found == Entry.from_wire(Document(entries=(found,)).to_wire()["entries"][0])


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from(["", "utf-8", "big5", "utf-7"]) | st.text(string.printable, max_size=10),
)
def test_any_bytes_have_a_text(body: bytes, charset: str) -> None:
    decode(body, charset).encode("utf-8")


@settings(max_examples=100)
@given(TEXT)
def test_plain_text_without_markup_stays_as_it_is(text: str) -> None:
    harmless = text.replace("<", "").replace("&", "")
    assert plain(harmless) == harmless


# -- what is new, as a machine -------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_a_publisher_does_every_article_is_new_exactly_once(data: st.DataObject) -> None:
    """Articles come, go, come back, change their id or their address (never both between two polls), and are shuffled."""
    ids: dict[int, str] = {}
    links: dict[int, str] = {}
    known: set[str] = set()
    counter = 0
    for _ in range(data.draw(st.integers(1, 8), "polls")):
        for number in range(len(ids), len(ids) + data.draw(st.integers(0, 3), "published")):
            ids[number], links[number] = f"id-{number}", f"https://e.example/{number}"
        for number in data.draw(st.lists(st.sampled_from(sorted(ids)), unique=True) if ids else st.just([]), "changed"):
            counter += 1
            if data.draw(st.booleans(), "the id"):
                ids[number] = f"id-{number}-{counter}"
            else:
                links[number] = f"https://e.example/{number}/{counter}"
        listed = data.draw(st.permutations(sorted(ids)), "order")
        entries = [Entry(id=ids[number], link=links[number], title=str(number)) for number in listed]
        before = {f"i:{id_}" for id_ in ids.values()} | {f"l:{link}" for link in links.values()}
        unmet = {entry.title for entry in entries if {f"i:{entry.id}", f"l:{entry.link}"}.isdisjoint(known)}
        found = news(entries, known & set(questions(entries)))
        assert {entry.title for entry, _ in found.fresh} == unmet
        known |= {*found.seen, *(key for _, keys in found.fresh for key in keys)}
        assert before <= known
        assert not news(entries, known & set(questions(entries))).fresh


# -- headers -------------------------------------------------------------------------------------------------------

HEADER = (
    st.sampled_from(["max-age=", "0", "-1", "99999999999999999999", "Sat, 01 Jan 2022 00:00:00 GMT", "9" * 5000]) | TEXT
)


@settings(max_examples=200)
@given(HEADER, HEADER)
def test_whatever_a_header_says_a_pause_is_never_negative_or_endless(one: str, other: str) -> None:
    headers = {"cache-control": one, "expires": other, "retry-after": one}
    assert wished_pause(headers, 1_790_000_000.0) >= 0
    wait = pause_after_failure(3, 3600.0, retry_after=retry_after(headers, 1_790_000_000.0), chance=0.0)
    assert 300 <= wait <= 7 * 86400


# -- the corpus beside the checkout --------------------------------------------------------------------------------


def test_every_difference_from_what_others_state_is_written_down_with_its_reason(corpus: Path) -> None:
    document = (Path(__file__).resolve().parents[2] / "docs" / "feed-corpus.md").read_text("utf-8")
    table = "\n".join(feed_corpus.stated(corpus / "feeds"))
    assert table in document
    assert "not explained" not in table


def test_what_other_projects_state_about_their_feeds_we_read_too(corpus: Path) -> None:
    counts, baseline, _ = feed_corpus.agreement(corpus / "feeds")
    for fact, same, wrong in [
        ("link", 468, 2),
        ("title", 469, 3),
        ("id", 304, 2),
        ("comments", 1, 0),
        ("count", 30, 0),
    ]:
        assert counts[fact, "same"] >= same
        assert counts[fact, "wrong"] <= wrong
        stated = sum(counts[fact, verdict] for verdict in ("same", "ours", "wrong"))
        assert stated - counts[fact, "wrong"] >= baseline[fact]
