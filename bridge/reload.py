"""A changed rule file is used while everything runs; a broken one is told, and the old rules stay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.declared import check, followers, hooks, load_rules, opened, secret_files
from bridge.errors import ConfigError
from bridge.intake import Intake
from bridge.rules import RuleFile
from bridge.settings import Settings
from bridge.sources.feeds.followers import Follower
from bridge.sources.feeds.registry import Registry
from bridge.sources.webhooks.source import Hook, Webhooks
from bridge.store.core import Store

log = logging.getLogger(__name__)

RELOAD_SECONDS = 2.0


Stamp = tuple[tuple[int, int] | None, ...]
"""When each file was written last, and how large it is; None for one that is not there."""

GONE: Stamp = (None,)


class Reload:
    """Looks whether the rule file changed, or a file that holds a secret of it. A broken one is told once and the old
    rules stay.

    Rules, hooks and feeds are exchanged while everything runs. A file with other destinations, or other credentials
    for them, becomes `next`, and `wire_anew` is called. `older`: since when the rules in use are not those of the
    file, and because of what.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        intake: Intake,
        webhooks: Webhooks,
        feeds: Registry,
        *,
        clock: Callable[[], float],
    ) -> None:
        self.older: Mapping[str, Any] | None = None
        self._clock = clock
        self.next: RuleFile | None = None
        self.wire_anew: Callable[[], None] = lambda: None
        self._settings = settings
        self._store = store
        self._intake = intake
        self._webhooks = webhooks
        self._feeds = feeds
        self._opened = opened(intake.rule_file)
        self._secrets = secret_files(intake.rule_file)
        self._stamp = self._look()

    async def __call__(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        if stamp == GONE:
            # Perhaps an editor is about to put it there: the old rules stay.
            self._stamp = GONE
            self._keep_old("there is no such file any more")
            return
        try:
            # Also of a file that cannot be used: perhaps a secret is still to come.
            self._secrets = secret_files(await asyncio.to_thread(load_rules, self._settings))
            stamp = self._look()
            rule_file = await asyncio.to_thread(check, self._settings)
            declared = await asyncio.to_thread(hooks, rule_file), await asyncio.to_thread(followers, rule_file)
            changed = await asyncio.to_thread(opened, rule_file) != self._opened
        except ConfigError as error:
            self._stamp = stamp
            self._keep_old(str(error))
            return
        await self._store.keep_rule_set(rule_file.hash, rule_file.text)
        self._stamp = stamp
        self.older = None
        self._use(rule_file, *declared, changed=changed)

    def _keep_old(self, because: str) -> None:
        self.older = {"since": self._clock(), "because": because}
        log.error("the rules of %s are not used, the old ones stay:", self._settings.rules)
        for line in because.splitlines():
            log.error("  %s", line)

    def _use(self, rule_file: RuleFile, declared: Sequence[Hook], feeds: Sequence[Follower], *, changed: bool) -> None:
        if changed:
            log.info("%s: other destinations, credentials or notify; everything is opened anew", rule_file.name)
            self.next = rule_file
            self.wire_anew()
            return
        self._intake.rule_file = rule_file
        self._webhooks.hooks.declare(declared)
        self._feeds.declare(feeds)
        log.info("%s: %d rules and %d feeds in use", rule_file.name, len(rule_file.rules), len(rule_file.feeds))

    def _look(self) -> Stamp:
        rules = _stamp(self._settings.rules)
        return (rules, *map(_stamp, self._secrets)) if rules else GONE


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
