"""Streams for tests: an upstream that takes every upgrade, a handshake, an upstream that counts what it is sent."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Self

from tests.gateway.doubles import SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SWITCHING: Final = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"


class Sockets:
    """Switches protocols and sends back every byte: frames are the business of the two ends. `…/no` declines."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self.port = 0
        self.head = b""
        self.behind_declined = b""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.head = await reader.readuntil(b"\r\n\r\n")
            if b"/no HTTP/1.1\r\n" in self.head:
                writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno")
                self.behind_declined = await reader.read()
            else:
                writer.write(_SWITCHING)
            while frames := await reader.read(65536):
                writer.write(frames)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@asynccontextmanager
async def handshake(
    port: int, target: str, token: str = "good"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A WebSocket behind its handshake (RFC 6455 §4.1), while the block runs."""
    fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(SECONDS):
            head = f"GET {target} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n{fields}{key}\r\n"
            writer.write(head.encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            yield reader, writer
    finally:
        writer.close()
