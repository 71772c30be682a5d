"""What YAML's own parser complains of, in words that say what to type instead."""

from __future__ import annotations

import re

import yaml

from bridge.rules._faults import Spot, Wrong, source_line, wrong

_TAB = re.compile(r"^[ ]*\t")
_TITLE_BRACES = re.compile(r"title:\s*\{")

_COLUMNS = "Keys of one block begin in the same column; indent with two blanks a level."
_QUOTE = "A text with “: ” or braces, or one that begins with a sign such as * @ % ! & #, needs quotes."

# Part of the parser's words -> ours, and what to do. The first that fits.
_WORDS = (
    (
        "mapping values are not allowed",
        "a colon with a blank behind it begins a value here, where none fits",
        f"If it is part of a text, put the text in quotes. If it is a key: {_COLUMNS}",
    ),
    (
        "block sequence entries are not allowed",
        "a list with “- ” cannot begin in this line",
        "Put “- ” on a line of its own below the key, or write the list as [one, two].",
    ),
    (
        "did not find expected '-' indicator",
        "a list ends here, and what follows does not belong to it",
        "Begin the line with “- ” as the ones above, or move the key to its own column.",
    ),
    (
        "did not find expected key",
        "no key can stand here",
        f"{_COLUMNS} A text with quotes inside needs others around.",
    ),
    (
        "did not find expected ',' or ']'",
        "the list that opens here with “[” is not closed",
        "Add “]”. “#” begins a comment: quote “#tag”.",
    ),
    (
        "did not find expected ',' or '}'",
        "the block that opens here with “{” is not closed",
        "Add “}”, and “,” between the entries. “#” begins a comment: quote “#tag”.",
    ),
    (
        "did not find expected node content",
        "a value is missing before this",
        "Write one, or delete this character.",
    ),
    (
        "could not find expected ':'",
        "a key without “:”",
        "Write “key: value”, with a blank behind the colon.",
    ),
    (
        "unexpected end of stream",
        "the quote that opens here is never closed",
        "Close it, or use the other kind.",
    ),
    (
        "unknown escape character",
        "in double quotes “\\” begins an escape",
        "Use single quotes: '\\d' stays as it is.",
    ),
    ("invalid Unicode character", "this escape names no character", "Write the character itself."),
    ("cannot start any token", "no text can begin with this character", _QUOTE),
    ("scanning an alias", "a text that begins with “*” must be quoted", 'Quote it: "*://example.com/*"'),
    ("scanning an anchor", "a text that begins with “&” must be quoted", 'Quote it: "& more"'),
    (
        "expected <document start>",
        "the file ended above, and goes on here",
        "Delete the line “...” or “---”.",
    ),
    ("directive", "“%” begins a YAML directive", _QUOTE),
    ("a tag", "a text that begins with “!” must be quoted", 'Quote it: "!important"'),
    ("comment or line break", "a text cannot begin with “>” or “|”", _QUOTE),
)


def syntax_fault(error: yaml.MarkedYAMLError, text: str) -> Wrong:
    """The parser's error at the place where a person should look."""
    at = _where(error)
    line = source_line(text, at.line)
    if tab := _TAB.match(line):
        return wrong(Spot(at.line, tab.end() - 1), "a tab indents this line", "Use blanks: two for each level.")
    if braces := _TITLE_BRACES.search(line):
        place = Spot(at.line, braces.end() - 1)
        return wrong(place, "a text with braces must be quoted", 'Quote it: title: "{feed}: {title}"')
    message, meant = _words(f"{error.context}: {error.problem}")
    return wrong(at, message, meant)


def _where(error: yaml.MarkedYAMLError) -> Spot:
    # What is never closed is found missing at the end of the file; a person looks where it opens.
    told = f"{error.context}: {error.problem}"
    begins_there = any(part in told for part in ("end of stream", "',' or", "an alias", "an anchor", "a tag"))
    mark = error.context_mark if begins_there else error.problem_mark
    return Spot(mark.line, mark.column) if mark else Spot()


def _words(problem: str) -> tuple[str, str]:
    for part, message, meant in _WORDS:
        if part in problem:
            return message, meant
    return f"this is not YAML: {problem}", f"{_COLUMNS} {_QUOTE}"
