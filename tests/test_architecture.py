"""The floors of the house: imports point down, nothing goes in circles, plugs do not know each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "bridge"

# From the ground up. A module imports from lower floors, or from its own room.
FLOORS: list[list[str]] = [
    ["bridge"],
    ["bridge.errors", "bridge.pocket", "bridge.scan", "bridge.values"],
    ["bridge.variables"],
    [
        *(
            "bridge.accounts",
            "bridge.passwords",
            "bridge.link",
            "bridge.budget",
            "bridge.delivery",
            "bridge.reading_list",
        ),
        *("bridge.settings", "bridge.logs", "bridge.page", "bridge.child"),
    ],
    ["bridge.titles", "bridge.gate"],
    ["bridge.rules", "bridge.record"],
    ["bridge.ports", "bridge.exports"],
    [
        *("bridge.needs", "bridge.net", "bridge.pages", "bridge.store", "bridge.destinations", "bridge.suspects"),
        "bridge.calls",
        "bridge.web",
    ],
    ["bridge.sources"],
    [
        "bridge.intake",
        "bridge.lookup",
        "bridge.sender",
        "bridge.reporter",
        "bridge.supervisor",
        "bridge.desk",
        "bridge.rulebook",
        "bridge.transfer",
        "bridge.users",
        "bridge.upkeep",
        "bridge.control",
    ],
    ["bridge.clerk", "bridge.quarantine"],
    ["bridge.declared", "bridge.tokens"],
    ["bridge.connections", "bridge.optional", "bridge.reload", "bridge.remarks", "bridge.visits"],
    ["bridge.reception"],
    ["bridge.wiring"],
    [
        "bridge.checkup",
        "bridge.first_start",
        "bridge.restoring",
        "bridge.service",
        "bridge.trial",
        "bridge.login",
        "bridge.moving",
        "bridge.words",
    ],
    ["bridge.cli"],
    ["bridge.__main__"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# What stages and plugs must not see of each other: only wiring knows both.
PLUGS = ("bridge.sources", "bridge.destinations", "bridge.store", "bridge.net", "bridge.pages", "bridge.web")
STAGES = tuple(FLOORS[FLOOR["bridge.intake"]])
WIRING = (
    "bridge.wiring",
    "bridge.reception",
    "bridge.connections",
    "bridge.declared",
    "bridge.optional",
    "bridge.reload",
    "bridge.visits",
)


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        yield name.removesuffix(".__init__"), path


def room(module: str) -> str:
    parts = module.split(".")
    return next(".".join(parts[:n]) for n in (2, 1) if ".".join(parts[:n]) in FLOOR)


def plug(module: str) -> str:
    """The third part of its name: bridge.sources.telegram.reply is of the plug “telegram”."""
    return module.split(".")[2]


def imports(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "bridge")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "bridge":
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in KNOWN else node.module


KNOWN = {name for name, _ in modules()}
ARROWS = [(name, target) for name, path in modules() for target in imports(path)]


def test_every_module_has_a_floor() -> None:
    assert {room(name) for name in KNOWN} <= set(FLOOR)
    assert {name for rooms in FLOORS for name in rooms} <= KNOWN


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_imports_point_down(name: str) -> None:
    for source, target in ARROWS:
        if source == name and room(source) != room(target):
            assert FLOOR[room(target)] < FLOOR[room(source)], f"{source} imports {target}"


def test_no_module_imports_in_a_circle() -> None:
    following: dict[str, set[str]] = {name: set() for name in KNOWN}
    for source, target in ARROWS:
        if source != target:
            following[source].add(target)
    while leaves := [name for name, targets in following.items() if not targets & following.keys()]:
        for name in leaves:
            del following[name]
    assert not following, f"these import each other: {sorted(following)}"


def test_stages_do_not_know_plugs() -> None:
    seen = [arrow for arrow in ARROWS if arrow[0] in STAGES and arrow[1].startswith(PLUGS)]
    assert not seen


def test_a_plug_does_not_know_other_plugs_of_its_kind() -> None:
    for kind in ("bridge.sources", "bridge.destinations"):
        for source, target in ARROWS:
            both = source.startswith(f"{kind}.") and target.startswith(f"{kind}.")
            if both and plug(source) != plug(target):
                assert plug(target).startswith("_"), f"{source} imports {target}"


def test_only_wiring_and_what_stands_above_knows_concrete_plugs() -> None:
    for source, target in ARROWS:
        if target.startswith(("bridge.sources.", "bridge.destinations.")):
            assert room(source) in {room(target), *WIRING}, f"{source} imports {target}"


def test_the_pocket_library_stands_alone() -> None:
    foreign = [arrow for arrow in ARROWS if arrow[0].startswith("bridge.pocket") and room(arrow[1]) != "bridge.pocket"]
    assert not foreign


# Whoever imports or calls one of these could open a connection of its own.
CLIENTS = {
    *("httpx", "httpcore", "h11", "h2", "requests", "urllib3", "aiohttp", "websockets", "httptools", "pycurl"),
    *(
        "urllib.request",
        "http.client",
        "ftplib",
        "smtplib",
        "imaplib",
        "poplib",
        "telnetlib",
        "xmlrpc.client",
        "nntplib",
    ),
}
DIALS = {
    *("open_connection", "create_connection", "create_datagram_endpoint", "sock_connect", "urlopen", "getaddrinfo"),
    *("connect_ex", "HTTPConnection", "HTTPSConnection", "AsyncHTTPTransport", "HTTPTransport", "gethostbyname"),
}
LISTENERS = {"bridge.web.server"}
"""Make sockets to listen on. Others may name the type, or make one that is a file, not the network."""

HANDED_A_TRANSPORT = ("bridge.pocket", "bridge.destinations", "bridge.connections")
"""They use httpx, over a transport that net made, or over an application in this process."""


def outgoing(path: Path) -> set[str]:
    """What in a file could lead out."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Attribute):
            found.add(f".{node.attr}")
    return {name for name in found if _leads_out(name)}


def _makes_only_files_of_sockets(path: Path) -> bool:
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    made = [call for call in calls if ast.unparse(call.func) == "socket.socket"]
    return all([ast.unparse(argument) for argument in call.args] == ["socket.AF_UNIX"] for call in made)


def _leads_out(name: str) -> bool:
    if name.startswith("."):
        return name[1:] in DIALS
    parts = name.split(".")
    return parts[0] == "socket" or parts[-1] in DIALS or any(".".join(parts[:n]) in CLIENTS for n in (1, 2))


@pytest.mark.parametrize(("name", "path"), sorted(modules()))
def test_outgoing_connections_are_opened_in_one_place(name: str, path: Path) -> None:
    found = outgoing(path)
    if name in LISTENERS or _makes_only_files_of_sockets(path):
        found -= {"socket"}
    if name.startswith(HANDED_A_TRANSPORT):
        found -= {found_name for found_name in found if found_name.split(".")[0] == "httpx"}
        assert ".AsyncHTTPTransport" not in found
    if room(name) != "bridge.net":
        assert not found, f"{name} could open connections by itself: {found}"


@pytest.mark.parametrize(
    "code",
    [
        "import socket",
        "from socket import create_connection",
        "import asyncio\nasyncio.open_connection('a', 1)",
        "from asyncio import open_connection",
        "loop.create_connection(None)",
        "import http.client",
        "from http import client",
        "from urllib import request",
        "import urllib.request as r",
        "import httpx",
        "from httpcore import AsyncConnectionPool",
        "loop.sock_connect(s, a)",
    ],
)
def test_every_way_to_open_a_connection_is_seen(tmp_path: Path, code: str) -> None:
    (tmp_path / "module.py").write_text(code)
    assert outgoing(tmp_path / "module.py")


def test_whoever_is_handed_a_transport_makes_no_client_without_one() -> None:
    for name, path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                room(name) != "bridge.net"
                and isinstance(node, ast.Call)
                and ast.unparse(node.func)
                in (*("httpx.AsyncClient", "httpx.Client", "httpx.get", "httpx.post", "httpx.request", "httpx.stream"),)
            ):
                assert "transport" in {keyword.arg for keyword in node.keywords}, f"{name}: {ast.unparse(node)}"
