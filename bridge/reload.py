"""A changed rule file is used while everything runs; a broken one is told, and the old rules stay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from bridge.declared import check, followers, hooks
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


class Reload:
    """Looks whether the rule file changed. A broken one is told once and the old rules stay.

    Rules, hooks and feeds are exchanged while everything runs. A file with other destinations becomes `next`, and
    `wire_anew` is called.
    """

    def __init__(self, settings: Settings, store: Store, intake: Intake, webhooks: Webhooks, feeds: Registry) -> None:
        self.next: RuleFile | None = None
        self.wire_anew: Callable[[], None] = lambda: None
        self._settings = settings
        self._store = store
        self._intake = intake
        self._webhooks = webhooks
        self._feeds = feeds
        self._stamp = self._look()

    async def __call__(self) -> None:
        stamp = self._look()
        # A file that is not there is one that an editor is about to put there: the old rules stay.
        if stamp in (self._stamp, None):
            return
        try:
            rule_file = await asyncio.to_thread(check, self._settings)
            declared = await asyncio.to_thread(hooks, rule_file), await asyncio.to_thread(followers, rule_file)
        except ConfigError as error:
            self._stamp = stamp
            log.error("the changed rules are not used, the old ones stay:")  # noqa: TRY400
            for line in str(error).splitlines():
                log.error("  %s", line)  # noqa: TRY400
            return
        await self._store.keep_rule_set(rule_file.hash, rule_file.text)
        self._stamp = stamp
        self._use(rule_file, *declared)

    def _use(self, rule_file: RuleFile, declared: Sequence[Hook], feeds: Sequence[Follower]) -> None:
        old = self._intake.rule_file
        if _opened(old) != _opened(rule_file):
            log.info("%s: other destinations or notify; everything is opened anew", rule_file.name)
            self.next = rule_file
            self.wire_anew()
            return
        self._intake.rule_file = rule_file
        self._webhooks.hooks.declare(declared)
        self._feeds.declare(feeds)
        log.info("%s: %d rules and %d feeds in use", rule_file.name, len(rule_file.rules), len(rule_file.feeds))

    def _look(self) -> tuple[int, int] | None:
        try:
            stat = self._settings.rules.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size


def _opened(rule_file: RuleFile) -> tuple[object, ...]:
    """What of a rule file is opened when everything is."""
    return rule_file.destinations, rule_file.notify
