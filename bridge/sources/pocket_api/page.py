"""The pages a person sees while signing in: plain HTML, no script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from starlette.responses import HTMLResponse

from bridge.errors import InvalidArrival
from bridge.link import host

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1b22; --soft: #5b5866; --paper: #fff; --ground: #f4f2ee; --line: #d9d5cd;
  --accent: #b3203f; --on-accent: #fff; --bad: #a3152f; }
@media (prefers-color-scheme: dark) { :root { --ink: #f1eff5; --soft: #aaa6b5; --paper: #22212a; --ground: #17161c;
  --line: #3b3946; --accent: #ff7d96; --on-accent: #2b0610; --bad: #ff9aad; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; min-height: 100dvh; display: grid; place-items: center; padding: 1.25rem;
  background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 25rem; padding: 1.75rem 1.5rem; background: var(--paper); border: 1px solid var(--line);
  border-radius: 1rem; }
h1 { margin: 0 0 .75rem; font-size: 1.35rem; line-height: 1.25; overflow-wrap: anywhere; }
p, ul { margin: 0 0 1rem; }
ul { padding-left: 1.25rem; }
.soft { color: var(--soft); font-size: .9rem; overflow-wrap: anywhere; }
.bad { color: var(--bad); font-weight: 600; }
label { display: block; margin: 0 0 .9rem; font-weight: 600; }
input { display: block; width: 100%; margin-top: .25rem; padding: .7rem .8rem; font: inherit; color: inherit;
  background: var(--ground); border: 1px solid var(--line); border-radius: .6rem; }
button { width: 100%; min-height: 3rem; margin-top: .5rem; font: inherit; font-weight: 600; border-radius: .6rem;
  border: 1px solid var(--accent); background: var(--accent); color: var(--on-accent); cursor: pointer; }
button.quiet { background: transparent; border-color: var(--line); color: var(--ink); }
input:focus-visible, button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_RIGHTS = {"a": "put links on your list", "m": "change and delete what is on it", "d": "read your list"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the page shows and sends back. `mark` proves that the form came from this page."""

    application: str
    permissions: str
    redirect_uri: str
    code: str
    mark: str


def question(asked: Asked, *, username: str = "", problem: str = "") -> HTMLResponse:
    """Sign in and approve, or refuse."""
    rights = "".join(f"<li>{words}</li>" for letter, words in _RIGHTS.items() if letter in asked.permissions)
    said = f'<p class="bad" role="alert">{escape(problem)}</p>' if problem else ""
    body = f"""<h1>Let “{escape(asked.application)}” use your list?</h1>
<p>It will be able to</p><ul>{rights}</ul>{said}
<form method="post" action="/auth/authorize">
<input type="hidden" name="request_token" value="{escape(asked.code)}">
<input type="hidden" name="mark" value="{escape(asked.mark)}">
<label>Name<input name="username" value="{escape(username)}" autocomplete="username" autocapitalize="none"
 spellcheck="false" maxlength="20"></label>
<label>Password<input name="password" type="password" autocomplete="current-password"></label>
<button name="answer" value="approve">Sign in and allow</button>
<button class="quiet" name="answer" value="deny" formnovalidate>No, refuse</button>
</form>
<p class="soft">The owner's name is <b>me</b>, the password what stands in the file data/token.
Then you return to {escape(_place(asked.redirect_uri))}.
The application never sees your password.</p>"""
    return _page("Allow an application", body, 401 if problem else 200, form_to=asked.redirect_uri)


def notice(title: str, words: Sequence[str], *, status: int) -> HTMLResponse:
    """Something to read, nothing to do here."""
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in words)
    return _page(title, f"<h1>{escape(title)}</h1>{paragraphs}", status)


def _page(title: str, body: str, status: int, *, form_to: str = "") -> HTMLResponse:
    content = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>
<body><main>{body}</main></body></html>
"""
    # Browsers hold form-action against the redirect that answers the form, too.
    targets = f"'self' http: https: {_scheme(form_to)}:" if form_to else "'none'"
    headers = {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {targets}; "
            "base-uri 'none'; frame-ancestors 'none'"
        ),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(content, status, headers)


def _scheme(uri: str) -> str:
    return uri.partition(":")[0]


def _place(uri: str) -> str:
    """What a person can make of the address: of a web page the host that a browser goes to."""
    if _scheme(uri).lower() not in ("http", "https"):
        return f"the application ({_scheme(uri)}:)"
    try:
        return host(uri)
    except InvalidArrival:
        return "the application"
