"""The body of an answer as it comes: counted on the wire and unpacked, so that a small gzip becomes no large one."""

from __future__ import annotations

import zlib

from bridge.errors import FetchError

RATIO = 200
"""So many times its size on the wire an answer may have, once it is worth counting."""

WORTH_COUNTING = 1024 * 1024

_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"


class Overflow(FetchError):  # noqa: N818 - what the body does
    """More came than may; `beginning` is what was read by then."""

    def __init__(self, most_bytes: int, beginning: bytes) -> None:
        super().__init__(f"the answer is larger than {most_bytes} bytes", sent=True)
        self.beginning = beginning[:most_bytes]


class Body:
    """Takes the wire's pieces. Raises FetchError as soon as it is too much, or is not what was asked for."""

    def __init__(self, encoding: str, most_bytes: int) -> None:
        self._window = _window(encoding)
        self._inflate = zlib.decompressobj(self._window) if self._window else None
        self._most = most_bytes
        self._wire = 0
        self._size = 0
        self._parts: list[bytes] = []

    def feed(self, piece: bytes) -> None:
        self._wire += len(piece)
        if self._inflate is not None:
            self._unpack(piece)
        else:
            self._parts.append(piece)
        if self._wire > self._most:
            raise Overflow(self._most, b"".join(self._parts))

    def whole(self) -> bytes:
        """Once everything was fed."""
        if self._inflate is not None and self._wire and not self._inflate.eof:
            raise FetchError("the answer was cut off", sent=True)
        return b"".join(self._parts)

    def _unpack(self, piece: bytes) -> None:
        inflate = self._inflate
        while piece and inflate is not None:
            try:
                part = inflate.decompress(piece, self._most - self._size + 1)
            except zlib.error:
                raise FetchError("the answer's compression is damaged", sent=True) from None
            self._count(part)
            if not inflate.eof or not inflate.unused_data.startswith(_GZIP_MAGIC):
                return  # what follows the end and is no further member is padding
            piece = inflate.unused_data
            self._inflate = inflate = zlib.decompressobj(self._window)

    def _count(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._most:
            raise Overflow(self._most, b"".join((*self._parts, part)))
        if self._size > max(WORTH_COUNTING, RATIO * self._wire):
            raise FetchError(f"the answer unpacks to more than {RATIO} times its size", sent=True)
        self._parts.append(part)


def _window(encoding: str) -> int:
    match encoding.strip().lower():
        case "" | "identity":
            return 0
        case "gzip" | "x-gzip":
            return _GZIP
        case "deflate":
            return zlib.MAX_WBITS
        case other:
            raise FetchError(f"the answer is packed as “{other[:40]}”, which was not asked for", sent=True)
