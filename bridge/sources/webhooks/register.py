"""The hooks there are: those of the rule file, and those added by hand, which the inbox keeps like a cursor."""

from __future__ import annotations

import hmac
import json
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bridge.errors import ConfigError
from bridge.ports import Cursor, Inbox
from bridge.rules import KINDS as KIND_NAMES
from bridge.rules import Hook as Written
from bridge.sources.webhooks.hook import Hook, made_secret, may_be_named, named_secret
from bridge.sources.webhooks.kinds import KINDS

SCOPE = "hooks"

log = logging.getLogger(__name__)


class Register(Mapping[str, Hook]):
    """Name -> hook. Where both name one, the file wins.

    `orphans`: names of those added by hand whose secrets were made from a key that is not here. They stay closed.
    """

    def __init__(self, inbox: Inbox, key: bytes, new_key: Callable[[], bytes]) -> None:
        self.orphans: Sequence[str] = ()
        self._inbox = inbox
        self._key = key
        self._new_key = new_key
        self._in_file: Mapping[str, Hook] = {}
        self._by_hand: Mapping[str, Hook] = {}

    def __getitem__(self, name: str) -> Hook:
        return self._in_file[name] if name in self._in_file else self._by_hand[name]

    def named(self, name: str) -> Hook | None:
        return self._in_file.get(name) or self._by_hand.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._in_file, *self._by_hand)))

    def __len__(self) -> int:
        return len({*self._in_file, *self._by_hand})

    def is_in_file(self, name: str) -> bool:
        return name in self._in_file

    async def reference(self, name: str) -> Mapping[str, str]:
        """Where the secret of a hook that was added by hand is found; empty where it was made here."""
        kept = _entries(await self._inbox.cursor(SCOPE)).get(name, {"secret": {}})["secret"]
        return {} if "made" in kept else dict(kept)

    def declare(self, hooks: Iterable[Hook]) -> None:
        """The hooks of the rule file from now on."""
        self._in_file = {hook.name: hook for hook in hooks}

    async def restore(self) -> None:
        """Those added by hand, as they were kept. One whose secret is gone stays closed."""
        kept = _entries(await self._inbox.cursor(SCOPE))
        hooks: dict[str, Hook] = {}
        self.orphans = orphans(kept, self._key)
        for name, entry in kept.items():
            if name in self.orphans:
                continue
            try:
                hooks[name] = self._hook(name, entry)
            except ConfigError as problem:
                log.error("hook “%s” is closed: %s", name, problem)  # noqa: TRY400 - its text is the whole story
        self._by_hand = hooks

    async def own(self) -> None:
        """Before anything is made here: whoever was added belongs to the key that is there now, if it does not say to
        which. Where nobody needs another key, and there is none, one is made."""
        if not self._key and not self.orphans:
            self._key = self._new_key()
        written = _entries(await self._inbox.cursor(SCOPE))
        if self._key and any(_key_of(entry) is None for entry in written.values()):
            await self._keep(lambda kept: _marked(kept, fingerprint(self._key)))

    async def add(self, name: str, kind: str, auth: str, secret: Mapping[str, str]) -> Hook:
        """Makes an address. `secret` is where to find one ({"env": …} or {"file": …}); empty: one is made.

        Raises ConfigError when there is such a hook, when there is no such kind, or when its service makes the secret.
        """
        self._check(name, kind, auth, secret)
        entry = {"kind": kind, "auth": auth, "secret": secret or await self._made()}
        hook = self._hook(name, entry)
        await self._keep(lambda kept: kept | {name: entry})
        return hook

    async def _made(self) -> Mapping[str, str]:
        if not self._key:
            await self._keep(lambda kept: _marked(kept, ""))
            self._key = self._new_key()
        return {"made": secrets.token_hex(8), "key": fingerprint(self._key)}

    async def remove(self, name: str) -> None:
        """Its address is nobody's from now on."""
        if name not in self._by_hand and name not in self.orphans:
            where = (
                "it stands in the rule file: take it out there" if name in self._in_file else "there is no such hook"
            )
            raise ConfigError(f"hook “{name}” was not added by hand; {where}")
        await self._keep(lambda kept: {other: entry for other, entry in kept.items() if other != name})

    def _check(self, name: str, kind: str, auth: str, secret: Mapping[str, str]) -> None:
        if not may_be_named(name):
            raise ConfigError(
                f"“{name[:80]}” cannot be a hook's name: 1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first"
            )
        if name in self:
            raise ConfigError(f"there is a hook “{name}” already; “pocket-bridge hooks list” shows it")
        if kind not in KINDS:
            raise ConfigError(f"there is no kind “{kind}”; there are: {', '.join(KIND_NAMES)}")
        if KINDS[kind].own and not auth and not secret:
            raise ConfigError(
                f"the secret of a hook of kind “{kind}” is made by the service: put it into a file and add "
                f"--secret-file PATH, or into a variable and add --secret-env NAME"
            )

    async def _keep(self, change: Any) -> None:
        written = await self._inbox.cursor(SCOPE)
        value = json.dumps(change(_entries(written)), sort_keys=True)
        await self._inbox.put([], cursor=Cursor(SCOPE, value), expect=written)
        await self.restore()

    def _hook(self, name: str, entry: Mapping[str, Any]) -> Hook:
        match entry["secret"]:
            case {"made": salt}:
                secret = made_secret(self._key, name, salt)
                basic = "basic" in (entry["auth"], "" if entry["auth"] else KINDS[entry["kind"]].auth)
                secret = b"bridge:" + secret if basic else secret
            case reference:
                secret = named_secret(reference)
        return Hook.of(Written(name=name, kind=entry["kind"], auth=entry["auth"]), [secret])


def fingerprint(key: bytes) -> str:
    """By which a key is known again; it cannot be told from it."""
    return hmac.digest(key, b"fingerprint", "sha256")[:8].hex()


def orphans(kept: Mapping[str, Any], key: bytes) -> Sequence[str]:
    """The names of those added hooks whose secrets were made from another key than this one (empty: there is none)."""
    mine = fingerprint(key)
    return [name for name, entry in kept.items() if "made" in entry["secret"] and not _is_of(entry, key, mine)]


def orphans_in(written: str | None, key: bytes) -> Sequence[str]:
    """The same, of the text that is kept."""
    return orphans(_entries(written), key)


def _is_of(entry: Mapping[str, Any], key: bytes, mine: str) -> bool:
    return bool(key) and _key_of(entry) in (None, mine)


def _key_of(entry: Mapping[str, Any]) -> str | None:
    """The fingerprint of the key that a secret was made from; None where it does not say, as in older databases."""
    secret = entry["secret"]
    return str(secret.get("key", "")) if "key" in secret or "made" not in secret else None


def _marked(kept: Mapping[str, Any], mark: str) -> dict[str, Any]:
    return {
        name: entry if _key_of(entry) is not None else entry | {"secret": entry["secret"] | {"key": mark}}
        for name, entry in kept.items()
    }


def _entries(written: str | None) -> dict[str, Any]:
    return json.loads(written) if written else {}


def as_data(hook: Hook, *, in_file: bool) -> dict[str, Any]:
    """A hook for people to see, without its secret."""
    shown = {name: value for name, value in asdict(hook).items() if name in ("name", "kind", "header")}
    where = {fact: list(paths) for fact, paths in hook.where.items()}
    added = {"auth": hook.scheme or "open", "methods": sorted(hook.methods), "where": where}
    return shown | added | {"address": hook.address(hidden=True), "from": "rule file" if in_file else "command line"}
