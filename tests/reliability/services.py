"""Two services outside: one makes one item of an address, however often it is told; one makes a note each time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Effect = Callable[[str], None]


def _told(act: Callable[[Any], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Acts on a request that is complete, and on no other."""

    async def answer(request: Request) -> Response:
        try:
            return act(await request.json())
        except ClientDisconnect:
            return Response(status_code=400)

    return answer


class UpsertingList:
    """A Pocket server: an address that is there already stays the one item it is."""

    def __init__(self, effect: Effect) -> None:
        self.items: dict[str, int] = {}
        self.adds = 0
        self.app = Starlette(routes=[Route("/v3/send", _told(self._send), methods=["POST"])])
        self._effect = effect

    def _send(self, told: Any) -> Response:
        actions = told["actions"]
        results = [{"item_id": str(self._add(action["url"]))} for action in actions]
        body = {"status": 1, "action_results": results, "action_errors": [None] * len(actions)}
        return JSONResponse(body, headers={"X-Source": "Pocket"})

    def _add(self, url: str) -> int:
        self.adds += 1
        if url not in self.items:
            self.items[url] = len(self.items) + 1
            self._effect(url)
        return self.items[url]


class Notes:
    """Writes down whatever it is told, again and again. Can be asked."""

    def __init__(self, effect: Effect) -> None:
        self.notes: list[str] = []
        self.app = Starlette(
            routes=[
                Route("/notes", _told(self._write), methods=["POST"]),
                Route("/find", _told(self._find), methods=["POST"]),
            ]
        )
        self._effect = effect

    def _write(self, told: Any) -> Response:
        first = len(self.notes)
        for url in told["urls"]:
            self.notes.append(url)
            self._effect(url)
        return JSONResponse({"ids": list(range(first, len(self.notes)))})

    def _find(self, told: Any) -> Response:
        asked = set(told["urls"])
        return JSONResponse({"found": {url: number for number, url in enumerate(self.notes) if url in asked}})
