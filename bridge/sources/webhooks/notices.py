"""A webhook by which the owner is told what is wrong."""

from __future__ import annotations

import json

from bridge.errors import FetchError, SourceError
from bridge.net import Door

_JSON = {"Content-Type": "application/json"}


class Post:
    """POSTs JSON to one address. `text` and `content` say the same: services differ in where they look."""

    def __init__(self, door: Door, url: str) -> None:
        self._door = door
        self._url = url

    async def tell(self, words: str) -> None:
        """Raises SourceError, which never names the address: there may be a secret in it."""
        body = json.dumps({"from": "pocket-bridge", "text": words, "content": words[:1900]}, ensure_ascii=False)
        try:
            answer = await self._door.fetch(
                self._url, method="POST", headers=_JSON, content=body.encode(), redirects=0, most_bytes=65536
            )
        except FetchError as error:
            raise SourceError(f"the webhook cannot be reached: {error}") from None
        if not 200 <= answer.status < 300:
            after = answer.headers.get("retry-after", "")
            wait = min(float(after), 86400.0) if after.isdecimal() else None
            raise SourceError(f"the webhook answered HTTP {answer.status}", retry_after=wait)
