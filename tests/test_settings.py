"""Settings come from the environment, from .env and from files, and a wrong one is a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import hypothesis
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from bridge.cli import cli
from bridge.declared import check, opened
from bridge.errors import ConfigError
from bridge.settings import Settings, doubts, load_settings, unknown_variables


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_nothing_configured_is_fine() -> None:
    settings = load_settings()
    assert (settings.data, settings.host, settings.port) == (Path("data"), "127.0.0.1", 8080)
    assert settings.telegram_allow == {}


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRIDGE_PAGES")
    usual = load_settings()
    for name in Settings.model_fields:
        monkeypatch.setenv(f"BRIDGE_{name.upper()}", "")
    assert load_settings() == usual


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_TELEGRAM_ALLOW", "42, -1001")
    monkeypatch.setenv("BRIDGE_LISTEN", "[::1]:9000")
    settings = load_settings()
    assert settings.telegram_allow == {42: "", -1001: ""}
    assert (settings.host, settings.port) == ("::1", 9000)


def test_an_id_of_telegram_has_the_list_of_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_TELEGRAM_ALLOW", "123, 456 = anna, -100999=anna, 456=anna, 7=me")
    assert load_settings().telegram_allow == {123: "", 456: "anna", -100999: "anna", 7: "me"}


def test_every_setting_can_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("BRIDGE_TELEGRAM_TOKEN_FILE", str(tmp_path / "secret"))
    assert load_settings().telegram_token.get_secret_value() == "from a file"


def test_the_file_may_be_named_in_the_env_file(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("127.0.0.1:1234\n")
    (tmp_path / ".env").write_text("BRIDGE_LISTEN_FILE=port\n")
    assert load_settings().port == 1234
    (tmp_path / "port").write_text("1234\n")
    with pytest.raises(ConfigError, match="^BRIDGE_LISTEN_FILE: “1234” is no address with a port"):
        load_settings()


def test_a_file_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_TOKEN_FILE", "/nowhere")
    with pytest.raises(ConfigError, match="BRIDGE_TOKEN_FILE: /nowhere cannot be read"):
        load_settings()


def test_an_env_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BRIDGE_LISTEN=127.0.0.1:1234\n")
    assert load_settings().port == 1234


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("BRIDGE_TELEGRAM_ALLOW", "ann", "“ann” is not an id"),
        ("BRIDGE_TELEGRAM_ALLOW", "0", "“0” is not an id"),
        ("BRIDGE_TELEGRAM_ALLOW", "*", "it takes BRIDGE_TELEGRAM_ALLOW_ANYONE=1 as well"),
        ("BRIDGE_TELEGRAM_ALLOW", "*=anna", "it takes BRIDGE_TELEGRAM_ALLOW_ANYONE=1 as well"),
        ("BRIDGE_TELEGRAM_ALLOW", "456=", "“456=” names no user: write it like 456=anna"),
        ("BRIDGE_TELEGRAM_ALLOW", "456=Anna", "names no user"),
        ("BRIDGE_TELEGRAM_ALLOW", "456=anna, 456", "456 is there twice, with two lists"),
        ("BRIDGE_TELEGRAM_SCHEMELESS", "yes", "“yes” is not sense, all or never"),
        ("BRIDGE_LISTEN", "8080", "no address with a port"),
        ("BRIDGE_LISTEN", "127.0.0.1:99999", "no address with a port"),
        ("BRIDGE_ALLOW_NETS", "home", "is not a network"),
        ("BRIDGE_LOG_LEVEL", "LOUD", "“LOUD” is not DEBUG, INFO, WARNING or ERROR"),
        ("BRIDGE_TZ", "Mars/Olympus", "is no time zone"),
        ("BRIDGE_TZ", "../passwd", "is no time zone"),
        ("BRIDGE_APPS", "some", "“some” is not open or listed"),
        ("BRIDGE_APPS", "List", r"“List” is not open or listed; did you mean listed\?"),
        ("BRIDGE_LIMIT_USER", "0", "“0” is no whole number from 1 to 1000000000"),
        ("BRIDGE_PAGE_WAIT", "nan", "“nan” is no number from 1 to 600"),
        ("BRIDGE_SIGNUP", "maybe", r"“maybe” is neither 1 \(yes\) nor 0 \(no\)"),
        ("BRIDGE_LISTEN", "127.0.0.1:²", "no address with a port"),
        ("BRIDGE_LISTEN", "a b:80", "no address with a port"),
        ("BRIDGE_TELEGRAM_API", "foo", "“foo” is no address; write it like https://api.telegram.org"),
        ("BRIDGE_PUBLIC_URL", "https://", "is no address; write it like https://bridge.example.com"),
        ("BRIDGE_DATA", "a" * 300, "is no path: a name in it has at most 255 characters"),
    ],
)
def test_a_wrong_setting_names_itself(monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=words) as wrong:
        load_settings()
    assert str(wrong.value).startswith(f"{name}:")


@pytest.mark.parametrize(
    ("listen", "apps"),
    [
        ("127.0.0.1:1", "open"),
        ("127.8.8.8:1", "open"),
        ("[::1]:1", "open"),
        ("localhost:1", "open"),
        ("0.0.0.0:1", "listed"),
        ("[::]:1", "listed"),
        ("192.0.2.1:1", "listed"),
        ("list.example:1", "listed"),
    ],
)
def test_any_application_is_taken_on_loopback_only(listen: str, apps: str) -> None:
    assert load_settings(listen=listen).apps_taken == apps
    assert load_settings(listen=listen, apps="open").apps_taken == "open"


@pytest.mark.parametrize(("given", "missing"), [("tls_cert", "BRIDGE_TLS_KEY"), ("tls_key", "BRIDGE_TLS_CERT")])
def test_a_certificate_without_its_key_is_told(given: str, missing: str) -> None:
    with pytest.raises(ConfigError, match=f"^{missing}: a certificate and its key belong together"):
        load_settings(**{given: "some.pem"})


def test_approving_everything_is_for_loopback_only() -> None:
    assert load_settings(auto_approve=True).auto_approve
    with pytest.raises(ConfigError, match="BRIDGE_AUTO_APPROVE: it lets anybody in who reaches the server"):
        load_settings(auto_approve=True, listen="0.0.0.0:8080")


def test_a_misspelt_variable_is_noticed() -> None:
    assert unknown_variables({"BRIDGE_TELEGRAM_TOKN": "x", "BRIDGE_DATA": "d", "PATH": "p"}) == [
        "BRIDGE_TELEGRAM_TOKN is set but means nothing; did you mean BRIDGE_TELEGRAM_TOKEN?"
    ]


def test_a_secret_never_shows_in_a_repr() -> None:
    settings = load_settings(token="canary-token", telegram_token="canary-bot")
    assert "canary" not in repr(settings)


def test_a_line_of_the_env_file_that_sets_nothing_is_told_and_not_repeated(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# a remark\n\nBRIDGE_TZ=UTC\nBRIDGE_TOKEN: canary\n")
    assert doubts() == [".env, line 4, means nothing; write it like BRIDGE_TZ=Europe/Berlin"]


@pytest.mark.parametrize("content", [b"BRIDGE_TZ=\xff\xfe", b"\xff\xfeB\x00R\x00"])
def test_an_env_file_that_is_no_text_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(ConfigError, match="^.env cannot be read .it is not UTF-8.$"):
        load_settings()


WRONG = st.one_of(
    st.sampled_from(
        ["x", "-", "²", "nan", "1e999", "http://[", "a" * 300, "\x1b[31mred", "two\nlines", "0", "-1", "::", "*"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=80),
)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
@given(wrong=WRONG)
@hypothesis.settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_variable_is_taken_or_answered_by_one_line_of_ours(name: str, wrong: str) -> None:
    variable = f"BRIDGE_{name.upper()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, wrong)
        try:
            load_settings()
        except ConfigError as error:
            told = str(error)
        else:
            return
    assert told.startswith((f"{variable}: ", "BRIDGE_TLS_"))
    assert told.isprintable()
    assert not re.search(r"[Ii]nput|valid|parse|literal|instance|string|integer", told.replace(wrong, ""))
    if "belong together" not in told and "takes BRIDGE_TELEGRAM_ALLOW_ANYONE" not in told:
        quoted = re.search("“(.*?)…?” (is|names) n", told)
        assert quoted
        assert quoted[1] in "".join(sign if sign.isprintable() else "�" for sign in wrong)


@pytest.mark.parametrize("name", ["token", "telegram_token"])
@pytest.mark.parametrize("secret", ["canary-7d1f", "canary 7d1f", "canary\n7d1f", "12:canary-7d1f", "canäry-7d1f"])
def test_a_secret_that_is_wrong_is_not_repeated(
    name: str, secret: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(f"BRIDGE_{name.upper()}", secret)
    monkeypatch.setenv("BRIDGE_RESERVE", "wrong, too")
    said = CliRunner().invoke(cli, ["check"]).output
    monkeypatch.setenv("BRIDGE_RESERVE", "10")
    said += CliRunner().invoke(cli, ["check"]).output + CliRunner().invoke(cli, ["doctor"]).output
    (tmp_path / "secret").write_text(secret)
    monkeypatch.delenv(f"BRIDGE_{name.upper()}")
    monkeypatch.setenv(f"BRIDGE_{name.upper()}_FILE", str(tmp_path / "secret"))
    said += CliRunner().invoke(cli, ["check"]).output
    assert "BRIDGE_RESERVE: “wrong, too” is no whole number from 0 to 90" in said
    assert "7d1f" not in said


def test_a_secret_of_the_rule_file_may_stand_in_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rules = 'destinations: {there: {type: pocket, base_url: "http://a.example", consumer_key: a, access_token: {env: MINE}}}'
    (tmp_path / "rules.yaml").write_text(rules)
    with pytest.raises(ConfigError, match="MINE is not set"):
        check(load_settings())
    (tmp_path / ".env").write_text("MINE=secret\n")
    before = opened(check(load_settings()))
    monkeypatch.setenv("MINE", "the environment comes first")
    assert opened(check(load_settings())) != before
