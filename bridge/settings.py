"""Settings: the environment, an `.env` file, and for every setting also the name of a file that holds it."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from bridge.errors import ConfigError
from bridge.values import OURS, amiss, shown
from bridge.variables import ENV, PREFIX, content, given, unread_lines, variable

EVERYBODY = 0
"""In a list of Telegram's ids: anybody. No person or chat has this id."""

_ID = re.compile(r"-?[1-9][0-9]{0,17}", re.ASCII)
_USER = re.compile(r"[a-z0-9_-]{1,20}")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+(%\w+)?\]?", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_WEB = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:[0-9]{1,5})?(/[^\s?#]*)?", re.ASCII)

LONGEST_NAME = 255
"""Bytes in the name of a file or folder; file systems take no longer one."""


class Settings(BaseSettings):
    """Each field is read from BRIDGE_<NAME>, or from the file that BRIDGE_<NAME>_FILE names. Empty ones are not set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV, env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    data: Path = Field(default=Path("data"), description="Folder for the database, the token and the socket.")
    listen: str = Field(default="127.0.0.1:8080", description="Address and port the web server listens on.")
    rules: Path = Field(default=Path("rules.yaml"), description="The rule file; it may be absent.")
    token: SecretStr = Field(
        default=SecretStr(""), description="The owner's token. When empty, one is made and kept in DATA/token."
    )
    telegram_token: SecretStr = Field(default=SecretStr(""), description="The bot's token; turns Telegram on.")
    telegram_api: str = Field(default="https://api.telegram.org", description="Another Bot API server.")
    telegram_allow_anyone: bool = Field(
        default=False, description="Lets BRIDGE_TELEGRAM_ALLOW be *: anybody who finds the bot may save links."
    )
    telegram_answer: Literal["line", "reaction", "silent"] = Field(
        default="line", description="How the bot tells what became of a message: line, reaction or silent."
    )
    public_url: str = Field(
        default="",
        description="Where the internet reaches this server; Telegram and feeds' hubs then bring what is new.",
    )
    telegram_allow: Annotated[Mapping[int, str], NoDecode] = Field(
        default_factory=dict,
        description="Ids of the people and chats the bot listens to, each with =USER where it is not the owner's list.",
    )
    telegram_schemeless: Literal["sense", "all", "never"] = Field(
        default="sense", description="Addresses without https://: hosts but no file names (sense), all, or never."
    )
    allow_nets: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Private networks that may be fetched from, comma-separated, like 192.168.1.0/24."
    )
    feed_at_once: int = Field(
        default=50, ge=1, le=10**6, description="Most entries of a feed taken at one poll; the others follow later."
    )
    pages: Literal["on", "rules", "off"] = Field(
        default="on",
        description="Which pages are looked at: on, for a missing title and where a rule asks; rules, only these; off.",
    )
    page_wait: float = Field(
        default=20.0, ge=1.0, le=600.0, description="Seconds a link waits for its page, from the first look at it."
    )
    apps: Literal["", "open", "listed"] = Field(
        default="",
        description="Whose consumer keys the Pocket API takes: open, any; listed, those of `pocket-bridge apps`.",
    )
    auto_approve: bool = Field(default=False, description="Approve every Pocket sign-in at once; on loopback only.")
    signup: bool = Field(default=False, description="Let anybody become a user by version 2 of the Pocket API.")
    limit_user: int = Field(default=320, ge=1, le=10**9, description="Pocket API calls a user has in an hour.")
    limit_key: int = Field(default=10_000, ge=1, le=10**9, description="Pocket API calls a key has in an hour.")
    batch_wait: float = Field(
        default=0.0, ge=0, le=3600, description="Seconds a link may wait for others to leave with it."
    )
    reserve: int = Field(
        default=10, ge=0, le=90, description="Percent of every service's limit kept for what is sent by hand."
    )
    tls_cert: Path | None = Field(default=None, description="Certificate chain (PEM); turns HTTPS on.")
    tls_key: Path | None = Field(default=None, description="The certificate's private key (PEM).")
    tz: str = Field(default="UTC", description="The time zone of hours and days in rules, like Europe/Berlin.")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @field_validator("data", "rules", "tls_cert", "tls_key")
    @classmethod
    def _path(cls, value: Path | None) -> Path | None:
        if value and ("\0" in str(value) or any(len(os.fsencode(part)) > LONGEST_NAME for part in value.parts)):
            raise ValueError(f"{shown(value)} is no path: a name in it has at most {LONGEST_NAME} characters")
        return value

    @field_validator("telegram_allow", mode="before")
    @classmethod
    def _ids(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        entries = [_entry(part.strip()) for part in value.split(",") if part.strip()]
        allow = dict(entries)
        if EVERYBODY in allow and not info.data.get("telegram_allow_anyone"):
            raise ValueError("* lets anybody write to the bot: it takes BRIDGE_TELEGRAM_ALLOW_ANYONE=1 as well")
        for number, account in entries:
            if allow[number] != account:
                raise ValueError(f"{number} is there twice, with two lists: an id has one")
        return allow

    @field_validator("allow_nets", mode="before")
    @classmethod
    def _nets(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        nets = tuple(part.strip() for part in value.split(",") if part.strip())
        for part in nets:
            try:
                ipaddress.ip_network(part, strict=False)
            except ValueError:
                raise ValueError(f"{shown(part)} is not a network; write it like 192.168.1.0/24") from None
        return nets

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        address, _, port = value.rpartition(":")
        if not _HOST.fullmatch(address) or not _PORT.fullmatch(port) or int(port) > 65535:
            raise ValueError(f"{shown(value)} is no address with a port, like 127.0.0.1:8080 or [::1]:8080")
        return value

    @field_validator("public_url", "telegram_api")
    @classmethod
    def _web(cls, value: str, info: ValidationInfo) -> str:
        if value and not _WEB.fullmatch(value):
            usual = cls.model_fields[str(info.field_name)].default or "https://bridge.example.com"
            raise ValueError(f"{shown(value)} is no address; write it like {usual}")
        return value.rstrip("/")

    @field_validator("tz")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
            return value
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ValueError(f"{shown(value)} is no time zone; write it like Europe/Berlin") from None

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError(f"{shown(value)} is not DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.auto_approve and not self.on_loopback:
            words = "it lets anybody in who reaches the server: only with BRIDGE_LISTEN on 127.0.0.1 or [::1]"
            raise _refused("auto_approve", words)
        if (self.tls_cert is None) != (self.tls_key is None):
            raise _refused(
                "tls_key" if self.tls_cert else "tls_cert", "a certificate and its key belong together: name both"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del file_secret_settings
        return init_settings, env_settings, dotenv_settings, _FileSource(settings_cls)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.tz)

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @property
    def on_loopback(self) -> bool:
        """Whether nobody but this machine reaches the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def apps_taken(self) -> Literal["open", "listed"]:
        """As set; otherwise open on loopback, and listed where others may come."""
        return self.apps or ("open" if self.on_loopback else "listed")


def _entry(written: str) -> tuple[int, str]:
    """An id, and the user whose list is meant: "" for the owner's."""
    number, wanted, account = (part.strip() for part in written.partition("="))
    if wanted and not _USER.fullmatch(account):
        raise ValueError(
            f"{shown(written)} names no user: write it like 456=anna, with a name of `pocket-bridge users`"
        )
    if number == "*":
        return EVERYBODY, account
    if not _ID.fullmatch(number):
        raise ValueError(f"{shown(number)} is not an id: ids are numbers like 42 or -100123, never user names")
    return int(number), account


def _refused(name: str, words: str) -> ValidationError:
    reason = PydanticCustomError(OURS, "{words}", {"words": words})
    problem = InitErrorDetails(type=reason, loc=(name,), input=None)
    return ValidationError.from_exception_data("Settings", [problem])


class _FileSource(PydanticBaseSettingsSource):
    """BRIDGE_TOKEN_FILE=/run/secrets/token: the way container secrets come."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        del field
        path = given().get(variable(field_name, "_FILE"))
        return (content(field_name, path) if path else ""), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(None, name)[0] for name in self.settings_cls.model_fields}
        return {name: value for name, value in values.items() if value}


def load_settings(**given: Any) -> Settings:
    """Raises ConfigError naming each variable that is wrong, what it is, what would be right; never a secret."""
    try:
        return Settings(**given)
    except ValidationError as error:
        raise ConfigError("\n".join(_problem(dict(problem)) for problem in error.errors())) from None
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{ENV} cannot be read ({getattr(error, 'strerror', None) or 'it is not UTF-8'})") from None


def _problem(problem: Mapping[str, Any]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    variables, file = given(), variable(name, "_FILE")
    where = file if variables.get(file) and not variables.get(variable(name)) else variable(name)
    return f"{where}: {amiss(problem, Settings.model_fields.get(name))}"


def doubts() -> list[str]:
    """One sentence for everything that was written and means nothing."""
    return [*unknown_variables(given()), *unread_lines()]


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """One sentence for every BRIDGE_ variable that means nothing, with what was probably meant."""
    names = [variable(name) for name in Settings.model_fields]
    known = {*names, *(f"{name}_FILE" for name in names)}
    return [
        f"{name} is set but means nothing{_meant(name, known)}"
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known
    ]


def _meant(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), 1)
    return f"; did you mean {close[0]}?" if close else ""
