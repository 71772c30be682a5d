"""Calls of the Bot API. The token is known here and nowhere else: it enters no log line, error or repr."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from telegram.error import TelegramError
from telegram.request import BaseRequest, RequestData

from bridge.errors import ConfigError, FetchError, SourceError
from bridge.net import Answer, Door

_DEADLINE = 20.0
_LONGEST_DESCRIPTION = 300
_JSON = {"Content-Type": "application/json"}
_RESULTS = re.compile(r'\s*\{\s*"ok"\s*:\s*true\s*,\s*"result"\s*:\s*\[\s*')
_NEXT = re.compile(r"\s*,\s*")
_END = re.compile(r"\s*\]\s*\}\s*")
_DECODER = json.JSONDecoder()

_TOKEN = re.compile(r"(?P<bot>[0-9]+):(?P<secret>[\w-]+)", re.ASCII)


class Element(NamedTuple):
    """One element of an answer: its own text, as it came, and what that says."""

    raw: str
    says: object


class BotError(SourceError):
    """The Bot API itself answered, but not with a result. `status` is the HTTP status."""

    def __init__(self, reason: str, *, status: int, retry_after: float | None = None) -> None:
        super().__init__(reason, retry_after=retry_after)
        self.status = status


class BotApi:
    """The methods of one bot. What is raised is a SourceError, a BotError when the server has answered."""

    def __init__(self, net: Door, *, token: str, api: str) -> None:
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            raise ConfigError(
                "BRIDGE_TELEGRAM_TOKEN is not a bot's token: it looks like 123456789:AbC…, and @BotFather gives it"
            )
        self.bot_id = parts["bot"]
        self._secret = parts["secret"]
        self._address = f"{api.rstrip('/')}/bot{token}"
        self._net = net

    async def call(self, method: str, parameters: dict[str, Any] | None = None, *, wait: float = 0.0) -> Any:
        """The method's result. `wait`: seconds the server may take on purpose (a long poll)."""
        answer = await self._asked(method, parameters, wait)
        return self._result(answer, answer.body.decode("utf-8", "replace"))

    async def elements(self, method: str, parameters: dict[str, Any], *, wait: float = 0.0) -> list[Element]:
        """The result of a method that answers a list, element by element."""
        answer = await self._asked(method, parameters, wait)
        text = answer.body.decode("utf-8", "replace")
        found = _elements(text) if answer.status < 300 else None
        if found is not None:
            return found
        result = self._result(answer, text)
        if not isinstance(result, list):
            raise SourceError(f"the Bot API answered {method} with something that is no list")
        return [Element(json.dumps(element, separators=(",", ":")), element) for element in result]

    async def _asked(self, method: str, parameters: dict[str, Any] | None, wait: float) -> Answer:
        try:
            return await self._net.fetch(
                f"{self._address}/{method}",
                method="POST",
                headers=_JSON,
                content=json.dumps(parameters or {}).encode(),
                deadline=wait + _DEADLINE,
                redirects=0,
            )
        except FetchError as error:
            raise SourceError(self._redacted(f"Telegram cannot be reached: {error}")) from None

    def _result(self, answer: Answer, text: str) -> Any:
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        match body:
            case {"ok": True, "result": result}:
                return result
            case {"ok": False, "description": str(said)}:
                words = self._redacted(said)[:_LONGEST_DESCRIPTION]
                raise BotError(words, status=_status(answer, body), retry_after=_retry_after(body))
            case _:
                what = "a web page" if text.lstrip()[:1] == "<" else "an answer that is not the Bot API's own"
                raise SourceError(
                    f"{what} came instead of Telegram's answer (HTTP {answer.status}): is a proxy between?"
                )

    def _redacted(self, text: str) -> str:
        return text.replace(self._secret, "…")


class BotApiRequest(BaseRequest):
    """python-telegram-bot's way out: its calls go through a BotApi, so it needs neither network nor token."""

    def __init__(self, bot_api: BotApi) -> None:
        self._bot_api = bot_api

    @property
    def read_timeout(self) -> float:
        return _DEADLINE

    async def initialize(self) -> None:
        """Nothing is held open here."""

    async def shutdown(self) -> None:
        """Nothing is held open here."""

    async def do_request(
        self,
        url: str,
        method: str,  # noqa: ARG002 - the library's signature
        request_data: RequestData | None = None,
        *_timeouts: object,
        **_more: object,
    ) -> tuple[int, bytes]:
        parameters = request_data.parameters if request_data else {}
        try:
            result = await self._bot_api.call(url.rpartition("/")[2], parameters)
        except SourceError as error:
            raise BotCallError(error) from None
        return 200, json.dumps({"ok": True, "result": result}).encode()


class BotCallError(TelegramError):
    """Carries our error through python-telegram-bot, whose own RetryAfter warns when it is made."""

    def __init__(self, error: SourceError) -> None:
        super().__init__(str(error))
        self.error = error


def _elements(text: str) -> list[Element] | None:
    """In one pass, so that nothing has to be written out again; None: the answer must be looked at as a whole."""
    head = _RESULTS.match(text)
    if head is None:
        return None
    at, found = head.end(), list[Element]()
    if _END.fullmatch(text, at):
        return found
    try:
        while True:
            says, end = _DECODER.raw_decode(text, at)
            found.append(Element(text[at:end], says))
            more = _NEXT.match(text, end)
            if more is None:
                return found if _END.fullmatch(text, end) else None
            at = more.end()
    except (ValueError, RecursionError):
        return None


def _status(answer: Answer, body: dict[str, Any]) -> int:
    code = body.get("error_code")
    return code if answer.status < 400 and isinstance(code, int) else answer.status


def _retry_after(body: dict[str, Any]) -> float | None:
    match body.get("parameters"):
        case {"retry_after": int() | float() as seconds} if seconds > 0:
            return float(seconds)
        case _:
            return None
