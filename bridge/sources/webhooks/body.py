"""The body of a request as plain data: JSON, a form, or text, whatever its sender called it. Pure, never raises."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote_plus
from xml.parsers import expat

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_form, parse_options_header

from bridge.scan import web_addresses

# Python knows more codecs than the web, some of them slow (idna) or no character set at all (hex).
_CHARSETS = frozenset(
    "utf-8 utf8 utf-16 utf-16le utf-16be utf-32 us-ascii ascii latin1 mac-roman koi8-r koi8-u ibm866 tis-620 "
    "gb2312 gbk gb18030 big5 big5-hkscs shift_jis euc-jp iso-2022-jp euc-kr cp949".split()
    + [f"iso-8859-{part}" for part in range(1, 17) if part != 12]
    + [f"windows-125{page}" for page in range(9)]
)

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ANY_MARK = tuple(mark for mark, _ in _BYTE_ORDER_MARKS)

# Numbers stay text: a tag 2024 is a word, and no integer is too long.
_JSON = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
_MOST_VALUES = 50_000
_MOST_FIELDS = 1000
_MOST_WRAPPINGS = 4  # JSON in a JSON string in a JSON string …

_LOOKS_LIKE_JSON = re.compile(r'\s*[\[{"]')
_LOOKS_LIKE_A_FORM = re.compile(r"[\w.\[\]%-]+=\S*\s*\Z")
_LOOKS_LIKE_XML = re.compile(r"\s*<\?xml\b")
_LOOKS_LIKE_AN_ADDRESS = re.compile(r"\s*https?://", re.IGNORECASE)

_BLANK = re.compile(r"\s")

_NAMED_ADDRESS = re.compile(
    r'"(?:url|link|href|uri|canonical(?:_url)?|permalink|value1)"\s*:\s*"\s*(https?://[^"\s\\]+)',
    re.IGNORECASE,
)
_CUT_ADDRESS = re.compile(
    r"(?:^|&)(?:url|link|href|uri|value1)=https?://[^&\s?]*\?[^&\s]*+"
    r"&(?!(?:url|link|title|name|subject|tags?|labels|note|excerpt|description|comment|selection|value[123])\b)",
    re.IGNORECASE,
)
_FIELD_AFTER_ANOTHER = re.compile(
    r"&(?:url|link|href|uri|title|name|subject|tags?|labels|note|excerpt|description|comment|selection|text|message"
    r"|content|payload|value[123])(?:\[\])?=",
    re.IGNORECASE,
)
_CUT_NOTE = "the address may be cut short: an “&” in it was not encoded as %26"

_BROKEN_JSON = "the body is not JSON that can be read; only addresses were taken from it"
_BROKEN_MULTIPART = "the body is not valid multipart/form-data; it was read as far as it goes"

_MANY_FIELDS = f"only the first {_MOST_FIELDS} fields were read"

_DEEPEST_ELEMENT = 64
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")

_MARKUP_NAMES = re.compile(r"""\sxmlns(?::\w+)?\s*=\s*["'][^"']*["']|<![^<>]*>""")


@dataclass(frozen=True, slots=True)
class Content:
    """`value` is what json.loads could give, numbers kept as text. `notes`: what had to be guessed, in words.

    `text`: what may be none of a form: the rest from where a field's name looks like no name.
    """

    value: Any
    notes: tuple[str, ...] = ()
    text: str = ""


def content(body: bytes, content_type: str) -> Content:
    """The body under its declared type, if that is true; else as what it looks like."""
    media, options = _media_type(content_type)
    if media == "multipart/form-data":
        return _multipart(body, content_type)
    text = _decoded(body, options.get("charset", ""))
    if media.endswith(("json", "jsonl", "json-seq")):
        return _json_content(text)
    if _LOOKS_LIKE_JSON.match(text) and (value := json_value(text)) is not None:
        return Content(value)
    if _LOOKS_LIKE_AN_ADDRESS.match(text):
        return Content(text)
    if media == "application/x-www-form-urlencoded" or _LOOKS_LIKE_A_FORM.match(text):
        return _form_or_text(body, text, options.get("charset", ""))
    if media.endswith("xml") or _LOOKS_LIKE_XML.match(text):
        return Content(xml_value(text) or _without_markup(text))
    return Content(_without_markup(text) if media.endswith("html") else text)


def form(encoded: bytes, charset: str = "") -> Content:
    """Fields of a form or a query string; `tags[]` is `tags`, a repeated field is a list."""
    if not encoded:
        return Content({})
    # Latin-1 carries the bytes behind %XX unharmed to the place where their character set is decided.
    carried = encoded.decode("latin-1").strip()
    first = "&".join(carried.split("&", _MOST_FIELDS)[:_MOST_FIELDS])
    pairs = parse_qsl(first, keep_blank_values=True, encoding="latin-1")
    fields = ((_recoded(name, charset), _recoded(value, charset)) for name, value in pairs)
    return Content(_gathered(fields), (_CUT_NOTE,) if _CUT_ADDRESS.search(carried) else ())


def _form_or_text(body: bytes, text: str, charset: str) -> Content:
    """Many programs call a form whatever they are given to send, curl among them."""
    pieces = text.strip().split("&", _MOST_FIELDS)
    first = _name(pieces[0])
    if "://" in unquote_plus(first) or (text.strip() and "=" not in text):
        return Content(text if "://" in text else unquote_plus(text.strip().removesuffix("=")))
    if _BLANK.search(first) and "://" in text and not _FIELD_AFTER_ANOTHER.search(text):
        return Content(text)
    odd = next((number for number, piece in enumerate(pieces) if _names_nothing(piece)), len(pieces))
    return replace(form(body, charset), text="&".join(pieces[odd:]))


def _names_nothing(piece: str) -> bool:
    """Whether an address or a blank stands where the name of a form's field would."""
    name = _name(piece)
    return "://" in unquote_plus(name) or bool(_BLANK.search(name))


def _name(piece: str) -> str:
    return piece.partition("=")[0].lstrip()


def json_value(text: str) -> Any:
    """What the JSON text says, or None: lenient about control characters, NaN, JSON in a string, and JSON lines."""
    value = _loads(text)
    for _ in range(_MOST_WRAPPINGS):
        if not (isinstance(value, str) and _LOOKS_LIKE_JSON.match(value)):
            break
        value = _loads(value) or value
    return value


def xml_value(text: str) -> Any:
    """XML as JSON would say it, or None: an element is its text, or an object of its attributes and elements.

    It may have several roots, as some senders do. A document type, and with it every entity of its own, is refused.

    >>> xml_value('<a href="x"><tag>b</tag><tag>c</tag></a>')
    {'a': {'href': 'x', 'tag': ['b', 'c']}}
    """
    tree = _Tree()
    parser = expat.ParserCreate()
    parser.StartElementHandler = tree.begin
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.text
    try:
        # Inside a root of ours a document type is a syntax error.
        parser.Parse(f"<r>{_XML_DECLARATION.sub('', text)}</r>", True)
    except (expat.ExpatError, UnicodeEncodeError, _TooMuch):
        return None
    return tree.value


class _TooMuch(Exception):  # noqa: N818
    pass


class _Tree:
    """Gathers what the parser tells. `value` is the whole when it has finished."""

    def __init__(self) -> None:
        self.value: Any = None
        self._values = 0
        self._open: list[tuple[dict[str, list[Any]], list[str]]] = []

    def begin(self, _name: str, attributes: dict[str, str]) -> None:
        self._values += 1 + len(attributes)
        if len(self._open) > _DEEPEST_ELEMENT or self._values > _MOST_VALUES:
            raise _TooMuch
        named = {_local(name): [value] for name, value in attributes.items() if not name.startswith("xmlns")}
        self._open.append((named, []))

    def text(self, data: str) -> None:
        self._open[-1][1].append(data)

    def end(self, name: str) -> None:
        named, parts = self._open.pop()
        text = "".join(parts).strip()
        if named and text:
            named.setdefault("text", []).append(text)
        value = {key: values if len(values) > 1 else values[0] for key, values in named.items()} or text
        if self._open:
            self._open[-1][0].setdefault(_local(name), []).append(value)
        self.value = value


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _loads(text: str) -> Any:
    if text.count(",") > _MOST_VALUES:
        return None
    try:
        return _JSON.decode(text.strip("\ufeff\x1e \t\r\n"))
    except (ValueError, RecursionError):
        return _json_lines(text)


def _json_lines(text: str) -> Any:
    lines = [line for line in text.replace("\x1e", "").split("\n") if line.strip()]
    if not 2 <= len(lines) <= _MOST_VALUES:
        return None
    try:
        return [_JSON.decode(line.strip()) for line in lines]
    except (ValueError, RecursionError):
        return None


def _json_content(text: str) -> Content:
    if (value := json_value(text)) is not None or text.strip() in ("", "null"):
        return Content(value)
    return Content(_rescued(text), (_BROKEN_JSON,))


def _rescued(text: str) -> Any:
    # A program that fills a template does not escape quotes, but it names its fields.
    unescaped = text.replace("\\/", "/").replace("\\u0026", "&")
    return _NAMED_ADDRESS.findall(unescaped) or web_addresses(unescaped) or text


def _multipart(body: bytes, content_type: str) -> Content:
    fields: list[tuple[str, str]] = []

    def keep(field: tuple[str, str]) -> None:
        if len(fields) >= _MOST_FIELDS:
            raise _TooMuch
        fields.append(field)

    def on_field(field: Field) -> None:
        keep(_part(field.field_name, field.value, field.content_type))

    def on_file(file: File) -> None:
        is_text = (file.content_type or "").startswith(("text/", "application/json"))
        file.file_object.seek(0)
        keep(_part(file.field_name, file.file_object.read() if is_text else b"", file.content_type))

    headers = {"Content-Type": content_type.encode("latin-1", "replace")}
    try:
        parse_form(headers, io.BytesIO(body), on_field, on_file)
    except FormParserError:
        return Content(_gathered(fields) or _rescued(_decoded(body, "")), (_BROKEN_MULTIPART,))
    except _TooMuch:
        return Content(_gathered(fields), (_MANY_FIELDS,))
    if not fields:
        return Content(_rescued(_decoded(body, "")), (_BROKEN_MULTIPART,))
    return Content(_gathered(fields))


def _part(name: bytes | None, value: bytes | None, content_type: str | None) -> tuple[str, str]:
    charset = _media_type(content_type)[1].get("charset", "")
    return _decoded(name or b"", ""), _decoded(value or b"", charset)


def _gathered(fields: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
    gathered: dict[str, list[str]] = {}
    for name, value in fields:
        gathered.setdefault(name.removesuffix("[]"), []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in gathered.items()}


@lru_cache(maxsize=256)
def _media_type(content_type: str | None) -> tuple[str, Mapping[str, str]]:
    media, options = parse_options_header((content_type or "").encode("latin-1", "replace"))
    return media.decode("latin-1"), {name.decode("latin-1"): v.decode("latin-1") for name, v in options.items()}


def _decoded(body: bytes, charset: str) -> str:
    if body.startswith(_ANY_MARK):
        encoding = next(encoding for mark, encoding in _BYTE_ORDER_MARKS if body.startswith(mark))
        return body.decode(encoding, "replace")
    declared = charset.lower()
    # Bytes beyond ASCII that make valid UTF-8 are UTF-8, whatever a template declares.
    encodings = (declared, "utf-8") if body.isascii() else ("utf-8", declared)
    for encoding in encodings if declared in _CHARSETS else ("utf-8",):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    return body.decode("windows-1252", "replace")


def _recoded(carried: str, charset: str) -> str:
    return _decoded(carried.encode("latin-1"), charset)


def _without_markup(text: str) -> str:
    return _MARKUP_NAMES.sub("", text).replace("&amp;", "&")
