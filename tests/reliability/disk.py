"""A disk that loses its power: what of a trace is on it for sure, and what may be, in any mixture.

A write is on the disk for sure when a sync of its file came after it; a name, when its folder was synced. What was not
synced may be there, not be there, or be there in part, in sectors of 512 bytes, and in any order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.reliability.traces import Change

SECTOR = 512

Image = Mapping[str, bytes]
Choice = Callable[[Sequence[Change]], Sequence[Change]]


@dataclass(slots=True)
class _File:
    there: bool = False
    content: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)


@dataclass(slots=True)
class Disk:
    """Takes changes one after the other; `image` is what a power cut now would leave."""

    _files: dict[str, _File] = field(default_factory=dict)

    def take(self, change: Change) -> None:
        if change.kind == "sync folder":
            for file in self._files.values():
                _settle(file, {"create", "remove"})
            return
        file = self._files.setdefault(change.name, _File())
        match change.kind:
            case "create" if _exists(file):
                return
            case "create":
                # Names change in order: what was removed before it is made anew is gone for sure.
                if any(pending.kind == "remove" for pending in file.pending):
                    self._files[change.name] = file = _File()
                file.pending.append(change)
            case "sync":
                _settle(file, {"write", "cut"})
            case _:
                file.pending.append(change)

    @property
    def pending(self) -> int:
        return sum(len(file.pending) for file in self._files.values())

    def image(self, choose: Choice) -> Image:
        """`choose` says what becomes of the changes to one file that are not on the disk for sure."""
        left = ((name, _left(file, choose(file.pending))) for name, file in self._files.items())
        return {name: content for name, content in left if content is not None}


def _exists(file: _File) -> bool:
    names = [change.kind for change in file.pending if change.kind in ("create", "remove")]
    return names[-1] == "create" if names else file.there


def _settle(file: _File, kinds: set[str]) -> None:
    for change in file.pending:
        if change.kind in kinds:
            _apply(file, change)
    file.pending = [change for change in file.pending if change.kind not in kinds]


def _left(file: _File, chosen: Sequence[Change]) -> bytes | None:
    copy = _File(file.there, bytearray(file.content))
    for change in chosen:
        _apply(copy, change)
    return bytes(copy.content) if copy.there else None


def _apply(file: _File, change: Change) -> None:
    match change.kind:
        case "create":
            file.there = True
        case "remove":
            file.there = False
        case "cut":
            file.content[change.offset :] = b"\x00" * max(0, change.offset - len(file.content))
        case "write":
            gap = change.offset - len(file.content)
            if gap > 0:
                file.content += b"\x00" * gap
            file.content[change.offset : change.offset + len(change.data)] = change.data


def nothing(_: Sequence[Change]) -> Sequence[Change]:
    """All that was not synced is gone."""
    return ()


def everything(pending: Sequence[Change]) -> Sequence[Change]:
    """The disk was faster than it had to be."""
    return pending


def some(chance: random.Random) -> Choice:
    """Some of it, in any mixture; of some writes only some sectors."""

    def choose(pending: Sequence[Change]) -> Sequence[Change]:
        kept = [change for change in pending if chance.random() < 0.5]
        return [piece for change in kept for piece in (_torn(change, chance) if chance.random() < 0.2 else [change])]

    return choose


def torn(chance: random.Random) -> Choice:
    """All of it, but the last write was under way."""

    def choose(pending: Sequence[Change]) -> Sequence[Change]:
        return [*pending[:-1], *_torn(pending[-1], chance)] if pending else ()

    return choose


def _torn(change: Change, chance: random.Random) -> Iterator[Change]:
    """Some of its sectors. A change that is no write is there or not."""
    if change.kind != "write":
        if chance.random() < 0.5:
            yield change
        return
    first = change.offset - change.offset % SECTOR
    for start in range(first, change.offset + len(change.data), SECTOR):
        lower, upper = max(start, change.offset), min(start + SECTOR, change.offset + len(change.data))
        if chance.random() < 0.5:
            piece = change.data[lower - change.offset : upper - change.offset]
            yield replace(change, offset=lower, data=piece)
