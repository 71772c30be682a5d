"""The kinds of hooks: a row each for how a service signs, names its deliveries, shakes hands, and where its link is."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.rules import steps_of, walk
from bridge.sources.webhooks.finder import Found, find
from bridge.sources.webhooks.map import Where, mapped

Statuses = Mapping[str, int]
Finder = Callable[[Any], list[Found]]
Handshake = Callable[[str, Any], tuple[int, str] | None]
"""Called with the event and the body; answers (status, text), or None when the request is none."""

STATUSES: Statuses = {"accepted": 202, "known": 200, "empty": 200, "kept": 422}
"""accepted: links; known: came before; empty: says by itself that there is nothing; kept: could not be read."""

_ALWAYS_200 = dict.fromkeys(STATUSES, 200)
_DELIVERY_IDS = ("webhook-id", "svix-id", "idempotency-key", "ce-id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is known about one service.

    `event`: headers and paths whose texts, joined by “.”, name what happened. `ignored`: events that hold nothing to
    save. `where`: event (or its first part, or "") -> paths; `find` reads what no path reaches. `ids`: headers with a
    delivery's id, `id_paths`: its parts in the body, in the object `id_within` where there is one. `own`: its secret
    is the service's, not made by us.
    """

    auth: str = "bearer"
    header: str = ""
    own: bool = False
    event: Sequence[str] = ()
    ignored: frozenset[str] = frozenset()
    where: Mapping[str, Where] = field(default_factory=dict)
    find: Finder = find
    ids: Sequence[str] = _DELIVERY_IDS
    id_paths: Sequence[str] = ()
    id_within: str = ""
    methods: frozenset[str] = frozenset({"POST", "PUT"})
    handshake: Handshake | None = None
    statuses: Statuses = field(default_factory=lambda: STATUSES)
    says: Callable[[Mapping[str, Any]], str] | None = None

    def event_of(self, headers: Mapping[str, str], value: Any) -> str:
        parts = [headers.get(name) or text_at(value, name) for name in self.event]
        return ".".join(part for part in parts if part)

    def id_in(self, value: Any) -> list[str]:
        """The parts of a delivery's id as its body says them."""
        inner = value.get(self.id_within) if isinstance(value, Mapping) else None
        return [text_at(inner if isinstance(inner, Mapping) else value, path) for path in self.id_paths]

    def ignores(self, event: str) -> bool:
        names = (event, event.partition(".")[0], f"*.{event.rpartition('.')[2]}") if self.ignored else ()
        return not self.ignored.isdisjoint(names)

    def links(self, event: str, value: Any) -> list[Found]:
        """The links in a request of this kind, by the paths for its event, else as the finder sees it."""
        for name in (event, event.partition(".")[0], ""):
            if name in self.where and (found := mapped(value, self.where[name])):
                return found
        return self.find(value)


def text_at(value: Any, path: str) -> str:
    """The text at a path; empty when there is none."""
    leaves = (leaf for _, leaf in walk(value, steps_of(path)))
    return next((leaf.strip() for leaf in leaves if isinstance(leaf, str)), "")


# -- code hosts ------------------------------------------------------------------------------------------------------

_REPOSITORY: Where = {
    "url": ["repository.html_url"],
    "title": ["repository.full_name"],
    "note": ["repository.description"],
}


def _of(name: str, *titles: str, note: str = "") -> Where:
    """An object with an `html_url` of its own."""
    return {"url": [f"{name}.html_url"], "title": titles or [f"{name}.title"], "note": [note] if note else []}


_GITHUB_EVENTS: Mapping[str, Where] = {
    "release": _of("release", "release.name", "release.tag_name"),
    "push": {"url": ["compare", "compare_url"], "title": ["head_commit.message"]},
    "issues": _of("issue"),
    "pull_request": _of("pull_request"),
    "discussion": _of("discussion"),
    "issue_comment": _of("comment", "issue.title"),
    "commit_comment": _of("comment", "repository.full_name"),
    "pull_request_review": _of("review", "pull_request.title"),
    "pull_request_review_comment": _of("comment", "pull_request.title"),
    "discussion_comment": _of("comment", "discussion.title"),
    "gollum": {"url": ["pages[].html_url"], "title": ["pages[].title"]},
    "fork": _of("forkee", "forkee.full_name"),
    "": _REPOSITORY,
}

_GITLAB_EVENTS: Mapping[str, Where] = {
    "push": {"url": ["commits[].url"], "title": ["commits[].title", "commits[].message"]},
    "tag_push": {"url": ["project.web_url", "project.homepage"], "title": ["project.path_with_namespace"]},
    "release": {"url": ["url"], "title": ["name"], "note": ["description"]},
    "": {
        "url": ["object_attributes.url", "object_attributes.web_url", "deployable_url", "project.web_url"],
        "title": ["object_attributes.title", "issue.title", "merge_request.title", "snippet.title", "project.name"],
    },
}

_BITBUCKET: Where = {
    "url": ["pullrequest.links.html.href", "issue.links.html.href", "push.changes[].links.html.href",
            "fork.links.html.href", "repository.links.html.href"],
    "title": ["pullrequest.title", "issue.title", "fork.full_name", "repository.full_name"],
}  # fmt: skip


def _ping(event: str, _value: Any) -> tuple[int, str] | None:
    return (200, "pong") if event == "ping" or event.startswith(("ping.", "diagnostics:ping")) else None


# -- chats -----------------------------------------------------------------------------------------------------------

_SLACK_LINK = re.compile(r"<(https?://[^|<>\s]+)(?:\|([^<>]*))?>")
_SLACK_WORDS = re.compile(r"<[^<>]*>")


def _slack_challenge(event: str, value: Any) -> tuple[int, str] | None:
    """https://docs.slack.dev/reference/events/url_verification"""
    return (200, text_at(value, "challenge")) if event == "url_verification" else None


def _slack(value: Any) -> list[Found]:
    """A shared link, a message or a command; addresses stand in <…|label>, `&`, `<` and `>` are escaped."""
    if shared := mapped(value, {"url": ["event.links[].url"]}):
        return [replace(link, url=html.unescape(link.url)) for link in shared]
    text = next(filter(None, (text_at(value, path) for path in _SLACK_TEXTS)), "")
    marked = [Found(html.unescape(url), html.unescape(label or "")) for url, label in _SLACK_LINK.findall(text)]
    plain = _SLACK_WORDS.sub(" ", text)
    return [*marked, *find(html.unescape(plain))]


_SLACK_TEXTS = ("text", "event.text", "event.message.text", "message.text", "event.item.message.text")


def _slack_says(said: Mapping[str, Any]) -> str:
    """What the person who typed a command is shown; events ignore it."""
    return f"Saved {' '.join(said['links'])}" if "links" in said else str(said.get("error", ""))


def _discord_ping(event: str, _value: Any) -> tuple[int, str] | None:
    """https://docs.discord.com/developers/events/webhook-events: 204 without a body."""
    return (204, "") if event == "0" or event.startswith("0.") else None


# -- readers ---------------------------------------------------------------------------------------------------------

_LABEL = re.compile(r"user/[^/]*/label/(.+)")


def _inoreader(value: Any) -> list[Found]:
    """Titles are HTML, folders and tags stand among the categories as user/…/label/NAME."""
    where = {
        "url": ["items[].canonical[0].href", "items[].alternate[0].href"],
        "title": ["items[].title"],
        "tags": ["items[].categories"],
    }
    return [
        replace(link, title=html.unescape(link.title), tags=tuple(_labels(link.tags))) for link in mapped(value, where)
    ] or find(value)


def _labels(categories: Iterable[str]) -> Iterable[str]:
    found = (_LABEL.fullmatch(category) for category in categories)
    return (label.group(1) for label in found if label)


# -- letters ---------------------------------------------------------------------------------------------------------

_HASHTAG = re.compile(r"(?:^|\s)#([^\s#.,;:!?]+)")
_FORWARDED = re.compile(r"\A(?:(?:fwd?|wg|tr|re|aw)\s*:\s*)+", re.IGNORECASE)
_HREF = re.compile(r"""href\s*=\s*["']?(https?://[^"'\s>]+)""", re.IGNORECASE)
_PLUS = re.compile(r"\+([^@>+]{1,64})@")
_LONGEST_LINE = 1000


def _letter(texts: Sequence[str], pages: Sequence[str], subjects: Sequence[str], plus: Sequence[str]) -> Finder:
    """Links in the first text with some, else in the HTML; `#words` of the subject and NAME of me+NAME@ are tags."""

    def read(value: Any) -> list[Found]:
        subject = _first(value, subjects)[:_LONGEST_LINE]
        given = _first(value, plus)[:_LONGEST_LINE]
        alias = _PLUS.search(given)
        tags = [*_HASHTAG.findall(subject), *([alias.group(1) if alias else given] if given and _is_tag(given) else [])]
        title = _FORWARDED.sub("", _HASHTAG.sub("", subject)).strip()
        found = next(filter(None, (find(text_at(value, path)) for path in texts)), [])
        found = found or [Found(url) for path in pages for url in _linked(text_at(value, path))]
        return [replace(link, title=link.title or title, tags=tuple(dict.fromkeys(tags))) for link in found]

    return read


def _first(value: Any, paths: Sequence[str]) -> str:
    return next(filter(None, (text_at(value, path) for path in paths)), "")


def _is_tag(given: str) -> bool:
    return "@" not in given or bool(_PLUS.search(given))


def _linked(page: str) -> Iterable[str]:
    return dict.fromkeys(html.unescape(url) for url in _HREF.findall(page))


# -- the table -------------------------------------------------------------------------------------------------------


def _fired(said: Mapping[str, Any]) -> str:
    return str(said.get("error") or f"Congratulations! You've fired the {said.get('hook', '')} event")


KINDS: Mapping[str, Kind] = {
    "generic": Kind(),
    # https://docs.github.com/en/webhooks/webhook-events-and-payloads
    "github": Kind(
        auth="hmac-sha256",
        header="x-hub-signature-256",
        event=("x-github-event", "action"),
        ignored=frozenset({"*.deleted", "*.removed", "*.archived", "*.privatized", "installation", "meta"}),
        where=_GITHUB_EVENTS,
        ids=("x-github-delivery",),
        handshake=_ping,
    ),
    # https://docs.gitlab.com/user/project/integrations/webhooks/; it switches a hook off that answers errors.
    "gitlab": Kind(
        auth="header",
        header="x-gitlab-token",
        event=("object_kind",),
        where=_GITLAB_EVENTS,
        ids=("idempotency-key", "x-gitlab-event-uuid"),
        statuses=_ALWAYS_200,
    ),
    # https://docs.gitea.com/usage/webhooks; Forgejo sends the same.
    "gitea": Kind(
        auth="hmac-sha256",
        header="x-gitea-signature",
        event=("x-gitea-event", "action"),
        ignored=frozenset({"*.deleted"}),
        where=_GITHUB_EVENTS,
        ids=("x-gitea-delivery",),
    ),
    # https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/
    "bitbucket": Kind(
        auth="hmac-sha256",
        header="x-hub-signature",
        event=("x-event-key",),
        where={"": _BITBUCKET},
        ids=("x-request-uuid",),
        handshake=_ping,
    ),
    "slack": Kind(
        auth="slack",
        own=True,
        event=("type",),
        find=_slack,
        id_paths=("event_id",),
        handshake=_slack_challenge,
        statuses=_ALWAYS_200,
        says=_slack_says,
    ),
    "discord": Kind(
        auth="ed25519",
        own=True,
        event=("type", "event.type"),
        handshake=_discord_ping,
        statuses=dict.fromkeys(STATUSES, 204),
        says=lambda _: "",
    ),
    # https://miniflux.app/docs/webhooks.html
    "miniflux": Kind(
        auth="hmac-sha256",
        own=True,
        header="x-miniflux-signature",
        event=("x-miniflux-event-type",),
        where={
            "new_entries": {"url": ["entries[].url"], "title": ["entries[].title"], "tags": ["entries[].tags"]},
            "save_entry": {"url": ["entry.url"], "title": ["entry.title"], "tags": ["entry.tags"]},
        },
    ),
    # https://docs.karakeep.app/guides/webhooks: every later operation repeats the address.
    "karakeep": Kind(
        event=("operation", "type"),
        ignored=frozenset({"crawled", "edited", "ai tagged", "deleted", "archived", "*.text", "*.asset"}),
        where={"": {"url": ["url"]}},
    ),
    "standard-webhooks": Kind(auth="standard-webhooks", own=True, event=("type",), ids=("webhook-id", "svix-id")),
    # https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md
    "cloudevents": Kind(event=("ce-type", "type"), ids=("ce-id",), id_paths=("source", "id")),
    "ifttt": Kind(
        auth="path",
        methods=frozenset({"GET", "POST", "PUT"}),
        statuses={**STATUSES, "accepted": 200},
        says=_fired,
    ),
    "zapier": Kind(),
    # https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store: 406 ends its retries.
    "mailgun": Kind(
        auth="mailgun",
        own=True,
        find=_letter(("stripped-text", "body-plain"), ("stripped-html", "body-html"), ("subject",), ("recipient",)),
        ids=(),  # a header is not signed, the token is
        id_paths=("token",),
        id_within="signature",
        statuses={**STATUSES, "accepted": 200, "kept": 406},
    ),
    # https://postmarkapp.com/developer/webhooks/inbound-webhook: 403 ends its retries.
    "postmark": Kind(
        auth="basic",
        find=_letter(("StrippedTextReply", "TextBody"), ("HtmlBody",), ("Subject",), ("MailboxHash",)),
        id_paths=("MessageID",),
        statuses={**STATUSES, "accepted": 200, "kept": 403},
    ),
    "inoreader": Kind(auth="path", find=_inoreader),
    # https://docs.joinmastodon.org/admin/webhooks/
    "mastodon": Kind(
        auth="hmac-sha256",
        own=True,
        header="x-hub-signature",
        event=("event",),
        where={
            "status": {
                "url": ["object.url", "object.uri"],
                "title": ["object.card.title"],
                "tags": ["object.tags[].name"],
            },
            "account": {"url": ["object.account.url"], "title": ["object.username"]},
        },
    ),
    # https://docs.readwise.io/readwise/docs/webhooks: what is meant stands in source_url, url is its own reader.
    "readwise": Kind(
        auth="body-secret",
        own=True,
        event=("event_type",),
        ignored=frozenset({"readwise.highlight.deleted", "*.deleted"}),
        where={
            "": {"url": ["source_url", "url"], "title": ["title"], "tags": ["tags"], "note": ["note", "notes", "text"]}
        },
    ),
}

SIGNS_OF_A_KIND = {
    "x-github-event": "github",
    "x-gitlab-event": "gitlab",
    "x-gitea-event": "gitea",
    "x-event-key": "bitbucket",
    "x-miniflux-event-type": "miniflux",
    "ce-specversion": "cloudevents",
    "webhook-id": "standard-webhooks",
    "svix-id": "standard-webhooks",
}
"""Headers that only one kind sends; the first that is there tells what to propose."""
