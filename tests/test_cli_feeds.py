"""Feeds from the command line, as a person meets them: words, JSON, exit codes, and what the rule file says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from starlette.responses import Response

from bridge.cli import cli
from tests.house import a_house, eventually
from tests.sources.feed_site import item, rss

Run = Callable[..., Result]

PAGES = {
    "/feed": rss(item(3), item(2), item(1)),
    "/page": '<!DOCTYPE html><html><link rel="alternate" type="application/rss+xml" href="/feed"></html>',
    "/two": "<!DOCTYPE html><html>"
    '<link rel="alternate" type="application/rss+xml" title="Posts" href="/feed">'
    '<link rel="alternate" type="application/atom+xml" title="Comments" href="/comments"></html>',
}


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = PAGES.get(self.path, "").encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A test is silent."""


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRIDGE_ALLOW_NETS", "127.0.0.0/8")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments)

    return invoke


def test_a_feed_is_found_on_its_page_followed_and_its_entries_saved(run: Run, site: str) -> None:
    looked = run("feeds", "add", f"{site}/page", "--dry-run", "--start", "last 2")
    assert looked.output.splitlines() == [
        f"would be followed: news “News”, {site}/feed, every 1 h",
        f"  the page {site}/page names it",
        "  3 entries in it now; the first reading takes 2 (start: last 2):",
        "    Entry 2",
        "    Entry 3",
    ]
    assert "no feeds yet" in run("feeds", "list").output
    assert run("feeds", "add", f"{site}/page", "--start", "last 2", "-g", "paper").exit_code == 0
    told = run("why", "https://news.example/3").output
    assert "arrived from feed news" in told
    assert "#paper" in run("feeds", "list").output
    assert "never saved" in run("why", "https://news.example/1").output


def test_a_feed_that_is_followed_is_tried_with_its_own_name_and_tags_and_a_few_entries(
    run: Run, site: str, tmp_path: Path
) -> None:
    PAGES["/many"] = rss(*map(item, range(9, 0, -1)))
    named = "rules:\n  - {name: mine, if: {feed: letters}, then: {tag: read}}\n"
    (tmp_path / "rules.yaml").write_text(named)
    strange = run("try", f"{site}/many").output
    assert "On the first reading none of them is saved" in strange
    assert "#read" not in strange
    assert not (tmp_path / "data").exists()
    run("feeds", "add", f"{site}/many", "--name", "letters", "-g", "paper")
    told = run("try", f"{site}/many").output
    assert "It is followed as letters" in told
    assert told.count("-> to reading #paper #read") == 3
    assert told.endswith("… and 6 more entries\n")


def test_while_nothing_runs_it_is_told_when_what_was_found_is_read(run: Run, site: str) -> None:
    assert run("feeds", "add", f"{site}/feed", "--dry-run").stderr == ""
    assert run("feeds", "add", f"{site}/feed", "--start", "all").stderr == (
        "(pocket-bridge is not running: what was found is read, and the feed asked again,"
        " at the next “pocket-bridge run”)\n"
    )
    run("feeds", "remove", "news")
    assert run("feeds", "add", f"{site}/feed", "--json").stderr == ""


def test_of_several_feeds_the_commands_to_choose_from_are_told(run: Run, site: str) -> None:
    result = run("feeds", "add", f"{site}/two")
    assert result.exit_code == 1
    assert f"pocket-bridge feeds add '{site}/comments'   # Comments" in result.output


def test_what_is_no_feed_is_told_in_a_sentence(run: Run, site: str) -> None:
    result = run("feeds", "add", f"{site}/none")
    assert (result.exit_code, result.output) == (1, "pocket-bridge: answered 404 (Not Found)\n")
    assert run("feeds", "add", f"{site}/feed", "--start", "soon").exit_code == 2
    assert run("feeds", "remove", "nothing").exit_code == 2


def test_the_list_names_what_stands_in_the_file_and_remove_tells_its_line(run: Run, site: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(f"feeds:\n  - url: {site}/other\n    name: lines\n")
    run("feeds", "add", f"{site}/feed", "--interval", "2h", "--to", "reading")
    listed = run("feeds", "list").output
    assert "rules.yaml:2" in listed
    assert f"{site}/feed  to reading" in listed
    changed = run("feeds", "change", "news", "--name", "mine", "-g", "paper", "--per-day", "5", "-t", "reading")
    assert changed.output == f"changed: mine, {site}/feed, every 2 h #paper  to reading, at most 5 a day\n"
    assert run("feeds", "change", "mine", "--name", "news").exit_code == 0
    assert run("feeds", "change", "lines", "--name", "x").exit_code == 2
    refused = run("feeds", "remove", "lines")
    assert (refused.exit_code, "line 2 of rules.yaml" in refused.output) == (2, True)
    assert run("feeds", "remove", "news").output == f"news is not followed any more ({site}/feed)\n"
    answer = json.loads(run("feeds", "list", "--json").output)
    assert [(feed["name"], feed["from"], feed["line"]) for feed in answer["feeds"]] == [("lines", "file", 2)]


def test_feeds_of_nobody_are_not_none_but_refused(run: Run) -> None:
    run("add", "https://example.com/")
    for command in ("list", "export", "doctor"):
        refused = run("feeds", command, "-u", "bob")
        assert (refused.exit_code, "bob" in refused.output) == (2, True), command
    assert "no feeds yet" in run("feeds", "list", "-u", "me").output


def test_a_change_of_nothing_is_refused_with_what_can_be_changed(run: Run, site: str) -> None:
    run("feeds", "add", f"{site}/feed")
    refused = run("feeds", "change", "news")
    assert (refused.exit_code, "say what to change" in refused.output) == (2, True)


def test_lists_of_other_readers_come_in_and_ours_goes_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.opml").write_text(
        '<opml><body><outline text="Tech"><outline text="A" xmlUrl="https://a.example/feed"/>'
        '<outline text="B" xmlUrl="ftp://b.example/feed"/></outline></body></opml>'
    )
    came = run("feeds", "import", "in.opml")
    assert came.exit_code == 1
    assert "followed: A #tech  https://a.example/feed" in came.output
    assert "line 1: not taken: “ftp://b.example/feed” is not a web address" in came.output
    assert "1 feed added, 1 not taken" in came.output
    assert "1 feed in out.opml" in run("feeds", "export", "out.opml").output
    assert 'xmlUrl="https://a.example/feed"' in (tmp_path / "out.opml").read_text()
    assert run("feeds", "export", "out.opml").exit_code == 2
    assert run("feeds", "import", "nothing.opml").exit_code == 2
    assert 'category="tech"' in run("feeds", "export").output


def test_the_doctor_tells_what_is_wrong_and_what_mends_it(run: Run, site: str, tmp_path: Path) -> None:
    run("feeds", "add", f"{site}/feed", "--start", "all", "--at-once", "1")
    well = run("feeds", "doctor")
    assert well.exit_code == 0
    assert "2 entries wait" in well.output
    assert run("feeds", "release", "news").output == "news: 2 entries come now\n"
    (tmp_path / "rules.yaml").write_text("feeds:\n  - {name: new, url: 'https://x.example/'}\n")
    ill = run("feeds", "doctor")
    assert ill.exit_code == 1
    assert "wrong  new: was never asked yet\n       pocket-bridge run\n" in ill.output
    assert "1 of 2 feeds is well" in ill.output


async def test_a_running_bridge_follows_at_once_by_command_and_by_a_changed_file(tmp_path: Path) -> None:
    """Nothing is started anew for it: the same process, the same sockets."""
    feeds = {name: Response(rss(item(number)).encode()) for number, name in enumerate(("first", "second"), 1)}
    async with a_house(tmp_path, rules="defaults: {{to: reading}}\n# {feed}\n", feeds=feeds) as house:
        origin = (tmp_path / "rules.yaml").read_text().split("# ")[1].strip()
        answer = await house.bridge.desk.handle("feeds-add", {"url": f"{origin}/first", "start": "all"})
        assert answer["added"]
        await house.item("https://news.example/1")
        line = f"feeds:\n  - {{name: filed, url: '{origin}/second', start: all}}\n"
        (tmp_path / "rules.yaml").write_text(line)
        await house.item("https://news.example/2")
        assert house.bridge.reload.next is None
        (tmp_path / "rules.yaml").write_text("defaults: {to: reading}\n")

        async def forgotten() -> bool:
            listed = await house.bridge.desk.handle("feeds", {})
            return [feed["name"] for feed in listed["feeds"]] == ["news"]

        await eventually(forgotten)
