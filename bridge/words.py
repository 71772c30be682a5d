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
        case "duplicate":
            new = f", new tags{tags}" if tags else ""
            yield f"{_good('already saved')} on {_day(link['since'])}{new}: {link['url']}"
        case _:
            yield f"{_good('saved')}: {link['title'] or link['url']}{tags}"
    for name, (state, because) in link["deliveries"].items():
        yield f"  {name:12} {_state(state)}{_because(state, because)}"


def passport(answer: Data) -> Sequence[str]:
    return list(_passport(answer))


def _passport(answer: Data) -> Iterator[str]:
    yield click.style(answer["canonical"], bold=True)
    if answer["since"] is None:
        yield "  was never saved"
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
        yield from _delivery(delivery)


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
        mark = click.style("YES", fg="green") if trace["applies"] else "no "
        effect = f"  -> {trace['effect']}" if trace["applies"] and trace["effect"] else ""
        yield f"{trace['rule']:{width}}  {mark}  {trace['because']}{effect}"


def _delivery(delivery: Data) -> Iterator[str]:
    remote = f" as {delivery['remote_id']}" if delivery["remote_id"] else ""
    yield (
        f"  {_time(delivery['changed'])}  {delivery['connection']}: {_state(delivery['state'])}{remote}"
        f"{_because(delivery['state'], delivery['because'])}{_tags(delivery['tags'])}"
    )
    if delivery["state"] == "pending":
        yield f"{'':23}due {_time(delivery['due'])}"
    for attempt in delivery["tries"]:
        answer = f"{attempt['outcome']}: {attempt['detail']}" if attempt["detail"] else attempt["outcome"]
        yield f"{'':23}{_time(attempt['at'])}  {answer}  ({attempt['seconds'] * 1000:.0f} ms)"


def trial(answer: Data) -> Sequence[str]:
    return list(_trial(answer))


def _trial(answer: Data) -> Iterator[str]:
    if "feed" in answer:
        yield f"a feed: {answer['feed'] or 'without a title'}, {answer['entries']} entries"
        yield "On the first reading none of them is saved, unless “start” says so. Later ones would go like this:"
    for link in answer["links"]:
        decision = link["decision"]
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
        f"{answer['rules']} rules, {answer['feeds']} feeds, {answer['tests']} tests, "
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
    return [f"{answer['connection']}: {answer['retried']} links are sent once more"]


def imported(answer: Data) -> Sequence[str]:
    return list(_imported(answer))


def _imported(answer: Data) -> Iterator[str]:
    for row in answer["bad_rows"]:
        part = f"{row['part']}, " if row["part"] else ""
        yield f"{part}line {row['line']}: {_bad('not taken')}: {row['reason']}"
    if answer["bad"] > len(answer["bad_rows"]):
        yield f"… and {answer['bad'] - len(answer['bad_rows'])} more rows that were not taken"
    told = {
        "added": "added",
        "tagged": "were there and got new tags",
        "known": "were there",
        "sent": "wait to be sent",
        "judged": "went through the rules",
    }
    counts = [f"{answer[name]} {meaning}" for name, meaning in told.items() if answer[name]]
    bad = [f"{answer['bad']} bad"] * bool(answer["bad"])
    yield f"{answer['file']}: {', '.join(counts + bad) or 'nothing in it'}"


def exported(answer: Data) -> Sequence[str]:
    return [f"{answer['items']} items in {'standard output' if answer['file'] == '-' else answer['file']}"]


def hooks(answer: Data) -> Sequence[str]:
    if not answer["hooks"]:
        return ["no hooks yet; with the owner's token any name is one: POST /hooks/NAME"]
    return [
        f"{hook['name']:20} {hook['kind']:18} {hook['auth']:18} {','.join(hook['methods']):14} {hook['address']}"
        f"  ({hook['from']}){''.join(f'  {fact}: {paths[0]}' for fact, paths in hook['where'].items())}"
        for hook in answer["hooks"]
    ]


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
    return [
        f"{request['id']:6}  {_time(request['received'])}  {request['hook'] or '(save)':20} {request['method']:5}"
        f" {request['bytes']:7} bytes  {request['state']}{'  ' + request['reason'] if request['reason'] else ''}"
        for request in answer["captured"]
    ]


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
    notes = ["the owner"] * user["owner"] + [f"{user['tokens']} tokens"] * bool(user["tokens"])
    since = f"since {_day(user['since'])}" if user["since"] else "no password"
    return f"{user['name']:20}  {', '.join([since, *notes])}"


def user_added(answer: Data) -> Sequence[str]:
    return [f"{_good('added')}: {answer['name']} can sign in and has an empty list"]


def password_changed(answer: Data) -> Sequence[str]:
    return [f"{answer['name']} has a new password; {answer['tokens']} tokens stay valid"]


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
    return [f"{app['consumer_key']:40}  {app['permissions']:3}  {app['name']}" for app in answer["apps"]] or [
        "no application was added"
    ]


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
    yield f"{answer['differing']} of {answer['links']} links would go differently: {_counts(answer['kinds'])}"
    for link in answer["shown"]:
        yield click.style(link["url"], bold=True) + _quoted(link["title"])
        yield from (f"  {kind:8} {_listed(was)} -> {_listed(now)}" for kind, (was, now) in link["changes"].items())
    if answer["differing"] > len(answer["shown"]):
        yield f"… and {answer['differing'] - len(answer['shown'])} more"


def _listed(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) and value else f"“{value}”" if value else "nothing"


def rules_applied(answer: Data) -> Sequence[str]:
    went = f"{answer['changed']} changed" if answer["done"] else "wanted at " + _counts(answer["to"])
    lines = [f"{answer['links']} links looked at, {went}"]
    if answer["dropped"]:
        lines.append(f"{answer['dropped']} kept ones would be dropped now: they stay where they are")
    return lines


def trash(answer: Data) -> Sequence[str]:
    return [
        f"{link['id']:6}  {_time(link['received'])}  {link['url']}{_quoted(link['title'])}  ({link['reason']})"
        for link in answer["dropped"]
    ] or ["the trash is empty"]


def rescued(answer: Data) -> Sequence[str]:
    return [f"{_good('kept')}: {answer['url']} goes to {', '.join(answer['to'])}"]


def held(answer: Data) -> Sequence[str]:
    return [
        f"{link['id']:6}  {link['connection']:10}  {link['url']}{_quoted(link['title'])}  ({link['because']})"
        for link in answer["held"]
    ] or ["nothing is held"]


def released(answer: Data) -> Sequence[str]:
    return [f"{'sent' if answer['sent'] else 'given up'}: {answer['released']} of what was held"]


def _counts(counts: Mapping[str, int], named: Mapping[str, str] = {}) -> str:
    return ", ".join(f"{number} {named.get(state, state)}" for state, number in counts.items()) or "nothing yet"


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
