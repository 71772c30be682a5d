"""Our client at our server over real HTTP: one case for each method, parameter, action and error; and their table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bridge.pocket import (
    Action,
    Add,
    Archive,
    Delete,
    Favorite,
    NewLink,
    Pocket,
    PocketError,
    Query,
    Readd,
    ReadItLater,
    Retitle,
    TagDelete,
    TagRename,
    TagsAdd,
    TagsClear,
    TagsRemove,
    TagsReplace,
    Unfavorite,
)
from tests.conftest import Clock

NOW = 1_790_000_000
BACK = "http://localhost/done?a=b"
PASSWORD = "correct horse"

# On the list before each case: 1 unread with tags, 2 archived, 3 a favourite; each changed a minute after the other.
A, B, C = "https://a.example/one", "https://b.example/two", "https://c.example/three"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """`pocket` is signed in as the owner; `stranger` is not; `approve` clicks for the owner."""

    pocket: Pocket
    stranger: Pocket
    reader: ReadItLater
    newcomer: ReadItLater
    approve: Callable[[str, str], Awaitable[None]]
    clock: Clock
    other: Callable[[str], Pocket]
    other_reader: Callable[[str], ReadItLater]


Act = Callable[[Parties], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Case:
    method: str
    parameter: str
    act: Act
    expected: Any


async def prepare(pocket: Pocket, clock: Clock) -> None:
    await pocket.add(A, title="One", tags=["x", "y"])
    clock.move(60)
    await pocket.send([Add(url=B, title="Two"), Archive(url=B)])
    clock.move(60)
    await pocket.send([Add(url=C, title="Three"), Favorite(url=C)])
    clock.move(60)


def get(parameter: str, expected: Any, **query: Any) -> Case:
    async def act(parties: Parties) -> Any:
        asked: Query = query  # type: ignore[assignment]
        return "".join(item.item_id for item in (await parties.pocket.get(**asked)).items)

    return Case("v3/get", parameter, act, expected)


def page(parameter: str, expected: Any, see: Callable[[Any], Any], **query: Any) -> Case:
    async def act(parties: Parties) -> Any:
        asked: Query = query  # type: ignore[assignment]
        return see(await parties.pocket.get(**asked))

    return Case("v3/get", parameter, act, expected)


def send(parameter: str, *actions: Action, see: Callable[[Any], Any], expected: Any) -> Case:
    """What the first item looks like afterwards."""

    async def act(parties: Parties) -> Any:
        results = await parties.pocket.send(actions)
        assert all(result.ok for result in results), results
        items = (await parties.pocket.get(state="all", sort="oldest", since=1)).items
        return see({item.item_id: item for item in items})

    return Case("v3/send", parameter, act, expected)


def error(method: str, code: int, act: Act) -> Case:
    async def failing(parties: Parties) -> Any:
        try:
            await act(parties)
        except PocketError as failure:
            return failure.code
        return 0

    return Case(method, f"error {code}", failing, code)


async def _begun(parties: Parties) -> int:
    return len((await parties.stranger.request_token(BACK)).code)


async def _sign_in(parties: Parties, **more: Any) -> Any:
    token = await parties.stranger.request_token(BACK, **more)
    await parties.approve(token.code, BACK)
    return token


async def _signed_in(parties: Parties, **more: Any) -> Any:
    token = await _sign_in(parties)
    return await parties.stranger.authorize(token.code, **more)


async def _twice(parties: Parties) -> None:
    token = await _sign_in(parties)
    await parties.stranger.authorize(token.code)
    await parties.stranger.authorize(token.code)


async def _too_early(parties: Parties) -> None:
    token = await parties.stranger.request_token(BACK)
    await parties.stranger.authorize(token.code)


async def _with_another_key(parties: Parties) -> None:
    token = await _sign_in(parties)
    await parties.other("9999-other").authorize(token.code)


async def _state(parties: Parties) -> Any:
    return (await _sign_in(parties, state="s & ü")).state


async def _username(parties: Parties) -> Any:
    return (await _signed_in(parties)).username


async def _account(parties: Parties) -> Any:
    account = (await _signed_in(parties, account=True)).account
    return account["username"] if account else None


async def _added(parties: Parties) -> Any:
    item = await parties.pocket.add("d.example/4", title="Four", tags=["z"], tweet_id="7")
    return (item.item_id, item.url, item.title)


async def _added_tags(parties: Parties) -> Any:
    await parties.pocket.add(A, tags=["z"])
    return (await parties.pocket.get(search="One")).items[0].tags


async def _batches(parties: Parties) -> Any:
    adds = [Add(url=f"https://d.example/{number}") for number in range(7)]
    return [result.item.item_id if result.item else "" for result in await parties.pocket.send(adds, batch=3)]


async def _partly(parties: Parties) -> Any:
    results = await parties.pocket.send([Archive(item_id="99"), Archive(item_id="1")])
    return [(result.ok, result.error.code if result.error else 0) for result in results]


async def _paged(parties: Parties) -> Any:
    items = parties.pocket.items(page=2, state="all")
    return [item.item_id async for item in items], items.total


async def _synchronised(parties: Parties) -> Any:
    items = parties.pocket.items(state="all")
    assert len([item async for item in items]) == 3
    parties.clock.move(60)
    await parties.pocket.send([Delete(item_id="1")])
    return [(item.item_id, item.deleted) async for item in parties.pocket.items(since=items.since or 0)]


async def _stats(parties: Parties) -> Any:
    stats = await parties.pocket.stats()
    return (stats.unread, stats.archived, stats.total)


async def _limited(parties: Parties) -> None:
    for _ in range(400):
        await parties.pocket.stats()


V3: tuple[Case, ...] = (
    Case("v3/oauth/request", "consumer_key, redirect_uri", _begun, 30),
    Case("v3/oauth/request", "state", _state, "s & ü"),
    error("v3/oauth/request", 138, lambda p: p.other("").request_token(BACK)),
    error("v3/oauth/request", 140, lambda p: p.stranger.request_token("")),
    error("v3/oauth/request", 152, lambda p: p.other("no key").request_token(BACK)),
    error("v3/oauth/request", 181, lambda p: p.stranger.request_token("javascript:x")),
    Case("v3/oauth/authorize", "consumer_key, code", _username, "me"),
    Case("v3/oauth/authorize", "account", _account, "me"),
    error("v3/oauth/authorize", 182, lambda p: p.stranger.authorize("")),
    error("v3/oauth/authorize", 185, lambda p: p.stranger.authorize("1234")),
    error("v3/oauth/authorize", 158, _too_early),
    error("v3/oauth/authorize", 159, _twice),
    error("v3/oauth/authorize", 152, _with_another_key),
    Case("v3/add", "url, title, tweet_id", _added, ("4", "http://d.example/4", "Four")),
    Case("v3/add", "tags", _added_tags, ("x", "y", "z")),
    error("v3/add", 130, lambda p: p.pocket.add("javascript:x")),
    error("v3/add", 107, lambda p: p.stranger.add(A)),
    send("add", Add(url="https://d.example/"), see=lambda i: i["4"].url, expected="https://d.example/"),
    send("add: time", Add(url="https://d.example/", time=NOW), see=lambda i: i["4"].time_added, expected=NOW),
    send(
        "add: title, tags, ref_id",
        Add(url=A, tags=["z"], ref_id="7"),
        see=lambda i: i["1"].tags,
        expected=("x", "y", "z"),
    ),
    send("archive", Archive(item_id="1"), see=lambda i: i["1"].status, expected=1),
    send("archive: url", Archive(url=A), see=lambda i: i["1"].status, expected=1),
    send("archive: time", Archive(item_id="1", time=NOW), see=lambda i: i["1"].time_read, expected=NOW),
    send("readd", Readd(item_id="2"), see=lambda i: (i["2"].status, i["2"].time_added), expected=(0, NOW + 180)),
    send(
        "favorite",
        Favorite(item_id="1"),
        see=lambda i: (i["1"].favorite, i["1"].time_favorited),
        expected=(True, NOW + 180),
    ),
    send("unfavorite", Unfavorite(item_id="3"), see=lambda i: i["3"].favorite, expected=False),
    send("delete", Delete(item_id="1"), see=lambda i: (i["1"].deleted, i["1"].url), expected=(True, "")),
    send("tags_add", TagsAdd(item_id="1", tags=["Z"]), see=lambda i: i["1"].tags, expected=("x", "y", "z")),
    send("tags_remove", TagsRemove(item_id="1", tags=["x"]), see=lambda i: i["1"].tags, expected=("y",)),
    send("tags_replace", TagsReplace(item_id="1", tags=["z"]), see=lambda i: i["1"].tags, expected=("z",)),
    send("tags_replace: nothing", TagsReplace(item_id="1", tags=[]), see=lambda i: i["1"].tags, expected=()),
    send("retitle", Retitle(item_id="1", title="Found later"), see=lambda i: i["1"].title, expected="Found later"),
    send("tags_clear", TagsClear(item_id="1"), see=lambda i: i["1"].tags, expected=()),
    send("tag_rename", TagRename(old_tag="x", new_tag="y"), see=lambda i: i["1"].tags, expected=("y",)),
    send("tag_delete", TagDelete(tag="x"), see=lambda i: i["1"].tags, expected=("y",)),
    Case("v3/send", "actions, in batches", _batches, [str(number) for number in range(4, 11)]),
    Case("v3/send", "results and errors for each action", _partly, [(False, 404), (True, 0)]),
    error("v3/send", 107, lambda p: p.stranger.send([Archive(item_id="1")])),
    get("state", "31", state="unread"),
    get("state", "2", state="archive"),
    get("state", "321", state="all"),
    get("favorite", "3", favorite=True),
    get("favorite", "21", favorite=False),
    get("tag", "1", tag="X"),
    get("tag: _untagged_", "32", tag="_untagged_"),
    get("contentType", "321", content_type="article"),
    get("contentType", "", content_type="video"),
    get("sort", "321", sort="newest"),
    get("sort", "123", sort="oldest"),
    get("sort", "132", sort="title"),
    get("sort", "123", sort="site"),
    get("sort", "321", sort="relevance", search="e"),
    get("detailType", "321", detail_type="complete"),
    get("search", "2", search="TWO"),
    get("domain", "2", domain="b.example"),
    get("since", "32", since=NOW + 60),
    get("updatedBefore", "1", updated_before=NOW + 60),
    get("count, offset", "2", count=1, offset=1),
    page("total", 3, lambda found: found.total, total=True, count=1),
    page("taglist", ("x", "y"), lambda found: found.tags, flags=["taglist"]),
    page("forcetaglist", ("x", "y"), lambda found: found.tags, flags=["forcetaglist"]),
    page("account", "me", lambda found: (found.account or {}).get("username"), flags=["account"]),
    page("annotations and other flags", (), lambda found: found.items[0].annotations, flags=["annotations", "meta"]),
    Case("v3/get", "all pages", _paged, (["3", "2", "1"], 3)),
    Case("v3/get", "synchronisation with since", _synchronised, [("1", True)]),
    error("v3/get", 107, lambda p: p.stranger.get()),
    error("v3/get", 130, lambda p: p.pocket.get(count=5001)),
    Case("v3/stats", "", _stats, (2, 1, 3)),
    error("v3/stats", 107, lambda p: p.stranger.stats()),
    error("v3/stats", 5, _limited),
)


# -- version 2 -----------------------------------------------------------------------------------------------------


def links(parameter: str, expected: Any, **asked: Any) -> Case:
    async def act(parties: Parties) -> Any:
        return "".join(link.item_id for link in (await parties.reader.get(**asked)).links)

    return Case("v2/get", parameter, act, expected)


def changed(parameter: str, expected: Any, **asked: Any) -> Case:
    async def act(parties: Parties) -> Any:
        await parties.reader.send(**asked)
        return [
            (link.url, link.title, link.read, link.tags)
            for link in (await parties.reader.get(tags=True, count=1)).links
        ]

    return Case("v2/send", parameter, act, expected)


async def _v2_added(parties: Parties) -> Any:
    await parties.reader.add("https://d.example/", title="Four", ref_id="7")
    return [link.title for link in (await parties.reader.get(count=1)).links]


async def _v2_tags(parties: Parties) -> Any:
    return [link.tags for link in (await parties.reader.get(tags=True, state="unread")).links]


async def _v2_xml(parties: Parties) -> Any:
    return (await parties.reader.get(format="xml", tags=True)) == (await parties.reader.get(tags=True))


async def _v2_stats(parties: Parties, **asked: Any) -> Any:
    stats = await parties.reader.stats(**asked)
    return (stats.user_since, stats.total, stats.read, stats.unread)


async def _v2_signup(parties: Parties) -> Any:
    await parties.newcomer.signup("bob", PASSWORD)
    return await parties.newcomer.auth()


async def _v2_taken(parties: Parties) -> None:
    await parties.newcomer.signup("bob", PASSWORD)
    await parties.newcomer.signup("bob", PASSWORD)


async def _v2_api(parties: Parties) -> Any:
    return (await parties.newcomer.api()).key.limit


V2: tuple[Case, ...] = (
    Case("v2/add", "url, title, ref_id", _v2_added, ["Four"]),
    error("v2/add", 130, lambda p: p.reader.add("javascript:x")),
    changed("new", [("https://d.example/", "Four", False, ())], new=[NewLink("https://d.example/", "Four", "7")]),
    changed("read", [(A, "One", True, ("x", "y"))], read=[A]),
    changed("update_title", [(A, "Uno", False, ("x", "y"))], update_title={A: "Uno"}),
    changed("update_tags", [(A, "One", False, ("z",))], update_tags={A: ["z"]}),
    links("", "321"),
    links("state", "31", state="unread"),
    links("state", "2", state="read"),
    links("since", "32", since=NOW + 60),
    links("count, page", "2", count=1, page=2),
    links("myAppOnly", "321", my_app_only=True),
    Case("v2/get", "tags", _v2_tags, [(), ("x", "y")]),
    Case("v2/get", "format: xml", _v2_xml, True),
    error("v2/get", 130, lambda p: p.reader.get(count=0)),
    Case("v2/stats", "", _v2_stats, (NOW, 3, 1, 2)),
    Case("v2/stats", "format: xml", lambda p: _v2_stats(p, format="xml"), (NOW, 3, 1, 2)),
    Case("v2/auth", "username, password", lambda p: p.reader.auth(), None),
    error("v2/auth", 2, lambda p: p.newcomer.auth()),
    Case("v2/signup", "username, password", _v2_signup, None),
    error("v2/signup", 2, _v2_taken),
    error("v2/signup", 130, lambda p: p.newcomer.signup("No Name", PASSWORD)),
    Case("v2/api", "apikey", _v2_api, 10_000),
    error("v2/api", 152, lambda p: p.other_reader("no key").api()),
)

CASES = V3 + V2

# Served for other clients; the library does not send them.
SERVED_ONLY = {
    "v3/fetch": "chunk and everything of get",
    "v3/send": "undo_archive, undo_delete; what a reader did (opened_item, pv …) is taken and changes nothing",
    "v3/oauth/authorize": "grant_type=credentials with username and password",
    "v3/text, v3beta/text": "url: the address instead of the article",
    "api/kobo/get, send, text, download": "as v3",
}
NOT_SERVED = {
    "v3/get": "contentType video and image find nothing; annotations, positions, images, videos: nothing is known of them",
    "v3/send": "add_annotation, delete_annotation, sharing and searching: an error for that action",
    "v3/suggested_tags, getItem, shorten, getuser, guid, signup, send_guid, oauth/request_meta, oauth/approve_access": "404",
    "v2/get": "myAppOnly: all links, whichever application added them",
    "v2/text": "404",
}


def table() -> str:
    """For docs/pocket-api.md."""
    rows = ["| method | parameter, action or error | served | sent | tested |", "|---|---|---|---|---|"]
    tested: dict[tuple[str, str], int] = {}
    for case in CASES:
        key = (case.method, case.parameter)
        tested[key] = tested.get(key, 0) + 1
    rows += _rows(((method, words, number) for (method, words), number in tested.items()), "yes", "yes")
    rows += _rows(((method, words, 0) for method, words in SERVED_ONLY.items()), "yes", "no")
    rows += _rows(((method, words, 0) for method, words in NOT_SERVED.items()), "no", "no")
    return "\n".join(rows)


def _rows(entries: Iterable[tuple[str, str, int]], served: str, sent: str) -> list[str]:
    return [
        f"| `{method}` | {words or 'the call'} | {served} | {sent} | {number or ''} |"
        for method, words, number in entries
    ]
