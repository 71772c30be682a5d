"""The only door out: every outgoing request is guarded, bounded in time and bytes, and followed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. `url` is the address that gave it; `hops` are the redirects on the way: (status, to)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    hops: tuple[tuple[int, str], ...] = ()


class Net:
    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        deadline: float = 20.0,
        most_bytes: int = 10 * 1024 * 1024,
        redirects: int = 5,
    ) -> Answer:
        """Any status is an answer. Raises FetchError when there is none in time, when it is too large, or when an
        address on the way is not allowed. ETag validators and credentials are dropped when the origin changes."""
        raise NotImplementedError
