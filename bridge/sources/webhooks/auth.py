"""How a request proves where it is from: one pure check a scheme, over raw bytes, in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from bridge.ports import DAY
from bridge.sources.webhooks.address import Incoming

TOLERANCE = 300.0
"""Seconds a signed time may differ from ours."""

_MAILGUN_TOLERANCE = DAY / 2  # a retry carries the time of the first try; its token is remembered for a week

_TIME = re.compile(r"[0-9]{1,12}")
_HEX_KEY = re.compile(rb"[0-9a-fA-F]{64}")


Check = Callable[[Incoming, bytes, str], bool]
"""Called with the request, one secret, and the name of the header that the hook declares."""


def _bearer(request: Incoming, secret: bytes, _header: str) -> bool:
    scheme, _, token = _single(request, "authorization").partition(b" ")
    return _equal(token.strip(), secret) and scheme.lower() == b"bearer"


def _path(request: Incoming, secret: bytes, _header: str) -> bool:
    return _equal(request.token.encode("utf-8", "replace"), secret)


def _basic(request: Incoming, secret: bytes, _header: str) -> bool:
    scheme, _, encoded = _single(request, "authorization").partition(b" ")
    return _equal(_unbase64(encoded.strip()), secret) and scheme.lower() == b"basic"


def _in_header(request: Incoming, secret: bytes, header: str) -> bool:
    return _equal(_single(request, header), secret)


def _hmac(request: Incoming, secret: bytes, header: str, *, digest: str) -> bool:
    """The header holds the digest of the body, in hex or base64, bare or as `sha256=…`."""
    given = _single(request, header).strip().removeprefix(f"{digest}=".encode())
    made = hmac.digest(secret, request.body, digest)
    in_hex = _equal(given.lower(), made.hex().encode())
    return _equal(given, base64.b64encode(made)) or in_hex


def _slack(request: Incoming, secret: bytes, _header: str) -> bool:
    """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
    time = _single(request, "x-slack-request-timestamp")
    made = hmac.digest(secret, b"v0:%b:%b" % (time, request.body), "sha256")
    return _equal(_single(request, "x-slack-signature"), b"v0=" + made.hex().encode()) and _fresh(time, request.at)


def _standard(request: Incoming, secret: bytes, _header: str) -> bool:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    prefix = "webhook" if "webhook-id" in request.headers else "svix"
    id_, time, signatures = (_single(request, f"{prefix}-{part}") for part in ("id", "timestamp", "signature"))
    signed = b"%b.%b.%b" % (id_, time, request.body)
    if secret.startswith(b"whpk_"):
        given = _versioned(signatures, b"v1a")
        proven = [_ed25519_signed(_unbase64(secret[5:]), _unbase64(signature), signed) for signature in given]
    else:
        made = base64.b64encode(hmac.digest(_standard_key(secret), signed, "sha256"))
        proven = [_equal(signature, made) for signature in _versioned(signatures, b"v1")]
    return any(proven) and bool(id_) and b"." not in id_ and _fresh(time, request.at)


def _ed25519(request: Incoming, secret: bytes, _header: str) -> bool:
    """https://docs.discord.com/developers/events/webhook-events: the secret is the application's public key."""
    time, signature = _single(request, "x-signature-timestamp"), _single(request, "x-signature-ed25519")
    return _ed25519_signed(_unhex(secret), _unhex(signature), time + request.body)


def _mailgun(request: Incoming, secret: bytes, _header: str) -> bool:
    """https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks: only time and token are signed."""
    time, token, signature = (_field(request, name) for name in ("timestamp", "token", "signature"))
    made = hmac.digest(secret, time + token, "sha256").hex().encode()
    return _equal(signature, made) and _fresh(time, request.at, _MAILGUN_TOLERANCE)


def _in_body(request: Incoming, secret: bytes, _header: str) -> bool:
    return _equal(_field(request, "secret"), secret)


SCHEMES: Mapping[str, Check] = {
    "bearer": _bearer,
    "path": _path,
    "basic": _basic,
    "header": _in_header,
    "hmac-sha1": partial(_hmac, digest="sha1"),
    "hmac-sha256": partial(_hmac, digest="sha256"),
    "hmac-sha512": partial(_hmac, digest="sha512"),
    "standard-webhooks": _standard,
    "slack": _slack,
    "ed25519": _ed25519,
    "mailgun": _mailgun,
    "body-secret": _in_body,
}

SIGNED = frozenset("hmac-sha1 hmac-sha256 hmac-sha512 standard-webhooks slack ed25519".split())
"""Schemes that prove the whole body."""

HEADERS = {"hmac-sha1": "x-hub-signature", "hmac-sha256": "x-hub-signature-256", "hmac-sha512": "x-hub-signature-512"}
"""Where a digest stands when neither hook nor kind says."""


def proves(scheme: str, header: str, secrets: Iterable[bytes], request: Incoming) -> bool:
    """Whether the request knows one of the secrets. All are tried: time does not tell which."""
    proven = [SCHEMES[scheme](request, secret, header) for secret in secrets]
    return any(proven)


def unusable(scheme: str, secret: bytes) -> str:
    """Why a secret cannot be one for this scheme, in words; empty when it can."""
    if not secret:
        return "the secret is empty"
    if scheme == "basic" and b":" not in secret:
        return "for “basic” the secret is written as user:password"
    if scheme == "ed25519" and not _HEX_KEY.fullmatch(secret):
        return "for “ed25519” the secret is the sender's public key: 64 hexadecimal digits"
    if scheme == "standard-webhooks" and secret.startswith(b"whsec_") and not _unbase64(secret[6:]):
        return "what follows “whsec_” is not base64: was it copied whole?"
    if (scheme == "ed25519" or secret.startswith(b"whpk_")) and _public_key(bytes(32)) is None:
        return "Ed25519 signatures need one more package: pip install 'pocket-bridge[ed25519]'"
    return ""


def _single(request: Incoming, name: str) -> bytes:
    """A header that came exactly once; two would let a proxy and us see different ones."""
    return b"" if name in request.doubled else request.headers.get(name, "").encode("latin-1")


def _field(request: Incoming, name: str) -> bytes:
    # Mailgun's inbound JSON has them one level down.
    inner = request.said.get("signature")
    value = inner.get(name) if isinstance(inner, Mapping) else request.said.get(name)
    return value.encode("utf-8", "replace") if isinstance(value, str) else b""


def _equal(given: bytes, meant: bytes) -> bool:
    return hmac.compare_digest(given, meant)


def _fresh(time: bytes, now: float, tolerance: float = TOLERANCE) -> bool:
    text = time.decode("latin-1")
    return bool(_TIME.fullmatch(text)) and abs(int(text) - now) <= tolerance


def _versioned(signatures: bytes, version: bytes) -> list[bytes]:
    pairs = (signature.partition(b",") for signature in signatures.split(b" ")[:16])
    return [signature for given, _, signature in pairs if given == version]


def _standard_key(secret: bytes) -> bytes:
    return _unbase64(secret.removeprefix(b"whsec_")) or secret


def _unbase64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _unhex(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode("latin-1"))
    except ValueError:
        return b""


def _ed25519_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    public = _public_key(key)
    if public is None:
        return False
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra

    try:
        public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _public_key(key: bytes) -> Any:
    """None without the package that knows the curve, or for bytes that are no key."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        return None
    try:
        return ed25519.Ed25519PublicKey.from_public_bytes(key)
    except ValueError:
        return None


def digest_like_a_signature(body: bytes) -> None:
    """What checking a signature costs, so that time does not tell a hook that has one from no hook at all."""
    hashlib.sha256(body).digest()
