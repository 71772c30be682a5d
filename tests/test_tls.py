"""HTTPS for clients that will not speak to anything else, and sentences for certificates that are none."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bridge.declared import check
from bridge.errors import ConfigError
from bridge.settings import load_settings
from bridge.web.server import Server, check_certificate, listen

HOST = "getpocket.com"


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for Pocket's own name, as a person makes it for a machine of theirs."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate, and it is not installed")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split()
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST},DNS:api.{HOST}"]
    subprocess.run([openssl, *make, *names, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


async def test_a_client_that_knows_only_pockets_address_is_answered_over_https(pems: tuple[Path, Path]) -> None:
    async def said(request: Request) -> Response:
        return PlainTextResponse(f"{request.url.scheme} {request.headers['host']}")

    with listen("127.0.0.1", 0) as listener:
        server = Server(Starlette(routes=[Route("/", said)]), cert=pems[0], key=pems[1])
        serving = asyncio.create_task(server.serve([listener]))
        address = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        trusting = ssl.create_default_context(cafile=pems[0])
        async with httpx.AsyncClient(verify=trusting, trust_env=False) as http:
            while not server.started:
                await asyncio.sleep(0)
            answer = await http.get(address, headers={"Host": HOST}, extensions={"sni_hostname": HOST})
            with pytest.raises(httpx.HTTPError):
                await http.get(address.replace("https", "http"))
        server.should_exit = True
        await serving

    assert answer.text == f"https {HOST}"


def test_a_certificate_is_looked_at_before_anything_starts(pems: tuple[Path, Path], tmp_path: Path) -> None:
    check_certificate(*pems)
    settings = load_settings(rules=tmp_path / "none.yaml", tls_cert=pems[0], tls_key=pems[0])
    with pytest.raises(ConfigError, match="no certificate with its key"):
        check(settings)


def test_what_is_no_certificate_is_a_sentence(pems: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a certificate")
    with pytest.raises(ConfigError, match="both as PEM"):
        check_certificate(tmp_path / "text", pems[1])
    with pytest.raises(ConfigError, match=f"{tmp_path / 'gone'} is not there"):
        check_certificate(pems[0], tmp_path / "gone")
    with pytest.raises(ConfigError):
        check_certificate(tmp_path, pems[1])
