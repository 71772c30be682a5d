"""A small Bot API server with Telegram's own semantics: what the real one would confirm, refuse or forget, this does.

    bot_api = BotApi()                                          # in a test: httpx.ASGITransport(app=bot_api)
    bot_api.receive(message(text="https://example.com"))        # somebody writes to the bot
    bot_api.calls                                               # what the bot has asked: (method, parameters)

It is plain ASGI and runs under uvicorn as well. Sources: the api specification, and tdlib/telegram-bot-api.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

Json = dict[str, Any]

TOKEN = "4242:AAbot_api-test-token"

_MOST_UPDATES = 100
_LONGEST_POLL = 50
_LONGEST_TEXT = 4096
_REACTIONS = frozenset(
    "👍👎❤🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣⚡🍌🏆💔🤨😐🍓🍾💋🖕😈😴😭🤓👻👀🎃🙈😇😨🤝✍🤗🫡🎅🎄☃💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾🤷😡"
)
_ALLOWED_TAGS: Final = frozenset("a b blockquote code del em i ins pre s span strike strong tg-spoiler u".split())


class Refusal(Exception):  # noqa: N818 - what the server says, not a fault of it
    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status = status
        self.parameters = parameters

    def response(self) -> Response:
        body: Json = {"ok": False, "error_code": self.status, "description": str(self)}
        if self.parameters:
            body["parameters"] = self.parameters
        return JSONResponse(body, self.status)


class BotApi:
    """`second`: how long a second of long polling takes; 0 answers at once, so that no test waits."""

    def __init__(self, *, token: str = TOKEN, username: str = "MyBridgeBot", second: float = 0.0) -> None:
        self.calls: list[tuple[str, Json]] = []
        self.sent: dict[tuple[int, int], str] = {}
        self.buttons: dict[tuple[int, int], list[list[Json]]] = {}
        self.reactions: dict[tuple[int, int], str] = {}
        self.toasts: list[str] = []
        self.commands: list[str] = []
        self.forbidden_reactions = False
        self.refused = {401: 0, 404: 0}
        self.webhook = ""
        self.secret = ""
        self.confirmed: list[int] = []
        self._token = token
        self._username = username
        self._second = second
        self._queue: deque[tuple[int, Any]] = deque()
        self._next_id = 700_000_001
        self._next_message = 5001
        self._pressed: set[str] = set()
        self._troubles: deque[Response] = deque()
        self._poll: asyncio.Future[str] | None = None
        self._asgi = Starlette(routes=[Route("/{bot}/{method}", self._answer, methods=["GET", "POST"])])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._asgi(scope, receive, send)

    # What happens around the bot.

    def receive(self, message: Json, *, kind: str = "message") -> int:
        """Somebody writes: the update's id."""
        return self.receive_raw({"update_id": self._next_id, kind: message})

    def press(self, label: str, *, under: tuple[int, int] | None = None, by: Json | None = None) -> int:
        """Somebody presses the button `label` under the bot's newest answer that has one, or under `under`."""
        place = under or next(place for place in reversed(self.buttons) if label in self.labels(place))
        button = next(button for row in self.buttons[place] for button in row if button["text"] == label)
        number = self._next_id
        self._pressed.add(str(number))
        query = {
            "id": str(number),
            "from": by or {"id": 42, "is_bot": False, "first_name": "Ann"},
            "message": self._message(*place, shown(self.sent[place], "HTML")),
            "chat_instance": "1",
            "data": button["callback_data"],
        }
        return self.receive_raw({"update_id": number, "callback_query": query})

    def labels(self, place: tuple[int, int]) -> list[str]:
        return [button["text"] for row in self.buttons.get(place, []) for button in row]

    def receive_raw(self, element: Any) -> int:
        """Any element at all takes its place in the queue, whatever it looks like: the id it stands under."""
        number = self._next_id
        self._queue.append((number, element))
        self._next_id += 1
        self._end_poll("arrived")
        return number

    def restart_ids(self, *, at: int | None = None) -> None:
        """A week of silence: the queue is empty, and ids begin anew at a random number."""
        self._queue.clear()
        self._next_id = random.randrange(1, 2**30) if at is None else at

    def trouble(self, status: int, body: str | Json, *, times: int = 1) -> None:
        """The next calls of getUpdates, sendMessage and the like get this instead of an answer."""
        response = HTMLResponse(body, status) if isinstance(body, str) else JSONResponse(body, status)
        self._troubles.extend([response] * times)

    def bad_gateway(self, *, times: int = 1) -> None:
        self.trouble(502, "<html><body><h1>502 Bad Gateway</h1></body></html>", times=times)

    def flood(self, seconds: int) -> None:
        refusal = Refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        self._troubles.append(refusal.response())

    def asked(self, method: str) -> list[Json]:
        return [parameters for name, parameters in self.calls if name == method]

    @property
    def pending(self) -> list[int]:
        """Ids the bot has not confirmed: what it would get again."""
        return [number for number, _ in self._queue]

    # What the bot asks.

    async def _answer(self, request: Request) -> Response:
        try:
            parameters = await _parameters(request)
        except ClientDisconnect:
            return Response()  # the bot was killed while it asked
        method = request.path_params["method"]
        try:
            self._authorize(request.path_params["bot"])
            call = self._methods.get(method.lower(), _no_such_method)
            self.calls.append((method, parameters))
            if self._troubles:
                return self._troubles.popleft()
            return JSONResponse({"ok": True, "result": await call(parameters)})
        except Refusal as refusal:
            return refusal.response()

    def _authorize(self, bot: str) -> None:
        if bot == f"bot{self._token}":
            return
        # A token that cannot be one is an address that is not there.
        status = 401 if re.fullmatch(r"bot[0-9]+:[\w-]{10,}", bot, re.ASCII) else 404
        self.refused[status] += 1
        raise Refusal(status, "Unauthorized" if status == 401 else "Not Found")

    @property
    def _methods(self) -> Mapping[str, Callable[[Json], Awaitable[Any]]]:
        return {
            "getme": self._get_me,
            "getupdates": self._get_updates,
            "deletewebhook": self._delete_webhook,
            "setwebhook": self._set_webhook,
            "setmycommands": self._set_my_commands,
            "answercallbackquery": self._answer_callback_query,
            "editmessagereplymarkup": self._edit_message_reply_markup,
            "getwebhookinfo": self._get_webhook_info,
            "sendmessage": self._send_message,
            "editmessagetext": self._edit_message_text,
            "setmessagereaction": self._set_message_reaction,
        }

    async def _get_me(self, _: Json) -> Json:
        return {
            "id": int(self._token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Bridge",
            "username": self._username,
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    async def _delete_webhook(self, parameters: Json) -> bool:
        self.webhook = ""
        if parameters.get("drop_pending_updates"):
            self._queue.clear()
        return True

    async def _set_webhook(self, parameters: Json) -> bool:
        secret = parameters.get("secret_token", "")
        if not re.fullmatch(r"[\w-]{0,256}", secret, re.ASCII):
            raise Refusal(400, "Bad Request: secret token contains unallowed characters")
        if not parameters["url"].startswith("https://"):
            raise Refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        self.webhook, self.secret = parameters["url"], secret
        return True

    async def bring(self, post: Callable[[Any, Mapping[str, str]], Awaitable[int]]) -> list[int]:
        """Brings what waits to the webhook, in order, until it is not taken: the statuses `post` answered."""
        statuses: list[int] = []
        while self._queue and (not statuses or statuses[-1] // 100 == 2):
            number, element = self._queue[0]
            statuses.append(await post(element, {"X-Telegram-Bot-Api-Secret-Token": self.secret}))
            if statuses[-1] // 100 == 2:
                self.confirmed.append(number)
                self._queue.popleft()
        return statuses

    async def _set_my_commands(self, parameters: Json) -> bool:
        for command in parameters["commands"]:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"]) or not command["description"]:
                raise Refusal(400, "Bad Request: BOT_COMMAND_INVALID")
        self.commands = [command["command"] for command in parameters["commands"]]
        return True

    async def _answer_callback_query(self, parameters: Json) -> bool:
        if parameters["callback_query_id"] not in self._pressed:
            raise Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if len(parameters.get("text", "")) > 200:
            raise Refusal(400, "Bad Request: MESSAGE_TOO_LONG")
        self.toasts.append(parameters.get("text", ""))
        return True

    async def _edit_message_reply_markup(self, parameters: Json) -> Json:
        place = int(parameters["chat_id"]), int(parameters["message_id"])
        if place not in self.sent:
            raise Refusal(400, "Bad Request: message to edit not found")
        self.buttons[place] = _buttons(parameters)
        return self._message(*place, shown(self.sent[place], "HTML"))

    async def _get_webhook_info(self, _: Json) -> Json:
        return {
            "url": self.webhook,
            "has_custom_certificate": False,
            "pending_update_count": len(self._queue),
        }

    async def _get_updates(self, parameters: Json) -> list[Any]:
        if self.webhook:
            raise Refusal(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        self._confirm(int(parameters.get("offset", 0)))
        if await self._long_poll(min(int(parameters.get("timeout", 0)), _LONGEST_POLL)) == "terminated":
            raise Refusal(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            )
        limit = max(1, min(int(parameters.get("limit", _MOST_UPDATES)), _MOST_UPDATES))
        return [element for _, element in itertools.islice(self._queue, limit)]

    def _confirm(self, offset: int) -> None:
        """Forgets what stands below the offset. One that cannot be right is as good as none."""
        if offset < 0:
            while len(self._queue) > -offset:
                self.confirmed.append(self._queue.popleft()[0])
            return
        head = self._queue[0][0] if self._queue else self._next_id
        if not head - 100_000 <= offset <= self._next_id + 10:
            return
        while self._queue and self._queue[0][0] < offset:
            self.confirmed.append(self._queue.popleft()[0])

    async def _long_poll(self, seconds: int) -> str:
        """How the waiting ended. The newest call polls: one that was waiting is terminated by it."""
        self._end_poll("terminated")
        self._poll = poll = asyncio.get_running_loop().create_future()
        if self._queue:
            return "nothing to wait for"
        await asyncio.wait({poll}, timeout=seconds * self._second)
        return poll.result() if poll.done() else "timeout"

    def _end_poll(self, how: str) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(how)

    async def _send_message(self, parameters: Json) -> Json:
        chat, text = int(parameters["chat_id"]), shown(parameters["text"], parameters.get("parse_mode", ""))
        number, self._next_message = self._next_message, self._next_message + 1
        self.sent[chat, number] = parameters["text"]
        self.buttons[chat, number] = _buttons(parameters)
        return self._message(chat, number, text)

    async def _edit_message_text(self, parameters: Json) -> Json:
        place, text = (
            (int(parameters["chat_id"]), int(parameters["message_id"])),
            shown(parameters["text"], parameters.get("parse_mode", "")),
        )
        if place not in self.sent:
            raise Refusal(400, "Bad Request: message to edit not found")
        if (self.sent[place], self.buttons.get(place)) == (parameters["text"], _buttons(parameters)):
            raise Refusal(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly "
                "the same as a current content and reply markup of the message",
            )
        self.sent[place] = parameters["text"]
        self.buttons[place] = _buttons(parameters)
        return self._message(*place, text) | {"edit_date": 1763632999}

    async def _set_message_reaction(self, parameters: Json) -> bool:
        for reaction in parameters.get("reaction", []):
            if reaction.get("type") == "emoji" and reaction.get("emoji") not in _REACTIONS:
                raise Refusal(400, "Bad Request: REACTION_INVALID")
        if self.forbidden_reactions:
            raise Refusal(400, "Bad Request: REACTION_INVALID")
        place = int(parameters["chat_id"]), int(parameters["message_id"])
        self.reactions[place] = "".join(reaction["emoji"] for reaction in parameters.get("reaction", []))
        return True

    def answer_to(self, place: tuple[int, int]) -> Json:
        """One of the bot's messages as it stands in `reply_to_message` of an answer to it."""
        markup = {"reply_markup": {"inline_keyboard": self.buttons[place]}} if self.buttons.get(place) else {}
        return self._message(*place, shown(self.sent[place], "HTML")) | markup

    def _message(self, chat: int, number: int, text: str) -> Json:
        return {
            "message_id": number,
            "date": 1763632902,
            "from": {"id": int(self._token.partition(":")[0]), "is_bot": True, "first_name": "Bridge"},
            "chat": {"id": chat, "type": "private" if chat > 0 else "supergroup"},
            "text": text,
        }


def message(text: str = "", **fields: Any) -> Json:
    """A message of Ann (id 42) in her private chat, with the url entities Telegram would make of `text`."""
    written: Json = {
        "message_id": 101,
        "date": 1763632901,
        "chat": {"id": 42, "type": "private", "first_name": "Ann"},
        "from": {"id": 42, "is_bot": False, "first_name": "Ann"},
    }
    if text:
        written |= {"text": text, "entities": entities(text)}
    return written | fields


def entities(text: str) -> list[Json]:
    """Words with a scheme are url entities, words with # hashtags, a / at the beginning is a command."""
    found: list[Json] = []
    offset = 0
    for word in text.split(" "):
        length = len(word.encode("utf-16-le")) // 2
        name = "url" if "://" in word else "hashtag" if word.startswith("#") else ""
        name = "bot_command" if word.startswith("/") and not offset else name
        found += [{"type": name, "offset": offset, "length": length}] if name else []
        offset += length + 1
    return found


def _buttons(parameters: Json) -> list[list[Json]]:
    """The inline keyboard of a call, refused where Telegram would."""
    rows: list[list[Json]] = (parameters.get("reply_markup") or {}).get("inline_keyboard", [])
    for button in (button for row in rows for button in row):
        if not 1 <= len(button.get("callback_data", "").encode()) <= 64:
            raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
    return rows


async def _no_such_method(_: Json) -> Any:
    raise Refusal(404, "Not Found: method not found")


async def _parameters(request: Request) -> Json:
    body = await request.body()
    given: Json = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/json"):
        return given | (json.loads(body) if body else {})
    return given | {name: _json_or_text(value) for name, value in parse_qsl(body.decode())}


def _json_or_text(value: str) -> Any:
    return json.loads(value) if value[:1] in ("{", "[") else value


def shown(text: str, parse_mode: str = "") -> str:
    """The text as a person sees it. Telegram counts it after the marks are gone, and knows only some of them."""
    if parse_mode == "HTML":
        marks = _Marks()
        marks.feed(text)
        marks.close()
        text = "".join(marks.words)
    if not text:
        raise Refusal(400, "Bad Request: message text is empty")
    if len(text.encode("utf-16-le")) // 2 > _LONGEST_TEXT:
        raise Refusal(400, "Bad Request: message is too long")
    return text


class _Marks(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _ALLOWED_TAGS:
            raise Refusal(400, f'Bad Request: can\'t parse entities: Unsupported start tag "{tag}"')
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            raise Refusal(400, f'Bad Request: can\'t parse entities: Unmatched end tag "{tag}"')

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def close(self) -> None:
        super().close()
        if self._open:
            raise Refusal(400, f"Bad Request: can't parse entities: Can't find end tag for \"{self._open[-1]}\"")
