"""A link in words: what became of it, its passport, what would happen, files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from bridge.words.parts import STATES, Data, beside, day, green, hashtags, how_many, moment, quoted, red

_HOOKS = ("hook", "save")


def is_saved(answer: Data) -> bool:
    """Whether `added` may say so: the address could be read, and not every connection refused each link for good."""
    if answer["state"] == "parked":
        return False
    return not answer["links"] or not all(_refused(link) for link in answer["links"])


def _refused(link: Data) -> bool:
    states = [state for state, _ in link["deliveries"].values()]
    return bool(states) and all(state == "dead" for state in states)


def added(answer: Data) -> Sequence[str]:
    if answer["state"] == "parked":
        return [red(f"not saved: {answer['reason']}")]
    if not answer["links"] and answer["reason"]:
        return [f"kept; it {answer['reason']}"]
    if not answer["links"]:
        return ["kept; it will be saved as soon as pocket-bridge works"]
    return [line for link in answer["links"] for line in _link(link)]


def _link(link: Data) -> Iterator[str]:
    tags = hashtags(link["tags"])
    match link["state"]:
        case "dropped":
            yield f"{red('dropped')} by {link['reason']}: {link['url']}"
        case _ if _refused(link):
            yield f"{red('refused')}: {link['title'] or link['url']}{tags}"
        case "duplicate":
            new = f", new tags{tags}" if tags else ""
            yield f"{green('already saved')} on {day(link['since'])}{new}: {link['url']}"
        case _:
            yield f"{green('saved')}: {link['title'] or link['url']}{tags}"
    for name, (state, because) in link["deliveries"].items():
        yield f"  {name:12} {_state(state)}{_because(state, because)}"


def listed(answer: Data) -> Sequence[str]:
    return list(_on_the_list(answer))


def _on_the_list(answer: Data) -> Iterator[str]:
    if not answer["items"]:
        having = f"nothing on the list has the tag “{answer['tag']}”"
        yield having if answer["tag"] else "the list is empty; pocket-bridge add URL saves a first link"
    for item in answer["items"]:
        date, marks = moment(item["added"]).partition(" ")[0], "  (archived)" * item["archived"]
        link = f"{item['url']}{hashtags(item['tags'])}{marks}"
        lines = [item["title"], link] if item["title"] else [link]
        for label, line in zip((date, ""), lines, strict=False):
            yield from beside(label, line, len(date))
    total, shown = answer["total"], len(answer["items"])
    if total > shown:
        yield f"… and {total - shown} more; --most {min(total, 1000)} shows more"


def passport(answer: Data, *, now: float) -> Sequence[str]:
    return list(_passport(answer, now))


def _passport(answer: Data, now: float) -> Iterator[str]:
    yield click.style(answer["canonical"], bold=True)
    if answer["since"] is None and not answer["waiting"]:
        yield f"  {_unsighted(answer.get('item'))}"
    for arrival in answer["waiting"]:
        came = f"{moment(arrival['received'])}  arrived from {_origin(arrival)}{_request(arrival)}"
        yield f"  {came}; {_put_off(arrival, now)}"
    for arrival in answer["refused"]:
        yield f"  {moment(arrival['received'])}  arrived from {_origin(arrival)}{_request(arrival)}"
        yield f"{'':23}-> {red('not saved')}: {arrival['reason']}"
    for mark in answer["marked"]:
        feed = mark["scope"].partition(":")[2]
        yield f"  {moment(mark['since'])}  known from feed {feed}, not saved: it was there before the feed's start"
    if len(feeds := _feeds(answer)) > 1:
        yield f"  one link, in {len(feeds)} feeds: {', '.join(feeds)}"
    if answer.get("purged"):
        yield f"  {moment(answer['since'])}  came for the first time; the details of then are not kept any more"
    for sighting in answer["sightings"]:
        yield from _sighting(sighting)
    for delivery in answer["deliveries"]:
        yield from _delivery(delivery, now)
    if answer.get("page"):
        yield f"  page: {_looked(answer['page'], now)}"
    if answer.get("others"):
        yield f"  also known as: {', '.join(answer['others'])}"


def _looked(page: Data, now: float) -> str:
    """What is known of a page now."""
    if page["state"] == "read":
        return f"read on {moment(page['looked'])}{_facts(page['facts'])}"
    tried = f"could not be read: {page['reason']}" if page["reason"] else "not looked at yet"
    return f"{tried}; tried again at {moment(page['due'])}" if (page["due"] or 0.0) > now else tried


def _page(page: Data | None) -> Iterator[str]:
    """What the page said to a decision, or why nothing."""
    if page:
        unread = page.get("unread")
        yield f"page{_facts(page)}" if unread is None else f"its page could not be read: {unread}"


def _facts(page: Data) -> str:
    """`: “A title”, en, article, 1200 words, by Ann`."""
    words = how_many(page["words"], "word") if page.get("words") else ""
    author = f"by {page['author']}" if page.get("author") else ""
    title = f"“{page['title']}”" if page.get("title") else ""
    told = ", ".join(filter(None, (title, page.get("lang", ""), page.get("type", ""), words, author)))
    return f": {told}" if told else ""


def _feeds(answer: Data) -> Sequence[str]:
    """The names of the feeds it came through."""
    return list(dict.fromkeys(seen["channel"] for seen in answer["sightings"] if seen["source"] == "feed"))


def _put_off(arrival: Data, now: float) -> str:
    if arrival.get("reason"):
        return str(arrival["reason"])
    if arrival.get("due", 0.0) <= now:
        return "not read yet"
    return f"it waits until {moment(arrival['due'])}: its feed has more than it may give at once"


def _unsighted(item: Data | None) -> str:
    if item is None:
        return "was never saved"
    where = "in the archive" if item["archived"] else "on the list"
    return f"is {where} since {day(item['time_added'])}; it came with an import or was there before"


def _sighting(sighting: Data) -> Iterator[str]:
    facts = sighting["facts"]
    yield f"  {moment(sighting['received'])}  arrived from {_origin(sighting)}  ({_numbers(sighting)})"
    yield f"{'':23}read: {facts['url']}{quoted(facts.get('title', ''))}{hashtags(facts.get('tags', []))}"
    yield from (f"{'':23}{line}" for line in _page(sighting.get("page")))
    yield from (f"{'':23}{line}" for line in _rules(sighting["rules"]))
    outcome = {"kept": green("kept"), "duplicate": "known already", "dropped": red("dropped")}[sighting["state"]]
    reason = f" by {sighting['reason']}" if sighting["reason"] else ""
    new = f"; tags added:{hashtags(sighting['tags'])}" if sighting["tags"] else ""
    yield f"{'':23}-> {outcome}{reason}{new}"


def _numbers(sighting: Data) -> str:
    """What `rules explain` takes, and for what came to a hook also what `hooks replay` takes."""
    request = f", request {sighting['arrival']}" if sighting["source"] in _HOOKS else ""
    return f"sighting {sighting['id']}{request}"


def _request(arrival: Data) -> str:
    return f"  (request {arrival['id']})" if arrival["source"] in _HOOKS else ""


def _rules(traces: Sequence[Data]) -> Iterator[str]:
    if not traces:
        yield "no rules: everything is kept"
    width = max((len(trace["rule"]) for trace in traces), default=0)
    for trace in traces:
        mark = "-  " if trace["because"] == "not reached" else green("YES") if trace["applies"] else "no "
        yield f"{trace['rule']:{width}}  {mark}  {trace['because']}"
        if trace["effect"]:
            yield f"{'':{width}}       -> {trace['effect']}"


def _delivery(delivery: Data, now: float) -> Iterator[str]:
    remote = f" as {delivery['remote_id']}" if delivery["remote_id"] else ""
    tries = delivery["tries"]
    told_below = bool(tries) and tries[-1]["detail"] == delivery["because"]
    because = "" if told_below else _because(delivery["state"], delivery["because"])
    yield (
        f"  {moment(delivery['changed'])}  {delivery['connection']}: {_state(delivery['state'])}{remote}"
        f"{because}{hashtags(delivery['tags'])}  (delivery {delivery['id']})"
    )
    if delivery["state"] == "pending" and delivery["due"] > now:
        yield f"{'':23}due {moment(delivery['due'])}"
    if delivery.get("attempts") and not tries:
        yield f"{'':23}its attempts are not kept any more"
    yield from (f"{'':23}{line}" for line in _tries(tries))


def _tries(tries: Sequence[Data]) -> Iterator[str]:
    before = ""
    for attempt in tries:
        answer = f"{attempt['outcome']}: {attempt['detail']}" if attempt["detail"] else attempt["outcome"]
        told = "the same" if answer == before else answer
        yield f"{moment(attempt['at'])}  {told}  ({attempt['seconds'] * 1000:.0f} ms)"
        before = answer


FEW = 3
"""Entries of a feed that are shown when it is tried."""


def trial(answer: Data) -> Sequence[str]:
    return list(_trial(answer))


def _trial(answer: Data) -> Iterator[str]:
    if "feed" in answer:
        entries = how_many(answer["entries"], "entry", "entries")
        yield f"a feed: {answer['feed'] or 'without a title'}, {entries}"
        if answer["followed"]:
            yield f"It is followed as {answer['followed']}. What it publishes would go like this:"
        else:
            yield "On the first reading none of them is saved, unless “start” says so. Later ones would go like this:"
    links = answer["links"][:FEW] if "feed" in answer else answer["links"]
    for number, link in enumerate(links):
        decision = link["decision"]
        if number or "feed" in answer:
            yield ""
        yield click.style(link["url"], bold=True) + quoted(link["title"])
        yield from (f"  {line}" for line in _page(link.get("page")))
        yield from (f"  {line}" for line in _rules(link["rules"]))
        if decision["dropped_by"]:
            yield f"  -> {red('dropped')} by {decision['dropped_by']}"
        else:
            title = quoted(decision["title"]) if decision["title"] != link["title"] else ""
            yield f"  -> to {', '.join(decision['to'])}{hashtags(decision['tags'])}{title}"
    if "feed" in answer and answer["entries"] > len(links):
        yield ""
        yield f"… and {how_many(answer['entries'] - len(links), 'more entry', 'more entries')}"
    if answer.get("not_a_feed"):
        yield ""
        yield f"(As a feed: {answer['not_a_feed']}.)"


_IMPORTED = {
    "added": ("added", "added"),
    "tagged": ("was there and got new tags", "were there and got new tags"),
    "known": ("was there", "were there"),
    "sent": ("waits to be sent", "wait to be sent"),
    "judged": ("went through the rules", "went through the rules"),
}


def imported(answer: Data) -> Sequence[str]:
    return list(_imported(answer))


def _imported(answer: Data) -> Iterator[str]:
    for row in answer["bad_rows"]:
        part = f"{row['part']}, " if row["part"] else ""
        yield f"{part}line {row['line']}: {red('not taken')}: {row['reason']}"
    if answer["bad"] > len(answer["bad_rows"]):
        more = how_many(answer["bad"] - len(answer["bad_rows"]), "more row", "more rows")
        yield f"… and {more} not taken"
    counts = [how_many(answer[name], *meaning) for name, meaning in _IMPORTED.items() if answer[name]]
    bad = [f"{answer['bad']} bad"] * bool(answer["bad"])
    yield f"{answer['file']}: {', '.join(counts + bad) or 'nothing in it'}"


def exported(answer: Data) -> Sequence[str]:
    return [f"{how_many(answer['items'], 'item')} in {'standard output' if answer['file'] == '-' else answer['file']}"]


def _origin(arrival: Data) -> str:
    return f"{arrival['source']} {arrival['channel']}".strip()


def _because(state: str, because: str) -> str:
    return f" ({because})" if because and state != "delivered" else ""


def _state(state: str) -> str:
    word = STATES.get(state, state)
    return green(word) if state == "delivered" else red(word) if state == "dead" else word
