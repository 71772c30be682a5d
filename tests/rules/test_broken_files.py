"""A broken rule file is refused at its line, with words that say what to do."""

from __future__ import annotations

import pytest

from bridge.errors import ConfigError
from bridge.rules import load


def rule(line: str) -> str:
    """A file whose third line is `line`, inside a rule."""
    return f"rules:\n  - name: papers\n    {line}\n    then: {{tag: paper}}\n"


def then(verbs: str) -> str:
    return f"rules:\n  - name: papers\n    then: {verbs}\n"


def feed(line: str) -> str:
    return f"feeds:\n  - name: lwn\n    url: https://lwn.example/rss\n    {line}\n"


def item(facts: str, expect: str = "{to: reading}") -> str:
    return f"tests:\n  - item: {facts}\n    expect: {expect}\n"


# The file, where the fault is, what is wrong, and what to do about it.
BROKEN = [
    # not YAML
    ("rules:\n\t- name: a\n", "2:1", "a tab indents this line", "two for each level"),
    (rule("if: {domain: arxiv.org"), "3:9", "the block that opens here with “{” is not closed", "Add “}”"),
    (rule("if: {text: #kobo}"), "3:9", "is not closed", "“#” begins a comment"),
    (rule("if: {tag: [a, b}"), "3:15", "the list that opens here with “[” is not closed", "Add “]”"),
    (rule("if: {url: *.pdf}"), "3:15", "begins with “*” must be quoted", "Quote it"),
    (rule("if: {url: *pdf}"), "3:15", "*pdf is a YAML alias", "Quote it"),
    (rule("if: {text: &more}"), "3:16", "&more is a YAML anchor", "Quote it"),
    (rule("if: {text: &}"), "3:16", "begins with “&” must be quoted", "Quote it"),
    (rule("if: {text: !now}"), "3:16", "begins with “!” must be quoted", "Quote it"),
    (rule("if:\n      text: !now"), "4:13", "this is a YAML type tag", "Quote it"),
    (rule("if: {text: !!python/name:os.system x}"), "3:16", "this is a YAML type tag", "do not have"),
    (rule("if: {text: @home}"), "3:16", "no text can begin with this character", "needs quotes"),
    (rule('if: {text: "\\d"}'), "3:17", "in double quotes “\\” begins an escape", "Use single quotes"),
    (rule('if: {text: "a\\0"}'), "3:16", "a control character", "Take the \\ escape out"),
    (rule("if: {text: 'x}"), "3:16", "the quote that opens here is never closed", "Close it"),
    (
        rule("if: domain: arxiv.org"),
        "3:15",
        "a colon with a blank behind it begins a value",
        "put the text in quotes",
    ),
    (rule("if: - domain"), "3:9", "a list with “- ” cannot begin in this line", "a line of its own"),
    (
        "rules:\n  - name: a\n   then: {tag: b}\n",
        "3:4",
        "what follows does not belong to it",
        "Begin the line with “- ”",
    ),
    ("rules:\n  - name: a\n     if: {tag: b}\n", "3:8", "begins a value here", "the same column"),
    ("a: 1\n---\nb: 2\n", "2:1", "a second document begins here", "Delete the line “---”"),
    ("%x\n", "1:3", "“%” begins a YAML directive", "needs quotes"),
    ("[" * 40, "1:33", "nested more than 32 deep", "close a bracket"),
    # no text
    (b"rules:\n  - name: caf\xe9\n", "2:14", "this is not UTF-8", "with the encoding UTF-8"),
    ("rules:\n".encode("utf-16"), "1:1", "saved as UTF-16", "with the encoding UTF-8"),
    (b"rules:\n  \x07\n", "2:3", "the character U+0007 cannot stand", "Delete it"),
    ("rules: \ud800", "1:8", "the character U+D800 cannot stand", "Delete it"),
    ("#" * (1024 * 1024 + 1), "1:1", "1 MiB is the most", "into the list of one rule"),
    ("#" + "é" * (600 * 1024), "1:1", "the file is 1.2 MiB large", "into the list of one rule"),
    # sections
    ("hello\n", "1:1", "the rule file must be a block of keys, not a text", "key: value"),
    ("- name: a\n", "1:1", "the file begins with a list", "Begin with a section"),
    ("{}\n", "1:1", "the rule file is empty", "feeds, "),
    ("rule: []\n", "1:1", "unknown key “rule”", "Did you mean “rules”?"),
    ("rules:\n", "1:7", "“rules” is empty", "remove the line"),
    ("rules: {name: a}\n", "1:8", "“rules” must be a list", "Begin each entry with “- ”"),
    ("rules: []\nrules: []\n", "2:1", "“rules” is written twice", "It stands in line 1 already"),
    ("? {a: b}\n: c\n", "1:3", "a key must be a word", "needs quotes"),
    ("rules: [hello]\n", "1:9", "a rule must be a block of keys, not a text", "key: value"),
    # conditions that measure, and patterns
    (
        rule("if: {minutes: {over: long}}"),
        "3:26",
        "“over” in “minutes” in “if” in rule “papers” is no number",
        "{over: 8}",
    ),
    (rule("if: {minutes: {over: 8, under: 3}}"), "3:19", "nothing is over 8 and under 3", "Exchange the two"),
    (rule("if: {minutes: {above: 3}}"), "3:20", "unknown key “above”", "Known here: over, under"),
    (rule("if: {minutes: {}}"), "3:19", "is empty", "over, under"),
    (rule("if: {age: {over: 30}}"), "3:22", "is no duration: “30”", "12h, 30d or 2w"),
    (rule("if: {hour: 9}"), "3:16", "is no span of hours: “9”", "9-17"),
    (rule("if: {hour: 9-25}"), "3:16", "is no span of hours", "22-6"),
    (rule("if: {published: 2026-05-01}"), "3:21", "must be a block of keys", "key: value"),
    (rule("if: {published: {after: 2026-02-30}}"), "3:29", "is no day: “2026-02-30”", "2026-05-01"),
    (rule("if: {has: picture}"), "3:15", "there is no part “picture”", "image"),
    (rule("if: {type: film}"), "3:16", "there is no type “film”", "video"),
    (rule("if: {lang: english!}"), "3:16", "is no language", "en, de, pt-br"),
    (rule("if: {path: blog}"), "3:16", "so “blog” finds nothing", "Begin with “/”"),
    (rule("if: {any: []}"), "3:15", "is an empty list", "Write something"),
    (rule("if: {any: [tag]}"), "3:16", "must be a block of keys", "key: value"),
    (rule("if: {not: {tagg: x}}"), "3:16", "unknown key “tagg”", "Did you mean “tag”?"),
    (rule("if: {field: {points: 3}}"), "3:10", "unknown key “field”", "field.NAME"),
    (rule("if: {title: {regexp: x}}"), "3:18", "unknown key “regexp”", "Did you mean “regex”?"),
    (rule("if: {title: {regex: '(a'}}"), "3:25", "is no regular expression", "write a “\\”"),
    (rule("if: {title: {regex: 'a(?!b)'}}"), "3:25", "is no regular expression", "use “unless” or “not”"),
    (rule(r"if: {title: {regex: '(a)\1'}}"), "3:25", "is no regular expression", "no references"),
    (rule("if: {title: {regex: 'a{2000}'}}"), "3:25", "is no regular expression", "single quotes"),
    (rule(f"if: {{url: '*{'x' * 600}'}}"), "3:15", "longer than 500 characters", "a star"),
    # verbs
    (then("{delay: soon}"), "3:19", "is no wait: “soon”", "until 20:00"),
    (then("{limit: 5}"), "3:19", "is no limit: “5”", "5/day"),
    (then("{limit: 5/day, overflow: later}"), "3:36", "cannot be “later”", "digest 20:00"),
    (then("{overflow: hold}"), "3:12", "“overflow” without a limit", "limit: 5/day"),
    (then("{drop: x, hold: y}"), "3:11", "both “drop” and “hold”", "remove one of them"),
    (then("{hold: no}"), "3:18", "takes a reason or true", "remove the line"),
    (then("{url: {host: a b}}"), "3:24", "is no host: “a b”", "old.example.com"),
    (then("{url: {strip: 'a=1'}}"), "3:25", "is no parameter’s name", "utm_*"),
    (then("{also: nowhere}"), "3:18", "there is no destination “nowhere”", "reading"),
    (item("{url: 'https://a.org', arrived: noon}"), "2:43", "is no moment: “noon”", "2026-05-01 20:15"),
    (item("{url: 'https://a.org', seen: -1}"), "2:40", "is no whole number", "such as 8"),
    # a rule
    (rule("whenn: {domain: a.org}"), "3:5", "unknown key “whenn” in rule “papers”", "Did you mean “if”?"),
    (rule("iff: {domain: a.org}"), "3:5", "unknown key “iff”", "Did you mean “if”?"),
    (rule("zzz: 1"), "3:5", "unknown key “zzz”", "Known here: if, name, then, unless."),
    (rule("name: b"), "3:5", "“name” is written twice", "It stands in line 2 already"),
    (rule("if:"), "3:8", "“if” in rule “papers” is empty", "remove the line"),
    (rule("if: ~"), "3:9", "“if” in rule “papers” is empty", "remove the line"),
    (rule("if: {}"), "3:9", "“if” in rule “papers” is empty", "source, feed, hook"),
    (rule("unless: []"), "3:13", "must be a block of keys, not a list", "key: value"),
    ("rules:\n  - if: {tag: a}\n    then: {tag: b}\n", "2:5", "a rule has no “name”", "Add a line “name: …”"),
    ("rules:\n  - name: a\n", "2:5", "rule “a” has no “then”", "Add a line “then: …”"),
    ("rules:\n  - name: a\n    then:\n    tag: b\n", "3:10", "“then” in rule “a” is empty", "indented"),
    (
        f"rules:\n  - name: {'a' * 101}\n    then: {{tag: b}}\n",
        "2:11",
        "longer than 100 characters",
        "words are enough",
    ),
    (
        "rules:\n  - {name: a, then: {tag: b}}\n  - {name: a, then: {tag: c}}\n",
        "3:12",
        "another rule is called “a” already",
        "may stand here once",
    ),
    # conditions
    (
        rule("if: {domain:arxiv.org}"),
        "3:10",
        "“domain:arxiv.org” in “if” in rule “papers” is one word",
        "a blank behind the colon",
    ),
    (rule("if: {site: arxiv.org}"), "3:10", "unknown key “site”", "Did you mean “domain”?"),
    (rule("if: {source: feeds}"), "3:18", "there is no source “feeds”", "Did you mean “feed”?"),
    (
        rule("if: {feed: linux-new}") + "feeds: [{name: linux-news, url: https://x.example/}]",
        "3:16",
        "there is no feed “linux-new”",
        "Did you mean “linux-news”?",
    ),
    (
        rule("if: {domain: '*.arxiv.org'}"),
        "3:18",
        "is no host",
        "Write “arxiv.org”; sub-domains are included.",
    ),
    (rule("if: {domain: https://arxiv.org/abs}"), "3:18", "is no host", "Write “arxiv.org”"),
    (rule("if: {domain: .arxiv.org}"), "3:18", "is no host", "Write “arxiv.org”"),
    (rule("if: {domain: 'a.org, b.org'}"), "3:18", "is no host", "Several are a list"),
    (rule("if: {domain: [a.org, 'x y']}"), "3:26", "is no host: “x y”", "such as example.com"),
    (rule("if: {url: example.com/x}"), "3:15", "compared with the whole address", '"*example.com/x"'),
    (rule("if: {title: {feed}}"), "3:17", "a text with braces", "Quote it"),
    (rule("if: {title: []}"), "3:17", "is an empty list", "between the brackets"),
    (rule("if: {title: ''}"), "3:17", "“title” in “if” in rule “papers” is empty", "Write its value"),
    (rule("if: {title: [[a]]}"), "3:18", "must be a text, not a list", "in one line"),
    (rule(f"if: {{text: {'a' * 201}}}"), "3:16", "longer than 200 characters", "A few words"),
    (rule("if:\n      text: #kobo"), "4:12", "is empty", "“#” begins a comment"),
    (rule("if: {tag: '#'}"), "3:15", "is no tag: “#”", "[one, two]"),
    (rule("if: {tag: 'a, b'}"), "3:15", "is no tag: “a, b”", "[one, two]"),
    # verbs
    (then("drop"), "3:11", "must be a block of keys, not a text", "key: value"),
    (then("{tags: a}"), "3:12", "unknown key “tags”", "Did you mean “tag”?"),
    (then("{title: {feed}: {title}}"), "3:19", "must be quoted", 'Quote it: title: "{feed}: {title}"'),
    (then("{title: {title}}"), "3:19", "must be quoted", "Quote it"),
    (then('{title: "{titel}"}'), "3:19", "there is no field {titel}", "{title}"),
    (then('{title: "{title|big}"}'), "3:19", "there is no filter |big", "|max:80"),
    (then('{title: "{title|max:0}"}'), "3:19", "there is no filter |max:0", "|max:80"),
    (then('{title: "{title"}'), "3:19", "a single “{”", "write “{{”"),
    (then("{to: research}"), "3:16", "there is no destination “research”", "Known here: reading."),
    (then("{to: [reading, readin]}"), "3:26", "there is no destination “readin”", "Did you mean “reading”?"),
    (then("{drop: no}"), "3:18", "takes a reason or true, not “no”", "remove the line"),
    (then("{drop: ads, to: reading}"), "3:11", "has both “drop” and “to”", "remove one"),
    (then("{stop: yes}"), "3:18", "can only be true, not “yes”", "Write “true”"),
    (then("{stop: false}"), "3:18", "can only be true, not “false”", "remove the line"),
    # feeds
    (feed("tag: a"), "4:5", "unknown key “tag” in feed “lwn”", "Did you mean “tags”?"),
    (feed("start: last"), "4:12", "cannot be “last”", "last 10"),
    (feed("start: since 2026-02-30"), "4:12", "there is no day 2026-02-30", "year-month-day"),
    (feed("interval: 30"), "4:15", "is no duration: “30”", "30m"),
    (feed("interval: 1m"), "4:5", "shorter than 5 minutes", "30m or 1h"),
    ("feeds:\n  - {name: a, url: lwn.net}\n", "2:20", "is not an address of a web page", "a whole address"),
    ("feeds:\n  - {name: a, url: 'ftp://a.org'}\n", "2:20", "only http and https", "a whole address"),
    ("feeds:\n  - url: https://a.org\n", "2:5", "a feed has no “name”", "Add a line “name: …”"),
    ("feeds: [https://a.org]\n", "1:9", "a feed must be a block of keys", "key: value"),
    (
        "feeds:\n  - {name: a, url: 'https://a.org'}\n  - {name: a, url: 'https://b.org'}\n",
        "3:12",
        "another feed is called “a” already",
        "once",
    ),
    (
        "feeds:\n  - {name: a, url: 'https://a.org'}\n  - {name: b, url: 'https://A.org/#x'}\n",
        "3:20",
        "the feed https://a.org/ is here already",
        "once",
    ),
    # destinations and defaults
    ("destinations:\n  reading: {type: pocket}\n", "2:3", "“reading” is bridge's own list", "another name"),
    ("destinations:\n  my list: {type: pocket}\n", "2:3", "is no name for a destination", "my-pocket"),
    ("destinations:\n  mine: {url: x}\n", "2:9", "“mine” in “destinations” has no “type”", "Add a line"),
    ("destinations:\n  mine: pocket\n", "2:9", "must be a block of keys, not a text", "key: value"),
    ("destinations: []\n", "1:15", "“destinations” must be a block of keys, not a list", "key: value"),
    ("defaults: {to: nowhere}\n", "1:16", "there is no destination “nowhere”", "Known here: reading."),
    # tests
    ("tests:\n  - item: {url: 'https://a.org'}\n", "2:5", "a test has no “expect”", "Add a line"),
    (item("{title: x}"), "2:11", "“item” in a test has no “url”", "Add a line"),
    (item("{url: x}"), "2:17", "is not an address of a web page", "a whole address"),
    (item("{url: 'https://a.org', titel: x}"), "2:34", "unknown key “titel”", "Did you mean “title”?"),
    (
        item("{url: 'https://a.org'}", "{rules: [papers]}"),
        "3:22",
        "there is no rule “papers”",
        "None is known",
    ),
    (item("{url: 'https://a.org'}", "{dropped: x}"), "3:14", "unknown key “dropped”", "“dropped_by”"),
]


@pytest.mark.parametrize(("text", "place", "fault", "meant"), BROKEN)
def test_a_broken_file_is_refused_at_its_line_with_what_to_do(
    text: str | bytes, place: str, fault: str, meant: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(text, name="rules.yaml")
    message = str(refused.value)
    assert message.startswith(f"rules.yaml:{place}: ")
    assert fault in message
    assert meant in message


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        load(text, name="rules.yaml")
    return str(refused.value)


def test_the_message_is_place_and_fault_then_line_then_caret_then_what_was_meant() -> None:
    assert refusal(rule("whenn: {domain: a.org}")) == (
        "rules.yaml:3:5: unknown key “whenn” in rule “papers”\n"
        "    whenn: {domain: a.org}\n"
        "    ^\n"
        "Did you mean “if”? Known here: if, name, then, unless."
    )


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    message = refusal("feeds:\n  - {name: a, url: x}\nrules:\n  - {name: b, then: {tagg: x}}\n  - {nam: c}\n")
    places = [line.split(": ")[0] for line in message.splitlines() if line.startswith("rules.yaml:")]
    assert places == [
        "rules.yaml:2:20",
        "rules.yaml:4:22",
        "rules.yaml:5:5",
        "rules.yaml:5:5",
        "rules.yaml:5:6",
    ]


def test_a_name_that_is_not_found_is_told_after_the_fault_it_may_follow_from() -> None:
    message = refusal("rules:\n  - {name: a, then: {to: pocket}}\ndestination:\n  pocket: {type: pocket}\n")
    assert message.index("unknown key “destination”") < message.index("there is no destination “pocket”")


def test_a_destination_with_a_fault_in_it_can_still_be_named() -> None:
    message = refusal("destinations:\n  pocket: {typ: pocket}\nrules:\n  - {name: a, then: {to: pocket}}\n")
    assert "there is no destination" not in message


def test_at_most_five_faults_are_told() -> None:
    message = refusal("rules:\n" + "  - {name: a, then: {tagg: b}}\n" * 9)
    assert message.count("rules.yaml:") == 5
    assert message.endswith("… and more below.")


@pytest.mark.parametrize(
    "line",
    [
        "token: hunter2",
        'access_token: "hunter2"',
        "consumer_key: 'hunter2'",
        "url: https://me:hunter2@list.example",
        "url: https://list.example/?token=hunter2&x=1",
        "authorization: Bearer hunter2",
    ],
)
def test_no_secret_is_repeated(line: str) -> None:
    message = refusal(f"destinations:\n  mine: {{typ: pocket, {line}}}\n")
    assert "mine" in message
    assert "hunter2" not in message


def test_a_secret_in_a_feeds_address_is_not_repeated_in_the_message() -> None:
    assert "hunter2" not in refusal("feeds:\n  - {name: a, url: 'ftp://me:hunter2@a.org'}\n")


def test_the_caret_stands_under_its_character_also_behind_wide_ones() -> None:
    _, line, caret, _ = refusal("rules:\n  - {name: 新着, thn: {tag: a}, then: {tag: a}}\n").splitlines()
    assert len(caret) - 1 == line.index("thn") + 2  # each of the two wide characters takes one column more


def test_a_very_long_line_is_shown_around_the_fault() -> None:
    _, line, caret, _ = refusal(rule(f"if: {{text: [{'word, ' * 1000}[]]}}")).splitlines()
    assert len(line) <= 110
    assert line[len(caret) - 1] == "["


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_with_any_line_end(end: str) -> None:
    assert refusal(end.join(["rules:", "  - name: a", "    thn: {tag: b}"])).startswith("rules.yaml:2:5:")


def test_a_byte_order_mark_moves_no_column() -> None:
    assert refusal("\ufeffrule: []\n").startswith("rules.yaml:1:1: unknown key “rule”\nrule: []\n^")


DESTINATION = "destinations:\n  mine:\n    type: pocket\n    batch: [10, -1]\n"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("destinations", "mine", "batch"), "4:5"),
        (("destinations", "mine", "batch", 1), "4:17"),
        (("destinations", "mine"), "2:3"),
        (("destinations", "mine", "missing"), "2:3"),
        (("destinations", "mine", "batch", 7), "4:5"),
        (("nowhere",), "1:1"),
        ((), "1:1"),
    ],
)
def test_a_problem_found_later_points_to_its_place(path: tuple[str | int, ...], place: str) -> None:
    problem = str(load(DESTINATION, name="rules.yaml").problem(path, "this is too many", "Write 10."))
    assert problem.startswith(f"rules.yaml:{place}: this is too many\n")
    assert problem.endswith("\nWrite 10.")
