"""An ASGI application behind a real uvicorn, and a client of bytes."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import uvicorn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from ostiary.integrations.wire import App

SECONDS: Final = 10.0  # no wait is longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client got; header names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a name."""
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str:
        """The only value of a name."""
        (value,) = self.all(name)
        return value


@dataclass(frozen=True, slots=True)
class Served:
    """Where the application is."""

    place: tuple[str, int] | Path

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection."""
        if isinstance(self.place, tuple):
            return await asyncio.open_connection(*self.place)
        return await asyncio.open_unix_connection(self.place)

    async def send(self, *parts: bytes) -> Answer:
        """Send bytes, each part when the one before is gone, and read until the other side closes."""
        reader, writer = await self.connect()
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            data = await asyncio.wait_for(reader.read(-1), SECONDS)
        finally:
            writer.close()
        return parse_answer(data)

    async def ask(self, target: str, fields: bytes = b"Host: bkapi.example.com\r\n", *, method: str = "GET") -> Answer:
        """One request without a body; `fields` are whole lines."""
        line = f"{method} {target} HTTP/1.1\r\n".encode("latin-1")
        return await self.send(line + fields + b"Connection: close\r\n\r\n")


def parse_answer(data: bytes) -> Answer:
    """The one answer in these bytes; its body is all that follows."""
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    pairs = [field.partition(":") for field in fields]
    return Answer(
        status=int(line.split(" ")[1]),
        headers=tuple((name.lower(), value.strip()) for name, _, value in pairs),
        body=body,
    )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: App, *, http: str = "httptools", at: Path | None = None) -> AsyncIterator[Served]:
    """Serve while the block runs: on loopback, or on a Unix socket."""
    listener = socket.socket(socket.AF_INET if at is None else socket.AF_UNIX)
    listener.bind(("127.0.0.1", 0) if at is None else str(at))
    place = listener.getsockname() if at is None else at
    server = _Server(
        uvicorn.Config(
            app,
            http=http,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
    running = asyncio.create_task(server.serve([listener]))
    try:
        await asyncio.wait_for(server.begun.wait(), SECONDS)
        yield Served(place)
    finally:
        server.should_exit = True
        await asyncio.wait_for(running, SECONDS)
