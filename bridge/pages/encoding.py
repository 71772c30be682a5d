"""Bytes of a page as text. The decision is ours: a mark, the server, the page, then what the bytes allow."""

from __future__ import annotations

import codecs
import re

_META = re.compile(rb"<meta[^>]{0,500}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_XML = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{2,40})", re.IGNORECASE)
_HEADER = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)

DECLARED_WITHIN = 4096

FEW = 8
"""So few bytes beyond ASCII may be UTF-8 by chance."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

# What browsers understand by these labels.
_MEANT = {
    **dict.fromkeys(("latin1", "iso8859-1", "l1", "ascii", "us-ascii", "cp819"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk", "x-gbk", "euc-cn", "hz"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji"), "cp932"),
    **dict.fromkeys(("euc_kr", "euc-kr", "ks_c_5601-1987", "korean"), "cp949"),
    **dict.fromkeys(("iso8859-9", "latin5"), "cp1254"),
    **dict.fromkeys(("tis-620", "iso8859-11"), "cp874"),
    **dict.fromkeys(("big5", "big5-hkscs"), "big5hkscs"),
}
_TEXT = re.compile(r"utf-?(8|16)|cp\d+|iso8859|koi8|gb18030|euc|big5|mac|windows|iso2022_jp")


def decoded(body: bytes, content_type: str = "") -> str:
    """Never raises. What cannot be read becomes a replacement sign."""
    for mark, name in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    for name in _candidates(body, content_type):
        text = _exactly(body, name)
        if text is not None:
            return text
    declared = next((name for name in _candidates(body, content_type) if name != "utf-8"), "")
    return body.decode(declared or ("cp1252" if _is_single_byte(body) else "utf-8"), "replace")


def _candidates(body: bytes, content_type: str) -> list[str]:
    """UTF-8 where it fits, which it does not by chance; else as declared, the server before the page."""
    head = body[:DECLARED_WITHIN]
    said, found = _HEADER.search(content_type), (_XML.search(head), _META.search(head))
    labels = [said.group(1)] if said else []
    labels += [each.group(1).decode("ascii", "replace") for each in found if each]
    names = [name for label in labels if (name := _name(label))]
    # A page that could be read this far is not UTF-16, whatever it says.
    names = ["utf-8" if name.startswith("utf-16") else name for name in names]
    by_chance = sum(byte > 127 for byte in body[:65536]) < FEW
    return list(dict.fromkeys((*names, "utf-8") if by_chance else ("utf-8", *names)))


def _name(label: str) -> str:
    label = label.lower()
    try:
        name = codecs.lookup(label).name
    except LookupError:
        return _MEANT.get(label, "")
    meant = _MEANT.get(label, _MEANT.get(name, name))
    return meant if _TEXT.match(meant) else ""


def _exactly(body: bytes, name: str) -> str | None:
    """The whole text; its last sign may have been cut off with the rest of the page."""
    try:
        return codecs.getincrementaldecoder(name)("strict").decode(body, final=False)
    except (UnicodeError, LookupError):
        return None


def _is_single_byte(body: bytes) -> bool:
    """Whether the signs that are not ASCII are mostly no UTF-8 at all, rather than a few damaged ones."""
    foreign = sum(byte > 127 for byte in body[:65536])
    damaged = body[:65536].decode("utf-8", "replace").count("\ufffd")
    return damaged * 3 > foreign
