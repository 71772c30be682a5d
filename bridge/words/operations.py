"""Looking after it in words: queues, what was refused, the books, backups, what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click

from bridge.words.parts import STATES, Data, beside, columns, counted, green, how_many, moment, quoted, red

ARRIVALS = ("read", "empty", "command", "parked", "new")
SIGHTINGS = ("delivered", "duplicate", "dropped", "held", "waiting", "unknown", "dead", "cancelled")

HEADINGS = {"duplicate": "known", "dead": STATES["dead"]}


def queue(answer: Data) -> Sequence[str]:
    return list(_queue(answer))


def _queue(answer: Data) -> Iterator[str]:
    width = max((len(line["name"]) for line in answer["connections"]), default=0) + 1
    for line in answer["connections"]:
        yield from beside(click.style(line["name"], bold=True), _waits(line), width)
        for words in held_up(line, answer["now"]):
            yield from beside("", words, width)
        if not line["there"] and any(line["states"].get(state) for state in OPEN):
            yield from beside("", no_destination(line["name"]), width)
    gates = {line["name"]: line for line in answer["connections"]}
    links = [(_link(link, gates.get(link["connection"], {}), answer["now"]), link) for link in answer["links"]]
    if links:
        yield ""
        yield from _listed(("delivery", "goes to", "state", "when"), links)
    total = sum(
        line["states"].get(state, 0) for line in answer["connections"] for state in ("pending", "leased", "held")
    )
    if total > len(links):
        yield f"… and {total - len(links)} more; --most {min(total, 1000)} shows more"


def held_up(connection: Data, now: float) -> Iterator[str]:
    """What keeps a connection from sending, until when, and what mends it."""
    if connection["state"] == "paused":
        yield f"{red('paused')}: {connection['because']}"
        resume = f"pocket-bridge resume {connection['name']}, when it is mended"
        yield f"-> {connection['sign_in'] or resume}"
    elif connection["because"] and connection["not_before"] > now:
        yield f"waits until {moment(connection['not_before'])}: {connection['because']}"
        if connection["failures"]:
            yield f"-> pocket-bridge resume {connection['name']} tries it now"
    elif connection.get("limited", 0.0) > now:
        yield f"waits until {moment(connection['limited'])}: its limit is used up"
    if connection["done"]:
        yield f"done about {moment(connection['done'])}, at the pace of the last hour"


def _listed(head: Sequence[str], links: Sequence[tuple[Sequence[str], Data]]) -> Iterator[str]:
    """A row for each link, and below it why, and which one it is: both may be longer than a line."""
    first, *rows = columns(head, [row for row, _ in links])
    indent = max(len(head[0]), *(len(row[0]) for row, _ in links)) + 1
    yield first
    for row, (_, link) in zip(rows, links, strict=True):
        yield row
        if link["because"] not in ("", "new"):
            yield from beside("", link["because"], indent)
        yield f"{'':{indent}} {link['url']}"
        if link["title"]:
            yield from beside("", quoted(link["title"]).strip(), indent)


OPEN = ("pending", "leased", "held", "unknown", "dead")


def no_destination(name: str) -> str:
    return (
        f"{red('no such destination any more')}: pocket-bridge queue move {name} reading sends it elsewhere, "
        f"pocket-bridge queue cancel {name} gives it up"
    )


def _waits(line: Data) -> str:
    states = {state: number for state, number in line["states"].items() if state in OPEN}
    if not states:
        return "nothing waits"
    oldest = f"; the oldest since {moment(line['oldest'])}" if line["oldest"] else ""
    return counted(states, STATES) + oldest


def _link(link: Data, gate: Data, now: float) -> tuple[str, ...]:
    due = max(link["due"], gate.get("not_before", 0.0), gate.get("limited", 0.0))
    if link["state"] == "held":
        when = "when it is let go"
    elif gate.get("state") == "paused" or not gate.get("there", True):
        when = "never, as it is"
    else:
        when = moment(due) if due > now else "now"
    return (str(link["id"]), link["connection"], STATES[link["state"]], when)


def dead(answer: Data) -> Sequence[str]:
    if not answer["links"]:
        return ["nothing was refused"]
    rows = [
        ((str(link["id"]), link["connection"], STATES[link["state"]], moment(link["changed"])), link)
        for link in answer["links"]
    ]
    return [
        *_listed(("delivery", "goes to", "state", "since"), rows),
        "pocket-bridge retry DELIVERY… sends single ones once more,",
        "pocket-bridge retry NAME all that a connection refused",
    ]


def retried(answer: Data) -> Sequence[str]:
    where = f" ({counted(answer['connections'])})" if answer["connections"] else ""
    are = "is" if answer["retried"] == 1 else "are"
    return [f"{how_many(answer['retried'], 'link')} {are} sent once more{where}"]


def cancelled(answer: Data) -> Sequence[str]:
    where = f"{answer['connection']}: " if answer["connection"] else ""
    return [f"{where}{how_many(answer['cancelled'], 'link')} given up"]


def moved(answer: Data) -> Sequence[str]:
    are = "goes" if answer["moved"] == 1 else "go"
    return [f"{how_many(answer['moved'], 'link')} of {answer['connection']} {are} to {answer['to']} instead"]


def audited(answer: Data, *, by_day: bool = False) -> Sequence[str]:
    return list(_audited(answer, by_day))


def _audited(answer: Data, by_day: bool) -> Iterator[str]:  # noqa: FBT001
    for what, fates, title in (("arrivals", ARRIVALS, "what came"), ("sightings", SIGHTINGS, "the links in it")):
        if answer[what]:
            yield click.style(title, bold=True)
            yield from _balances(answer[what], fates, by_day=by_day)
    for what in ("arrivals", "sightings"):
        yield from (_fault(balance, what) for balance in answer[what] if balance["missing"])
    yield f"{green('ok')}  everything that came is accounted for" if answer["balances"] else red("it does not balance")


def _balances(balances: Sequence[Data], fates: Sequence[str], *, by_day: bool) -> Sequence[str]:
    sums: dict[tuple[str, ...], Counter[str]] = {}
    for balance in balances:
        key = (_day(balance["day"]), balance["source"]) if by_day else (balance["source"],)
        sums.setdefault(key, Counter()).update({"": balance["counted"], **balance["became"]})
    others = sorted({fate for number in sums.values() for fate in number} - {"", *fates})
    # A column of noughts tells nothing, and all of them together are too wide.
    told = [fate for fate in (*fates, *others) if fate == fates[0] or any(number[fate] for number in sums.values())]
    head = (*(("day",) if by_day else ()), "source", "came", *(HEADINGS.get(fate, fate) for fate in told))
    rows = [(*key, *(str(number[fate]) for fate in ("", *told))) for key, number in sorted(sums.items())]
    return columns(head, rows)


def _fault(balance: Data, what: str) -> str:
    where = f"{_day(balance['day'])}, {balance['source']}: {balance['counted']} {what} came"
    if lost := balance["became"].get("lost"):
        return red(f"{where}, {lost} of them kept and wanted nowhere")
    if balance["missing"] > 0:
        return red(f"{where}, {balance['missing']} of them are not there any more and nobody deleted them")
    return red(f"{where}, {-balance['missing']} more are there than that")


def _day(day: int) -> str:
    return datetime.fromtimestamp(day * 86400, UTC).strftime("%Y-%m-%d")


def backed_up(answer: Data) -> Sequence[str]:
    size = f"{answer['bytes'] / 2**20:.1f} MiB"
    said = f"{answer['file']}: {_holds(answer)}, {size}, checked. It holds no token and no key."
    if not answer["beside"]:
        return [said]
    return [said, "To begin anew somewhere, copy these too:", *(f"  {file}" for file in answer["beside"])]


def restored(answer: Data) -> Sequence[str]:
    newest = f", the newest of {moment(answer['newest'])}" if answer["newest"] else ""
    return [
        f"{green('restored')} from {answer['file']}: {_holds(answer)}{newest}",
        f"what was there before: {answer['kept'] or 'nothing'}",
        *([red(answer["hooks"])] if answer["hooks"] else []),
    ]


def _holds(answer: Data) -> str:
    return f"{how_many(answer['links'], 'link')}, {how_many(answer['items'], 'item')} on the lists"


def examined(answer: Data) -> Sequence[str]:
    return list(_examined(answer))


def _examined(answer: Data) -> Iterator[str]:
    for finding in answer["findings"]:
        mark = {"ok": green("ok   "), "note": "note ", "wrong": red("wrong")}[finding["level"]]
        first, *more = finding["what"].splitlines() or [""]
        yield from [f"{mark} {first}"] if more else beside(mark, first, 5)
        yield from (f"      {line}".rstrip() for line in more)
        if finding["mend"]:
            yield f"      -> {finding['mend']}"
    wrong = sum(finding["level"] == "wrong" for finding in answer["findings"])
    well = "nothing to mend" if any(finding["level"] == "note" for finding in answer["findings"]) else "all is well"
    yield f"{how_many(wrong, 'thing')} to mend" if wrong else well
