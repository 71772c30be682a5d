"""A request to the webhook door as it is kept: complete for reading it again, without what opens the door."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.ports import DAY, HOUR, Key
from bridge.sources.webhooks.address import Incoming
from bridge.sources.webhooks.hook import Hook

KEPT_HEADERS = frozenset(
    "content-type user-agent webhook-id webhook-timestamp svix-id svix-timestamp idempotency-key "
    "x-github-event x-github-delivery x-gitlab-event x-gitlab-event-uuid x-gitea-event x-gitea-delivery "
    "x-event-key x-request-uuid x-miniflux-event-type x-slack-retry-num x-slack-request-timestamp "
    "ce-specversion ce-type ce-id ce-source ce-subject ce-time".split()
)
"""What is kept of the headers. Credentials and signatures are not among them and must never be."""

SECRET_FIELDS = frozenset("token access_token api_key apikey key auth authorization secret password".split())
"""Query fields that are not kept."""

# In the order of trust: a retry repeats the first of these that its sender knows.
DELIVERY_IDS = "webhook-id svix-id x-github-delivery idempotency-key x-gitlab-event-uuid ce-id".split()


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """`hook` is empty for /save. `query` is the encoded query string, `headers` are those of KEPT_HEADERS.

    `kind` and `where` are the hook's at the time it came: they say how it is to be read. `again`: the number
    of the request that this one repeats, 0 for one that came.
    """

    hook: str
    method: str = "POST"
    path: str = ""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    kind: str = "generic"
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    again: int = 0

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def key(self) -> Key:
        return self.key_by()

    def key_by(self, ids: Sequence[str] = DELIVERY_IDS, in_body: Sequence[str] = (), keep: float = HOUR) -> Key:
        """A delivery is known for 7 days by the id its sender gave it, in one of the headers `ids` or in its body,
        else by what it says: for `keep` seconds."""
        scope = f"hook:{self.hook}" if self.hook else "save"
        for name in ids:
            if name in self.headers and (value := self.headers[name].strip()):
                origin = self.headers.get("ce-source", "") if name == "ce-id" else ""
                return Key(scope, f"{name} {_digest(origin.encode(), value.encode())}", 7 * DAY)
        if in_body:
            return Key(scope, f"id {_digest(*(part.encode('utf-8', 'replace') for part in in_body))}", 7 * DAY)
        said = _digest(self.query.encode(), self.content_type.encode(), self.body)
        return Key(scope, f"sha256 {said}", keep)

    def raw(self) -> str:
        """JSON text; the body is in it as text where it is UTF-8, else in base64."""
        kept: dict[str, Any] = {
            "method": self.method,
            "path": self.path,
            "hook": self.hook,
            "query": self.query,
            "headers": self.headers,
            "kind": self.kind,
            "where": self.where,
        }
        if self.again:
            kept["again"] = self.again
        try:
            kept["body"] = self.body.decode()
        except UnicodeDecodeError:
            kept["body_base64"] = base64.b64encode(self.body).decode()
        return json.dumps(kept)


def captured(request: Incoming, hook: Hook) -> HookRequest:
    """What is kept of a request to a hook."""
    return HookRequest(
        hook=request.name,
        method=request.method,
        path=request.path,
        query=without_secrets(request.query.decode("latin-1")) if request.query else "",
        headers={name: value for name, value in request.headers.items() if name in KEPT_HEADERS},
        body=hook.without_secrets(request.body),
        kind=hook.kind,
        where=hook.where,
    )


def from_raw(raw: str) -> HookRequest:
    """The request `raw()` wrote."""
    kept = json.loads(raw)
    body = kept.pop("body", "").encode()
    encoded = kept.pop("body_base64", "")
    return HookRequest(**kept, body=base64.b64decode(encoded) or body)


def without_secrets(query: str) -> str:
    """
    >>> without_secrets("tags=a&token=abc&url=x")
    'tags=a&url=x'
    """
    return "&".join(pair for pair in query.split("&") if pair.split("=", 1)[0].lower() not in SECRET_FIELDS)


def _digest(*parts: bytes) -> str:
    lengths = b" ".join([b"%d" % len(part) for part in parts])
    return hashlib.sha256(lengths + b"\n" + b"".join(parts)).hexdigest()
