"""How an application gets a token: a code, a page where its person approves, and the token for the code."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from bridge.accounts import Accounts, SignIn, fingerprint, new_secret
from bridge.errors import InvalidArrival
from bridge.link import host
from bridge.ports import OWNER
from bridge.sources.pocket_api import page, reply
from bridge.sources.pocket_api.entrance import Entrance
from bridge.sources.pocket_api.face import Exchange
from bridge.sources.pocket_api.request import BadRequest, Parameters, flag, parameters, text

COOKIE = "sign-in"

LONGEST_REDIRECT = 2000
LONGEST_STATE = 1000

_REDIRECT = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:[^\s\x00-\x20\x7f\\]*")
_USER_IN_IT = re.compile(r"[^:]*://[^/?#]*@")
_WEB = re.compile(r"https?:", re.IGNORECASE)
_WEB_WITH_HOST = re.compile(r"https?://[^/?#]", re.IGNORECASE)
_NO_PLACES = ("javascript", "data", "vbscript", "file", "blob", "about")

_HERE = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)


class SignInDesk:
    """The three steps. `auto_approve`: the owner approves everything a visitor of this machine opens."""

    def __init__(
        self,
        accounts: Accounts,
        entrance: Entrance,
        *,
        auto_approve: bool,
        secure: bool,
        clock: Callable[[], float],
        new_secret: Callable[[], str] = new_secret,
    ) -> None:
        self._accounts = accounts
        self._entrance = entrance
        self._auto_approve = auto_approve
        self._secure = secure
        self._clock = clock
        self._new_secret = new_secret
        self._salt = secrets.token_bytes(32)

    # -- the application's steps ---------------------------------------------------------------------------------

    async def request(self, exchange: Exchange) -> Response:
        """/v3/oauth/request: a code, bound to the key, the way back and the state."""
        asked = await parameters(exchange.request)
        consumer_key = text(asked.get("consumer_key"))
        await self._entrance.application(consumer_key)
        redirect_uri, state = _redirect(asked), _state(asked)
        code = self._new_secret()
        sign_in = SignIn(consumer_key, redirect_uri, json.dumps(state) if state is not None else "", self._clock())
        await self._accounts.begin(fingerprint(code), sign_in)
        return _encoded(exchange.request, {"code": code, "state": state})

    async def authorize(self, exchange: Exchange) -> Response:
        """/v3/oauth/authorize: the token for an approved code, once; official apps bring name and password instead."""
        asked = await parameters(exchange.request)
        consumer_key = text(asked.get("consumer_key"))
        if text(asked.get("grant_type")) == "credentials":
            return await self._by_password(exchange, consumer_key, asked)
        await self._entrance.application(consumer_key)
        code = text(asked.get("code"))
        if not code:
            raise BadRequest("Missing code.", code=182)
        sign_in = await self._accounts.sign_in(fingerprint(code))
        if sign_in is None:
            raise BadRequest("Code not found.", code=185)
        _check(sign_in, consumer_key, text(asked.get("redirect_uri")))
        token = self._new_secret()
        if not await self._accounts.redeem(fingerprint(code), fingerprint(token)):
            raise BadRequest("Already used code.", status=403, code=159)
        state = {"state": json.loads(sign_in.state)} if sign_in.state else {}
        return _encoded(exchange.request, _access(token, sign_in.account, asked) | state)

    async def _by_password(self, exchange: Exchange, consumer_key: str, asked: Parameters) -> Response:
        await self._entrance.application(consumer_key)
        account = await self._entrance.person(text(asked.get("username")), text(asked.get("password")))
        token = self._new_secret()
        await self._accounts.add_token(fingerprint(token), account, consumer_key)
        return _encoded(exchange.request, _access(token, account, asked))

    # -- the person's step ---------------------------------------------------------------------------------------

    async def visit(self, exchange: Exchange) -> Response:
        """/auth/authorize: the page, and what was answered on it."""
        request = exchange.request
        asked = await parameters(request)
        code = text(asked.get("request_token"))
        sign_in = await self._accounts.sign_in(fingerprint(code))
        if sign_in is None:
            raise BadRequest("This sign-in is unknown here, or it is older than an hour.", code=185)
        if sign_in.step != "asked":
            raise BadRequest("This sign-in was answered before.", status=403, code=159)
        if self._auto_approve and _is_from_here(request):
            return await self._decide(code, sign_in, OWNER, approved=True)
        if request.method == "GET":
            return await self._question(request, code, sign_in)
        return await self._answered(request, code, sign_in, asked)

    async def _answered(self, request: Request, code: str, sign_in: SignIn, asked: Parameters) -> Response:
        mark = text(asked.get("mark")).encode()
        if not hmac.compare_digest(mark, self._mark(request.cookies.get(COOKIE, ""), code).encode()):
            words = "This page is out of date, or your browser keeps no cookies: please answer once more."
            return await self._question(request, code, sign_in, problem=words)
        if text(asked.get("answer")) == "deny":
            return await self._decide(code, sign_in, "", approved=False)
        username = text(asked.get("username"))[:20]
        try:
            account = await self._entrance.person(username, text(asked.get("password")))
        except BadRequest as refusal:
            if refusal.status >= 500:
                raise
            words = "The name or the password is wrong, or there were too many wrong ones this hour."
            return await self._question(request, code, sign_in, username=username, problem=words)
        return await self._decide(code, sign_in, account, approved=True)

    async def _decide(self, code: str, sign_in: SignIn, account: str, *, approved: bool) -> Response:
        if not await self._accounts.decide(fingerprint(code), account, approved=approved):
            raise BadRequest("This sign-in was answered before.", status=403, code=159)
        # The address stored with the code, exactly: nothing a visitor sends can change it.
        location = "".join(sign if sign.isascii() else quote(sign) for sign in sign_in.redirect_uri)
        headers = {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return Response(status_code=303, headers=headers)

    async def _question(
        self, request: Request, code: str, sign_in: SignIn, *, username: str = "", problem: str = ""
    ) -> Response:
        _, listed = await self._accounts.credentials("", sign_in.consumer_key)
        visitor = request.cookies.get(COOKIE) or secrets.token_hex(16)
        asked = page.Asked(
            application=(listed.name if listed else "") or sign_in.consumer_key,
            permissions=await self._entrance.application(sign_in.consumer_key),
            redirect_uri=sign_in.redirect_uri,
            code=code,
            mark=self._mark(visitor, code),
        )
        response = page.question(asked, username=username, problem=problem)
        response.set_cookie(
            COOKIE, visitor, path="/auth", httponly=True, samesite="strict", secure=self._secure, max_age=3600
        )
        return response

    def _mark(self, visitor: str, code: str) -> str:
        """Only who has the cookie of this page's visitor can send its form: no other site can answer for a person."""
        return hmac.new(self._salt, f"{visitor}\0{code}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def refused(refusal: BadRequest) -> Response:
    """What is wrong, as a page."""
    title = "Something is wrong with the server" if refusal.status >= 500 else "This does not work"
    words = [str(refusal), "Go back to the application and begin the sign-in again."]
    response = page.notice(title, words, status=refusal.status)
    response.headers.update(reply.errors(refusal))
    return response


def _check(sign_in: SignIn, consumer_key: str, redirect_uri: str) -> None:
    if sign_in.consumer_key != consumer_key:
        raise BadRequest("Invalid consumer key: the code was made for another one.", status=403, code=152)
    if redirect_uri and redirect_uri != sign_in.redirect_uri:
        raise BadRequest("Invalid redirect uri: the code was made for another one.", code=181)
    match sign_in.step:
        case "asked" | "denied":
            raise BadRequest("User rejected code.", status=403, code=158)
        case "used":
            raise BadRequest("Already used code.", status=403, code=159)


def _redirect(asked: Parameters) -> str:
    redirect_uri = text(asked.get("redirect_uri"))
    if not redirect_uri:
        raise BadRequest("Missing redirect url.", code=140)
    if len(redirect_uri) > LONGEST_REDIRECT or not _is_place(redirect_uri):
        raise BadRequest("Invalid redirect uri.", code=181)
    return redirect_uri


def _is_place(uri: str) -> bool:
    """Nothing that runs, and nothing that reads as another place than the one a browser goes to."""
    if not _REDIRECT.fullmatch(uri) or uri.partition(":")[0].lower() in _NO_PLACES or _USER_IN_IT.match(uri):
        return False
    return not _WEB.match(uri) or (bool(_WEB_WITH_HOST.match(uri)) and _has_host(uri))


def _has_host(uri: str) -> bool:
    try:
        return bool(host(uri))
    except InvalidArrival:
        return False


def _state(asked: Parameters) -> Any:
    """The application's own, whatever it is; one client sends an object."""
    state = asked.get("state")
    try:
        length = len(json.dumps(state, allow_nan=False))
    except RecursionError:
        length = LONGEST_STATE + 1
    except ValueError:
        raise BadRequest("state holds a number that JSON does not know") from None
    if length > LONGEST_STATE:
        raise BadRequest(f"state may have {LONGEST_STATE} characters")
    return state


def _access(token: str, account: str, asked: Parameters) -> dict[str, Any]:
    # In this order: clients cut the form at "=" and "&".
    access: dict[str, Any] = {"access_token": token, "username": account}
    return access | ({"account": reply.account(account)} if flag(asked, "account") else {})


def _encoded(request: Request, answer: Mapping[str, Any]) -> Response:
    """A form, unless X-Accept asks for JSON."""
    if "json" in request.headers.get("x-accept", "").lower():
        return reply.success(dict(answer))
    words = {name: value if isinstance(value, str) else json.dumps(value) for name, value in answer.items()}
    said = {name: value for name, value in words.items() if answer[name] is not None}
    body = urlencode(said, errors="replace")
    return Response(body, media_type="application/x-www-form-urlencoded")


def _is_from_here(request: Request) -> bool:
    """Opened by a person or a script on this machine: neither by another site's page nor through a proxy."""
    here, referer = request.headers.get("host", ""), request.headers.get("referer", "")
    # A page of any site can have a name that leads to this machine; browsers send no Sec-Fetch-Site to such a name.
    if not _HERE.fullmatch(here):
        return False
    if referer and not referer.startswith((f"http://{here}/", f"https://{here}/")):
        return False
    site = request.headers.get("sec-fetch-site", "none")
    through = {"forwarded", "x-forwarded-for", "x-real-ip", "via"} & set(request.headers.keys())
    return site == "none" and not through and "origin" not in request.headers
