"""Clauses that measure: amounts, ages, hours, dates; and what is known of the page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal

from bridge.rules._clauses import Keys, alternatives, listed
from bridge.rules._facts import FIELD, Facts, number
from bridge.rules._times import in_words


@dataclass(frozen=True, slots=True)
class Range:
    """More than `over` and less than `under`, where these are given; or `exactly` one value."""

    over: float | None = None
    under: float | None = None
    exactly: float | None = None

    def __contains__(self, value: float) -> bool:
        if self.exactly is not None:
            return value == self.exactly
        return (self.over is None or value > self.over) and (self.under is None or value < self.under)

    def words(self, *, seconds: bool = False) -> str:
        shown = in_words if seconds else plainly
        if self.exactly is not None:
            return shown(self.exactly)
        bounds = (("over", self.over), ("under", self.under))
        return " and ".join(f"{word} {shown(bound)}" for word, bound in bounds if bound is not None)


@dataclass(frozen=True, slots=True)
class Amount:
    """A number lies in a range: words, minutes, how often it was seen, the age, a field of a hook."""

    key: str
    range: Range

    def holds(self, facts: Facts) -> bool | None:
        value = self._value(facts)
        return None if value is None else value in self.range

    def because(self, facts: Facts) -> str:
        return f"{self._name} is {self._shown(facts)}: {self._wanted}"

    def instead(self, facts: Facts) -> str:
        if self._value(facts) is None:
            return facts.unknown(self.key)
        return f"{self._name} is {self._shown(facts)}, not {self._wanted}"

    def denied(self) -> str:
        return f"{self._name} is not {self._wanted}"

    def keys(self) -> Keys | None:
        return alternatives("has field", [field_root(self.key)]) if self.key.startswith(FIELD) else None

    @property
    def _name(self) -> str:
        return self.key.replace(".", " ", 1)

    @property
    def _wanted(self) -> str:
        return self.range.words(seconds=self.key == "age")

    def _shown(self, facts: Facts) -> str:
        value = self._value(facts) or 0.0
        return in_words(value) if self.key == "age" else plainly(value)

    def _value(self, facts: Facts) -> float | None:
        match self.key:
            case "words":
                return facts.occasion.words
            case "seen":
                return facts.occasion.seen
            case "minutes":
                return facts.minutes
            case "age":
                return facts.age
        values = map(number, facts.field(self.key.removeprefix(FIELD)))
        return next((value for value in values if value is not None), None)


@dataclass(frozen=True, slots=True)
class Hours:
    """It came in between two times of the day; the second is not included and may lie behind midnight."""

    spans: tuple[tuple[time, time], ...]

    def holds(self, facts: Facts) -> bool | None:
        return None if facts.local is None else any(_between(facts.local.time(), *span) for span in self.spans)

    def because(self, facts: Facts) -> str:
        held = next(((a, b) for a, b in self.spans if facts.local and _between(facts.local.time(), a, b)), None)
        return f"{self._came(facts.local)}, within {held[0]:%H:%M}-{held[1]:%H:%M}" if held else ""

    def instead(self, facts: Facts) -> str:
        return f"{self._came(facts.local)}, not {self._spans()}" if facts.local else facts.unknown("hour")

    def denied(self) -> str:
        return f"hour is not {self._spans()}"

    def keys(self) -> None:
        return None

    def _came(self, local: datetime | None) -> str:
        return f"it came in at {local:%H:%M}" if local else ""

    def _spans(self) -> str:
        return listed(f"{first:%H:%M}-{last:%H:%M}" for first, last in self.spans)


@dataclass(frozen=True, slots=True)
class Published:
    """It was published on or after one day, and before another."""

    after: date | None = None
    before: date | None = None

    def holds(self, facts: Facts) -> bool | None:
        if facts.published is None:
            return None
        day = facts.published.date()
        return (self.after is None or day >= self.after) and (self.before is None or day < self.before)

    def because(self, facts: Facts) -> str:
        return f"published on {facts.published:%Y-%m-%d}"

    def instead(self, facts: Facts) -> str:
        return f"{self.because(facts)}, not {self._span()}" if facts.published else facts.unknown("published")

    def denied(self) -> str:
        return f"it was not published {self._span()}"

    def keys(self) -> None:
        return None

    def _span(self) -> str:
        bounds = (("on or after", self.after), ("before", self.before))
        return " and ".join(f"{word} {day}" for word, day in bounds if day)


@dataclass(frozen=True, slots=True)
class Has:
    """One of these parts came with it or is on its page."""

    parts: tuple[str, ...]

    def holds(self, facts: Facts) -> bool | None:
        answers = [facts.has(part) for part in self.parts]
        return True if True in answers else None if None in answers else False

    def because(self, facts: Facts) -> str:
        return f"it has {next(part for part in self.parts if facts.has(part))}"

    def instead(self, facts: Facts) -> str:
        unknown = [part for part in self.parts if facts.has(part) is None]
        return "; ".join(map(facts.unknown, unknown)) if unknown else self.denied()

    def denied(self) -> str:
        return f"it has no {listed(self.parts)}"

    def keys(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class OfPage:
    """The language or the type is one of these; `en` stands for `en-GB` too."""

    key: Literal["lang", "type"]
    values: frozenset[str]

    def holds(self, facts: Facts) -> bool | None:
        value: str = getattr(facts, self.key)
        return bool(self.values & set(prefixes(value))) if value else None

    def because(self, facts: Facts) -> str:
        return f"{self.key} is {getattr(facts, self.key)}"

    def instead(self, facts: Facts) -> str:
        value: str = getattr(facts, self.key)
        return f"{self.key} is {value}, not {listed(self.values)}" if value else facts.unknown(self.key)

    def denied(self) -> str:
        return f"{self.key} is not {listed(self.values)}"

    def keys(self) -> Keys:
        return alternatives(self.key, self.values)


def prefixes(value: str) -> list[str]:
    """
    >>> prefixes("zh-hant-tw")
    ['zh', 'zh-hant', 'zh-hant-tw']
    """
    parts = value.split("-")
    return ["-".join(parts[: end + 1]) for end in range(len(parts))]


def field_root(key: str) -> str:
    """The outermost name in `field.a.b`: a."""
    return key.removeprefix(FIELD).partition(".")[0]


def plainly(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"


def _between(moment: time, first: time, last: time) -> bool:
    return first <= moment < last if first < last else moment >= first or moment < last
