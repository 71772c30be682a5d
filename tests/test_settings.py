"""Settings come from the environment, from .env and from files, and a wrong one is a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.settings import load_settings, unknown_variables


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_nothing_configured_is_fine() -> None:
    settings = load_settings()
    assert (settings.data, settings.host, settings.port) == (Path("data"), "127.0.0.1", 8080)
    assert settings.telegram_allow == {}


def test_an_empty_path_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATA", "RULES", "TLS_CERT", "TLS_KEY"):
        monkeypatch.setenv(f"BRIDGE_{name}", "")
    settings = load_settings()
    assert (settings.data, settings.rules) == (Path("data"), Path("rules.yaml"))
    assert (settings.tls_cert, settings.tls_key) == (None, None)


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
        ("BRIDGE_TELEGRAM_SCHEMELESS", "yes", "should be 'sense', 'all' or 'never'"),
        ("BRIDGE_LISTEN", "8080", "no address with a port"),
        ("BRIDGE_LISTEN", "127.0.0.1:99999", "no address with a port"),
        ("BRIDGE_ALLOW_NETS", "home", "is not a network"),
        ("BRIDGE_LOG_LEVEL", "LOUD", "must be DEBUG"),
        ("BRIDGE_TZ", "Mars/Olympus", "is no time zone"),
        ("BRIDGE_TZ", "../passwd", "is no time zone"),
        ("BRIDGE_APPS", "some", "should be '', 'open' or 'listed'"),
        ("BRIDGE_LIMIT_USER", "0", "greater than or equal to 1"),
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
