"""Answers of the desk in words, for a terminal. Pure: plain data in, lines out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

Data = Mapping[str, Any]

STATES = {
    "pending": "waiting",
    "leased": "being sent",
    "delivered": "delivered",
    "dead": "refused",
    "unknown": "unknown",
    "held": "held",
    "cancelled": "cancelled",
}


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
        return [_bad(f"not saved: {answer['reason']}")]
    if not answer["links"]:
        return ["kept; it will be saved as soon as pocket-bridge works"]
    return [line for link in answer["links"] for line in _link(link)]


def _link(link: Data) -> Iterator[str]:
    tags = _tags(link["tags"])
    match link["state"]:
        case "dropped":
            yield f"{_bad('dropped')} by {link['reason']}: {link['url']}"
        case _ if _refused(link):
            yield f"{_bad('refused')}: {link['title'] or link['url']}{tags}"
        case "duplicate":
            new = f", new tags{tags}" if tags else ""
            yield f"{_good('already saved')} on {_day(link['since'])}{new}: {link['url']}"
        case _:
            yield f"{_good('saved')}: {link['title'] or link['url']}{tags}"
    for name, (state, because) in link["deliveries"].items():
        yield f"  {name:12} {_state(state)}{_because(state, because)}"


def passport(answer: Data, *, now: float) -> Sequence[str]:
    return list(_passport(answer, now))


def _passport(answer: Data, now: float) -> Iterator[str]:
    yield click.style(answer["canonical"], bold=True)
    if answer["since"] is None:
        yield f"  {_unsighted(answer.get('item'))}"
    for arrival in answer["waiting"]:
        yield f"  {_time(arrival['received'])}  arrived from {_origin(arrival)}; not read yet"
    for arrival in answer["refused"]:
        yield f"  {_time(arrival['received'])}  arrived from {_origin(arrival)}"
        yield f"{'':23}-> {_bad('not saved')}: {arrival['reason']}"
    for mark in answer["marked"]:
        yield f"  {_time(mark['since'])}  known from {mark['scope']}, not saved: it was there before the feed's start"
    for sighting in answer["sightings"]:
        yield from _sighting(sighting)
    for delivery in answer["deliveries"]:
        yield from _delivery(delivery, now)


def _unsighted(item: Data | None) -> str:
    if item is None:
        return "was never saved"
    where = "in the archive" if item["archived"] else "on the list"
    return f"is {where} since {_day(item['time_added'])}; it came with an import or was there before"


def _sighting(sighting: Data) -> Iterator[str]:
    facts = sighting["facts"]
    yield f"  {_time(sighting['received'])}  arrived from {_origin(sighting)}  (arrival {sighting['arrival']})"
    yield f"{'':23}read: {facts['url']}{_quoted(facts.get('title', ''))}{_tags(facts.get('tags', []))}"
    yield from (f"{'':23}{line}" for line in _rules(sighting["rules"]))
    outcome = {"kept": _good("kept"), "duplicate": "known already", "dropped": _bad("dropped")}[sighting["state"]]
    reason = f" by {sighting['reason']}" if sighting["reason"] else ""
    new = f"; tags added:{_tags(sighting['tags'])}" if sighting["tags"] else ""
    yield f"{'':23}-> {outcome}{reason}{new}"


def _rules(traces: Sequence[Data]) -> Iterator[str]:
    if not traces:
        yield "no rules: everything is kept"
    width = max((len(trace["rule"]) for trace in traces), default=0)
    for trace in traces:
        mark = "-  " if trace["because"] == "not reached" else _good("YES") if trace["applies"] else "no "
        yield f"{trace['rule']:{width}}  {mark}  {trace['because']}"
        if trace["effect"]:
            yield f"{'':{width}}       -> {trace['effect']}"


def _delivery(delivery: Data, now: float) -> Iterator[str]:
    remote = f" as {delivery['remote_id']}" if delivery["remote_id"] else ""
    tries = delivery["tries"]
    told_below = bool(tries) and tries[-1]["detail"] == delivery["because"]
    because = "" if told_below else _because(delivery["state"], delivery["because"])
    yield (
        f"  {_time(delivery['changed'])}  {delivery['connection']}: {_state(delivery['state'])}{remote}"
        f"{because}{_tags(delivery['tags'])}"
    )
    if delivery["state"] == "pending" and delivery["due"] > now:
        yield f"{'':23}due {_time(delivery['due'])}"
    yield from (f"{'':23}{line}" for line in _tries(tries))


def _tries(tries: Sequence[Data]) -> Iterator[str]:
    before = ""
    for attempt in tries:
        answer = f"{attempt['outcome']}: {attempt['detail']}" if attempt["detail"] else attempt["outcome"]
        told = "the same" if answer == before else answer
        yield f"{_time(attempt['at'])}  {told}  ({attempt['seconds'] * 1000:.0f} ms)"
        before = answer


def trial(answer: Data) -> Sequence[str]:
    return list(_trial(answer))


def _trial(answer: Data) -> Iterator[str]:
    if "feed" in answer:
        entries = _number(answer["entries"], "entry", "entries")
        yield f"a feed: {answer['feed'] or 'without a title'}, {entries}"
        yield "On the first reading none of them is saved, unless “start” says so. Later ones would go like this:"
    for number, link in enumerate(answer["links"]):
        decision = link["decision"]
        if number or "feed" in answer:
            yield ""
        yield click.style(link["url"], bold=True) + _quoted(link["title"])
        yield from (f"  {line}" for line in _rules(link["rules"]))
        if decision["dropped_by"]:
            yield f"  -> {_bad('dropped')} by {decision['dropped_by']}"
        else:
            title = _quoted(decision["title"]) if decision["title"] != link["title"] else ""
            yield f"  -> to {', '.join(decision['to'])}{_tags(decision['tags'])}{title}"
    if answer.get("not_a_feed"):
        yield ""
        yield f"(As a feed: {answer['not_a_feed']}.)"


def checked(answer: Data) -> Sequence[str]:
    name = answer["file"] or "there is no rule file: every link goes to “reading”"
    counts = (
        f"{_number(answer['rules'], 'rule')}, {_number(answer['feeds'], 'feed')}, {_number(answer['tests'], 'test')}, "
        f"destinations: {', '.join(answer['destinations'])}"
    )
    return [f"{_good('ok')}  {name}", f"    {counts}", *(click.style(line, fg="yellow") for line in answer["warnings"])]


def status(answer: Data) -> Sequence[str]:
    return list(_status(answer))


def _status(answer: Data) -> Iterator[str]:
    for source in answer["sources"]:
        yield f"{_good('on ') if source['on'] else 'off'}  {source['name']}"
        yield from (f"     {line}" for line in source["words"])
    yield f"arrivals   {_counts(answer['arrivals'])}"
    yield f"links      {_counts(answer['sightings'])}"
    for connection in answer["connections"]:
        yield f"{connection['name']:10} {_counts(connection['deliveries'], STATES)}"
        if connection["state"] == "paused":
            yield f"{'':10} {_bad('paused')}: {connection['because']}; pocket-bridge resume {connection['name']}"
        elif connection["because"]:
            yield f"{'':10} waits until {_time(connection['not_before'])}: {connection['because']}"
    for name, states in answer["without_connection"].items():
        yield f"{name:10} {_counts(states, STATES)} ({_bad('no such destination any more')})"


def resumed(answer: Data) -> Sequence[str]:
    was = "was paused and goes on" if answer["was"] == "paused" else "was not paused"
    return [f"{answer['connection']} {was}"]


def retried(answer: Data) -> Sequence[str]:
    are = "is" if answer["retried"] == 1 else "are"
    return [f"{answer['connection']}: {_number(answer['retried'], 'link')} {are} sent once more"]


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
        yield f"{part}line {row['line']}: {_bad('not taken')}: {row['reason']}"
    if answer["bad"] > len(answer["bad_rows"]):
        more = _number(answer["bad"] - len(answer["bad_rows"]), "more row", "more rows")
        yield f"… and {more} not taken"
    counts = [_number(answer[name], *meaning) for name, meaning in _IMPORTED.items() if answer[name]]
    bad = [f"{answer['bad']} bad"] * bool(answer["bad"])
    yield f"{answer['file']}: {', '.join(counts + bad) or 'nothing in it'}"


def exported(answer: Data) -> Sequence[str]:
    return [f"{_number(answer['items'], 'item')} in {'standard output' if answer['file'] == '-' else answer['file']}"]


def hooks(answer: Data) -> Sequence[str]:
    if not answer["hooks"]:
        return ["no hooks yet; with the owner's token any name is one: POST /hooks/NAME"]
    rows = [
        (
            hook["name"],
            hook["kind"],
            hook["auth"],
            ",".join(hook["methods"]),
            hook["address"],
            hook["from"],
            _where(hook),
        )
        for hook in answer["hooks"]
    ]
    return _columns(("name", "kind", "proof", "methods", "address", "from", "paths"), rows)


def _where(hook: Data) -> str:
    return ", ".join(f"{fact}: {paths[0]}" for fact, paths in hook["where"].items())


def hook_added(answer: Data) -> Sequence[str]:
    lines = [f"{_good('added')}: {answer['name']} ({answer['kind']}, {answer['auth']})", f"  address  {answer['url']}"]
    if answer["secret"] and answer["secret"] not in answer["url"]:
        lines.append(f"  secret   {answer['secret']}")
    return [*lines, f"Send something there, then: pocket-bridge hooks captured {answer['name']}"]


def hook_removed(answer: Data) -> Sequence[str]:
    return [f"{answer['removed']} is closed"]


def captured(answer: Data) -> Sequence[str]:
    if not answer["captured"]:
        return ["nothing came yet"]
    rows = [
        (
            str(request["id"]),
            _time(request["received"]),
            request["hook"] or "(save)",
            request["method"],
            str(request["bytes"]),
            request["state"],
            request["reason"],
        )
        for request in answer["captured"]
    ]
    return _columns(("number", "received", "hook", "method", "bytes", "state", "reason"), rows)


def learned(answer: Data) -> Sequence[str]:
    return list(_learned(answer))


def _learned(answer: Data) -> Iterator[str]:
    event = f", event {answer['event']}" if answer["event"] else ""
    yield f"arrival {answer['arrival']}: {answer['method']} {answer['content_type'] or 'no content type'}{event}"
    yield from (f"  {path} = {text}" for path, text in answer["fields"])
    yield from (f"  ?{name} = {value}" for name, value in answer["query"].items())
    yield from (f"  ({note})" for note in answer["notes"])
    yield ""
    yield answer["yaml"].rstrip()
    yield ""
    for link in answer["links"]:
        note = f"  ({link['note']})" if link["note"] else ""
        yield f"{_good('gives')}: {link['url']}{_quoted(link['title'])}{_tags(link['tags'])}{note}"
    if answer["error"]:
        yield f"{_bad('gives nothing')}: {answer['error']}"
    else:
        yield f"To save it: pocket-bridge hooks replay {answer['arrival']}"


def users(answer: Data) -> Sequence[str]:
    return [_user(user) for user in answer["users"]]


def _user(user: Data) -> str:
    notes = ["the owner"] * user["owner"] + [_number(user["tokens"], "token")] * bool(user["tokens"])
    since = f"since {_day(user['since'])}" if user["since"] else "no password"
    return f"{user['name']:20}  {', '.join([since, *notes])}"


def user_added(answer: Data) -> Sequence[str]:
    return [f"{_good('added')}: {answer['name']} can sign in and has an empty list"]


def password_changed(answer: Data) -> Sequence[str]:
    return [f"{answer['name']} has a new password; {_number(answer['tokens'], 'token stays', 'tokens stay')} valid"]


def user_removed(answer: Data) -> Sequence[str]:
    return [f"{answer['name']} is gone, and everything that was theirs"]


def tokens(answer: Data) -> Sequence[str]:
    return [_token(token) for token in answer["tokens"]] or [f"no application holds a token of {answer['name']}"]


def _token(token: Data) -> str:
    return f"{token['id']:4}  {token['consumer_key'] or 'any application':40}  since {_time(token['since'])}"


def token_made(answer: Data) -> Sequence[str]:
    return [answer["access_token"]]


def token_revoked(answer: Data) -> Sequence[str]:
    return [f"token {answer['id']} is not taken any more"]


def apps(answer: Data) -> Sequence[str]:
    rows = [(app["consumer_key"], app["permissions"], app["name"]) for app in answer["apps"]]
    return _columns(("consumer key", "may", "name"), rows) or ["no application was added"]


def app_added(answer: Data) -> Sequence[str]:
    named = f" ({answer['name']})" if answer["name"] else ""
    return [f"{_good('taken')}: {answer['consumer_key']}{named}, permissions {answer['permissions']}"]


def app_removed(answer: Data) -> Sequence[str]:
    return [f"{answer['consumer_key']} is removed, its tokens are not taken any more"]


def rules_listed(answer: Data) -> Sequence[str]:
    if not answer["rules"]:
        return ["there are no rules: everything is kept"]
    width = max(len(rule["name"]) for rule in answer["rules"])
    return [
        f"{'rule':{width}}  {'24 h':>6}  {'30 d':>6}  last match",
        *(_rule_counted(rule, width) for rule in answer["rules"]),
        *(click.style(line, fg="yellow") for line in answer["warnings"]),
    ]


def _rule_counted(rule: Data, width: int) -> str:
    last = _time(rule["last"]) if rule["last"] else click.style("not in 30 days", fg="yellow")
    return f"{rule['name']:{width}}  {rule['day']:6}  {rule['month']:6}  {last}"


def rules_compared(answer: Data) -> Sequence[str]:
    return list(_rules_compared(answer))


def _rules_compared(answer: Data) -> Iterator[str]:
    links = _number(answer["links"], "link")
    yield f"{answer['differing']} of {links} would go differently: {_counts(answer['kinds'])}"
    for link in answer["shown"]:
        yield click.style(link["url"], bold=True) + _quoted(link["title"])
        yield from (f"  {kind:8} {_listed(was)} -> {_listed(now)}" for kind, (was, now) in link["changes"].items())
    if answer["differing"] > len(answer["shown"]):
        yield f"… and {answer['differing'] - len(answer['shown'])} more"


def _listed(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) and value else f"“{value}”" if value else "nothing"


def rules_applied(answer: Data) -> Sequence[str]:
    went = f"{answer['changed']} changed" if answer["done"] else "wanted at " + _counts(answer["to"])
    lines = [f"{_number(answer['links'], 'link')} looked at, {went}"]
    if answer["dropped"]:
        stay = "it stays where it is" if answer["dropped"] == 1 else "they stay where they are"
        lines.append(f"{_number(answer['dropped'], 'kept link')} would be dropped now: {stay}")
    return lines


def trash(answer: Data) -> Sequence[str]:
    rows = [
        (str(link["id"]), _time(link["received"]), link["reason"], link["url"] + _quoted(link["title"]))
        for link in answer["dropped"]
    ]
    return _columns(("number", "received", "dropped by", "link"), rows) or ["the trash is empty"]


def rescued(answer: Data) -> Sequence[str]:
    return [f"{_good('kept')}: {answer['url']} goes to {', '.join(answer['to'])}"]


def held(answer: Data) -> Sequence[str]:
    rows = [
        (str(link["id"]), link["connection"], link["because"], link["url"] + _quoted(link["title"]))
        for link in answer["held"]
    ]
    return _columns(("number", "goes to", "held by", "link"), rows) or ["nothing is held"]


def released(answer: Data) -> Sequence[str]:
    return [f"{'sent' if answer['sent'] else 'given up'}: {answer['released']} of what was held"]


def _counts(counts: Mapping[str, int], named: Mapping[str, str] = {}) -> str:
    return ", ".join(f"{number} {named.get(state, state)}" for state, number in counts.items()) or "nothing yet"


def _number(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows below small headings, each column as wide as what is in it; nothing when there are no rows."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lined = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows)]
    return [click.style(lined[0], dim=True), *lined[1:]]


def _origin(arrival: Data) -> str:
    return f"{arrival['source']} {arrival['channel']}".strip()


def _because(state: str, because: str) -> str:
    return f" ({because})" if because and state != "delivered" else ""


def _state(state: str) -> str:
    word = STATES.get(state, state)
    return _good(word) if state == "delivered" else _bad(word) if state == "dead" else word


def _tags(tags: Sequence[str]) -> str:
    return "".join(f" #{tag}" for tag in tags)


def _quoted(title: str) -> str:
    return f"  “{title}”" if title else ""


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _day(seconds: float) -> str:
    when = datetime.fromtimestamp(seconds).astimezone()
    return f"{when.day} {when:%B %Y}"


def _good(word: str) -> str:
    return click.style(word, fg="green")


def _bad(word: str) -> str:
    return click.style(word, fg="red")
