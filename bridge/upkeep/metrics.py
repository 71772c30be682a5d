"""What Prometheus reads: text, from one sample. Labels are names of sources and connections, states, outcomes: few."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bridge.ports.keeping import Books, Notices

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

FRESH_SECONDS = 10.0
"""Counting a large database takes a moment: an answer is given again for that long."""

Values = Iterable[tuple[Mapping[str, str], float]]


class Metrics:
    """`build`: what answers. `full` is true when the database finds no room. `refused`: webhooks, by hook."""

    def __init__(
        self,
        books: Books,
        notices: Notices,
        *,
        build: Mapping[str, str],
        full: Callable[[], bool],
        refused: Callable[[], Mapping[str, int]],
        clock: Callable[[], float],
    ) -> None:
        self._books = books
        self._notices = notices
        self._build = build
        self._full = full
        self._refused = refused
        self._clock = clock
        self._text = ""
        self._taken = 0.0

    async def __call__(self) -> str:
        now = self._clock()
        if not self._text or not 0.0 <= now - self._taken < FRESH_SECONDS:
            sample, troubles = await self._books.sample(), await self._notices.troubles()
            sample = {**sample, "refused": list(self._refused().items())}
            self._text = text(sample, build=self._build, now=now, full=self._full(), troubles=len(troubles))
            self._taken = now
        return self._text


def text(sample: Mapping[str, Any], *, build: Mapping[str, str], now: float, full: bool, troubles: int) -> str:
    """The exposition format, version 0.0.4. Pure."""
    return "".join(f"{line}\n" for line in _lines(sample, build, now, full=full, troubles=troubles))


def _lines(
    sample: Mapping[str, Any], build: Mapping[str, str], now: float, *, full: bool, troubles: int
) -> Iterator[str]:
    yield from _family("build_info", "gauge", "The program that answers.", [(build, 1)])
    told = "Arrivals that came, since the books were begun."
    yield from _family("arrivals_received_total", "counter", told, _labelled(sample["arrived"], "source"))
    told = "Arrivals that were read, by what they were."
    yield from _family("arrivals_read_total", "counter", told, _labelled(sample["taken"], "source", "state"))
    yield from _family("arrivals_waiting", "gauge", "Arrivals that nobody has read yet.", [({}, sample["new"])])
    told = "Requests to webhooks since the start that did not prove where they are from."
    yield from _family("webhooks_refused_total", "counter", told, _labelled(sample["refused"], "hook"))
    told = "Deliveries: links wanted at a connection."
    yield from _family("deliveries", "gauge", told, _labelled(sample["deliveries"], "connection", "state"))
    told = "Attempts to send since the start, by outcome."
    yield from _family("attempts_total", "counter", told, _labelled(sample["attempts"], "connection", "outcome"))
    told = "Seconds since the oldest arrival came that nobody has read."
    yield from _family("oldest_arrival_age_seconds", "gauge", told, [({}, sample["oldest_arrival"])])
    told = "Seconds since the oldest delivery that waits was wanted."
    yield from _family("oldest_delivery_age_seconds", "gauge", told, _labelled(sample["oldest_delivery"], "connection"))
    states = [({"connection": name, "state": state}, 1) for name, state, _, _ in sample["gates"]]
    yield from _family("gate_state", "gauge", "Whether a connection is active or paused.", states)
    waits = [({"connection": name}, max(before - now, 0.0)) for name, _, before, _ in sample["gates"]]
    yield from _family("gate_wait_seconds", "gauge", "Seconds until a connection may be used.", waits)
    failures = [({"connection": name}, number) for name, _, _, number in sample["gates"]]
    yield from _family("gate_failures", "gauge", "Calls to a connection that failed in a row.", failures)
    yield from _family("disk_full", "gauge", "1 while nothing new is taken for want of room.", [({}, int(full))])
    yield from _family("troubles", "gauge", "Things that are wrong at the moment.", [({}, troubles)])


def _labelled(rows: Iterable[Sequence[Any]], *names: str) -> Values:
    return [(dict(zip(names, map(str, row), strict=False)), row[len(names)]) for row in rows]


def _family(name: str, kind: str, told: str, values: Values) -> Iterator[str]:
    yield f"# HELP bridge_{name} {told}"
    yield f"# TYPE bridge_{name} {kind}"
    for labels, value in values:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"bridge_{name}{{{inside}}} {_number(value)}" if inside else f"bridge_{name} {_number(value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
