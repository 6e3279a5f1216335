"""A listener: an ASGI application on one loopback port, served by uvicorn in a thread of its own.

The port is the listener's from the first `start` to `close`; it answers only between `start` and `stop`. A stopped
listener keeps its port bound without listening, so connections are refused by the operating system itself, nobody
else gets the port, and the next `start` is found at the same URL. No signal handler is installed and no logging is
configured: other things run in this process.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, Protocol

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

_START_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 10.0
_GRACE_SECONDS: Final = 1  # what is still streaming after this is cut


class Served(Protocol):
    """What `serve` can serve."""

    def start(self) -> str:
        """Begin to answer; the base URL, without a trailing slash."""
        ...

    def close(self) -> None:
        """Stop for good."""
        ...


@contextmanager
def serve(served: Served) -> Iterator[str]:
    """Serve while the block runs; yields the base URL. Entering and leaving block, each for seconds at most."""
    base_url = served.start()
    try:
        yield base_url
    finally:
        served.close()


class Listener:
    """An ASGI application on a loopback port.

    `start`, `stop` and `close` are one owner's to call, one after the other; they block for seconds at most.

    Args:
        make: makes the application, with the lifespan protocol as Starlette's have it. Called at each `start`: an MCP
            server's lives only once.
        host: a loopback address, written as an address: a name can come to mean another one.
        port: 0 lets the operating system choose.
        product: the `Server` header of every answer.

    Raises:
        ValueError: `host` is not a loopback address.
    """

    def __init__(
        self,
        make: Callable[[], ASGIApp],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        product: str = "ostiary-demo",
    ) -> None:
        if not _is_loopback(host):
            raise ValueError(f"{host!r} is not a loopback address; this listens on loopback only")
        self._host = host
        self._port = port
        self._make = make
        self._product = product
        self._bound: socket.socket | None = None
        self._running: tuple[_Server, threading.Thread] | None = None

    @property
    def base_url(self) -> str:
        """Scheme, address and port, without a trailing slash.

        Raises:
            RuntimeError: never started, and the port is still to be chosen.
        """
        if self._port == 0:
            raise RuntimeError("the port is not known before the first start")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def start(self) -> str:
        """Listen and answer; does nothing when that is already so.

        Returns:
            The base URL.

        Raises:
            OSError: the port is taken.
            RuntimeError: the application did not start.
        """
        if self._running is None:
            bound = self._bound or self._bind()
            self._bound = None
            server = _Server(self._config())
            thread = threading.Thread(target=server.run, args=([bound],), name=self.base_url, daemon=True)
            thread.start()
            if not server.settled.wait(_START_SECONDS) or not server.started:
                server.should_exit = True
                bound.close()
                raise RuntimeError(f"nothing came up at {self.base_url}")
            self._running = (server, thread)
        return self.base_url

    def stop(self) -> None:
        """Stop listening, close every connection, keep the port; does nothing when already stopped.

        Raises:
            RuntimeError: the thread did not end in time.
        """
        if self._running is None:
            return
        server, thread = self._running
        self._running = None
        server.should_exit = True
        thread.join(_STOP_SECONDS)
        if thread.is_alive():
            raise RuntimeError(f"{self.base_url} did not stop")
        self._bound = self._bind()

    def close(self) -> None:
        """Stop, and give the port back."""
        self.stop()
        if self._bound is not None:
            self._bound.close()
            self._bound = None

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self._make,
            factory=True,
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="on",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            headers=[("Server", self._product)],
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # asyncio sets TCP_NODELAY only where the protocol is spelled out; without it every answer waits 40 ms.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            # Connections of the last run may still be in TIME_WAIT.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self._host, self._port))
        except OSError:
            bound.close()
            raise
        self._port = bound.getsockname()[1]
        return bound


class _Server(uvicorn.Server):
    """uvicorn's server, which also says when starting has ended, well (`started`) or not."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            with suppress(SystemExit):  # how uvicorn ends a start that failed
                super().run(sockets)
        finally:
            self.settled.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.settled.set()


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        return address == IPv6Address("::1")  # ::ffff:127.0.0.1 counts or not, by the version of Python
    return address.is_loopback
