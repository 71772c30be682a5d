"""A request as it goes over the wire, and nothing that could be read as two. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bridge.errors import FetchError
from bridge.net._target import Target

Headers = list[tuple[bytes, bytes]]

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_PATH = re.compile(rb"/[\x21-\x7e]*")

_BODILESS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`headers` without those that frame it: Host, Content-Length, Connection and what encodings are understood."""

    method: str
    target: Target
    headers: Headers
    content: bytes = b""

    @classmethod
    def of(
        cls, method: str, target: Target, headers: Iterable[tuple[str | bytes, str | bytes]], content: bytes = b""
    ) -> HttpRequest:
        """Raises FetchError for what cannot be written into a request: a header of other lines, or no Latin-1."""
        try:
            fields = [(_bytes(name), _bytes(value).strip(b" \t")) for name, value in headers]
        except UnicodeEncodeError:
            raise _unwritable() from None
        for name, value in fields:
            if not (_TOKEN.fullmatch(name) and _VALUE.fullmatch(value)):
                raise _unwritable()
        return cls(method, target, fields, content)

    @property
    def safe(self) -> bool:
        """Asking twice is as good as asking once."""
        return self.method in _BODILESS

    def wire(self) -> bytes:
        method, path, host = self.method.encode("ascii"), _bytes(self.target.path), _bytes(self.target.host)
        if not (_TOKEN.fullmatch(method) and _PATH.fullmatch(path) and _VALUE.fullmatch(host)):
            raise FetchError("that is not a web address")
        lines = [method + b" " + path + b" HTTP/1.1", b"Host: " + host, b"Accept-Encoding: gzip, identity"]
        lines += [name + b": " + value for name, value in self.headers]
        if self.content or self.method not in _BODILESS:
            lines.append(b"Content-Length: %d" % len(self.content))
        return b"\r\n".join([*lines, b"", self.content])


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def _unwritable() -> FetchError:
    return FetchError("a header of this request holds characters that none may hold")
