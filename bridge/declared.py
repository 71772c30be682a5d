"""What the rule file declares, made real: destinations connected, hooks with their secrets.

A destination of `type: x` is bridge.destinations.x; a dotted type is somebody's own module.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import importlib
import json
import os
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge import destinations, rules
from bridge.errors import ConfigError
from bridge.net import Net
from bridge.ports import Destination
from bridge.rules import READING, RuleFile
from bridge.settings import Settings
from bridge.sources.feeds.followers import Follower
from bridge.sources.webhooks.source import Hook
from bridge.values import amiss
from bridge.variables import ENV, PREFIX, given
from bridge.web.server import check_certificate

KINDS = sorted(module.name for module in pkgutil.iter_modules(destinations.__path__) if module.name[0] != "_")
"""Looked up once: the files of a process may be replaced under it."""


def load_rules(settings: Settings) -> RuleFile:
    """The rule file, or an empty one when there is none. Raises ConfigError with place and meaning."""
    try:
        content = settings.rules.read_bytes()
    except FileNotFoundError:
        return rules.EMPTY
    except OSError as error:
        raise ConfigError(f"{settings.rules} cannot be read: {error.strerror}") from None
    return rules.load(content, name=str(settings.rules))


def check(settings: Settings) -> RuleFile:
    """As much as can be known without starting: rule file, its tests, and every destination's options."""
    if settings.tls_cert and settings.tls_key:
        check_certificate(settings.tls_cert, settings.tls_key)
    if token := settings.telegram_token.get_secret_value():
        api = importlib.import_module("bridge.sources.telegram.api")
        api.BotApi(Net().trusting(settings.telegram_api), token=token, api=settings.telegram_api)
    return usable_rules(settings)


def usable_rules(settings: Settings) -> RuleFile:
    """As `tested_rules`, and everything can be opened that the file names."""
    rule_file = tested_rules(settings)
    net = Net()
    for name in rule_file.destinations:
        connect(rule_file, name, net)
    hooks(rule_file)
    followers(rule_file)
    notify_address(rule_file)
    return rule_file


def tested_rules(settings: Settings) -> RuleFile:
    """As `load_rules`, and the tests in the file come true. A file that a variable names is there."""
    if is_named(settings.rules) and not settings.rules.exists():
        raise ConfigError(f"{PREFIX}RULES names {settings.rules}, and there is no such file: write it, or unset it")
    rule_file = load_rules(settings)
    if failures := rules.failures(rule_file):
        raise ConfigError("\n".join(failures))
    return rule_file


def is_named(file: Path) -> bool:
    """Whether a variable names this rule file."""
    return file == Path(given().get(f"{PREFIX}RULES") or os.devnull)


def connect(rule_file: RuleFile, name: str, net: Net) -> Destination:
    """The destination `name` of the rule file. Raises ConfigError at the place in the file that is wrong."""
    written = dict(rule_file.destinations[name])
    module = plug(rule_file, name)
    options = _options(rule_file, name, module.Options, _revealed(rule_file, name, written))
    destination: Destination = module.connect(options, name=name, transport=net.transport(str(options.base_url)))
    return destination


def notify_address(rule_file: RuleFile) -> str:
    """The webhook by which the owner is told what is wrong, "" for none. Raises ConfigError for a missing secret."""
    written = rule_file.notify.webhook
    if isinstance(written, str):
        return written
    return str(_secret(rule_file, ("notify", "webhook"), written))


def hooks(rule_file: RuleFile) -> list[Hook]:
    """The hooks of the rule file with their secrets. Raises ConfigError at the place in the file that is wrong."""
    return [_hook(rule_file, number) for number in range(len(rule_file.hooks))]


def secret_files(rule_file: RuleFile) -> list[Path]:
    """The files that the rule file names for secrets."""
    written: list[object] = [rule_file.notify.webhook]
    written += [option for options in rule_file.destinations.values() for option in options.values()]
    written += [reference for hook in rule_file.hooks for reference in hook.secret]
    written += [reference for feed in rule_file.feeds for reference in (*feed.headers.values(), feed.password)]
    return [Path(one["file"]) for one in written if isinstance(one, Mapping) and isinstance(one.get("file"), str)]


def opened(rule_file: RuleFile) -> tuple[object, ...]:
    """What of a rule file is opened when everything is, its secrets among it: other than before, it is to be opened
    anew. Raises ConfigError as `connect` does."""
    names = {name: fingerprint(rule_file, name) for name in rule_file.destinations}
    return names, rule_file.notify, notify_address(rule_file)


def _hook(rule_file: RuleFile, number: int) -> Hook:
    path, written = ("hooks", number, "secret"), rule_file.hooks[number]
    found = [str(_secret(rule_file, path, reference)).encode() for reference in written.secret]
    try:
        return Hook.of(written, found)
    except ConfigError as error:
        raise rule_file.problem(path, str(error)) from None


def followers(rule_file: RuleFile) -> list[Follower]:
    """The owner's feeds of the rule file, private ones with their secrets. Raises ConfigError at the place that is
    wrong."""
    return [_follower(rule_file, number) for number in range(len(rule_file.feeds))]


def _follower(rule_file: RuleFile, number: int) -> Follower:
    feed, path = rule_file.feeds[number], ("feeds", number)
    secrets = {
        name: str(_secret(rule_file, (*path, "headers", name), reference)) for name, reference in feed.headers.items()
    }
    if feed.user:
        password = _secret(rule_file, (*path, "auth", "password"), feed.password)
        secrets["authorization"] = "Basic " + base64.b64encode(f"{feed.user}:{password}".encode()).decode()
    for name, secret in secrets.items():
        if not secret.isprintable() or not secret.isascii():
            raise rule_file.problem((*path, "headers", name), f"the secret of “{name}” has signs no header can hold")
    return Follower(feed=feed, secrets=secrets)


def plug(rule_file: RuleFile, name: str) -> Any:
    """The module of the destination `name` of the rule file. Raises ConfigError as `connect` does."""
    kind = str(rule_file.destinations[name].get("type", ""))
    path = ("destinations", name, "type")
    if kind in KINDS:
        try:
            return importlib.import_module(f"bridge.destinations.{kind}")
        except ModuleNotFoundError:
            raise ConfigError(f"pocket-bridge was installed anew under this process: restart it ({kind})") from None
    if "." in kind:
        try:
            return importlib.import_module(kind)
        except ModuleNotFoundError:
            raise rule_file.problem(path, f"there is no module “{kind}”") from None
    close = difflib.get_close_matches(kind, KINDS, 1)
    meant = close[0] if close else f"one of: {', '.join(KINDS)}"
    raise rule_file.problem(path, f"there is no destination of type “{kind}”", meant)


def _options(rule_file: RuleFile, name: str, model: Any, written: Mapping[str, Any]) -> Any:
    try:
        return model.model_validate(written)
    except ValidationError as error:
        problem = error.errors()[0]
        key = str(problem["loc"][0]) if problem["loc"] else ""
        if problem["type"] == "extra_forbidden":
            close = difflib.get_close_matches(key, list(model.model_fields), 1)
            words = f"unknown key “{key}” in destination “{name}”"
            raise rule_file.problem(("destinations", name, key), words, close[0] if close else "") from None
        if problem["type"] == "missing":
            words = f"destination “{name}” needs “{key}”"
            raise rule_file.problem(("destinations", name), words) from None
        words = f"“{key}” of destination “{name}”: {amiss(dict(problem), model.model_fields.get(key))}"
        raise rule_file.problem(("destinations", name, key), words) from None


def _revealed(rule_file: RuleFile, name: str, written: Mapping[str, Any]) -> dict[str, Any]:
    """The options with {env: NAME} and {file: PATH} replaced by what they name."""
    return {
        key: _secret(rule_file, ("destinations", name, key), value) if isinstance(value, Mapping) else value
        for key, value in written.items()
    }


def _secret(rule_file: RuleFile, path: Sequence[str | int], value: Mapping[str, Any]) -> Any:
    match value:
        case {"env": str(variable), **rest} if not rest:
            variables = given()
            if variable not in variables:
                raise rule_file.problem(path, f"the variable {variable} is not set, here or in {ENV}")
            return variables[variable]
        case {"file": str(file), **rest} if not rest:
            try:
                return Path(file).read_text("utf-8").strip()
            except (OSError, UnicodeError) as error:
                raise rule_file.problem(path, f"{file} cannot be read ({type(error).__name__})") from None
        case _:
            return value


def fingerprint(rule_file: RuleFile, name: str) -> str:
    if name not in rule_file.destinations:
        return READING
    options = _revealed(rule_file, name, rule_file.destinations[name])
    return hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode()).hexdigest()[:12]
