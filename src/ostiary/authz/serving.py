"""How a worker listens: a Unix socket for its own user, and uvicorn as Envoy's questions want it."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostiary.integrations.wire import App

_KEEP_ALIVE_SECONDS: Final = 120  # Envoy closes after 60, so no question meets a closing connection
_DRAIN_SECONDS: Final = 10


class Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: two of them run in one process, which has its own."""

    def __init__(self, app: App) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="error",  # a request that is no HTTP is a warning there, and none to us
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_DRAIN_SECONDS,
            )
        )
        self.begun = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, and then `begun`."""
        await super().startup(sockets)
        self.begun.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none: the process's own handlers stay."""
        yield


def bind(path: Path) -> socket.socket:
    """A listening place for our own user alone; what a killed worker left there goes."""
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        bound.bind(str(path))
    finally:
        os.umask(mask)
    return bound
