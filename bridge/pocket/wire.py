"""One call to a Pocket server, of either version: its limits noted, its failures told, its secrets kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import httpx

from bridge.pocket.errors import NotPocketError, UnexpectedReplyError, UnreachableError, error_of
from bridge.pocket.limits import Limits

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Wire:
    """The way to one server. `limits` are the headers of the last answer; `secrets` are in no error and no limit."""

    def __init__(
        self,
        base_url: str,
        *,
        transport: httpx.AsyncBaseTransport | None,
        timeout: float | httpx.Timeout,
        clock: Callable[[], float],
        headers: Mapping[str, str],
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url must begin with http:// or https://, not {base_url[:40]!r}")
        self.base_url = base_url.rstrip("/")
        self.limits = Limits()
        self._clock = clock
        self._http = httpx.AsyncClient(
            transport=transport, timeout=timeout, trust_env=False, follow_redirects=False, headers=headers
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def json(self, path: str, content: Mapping[str, Any], secrets: Iterable[str]) -> Mapping[str, Any]:
        """Posts JSON; the answer is a map, from JSON or from a form."""
        response = await self._post(path, secrets, content=json.dumps(content))
        body = decoded(response)
        if body is None:
            raise UnexpectedReplyError("the answer is not readable", status=response.status_code, limits=self.limits)
        return body

    async def text(self, path: str, fields: Mapping[str, str], secrets: Iterable[str]) -> str:
        """Posts a form; the answer is text of any kind."""
        return (await self._post(path, secrets, data=dict(fields))).text

    async def _post(self, path: str, secrets: Iterable[str], **body: Any) -> httpx.Response:
        try:
            response = await self._http.post(self.base_url + path, **body)
        except httpx.RequestError as error:
            reason = f"{self.base_url} gives no answer ({type(error).__name__})"
            raise UnreachableError(reason, sent=not isinstance(error, _NEVER_LEFT)) from error
        self._check(response, tuple(secrets))
        return response

    def _check(self, response: httpx.Response, secrets: tuple[str, ...]) -> None:
        limits = Limits.of(response.headers, now=self._clock())
        self.limits = replace(
            limits, error=_redacted(limits.error, secrets)[:500], status=_redacted(limits.status, secrets)[:100]
        )
        status = response.status_code
        foreign = "x-source" not in response.headers and not _is_pockets(response)
        # Pocket's own 403 has words or a number; a page without them comes from something in between.
        if foreign and (response.is_success or (status == 403 and _is_page(response) and not self.limits.error)):
            reason = f"{self.base_url} answers {_media_type(response)} instead of JSON"
            raise NotPocketError(reason, status=status, limits=self.limits)
        if not response.is_success:
            raise error_of(status, self.limits, _words(response, secrets))


def decoded(response: httpx.Response) -> Mapping[str, Any] | None:
    """The body as a map, whatever its type is said to be: sign-in may answer a form. None: it is neither."""
    start = response.text.lstrip("\ufeff \t\r\n")
    if start.startswith("{"):
        try:
            body = json.loads(start)
        except (ValueError, RecursionError):
            return None
        return body if isinstance(body, dict) else None
    if "x-www-form-urlencoded" in _media_type(response) or start.startswith(("code=", "access_token=")):
        return dict(parse_qsl(start.strip(), keep_blank_values=True))
    return None


def _is_pockets(response: httpx.Response) -> bool:
    return decoded(response) is not None or response.text.startswith(("200 OK", "<?xml"))


def _words(response: httpx.Response, secrets: tuple[str, ...]) -> str:
    said = (decoded(response) or {}).get("error")
    if not isinstance(said, str):
        said = "" if _is_page(response) else response.text
    return _redacted(" ".join(said.split())[:200], secrets)


def _redacted(words: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        words = words.replace(secret, "…") if secret else words
    return words


def _is_page(response: httpx.Response) -> bool:
    return response.text.lstrip().startswith("<") and not response.text.startswith("<?xml")


def _media_type(response: httpx.Response) -> str:
    said: str = response.headers.get("content-type", "no content type")
    return said.split(";", maxsplit=1)[0].strip().lower()
