"""The page people save from: one button, installable as a share target, opened by the bookmarklet."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Awaitable, Callable
from importlib.resources import files
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bridge.sources.webhooks.body import form
from bridge.sources.webhooks.finder import Found, described, find

# Read once: the files of a process may be replaced under it.
_STATIC = {
    name: (files(__package__) / "save" / name).read_bytes() for name in ("save.html", "save.js", "save.css", "icon.svg")
}

# Nothing foreign runs here, nothing frames it, and the address it was opened with goes nowhere.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

# In the order a browser fills them: what it shares is a page (url), or a text with the address in it.
_SHARED = ("url", "text", "title")

_PLACE = re.compile(r"\[(url|title|tags|note|stands)\]")

MANIFEST = {
    "name": "pocket-bridge",
    "short_name": "Save",
    "description": "Save a link",
    "id": "/save",
    "start_url": "/save",
    "scope": "/save",
    "display": "standalone",
    "icons": [{"src": "/save/icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
    "share_target": {
        "action": "/save",
        "method": "GET",
        "params": {"title": "title", "text": "text", "url": "url"},
    },
}


def routes() -> list[Route]:
    """What belongs to the page; the page itself is `page`."""
    return [
        Route("/", _here, methods=["GET"]),
        Route("/save/manifest.webmanifest", _manifest, methods=["GET"]),
        Route("/save/save.js", _file("save.js", "text/javascript"), methods=["GET"]),
        Route("/save/save.css", _file("save.css", "text/css"), methods=["GET"]),
        Route("/save/icon.svg", _file("icon.svg", "image/svg+xml"), methods=["GET"]),
    ]


async def _here(_: Request) -> Response:
    """Whoever opens the bare address in a browser finds the page."""
    return RedirectResponse("/save", 302)


async def page(request: Request, whereabouts: str = "in the file data/token") -> Response:
    """Shows what would be saved and a button. Opening it saves nothing: links are opened by machines, too.

    `whereabouts`: where the owner finds the token, in words.
    """
    link = shared(request.scope["query_string"])
    template = _STATIC["save.html"].decode()
    values = {"url": link.url, "title": link.title, "tags": ", ".join(link.tags), "note": link.note}
    values["stands"] = whereabouts
    # All at once: what one field says is not looked through for the next.
    filled = _PLACE.sub(lambda place: html.escape(values[place[1]]), template)
    return Response(filled, media_type="text/html", headers=_HEADERS)


def shared(query: bytes) -> Found:
    """The link a page or a share sheet named: some put the address into the text and leave `url` empty.

    >>> shared(b"title=T&text=https%3A%2F%2Fexample.com%2F&url=").url
    'https://example.com/'
    """
    fields = form(query).value
    for name in _SHARED:
        if found := find({name: fields.get(name)}):
            return described(found[:1], fields)[0]
    return Found("")


def bookmarklet(origin: str) -> str:
    """A bookmark that opens the page for the one that is looked at. It holds no token, so no page can read one."""
    page = json.dumps(f"{origin.rstrip('/')}/save?url=")
    script = (
        f"(()=>{{const e=encodeURIComponent;window.open({page}+e(location.href)+'&title='+e(document.title)"
        "+'&note='+e(String(getSelection()).slice(0,2000)),'_blank','noopener,width=520,height=480')})()"
    )
    return "javascript:" + quote(script, safe="()=>{};,+'&?:/.!_*")


async def _manifest(_: Request) -> Response:
    return JSONResponse(MANIFEST, media_type="application/manifest+json", headers=_HEADERS)


def _file(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return Response(_STATIC[name], media_type=media_type, headers=_HEADERS)

    return answer
