"""Upstreams that stream, each with a port while the block runs, and a client's handshake."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from tests.gateway.doubles import SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.doubles import Running

_CHUNK: Final = 1 << 18
_SWITCHING: Final = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"


class _Streaming:
    """A server of one behaviour."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=_CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self.serve(reader, writer)
        writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class Sockets(_Streaming):
    """Switches protocols and sends back every byte: frames are the business of the two ends. `…/no` declines."""

    def __init__(self) -> None:
        super().__init__()
        self.head = b""
        self.behind_declined = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.head = await reader.readuntil(b"\r\n\r\n")
        if b"/no HTTP/1.1\r\n" in self.head:
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno")
            self.behind_declined = await reader.read()
            return
        writer.write(_SWITCHING)
        while frames := await reader.read(_CHUNK):
            writer.write(frames)


class Events(_Streaming):
    """Server-sent events (HTML, server-sent events): each goes out when a test puts it into `say`."""

    def __init__(self) -> None:
        super().__init__()
        self.say: asyncio.Queue[str] = asyncio.Queue()
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        speaking = asyncio.create_task(self._speak(writer))
        await reader.read()
        self.left.set()
        speaking.cancel()

    async def _speak(self, writer: asyncio.StreamWriter) -> None:
        while True:
            event = f"data: {await self.say.get()}\n\n"
            writer.write(f"{len(event):x}\r\n{event}\r\n".encode())


class Sink(_Streaming):
    """Counts the bytes of a body as they come, keeps none, and says how many there were."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        expected = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        counted = 0
        while counted < expected and (part := await reader.read(_CHUNK)):
            counted += len(part)
        content = json.dumps(counted).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(content), content))


class Grpc(_Streaming):
    """Sends each message back as it comes, and ends with NOT_FOUND (gRPC over HTTP/2, Responses: in trailers)."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        while data := await reader.read(_CHUNK):
            for event in connection.receive_data(data):
                with suppress(h2.exceptions.StreamClosedError):  # what came with it was its reset
                    self._take(connection, event)
            writer.write(connection.data_to_send())

    def _take(self, connection: h2.connection.H2Connection, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", "application/grpc")])
        elif isinstance(event, h2.events.DataReceived):
            connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            connection.send_data(event.stream_id, event.data)
        elif isinstance(event, h2.events.StreamEnded):
            trailers = [("grpc-status", "5"), ("grpc-message", "no such thing")]
            connection.send_headers(event.stream_id, trailers, end_stream=True)


def peak_kib(edge: Running) -> list[int]:
    """The most memory that Envoy and each worker ever had (proc_pid_status(5), VmHWM)."""
    found = []
    for pid in edge.gateway.pids:
        status = Path(f"/proc/{pid}/status").read_text()
        found.append(int(status.partition("VmHWM:")[2].split()[0]))
    return found


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
