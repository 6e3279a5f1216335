"""The operators' listener: who reaches it needs no token to hold a connection or to send a header without an end."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ostiary.gateway.faults import StartFault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    from ostiary.config import ListenAddress
    from ostiary.integrations.wire import App

MAX_HEAD_BYTES: Final = 16 * 1024
MAX_CONNECTIONS: Final = 100  # descriptors are the supervisor's: it needs some to reload
IDLE_SECONDS: Final = 5


@contextmanager
def listening(address: ListenAddress) -> Iterator[socket.socket]:
    """Bind before anything is started, so that a taken port is said at once.

    Raises:
        StartFault: it cannot be bound.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is spelled out; without it each answer waits 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address.host, address.port))
            listener.listen(MAX_CONNECTIONS)  # a port that is only bound can still be taken
        except OSError as error:
            raise StartFault(f"operator.listen {address} cannot be bound: {os.strerror(error.errno or 0)}") from None
        yield listener


@asynccontextmanager
async def served(app: App, listener: socket.socket, *, idle_seconds: int = IDLE_SECONDS) -> AsyncIterator[None]:
    """Serve while the block runs. An exchange has twice the time after which an idle connection is closed."""
    config = uvicorn.Config(
        app,
        http=_Bounded,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_keep_alive=idle_seconds,
        timeout_graceful_shutdown=1,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
    )
    server = _Server(config)
    listener.listen()  # whoever comes before the server has begun waits for it
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait([serving])


class _Server(uvicorn.Server):
    """Signals are the command's, not the server's."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave them alone."""
        yield


class _Bounded(H11Protocol):
    """A connection that no client can hold.

    uvicorn waits for ever for the end of a head, or of a body that is answered already, and for a client that does not
    read. Here each exchange has its time, from the end of the one before until the answer is handed over, and the rest
    of the last answer has as much again; whatever is sent meanwhile.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # narrowed by uvicorn
        super().connection_made(transport)
        self._arm()
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(2 * self.timeout_keep_alive, self.transport.abort)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
