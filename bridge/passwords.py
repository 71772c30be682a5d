"""Passwords as they are kept: scrypt with a salt of their own. Slow on purpose; call it in a thread."""

from __future__ import annotations

import hashlib
import hmac
import secrets

SHORTEST = 8
LONGEST = 1000

# 16 MiB and some 40 ms a guess.
_N, _R, _P = 2**14, 8, 1
_BYTES = 32


def kept(password: str) -> str:
    """What to store: parameters, salt and hash."""
    salt = secrets.token_bytes(16)
    return f"scrypt${_N}${_R}${_P}${salt.hex()}${_hash(password, salt, _N, _R, _P).hex()}"


def fits(password: str, stored: str) -> bool:
    """Whether it is the password that was stored. Takes as long for nothing stored: who exists must not show.

    >>> fits("correct horse", kept("correct horse")), fits("battery", kept("correct horse")), fits("", "")
    (True, False, False)
    """
    known = bool(stored)
    _, n, r, p, salt, hash_ = (stored or f"scrypt${_N}${_R}${_P}${'00' * 16}${'00' * _BYTES}").split("$")
    given = _hash(password[:LONGEST], bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(given, bytes.fromhex(hash_)) and known


def _hash(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=n, r=r, p=p, dklen=_BYTES)
