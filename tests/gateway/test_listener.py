"""What somebody without a token can do to the operators' listener: nothing that lasts, nothing that grows."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from ostiary.gateway.listener import MAX_CONNECTIONS, MAX_HEAD_BYTES, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

pytestmark = pytest.mark.anyio

SECONDS = 15.0  # no wait is longer
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
OK = b"HTTP/1.1 200 "
PIECE = 64 * 1024


class Page:
    """An application; `is_over` when it has handed an answer over, or could not."""

    def __init__(self, size: int = 3) -> None:
        self.size = size
        self.is_over = asyncio.Event()

    async def __call__(
        self, _: Message, __: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        length = (b"content-length", str(self.size).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        for sent in range(0, self.size, PIECE):
            more = sent + PIECE < self.size
            await send({"type": "http.response.body", "body": b"x" * min(PIECE, self.size - sent), "more_body": more})
        self.is_over.set()


async def test_a_connection_is_used_again_and_closed_when_it_is_idle() -> None:
    """Ours."""
    async with listening() as connect:
        reader, writer = await connect()
        for _ in range(3):
            writer.write(GET + b"\r\n")
            assert (await reader.readuntil(b"xxx")).startswith(OK)
        assert await to_the_end(reader) == b""


@pytest.mark.parametrize("sent", [b"", b"GET", GET, POST])
@pytest.mark.parametrize("drips", [False, True])
async def test_what_does_not_end_is_ended(sent: bytes, *, drips: bool) -> None:
    """`attacks.md`, operator surface: half a head or half a body holds a connection for seconds, whatever comes in."""
    async with listening() as connect:
        reader, writer = await connect()
        writer.write(sent)
        dripping = asyncio.create_task(drip(writer if drips else None))
        assert (await to_the_end(reader))[: len(OK)] == (OK if sent == POST else b"")
        dripping.cancel()


async def test_a_head_that_is_too_large_is_refused_before_its_end() -> None:
    """`attacks.md`, operator surface: it would be kept in memory, whoever sent it."""
    async with listening() as connect:
        reader, writer = await connect()
        writer.write(GET + b"A: " + b"a" * MAX_HEAD_BYTES)
        assert (await asyncio.wait_for(reader.readline(), SECONDS)).startswith(b"HTTP/1.1 400 ")


async def test_who_does_not_read_is_not_waited_for() -> None:
    """`attacks.md`, operator surface: an answer that nobody takes is kept in memory as well."""
    page = Page(64 * 1024 * 1024)
    async with listening(page) as connect:
        _, writer = await connect()
        writer.write(GET + b"\r\n")  # the stream's reader takes 128 KiB and pauses
        await asyncio.wait_for(page.is_over.wait(), SECONDS)


async def test_there_are_no_more_connections_than_a_supervisor_can_spare() -> None:
    """`attacks.md`, operator surface: the descriptors are those that it reloads with."""
    async with listening() as connect:
        held = [await connect() for _ in range(MAX_CONNECTIONS)]
        reader, _ = await connect()
        assert await to_the_end(reader) == b""
        reader, writer = held[0]
        writer.write(GET + b"\r\n")
        assert (await reader.readuntil(b"xxx")).startswith(OK)


@asynccontextmanager
async def listening(page: Page | None = None) -> AsyncIterator[Connect]:
    """A listener that closes idle connections after a second; the call connects to it."""
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writers.append(writer)
        return reader, writer

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        async with served(page or Page(), listener, idle_seconds=1):
            yield connect
            for writer in writers:
                writer.close()


async def to_the_end(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other side closes, or breaks off."""
    found = b""
    with suppress(ConnectionError):
        async with asyncio.timeout(SECONDS):
            while some := await reader.read(65536):
                found += some
    return found


async def drip(writer: asyncio.StreamWriter | None) -> None:
    """A byte now and then, of what never ends."""
    while writer is not None:
        writer.write(b"a")
        await asyncio.sleep(0.1)  # the drip itself: more often than an idle connection is closed
