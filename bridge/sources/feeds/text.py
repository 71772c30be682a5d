"""What a feed's bytes say: their encoding, decided before any parser guesses, and markup read as plain text. Pure.

Standard library only: this is imported by the child process that reads feeds.
"""

from __future__ import annotations

import codecs
import html
import re

LONGEST_MARKUP = 64 * 1024

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    # Without a byte order mark: how "<" looks there, and "<?xm" in EBCDIC.
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
    (b"\x4c\x6f\xa7\x94", "cp037"),
)

# What is declared under the first name is in practice written in the second, its superset.
_SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
}

# No character sets of documents, or not linear in the document's length.
_REFUSED = frozenset({"punycode", "idna", "unicode_escape", "raw-unicode-escape", "mbcs", "undefined"})

_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
_NOT_ASCII = re.compile("[^\x00-\x7f\ufffd]")

_DROPPED = re.compile(r"(?is)<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)")
_TAG = re.compile(
    r"(?i)</?(?:(?P<inline>abbr|acronym|a|big|bdi|bdo|b|cite|code|data|del|dfn|em|font|ins|i|kbd|mark|q|samp|small|"
    r"span|strike|strong|sub|sup|s|time|tt|u|var|wbr)|address|article|aside|audio|blockquote|body|br|button|canvas|"
    r"caption|center|col|dd|details|div|dl|dt|embed|figcaption|figure|footer|form|h[1-6]|head|header|hr|html|iframe|"
    r"img|input|label|li|main|nav|object|ol|option|picture|pre|p|section|select|source|summary|svg|table|tbody|td|"
    r"textarea|tfoot|th|thead|title|tr|ul|video)(?=[\s/>])[^<>]*>"
)


def decode(body: bytes, charset: str = "") -> str:
    """Byte order mark, then UTF-8 if it is that, then the XML declaration, then `charset` of the answer, then cp1252.

    >>> decode("<?xml version='1.0' encoding='windows-1251'?><a>Привет</a>".encode()).endswith("<a>Привет</a>")
    True
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body.decode(encoding, "replace").removeprefix("\ufeff")
    text = _as_utf8(body)
    if text is not None:
        return text
    declared = _DECLARED.search(body, 0, 1024)
    names = (declared[1].decode("ascii", "replace") if declared else "", charset)
    encoding = next(filter(None, map(_encoding, names)), "cp1252")
    return body.decode(encoding, "replace")


def _as_utf8(body: bytes) -> str | None:
    if b"\x1b" in body:  # no XML character: a shift of ISO 2022, whose bytes are all ASCII
        return None
    text = body.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    # A character cut in two, by a careless summary or a cut connection, does not make it another encoding.
    if not broken or len(_NOT_ASCII.findall(text)) > 4 * broken:
        return text
    return None


def _encoding(name: str) -> str:
    """Python's name for a character set that can be believed once UTF-8 is ruled out; empty for others."""
    try:
        found = codecs.lookup(name).name
        b"x".decode(found)  # refuses what turns bytes into bytes
    except (LookupError, ValueError):
        return ""
    if found in _REFUSED or found.startswith("utf"):
        return ""
    return _SUPERSETS.get(found, found)


def plain(markup: str) -> str:
    """HTML read as text: known tags go, character references are resolved, what only looks like a tag stays.

    >>> plain("<p>Use <b>std::vector&lt;int&gt;</b> &amp; <T></p>").strip()
    'Use std::vector<int> & <T>'
    """
    kept = _DROPPED.sub(" ", markup[:LONGEST_MARKUP])
    return html.unescape(_TAG.sub(lambda tag: "" if tag["inline"] else " ", kept))
