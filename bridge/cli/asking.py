"""How a command asks: the running process, or a bridge of its own when none runs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from bridge.errors import BridgeError, ConfigError

# A host with a dot, not an address of mail, and no scheme in front.
_BARE_ADDRESS = re.compile(r"[^\s/:@?#.][^\s/:@?#]*\.[^\s/:@?#.\d][^\s/:@?#.]*(:\d+)?([/?#]\S*)?")

# What tells and takes away what is stored; the rule file may be broken then.
_WITHOUT_RULES = frozenset({"why", "status", "queue", "dead", "audit", "backup", "list"})


def typed_address(what: str) -> str:
    """What a person typed; an address may lack its scheme."""
    return f"https://{what.strip()}" if _BARE_ADDRESS.fullmatch(what.strip()) else what


NUMBER = click.IntRange(1, 2**63 - 1)
"""The number of a link, a request, a token: what a database can hold."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print plain JSON for scripts.")


def current_settings() -> Any:
    from bridge.settings import load_settings

    return load_settings()


def look(
    command: str,
    arguments: Mapping[str, Any],
    in_words: Callable[[Any], Sequence[str]],
    *,
    as_json: bool,
    of_rules: bool = False,
) -> Any:
    """Asks and shows what is there; people are told when nothing is at work on it. Looking sets nothing to work, and
    makes nothing; `of_rules`: see `ask`."""
    answer = ask(command, arguments, tell_idle=not as_json, looks=True, of_rules=of_rules)
    show(answer, in_words, as_json=as_json)
    return answer


def ask(
    command: str,
    arguments: Mapping[str, Any],
    *,
    tell_idle: bool = False,
    looks: bool = False,
    of_rules: bool = False,
) -> Any:
    """Asks the running process, or does it here when none runs.

    `looks`: without sending what waits. Where no bridge ever was that is refused, or, `of_rules`, answered by what the
    rule file alone can tell.
    """
    from bridge import control

    settings = current_settings()
    with contextlib.suppress(ConnectionError):
        return control.ask(settings.data, command, arguments)
    if looks and of_rules and _is_nowhere(settings.data):
        return _by_rules_alone(settings, command, arguments, tell=tell_idle)
    if looks:
        _refuse_nowhere(settings.data)
    if tell_idle:
        click.echo(f"(pocket-bridge is not running; this is what lies in {settings.data})", err=True)
    with control.own(settings.data):
        return asyncio.run(_alone(settings, command, arguments, looks=looks))


def tell_until_it_runs(words: str) -> None:
    """What waits for a running process, told to a person when there is none."""
    from bridge import control

    if not control.runs(current_settings().data):
        click.echo(f"(pocket-bridge is not running: {words} at the next “pocket-bridge run”)", err=True)


@contextlib.contextmanager
def conversation(*, looks: bool = False) -> Iterator[Callable[[str, Mapping[str, Any]], Any]]:
    """Asks one thing after another: the running process, or a bridge that lives as long as this when none runs.

    `looks`: as in `ask`, and the rule file may be broken.
    """
    from bridge import control

    settings = current_settings()
    if looks:
        _refuse_nowhere(settings.data)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(control.own(settings.data))
        except control.Running:
            yield functools.partial(_of_running, settings.data)
            return
        runner = stack.enter_context(asyncio.Runner())
        house = contextlib.AsyncExitStack()
        stack.callback(lambda: runner.run(house.aclose()))
        desk = runner.run(_opened(house, settings, looks=looks))
        yield lambda command, arguments: runner.run(desk.handle(command, arguments))


async def _opened(house: contextlib.AsyncExitStack, settings: Any, *, looks: bool) -> Any:
    from bridge.wiring import open_bridge

    bridge = await house.enter_async_context(
        open_bridge(settings, _rules_to_look_by(settings) if looks else None, looks=looks)
    )
    if not looks:
        await house.enter_async_context(bridge.working())
    return bridge.desk


def _of_running(data: Path, command: str, arguments: Mapping[str, Any]) -> Any:
    from bridge import control

    try:
        return control.ask(data, command, arguments)
    except OSError:
        raise BridgeError("the running pocket-bridge stopped; run this once more, nothing is added twice") from None


async def _alone(settings: Any, command: str, arguments: Mapping[str, Any], *, looks: bool) -> Any:
    from bridge.wiring import open_bridge

    rule_file = _rules_to_look_by(settings) if looks and command in _WITHOUT_RULES else None
    async with (
        open_bridge(settings, rule_file, looks=looks) as bridge,
        contextlib.nullcontext() if looks else bridge.working(),
    ):
        return await bridge.desk.handle(command, arguments)


def _by_rules_alone(settings: Any, command: str, arguments: Mapping[str, Any], *, tell: bool) -> Any:
    """A bridge in a folder that is gone afterwards: looking makes nothing."""
    if tell:
        click.echo(f"(there is no bridge in {settings.data} yet; this is what the rule file alone tells)", err=True)
    with tempfile.TemporaryDirectory(prefix="pocket-bridge-") as folder:
        elsewhere = settings.model_copy(update={"data": Path(folder)})
        return asyncio.run(_alone(elsewhere, command, arguments, looks=True))


def _is_nowhere(data: Path) -> bool:
    """Whether no bridge ever was there."""
    from bridge import control
    from bridge.wiring import DATABASE

    control.check(data)
    return not control.runs(data) and not any((data / name).exists() for name in (DATABASE, "ballast"))


def _refuse_nowhere(data: Path) -> None:
    """Looking makes nothing where no bridge ever was."""
    if _is_nowhere(data):
        raise BridgeError(
            f"there is no bridge in {data} yet: “pocket-bridge run” makes one; BRIDGE_DATA names the folder"
        )


def _rules_to_look_by(settings: Any) -> Any:
    """The rule file; none, and a word to the person, when it is broken: what is stored can be seen without it."""
    from bridge import declared, rules

    try:
        return declared.usable_rules(settings)
    except ConfigError as error:
        told = "(the rule file cannot be used; this is told without it, as if its destinations were gone:)"
        click.echo(f"{told}\n{error}", err=True)
        return rules.EMPTY


def show(answer: Any, in_words: Callable[[Any], Sequence[str]], *, as_json: bool, err: bool = False) -> None:
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    for line in in_words(answer):
        click.echo(line, err=err)
