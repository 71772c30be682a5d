"""What people are told, and what they ask of a bot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from bridge.ports.arriving import Arrival


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one sighting, for the person who sent it.

    `state`: kept (new here), duplicate (known; `tags` are those it added), dropped.
    `deliveries`: connection -> (state, because); `since`: when the link was first seen.
    """

    url: str
    title: str
    tags: Sequence[str]
    state: str
    reason: str
    since: float
    deliveries: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A request as it waits to be carried out. `about` is the arrival it is about, 0 when there is none such."""

    id: int
    arrival: int
    account: str
    about: int
    name: str
    argument: str
    failures: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that was carried out; `answer` is the desk's, plain data, or `{"error": "a sentence"}`."""

    name: str
    argument: str
    about: int
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a source may tell its person about one arrival, read at the moment of telling.

    `reference` is what the last `report()` for this arrival returned (a message to edit), or "".
    `settled`: nothing more will change by itself. `answers`: to the requests it held. `next_due`: when the first of its
    links that wait is to be sent.
    """

    arrival: Arrival
    state: str
    reason: str
    verdicts: Sequence[Verdict]
    settled: bool
    reference: str = ""
    answers: Sequence[Answered] = ()
    next_due: float | None = None


@runtime_checkable
class Reporter(Protocol):
    """A source that can talk back."""

    async def report(self, report: Report) -> str:
        """Tell the person; answers a reference for the next report of the same arrival. Raises SourceError."""
        ...


class Reports(Protocol):
    """Who waits to be told about which arrival."""

    async def due_reports(self, limit: int) -> Sequence[tuple[int, float, int, str]]:
        """(arrival, due, failures, reference) of those whose time has come."""
        ...

    async def report(self, arrival: int, reference: str) -> Report | None:
        """What may be told now; None when the arrival is gone."""
        ...

    async def told(self, arrival: int, reference: str, *, due_was: float, settled: bool) -> None:
        """Told. What changed since `due_was` was read is told again."""
        ...

    async def tell_later(self, arrival: int, due_at: float, *, failed: bool = True) -> None:
        """Not `failed`: it was only put off."""
        ...

    async def drop_report(self, arrival: int) -> None: ...

    async def wait_for_reports(self) -> None: ...


class Errands(Protocol):
    """Requests that wait to be carried out, and what they do."""

    async def due_errands(self, limit: int) -> Sequence[Errand]:
        """Those whose time has come, in the order they were made."""
        ...

    async def answer(self, errand: Errand, answer: Mapping[str, Any]) -> None:
        """Carried out; whoever asked, and whoever watches what it is about, is told."""
        ...

    async def put_off(self, errand: Errand, due_at: float) -> None: ...

    async def wait_for_errands(self) -> None: ...

    async def links_of(self, arrival: int) -> Sequence[str]:
        """The canonical addresses an arrival named, dropped ones too."""
        ...

    # What follows changes links: the change and its answer are one unit, and an errand that has its answer already
    # changes nothing and answers the same.

    async def take_back(self, errand: Errand, *, patient: bool) -> Mapping[str, Any] | None:
        """What the arrival was the first to save is cancelled where it was not sent and deleted from the embedded
        list. `links`: for each what is `back`, what `stays` where, and what is `busy` now. When something is, and
        the clerk is `patient`, there is no answer yet: None, and the errand is to be put off."""
        ...

    async def tag(self, errand: Errand, tags: Sequence[str]) -> Mapping[str, Any]:
        """The tags are added to the arrival's links, everywhere they are wanted. `added`: those that were new."""
        ...

    async def want_also(self, errand: Errand, connection: str) -> Mapping[str, Any]:
        """The arrival's links are wanted at one more connection. `links`: how many that are."""
        ...

    async def show_again(self, errand: Errand) -> Mapping[str, Any]:
        """What was told about the arrival is told once more, as it was."""
        ...

    async def last(self, account: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """The newest links of an account, newest first."""
        ...
