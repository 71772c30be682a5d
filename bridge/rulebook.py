"""The rule book: what rules did, what others would have done, and what they keep back until somebody looks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, replace
from datetime import tzinfo
from typing import Any

from bridge import rules
from bridge.errors import ConfigError, InvalidArrival
from bridge.link import Sighting, canonical, web_address
from bridge.ports import DAY, OWNER, Archive, Ledger, Seen
from bridge.rules import Decision, Occasion, RuleFile
from bridge.scan import web_addresses

PAGE = 300
MOST_SHOWN = 50
LONGEST_NUMBER = 18
"""Digits: no link has a longer number."""
MOST_LISTED = 200
MONTH = 30 * DAY

Plain = dict[str, Any]


class Rulebook:
    """Answers are plain data (what `--json` prints). `feeds`: the names of those that are followed, by anybody."""

    def __init__(
        self,
        archive: Archive,
        ledger: Ledger,
        *,
        rule_file: Callable[[], RuleFile],
        feeds: Callable[[], AbstractSet[str]],
        clock: Callable[[], float],
        zone: tzinfo,
        older: Callable[[], Mapping[str, Any] | None] = lambda: None,
    ) -> None:
        self._archive = archive
        self._ledger = ledger
        self._rule_file = rule_file
        self._feeds = feeds
        self._clock = clock
        self._zone = zone
        self._older = older

    def commands(self) -> Mapping[str, Callable[..., Awaitable[Any]]]:
        """What the desk learns from it."""
        return {
            "rules_list": self.list,
            "rules_explain": self.explain,
            "rules_diff": self.diff,
            "rules_apply": self.apply,
            "trash_list": self.trash,
            "trash_rescue": self.rescue,
            "held_list": self.held,
            "held_release": self.release,
        }

    async def list(self) -> Plain:
        """Each rule with its matches in a day and in thirty, when it last matched, and what is suspicious."""
        now, rule_file = self._clock(), self._rule_file()
        day: Counter[str] = Counter()
        month: Counter[str] = Counter()
        last: dict[str, float] = {}
        async for page in self._pages(now - MONTH):
            for seen in page:
                month.update(seen.matched)
                day.update(seen.matched if seen.received > now - DAY else ())
                for name in seen.matched:
                    last.setdefault(name, seen.received)
        found = [
            {"name": rule.name, "day": day[rule.name], "month": month[rule.name], "last": last.get(rule.name)}
            for rule in rule_file.rules
        ]
        suspicious = [*rules.warnings(rule_file), *rules.strangers(rule_file, self._feeds())]
        return {"rules": found, "older": self._older(), "warnings": suspicious}

    async def explain(self, what: str) -> Plain:
        """What the rules of now do with a link that came in, by its address or number, or with a text, and why."""
        rule_file = self._rule_file()
        return {"links": [self._explained(rule_file, seen) for seen in await self._meant(what)]}

    async def _meant(self, what: str) -> Sequence[Seen]:
        if what.isascii() and what.isdigit():
            seen = await self._archive.sighting(int(what)) if len(what) <= LONGEST_NUMBER else None
            if seen is None:
                raise ConfigError(f"no link came in under the number {what}; “pocket-bridge why URL” shows its numbers")
            return [seen]
        try:
            url = web_address(what)
        except InvalidArrival:
            return [self._fresh(url, what) for url in web_addresses(what)] or _nothing_in(what)
        passport = await self._ledger.passport(OWNER, canonical(url), url)
        known = [await self._archive.sighting(sighting["id"]) for sighting in passport.sightings]
        return [seen for seen in known if seen] or [self._fresh(url, "")]

    def _fresh(self, url: str, text: str) -> Seen:
        """A link that never came in, as if it did now."""
        tags = [word[1:] for word in text.split() if word.startswith("#") and len(word) > 1]
        now = self._clock()
        sighting = Sighting.of(url, source="cli", text=text, tags=tags, at=now)
        nothing: dict[str, Any] = {"id": 0, "link": 0, "matched": (), "state": "", "reason": "", "before": 0}
        return Seen(account=OWNER, received=now, sighting=sighting, **nothing)

    def _explained(self, rule_file: RuleFile, seen: Seen) -> Plain:
        decision = rules.decide(rule_file, seen.sighting, self._occasion(seen))
        traces = rules.explain(rule_file, seen.sighting, self._occasion(seen))
        return {
            "id": seen.id,
            "url": seen.sighting.url,
            "title": seen.sighting.title,
            "decision": asdict(decision),
            "rules": [asdict(trace) for trace in traces],
        }

    async def diff(self, text: str, name: str, days: float) -> Plain:
        """What another rule file would have done differently with what came in. Raises ConfigError for a broken one."""
        old, new = self._rule_file(), rules.load(text, name=name)
        if failures := rules.failures(new):
            raise ConfigError("\n".join(failures))
        total, differing = 0, Counter[str]()
        shown: list[Plain] = []
        async for page in self._pages(self._clock() - days * DAY):
            found = await asyncio.to_thread(self._differences, old, new, page)
            total += len(page)
            differing.update(effect for difference in found for effect in _effects(difference["changes"]))
            shown += found
        return {"links": total, "differing": len(shown), "kinds": differing, "shown": shown[:MOST_SHOWN]}

    def _differences(self, old: RuleFile, new: RuleFile, page: Sequence[Seen]) -> Sequence[Plain]:
        found = []
        for seen in page:
            before, after = (rules.decide(file, seen.sighting, self._occasion(seen)) for file in (old, new))
            if changes := {kind: [was, now] for kind, was, now in _compared(before, after) if was != now}:
                found.append(_named(seen) | {"changes": changes})
        return found

    async def apply(self, since: float, *, really: bool) -> Plain:
        """The rules of now for what came in since: new deliveries and tags. Nothing that was sent is taken back.

        `changed` links are those that get some, or would when not `really`.
        """
        rule_file = self._rule_file()
        links = dropped = 0
        changed: set[int] = set()
        to: Counter[str] = Counter()
        async for page in self._pages(since):
            decided = [(seen, rules.decide(rule_file, seen.sighting, self._occasion(seen))) for seen in page]
            # A limit counts what comes in, not what is decided anew.
            wanted = [(seen, replace(decision, limits=())) for seen, decision in reversed(decided) if decision.to]
            links += len(page)
            dropped += sum(bool(decision.dropped_by) and seen.state == "kept" for seen, decision in decided)
            to.update(name for _, decision in wanted for name in decision.to)
            changed |= await self._archive.decide_anew(wanted, really=really)
        return {"links": links, "to": to, "dropped": dropped, "changed": len(changed), "done": really}

    async def trash(self, words: str = "") -> Plain:
        """Links that rules dropped, newest first; `words` stand in address, title or reason."""
        sought, found = words.casefold(), []
        async for page in self._pages(0.0, state="dropped"):
            found += [_dropped(seen) for seen in page if sought in _searchable(seen)]
            if len(found) >= MOST_LISTED:
                break
        return {"dropped": found[:MOST_LISTED], "words": words}

    async def rescue(self, number: int) -> Plain:
        """A dropped link goes where it would have gone without the rules that drop."""
        seen = await self._archive.sighting(number)
        if seen is None or seen.state != "dropped":
            raise ConfigError(f"there is nothing with the number {number} in the trash")
        keeping = replace(self._rule_file(), rules=_without_drops(self._rule_file()))
        decision = replace(rules.decide(keeping, seen.sighting, self._occasion(seen)), held_by="", delay=0.0)
        await self._archive.rescue(seen, decision)
        return {"id": number, "url": seen.sighting.url, "to": decision.to}

    async def held(self) -> Plain:
        """What waits until somebody lets it go."""
        return {"held": list(await self._archive.held())}

    async def release(self, numbers: Sequence[int], *, send: bool) -> Plain:
        """Held links are sent, or given up. No number: all of them."""
        chosen = list(numbers) or [delivery["id"] for delivery in await self._archive.held()]
        return {"released": await self._archive.release(chosen, send=send), "sent": send}

    def _occasion(self, seen: Seen) -> Occasion:
        return Occasion(account=seen.account, now=seen.received, seen=seen.before, zone=self._zone).informed(
            seen.looked
        )

    async def _pages(self, since: float, state: str = "") -> AsyncIterator[Sequence[Seen]]:
        """Newest first, some at a time: no reading is kept open while they are looked at."""
        below = None
        while page := await self._archive.sightings(since, below, PAGE, state=state):
            yield page
            below = page[-1].id


def _compared(before: Decision, after: Decision) -> Iterator[tuple[str, Any, Any]]:
    yield "dropped", before.dropped_by, after.dropped_by
    yield "held", before.held_by, after.held_by
    yield "to", list(before.to), list(after.to)
    yield "tags", sorted(before.tags), sorted(after.tags)
    yield "title", before.title, after.title
    yield "url", before.url, after.url


def _effects(changes: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """What happens to a link because of them: one that is dropped now goes nowhere, and that is all."""
    for kind, none_more in (("dropped", "kept"), ("held", "let_go")):
        if kind in changes:
            was, now = changes[kind]
            yield f"{kind}_otherwise" if was and now else kind if now else none_more
            if kind == "dropped":
                return
    yield from (kind for kind in changes if kind != "held")


def _without_drops(rule_file: RuleFile) -> tuple[rules.Rule, ...]:
    return tuple(rule for rule in rule_file.rules if rule.then.drop is None)


def _dropped(seen: Seen) -> Plain:
    return _named(seen) | {"received": seen.received, "reason": seen.reason}


def _named(seen: Seen) -> Plain:
    return {"id": seen.id, "url": seen.sighting.url, "title": seen.sighting.title}


def _searchable(seen: Seen) -> str:
    return f"{seen.sighting.url} {seen.sighting.title} {seen.reason}".casefold()


def _nothing_in(_what: str) -> Sequence[Seen]:
    raise ConfigError("there is no web address in it; addresses begin with http:// or https://")
