"""The command line as a person meets it: words, JSON, exit codes."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import stat
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from bridge import control
from bridge.cli import cli
from bridge.desk import ANSWER_SECONDS
from bridge.settings import load_settings
from bridge.tokens import owner_token
from bridge.wiring import open_bridge

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments)

    return invoke


def test_a_link_added_by_hand_is_on_the_list_and_says_so(run: Run) -> None:
    result = run("add", "https://example.com/a", "-t", "A page", "-g", "Python", "-g", "web")
    assert (result.exit_code, result.output.splitlines()) == (
        0,
        ["saved: A page #python #web", "  reading      delivered"],
    )


def test_a_second_time_it_says_since_when_and_what_is_new(run: Run) -> None:
    run("add", "https://example.com/a", "-g", "one")
    result = run("add", "https://example.com/a#part", "-g", "two")
    assert re.match(r"already saved on \d+ \w+ \d{4}, new tags #two: https://example.com/a#part\n", result.output)


def test_what_is_no_address_is_refused_in_a_sentence(run: Run) -> None:
    result = run("add", "javascript:alert(1)")
    assert result.exit_code == 2
    assert run("add", "not a url").exit_code == 2
    assert "only http and https are saved" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("origin", ["foo", "ftp://bridge.example", "https://", "https://bridge.example?x=1"])
def test_where_a_bridge_is_reached_is_a_web_address_or_refused(run: Run, origin: str) -> None:
    for command in (("add", "shop"), ("bookmarklet",)):
        refused = run("hooks", *command, "--origin", origin)
        assert (refused.exit_code, "write https://bridge.example" in refused.output) == (2, True)
    assert "no hooks yet" in run("hooks", "list").output
    added = run("hooks", "add", "shop", "--origin", "https://bridge.example/below/")
    assert "address  https://bridge.example/below/hooks/shop\n" in added.output


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("BRIDGE_PUBLIC_URL", "https://links.example")
    return "https://links.example"


def test_an_address_is_under_the_public_one_unless_another_is_given(run: Run, public: str) -> None:
    assert f"  address  {public}/hooks/shop\n" in run("hooks", "add", "shop").stdout
    assert "https://other.example/hooks/two\n" in run("hooks", "add", "two", "--origin", "https://other.example").stdout
    marked = run("hooks", "bookmarklet")
    assert (f"{public}/save?url=" in marked.stdout, marked.stderr.count("only")) == (True, 0)


def test_who_does_not_say_where_the_bridge_is_reached_is_told_in_a_line_how_to(run: Run) -> None:
    for command in (("add", "shop"), ("bookmarklet",)):
        told = run("hooks", *command)
        [line] = [line for line in told.stderr.splitlines() if "BRIDGE_PUBLIC_URL or --origin" in line]
        assert "http://127.0.0.1:8080 is where it listens: services on the internet cannot reach it" in line
        assert "BRIDGE_PUBLIC_URL" not in told.stdout


@pytest.mark.parametrize(
    ("kind", "auth", "entered"),
    [
        ("github", "", "Payload URL = address, Content type = application/json, Secret = secret"),
        ("zapier", "", "header Authorization: Bearer {secret}"),
        ("generic", "basic", "user and password = secret, before and after the colon"),
        ("github", "bearer", "header Authorization: Bearer {secret}"),
        ("generic", "hmac-sha256", "its signature comes in x-hub-signature-256"),
        ("ifttt", "", "Method = POST, Content type = application/json; no header"),
    ],
)
def test_an_added_hook_says_what_to_enter_where(run: Run, public: str, kind: str, auth: str, entered: str) -> None:
    told = run("hooks", "add", "shop", "--kind", kind, *(("--auth", auth) if auth else ())).stdout
    assert public in told
    secret = re.search(r"^  secret   (\S+)$", told, re.MULTILINE)
    assert entered.format(secret=secret[1] if secret else "") in " ".join(told.split())


@pytest.mark.parametrize("days", ["0", "-3", "nan", "inf"])
def test_days_that_cannot_be_looked_back_are_refused(run: Run, tmp_path: Path, days: str) -> None:
    (tmp_path / "new.yaml").write_text("rules: []\n")
    for command in (("diff", "new.yaml", "--days", days), ("apply", "--since", days)):
        refused = run("rules", *command)
        assert (refused.exit_code, "cannot be looked back" in refused.output) == (2, True)


def test_nothing_is_asked_where_the_rules_would_change_nothing(run: Run) -> None:
    run("add", "https://example.com/a")
    applied = run("rules", "apply")
    assert (applied.exit_code, applied.output) == (0, "1 link looked at, none would change\n")


def test_the_number_that_why_shows_is_the_one_that_is_explained(run: Run) -> None:
    run("add", "this is no link")
    run("add", "https://example.com/a")
    run("add", "https://example.com/b")
    [number] = re.findall(r"\(sighting (\d+)\)", run("why", "https://example.com/b").output)
    assert "https://example.com/b" in run("rules", "explain", number).output
    assert "no link came in under the number 999" in run("rules", "explain", "999").output


def test_a_replay_says_what_is_replayed_and_why_knows_its_request(run: Run) -> None:
    asyncio.run(came("https://example.com/a", "https://example.com/b"))
    run("add", "https://example.com/c")
    told = run("why", "https://example.com/b").output
    [numbers] = re.findall(r"\(sighting \d+, request (\d+)\)", told)
    assert re.search(r"\(delivery \d+\)", told)
    assert re.search(r"\(sighting \d+\)", run("why", "https://example.com/c").output)
    replayed = run("hooks", "replay", numbers).output.splitlines()
    assert re.fullmatch(rf"request {numbers}, which came to hook shop at .{{19}}: https://example.com/b", replayed[0])
    assert replayed[1].startswith("already saved")
    assert f"request {numbers} once more" in run("hooks", "captured").output


async def came(*links: str) -> None:
    """Requests to a hook, while nothing else runs."""
    settings = load_settings()
    with control.own(settings.data):
        async with open_bridge(settings) as bridge, bridge.working():
            headers = {"Authorization": f"Bearer {owner_token(settings)}"}
            transport = httpx.ASGITransport(bridge.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://b.test", headers=headers) as http:
                for link in links:
                    number = (await http.post("/hooks/shop", json={"url": link})).json()["id"]
                    await bridge.desk.outcome(number)


@pytest.mark.parametrize(
    "arguments", [("held", "send", "99"), ("held", "give-up", "99"), ("queue", "cancel", "99"), ("retry", "99")]
)
def test_a_number_that_is_none_is_told_and_nothing_is_said_to_be_done(run: Run, arguments: tuple[str, ...]) -> None:
    refused = run(*arguments)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "1 of these numbers" in refused.stderr


def test_an_empty_answer_says_what_is_empty(run: Run) -> None:
    run("add", "https://example.com/")
    assert run("trash", "list").output.endswith("the trash is empty\n")
    assert run("trash", "list", "shops").output.endswith("nothing in the trash has “shops” in it\n")
    assert run("hooks", "captured", "-n", "0").exit_code == 2


def test_two_addresses_are_not_saved_as_one(run: Run) -> None:
    refused = run("add", "https://a.example/ https://b.example/")
    assert (refused.exit_code, "2 addresses" in refused.output) == (2, True)
    assert run("add", "https://a.example/b c").exit_code == 0
    assert "never saved" in run("why", "https://a.example/").output


def test_a_dropped_link_says_which_rule_and_why_tells_it_later(run: Run, tmp_path: Path) -> None:
    rules = "rules:\n  - name: no-shops\n    if: {domain: shop.example}\n    then: {drop: advertising}\n"
    (tmp_path / "rules.yaml").write_text(rules)
    assert "dropped by rule no-shops (advertising)" in run("add", "https://shop.example/x").output
    told = run("why", "https://shop.example/x")
    assert told.exit_code == 0
    assert "domain is shop.example" in told.output
    assert "dropped by rule no-shops (advertising)" in told.output


def test_who_adds_a_link_that_a_rule_delays_does_not_wait_for_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules:\n  - name: later\n    then: {delay: 2h}\n")
    began = time.monotonic()
    result = run("add", "https://example.com/a")
    assert (result.exit_code, "waiting" in result.output) == (0, True), result.output
    assert time.monotonic() - began < ANSWER_SECONDS


def test_why_of_an_unknown_link_is_exit_1(run: Run) -> None:
    run("add", "https://example.com/")
    result = run("why", "https://nowhere.example/")
    assert (result.exit_code, "never saved" in result.output) == (1, True)


def test_why_of_an_imported_link_says_that_it_is_on_the_list(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("https://a.example/1\n")
    assert "1 added" in run("import", "list.txt").output
    result = run("why", "https://a.example/1")
    assert (result.exit_code, "is on the list since" in result.stdout) == (0, True)
    assert "never saved" not in result.stdout


@pytest.mark.parametrize("looking", [("status",), ("why", "https://a.example/"), ("backup", "b.db"), ("export",)])
def test_looking_where_no_bridge_ever_was_says_so_and_makes_nothing(
    run: Run, tmp_path: Path, looking: tuple[str, ...]
) -> None:
    result = run(*looking)
    assert (result.exit_code, "there is no bridge in data yet" in result.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "looking", [("status",), ("queue",), ("audit",), ("why", "https://a.example/"), ("backup", "b.db"), ("export",)]
)
def test_a_broken_rule_file_keeps_nobody_from_what_is_stored(
    run: Run, tmp_path: Path, looking: tuple[str, ...]
) -> None:
    run("add", "https://a.example/")
    (tmp_path / "rules.yaml").write_text("rulez: []\n")
    result = run(*looking)
    assert (result.exit_code, "the rule file cannot be used" in result.stderr) == (0, True), result.output
    assert "rules.yaml:1:1" in result.stderr
    assert run("add", "https://b.example/").exit_code == 2


def test_a_rule_file_that_a_variable_names_must_be_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BRIDGE_RULES=nowhere.yaml\n")
    for command in (("check",), ("run",), ("add", "https://a.example/")):
        result = run(*command)
        assert (result.exit_code, "names nowhere.yaml, and there is no such file" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("BRIDGE_TELEGRAM_TOKEN=foo", "is not a bot's token"),
        ("BRIDGE_DATA=.env/data", "the data folder .env/data cannot be used: Not a directory"),
    ],
)
def test_check_refuses_what_run_refuses(run: Run, tmp_path: Path, setting: str, words: str) -> None:
    (tmp_path / ".env").write_text(f"{setting}\nBRIDGE_LISTEN=127.0.0.1:0\n")
    for command in ("check", "run"):
        result = run(command)
        assert (result.exit_code, words in result.stderr) == (2, True), command
    assert words in run("doctor").stdout


def test_a_misspelt_variable_in_the_env_file_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BRIDGE_TELEGRAM_TOKN=1\n")
    meant = "BRIDGE_TELEGRAM_TOKN is set but means nothing; did you mean BRIDGE_TELEGRAM_TOKEN?"
    assert meant in run("check").output
    assert meant in " ".join(run("doctor").output.split())


def test_the_doctor_s_texts_stand_in_one_column(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules:\n  - name: a\n    iff: {tag: b}\n    then: {tag: c}\n")
    lines = run("doctor").output.splitlines()
    assert len(lines) > 5
    assert all(line[:5].rstrip() in ("ok", "note", "wrong", "") and line[5:6].isspace() for line in lines[:-1] if line)


def test_looking_while_nothing_runs_says_so_to_people_only(run: Run) -> None:
    run("add", "https://example.com/")
    notice = "pocket-bridge is not running; this is what lies in data"
    assert notice in run("status").stderr
    assert notice not in run("status", "--json").output


@pytest.mark.parametrize("typed", ["example.org/page", "www.example.org", "example.org:8443/?q=1"])
def test_an_address_typed_without_its_scheme_is_taken_as_https(run: Run, typed: str) -> None:
    result = run("add", typed)
    assert (result.exit_code, f"saved: https://{typed}" in result.output) == (0, True)
    assert run("why", typed).exit_code == 0


@pytest.mark.parametrize("typed", ["localhost", "example.org and more", "ann@example.org", "1.5", "ftp://example.org/"])
def test_what_may_be_no_address_gets_no_scheme(run: Run, typed: str) -> None:
    assert run("add", typed).exit_code == 2


@pytest.mark.parametrize("command", ["send", "give-up"])
def test_letting_go_what_is_not_held_fails(run: Run, command: str) -> None:
    result = run("held", command, "99")
    assert (result.exit_code, "1 of these numbers is not held" in result.output) == (1, True)


def test_an_empty_rule_file_is_a_rule_file(run: Run, tmp_path: Path) -> None:
    assert "there is no rule file" in run("check").output
    (tmp_path / "rules.yaml").touch()
    assert "ok  rules.yaml" in run("check").output


def test_the_example_file_works_as_it_is(run: Run, tmp_path: Path) -> None:
    example = Path(__file__).resolve().parents[1] / "rules.yaml.example"
    (tmp_path / "rules.yaml").write_text(example.read_text())
    assert run("check").exit_code == 0
    assert run("add", "https://arxiv.org/abs/1").output.startswith("saved: https://arxiv.org/abs/1 #paper")


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "https://example.com/", "--json"),
        ("why", "https://example.com/", "--json"),
        ("status", "--json"),
        ("check", "--json"),
        ("try", "read https://example.com/ now", "--json"),
        ("resume", "reading", "--json"),
        ("retry", "reading", "--json"),
    ],
)
def test_every_answer_is_there_for_scripts(run: Run, arguments: tuple[str, ...]) -> None:
    run("add", "https://example.com/")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)


def test_try_saves_nothing(run: Run, tmp_path: Path) -> None:
    result = run("try", "look: https://example.com/a #tag and https://example.org/b")
    assert result.exit_code == 0
    assert result.output.count("-> to reading #tag") == 2
    assert not (tmp_path / "data").exists()


def test_try_without_an_address_is_wrong_use(run: Run) -> None:
    assert run("try", "no link here").exit_code == 2


def test_a_broken_rule_file_stops_every_command_with_line_and_caret(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules:\n  - name: a\n    iff: {tag: b}\n    then: {tag: c}\n")
    for arguments in (("check",), ("run",), ("add", "https://example.com/")):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "rules.yaml:3:5: unknown key “iff”" in result.output
        assert "Did you mean “if”?" in result.output


def test_a_failing_test_in_the_rule_file_stops_it_too(run: Run, tmp_path: Path) -> None:
    rules = (
        "rules:\n  - name: a\n    if: {domain: a.example}\n    then: {tag: b}\n"
        "tests:\n  - item: {url: 'https://a.example/'}\n    expect: {tag: c}\n"
    )
    (tmp_path / "rules.yaml").write_text(rules)
    result = run("check")
    assert result.exit_code == 2
    assert "rules.yaml" in result.output


@pytest.mark.parametrize(
    ("destination", "words"),
    [
        ("{type: pockett, base_url: 'https://x.example'}", "no destination of type “pockett”"),
        ("{type: pocket, base_url: 'https://x.example'}", "needs “consumer_key”"),
        ("{type: pocket, base_url: x, consumer_key: a, access_token: b}", "must begin with http:// or https://"),
        ("{type: pocket, base_ur: 'https://x.example'}", "base_ur"),
        (
            "{type: pocket, base_url: 'https://x.example', consumer_key: a, access_token: b, batch: many}",
            "“batch” of destination “there”: “many” is no whole number from 1 to 500",
        ),
        (
            "{type: pocket, base_url: 'https://x.example', consumer_key: a, access_token: b, retitles: perhaps}",
            "“perhaps” is neither 1 (yes) nor 0 (no)",
        ),
        (
            "{type: pocket, base_url: 'https://x.example', consumer_key: a, access_token: 5}",
            "“access_token” of destination “there”: it is no text: put it in quotes",
        ),
        (
            "{type: pocket, base_url: 'https://x.example', consumer_key: {env: NOT_SET}, access_token: b}",
            "NOT_SET is not set",
        ),
        ("{type: no.such.module}", "no module “no.such.module”"),
    ],
)
def test_a_wrong_destination_is_told_at_its_place(run: Run, tmp_path: Path, destination: str, words: str) -> None:
    (tmp_path / "rules.yaml").write_text(f"destinations:\n  there: {destination}\n")
    result = run("check")
    assert result.exit_code == 2
    assert re.search(r"rules\.yaml:2:\d+: ", result.output), result.output
    assert words in result.output


def test_a_secret_in_the_rule_file_is_not_repeated(run: Run, tmp_path: Path) -> None:
    secret = "canary-7d1f"
    options = f"{{type: pocket, base_url: x, consumer_key: k, access_token: {secret}}}"
    (tmp_path / "rules.yaml").write_text(f"destinations:\n  there: {options}\n")
    assert secret not in run("check").output


def test_the_owner_s_token_is_made_once_for_the_owner_only_and_never_printed(run: Run, tmp_path: Path) -> None:
    output = run("add", "https://example.com/").output
    file = tmp_path / "data" / "token"
    token = file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(token) >= 32
    run("status")
    assert file.read_text().strip() == token
    assert token not in output


def test_an_unknown_connection_names_those_there_are(run: Run) -> None:
    result = run("resume", "pocket")
    assert (result.exit_code, "there are: reading" in result.output) == (2, True)


def test_a_database_that_is_none_is_said_with_its_path(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bridge.db").write_text("not a database " * 1000)
    result = run("status")
    assert result.exit_code == 2
    assert "bridge.db is not a usable database" in result.output


def test_what_is_not_kept_any_more_is_said(run: Run, tmp_path: Path) -> None:
    run("add", "https://example.com/a")
    with sqlite3.connect(tmp_path / "data" / "bridge.db") as connection:
        connection.execute("DELETE FROM sighting")
        connection.execute("DELETE FROM attempt")
    connection.close()
    told = run("why", "https://example.com/a").output
    assert "came for the first time; the details of then are not kept any more" in told
    assert "its attempts are not kept any more" in told


def test_the_queue_says_what_waits_where_and_a_gone_destination_has_a_verb(run: Run, tmp_path: Path) -> None:
    second = (
        'destinations:\n  second: {type: pocket, base_url: "http://127.0.0.1:9", consumer_key: c, access_token: t}\n'
    )
    (tmp_path / "rules.yaml").write_text(f"{second}defaults: {{to: [reading, second]}}\n")
    run("add", "https://example.com/a")
    queue = run("queue").output
    assert re.search(r"\d+ +second +waiting +\S+ \S+\n +http://127.0.0.1:9 gives no answer", queue)
    assert re.search(r"\n +https://example.com/a\n", queue)
    (tmp_path / "rules.yaml").write_text("")
    assert "second   1 waiting" in run("queue").output
    for command in ("status", "queue"):
        told = " ".join(run(command).output.split())
        assert "no such destination any more: pocket-bridge queue move second reading" in told
    moved = run("queue", "move", "second", "reading", "--yes")
    assert (moved.exit_code, moved.output) == (0, "1 link of second goes to reading instead\n")
    assert "no such destination" not in run("status").output
    assert run("audit").exit_code == 0


def test_giving_up_asks_first_and_shows_what(run: Run, tmp_path: Path) -> None:
    rules = "rules:\n  - {name: look, if: {domain: example.com}, then: {hold: review}}\n"
    (tmp_path / "rules.yaml").write_text(rules)
    run("add", "https://example.com/a")
    refused = CliRunner().invoke(cli, ["queue", "cancel", "reading"], input="n\n")
    assert (refused.exit_code, "https://example.com/a" in refused.output) == (1, True)
    assert "1 held" in run("queue").output
    assert run("queue", "cancel", "reading", "--yes").output == "reading: 1 link given up\n"
    assert run("queue", "cancel", "1").exit_code == 1


def test_an_audit_that_does_not_balance_is_exit_1_and_says_where(run: Run, tmp_path: Path) -> None:
    run("add", "https://example.com/a")
    assert run("audit").exit_code == 0
    with sqlite3.connect(tmp_path / "data" / "bridge.db") as connection:
        connection.execute("DELETE FROM delivery")
    connection.close()
    result = run("audit")
    assert result.exit_code == 1
    assert re.search(r"\d{4}-\d\d-\d\d, cli: 1 sightings came, 1 of them kept and wanted nowhere", result.output)
    assert json.loads(run("audit", "--json").stdout)["balances"] is False


def test_a_backup_is_restored_and_what_was_there_is_kept_aside(run: Run, tmp_path: Path) -> None:
    run("add", "https://example.com/a")
    saved = run("backup", "kept.db")
    assert (saved.exit_code, "1 link, 1 item on the lists" in saved.output) == (0, True)
    run("add", "https://example.com/b")
    result = run("restore", "kept.db")
    assert result.exit_code == 0, result.output
    assert run("why", "https://example.com/b").exit_code == 1
    assert run("why", "https://example.com/a").exit_code == 0
    [aside] = (tmp_path / "data").glob("before-restore-*")
    assert (aside / "bridge.db").exists()
    assert re.search(rf"what was there before: data/{aside.name}", result.output)


@pytest.mark.parametrize("name", ["data/bridge.db", "data/bridge.db-wal", "data/token", "data/new.db", "link.db"])
def test_a_backup_over_the_database_or_beside_it_is_refused(run: Run, tmp_path: Path, name: str) -> None:
    run("add", "https://example.com/a")
    (tmp_path / "link.db").symlink_to(tmp_path / "data" / "bridge.db")
    database, token = tmp_path / "data" / "bridge.db", (tmp_path / "data" / "token").read_bytes()
    before = database.stat().st_ino
    result = run("backup", name, "--force")
    assert (result.exit_code, "beside the database: name a file in another folder" in result.stderr) == (2, True)
    assert (database.stat().st_ino, (tmp_path / "data" / "token").read_bytes()) == (before, token)
    assert not (tmp_path / "data" / "new.db").exists()
    assert run("why", "https://example.com/a").exit_code == 0


def test_a_backup_replaces_a_file_only_when_it_is_told_to(run: Run, tmp_path: Path) -> None:
    run("add", "https://example.com/a")
    (tmp_path / "rules.txt").write_text("precious")
    result = run("backup", "rules.txt")
    assert (result.exit_code, "rules.txt is there already; --force replaces it" in result.stderr) == (2, True)
    assert (tmp_path / "rules.txt").read_text() == "precious"
    assert run("backup", "rules.txt", "--force").exit_code == 0


def test_a_backup_holds_no_token_and_no_key(run: Run, tmp_path: Path) -> None:
    run("add", "https://example.com/a")
    run("backup", "kept.db")
    content = (tmp_path / "kept.db").read_bytes()
    for name in ("token", "hooks.key"):
        secret = (tmp_path / "data" / name).read_bytes().strip()
        assert len(secret) > 16
        assert secret not in content
    assert (tmp_path / "kept.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("what", ["none", "damaged", "newer"])
def test_what_is_no_good_backup_is_refused_and_nothing_is_touched(run: Run, tmp_path: Path, what: str) -> None:
    run("add", "https://example.com/a")
    run("backup", "kept.db")
    kept = tmp_path / "kept.db"
    if what == "none":
        kept.write_text("a letter")
    elif what == "damaged":
        content = bytearray(kept.read_bytes())
        content[8192:12288] = bytes(4096)
        kept.write_bytes(content)
    else:
        with sqlite3.connect(kept) as connection:
            connection.execute("INSERT INTO schema_version VALUES (999)")
        connection.close()
    result = run("restore", "kept.db")
    assert (result.exit_code, "Traceback" in result.output) == (2, False)
    assert not list((tmp_path / "data").glob("before-restore-*"))
    assert run("why", "https://example.com/a").exit_code == 0


def test_restoring_is_refused_while_a_process_runs(run: Run, tmp_path: Path) -> None:
    run("add", "https://example.com/a")
    run("backup", "kept.db")
    with control.own(tmp_path / "data"):
        result = run("restore", "kept.db")
    assert (result.exit_code, "stop it" in result.stderr) == (2, True)


def test_the_doctor_finds_nothing_where_nothing_is_wrong(run: Run) -> None:
    run("add", "https://example.com/a")
    result = run("doctor")
    # An old SQLite is a note, and so is that nothing runs.
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "nothing to mend")


@pytest.mark.parametrize(
    ("harm", "says", "mends"),
    [
        (lambda data: (data / "bridge.db").chmod(0o644), "other people of this machine may look into", "chmod 600"),
        (lambda data: (data / "bridge.db").write_bytes(b"x" * 9000), "not a usable database", "restore FILE"),
        (lambda data: (data / "bridge.db").unlink(), "is gone, but there was a database here", "restore FILE"),
        (
            lambda data: (data.parent / "rules.yaml").write_text("rulez: []"),
            "unknown key “rulez”",
            "pocket-bridge check",
        ),
    ],
)
def test_the_doctor_says_what_is_wrong_and_what_mends_it(
    run: Run, tmp_path: Path, harm: Callable[[Path], object], says: str, mends: str
) -> None:
    run("add", "https://example.com/a")
    harm(tmp_path / "data")
    result = run("doctor")
    assert (result.exit_code, says in result.output, mends in result.output) == (1, True, True)
    assert "Traceback" not in result.output


def test_the_doctor_knows_a_paused_connection_and_a_wrong_setting(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("add", "https://example.com/a")
    with sqlite3.connect(tmp_path / "data" / "bridge.db") as connection:
        connection.execute("UPDATE gate SET state = 'paused', because = 'token refused'")
    connection.close()
    monkeypatch.setenv("BRIDGE_TOKN", "x")
    told = run("doctor").output
    assert "reading is paused: token refused" in told
    assert "pocket-bridge resume reading" in told
    assert "BRIDGE_TOKN is set but means nothing; did you mean BRIDGE_TOKEN?" in told


def test_a_newer_database_is_exit_2_with_what_to_do(run: Run, tmp_path: Path) -> None:
    run("add", "https://example.com/a")
    with sqlite3.connect(tmp_path / "data" / "bridge.db") as connection:
        connection.execute("INSERT INTO schema_version VALUES (999)")
    connection.close()
    for command in ("status", "run"):
        result = run(command)
        assert (result.exit_code, "newer pocket-bridge" in result.stderr) == (2, True)
        assert "install that version again, or restore a backup" in result.stderr


def test_single_links_that_were_refused_are_sent_once_more(run: Run, tmp_path: Path) -> None:
    run("add", "https://example.com/a")
    with sqlite3.connect(tmp_path / "data" / "bridge.db") as connection:
        connection.execute("UPDATE delivery SET state = 'dead', because = 'it said no'")
    connection.close()
    listed = run("dead")
    assert re.search(r"1 +reading +refused +\S+ \S+\n +it said no\n +https://example.com/a\n", listed.output)
    assert json.loads(run("dead", "--json").stdout)["links"][0]["because"] == "it said no"
    result = run("retry", "1")
    assert (result.exit_code, result.output) == (0, "1 link is sent once more (1 reading)\n")
    assert run("retry", "1", "7").exit_code == 1
    assert run("retry", "reading", "1").exit_code == 2
