"""Real HTTP on loopback for tests: an ASGI application on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from starlette.types import ASGIApp

from bridge.web.server import Server, listen


@contextlib.asynccontextmanager
async def serve(app: ASGIApp, **limits: Any) -> AsyncIterator[str]:
    """Serves until the block ends; yields the origin, like http://127.0.0.1:41234."""
    with listen("127.0.0.1", 0) as listener:
        server = Server(app, **limits)
        serving = asyncio.create_task(server.serve([listener]))
        try:
            while not server.started:
                await asyncio.sleep(0)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
