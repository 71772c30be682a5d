"""Hooks in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.words.parts import Data, beside, columns, green, hashtags, moment, quoted, red


def hooks(answer: Data) -> Sequence[str]:
    if not answer["hooks"]:
        return ["no hooks yet; with the owner's token any name is one: POST /hooks/NAME", *_refused(answer)]
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
    return [*columns(("name", "kind", "proof", "methods", "address", "from", "paths"), rows), *_refused(answer)]


def _refused(answer: Data) -> Iterator[str]:
    """Who was not let in since the start."""
    width = max((len(refused["name"]) for refused in answer["refused"]), default=0) + 1
    for refused in answer["refused"]:
        told = f"refused {refused['number']}, last at {moment(refused['last'])}: {refused['why']}"
        yield from beside(refused["name"], told, width)


def _where(hook: Data) -> str:
    return ", ".join(f"{fact}: {paths[0]}" for fact, paths in hook["where"].items())


def hook_added(answer: Data) -> Sequence[str]:
    lines = [f"{green('added')}: {answer['name']} ({answer['kind']}, {answer['auth']})", f"  address  {answer['url']}"]
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
            moment(request["received"]),
            request["hook"] or "(save)",
            request["method"],
            str(request["bytes"]),
            request["state"],
            request["reason"],
        )
        for request in answer["captured"]
    ]
    return columns(("number", "received", "hook", "method", "bytes", "state", "reason"), rows)


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
        yield f"{green('gives')}: {link['url']}{quoted(link['title'])}{hashtags(link['tags'])}{note}"
    if answer["error"]:
        yield f"{red('gives nothing')}: {answer['error']}"
    else:
        yield f"To save it: pocket-bridge hooks replay {answer['arrival']}"
