"""A hook: one address, who may use it, and how what comes there is read."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ConfigError
from bridge.rules import HOOK_NAME
from bridge.rules import Hook as Written
from bridge.sources.webhooks.address import Incoming
from bridge.sources.webhooks.auth import HEADERS, SCHEMES, SIGNED, proves, unusable
from bridge.sources.webhooks.kinds import KINDS, Kind
from bridge.sources.webhooks.map import FACTS, Where
from bridge.variables import ENV, given

# Whoever follows a link to show a preview of it must not save by that.
_ROBOT = re.compile(
    r"bot\b|crawl|spider|slurp|preview|unfurl|embed|fetcher|facebookexternalhit|whatsapp|skypeuripreview|mastodon|"
    r"google-read-aloud|iframely|vkshare|pinterest",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Ready for use. `scheme` is empty for one that is open to anybody."""

    name: str
    kind: str = "generic"
    scheme: str = "bearer"
    header: str = ""
    secrets: tuple[bytes, ...] = ()
    methods: frozenset[str] = frozenset({"POST"})
    where: Where

    @classmethod
    def of(cls, written: Written, secrets: Sequence[bytes]) -> Hook:
        """Raises ConfigError when there is no such way to ask for a secret, or when a secret cannot be one for it."""
        kind = KINDS[written.kind]
        scheme = "" if written.open else written.auth or kind.auth
        header = written.header or (kind.header if scheme == kind.auth else "") or HEADERS.get(scheme, "")
        if problem := _unknown(scheme, header):
            raise ConfigError(f"hook “{written.name}”: {problem}")
        for secret in secrets:
            if problem := unusable(scheme, secret):
                raise ConfigError(f"hook “{written.name}”: {problem}")
        return cls(
            name=written.name,
            kind=written.kind,
            scheme=scheme,
            header=header,
            secrets=tuple(secrets),
            methods=frozenset(written.methods) or kind.methods,
            where={fact: getattr(written, fact) for fact in FACTS if getattr(written, fact)},
        )

    @property
    def traits(self) -> Kind:
        return KINDS[self.kind]

    @property
    def signed(self) -> bool:
        return self.scheme in SIGNED

    def admits(self, request: Incoming) -> bool:
        """Whether the request proves where it is from, by the scheme of this hook and no other."""
        if not self.scheme:
            return not request.token
        if request.token and self.scheme != "path":
            return False
        return proves(self.scheme, self.header, self.secrets, request)

    def without_secrets(self, body: bytes) -> bytes:
        """The body as it may be kept: a secret that is sent inside it is struck out."""
        if self.scheme == "body-secret":
            for secret in self.secrets:
                body = body.replace(secret, b"***")
        return body

    def address(self, *, hidden: bool = False) -> str:
        """Where to send to, without the origin. Holds the token where the token is part of the address, or “…”."""
        if self.scheme != "path":
            return f"/hooks/{self.name}"
        token = "…" if hidden else self.secrets[0].decode("utf-8", "replace")
        return f"/trigger/{self.name}/with/key/{token}" if self.kind == "ifttt" else f"/hooks/{self.name}/{token}"


def _unknown(scheme: str, header: str) -> str:
    if scheme and scheme not in SCHEMES:
        return f"there is no way to authenticate called “{scheme[:50]}”; there are: {', '.join(SCHEMES)}"
    if scheme == "header" and not header:
        return "“header” does not say which header: write the hook into the rule file, with “header: X-Its-Name”"
    return ""


def may_be_named(name: str) -> bool:
    return bool(HOOK_NAME.fullmatch(name))


def is_robot(headers: Mapping[str, str]) -> bool:
    """Whether a GET was made by a machine that only looks: a preview, a crawler, a browser guessing ahead."""
    purpose = headers.get("sec-purpose", "") + headers.get("purpose", "") + headers.get("x-purpose", "")
    return bool(_ROBOT.search(headers.get("user-agent", ""))) or "prefetch" in purpose or "preview" in purpose


def made_secret(key: bytes, name: str, salt: str) -> bytes:
    """The secret of a hook that was added by hand: never stored, always the same."""
    return hmac.digest(key, f"hook {name} {salt}".encode(), "sha256")[:20].hex().encode()


def named_secret(reference: Mapping[str, str]) -> bytes:
    """What {"env": NAME} or {"file": PATH} stands for. Raises ConfigError when it stands for nothing."""
    match reference:
        case {"env": variable}:
            if secret := given().get(variable, ""):
                return secret.encode()
            raise ConfigError(f"the variable {variable} is not set, here or in {ENV}")
        case _:
            file = reference["file"]
            try:
                return Path(file).read_bytes().strip()
            except OSError as error:
                raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
